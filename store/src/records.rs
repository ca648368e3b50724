//! The records that were read by their positions lately.
//!
//! A stream's records are scattered over the log, so that each is looked up on its own, and those of a stream that is read are
//! read again soon. What stands at a position never changes, so nothing here is ever out of date.

use std::mem;

use foldhash::fast::RandomState;
use quick_cache::Weighter;
use quick_cache::sync::{Cache, DefaultLifecycle};

use crate::event::Record;
use crate::keys::LogId;
use crate::place::Position;

/// What most of them take here, in bytes; from it follows how many to expect.
const USUAL_BYTES: usize = 512;
/// What keeping one takes besides itself, in bytes.
const OVERHEAD_BYTES: usize = 64;

type Place = (LogId, Position);

/// A record, and its size.
#[derive(Clone)]
pub(crate) struct Fetched {
    pub(crate) record: Record,
    /// Of its value, in bytes.
    pub(crate) bytes: usize,
}

/// As many records as fit into so many bytes.
pub(crate) struct Records(Cache<Place, Fetched, ByBytes, RandomState>);

#[derive(Clone)]
struct ByBytes;

impl Weighter<Place, Fetched> for ByBytes {
    fn weight(&self, _: &Place, fetched: &Fetched) -> u64 {
        (fetched.bytes + mem::size_of::<(Place, Fetched)>() + OVERHEAD_BYTES) as u64
    }
}

impl Records {
    pub(crate) fn of(bytes: usize) -> Self {
        let expected = bytes / USUAL_BYTES;
        let hasher = RandomState::default();
        Self(Cache::with(
            expected,
            bytes as u64,
            ByBytes,
            hasher,
            DefaultLifecycle::default(),
        ))
    }

    pub(crate) fn get(&self, log: LogId, position: Position) -> Option<Fetched> {
        self.0.get(&(log, position))
    }

    /// Keeps an event, in memory of its own. What is no event is seldom read so.
    pub(crate) fn keep(&self, log: LogId, Fetched { record, bytes }: &Fetched) {
        if let Record::Event(event) = record {
            let record = Record::Event(event.apart());
            let bytes = *bytes;
            self.0
                .insert((log, event.position), Fetched { record, bytes });
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::event::{Event, NewEvent};
    use crate::names::StreamName;
    use crate::place::Revision;

    const LOG: LogId = LogId(1);
    const DATA_BYTES: usize = 1_000;

    fn fetched(position: u64) -> Fetched {
        let new = NewEvent {
            id: position.to_string(),
            source: None,
            event_type: "Tested".into(),
            attributes: Vec::new(),
            media_type: None,
            data: Some(vec![b'x'; DATA_BYTES].into()),
            flagged: false,
        };
        let stream = StreamName::new("a-1").unwrap();
        let position = Position::new(position);
        let event = Event::of(&new, &stream, position, Revision::new(1));
        Fetched {
            record: Record::Event(event),
            bytes: DATA_BYTES,
        }
    }

    fn data(fetched: &Fetched) -> &[u8] {
        let Record::Event(event) = &fetched.record else {
            unreachable!()
        };
        event.data().unwrap()
    }

    #[test]
    fn no_more_is_kept_than_fits_and_nothing_where_nothing_fits() {
        for (bytes, most) in [(0, 0), (100 * DATA_BYTES, 100)] {
            let records = Records::of(bytes);
            for position in 1..=1_000 {
                records.keep(LOG, &fetched(position));
            }
            let kept = (1..=1_000).filter(|one| records.get(LOG, Position::new(*one)).is_some());
            let kept = kept.count();
            assert!(kept <= most && kept >= most / 2, "{kept} of {bytes} bytes");
        }
    }

    #[test]
    fn what_is_kept_is_found_in_its_own_log_and_shares_no_memory_with_what_was_read() {
        let (records, read) = (Records::of(1024 * 1024), fetched(7));
        records.keep(LOG, &read);
        assert!(records.get(LogId(2), Position::new(7)).is_none());
        assert!(records.get(LOG, Position::new(8)).is_none());
        let kept = records.get(LOG, Position::new(7)).unwrap();
        assert_eq!((&kept.record, kept.bytes), (&read.record, read.bytes));
        assert_ne!(data(&kept).as_ptr(), data(&read).as_ptr());
    }
}
