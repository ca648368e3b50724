//! Where long streams end, as far as it is remembered.
//!
//! A belief and never an answer: who has it looks there first, and what stands there tells whether the stream ends there. So nothing
//! is wrong when two streams share a place here, or when what is remembered is old.

use std::hash::BuildHasher as _;
use std::sync::atomic::{AtomicU64, Ordering};

use super::run::{RUN, run_of};
use crate::keys::LogId;
use crate::names::StreamName;
use crate::place::Revision;

/// How many streams are remembered, eight bytes each.
const PLACES: usize = 1 << 16;

/// The last runs of streams of more than one.
pub(crate) struct Ends {
    /// Each a part of the stream's hash, and the number of its last run; 0 if there is none.
    places: Box<[AtomicU64]>,
    hashes: foldhash::fast::RandomState,
}

impl Default for Ends {
    fn default() -> Self {
        Self {
            places: (0..PLACES).map(|_| AtomicU64::new(0)).collect(),
            hashes: foldhash::fast::RandomState::default(),
        }
    }
}

impl Ends {
    /// The first revision of what was a stream's last run.
    pub(super) fn last_run(&self, log: LogId, stream: &StreamName) -> Option<Revision> {
        let (place, mark) = self.place(log, stream)?;
        let known = place.load(Ordering::Relaxed);
        let number = known & u64::from(u32::MAX);
        (number > 0 && known - number == mark).then(|| Revision::new(number * RUN + 1))
    }

    /// A stream ends at a revision now.
    pub(crate) fn note(&self, log: LogId, stream: &StreamName, revision: Revision) {
        let number = (run_of(revision).get() - 1) / RUN;
        if (1..=u64::from(u32::MAX)).contains(&number)
            && let Some((place, mark)) = self.place(log, stream)
        {
            place.store(mark | number, Ordering::Relaxed);
        }
    }

    fn place(&self, log: LogId, stream: &StreamName) -> Option<(&AtomicU64, u64)> {
        let hash = self.hashes.hash_one((log, stream));
        let place = self.places.get(hash as usize % PLACES)?;
        Some((place, hash & !u64::from(u32::MAX)))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn the_last_run_of_a_long_stream_is_remembered() {
        let ends = Ends::default();
        let stream = StreamName::new("a-1").unwrap();
        let of = |log| ends.last_run(LogId(log), &stream);
        ends.note(LogId(1), &stream, Revision::new(RUN));
        assert_eq!(of(1), None, "it has one run");
        for (revision, first) in [(33, 33), (64, 33), (65, 65), (3_201, 3_201)] {
            ends.note(LogId(1), &stream, Revision::new(revision));
            assert_eq!(of(1), Some(Revision::new(first)), "{revision}");
        }
        assert_eq!(of(2), None, "another log's");
        ends.note(LogId(1), &stream, Revision::new(u64::MAX));
        assert_eq!(
            of(1),
            Some(Revision::new(3_201)),
            "too long to be remembered"
        );
    }
}
