//! The crossing: from a private event to a public one, or to why not.
//!
//! Pure: no I/O, no clock, no state. Public data is mapped, closed by its public schema and checked against it before a
//! [`Crossed`] exists, and only a [`Crossed`] can be sealed into a [`PublicEvent`]. Number text is kept as it is.

use crate::ids::IdSecret;
use crate::mapping::{Computed, Identity, Mapping};
use crate::path::Path;
use crate::schema::check::{self, Schema};
use crate::schema::shape::Declared;
use crate::timestamp;
use serde_json::Value;
use std::sync::Arc;

/// The length of a key, in bytes.
pub(crate) const MAX_KEY_BYTES: usize = 255;

/// A private event as a crossing sees it.
#[derive(Clone, Copy)]
pub struct PrivateEvent<'a> {
    /// The CloudEvents source of the private event.
    pub source: &'a str,
    /// The id of the private event.
    pub id: &'a str,
    /// The category of its stream.
    pub category: &'a str,
    /// The private event type.
    pub event_type: &'a str,
    /// The `time` attribute as sent.
    pub time: Option<&'a str>,
    /// When it was recorded, in milliseconds since 1970.
    pub recorded_ms: u64,
    /// The data.
    pub data: &'a Value,
}

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// JSON pointer into the data that was checked: the private data for a key or a condition, otherwise the public data.
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
    /// The envelope between `id` and `time`.
    before_time: String,
    /// The envelope between `time` and `partitionkey`.
    after_time: String,
}

impl PublicType {
    pub(crate) fn new(
        event_type: String,
        name: String,
        source: &str,
        dataschema: Option<&str>,
        validator: Arc<Schema>,
        declared: Declared,
    ) -> Self {
        let before_time = format!(
            ",\"source\":{},\"type\":{},\"time\":\"",
            quoted(source),
            quoted(&event_type)
        );
        let dataschema =
            dataschema.map_or_else(String::new, |id| format!(",\"dataschema\":{}", quoted(id)));
        let after_time =
            format!("\",\"datacontenttype\":\"application/json\"{dataschema},\"partitionkey\":");
        Self {
            event_type,
            name,
            validator,
            declared,
            before_time,
            after_time,
        }
    }
}

fn quoted(text: &str) -> String {
    Value::String(text.to_owned()).to_string()
}

/// One way in which a private event type becomes a public type.
#[derive(Debug)]
pub(crate) struct Way {
    pub(crate) public: Arc<PublicType>,
    pub(crate) when: Option<Computed>,
    pub(crate) mapping: Mapping,
}

/// What order is kept by.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) path: Path,
    pub(crate) pseudonym: bool,
}

impl Key {
    fn of(&self, data: &Value, identity: &Identity<'_>) -> Result<String, Violation> {
        let refuse = |reason: &str| Violation {
            pointer: self.path.pointer(),
            reason: format!("the key {reason}"),
        };
        let key = match self.path.find(data) {
            None | Some(Value::Null) => return Err(refuse("is missing")),
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            Some(Value::Bool(value)) => value.to_string(),
            Some(_) => return Err(refuse("is neither text, number nor boolean")),
        };
        if key.is_empty() || key.len() > MAX_KEY_BYTES {
            return Err(refuse(&format!("has not from 1 to {MAX_KEY_BYTES} bytes")));
        }
        if key.chars().any(is_refused) {
            return Err(refuse("has a control character or a noncharacter"));
        }
        Ok(if self.pseudonym {
            identity.secret.pseudonym(identity.public_stream, &key)
        } else {
            key
        })
    }
}

/// Whether a CloudEvents attribute cannot have the character (CloudEvents 1.0, 3.2, String).
fn is_refused(c: char) -> bool {
    let code = u32::from(c);
    c.is_control() || (0xfdd0..=0xfdef).contains(&code) || code & 0xfffe == 0xfffe
}

/// The place of the way that an event takes, or fails in: the first whose condition is not false.
pub(crate) fn taken(ways: &[Way], event: &PrivateEvent<'_>) -> Option<usize> {
    ways.iter().position(|way| {
        let when = way.when.as_ref().map(|when| when.run(event.data));
        !matches!(when, Some(Ok(Some(Value::Bool(false)))))
    })
}

/// What a contract makes of an event of a type that it speaks of, by the first way whose condition holds.
pub(crate) fn cross(
    ways: &[Way],
    key: &Key,
    public_stream: &str,
    event: &PrivateEvent<'_>,
    secret: &IdSecret,
) -> Outcome {
    let identity = Identity {
        secret,
        public_stream,
        source: event.source,
    };
    for way in ways {
        match way.when.as_ref().map(|when| when.run(event.data)) {
            None | Some(Ok(Some(Value::Bool(true)))) => return take(way, key, event, &identity),
            Some(Ok(Some(Value::Bool(false)))) => {}
            Some(found) => {
                let reason = match found {
                    Err(reason) => reason,
                    Ok(None) => "the condition gave nothing, neither true nor false".to_owned(),
                    Ok(Some(_)) => {
                        "the condition gave something that is neither true nor false".to_owned()
                    }
                };
                let violation = Violation {
                    pointer: String::new(),
                    reason: format!("when: {reason}"),
                };
                return Outcome::Violation {
                    key: key.of(event.data, &identity).ok(),
                    public_type: way.public.event_type.clone(),
                    violations: vec![violation],
                };
            }
        }
    }
    Outcome::Filtered
}

fn take(way: &Way, key: &Key, event: &PrivateEvent<'_>, identity: &Identity<'_>) -> Outcome {
    let public_type = || way.public.event_type.clone();
    let key = match key.of(event.data, identity) {
        Ok(key) => key,
        Err(violation) => {
            return Outcome::Violation {
                key: None,
                public_type: public_type(),
                violations: vec![violation],
            };
        }
    };
    let mut data = match way.mapping.make(event.data, identity) {
        Ok(data) => data,
        Err(violations) => {
            return Outcome::Violation {
                key: Some(key),
                public_type: public_type(),
                violations,
            };
        }
    };
    way.public.declared.close(&mut data);
    let violations = check::violations(&way.public.validator, &data);
    if !violations.is_empty() {
        return Outcome::Violation {
            key: Some(key),
            public_type: public_type(),
            violations,
        };
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
        event,
        &data,
    )))
}

/// A public event that still needs its sequence.
pub struct Crossed {
    public: Arc<PublicType>,
    key: String,
    id: String,
    /// The envelope up to `partitionkey`.
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
        event: &PrivateEvent<'_>,
        data: &Value,
    ) -> Self {
        let data = data.to_string().into_bytes();
        let mut head = String::with_capacity(
            public.before_time.len() + public.after_time.len() + 192 + data.len(),
        );
        head.push_str("{\"specversion\":\"1.0\",\"id\":\"");
        head.push_str(&id);
        head.push('"');
        head.push_str(&public.before_time);
        match event.time.filter(|time| timestamp::is_rfc3339(time)) {
            Some(time) => head.push_str(time),
            None => head.push_str(&timestamp::of_milliseconds(event.recorded_ms)),
        }
        head.push_str(&public.after_time);
        head.push_str(&quoted(&key));
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
