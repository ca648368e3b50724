//! One contract's look at one batch of private events: pure, so that the same batch always gives the same result.
//!
//! Invariants:
//! - A pass ends before the first event that halts its contract, and says why; everything before it stands.
//! - An event whose key is parked is never crossed: it waits behind the first one, in order.

use std::cell::OnceCell;

use horizon_schemas::{Contract, Crossed, IdSecret, Outcome, PrivateEvent, Violation};
use horizon_store::{
    AttributeValue, Counts, Event, NewParked, ParkScope, Position, PublicStreamName, Record,
};
use serde_json::{Value, json};

use super::parked::ParkedKeys;

/// Bytes of violations that are kept with a parked entry.
const REASON_LIMIT_BYTES: usize = 3_000;

/// A private event on its way through the contracts; its payload is parsed once, and only if a contract asks.
struct Candidate<'a> {
    event: &'a Event,
    data: OnceCell<Value>,
}

/// The private events of a stretch of the log.
pub(super) struct Batch<'a> {
    candidates: Vec<Candidate<'a>>,
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
        Batch {
            candidates: events.collect(),
            through,
        }
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
    pub(super) halt: Option<String>,
}

/// Runs `contract` over the batch from `after` on. `parked` learns of keys that this pass parks.
pub(super) fn run(
    contract: &Contract,
    stream: &PublicStreamName,
    batch: &Batch<'_>,
    after: Position,
    parked: &mut ParkedKeys,
    secret: &IdSecret,
) -> Pass {
    let mut pass = Pass {
        crossed: Vec::new(),
        parked: Vec::new(),
        counts: Counts::default(),
        through: batch.through,
        halt: None,
    };
    let mut before = after;
    for candidate in batch
        .candidates
        .iter()
        .filter(|candidate| candidate.event.position > after)
    {
        let at = candidate.event.position;
        match outcome(contract, candidate, secret) {
            Outcome::Unmatched => pass.counts.unmatched += 1,
            Outcome::Filtered => pass.counts.filtered += 1,
            Outcome::Crossed(crossed) if parked.holds(crossed.key()) => {
                pass.park(stream, crossed.key().to_owned(), at, None, parked);
            }
            Outcome::Crossed(crossed) => pass.crossed.push((at, crossed)),
            Outcome::Violation {
                key: Some(key),
                public_type,
                violations,
            } => {
                let reason = reason(contract, &public_type, &violations);
                if pass.park(stream, key, at, Some(reason), parked) {
                    pass.counts.violated += 1;
                }
            }
            Outcome::Violation {
                key: None,
                public_type,
                violations,
            } => {
                pass.halt = Some(format!(
                    "the event at position {at} has no usable key, so nothing can be parked: {}",
                    reason(contract, &public_type, &violations)
                ));
            }
        }
        if pass.halt.is_some() {
            pass.through = before;
            break;
        }
        before = at;
    }
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
        if let Some(full) = parked.full(&key) {
            self.halt = Some(full);
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
    if !contract.matches(event.stream.category(), &event.event_type) {
        return Outcome::Unmatched;
    }
    let data = candidate.data.get_or_init(|| payload(event));
    contract.cross(&private_event(event, data), secret)
}

/// The payload as JSON; anything else is seen by a contract as `null`.
pub(crate) fn payload(event: &Event) -> Value {
    event
        .data
        .as_ref()
        .and_then(|data| serde_json::from_slice(data).ok())
        .unwrap_or(Value::Null)
}

/// A stored event as contracts see it.
pub(crate) fn private_event<'a>(event: &'a Event, data: &'a Value) -> PrivateEvent<'a> {
    let text = |wanted: &str| {
        event
            .attributes
            .iter()
            .find_map(|(name, value)| match value {
                AttributeValue::Text(text) if name == wanted => Some(&**text),
                _ => None,
            })
    };
    PrivateEvent {
        source: &event.source,
        id: &event.id,
        stream: event.stream.as_str(),
        category: event.stream.category(),
        event_type: &event.event_type,
        time: text("time"),
        traceparent: text("traceparent"),
        tracestate: text("tracestate"),
        recorded_ms: event.recorded_ms,
        flagged: false,
        data,
    }
}

/// The reason of a violation as it is kept with the parked entry: a JSON document of a bounded size. What does not fit is counted.
fn reason(contract: &Contract, public_type: &str, violations: &[Violation]) -> String {
    let mut told = Vec::new();
    let mut bytes = 0;
    for violation in violations {
        let entry = json!({"pointer": violation.pointer, "reason": violation.reason});
        bytes += entry.to_string().len() + 1;
        if bytes > REASON_LIMIT_BYTES {
            break;
        }
        told.push(entry);
    }
    json!({
        "type": public_type,
        "contractVersion": contract.version(),
        "untold": violations.len() - told.len(),
        "violations": told,
    })
    .to_string()
}
