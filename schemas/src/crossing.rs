//! The crossing: from a private event to a public one, or to why not.
//!
//! Pure: no I/O, no clock, no state. Public data is mapped, closed by its public schema and checked against it before a
//! [`Crossed`] exists, and only a [`Crossed`] can be sealed into a [`PublicEvent`]. Number text is kept as it is.

use crate::attributes::Attributes;
use crate::expression::eval::Told;
use crate::ids::IdSecret;
use crate::key::Key;
use crate::mapping::{Computed, Identity, Mapping};
use crate::public_event::{Crossed, MAX_PUBLIC_EVENT_BYTES, PublicType, TOO_LARGE};
use crate::schema::check;
use serde_json::Value;
use std::sync::Arc;

/// A private event as a crossing sees it.
#[derive(Clone, Copy)]
pub struct PrivateEvent<'a> {
    /// The CloudEvents source of the private event.
    pub source: &'a str,
    /// The id of the private event.
    pub id: &'a str,
    /// The name of its stream, such as `account-576`. It is only matched, never published.
    pub stream: &'a str,
    /// The category of its stream: what stands before the first `-`.
    pub category: &'a str,
    /// The private event type.
    pub event_type: &'a str,
    /// The `time` attribute as sent.
    pub time: Option<&'a str>,
    /// The `traceparent` attribute as sent.
    pub traceparent: Option<&'a str>,
    /// The `tracestate` attribute as sent.
    pub tracestate: Option<&'a str>,
    /// When it was recorded, in milliseconds since 1970.
    pub recorded_ms: u64,
    /// Whether it was recorded although it does not fit its private schema.
    pub flagged: bool,
    /// The data.
    pub data: &'a Value,
}

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// JSON pointer into the data that was checked: the private data for a key or a condition, otherwise the public data; empty for
    /// an attribute, which the reason names.
    pub pointer: String,
    /// Why, without any value of the event.
    pub reason: String,
}

/// What a contract makes of a private event.
#[derive(Debug)]
pub enum Outcome {
    /// The contract does not speak of it.
    Unmatched,
    /// No `when` was true.
    Filtered,
    /// It became a public event.
    Crossed(Box<Crossed>),
    /// It should have crossed and could not.
    Violation {
        /// The key to park, if it could be computed.
        key: Option<String>,
        /// The public type it would have had.
        public_type: String,
        /// What is wrong; at least one.
        violations: Vec<Violation>,
    },
}

/// One way in which a private event type becomes a public type.
#[derive(Debug)]
pub(crate) struct Way {
    pub(crate) public: Arc<PublicType>,
    pub(crate) when: Option<Computed>,
    pub(crate) mapping: Mapping,
    pub(crate) attributes: Attributes,
    /// Whether an event crosses although it does not fit its private schema.
    pub(crate) flagged_crosses: bool,
}

/// What a contract makes of an event of a type that it speaks of, by the first way whose condition holds; and the place of the way
/// that was taken, or failed. Ways to public types that are drafts or retired are passed over.
pub(crate) fn cross(
    ways: &[Way],
    key: &Key,
    public_stream: &str,
    event: &PrivateEvent<'_>,
    secret: &IdSecret,
) -> (Outcome, Option<usize>) {
    let taken = ways
        .iter()
        .enumerate()
        .filter(|(_, way)| way.public.is_taken);
    for (place, way) in taken {
        let time = way.attributes.time.of(event);
        let identity = Identity {
            secret,
            public_stream,
            source: event.source,
            told: Told {
                time: time.as_deref().ok(),
                event_type: &way.public.event_type,
            },
        };
        // An event without a key stands in the way of all others, whatever else is wrong with it.
        let violate = |mut violations: Vec<Violation>| {
            let key = key.of(event.data, &identity);
            let key = key.map_err(|no_key| violations.push(no_key)).ok();
            Outcome::Violation {
                key,
                public_type: way.public.event_type.clone(),
                violations,
            }
        };
        match way.holds(event.data, &identity) {
            Ok(false) => {}
            Err(reason) => {
                let violation = Violation {
                    pointer: String::new(),
                    reason: format!("when: {reason}"),
                };
                return (violate(vec![violation]), Some(place));
            }
            Ok(true) if event.flagged && !way.flagged_crosses => {
                // Without a key it cannot cross however flagged events are taken.
                let has_key = key.of(event.data, &identity).is_ok();
                let violation = has_key.then(|| Violation {
                    pointer: String::new(),
                    reason: FLAGGED.to_owned(),
                });
                return (violate(violation.into_iter().collect()), Some(place));
            }
            Ok(true) => {
                let outcome = match &time {
                    Ok(_) => take(way, key, event, &identity),
                    Err(violation) => violate(vec![violation.clone()]),
                };
                return (outcome, Some(place));
            }
        }
    }
    (Outcome::Filtered, None)
}

/// Why a flagged event does not cross.
const FLAGGED: &str = "the private event is flagged: it was recorded although it does not fit its private schema; a contract that takes it says `flagged: cross`";

impl Way {
    /// Whether the condition is true, or why it is neither true nor false.
    fn holds(&self, data: &Value, identity: &Identity<'_>) -> Result<bool, String> {
        let Some(when) = &self.when else {
            return Ok(true);
        };
        match when.run(data, identity.told)? {
            Some(Value::Bool(held)) => Ok(held),
            None => Err("the condition gave nothing, neither true nor false".to_owned()),
            Some(_) => {
                Err("the condition gave something that is neither true nor false".to_owned())
            }
        }
    }
}

fn take(way: &Way, key: &Key, event: &PrivateEvent<'_>, identity: &Identity<'_>) -> Outcome {
    let violate = |key: Option<String>, violations: Vec<Violation>| Outcome::Violation {
        key,
        public_type: way.public.event_type.clone(),
        violations,
    };
    let key = match key.of(event.data, identity) {
        Ok(key) => key,
        Err(violation) => return violate(None, vec![violation]),
    };
    let mut data = match way.mapping.make(event.data, identity) {
        Ok(data) => data,
        Err(violations) => return violate(Some(key), violations),
    };
    way.public.declared.close(&mut data);
    let mut violations = check::violations(&way.public.validator, &data);
    let attributes = way.attributes.write(event, identity, &mut violations);
    if !violations.is_empty() {
        violations.truncate(check::MAX_VIOLATIONS);
        return violate(Some(key), violations);
    }
    let id = identity.secret.public_id(
        identity.public_stream,
        &way.public.event_type,
        event.source,
        event.id,
    );
    let crossed = Crossed::new(
        Arc::clone(&way.public),
        key,
        id,
        identity.told.time.unwrap_or_default(),
        &attributes,
        &data,
    );
    if crossed.bytes() > MAX_PUBLIC_EVENT_BYTES {
        let violation = Violation {
            pointer: String::new(),
            reason: TOO_LARGE.to_owned(),
        };
        return violate(Some(crossed.key().to_owned()), vec![violation]);
    }
    Outcome::Crossed(Box::new(crossed))
}
