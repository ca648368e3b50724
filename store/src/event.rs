//! Private events, as they are handed in and as they are read back.
//!
//! Nothing of an event is rewritten: its data is raw bytes, its attributes keep their order. `Debug` prints neither
//! data nor attribute values.

use std::fmt;

use bytes::Bytes;

use crate::names::{StreamName, category};
use crate::place::{Position, Revision};
use crate::record::Content;

/// The value of a CloudEvents attribute.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum AttributeValue {
    /// A Boolean.
    Bool(bool),
    /// An Integer: 32 bits, signed.
    Int(i32),
    /// A String, URI, URI-reference or Timestamp, as it was sent.
    Text(String),
}

/// A private event to append.
#[derive(Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// The CloudEvents `id`: with `source` the event's identity in its log.
    pub id: String,
    /// The CloudEvents `source`; the stream's name if none is given.
    pub source: Option<String>,
    /// The CloudEvents `type`.
    pub event_type: String,
    /// All other attributes that the client supplied, such as `time` and `subject`, in the order in which they came.
    pub attributes: Vec<(String, AttributeValue)>,
    /// The media type of the data (`datacontenttype`) as it was sent.
    pub media_type: Option<String>,
    /// The data, byte for byte as it was sent.
    pub data: Option<Bytes>,
    /// The writer takes it although it does not fit its schema. A mark beside the content: an event that is sent again is
    /// a repeat, flagged or not, and keeps the mark of the first time.
    pub flagged: bool,
}

/// The value of an attribute of an event that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttributeRef<'a> {
    /// A Boolean.
    Bool(bool),
    /// An Integer: 32 bits, signed.
    Int(i32),
    /// A String, URI, URI-reference or Timestamp, as it was sent.
    Text(&'a str),
}

impl AttributeValue {
    /// The value as it is read.
    #[must_use]
    pub fn as_ref(&self) -> AttributeRef<'_> {
        match self {
            Self::Bool(value) => AttributeRef::Bool(*value),
            Self::Int(value) => AttributeRef::Int(*value),
            Self::Text(value) => AttributeRef::Text(value),
        }
    }
}

/// A private event read from a log.
///
/// What its writer said is one piece of memory, as it is stored, which it and its clones share with others that were read with it.
/// Texts are found in it, and checked once more to be UTF-8, each time that they are asked for. Two events are equal if they are
/// stored alike.
#[derive(Clone, PartialEq, Eq)]
pub struct Event {
    /// Its place in the log.
    pub position: Position,
    /// Its place in the stream.
    pub revision: Revision,
    /// When the store wrote it: milliseconds since 1970, by the machine's clock, which may jump.
    pub recorded_ms: u64,
    /// Its place in its commit, from 0.
    pub commit_index: u32,
    /// How many events its commit has.
    pub commit_len: u32,
    /// Its writer took it although it did not fit its schema.
    pub flagged: bool,
    pub(crate) content: Content,
}

impl Event {
    /// The event that is read where this one was appended, by itself and at time 0: for other implementations of
    /// [`crate::EventStore`], and for tests.
    #[must_use]
    pub fn of(new: &NewEvent, stream: &StreamName, position: Position, revision: Revision) -> Self {
        Self {
            position,
            revision,
            recorded_ms: 0,
            commit_index: 0,
            commit_len: 1,
            flagged: new.flagged,
            content: Content::of(stream, new),
        }
    }

    /// Its stream's name.
    #[must_use]
    pub fn stream(&self) -> &str {
        self.content.text(self.content.parts.stream)
    }

    /// Its stream's category.
    #[must_use]
    pub fn category(&self) -> &str {
        category(self.stream())
    }

    /// The CloudEvents `source`; the stream's name if none was given.
    #[must_use]
    pub fn source(&self) -> &str {
        self.content.text(self.content.parts.source)
    }

    /// The CloudEvents `id`.
    #[must_use]
    pub fn id(&self) -> &str {
        self.content.text(self.content.parts.id)
    }

    /// The CloudEvents `type`.
    #[must_use]
    pub fn event_type(&self) -> &str {
        self.content.text(self.content.parts.event_type)
    }

    /// All other attributes that the client supplied, in the order in which they came.
    pub fn attributes(&self) -> impl Iterator<Item = (&str, AttributeRef<'_>)> {
        self.content.attributes()
    }

    /// The media type of the data (`datacontenttype`) as it was sent.
    #[must_use]
    pub fn media_type(&self) -> Option<&str> {
        let media_type = self.content.parts.media_type?;
        Some(self.content.text(media_type))
    }

    /// The data, byte for byte as it was sent.
    #[must_use]
    pub fn data(&self) -> Option<&[u8]> {
        let data = self.content.parts.data?;
        Some(self.content.bytes(data))
    }
}

/// What stands at one position of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// A private event.
    Event(Event),
    /// A record of the system itself, such as a change of contracts.
    System {
        /// Its place in the log.
        position: Position,
        /// What kind of record it is; named by who wrote it.
        kind: String,
        /// Its body, byte for byte.
        body: Bytes,
        /// When the store wrote it: milliseconds since 1970.
        recorded_ms: u64,
    },
    /// What keeps the place of an event that is no longer here. Reserved; no version writes it yet.
    Marker {
        /// Its place in the log.
        position: Position,
    },
}

impl Record {
    /// Its place in the log.
    #[must_use]
    pub fn position(&self) -> Position {
        match self {
            Self::Event(event) => event.position,
            Self::System { position, .. } | Self::Marker { position } => *position,
        }
    }
}

impl fmt::Debug for NewEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&String> = self.attributes.iter().map(|(name, _)| name).collect();
        f.debug_struct("NewEvent")
            .field("id", &self.id)
            .field("source", &self.source)
            .field("event_type", &self.event_type)
            .field("attributes", &names)
            .field("media_type", &self.media_type)
            .field("data_bytes", &self.data.as_ref().map(Bytes::len))
            .field("flagged", &self.flagged)
            .finish()
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.attributes().map(|(name, _)| name).collect();
        f.debug_struct("Event")
            .field("position", &self.position.get())
            .field("stream", &self.stream())
            .field("revision", &self.revision.get())
            .field("source", &self.source())
            .field("id", &self.id())
            .field("event_type", &self.event_type())
            .field("attributes", &names)
            .field("media_type", &self.media_type())
            .field("data_bytes", &self.data().map(<[u8]>::len))
            .field("recorded_ms", &self.recorded_ms)
            .field("commit_index", &self.commit_index)
            .field("commit_len", &self.commit_len)
            .field("flagged", &self.flagged)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn debug_shows_neither_data_nor_attribute_values() {
        let event = NewEvent {
            id: "1".into(),
            source: None,
            event_type: "Opened".into(),
            attributes: vec![("subject".into(), AttributeValue::Text("canary-a".into()))],
            media_type: None,
            data: Some(Bytes::from_static(b"canary-b")),
            flagged: false,
        };
        let stream = StreamName::new("account-1").unwrap();
        let read = Event::of(&event, &stream, Position::new(1), Revision::new(1));
        for shown in [format!("{event:?}"), format!("{read:?}")] {
            assert!(!shown.contains("canary"), "{shown}");
            assert!(
                shown.contains("subject") && shown.contains("data_bytes: Some(8)"),
                "{shown}"
            );
        }
    }
}
