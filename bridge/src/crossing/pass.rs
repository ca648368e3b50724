//! One contract's look at one batch of private events: pure, so that the same batch always gives the same result.
//!
//! Invariants:
//! - A pass ends before the first event that halts its contract, and says why; everything before it stands.
//! - A pass ends after so many bytes of public events, however much its contract makes of little.
//! - An event whose key is parked is never crossed: it waits behind the first one, in order.

use std::cell::OnceCell;
use std::collections::{BTreeSet, HashMap};

use horizon_schemas::{Contract, Crossed, IdSecret, Outcome, PrivateEvent, Violation, parse_json};
use horizon_store::{
    AttributeRef, Counts, Event, NewParked, ParkScope, Position, PublicStreamName, Record,
};
use serde_json::Value;

use super::CROSSING_LIMIT_BYTES;
use super::parked::ParkedKeys;

use crate::clock;
use crate::told::{Unfit, Violated};

/// Bytes of violations that are kept with a parked entry.
const REASON_LIMIT_BYTES: usize = 3_000;
/// Most violations of an event that are told in one line.
const IN_WORDS_LIMIT_VIOLATIONS: usize = 3;
/// Most characters that are told of each of them.
const IN_WORDS_LIMIT_CHARACTERS: usize = 300;

/// A private event on its way through the contracts; its payload is parsed once, and only if a contract asks.
struct Candidate<'a> {
    event: &'a Event,
    data: OnceCell<Value>,
}

/// The private events of a stretch of the log.
pub(super) struct Batch<'a> {
    candidates: Vec<Candidate<'a>>,
    /// The places of each category's candidates: a contract looks at no others, however many contracts share the pass.
    by_category: HashMap<&'a str, Vec<usize>>,
    /// Everything up to here was looked at.
    through: Position,
}

impl<'a> Batch<'a> {
    pub(super) fn of(records: &'a [Record], through: Position) -> Batch<'a> {
        let events = records.iter().filter_map(|record| match record {
            Record::Event(event) => Some(Candidate {
                event,
                data: OnceCell::new(),
            }),
            _ => None,
        });
        let candidates: Vec<Candidate<'a>> = events.collect();
        let mut by_category: HashMap<&'a str, Vec<usize>> = HashMap::new();
        for (place, candidate) in candidates.iter().enumerate() {
            let category = candidate.event.category();
            by_category.entry(category).or_default().push(place);
        }
        Batch {
            candidates,
            by_category,
            through,
        }
    }

    /// The candidates of a category with their places, in the log's order.
    fn of_category(&self, category: &str) -> impl Iterator<Item = (usize, &Candidate<'a>)> {
        let places = self.by_category.get(category).into_iter().flatten();
        places.filter_map(|&place| Some((place, self.candidates.get(place)?)))
    }

    /// The position before a place: that of the candidate before it, or where the batch begins after.
    fn before(&self, place: usize, after: Position) -> Position {
        let before = place
            .checked_sub(1)
            .and_then(|place| self.candidates.get(place));
        before.map_or(after, |candidate| candidate.event.position)
    }
}

/// What a pass decided; nothing of it has happened yet.
pub(super) struct Pass {
    /// Events that crossed, with the position of their private event, in the log's order.
    pub(super) crossed: Vec<(Position, Box<Crossed>)>,
    /// Entries to park, in the log's order.
    pub(super) parked: Vec<NewParked>,
    /// What to add to the contract's totals.
    pub(super) counts: Counts,
    /// Everything up to here is decided.
    pub(super) through: Position,
    /// Why the contract cannot go on past `through`.
    pub(super) halt: Option<Halt>,
}

/// Why a contract cannot go on past an event.
pub(super) struct Halt {
    /// Whether it can as soon as fewer events are parked.
    pub(super) full: bool,
    pub(super) at: Position,
    pub(super) reason: String,
}

impl Halt {
    /// The reason, and what lets the contract go on.
    pub(super) fn told(&self, stream: &PublicStreamName) -> String {
        let Halt { full, at, reason } = self;
        match full {
            true => format!("{reason}; it goes on when fewer are: see `horizon parked`"),
            false => format!(
                "{reason}; change the contract so that it leaves such events out (by `when`, say) and reload, or give up this one: \
                 `horizon skip {stream} --at {at} --reason TEXT`"
            ),
        }
    }
}

/// When and where a pass runs, and what it needs to.
pub(super) struct Setting<'a> {
    pub(super) secret: &'a IdSecret,
    /// What is written down as the moment of parking: milliseconds since 1970.
    pub(super) now_ms: u64,
}

