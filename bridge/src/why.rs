//! What became of one private event: at each contract, and for what crossed, at each outlet.
//!
//! The crossing is pure, so filtered and unmatched need no record: the contract is asked again. What crossed, what is parked and
//! what was settled is read from the store.

use horizon_schemas::{Contract, Outcome, PassedOver, PrivateEvent, Status, Violation};
use horizon_store::{
    Event, ParkOutcome, ParkScope, ParkedEntry, Position, PublicStreamName, RelayName, Resolution,
    Sequence, StoreError,
};
use serde_json::{Value, json};

use crate::clock;
use crate::crossing::{cursor_name, pass};
use crate::http::Operator;
use crate::relay::{beginning, relay_name};
use crate::stored::public_at;

/// Tells of every event with this id; ids are unique within a source only, so there may be several.
pub(crate) async fn tell(state: &Operator, id: &str) -> Result<Vec<Value>, StoreError> {
    let mut told = Vec::new();
    let catalog = state.catalog.current();
    for event in state.store.find_events(&state.log, id, None).await? {
        let mut contracts = Vec::new();
        for contract in catalog.contracts() {
            if let Ok(stream) = PublicStreamName::new(&contract.public_stream()) {
                contracts.push(at_contract(state, contract, &stream, &event).await?);
            }
        }
        let mut about = json!({
            "id": &*event.id,
            "source": &*event.source,
            "type": &*event.event_type,
            "stream": event.stream.as_str(),
            "revision": event.revision.get(),
            "position": event.position.get(),
            "recorded": clock::rfc3339(event.recorded_ms),
            "contracts": contracts,
        });
        if event.flagged {
            about["flagged"] = true.into();
            about["unfit"] = unfit(state, &event).into();
        }
        told.push(about);
    }
    Ok(told)
}

/// What the newest private schema says against an event now; nothing, if it fits by now or has no schema any more.
fn unfit(state: &Operator, event: &Event) -> Vec<Value> {
    let data = pass::payload(event);
    let catalog = state.catalog.current();
    let refusal = catalog
        .private()
        .check(event.stream.category(), &event.event_type, Some(&data))
        .err();
    refusal.map_or_else(Vec::new, |refusal| in_json(&refusal.violations))
}

fn in_json(violations: &[Violation]) -> Vec<Value> {
    let told = |one: &Violation| json!({"pointer": one.pointer, "reason": one.reason});
    violations.iter().map(told).collect()
}

async fn at_contract(
    state: &Operator,
    contract: &Contract,
    stream: &PublicStreamName,
    event: &Event,
) -> Result<Value, StoreError> {
    let mut told = json!({"contract": stream.as_str(), "version": contract.version()});
    // The cursor first: what it has passed has left its traces already.
    let cursor = match cursor_name(stream) {
        Ok(name) => state
            .store
            .crossing_cursor(&state.log, &name)
            .await?
            .unwrap_or(Position::ZERO),
        Err(_) => Position::ZERO,
    };
    let crossings = state.store.public_of(&state.log, event.position).await?;
    if let Some((_, sequence)) = crossings.into_iter().find(|(crossed, _)| crossed == stream) {
        return crossed(state, contract, stream, sequence, told).await;
    }
    let scope = ParkScope::Crossing(stream.clone());
    if let Some(entry) = state
        .store
        .parked_entry(&state.log, &scope, None, event.position.get())
        .await?
    {
        told["outcome"] = if entry.reason.is_some() {
            "violated"
        } else {
            "parked"
        }
        .into();
        describe_parked(&mut told, entry);
        return Ok(told);
    }
    let left = state
        .store
        .resolution(&state.log, &scope, None, event.position.get());
    if let Some(resolution) = left.await? {
        told["outcome"] = describe_left(&mut told, resolution).into();
        return Ok(told);
    }
    if !contract.status().crosses() {
        told["outcome"] = "inactive".into();
        told["reason"] = format!("the contract is {}", word(contract.status())).into();
        return Ok(told);
    }
    if cursor < event.position {
        told["outcome"] = "waiting".into();
        told["reason"] = match state.status.halt_of(stream.as_str()) {
            Some(reason) => format!("the contract halted at position {cursor}: {reason}").into(),
            None => format!("the contract has looked at everything up to position {cursor}").into(),
        };
        return Ok(told);
    }
    again(state, contract, event, &mut told);
    Ok(told)
}

/// Asks the contract again about an event that left no trace in the store.
fn again(state: &Operator, contract: &Contract, event: &Event, told: &mut Value) {
    let data = pass::payload(event);
    let why_not = || passed_over(contract, event, &pass::private_event(event, &data));
    let (outcome, reason) = match pass::ask(contract, event, &state.id_secret) {
        Outcome::Unmatched => ("unmatched", why_not()),
        Outcome::Filtered => ("filtered", why_not()),
        Outcome::Crossed(_) => ("passed", format!("{EARLIER}; this version would take it")),
        Outcome::Violation { violations, .. } => {
            told["violations"] = in_json(&violations).into();
            (
                "passed",
                format!("{EARLIER}; in this version it is a violation"),
            )
        }
    };
    told["outcome"] = outcome.into();
    told["reason"] = reason.into();
}

/// Why an event that this version would not pass over has left no trace.
const EARLIER: &str =
    "it was looked at by an earlier version of the contract, or lies before the contract's start";

