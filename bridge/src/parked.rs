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
use serde::Serialize;
use utoipa::ToSchema;

use crate::clock;
use crate::crossing::pass;
use crate::http::Operator;
use crate::relay::relay_name;
use crate::stored::{event_at, public_at};
use crate::told::{Unfit, Violated};

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

/// A key that cannot go on.
#[derive(Serialize, ToSchema)]
pub(crate) struct KeyTold {
    contract: String,
    /// Where it is parked; none: at the contract.
    outlet: Option<String>,
    key: String,
    /// How many events wait.
    waiting: u64,
    /// The place of the first: a position at a contract, a sequence at an outlet.
    at: Option<u64>,
    #[schema(format = DateTime)]
    since: Option<String>,
    /// Why the first cannot go on.
    reason: Option<String>,
}

/// An event that waits. What is not known, or does not apply, is absent.
#[derive(Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EventTold {
    /// Its place: a position at a contract, a sequence at an outlet.
    pub(crate) at: u64,
    #[schema(format = DateTime)]
    since: Option<String>,
    reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<WaitingEvent>,
    /// The contract's version that parked it.
    #[serde(skip_serializing_if = "Option::is_none")]
    parked_by: Option<String>,
    /// The contract's version now.
    #[serde(skip_serializing_if = "Option::is_none")]
    contract_version: Option<String>,
    /// The id of the public event that it would become.
    #[serde(skip_serializing_if = "Option::is_none")]
    public_id: Option<String>,
    /// The public type whose schema it violates.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    public_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    violations: Option<Vec<Unfit>>,
    /// How many violations are not told.
    #[serde(skip_serializing_if = "Option::is_none")]
    untold: Option<u64>,
}

/// A private event at a contract, a public one at an outlet.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
enum WaitingEvent {
    Private(WaitingPrivate),
    Public(WaitingPublic),
}

/// A private event that waits to cross.
#[derive(Serialize, ToSchema)]
struct WaitingPrivate {
    id: String,
    source: String,
    #[serde(rename = "type")]
    event_type: String,
    stream: String,
    revision: u64,
    #[schema(format = DateTime)]
    recorded: String,
}

/// A public event that waits to be sent.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct WaitingPublic {
    id: String,
    #[serde(rename = "type")]
    event_type: String,
    sequence: u64,
    contract_version: String,
    #[schema(format = DateTime)]
    crossed: String,
}

/// A parked key in one line.
pub(crate) async fn key(
    state: &Operator,
    scope: &Scope,
    key: &ParkedKey,
) -> Result<KeyTold, StoreError> {
    let entries = read(state, scope, &key.key, key.first_at.saturating_sub(1), 1).await?;
    let first = match entries.0.into_iter().next() {
        Some(entry) => Some(event(state, scope, entry).await?),
        None => None,
    };
    Ok(KeyTold {
        contract: scope.contract().to_owned(),
        outlet: scope.outlet().map(str::to_owned),
        key: key.key.to_string(),
        waiting: key.entries,
        at: first.as_ref().map(|first| first.at),
        since: first.as_ref().and_then(|first| first.since.clone()),
        reason: first.map(|first| first.reason),
    })
}

/// The events that wait under a key after a place: how many there are in all, some of them, and whether there are more.
pub(crate) async fn events(
    state: &Operator,
    scope: &Scope,
    key: &str,
    after: u64,
    limit: usize,
) -> Result<(u64, Vec<EventTold>, bool), StoreError> {
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

async fn event(
    state: &Operator,
    scope: &Scope,
    entry: ParkedEntry,
) -> Result<EventTold, StoreError> {
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
) -> Result<EventTold, StoreError> {
    let stored = entry.reason.as_deref().map(serde_json::from_str);
    let stored: Violated = stored.and_then(Result::ok).unwrap_or_default();
    let mut told = EventTold {
        at: entry.at,
        since: stored.since,
        parked_by: stored.contract_version,
        ..EventTold::default()
    };
    let read = event_at(&state.store, &state.log, Position::new(entry.at));
    let Some(event) = read.await? else {
        told.reason = "the event is not there any more".to_owned();
        return Ok(told);
    };
    told.since
        .get_or_insert_with(|| clock::rfc3339(event.recorded_ms));
    told.event = Some(private(&event));
    told.contract_version = Some(scope.contract.version().to_owned());
    let asked =
        tokio::task::block_in_place(|| pass::ask(&scope.contract, &event, &state.id_secret));
    match asked {
        Outcome::Crossed(crossed) => {
            told.public_id = Some(crossed.id().to_string());
            told.reason = match entry.reason {
                Some(_) => "it would cross now: retry its key",
                None => WAITS_BEHIND,
            }
            .to_owned();
        }
        Outcome::Filtered | Outcome::Unmatched => {
            told.reason = "it would be filtered now: retry its key".to_owned();
        }
        Outcome::Violation {
            public_type,
            violations,
            ..
        } => {
            told.reason = pass::in_words(&public_type, &violations);
            let violated = pass::violated(&public_type, &violations);
            told.public_type = violated.public_type;
            told.violations = violated.violations;
            told.untold = violated.untold;
        }
    }
    Ok(told)
}

fn private(event: &Event) -> WaitingEvent {
    WaitingEvent::Private(WaitingPrivate {
        id: event.id().to_owned(),
        source: event.source().to_owned(),
        event_type: event.event_type().to_owned(),
        stream: event.stream().to_owned(),
        revision: event.revision.get(),
        recorded: clock::rfc3339(event.recorded_ms),
    })
}

/// A public event that waits at an outlet.
async fn at_outlet(
    state: &Operator,
    scope: &Scope,
    relay: &RelayName,
    entry: ParkedEntry,
) -> Result<EventTold, StoreError> {
    let sequence = Sequence::new(entry.at);
    let settled = state.store.settled(&state.log, relay, sequence).await?;
    let status = state.status.relay(relay.as_str());
    let again = status.and_then(|status| status.stuck_at(&entry.key, entry.at));
    let reason = again
        .or(entry.reason)
        .unwrap_or_else(|| WAITS_BEHIND.to_owned());
    let read = public_at(&state.store, &state.log, &scope.stream, sequence);
    Ok(EventTold {
        at: entry.at,
        since: settled.map(|settled| clock::rfc3339(settled.at_ms)),
        reason,
        event: read.await?.map(|event| public(&event)),
        ..EventTold::default()
    })
}

fn public(event: &PublicEvent) -> WaitingEvent {
    WaitingEvent::Public(WaitingPublic {
        id: event.id.to_string(),
        event_type: event.event_type.to_string(),
        sequence: event.sequence.get(),
        contract_version: event.contract_version.to_string(),
        crossed: clock::rfc3339(event.crossed_ms),
    })
}
