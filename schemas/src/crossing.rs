//! The crossing: from a private event to a public one, or to why not.
//!
//! Pure: no I/O, no clock, no state. Public data is mapped, closed by its public schema and checked against it before a
//! [`Crossed`] exists, and only a [`Crossed`] can be sealed into a [`PublicEvent`]. Number text is kept as it is.

use crate::attributes::{Attributes, Written};
use crate::expression::eval::Told;
use crate::ids::IdSecret;
use crate::key::Key;
use crate::mapping::{Computed, Identity, Mapping};
use crate::schema::check::{self, Schema};
use crate::schema::shape::Declared;
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

/// A public type of a contract, with everything that can be made ready beforehand.
#[derive(Debug)]
pub(crate) struct PublicType {
    pub(crate) event_type: String,
    pub(crate) name: String,
    pub(crate) validator: Arc<Schema>,
    pub(crate) declared: Declared,
    /// The attribute `dataschema` of its events, if they have one.
    pub(crate) dataschema: Option<String>,
    /// Whether its ways are taken: not those of a draft or retired type.
    pub(crate) is_taken: bool,
    /// The envelope between `id` and `subject`.
    before_time: String,
    /// The envelope between `time` and `partitionkey`.
    after_time: String,
}

impl PublicType {
    pub(crate) fn new(
        event_type: String,
        name: String,
        is_taken: bool,
        source: &str,
        dataschema: Option<String>,
        validator: Arc<Schema>,
        declared: Declared,
    ) -> Self {
        let before_time = format!(
            ",\"source\":{},\"type\":{}",
            quoted(source),
            quoted(&event_type)
        );
        let written = dataschema
            .as_ref()
            .map_or_else(String::new, |id| format!(",\"dataschema\":{}", quoted(id)));
        let after_time =
            format!("\",\"datacontenttype\":\"application/json\"{written},\"partitionkey\":");
        Self {
            event_type,
            name,
            is_taken,
            validator,
            declared,
            dataschema,
            before_time,
            after_time,
        }
    }
}

pub(crate) fn quoted(text: &str) -> String {
    Value::String(text.to_owned()).to_string()
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
        let violate = |violations: Vec<Violation>| Outcome::Violation {
            key: key.of(event.data, &identity).ok(),
            public_type: way.public.event_type.clone(),
            violations,
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
                let violation = Violation {
                    pointer: String::new(),
                    reason: FLAGGED.to_owned(),
                };
                return (violate(vec![violation]), Some(place));
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
        return violate(Some(key), violations);
    }
    let id = identity.secret.public_id(
        identity.public_stream,
        &way.public.event_type,
        event.source,
        event.id,
    );
    Outcome::Crossed(Box::new(Crossed::new(
        Arc::clone(&way.public),
        key,
        id,
        identity.told.time.unwrap_or_default(),
        &attributes,
        &data,
    )))
}

/// A public event that still needs its sequence.
pub struct Crossed {
    public: Arc<PublicType>,
    key: String,
    id: String,
    /// The envelope up to `sequence`.
    head: Vec<u8>,
    /// The data in JSON.
    data: Vec<u8>,
}

impl std::fmt::Debug for Crossed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Crossed")
            .field("event_type", &self.public.event_type)
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl Crossed {
    fn new(
        public: Arc<PublicType>,
        key: String,
        id: String,
        time: &str,
        attributes: &Written,
        data: &Value,
    ) -> Self {
        let data = data.to_string().into_bytes();
        let mut head = String::with_capacity(
            public.before_time.len()
                + public.after_time.len()
                + attributes.subject.len()
                + attributes.more.len()
                + 192
                + data.len(),
        );
        head.push_str("{\"specversion\":\"1.0\",\"id\":\"");
        head.push_str(&id);
        head.push('"');
        head.push_str(&public.before_time);
        head.push_str(&attributes.subject);
        head.push_str(",\"time\":\"");
        head.push_str(time);
        head.push_str(&public.after_time);
        head.push_str(&quoted(&key));
        head.push_str(&attributes.more);
        Self {
            public,
            key,
            id,
            head: head.into_bytes(),
            data,
        }
    }

    /// The key that order is kept by.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The public type.
    pub fn event_type(&self) -> &str {
        &self.public.event_type
    }

    /// The `{name}` of topics and routing keys.
    pub fn name(&self) -> &str {
        &self.public.name
    }

    /// The public id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Gives it its place: `sequence`, and `previous`, the sequence of the previous event of the same key and type (0: none).
    pub fn seal(self, sequence: u64, previous: u64) -> PublicEvent {
        let mut bytes = self.head;
        let places = format!(
            ",\"sequence\":\"{sequence:020}\",\"previoussequence\":\"{previous:020}\",\"data\":"
        );
        bytes.extend_from_slice(places.as_bytes());
        bytes.extend_from_slice(&self.data);
        bytes.push(b'}');
        PublicEvent {
            public: self.public,
            key: self.key,
            id: self.id,
            sequence,
            bytes,
        }
    }
}

/// A public event: the exact bytes that go on the wire, and what routes them.
pub struct PublicEvent {
    public: Arc<PublicType>,
    key: String,
    id: String,
    sequence: u64,
    bytes: Vec<u8>,
}

impl std::fmt::Debug for PublicEvent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PublicEvent")
            .field("event_type", &self.public.event_type)
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl PublicEvent {
    /// The public id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The public type.
    pub fn event_type(&self) -> &str {
        &self.public.event_type
    }

    /// The `{name}` of topics and routing keys.
    pub fn name(&self) -> &str {
        &self.public.name
    }

    /// The key that order is kept by.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The sequence.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The structured-mode CloudEvent in JSON (CloudEvents 1.0, JSON format, section 3): the attributes in a fixed order, `data` last.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The structured-mode CloudEvent in JSON, without a copy.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}
