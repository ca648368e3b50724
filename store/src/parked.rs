//! Parked entries: references to events that wait because their key cannot go on.

use std::fmt;

use crate::error::StoreError;
use crate::limits::LimitError;
use crate::names::{PublicStreamName, RelayName};

/// Where a key is parked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ParkScope {
    /// On the way into a public stream; places are positions of the log.
    Crossing(PublicStreamName),
    /// On the way to an outlet; places are sequences of the public stream.
    Relay(RelayName),
}

impl fmt::Display for ParkScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Crossing(stream) => write!(f, "the crossing into {stream}"),
            Self::Relay(relay) => write!(f, "relay {relay}"),
        }
    }
}

/// An entry to park.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewParked {
    /// Where it is parked.
    pub scope: ParkScope,
    /// The key that cannot go on.
    pub key: String,
    /// The event: a position for [`ParkScope::Crossing`], a sequence for [`ParkScope::Relay`].
    pub at: u64,
    /// Why it cannot go on; none if it waits behind an earlier one of its key.
    pub reason: Option<String>,
}

/// A parked key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParkedKey {
    /// The key.
    pub key: String,
    /// How many entries wait.
    pub entries: u64,
    /// The first of them.
    pub first_at: u64,
}

/// A parked entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParkedEntry {
    /// The key.
    pub key: String,
    /// The event: a position or a sequence, by its scope.
    pub at: u64,
    /// Why it cannot go on; none if it waits behind an earlier one of its key.
    pub reason: Option<String>,
}

/// What became of a parked entry that leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParkOutcome {
    /// Of a crossing: it became a public event.
    Crossed,
    /// Of a crossing: the contract's condition was false.
    Filtered,
    /// Of a relay: the broker confirmed it.
    Confirmed,
    /// Of a relay: nobody listened to it.
    Unheard,
    /// Somebody gave it up.
    Skipped {
        /// Why; cut to 4,096 bytes.
        reason: String,
    },
}

/// A parked entry that leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedParked {
    /// Where it is parked.
    pub scope: ParkScope,
    /// Its key.
    pub key: String,
    /// The event: a position or a sequence, by its scope.
    pub at: u64,
    /// What became of it.
    pub outcome: ParkOutcome,
}

/// What became of an entry that was parked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolution {
    /// What became of it.
    pub outcome: ParkOutcome,
    /// When it left: milliseconds since 1970, by the machine's clock.
    pub at_ms: u64,
}

/// Why an entry cannot leave.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParkedError {
    /// There is no such entry, or it has left already. Read what is parked again.
    #[error("nothing is parked under this key at {at} in {scope}")]
    NotParked {
        /// Where it was looked for.
        scope: ParkScope,
        /// The place.
        at: u64,
    },
    /// Others of its key are before it: the entries of a key leave in order.
    #[error("the entry at {at} in {scope} is not the first of its key: that is the one at {first}")]
    NotFirst {
        /// Where it is parked.
        scope: ParkScope,
        /// The place.
        at: u64,
        /// The place of the first of its key.
        first: u64,
    },
}

/// Why no entry has left. Nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// One of them cannot leave.
    #[error(transparent)]
    Parked(#[from] ParkedError),
    /// Something is over a limit, or cannot be. Trying again will not help.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// The store cannot take it now.
    #[error(transparent)]
    Unavailable(#[from] StoreError),
}
