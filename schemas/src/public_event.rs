//! Public events: the envelope of a type, made ready beforehand, and the bytes that go on the wire.

use crate::attributes::Written;
use crate::schema::check::Schema;
use crate::schema::shape::Declared;
use serde_json::Value;
use std::sync::Arc;

/// The size of a public event, in bytes: twice that of a private one. A larger one is a violation.
pub(crate) const MAX_PUBLIC_EVENT_BYTES: usize = 2 << 20;
/// Why a larger one does not cross.
pub(crate) const TOO_LARGE: &str = "the public event would have more than 2 MiB (2,097,152 bytes)";

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
    pub(crate) fn new(
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

    /// Its size in bytes, but for its place.
    pub fn bytes(&self) -> usize {
        self.head.len() + self.data.len()
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
