//! Parked entries: references to events that wait because their key cannot go on.

use crate::names::{PublicStreamName, RelayName};

/// Where a key is parked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ParkScope {
    /// On the way into a public stream; places are positions of the log.
    Crossing(PublicStreamName),
    /// On the way to an outlet; places are sequences of the public stream.
    Relay(RelayName),
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
