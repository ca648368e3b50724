//! Where the streams end that were written to lately.
//!
//! The writer alone notes them, once a batch is written: what is remembered was true then, and after a batch it is true until the
//! next one. Of the streams that share a set, those are remembered that were noted last: any other is looked up. A stream is
//! remembered once it was noted twice: of many that are written to once, hardly more than their hashes would be seen again.

use std::hash::BuildHasher as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::run::{RUN, Tail, run_of};
use crate::keys::LogId;
use crate::names::StreamName;
use crate::place::Revision;

/// How many streams are remembered at most, with some 200 bytes each.
const PLACES: usize = 1 << 15;
/// How many of them share a set. In places of their own, one of seven among 10,000 streams would be kept out; so it is one of 120.
const WAYS: usize = 4;

/// The ends of streams.
pub(crate) struct Tails {
    sets: Box<[Mutex<Set>]>,
    hashes: foldhash::fast::RandomState,
}

/// Those noted last come first.
type Set = [Way; WAYS];

/// The hash stands beside the box, so that another stream is told apart without a look into it.
#[derive(Default)]
struct Way {
    hash: u64,
    /// None if the stream was noted only once.
    known: Option<Box<Known>>,
}

struct Known {
    log: LogId,
    stream: StreamName,
    tail: Tail,
}

impl Default for Tails {
    fn default() -> Self {
        Self {
            sets: (0..PLACES / WAYS).map(|_| Mutex::default()).collect(),
            hashes: foldhash::fast::RandomState::default(),
        }
    }
}

impl Tails {
    /// A stream as the last batch that was noted leaves it, if it is remembered.
    pub(crate) fn get(&self, log: LogId, stream: &StreamName) -> Option<Tail> {
        self.look(log, stream, |known| known.tail.clone())
    }

    /// The first revision of a stream's last run, if it has more than one and is remembered.
    pub(super) fn last_run(&self, log: LogId, stream: &StreamName) -> Option<Revision> {
        let revision = self.look(log, stream, |known| known.tail.revision)?;
        Some(run_of(revision)).filter(|first| first.get() > RUN)
    }

    /// A stream ends so now.
    pub(crate) fn note(&self, log: LogId, stream: &StreamName, tail: &Tail) {
        let hash = self.hash(log, stream);
        let Some(mut set) = self.set(hash) else {
            return;
        };
        let noted = set.iter().position(|way| {
            let is_it = |known: &Known| known.is(log, stream);
            way.hash == hash && way.known.as_deref().is_none_or(is_it)
        });
        // Without it, the one that was noted the longest ago gives way.
        if let Some(moved) = set.get_mut(..=noted.unwrap_or(WAYS - 1)) {
            moved.rotate_right(1);
        }
        let [first, ..] = &mut *set;
        match (noted, &mut first.known) {
            (Some(_), Some(known)) => known.tail = tail.resumed(),
            (Some(_), none) => {
                let (stream, tail) = (stream.clone(), tail.resumed());
                *none = Some(Box::new(Known { log, stream, tail }));
            }
            (None, _) => *first = Way { hash, known: None },
        }
    }

    fn look<T>(
        &self,
        log: LogId,
        stream: &StreamName,
        look: impl FnOnce(&Known) -> T,
    ) -> Option<T> {
        let hash = self.hash(log, stream);
        let set = self.set(hash)?;
        let of_hash = set.iter().filter(|way| way.hash == hash);
        let mut known = of_hash.filter_map(|way| way.known.as_deref());
        known.find(|known| known.is(log, stream)).map(look)
    }

    fn hash(&self, log: LogId, stream: &StreamName) -> u64 {
        self.hashes.hash_one((log, stream))
    }

    fn set(&self, hash: u64) -> Option<MutexGuard<'_, Set>> {
        let set = self.sets.get(hash as usize % self.sets.len())?;
        Some(set.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Known {
    fn is(&self, log: LogId, stream: &StreamName) -> bool {
        self.log == log && self.stream == *stream
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::ops::Range;

    use super::*;
    use crate::place::Position;

    #[test]
    fn what_was_noted_last_is_remembered_for_its_stream_only() {
        let tails = Tails::default();
        let stream = |n: usize| StreamName::new(&format!("a-{n}")).unwrap();
        let mut tail = Tail::default();
        for revision in 1..=70 {
            tail.push(Position::new(revision)).unwrap();
            if revision == 1 {
                tails.note(LogId(1), &stream(1), &tail);
                assert_eq!(tails.get(LogId(1), &stream(1)), None, "noted once");
            }
            tails.note(LogId(1), &stream(1), &tail);
            assert_eq!(tails.get(LogId(1), &stream(1)), Some(tail.resumed()));
            let last_run = tails.last_run(LogId(1), &stream(1)).map(Revision::get);
            let expected = [None, Some(33), Some(65)][(revision as usize - 1) / 32];
            assert_eq!(last_run, expected, "{revision}");
        }
        assert_eq!(tails.get(LogId(2), &stream(1)), None, "another log's");
        assert_eq!(tails.get(LogId(1), &stream(2)), None, "another stream's");
        let at = |n: usize| {
            let mut tail = Tail::default();
            tail.push(Position::new(n as u64 + 1)).unwrap();
            tail
        };
        let remembered = |streams: Range<usize>| {
            let known = streams.filter(|n| {
                let known = tails.get(LogId(1), &stream(*n));
                assert!(known.is_none() || known == Some(at(*n).resumed()), "{n}");
                known.is_some()
            });
            known.count()
        };
        // A third of what there is room for: hardly any is kept out. And more than that: those noted last are remembered.
        for (noted, least) in [
            (PLACES / 3, PLACES / 3 * 97 / 100),
            (4 * PLACES, PLACES * 97 / 100),
        ] {
            for n in 0..noted {
                tails.note(LogId(1), &stream(n), &at(n));
                tails.note(LogId(1), &stream(n), &at(n));
            }
            let all = remembered(0..noted);
            assert!((least..=PLACES).contains(&all), "{all} of {noted}");
        }
        let late = remembered(4 * PLACES - PLACES / 4..4 * PLACES);
        assert!(late > PLACES / 4 * 97 / 100, "{late}");
        // Whoever is noted again and again stays, however many others are noted meanwhile.
        tails.note(LogId(1), &stream(1), &at(1));
        for n in 0..4 * PLACES {
            tails.note(LogId(1), &stream(1), &at(1));
            tails.note(LogId(1), &stream(n), &at(n));
            assert_eq!(remembered(1..2), 1, "after {n}");
        }
        // Streams that are noted once push out the others, and are not remembered themselves.
        for n in 5 * PLACES..9 * PLACES {
            tails.note(LogId(1), &stream(n), &at(n));
        }
        assert_eq!(remembered(0..9 * PLACES), 0);
    }
}
