//! The crossing: from a private event to a public one.

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
    pub data: &'a serde_json::Value,
}

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// JSON pointer into the data that was checked.
    pub pointer: String,
    /// Why, without any value of the event.
    pub reason: String,
}

/// What a contract makes of a private event.
#[derive(Debug)]
pub enum Outcome {
    /// The contract does not speak of it.
    Unmatched,
    /// A `when` said no.
    Filtered,
    /// It became a public event.
    Crossed(Box<Crossed>),
    /// It should have crossed and could not.
    Violation {
        /// The key to park, if it could be computed.
        key: Option<String>,
        /// The public type it would have had.
        public_type: String,
        /// What is wrong.
        violations: Vec<Violation>,
    },
}

/// A public event that still needs its sequence.
pub struct Crossed {
    key: String,
    event_type: String,
    name: String,
    id: String,
}

impl std::fmt::Debug for Crossed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Crossed")
            .field("event_type", &self.event_type)
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl Crossed {
    /// The key that order is kept by.
    pub fn key(&self) -> &str {
        &self.key
    }
    /// The public type.
    pub fn event_type(&self) -> &str {
        &self.event_type
    }
    /// The `{name}` of topics and routing keys.
    pub fn name(&self) -> &str {
        &self.name
    }
    /// The public id.
    pub fn id(&self) -> &str {
        &self.id
    }
    /// Gives it its place: `sequence`, and `previous`, the sequence of the previous event of the same key and type (0: none).
    pub fn seal(self, sequence: u64, _previous: u64) -> PublicEvent {
        PublicEvent {
            key: self.key,
            event_type: self.event_type,
            name: self.name,
            id: self.id,
            sequence,
            bytes: Vec::new(),
        }
    }
}

/// A public event: the exact bytes that go on the wire, and what routes them.
pub struct PublicEvent {
    key: String,
    event_type: String,
    name: String,
    id: String,
    sequence: u64,
    bytes: Vec<u8>,
}

impl std::fmt::Debug for PublicEvent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PublicEvent")
            .field("event_type", &self.event_type)
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
        &self.event_type
    }
    /// The `{name}` of topics and routing keys.
    pub fn name(&self) -> &str {
        &self.name
    }
    /// The key that order is kept by.
    pub fn key(&self) -> &str {
        &self.key
    }
    /// The sequence.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }
    /// The structured-mode CloudEvent in JSON.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
    /// The structured-mode CloudEvent in JSON, without a copy.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}
