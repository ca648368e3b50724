//! What became of one private event: at each contract, and for what crossed, at each outlet.
//!
//! The crossing is pure, so filtered and unmatched need no record: the contract is asked again. What crossed, what is parked and
//! what was settled is read from the store.

mod about;

use horizon_schemas::{Contract, Outcome, PassedOver, PrivateEvent, Status, Violation};
use horizon_store::{
    Event, ParkOutcome, ParkScope, ParkedEntry, PublicStreamName, RelayName, Resolution, Sequence,
    StoreError,
};

pub(crate) use about::About;
use about::{AtContract, AtOutlet, Crossed};

use crate::clock;
use crate::crossing::{cursor_of, pass, read_skips};
use crate::http::Operator;
use crate::relay::{beginning, relay_name};
use crate::stored::public_at;
use crate::told::{Unfit, Violated};

/// Tells of every event with this id; ids are unique within a source only, so there may be several.
pub(crate) async fn tell(state: &Operator, id: &str) -> Result<Vec<About>, StoreError> {
    let mut told = Vec::new();
    let catalog = state.catalog.current();
    for event in state.store.find_events(&state.log, id, None).await? {
        let mut contracts = Vec::new();
        for contract in catalog.contracts() {
            if let Ok(stream) = PublicStreamName::new(&contract.public_stream()) {
                contracts.push(at_contract(state, contract, &stream, &event).await?);
            }
        }
        let unfit = event.flagged.then(|| unfit(state, &event));
        told.push(About {
            id: event.id().to_owned(),
            source: event.source().to_owned(),
            event_type: event.event_type().to_owned(),
            stream: event.stream().to_owned(),
            revision: event.revision.get(),
            position: event.position.get(),
            recorded: clock::rfc3339(event.recorded_ms),
            contracts,
            flagged: event.flagged.then_some(true),
            unfit,
        });
    }
    Ok(told)
}

/// What the newest private schema says against an event now; nothing, if it fits by now or has no schema any more.
fn unfit(state: &Operator, event: &Event) -> Vec<Unfit> {
    let data = pass::payload(event);
    let catalog = state.catalog.current();
    let refusal = catalog
        .private()
        .check(event.category(), event.event_type(), Some(&data))
        .err();
    refusal.map_or_else(Vec::new, |refusal| told_of(&refusal.violations))
}

fn told_of(violations: &[Violation]) -> Vec<Unfit> {
    violations.iter().map(Into::into).collect()
}

async fn at_contract(
    state: &Operator,
    contract: &Contract,
    stream: &PublicStreamName,
    event: &Event,
) -> Result<AtContract, StoreError> {
    let mut told = AtContract {
        contract: stream.as_str().to_owned(),
        version: contract.version().to_owned(),
        ..AtContract::default()
    };
    // The cursor first: what it has passed has left its traces already.
    let cursor = cursor_of(&state.store, &state.log, stream).await?;
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
        describe_parked(&mut told, entry);
        return Ok(told);
    }
    let left = state
        .store
        .resolution(&state.log, &scope, None, event.position.get());
    if let Some(resolution) = left.await? {
        let at = clock::rfc3339(resolution.at_ms);
        let (outcome, reason) = has_left(resolution);
        (told.outcome, told.reason, told.unparked) = (outcome, reason, Some(at));
        return Ok(told);
    }
    let mut skips = read_skips(&state.store, &state.log).await?.into_iter();
    if let Some(skipped) = skips.find(|one| one.is_at(stream, event.position)) {
        told.outcome = "skipped";
        (told.reason, told.unparked) = (Some(skipped.reason), Some(skipped.skipped));
        return Ok(told);
    }
    if !contract.status().crosses() {
        told.outcome = "inactive";
        told.reason = Some(format!("the contract is {}", word(contract.status())));
        return Ok(told);
    }
    if cursor < event.position {
        told.outcome = "waiting";
        told.reason = Some(match state.status.halt_of(stream.as_str()) {
            Some(reason) => format!("the contract halted after position {cursor}: {reason}"),
            None => format!("the contract has looked at everything up to position {cursor}"),
        });
        return Ok(told);
    }
    again(state, contract, event, &mut told);
    Ok(told)
}

