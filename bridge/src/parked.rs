//! What is parked, as it is told: where, which key, how many events wait, and why the first of them cannot go on.
//!
//! A crossing is pure, so the contract as it is now is asked again about the events that wait: what is told is what a retry would
//! do. What a broker said is known from when it said it.

use std::sync::Arc;

use horizon_schemas::{Contract, Outcome};
use horizon_store::{
    Event, ParkScope, ParkedEntry, ParkedKey, Position, PublicEvent, PublicStreamName, ReadLimit,
    RelayName, Sequence, StoreError,
};
use serde_json::{Value, json};

use crate::clock;
use crate::crossing::pass;
use crate::http::Operator;
use crate::relay::relay_name;
use crate::stored::{event_at, public_at};

/// What is told of an entry that has never been tried itself.
const WAITS_BEHIND: &str = "it waits behind an earlier event of its key";

/// A place where keys may be parked: a contract's crossing, or one of its outlets.
#[derive(Debug, Clone)]
pub(crate) struct Scope {
    contract: Arc<Contract>,
    stream: PublicStreamName,
    outlet: Option<(String, RelayName)>,
}

impl Scope {
    /// The crossing of a contract, and its outlets.
    pub(crate) fn all_of(contract: &Arc<Contract>) -> Vec<Scope> {
        // Names that a contract was loaded with are sound: the crossing could not run otherwise.
        let Ok(stream) = PublicStreamName::new(&contract.public_stream()) else {
            return Vec::new();
        };
        let at = |outlet| Scope {
            contract: Arc::clone(contract),
            stream: stream.clone(),
            outlet,
        };
        let outlets = contract.outlets().iter().filter_map(|outlet| {
            let name = relay_name(&stream, outlet.name()).ok()?;
            Some(at(Some((outlet.name().to_owned(), name))))
        });
        std::iter::once(at(None)).chain(outlets).collect()
    }

    pub(crate) fn is(&self, contract: &str, outlet: Option<&str>) -> bool {
        self.contract() == contract && self.outlet() == outlet
    }

    pub(crate) fn contract(&self) -> &str {
        self.stream.as_str()
    }

    pub(crate) fn stream(&self) -> &PublicStreamName {
        &self.stream
    }

    pub(crate) fn outlet(&self) -> Option<&str> {
        self.outlet.as_ref().map(|(name, _)| name.as_str())
    }

    /// The relay, if it is an outlet.
    pub(crate) fn relay(&self) -> Option<&RelayName> {
        self.outlet.as_ref().map(|(_, relay)| relay)
    }

    pub(crate) fn park_scope(&self) -> ParkScope {
        match self.relay() {
            None => ParkScope::Crossing(self.stream.clone()),
            Some(relay) => ParkScope::Relay(relay.clone()),
        }
    }
}

/// A parked key in one line.
pub(crate) async fn key(
    state: &Operator,
    scope: &Scope,
    key: &ParkedKey,
) -> Result<Value, StoreError> {
    let mut told = json!({
        "contract": scope.contract(),
        "outlet": scope.outlet(),
        "key": key.key,
        "waiting": key.entries,
    });
    let entries = read(state, scope, &key.key, key.first_at.saturating_sub(1), 1).await?;
    if let Some(entry) = entries.0.into_iter().next() {
        let event = event(state, scope, entry).await?;
        for name in ["at", "since", "reason"] {
            told[name] = event[name].clone();
        }
    }
    Ok(told)
}

/// The events that wait under a key after a place: how many there are in all, some of them, and whether there are more.
pub(crate) async fn events(
    state: &Operator,
    scope: &Scope,
    key: &str,
    after: u64,
    limit: usize,
) -> Result<(u64, Vec<Value>, bool), StoreError> {
    let (entries, more) = read(state, scope, key, after, limit).await?;
    let mut told = Vec::with_capacity(entries.len());
    for entry in entries {
        told.push(event(state, scope, entry).await?);
    }
    Ok((waiting(state, scope, key).await?, told, more))
}

