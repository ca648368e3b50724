//! The public log: public events, what a crossing writes, and what is told of a public stream.
//!
//! A public event is immutable, and its bytes are those that go on the wire.

use std::fmt;

use bytes::Bytes;

use crate::error::StoreError;
use crate::limits::LimitError;
use crate::names::{CursorName, PublicStreamName};
use crate::parked::{NewParked, ParkedError, ResolveError, ResolvedParked};
use crate::place::{Position, Sequence};

/// A public event to write.
#[derive(Clone, PartialEq, Eq)]
pub struct NewPublicEvent {
    /// Its public stream.
    pub stream: PublicStreamName,
    /// Its place there; it must be the next one.
    pub sequence: Sequence,
    /// The private event that it was made of.
    pub origin: Position,
    /// The version of the contract that made it.
    pub contract_version: String,
    /// The public CloudEvents `type`.
    pub event_type: String,
    /// The short name used in topics and routing keys.
    pub name: String,
    /// The public id.
    pub id: String,
    /// The key that order is kept by.
    pub key: String,
    /// The CloudEvent in structured mode, exactly as it goes on the wire.
    pub event: Bytes,
}

/// A public event read from the public log.
#[non_exhaustive]
#[derive(Clone, PartialEq, Eq)]
pub struct PublicEvent {
    /// Its public stream.
    pub stream: PublicStreamName,
    /// Its place there.
    pub sequence: Sequence,
    /// The private event that it was made of.
    pub origin: Position,
    /// The version of the contract that made it.
    pub contract_version: String,
    /// The public CloudEvents `type`.
    pub event_type: String,
    /// The short name used in topics and routing keys.
    pub name: String,
    /// The public id.
    pub id: String,
    /// The key that order is kept by.
    pub key: String,
    /// The CloudEvent in structured mode, exactly as it goes on the wire.
    pub event: Bytes,
    /// When the store wrote it: milliseconds since 1970, by the machine's clock.
    pub crossed_ms: u64,
}

impl NewPublicEvent {
    /// The public event as it is read back once it is written; for stores other than [`crate::Store`].
    #[must_use]
    pub fn stored(self, crossed_ms: u64) -> PublicEvent {
        let Self {
            stream,
            sequence,
            origin,
            contract_version,
            event_type,
            name,
            id,
            key,
            event,
        } = self;
        PublicEvent {
            stream,
            sequence,
            origin,
            contract_version,
            event_type,
            name,
            id,
            key,
            event,
            crossed_ms,
        }
    }
}

impl fmt::Debug for NewPublicEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewPublicEvent")
            .field("stream", &self.stream)
            .field("sequence", &self.sequence.get())
            .field("origin", &self.origin.get())
            .field("event_type", &self.event_type)
            .field("id", &self.id)
            .field("event_bytes", &self.event.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for PublicEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublicEvent")
            .field("stream", &self.stream)
            .field("sequence", &self.sequence.get())
            .field("origin", &self.origin.get())
            .field("event_type", &self.event_type)
            .field("id", &self.id)
            .field("event_bytes", &self.event.len())
            .finish_non_exhaustive()
    }
}

/// How many private events did not become public events, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// The contract's condition was false.
    pub filtered: u64,
    /// The contract names no such event type.
    pub unmatched: u64,
    /// The event could not be made, or did not pass its public schema.
    pub violated: u64,
}

/// A move of one cursor of the crossing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CursorMove {
    /// The cursor.
    pub cursor: CursorName,
    /// Where it must stand; 0 if it is not there yet.
    pub expected: Position,
    /// Where it goes: further, and not beyond the log's head.
    pub to: Position,
}

/// What a crossing writes, as one unit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Crossing {
    /// The cursors that move, each once; at least one, unless parked entries leave.
    pub cursors: Vec<CursorMove>,
    /// The public events, of one or several public streams; in each the next sequences in order.
    pub public: Vec<NewPublicEvent>,
    /// New parked entries; each is of a crossing, with a position that one of the cursors passes.
    pub parked: Vec<NewParked>,
    /// Parked entries that leave, those of a key in order; each is of a crossing. One that crossed has its public event in
    /// `public`.
    pub resolved: Vec<ResolvedParked>,
    /// Added to the totals of the public streams.
    pub counts: Vec<(PublicStreamName, Counts)>,
}

/// Why a crossing was not written. Nothing of it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CrossError {
    /// A cursor does not stand where it was expected. Read it, and go on from there.
    #[error("cursor {cursor} stands at position {actual}")]
    CursorMoved {
        /// The cursor.
        cursor: CursorName,
        /// Where it stands; 0 if it is not there yet.
        actual: Position,
    },
    /// A sequence is not the next one of its public stream. Read the stream's head, and number again.
    #[error("the next sequence of public stream {stream} is {expected}")]
    SequenceGap {
        /// The public stream.
        stream: PublicStreamName,
        /// Its next sequence.
        expected: Sequence,
    },
    /// A parked entry cannot leave.
    #[error(transparent)]
    Parked(#[from] ParkedError),
    /// Something is over a limit, or cannot be. Trying again will not help.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// The store cannot take it now.
    #[error(transparent)]
    Unavailable(#[from] StoreError),
}

impl From<ResolveError> for CrossError {
    fn from(error: ResolveError) -> Self {
        match error {
            ResolveError::Parked(error) => Self::Parked(error),
            ResolveError::Limit(error) => Self::Limit(error),
            ResolveError::Unavailable(error) => Self::Unavailable(error),
        }
    }
}

/// What is known of a public stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PublicHead {
    /// The last sequence; 0 if nothing crossed yet.
    pub last: Sequence,
    /// How many public events it has, in all epochs.
    pub crossed: u64,
    /// How many private events did not become public.
    pub counts: Counts,
}
