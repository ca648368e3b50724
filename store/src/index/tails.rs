//! Where the streams end that were written to lately.
//!
//! The writer alone notes them, once a batch is written: what is remembered was true then, and after a batch it is true until the
//! next one. Streams share places: what is not remembered is looked up.

use std::hash::BuildHasher as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::run::{RUN, Tail, run_of};
use crate::keys::LogId;
use crate::names::StreamName;
use crate::place::Revision;

/// How many streams are remembered at most, with some 200 bytes each.
const PLACES: usize = 1 << 15;

/// The ends of streams.
pub(crate) struct Tails {
    places: Box<[Mutex<Place>]>,
    hashes: foldhash::fast::RandomState,
}

type Place = Option<Box<Known>>;

struct Known {
    log: LogId,
    stream: StreamName,
    tail: Tail,
}

impl Default for Tails {
    fn default() -> Self {
        Self {
            places: (0..PLACES).map(|_| Mutex::new(None)).collect(),
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
        let Some(mut place) = self.place(log, stream) else {
            return;
        };
        let tail = tail.resumed();
        match &mut *place {
            Some(known) if known.log == log && known.stream == *stream => known.tail = tail,
            place => {
                let stream = stream.clone();
                *place = Some(Box::new(Known { log, stream, tail }));
            }
        }
    }

    fn look<T>(
        &self,
        log: LogId,
        stream: &StreamName,
        look: impl FnOnce(&Known) -> T,
    ) -> Option<T> {
        let place = self.place(log, stream)?;
        let known = place.as_ref()?;
        (known.log == log && known.stream == *stream).then(|| look(known))
    }

    fn place(&self, log: LogId, stream: &StreamName) -> Option<MutexGuard<'_, Place>> {
        let hash = self.hashes.hash_one((log, stream));
        let place = self.places.get(hash as usize % PLACES)?;
        Some(place.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::place::Position;

    #[test]
    fn what_was_noted_last_is_remembered_for_its_stream_only() {
        let tails = Tails::default();
        let stream = |n: usize| StreamName::new(&format!("a-{n}")).unwrap();
        let mut tail = Tail::default();
        for revision in 1..=70 {
            tail.push(Position::new(revision)).unwrap();
            tails.note(LogId(1), &stream(1), &tail);
            assert_eq!(tails.get(LogId(1), &stream(1)), Some(tail.resumed()));
            let last_run = tails.last_run(LogId(1), &stream(1)).map(Revision::get);
            let expected = [None, Some(33), Some(65)][(revision as usize - 1) / 32];
            assert_eq!(last_run, expected, "{revision}");
        }
        assert_eq!(tails.get(LogId(2), &stream(1)), None, "another log's");
        assert_eq!(tails.get(LogId(1), &stream(2)), None, "another stream's");
        // More streams than places: some are forgotten, and none is taken for another.
        let noted = 2 * PLACES;
        let at = |n: usize| {
            let mut tail = Tail::default();
            tail.push(Position::new(n as u64 + 1)).unwrap();
            tail
        };
        for n in 0..noted {
            tails.note(LogId(1), &stream(n), &at(n));
        }
        let known = (0..noted).filter_map(|n| Some((n, tails.get(LogId(1), &stream(n))?)));
        let known: Vec<_> = known.collect();
        assert!(known.iter().all(|(n, tail)| *tail == at(*n).resumed()));
        assert!(
            (PLACES / 2..=PLACES).contains(&known.len()),
            "{}",
            known.len()
        );
    }
}