/// Runs `contract` over the batch, which begins after `after`. `parked` learns of keys that this pass parks; what is in `skips` was
/// given up.
pub(super) fn run(
    contract: &Contract,
    stream: &PublicStreamName,
    batch: &Batch<'_>,
    after: Position,
    parked: &mut ParkedKeys,
    skips: &BTreeSet<Position>,
    setting: &Setting<'_>,
) -> Pass {
    let mut pass = Pass {
        crossed: Vec::new(),
        parked: Vec::new(),
        counts: Counts::default(),
        through: batch.through,
        halt: None,
    };
    // Up to here every candidate is decided: those of other categories are unmatched.
    let (mut decided, mut bytes) = (0, 0);
    for (place, candidate) in batch.of_category(contract.category()) {
        pass.counts.unmatched += (place - decided) as u64;
        decided = place + 1;
        let at = candidate.event.position;
        if skips.contains(&at) {
            pass.counts.violated += 1;
            continue;
        }
        match outcome(contract, candidate, setting.secret) {
            Outcome::Unmatched => pass.counts.unmatched += 1,
            Outcome::Filtered => pass.counts.filtered += 1,
            Outcome::Crossed(crossed) if parked.holds(crossed.key()) => {
                pass.park(stream, crossed.key().to_owned(), at, None, parked);
            }
            Outcome::Crossed(crossed) => {
                bytes += crossed.bytes();
                pass.crossed.push((at, crossed));
                if bytes >= CROSSING_LIMIT_BYTES {
                    pass.through = at;
                    return pass;
                }
            }
            Outcome::Violation {
                key: Some(key),
                public_type,
                violations,
            } => {
                let reason = reason(contract, &public_type, &violations, setting.now_ms);
                if pass.park(stream, key, at, Some(reason), parked) {
                    pass.counts.violated += 1;
                }
            }
            Outcome::Violation {
                key: None,
                public_type,
                violations,
            } => {
                pass.halt = Some(Halt {
                    full: false,
                    at,
                    reason: format!(
                        "the event at position {at} has no usable key, so nothing can be parked: {}",
                        in_words(&public_type, &violations)
                    ),
                });
            }
        }
        if pass.halt.is_some() {
            pass.through = batch.before(place, after);
            return pass;
        }
    }
    pass.counts.unmatched += (batch.candidates.len() - decided) as u64;
    pass
}

impl Pass {
    /// Parks an entry, or halts the pass where nothing more may be parked; tells whether it was parked.
    fn park(
        &mut self,
        stream: &PublicStreamName,
        key: String,
        at: Position,
        reason: Option<String>,
        parked: &mut ParkedKeys,
    ) -> bool {
        if let Some(reason) = parked.full(&key) {
            let full = true;
            self.halt = Some(Halt { full, at, reason });
            return false;
        }
        parked.add(&key);
        self.parked.push(NewParked {
            scope: ParkScope::Crossing(stream.clone()),
            key,
            at: at.get(),
            reason,
        });
        true
    }
}

fn outcome(contract: &Contract, candidate: &Candidate<'_>, secret: &IdSecret) -> Outcome {
    let event = candidate.event;
    if !contract.matches(event.category(), event.event_type()) {
        return Outcome::Unmatched;
    }
    let data = candidate.data.get_or_init(|| payload(event));
    contract.cross(&private_event(event, data), secret)
}

/// What a contract makes of one stored event.
pub(crate) fn ask(contract: &Contract, event: &Event, secret: &IdSecret) -> Outcome {
    let candidate = Candidate {
        event,
        data: OnceCell::new(),
    };
    outcome(contract, &candidate, secret)
}

/// The payload as JSON; anything else is seen by a contract as `null`.
pub(crate) fn payload(event: &Event) -> Value {
    event
        .data()
        .and_then(|data| parse_json(data).ok())
        .unwrap_or(Value::Null)
}

/// A stored event as contracts see it.
pub(crate) fn private_event<'a>(event: &'a Event, data: &'a Value) -> PrivateEvent<'a> {
    let text = |wanted: &str| {
        event.attributes().find_map(|(name, value)| match value {
            AttributeRef::Text(text) if name == wanted => Some(text),
            _ => None,
        })
    };
    PrivateEvent {
        source: event.source(),
        id: event.id(),
        stream: event.stream(),
        category: event.category(),
        event_type: event.event_type(),
        time: text("time"),
        traceparent: text("traceparent"),
        tracestate: text("tracestate"),
        recorded_ms: event.recorded_ms,
        flagged: event.flagged,
        data,
    }
}

/// The reason of a violation as it is kept with the parked entry: a JSON document of a bounded size.
fn reason(contract: &Contract, public_type: &str, violations: &[Violation], now_ms: u64) -> String {
    let told = Violated {
        contract_version: Some(contract.version().to_owned()),
        since: Some(clock::rfc3339(now_ms)),
        ..violated(public_type, violations)
    };
    serde_json::to_string(&told).unwrap_or_default()
}

/// A violation as it is told: the public type and each pointer with its reason. What does not fit is counted.
pub(crate) fn violated(public_type: &str, violations: &[Violation]) -> Violated {
    let mut told = Vec::new();
    let mut bytes = 0;
    for violation in violations {
        let entry = Unfit::from(violation);
        bytes += serde_json::to_string(&entry).map_or(0, |entry| entry.len() + 1);
        if bytes > REASON_LIMIT_BYTES {
            break;
        }
        told.push(entry);
    }
    Violated {
        public_type: Some(public_type.to_owned()),
        untold: Some((violations.len() - told.len()) as u64),
        violations: Some(told),
        ..Violated::default()
    }
}

/// The same in one line, of the first few.
pub(crate) fn in_words(public_type: &str, violations: &[Violation]) -> String {
    let told: Vec<String> = violations
        .iter()
        .take(IN_WORDS_LIMIT_VIOLATIONS)
        .map(|violation| {
            let pointer = Some(violation.pointer.as_str()).filter(|pointer| !pointer.is_empty());
            let place = pointer.unwrap_or("the data");
            let reason: String = violation
                .reason
                .chars()
                .take(IN_WORDS_LIMIT_CHARACTERS)
                .collect();
            format!("at {place}: {reason}")
        })
        .collect();
    format!("it violates {public_type}, {}", told.join("; "))
}
