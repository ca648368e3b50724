//! The values of records that were read by their positions lately.
//!
//! A stream's records are scattered over the log, so that each is looked up on its own, and those of a stream that is read are
//! read again soon. A value is kept as it is stored, and its checksum is looked at whenever it is read.
//!
//! What stands at a position never changes, so nothing here is ever out of date. A version that puts markers in the place of events
//! must take those out here as well.

use std::sync::Arc;

use foldhash::fast::RandomState;
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{OptionsBuilder, Weighter};

use crate::database::beginning;
use crate::keys::{Column, Key};

/// What most of them take here, in bytes; from it follows how many to expect.
const USUAL_BYTES: usize = 512;
/// What keeping one takes besides its value, in bytes: its place in a table that doubles, and what its allocation adds.
const OVERHEAD_BYTES: usize = 160;
/// The largest value that is kept, in bytes: a larger one would push many others out, and costs little more to look up.
const VALUE_MAX_BYTES: usize = 16 * 1024;
/// Which share of them is remembered when it is no longer kept, so that it stays if it comes back.
const REMEMBERED: f64 = 0.2;

/// As many values as fit into so many bytes.
pub(crate) struct Records(Option<Cache<u128, Arc<[u8]>, ByBytes, RandomState>>);

#[derive(Clone)]
struct ByBytes;

impl Weighter<u128, Arc<[u8]>> for ByBytes {
    fn weight(&self, _: &u128, value: &Arc<[u8]>) -> u64 {
        (value.len() + OVERHEAD_BYTES) as u64
    }
}

impl Records {
    pub(crate) fn of(bytes: usize) -> Self {
        let options = OptionsBuilder::new()
            .estimated_items_capacity(bytes / USUAL_BYTES)
            .weight_capacity(bytes as u64)
            .ghost_allocation(REMEMBERED)
            .build();
        // Nothing is kept where nothing fits.
        let options = options.ok().filter(|_| bytes > 0);
        Self(options.map(|options| {
            let hasher = RandomState::default();
            Cache::with_options(options, ByBytes, hasher, DefaultLifecycle::default())
        }))
    }

    /// The value under a key, sealed.
    pub(crate) fn get(&self, key: &Key) -> Option<Arc<[u8]>> {
        self.0.as_ref()?.get(&number(key)?)
    }

    /// Keeps a value, if it is that of a record and not too large.
    pub(crate) fn keep(&self, key: &Key, value: &[u8]) {
        if let (Some(cache), Some(number)) = (&self.0, number(key))
            && value.len() <= VALUE_MAX_BYTES
        {
            cache.insert(number, value.into());
        }
    }
}

/// A record's key, which is short enough to be a number; none of what is no record, and may change.
fn number(key: &Key) -> Option<u128> {
    (key.column == Column::Log).then(|| beginning(&key.bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{self, LogId};
    use crate::place::{Position, Revision};

    fn record(position: u64) -> Key {
        keys::log_record(LogId(1), Position::new(position))
    }

    #[test]
    fn no_more_is_kept_than_fits_and_nothing_where_nothing_fits() {
        for (bytes, most) in [(0, 0), (100_000, 100)] {
            let records = Records::of(bytes);
            for position in 1..=1_000 {
                records.keep(&record(position), &[7; 1_000]);
            }
            let kept = (1..=1_000).filter(|one| records.get(&record(*one)).is_some());
            let kept = kept.count();
            assert!(kept <= most && kept >= most / 2, "{kept} of {bytes} bytes");
        }
    }

    #[test]
    fn a_record_is_found_under_its_key_only_and_nothing_else_is_kept() {
        let records = Records::of(1024 * 1024);
        records.keep(&record(7), b"seven");
        records.keep(&record(8), &[0; VALUE_MAX_BYTES + 1]);
        assert_eq!(records.get(&record(7)).as_deref(), Some(&b"seven"[..]));
        let of_another_log = keys::log_record(LogId(2), Position::new(7));
        let changes = keys::stream_index(LogId(1), "a", Revision::new(7));
        records.keep(&changes, b"may change");
        for other in [record(6), record(8), of_another_log, changes] {
            assert_eq!(records.get(&other), None);
        }
    }
}
