//! What relays keep in the store: cursors, settlement records and totals.
//!
//! A cursor passes only what is settled: confirmed, unheard by policy, or parked in the same write.

use crate::error::StoreError;
use crate::limits::LimitError;
use crate::names::{PublicStreamName, RelayName};
use crate::parked::NewParked;
use crate::place::Sequence;

/// A move of a relay's cursor, with what became of the public events that it passes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// The relay.
    pub relay: RelayName,
    /// The public stream that it delivers.
    pub stream: PublicStreamName,
    /// Where the cursor must stand; 0 if it is not there yet.
    pub expected: Sequence,
    /// Where it goes: further, and not beyond the public stream's head.
    pub to: Sequence,
    /// When the last of them was settled: milliseconds since 1970.
    pub at_ms: u64,
    /// Those that nobody listened to, ascending.
    pub unheard: Vec<Sequence>,
    /// Those that are parked: each of this relay, with a sequence that the cursor passes. All others are confirmed.
    pub parked: Vec<NewParked>,
    /// Whether nothing of what it passes was sent, because the relay begins behind it: it counts as skipped, and nothing of it is
    /// unheard or parked.
    pub not_sent: bool,
}

/// Why a settlement was not written. Nothing of it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettleError {
    /// The cursor does not stand where it was expected. Read it, and go on from there.
    #[error("the cursor stands at sequence {actual}")]
    CursorMoved {
        /// Where it stands; 0 if it is not there yet.
        actual: Sequence,
    },
    /// Something is over a limit, or cannot be. Trying again will not help.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// The store cannot take it now.
    #[error(transparent)]
    Unavailable(#[from] StoreError),
}

/// What became of a public event at a relay whose cursor has passed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settled {
    /// When at the latest, within a second: milliseconds since 1970.
    pub at_ms: u64,
    /// Whether nobody listened.
    pub unheard: bool,
    /// Whether it was parked, and so not confirmed then. It may have left since.
    pub parked: bool,
}

/// What a relay has done so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RelayTotals {
    /// Public events confirmed by the broker and heard by somebody.
    pub confirmed: u64,
    /// Public events that nobody listened to.
    pub unheard: u64,
    /// Public events that are parked.
    pub parked: u64,
    /// Public events that were parked and given up, or that the relay never sent because it began behind them.
    pub skipped: u64,
}