/// How many events wait under a key.
async fn waiting(state: &Operator, scope: &Scope, key: &str) -> Result<u64, StoreError> {
    let (mut count, mut after) = (0, 0);
    loop {
        let (entries, more) = read(state, scope, key, after, ReadLimit::RECORDS_MAX).await?;
        count += entries.len() as u64;
        after = entries.last().map_or(after, |entry| entry.at);
        if !more {
            return Ok(count);
        }
    }
}

async fn read(
    state: &Operator,
    scope: &Scope,
    key: &str,
    after: u64,
    records: usize,
) -> Result<(Vec<ParkedEntry>, bool), StoreError> {
    let limit = ReadLimit {
        records,
        ..ReadLimit::default()
    };
    let scope = scope.park_scope();
    let read = state
        .store
        .parked_entries(&state.log, &scope, key, after, limit);
    let page = read.await?;
    Ok((page.entries, page.more))
}

async fn event(state: &Operator, scope: &Scope, entry: ParkedEntry) -> Result<Value, StoreError> {
    match scope.relay() {
        None => at_crossing(state, scope, entry).await,
        Some(relay) => at_outlet(state, scope, relay, entry).await,
    }
}

/// A private event that waits to cross.
async fn at_crossing(
    state: &Operator,
    scope: &Scope,
    entry: ParkedEntry,
) -> Result<Value, StoreError> {
    let mut told = json!({"at": entry.at});
    let stored = entry
        .reason
        .as_deref()
        .and_then(|reason| serde_json::from_str::<Value>(reason).ok());
    if let Some(stored) = &stored {
        told["since"] = stored["since"].clone();
        told["parkedBy"] = stored["contractVersion"].clone();
    }
    let read = event_at(&state.store, &state.log, Position::new(entry.at));
    let Some(event) = read.await? else {
        told["reason"] = "the event is not there any more".into();
        return Ok(told);
    };
    if told["since"].is_null() {
        told["since"] = clock::rfc3339(event.recorded_ms).into();
    }
    told["event"] = private(&event);
    told["contractVersion"] = scope.contract.version().into();
    let asked =
        tokio::task::block_in_place(|| pass::ask(&scope.contract, &event, &state.id_secret));
    match asked {
        Outcome::Crossed(crossed) => {
            told["publicId"] = crossed.id().into();
            told["reason"] = match entry.reason {
                Some(_) => "it would cross now: retry its key",
                None => WAITS_BEHIND,
            }
            .into();
        }
        Outcome::Filtered | Outcome::Unmatched => {
            told["reason"] = "it would be filtered now: retry its key".into();
        }
        Outcome::Violation {
            public_type,
            violations,
            ..
        } => {
            told["reason"] = pass::in_words(&public_type, &violations).into();
            if let Value::Object(members) = pass::violated(&public_type, &violations)
                && let Value::Object(told) = &mut told
            {
                told.extend(members);
            }
        }
    }
    Ok(told)
}

fn private(event: &Event) -> Value {
    json!({
        "id": &*event.id,
        "source": &*event.source,
        "type": &*event.event_type,
        "stream": event.stream.as_str(),
        "revision": event.revision.get(),
        "recorded": clock::rfc3339(event.recorded_ms),
    })
}

/// A public event that waits at an outlet.
async fn at_outlet(
    state: &Operator,
    scope: &Scope,
    relay: &RelayName,
    entry: ParkedEntry,
) -> Result<Value, StoreError> {
    let sequence = Sequence::new(entry.at);
    let settled = state.store.settled(&state.log, relay, sequence).await?;
    let status = state.status.relay(relay.as_str());
    let again = status.and_then(|status| status.stuck_at(&entry.key, entry.at));
    let reason = again
        .or(entry.reason)
        .unwrap_or_else(|| WAITS_BEHIND.to_owned());
    let mut told = json!({
        "at": entry.at,
        "since": settled.map(|settled| clock::rfc3339(settled.at_ms)),
        "reason": reason,
    });
    let read = public_at(&state.store, &state.log, &scope.stream, sequence);
    if let Some(event) = read.await? {
        told["event"] = public(&event);
    }
    Ok(told)
}

fn public(event: &PublicEvent) -> Value {
    json!({
        "id": event.id,
        "type": event.event_type,
        "sequence": event.sequence.get(),
        "contractVersion": event.contract_version,
        "crossed": clock::rfc3339(event.crossed_ms),
    })
}