/// Asks the contract again about an event that left no trace in the store.
fn again(state: &Operator, contract: &Contract, event: &Event, told: &mut AtContract) {
    let data = pass::payload(event);
    let why_not = || passed_over(contract, event, &pass::private_event(event, &data));
    let (outcome, reason) = match pass::ask(contract, event, &state.id_secret) {
        Outcome::Unmatched => ("unmatched", why_not()),
        Outcome::Filtered => ("filtered", why_not()),
        Outcome::Crossed(_) => ("passed", format!("{EARLIER}; this version would take it")),
        Outcome::Violation { violations, .. } => {
            told.violations = Some(told_of(&violations));
            (
                "passed",
                format!("{EARLIER}; in this version it is a violation"),
            )
        }
    };
    told.outcome = outcome;
    told.reason = Some(reason);
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
            event.category()
        ),
        PassedOver::Stream => {
            format!("no pattern of `streams.match` fits {}", event.stream())
        }
        PassedOver::EventType => format!("no `from` names {}", event.event_type()),
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
    mut told: AtContract,
) -> Result<AtContract, StoreError> {
    told.outcome = "crossed";
    if let Some(event) = public_at(&state.store, &state.log, stream, sequence).await? {
        told.public = Some(Crossed {
            id: event.id.to_string(),
            event_type: event.event_type.to_string(),
            key: event.key.to_string(),
            sequence: event.sequence.get(),
            contract_version: event.contract_version.to_string(),
        });
        let mut outlets = Vec::new();
        for outlet in contract.outlets() {
            outlets.push(at_outlet(state, stream, outlet.name(), sequence).await?);
        }
        told.outlets = Some(outlets);
    }
    Ok(told)
}

async fn at_outlet(
    state: &Operator,
    stream: &PublicStreamName,
    outlet: &str,
    sequence: Sequence,
) -> Result<AtOutlet, StoreError> {
    let mut told = AtOutlet {
        outlet: outlet.to_owned(),
        ..AtOutlet::default()
    };
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
        told.state = Some("parked");
        told.key = Some(entry.key);
        told.reason = Some(entry.reason.unwrap_or_else(|| WAITS_BEHIND.to_owned()));
        return Ok(told);
    }
    if let Some(resolution) = state.store.resolution(&state.log, &scope, None, at).await? {
        told.unparked = Some(clock::rfc3339(resolution.at_ms));
        let (state, reason) = has_left(resolution);
        (told.state, told.reason) = (Some(state), reason);
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
            told.state = Some("not sent");
            told.reason = Some("the outlet began after it".to_owned());
            return Ok(told);
        }
        let settled = state.store.settled(&state.log, &name, sequence).await?;
        told.state = Some(match &settled {
            Some(settled) if settled.parked => "parked",
            Some(settled) if settled.unheard => "unheard",
            _ => "confirmed",
        });
        told.at = settled.map(|settled| clock::rfc3339(settled.at_ms));
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
    mut told: AtOutlet,
) -> Result<AtOutlet, StoreError> {
    let view = state.status.relay(name.as_str()).map(|relay| relay.view());
    if let Some(pause) = view.as_ref().and_then(|view| view.paused.as_ref()) {
        told.state = Some("paused");
        told.since = Some(pause.since.clone());
        told.reason = Some(pause.reason.clone());
        return Ok(told);
    }
    match view.and_then(|view| Some((view.retrying_since?, view.last_error))) {
        Some((since, error)) => {
            told.state = Some("retrying");
            told.since = Some(since);
            told.reason = error;
        }
        None => {
            told.state = Some("waiting");
            let between = state
                .store
                .public_between(&state.log, stream, cursor, sequence)
                .await?;
            let before = between.saturating_sub(1);
            told.reason = Some(match before {
                1 => "1 event is before it".to_owned(),
                _ => format!("{before} events are before it"),
            });
        }
    }
    Ok(told)
}

/// How a parked entry has left, and why if somebody gave it up.
fn has_left(resolution: Resolution) -> (&'static str, Option<String>) {
    match resolution.outcome {
        ParkOutcome::Crossed => ("crossed", None),
        ParkOutcome::Filtered => ("filtered", None),
        ParkOutcome::Confirmed => ("confirmed", None),
        ParkOutcome::Unheard => ("unheard", None),
        ParkOutcome::Skipped { reason } => ("skipped", Some(reason.to_string())),
    }
}

/// What is told of an entry that has never been tried itself.
const WAITS_BEHIND: &str = "it waits behind an earlier event of its key that is parked";

/// An entry that is parked at a contract. Its reason is a JSON document, none if it only waits behind another.
fn describe_parked(told: &mut AtContract, entry: ParkedEntry) {
    told.key = Some(entry.key);
    let Some(reason) = entry.reason else {
        told.outcome = "parked";
        told.reason = Some(WAITS_BEHIND.to_owned());
        return;
    };
    told.outcome = "violated";
    match serde_json::from_str::<Violated>(&reason) {
        Ok(stored) => {
            told.public_type = stored.public_type;
            told.violations = stored.violations;
            told.untold = stored.untold;
            told.contract_version = stored.contract_version;
            told.since = stored.since;
        }
        Err(_) => told.reason = Some(reason),
    }
}
