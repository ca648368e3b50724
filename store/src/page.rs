//! Pages: what a bounded read returns, and how to resume it.

use crate::event::{Event, Record};
use crate::names::StreamName;
use crate::parked::{ParkedEntry, ParkedKey};
use crate::place::{Position, Revision, Sequence};
use crate::public::PublicEvent;

/// How much one read may return. A read that finds anything returns at least one record, whatever its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadLimit {
    /// Most records. At most [`ReadLimit::RECORDS_MAX`] are returned, whatever is asked.
    pub records: usize,
    /// Most bytes as stored; the record that reaches it is the last. At most [`ReadLimit::BYTES_MAX`] count.
    pub bytes: usize,
}

impl ReadLimit {
    /// Most records that one read returns.
    pub const RECORDS_MAX: usize = 10_000;
    /// Most bytes that one read returns, give or take one record.
    pub const BYTES_MAX: usize = 64 * 1024 * 1024;
}

impl Default for ReadLimit {
    /// 1,000 records, 4 MiB.
    fn default() -> Self {
        Self {
            records: 1_000,
            bytes: 4 * 1024 * 1024,
        }
    }
}

/// A part of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamPage {
    /// The stream's revision; 0 if it does not exist.
    pub revision: Revision,
    /// Its events from the revision that was asked, in the order that was asked. Forwards, go on after the last one, until
    /// it is at `revision`; backwards, go on before the last one, until it is at 1.
    pub events: Vec<Event>,
}

/// A part of a log, or of what is selected of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPage {
    /// The records, in the order that was asked.
    pub records: Vec<Record>,
    /// How far everything was looked at. Forwards, go on after it: it is the head if there was no more. Backwards, go on
    /// before it: it is 0 if there was no more.
    pub through: Position,
    /// The log's durable head when the read began.
    pub head: Position,
}

/// A stream and how far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamHead {
    /// The stream.
    pub stream: StreamName,
    /// Its revision.
    pub revision: Revision,
}

/// A part of the streams of a category.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StreamsPage {
    /// The streams, in the order of their names' bytes. Go on after the last one.
    pub streams: Vec<StreamHead>,
    /// Whether there are more.
    pub more: bool,
}

/// A part of a public stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicPage {
    /// The public events, in order. Go on after the last one, until it is at `head`.
    pub events: Vec<PublicEvent>,
    /// The public stream's last sequence when the read began; 0 if nothing crossed yet.
    pub head: Sequence,
}

/// A part of the keys that are parked in a scope.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ParkedKeysPage {
    /// The keys, in an order that means nothing and stays. Go on after the last one.
    pub keys: Vec<ParkedKey>,
    /// Whether there are more.
    pub more: bool,
}

/// A part of the entries that are parked under a key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ParkedPage {
    /// The entries, in order. Go on after the last one.
    pub entries: Vec<ParkedEntry>,
    /// Whether there are more.
    pub more: bool,
}
