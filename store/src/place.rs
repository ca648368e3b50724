//! Places: revisions in a stream, positions in a log, sequences in a public stream.
//!
//! Each counts from 1; 0 means "before the first". A position and a sequence are `epoch × 2⁴⁰ + n`: gapless within an
//! epoch, and below 2⁵³ (so at most 8,192 epochs), so that JSON numbers hold them.

use std::fmt;

/// How many bits of a position or sequence number within an epoch.
const EPOCH_SHIFT: u32 = 40;
const OFFSET_MASK: u64 = (1 << EPOCH_SHIFT) - 1;
/// The first value that is no place: all places stay below 2⁵³.
const END: u64 = 1 << 53;

macro_rules! place {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
        pub struct $type(u64);

        impl $type {
            /// Before the first.
            pub const ZERO: Self = Self(0);

            /// After the last: every place is below it.
            pub const END: Self = Self(END);

            /// Wraps the number.
            #[must_use]
            pub const fn new(value: u64) -> Self {
                Self(value)
            }

            /// The number.
            #[must_use]
            pub const fn get(self) -> u64 {
                self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

macro_rules! epochs {
    ($type:ident) => {
        impl $type {
            /// The epoch, from 0.
            #[must_use]
            pub const fn epoch(self) -> u64 {
                self.0 >> EPOCH_SHIFT
            }

            /// The number within the epoch, from 1.
            #[must_use]
            pub const fn offset(self) -> u64 {
                self.0 & OFFSET_MASK
            }

            /// What is before the first place of an epoch.
            pub(crate) fn start_of(epoch: u64) -> Self {
                Self(epoch.min(END >> EPOCH_SHIFT) << EPOCH_SHIFT)
            }

            /// The place after this one in the same epoch; none where the epoch is full.
            pub(crate) fn next(self) -> Option<Self> {
                self.plus(1)
            }

            /// The place `count` after this one in the same epoch; none where the epoch ends before it.
            pub(crate) fn plus(self, count: u64) -> Option<Self> {
                let next = self.0.checked_add(count)?;
                (next < END && next >> EPOCH_SHIFT == self.0 >> EPOCH_SHIFT).then_some(Self(next))
            }
        }
    };
}

place!(
    /// An event's place in its stream, from 1. A stream's revision is that of its last event, 0 when it does not exist.
    Revision
);
place!(
    /// A record's place in its log: `epoch × 2⁴⁰ + n`, n from 1.
    Position
);
place!(
    /// A public event's place in its public stream: `epoch × 2⁴⁰ + n`, n from 1.
    Sequence
);
epochs!(Position);
epochs!(Sequence);

impl Revision {
    /// The revision after this one; none at the end of all numbers.
    pub(crate) fn next(self) -> Option<Self> {
        self.plus(1)
    }

    /// The revision `count` after this one; none at the end of all numbers.
    pub(crate) fn plus(self, count: u64) -> Option<Self> {
        self.0
            .checked_add(count)
            .filter(|next| *next < END)
            .map(Self)
    }
}

impl Sequence {
    /// The sequence that follows `self`, a public stream's last, in a log whose head is at `head`: the next one of the
    /// log's epoch. None where the epoch is full.
    #[must_use]
    pub fn following(self, head: Position) -> Option<Self> {
        self.max(Self::start_of(head.epoch())).next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_does_not_run_over_into_the_next_epoch() {
        assert_eq!(Position::ZERO.next(), Some(Position::new(1)));
        assert_eq!(Position::new(OFFSET_MASK).next(), None);
        assert_eq!(Position::new(u64::MAX).next(), None);
        assert_eq!(Position::start_of(u64::MAX).next(), None);
        assert_eq!(Position::new((3 << 40) + 7).epoch(), 3);
        assert_eq!(Position::new((3 << 40) + 7).offset(), 7);
    }

    #[test]
    fn the_first_sequence_of_an_epoch_follows_the_last_of_the_one_before() {
        let head = Position::new((1 << 40) + 5);
        assert_eq!(
            Sequence::new(17).following(head),
            Some(Sequence::new((1 << 40) + 1))
        );
        assert_eq!(
            Sequence::new((1 << 40) + 1).following(head),
            Some(Sequence::new((1 << 40) + 2))
        );
        assert_eq!(
            Sequence::ZERO.following(Position::new(9)),
            Some(Sequence::new(1))
        );
    }
}
