//! Calls, made of generated writes and of how things stand.

use std::collections::BTreeMap;

use bytes::Bytes;
use horizon_store::{
    AppendError, Commit, Committed, CrossError, Crossing, EventStore, Expected, NewEvent,
    NewParked, ParkOutcome, ParkScope, Position, ReadLimit, Record, ResolveError, ResolvedParked,
    Revision, Selection, Sequence, SettleError, Settlement, StoreError, StreamWrite,
};

use crate::build::{event, main_log, parked, public, public_stream, relay, stream};
use crate::conformance::crossing::{cursor, cursor_move};
use crate::memory::MemoryStore;

pub(super) const NAMES: [&str; 5] = ["a-1", "a-2", "b-1", "b", "a!"];
pub(super) const RELAY: &str = "p/r";

/// One write of a generated commit: the stream's index, the belief, and ids with their contents.
pub(super) type GeneratedWrite = (u8, Belief, Vec<(u8, u8)>);

#[derive(Debug, Clone)]
pub(super) enum Write {
    Append(Vec<GeneratedWrite>),
    /// The last commit that was made, once more.
    Again,
    System,
    Cross {
        records: u8,
        wrong_cursor: bool,
        wrong_sequence: bool,
    },
    Settle {
        events: u8,
        wrong_cursor: bool,
        outcomes: u8,
    },
    /// Entries leave the crossing.
    Mend {
        entries: u8,
        outcomes: u8,
        wrong_order: bool,
        gone: bool,
    },
    /// Entries leave the relay.
    Resolve {
        entries: u8,
        outcomes: u8,
        wrong_order: bool,
        gone: bool,
    },
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Belief {
    Right,
    Off,
    None,
    Exists,
    Any,
}

/// A call as it is handed in.
#[derive(Debug, Clone)]
pub(super) enum Call {
    Append(Commit),
    System,
    Cross(Crossing),
    Settle(Settlement),
    Resolve(Vec<ResolvedParked>),
}

/// What a call is answered.
#[derive(Debug, PartialEq)]
pub(super) enum Outcome {
    Append(Result<Committed, AppendError>),
    System(Result<Position, StoreError>),
    Cross(Result<(), CrossError>),
    Settle(Result<(), SettleError>),
    Resolve(Result<(), ResolveError>),
}

impl Outcome {
    /// Whether two stores answer the same; what is over a limit they tell in words of their own.
    pub(super) fn agrees(&self, other: &Self) -> bool {
        let limits = (
            matches!(self, Self::Append(Err(AppendError::Limit(_))))
                && matches!(other, Self::Append(Err(AppendError::Limit(_)))),
            matches!(self, Self::Cross(Err(CrossError::Limit(_))))
                && matches!(other, Self::Cross(Err(CrossError::Limit(_)))),
        );
        limits.0 || limits.1 || self == other
    }
}

pub(super) async fn make(store: impl EventStore, call: Call) -> Outcome {
    let log = main_log();
    match call {
        Call::Append(commit) => Outcome::Append(store.append(&log, commit).await),
        Call::System => Outcome::System(store.append_system(&log, "test", Bytes::new()).await),
        Call::Cross(crossing) => Outcome::Cross(store.cross(&log, crossing).await),
        Call::Settle(settlement) => Outcome::Settle(store.settle(&log, settlement).await),
        Call::Resolve(resolved) => {
            Outcome::Resolve(store.resolve(&log, &relay(RELAY), resolved).await)
        }
    }
}

pub(super) fn scopes() -> [ParkScope; 2] {
    [
        ParkScope::Crossing(public_stream("p")),
        ParkScope::Relay(relay(RELAY)),
    ]
}

fn new_event(id: u8, content: u8) -> NewEvent {
    let mut event = event(&id.to_string());
    event.data = Some(vec![content; 20].into());
    event.flagged = id.is_multiple_of(4);
    event.event_type = ["X", "Y", "Z"][usize::from(id) % 3].into();
    event
}

/// Makes calls; knows the last commit.
#[derive(Default)]
pub(super) struct Caller {
    last: Option<Commit>,
}

impl Caller {
    pub(super) async fn call(&mut self, memory: &MemoryStore, write: &Write) -> Option<Call> {
        match write {
            Write::Append(writes) => {
                let commit = commit(memory, writes).await;
                self.last = Some(commit.clone());
                Some(Call::Append(commit))
            }
            Write::Again => self.last.clone().map(Call::Append),
            Write::System => Some(Call::System),
            Write::Cross {
                records,
                wrong_cursor,
                wrong_sequence,
            } => {
                cross(
                    memory,
                    u64::from(*records),
                    *wrong_cursor,
                    u64::from(*wrong_sequence),
                )
                .await
            }
            Write::Settle {
                events,
                wrong_cursor,
                outcomes,
            } => settle(memory, u64::from(*events), *wrong_cursor, *outcomes).await,
            Write::Mend {
                entries,
                outcomes,
                wrong_order,
                gone,
            } => {
                let [scope, _] = scopes();
                let resolved = leaving(memory, &scope, *entries, *wrong_order, *gone, |n| {
                    match (outcomes >> (2 * n)) & 3 {
                        0 => ParkOutcome::Filtered,
                        1 => ParkOutcome::Skipped {
                            reason: "by hand".into(),
                        },
                        _ => ParkOutcome::Crossed,
                    }
                });
                mend(memory, resolved.await?).await
            }
            Write::Resolve {
                entries,
                outcomes,
                wrong_order,
                gone,
            } => {
                let [_, scope] = scopes();
                let resolved = leaving(memory, &scope, *entries, *wrong_order, *gone, |n| {
                    match (outcomes >> (2 * n)) & 3 {
                        0 => ParkOutcome::Unheard,
                        1 => ParkOutcome::Skipped {
                            reason: "by hand".into(),
                        },
                        _ => ParkOutcome::Confirmed,
                    }
                });
                resolved.await.map(Call::Resolve)
            }
        }
    }
}

async fn commit(memory: &MemoryStore, writes: &[GeneratedWrite]) -> Commit {
    let mut revisions = BTreeMap::new();
    let mut made = Vec::new();
    for (name, belief, events) in writes {
        let name = NAMES[usize::from(*name) % NAMES.len()];
        if !revisions.contains_key(name) {
            let (log, stream) = (main_log(), stream(name));
            let page = memory.read_stream(&log, &stream, Revision::END, ReadLimit::default());
            revisions.insert(name, page.await.unwrap().revision.get());
        }
        let revision = revisions.get_mut(name).unwrap();
        let expected = match belief {
            Belief::Right => Expected::Exact(Revision::new(*revision)),
            Belief::Off => Expected::Exact(Revision::new(*revision + 1)),
            Belief::None => Expected::None,
            Belief::Exists => Expected::Exists,
            Belief::Any => Expected::Any,
        };
        *revision += events.len() as u64;
        made.push(StreamWrite {
            stream: stream(name),
            expected,
            events: events
                .iter()
                .map(|(id, content)| new_event(*id, *content))
                .collect(),
        });
    }
    Commit { writes: made }
}

async fn last_public(memory: &MemoryStore) -> u64 {
    let head = memory
        .public_head(&main_log(), &public_stream("p"))
        .await
        .unwrap();
    head.unwrap_or_default().last.get()
}

/// Every fourth event is parked, under one of two keys, and the others cross.
async fn cross(
    memory: &MemoryStore,
    records: u64,
    wrong_cursor: bool,
    wrong_sequence: u64,
) -> Option<Call> {
    let log = main_log();
    let at = memory
        .crossing_cursor(&log, &cursor("crossing"))
        .await
        .unwrap()
        .unwrap_or_default()
        .get();
    let to = (at + records).min(memory.head(&log).await.unwrap().get());
    if to == at {
        return None;
    }
    let all = memory
        .read_log(
            &log,
            &Selection::All,
            Position::new(at),
            ReadLimit::default(),
        )
        .await
        .unwrap();
    let events = all
        .records
        .iter()
        .filter(|record| matches!(record, Record::Event(_)) && record.position().get() <= to);
    let events: Vec<u64> = events.map(|record| record.position().get()).collect();
    let (wait, go): (Vec<u64>, Vec<u64>) = events.into_iter().partition(|at| at % 4 == 0);
    let [scope, _] = scopes();
    let key = |at: u64| ["k", "l"][at as usize / 4 % 2];
    let first = last_public(memory).await + 1 + wrong_sequence;
    let (expected, to) = if wrong_cursor { (to, to + 1) } else { (at, to) };
    let passed = |at: &u64| *at > expected && *at <= to;
    Some(Call::Cross(Crossing {
        cursors: vec![cursor_move("crossing", expected, to)],
        public: (first..)
            .zip(&go)
            .map(|(n, origin)| public("p", n, *origin, key(*origin)))
            .collect(),
        parked: wait
            .into_iter()
            .filter(passed)
            .map(|at| parked(scope.clone(), key(at), at, (at % 8 == 0).then_some("no")))
            .collect(),
        ..Crossing::default()
    }))
}

async fn settle(
    memory: &MemoryStore,
    events: u64,
    wrong_cursor: bool,
    outcomes: u8,
) -> Option<Call> {
    let at = memory
        .relay_cursor(&main_log(), &relay(RELAY))
        .await
        .unwrap()
        .unwrap_or_default()
        .get();
    let to = (at + events).min(last_public(memory).await);
    if to == at {
        return None;
    }
    let [_, scope] = scopes();
    let (expected, to) = if wrong_cursor { (to, to + 1) } else { (at, to) };
    let (mut unheard, mut waits): (Vec<Sequence>, Vec<NewParked>) = (Vec::new(), Vec::new());
    for at in expected + 1..=to {
        match (outcomes >> (at % 4 * 2)) & 3 {
            0 => unheard.push(Sequence::new(at)),
            1 => waits.push(parked(
                scope.clone(),
                ["k", "l"][at as usize % 2],
                at,
                Some("no"),
            )),
            _ => {}
        }
    }
    Some(Call::Settle(Settlement {
        not_sent: false,
        relay: relay(RELAY),
        stream: public_stream("p"),
        expected: Sequence::new(expected),
        to: Sequence::new(to),
        at_ms: 1,
        unheard,
        parked: waits,
    }))
}

/// The first entries of the keys that are parked, perhaps in a wrong order, or with one that is not there.
async fn leaving(
    memory: &MemoryStore,
    scope: &ParkScope,
    entries: u8,
    wrong_order: bool,
    gone: bool,
    outcome: impl Fn(u8) -> ParkOutcome,
) -> Option<Vec<ResolvedParked>> {
    let mut found = Vec::new();
    for key in ["k", "l"] {
        let page = memory
            .parked_entries(&main_log(), scope, key, 0, ReadLimit::default())
            .await
            .unwrap();
        found.extend(page.entries.into_iter().take(usize::from(entries)));
    }
    let mut resolved: Vec<_> = (0..)
        .zip(found)
        .map(|(n, entry)| ResolvedParked {
            scope: scope.clone(),
            key: entry.key,
            at: entry.at,
            outcome: outcome(n % 4),
        })
        .collect();
    if wrong_order {
        resolved.reverse();
    }
    if gone && let Some(last) = resolved.last_mut() {
        last.at += 1;
    }
    (!resolved.is_empty()).then_some(resolved)
}

/// A crossing by which entries leave, with the public events of those that crossed.
async fn mend(memory: &MemoryStore, resolved: Vec<ResolvedParked>) -> Option<Call> {
    let crossed = resolved
        .iter()
        .filter(|entry| entry.outcome == ParkOutcome::Crossed);
    let first = last_public(memory).await + 1;
    let public = (first..)
        .zip(crossed)
        .map(|(n, entry)| public("p", n, entry.at, &entry.key));
    Some(Call::Cross(Crossing {
        public: public.collect(),
        resolved,
        ..Crossing::default()
    }))
}