/// Why a contract does not take an event.
fn passed_over(contract: &Contract, event: &Event, seen: &PrivateEvent<'_>) -> String {
    match contract.passes_over(seen) {
        PassedOver::Status(status) => format!("the contract is {}", word(status)),
        PassedOver::Category => format!(
            "the contract reads category {}, not {}",
            contract.category(),
            event.stream.category()
        ),
        PassedOver::Stream => {
            format!(
                "no pattern of `streams.match` fits {}",
                event.stream.as_str()
            )
        }
        PassedOver::EventType => format!("no `from` names {}", event.event_type),
        PassedOver::Types(types) => {
            let each = |(name, status): &(String, Status)| format!("{name} is {}", word(*status));
            types.iter().map(each).collect::<Vec<_>>().join(", ")
        }
        PassedOver::When(types) => format!("no `when` holds for it, of {}", types.join(", ")),
    }
}

/// Where a contract or a type stands in its life, in words.
fn word(status: Status) -> &'static str {
    match status {
        Status::Draft => "a draft",
        Status::Active => "active",
        Status::Deprecated => "deprecated",
        Status::Retired => "retired",
    }
}

async fn crossed(
    state: &Operator,
    contract: &Contract,
    stream: &PublicStreamName,
    sequence: Sequence,
    mut told: Value,
) -> Result<Value, StoreError> {
    told["outcome"] = "crossed".into();
    if let Some(event) = public_at(&state.store, &state.log, stream, sequence).await? {
        told["public"] = json!({
            "id": event.id,
            "type": event.event_type,
            "key": event.key,
            "sequence": event.sequence.get(),
            "contractVersion": event.contract_version,
        });
        let mut outlets = Vec::new();
        for outlet in contract.outlets() {
            outlets.push(at_outlet(state, stream, outlet.name(), sequence).await?);
        }
        told["outlets"] = outlets.into();
    }
    Ok(told)
}

async fn at_outlet(
    state: &Operator,
    stream: &PublicStreamName,
    outlet: &str,
    sequence: Sequence,
) -> Result<Value, StoreError> {
    let mut told = json!({"outlet": outlet});
    let Ok(name) = relay_name(stream, outlet) else {
        return Ok(told);
    };
    let scope = ParkScope::Relay(name.clone());
    let at = sequence.get();
    if let Some(entry) = state
        .store
        .parked_entry(&state.log, &scope, None, at)
        .await?
    {
        told["state"] = "parked".into();
        describe_parked(&mut told, entry);
        return Ok(told);
    }
    if let Some(resolution) = state.store.resolution(&state.log, &scope, None, at).await? {
        told["state"] = describe_left(&mut told, resolution).into();
        return Ok(told);
    }
    let cursor = state
        .store
        .relay_cursor(&state.log, &name)
        .await?
        .unwrap_or(Sequence::ZERO);
    if cursor >= sequence {
        let begins = beginning::after(&state.store, &state.log, name.as_str()).await?;
        if begins.is_some_and(|after| sequence <= after) {
            told["state"] = "not sent".into();
            told["reason"] = "the outlet began after it".into();
            return Ok(told);
        }
        let settled = state.store.settled(&state.log, &name, sequence).await?;
        told["state"] = match &settled {
            Some(settled) if settled.parked => "parked",
            Some(settled) if settled.unheard => "unheard",
            _ => "confirmed",
        }
        .into();
        if let Some(settled) = settled {
            told["at"] = clock::rfc3339(settled.at_ms).into();
        }
        return Ok(told);
    }
    on_its_way(state, stream, &name, cursor, sequence, told).await
}

/// What is told of a public event that an outlet has not settled.
async fn on_its_way(
    state: &Operator,
    stream: &PublicStreamName,
    name: &RelayName,
    cursor: Sequence,
    sequence: Sequence,
    mut told: Value,
) -> Result<Value, StoreError> {
    let view = state.status.relay(name.as_str()).map(|relay| relay.view());
    if let Some(pause) = view.as_ref().and_then(|view| view.paused.as_ref()) {
        told["state"] = "paused".into();
        told["since"] = pause.since.as_str().into();
        told["reason"] = pause.reason.as_str().into();
        return Ok(told);
    }
    match view.and_then(|view| Some((view.retrying_since?, view.last_error))) {
        Some((since, error)) => {
            told["state"] = "retrying".into();
            told["since"] = since.into();
            told["reason"] = error.into();
        }
        None => {
            told["state"] = "waiting".into();
            let between = state
                .store
                .public_between(&state.log, stream, cursor, sequence)
                .await?;
            told["reason"] = format!("{} events are before it", between.saturating_sub(1)).into();
        }
    }
    Ok(told)
}

/// How and when a parked entry has left.
fn describe_left(told: &mut Value, resolution: Resolution) -> &'static str {
    told["unparked"] = clock::rfc3339(resolution.at_ms).into();
    match resolution.outcome {
        ParkOutcome::Crossed => "crossed",
        ParkOutcome::Filtered => "filtered",
        ParkOutcome::Confirmed => "confirmed",
        ParkOutcome::Unheard => "unheard",
        ParkOutcome::Skipped { reason } => {
            told["reason"] = reason.into();
            "skipped"
        }
    }
}

/// The reason of a parked entry: a JSON document where a contract wrote it, text where an outlet did.
fn describe_parked(told: &mut Value, entry: ParkedEntry) {
    told["key"] = entry.key.into();
    match entry.reason {
        None => {
            told["reason"] = "it waits behind an earlier event of its key that is parked".into()
        }
        Some(reason) => match serde_json::from_str::<Value>(&reason) {
            Ok(Value::Object(members)) => {
                for (name, value) in members {
                    told[name] = value;
                }
            }
            _ => told["reason"] = reason.into(),
        },
    }
}
