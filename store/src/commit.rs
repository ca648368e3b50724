//! Commits: what is appended as one unit, and what comes back.

use crate::error::StoreError;
use crate::event::NewEvent;
use crate::limits::LimitError;
use crate::names::StreamName;
use crate::place::{Position, Revision};

/// What a writer believes of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Expected {
    /// The stream's revision is this one.
    Exact(Revision),
    /// The stream does not exist.
    None,
    /// The stream exists, at whatever revision.
    Exists,
    /// Anything.
    Any,
}

/// Events for one stream, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamWrite {
    /// The stream.
    pub stream: StreamName,
    /// What must hold of the stream. It sees the writes before it in the same commit.
    pub expected: Expected,
    /// The events; empty if the stream is only checked.
    pub events: Vec<NewEvent>,
}

/// Writes to one or several streams of a log: all or nothing. At least one event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Commit {
    /// The writes, in order. A stream may occur several times.
    pub writes: Vec<StreamWrite>,
}

/// What became of one write of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommittedWrite {
    /// The stream.
    pub stream: StreamName,
    /// Revision of the write's first event; 0 if it had none.
    pub first_revision: Revision,
    /// Revision of the write's last event; 0 if it had none.
    pub last_revision: Revision,
}

/// A durable commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// Position of its first event.
    pub first_position: Position,
    /// Position of its last event; all between are of this commit.
    pub last_position: Position,
    /// One for each write of the commit, in order.
    pub streams: Vec<CommittedWrite>,
    /// Whether the commit was there already; the places above are those of the first time.
    pub repeat: bool,
}

/// What the log knows of an event's identity, `source` and `id`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventState {
    /// Nothing.
    New,
    /// An event with the same content, in another commit, in another order or in another stream.
    Stored {
        /// Its position.
        position: Position,
        /// Its stream.
        stream: StreamName,
        /// Its revision.
        revision: Revision,
    },
    /// An event with other content.
    Different {
        /// Its position.
        position: Position,
        /// Its stream.
        stream: StreamName,
        /// Its revision.
        revision: Revision,
    },
}

/// Why a commit was not appended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// A stream is not at the expected revision. Read it again, and decide again.
    #[error("stream {stream} is at revision {actual}; expected: {expected:?}")]
    WrongRevision {
        /// The stream.
        stream: StreamName,
        /// What the writer believed.
        expected: Expected,
        /// The stream's revision, 0 if it does not exist. The writes before in the same commit are counted.
        actual: Revision,
    },
    /// Some of the events are stored already, but not as this same commit. Sending it again will not help.
    #[error("{} of the {} events are stored already, and not as this commit", stored(events), events.len())]
    IdConflict {
        /// One for each event of the commit, in order.
        events: Vec<EventState>,
    },
    /// The commit, or a part of it, is over a limit or malformed. Sending it again will not help.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// The store cannot take it now.
    #[error(transparent)]
    Unavailable(#[from] StoreError),
}

fn stored(events: &[EventState]) -> usize {
    events
        .iter()
        .filter(|event| **event != EventState::New)
        .count()
}
