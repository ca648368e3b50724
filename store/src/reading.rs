//! Reading: bounded pages of streams, logs and public streams.
//!
//! A page is whole or it is an error: a position, revision or sequence that is missing between two others, at the head or at
//! the beginning, is damage, and so is an index entry without its record.

mod log;
mod public;
mod selected;
mod stream;
mod streams;

use crate::database::{Database, Reach, damaged};
use crate::error::StoreError;
use crate::event::Record;
use crate::keys::{self, Key, LogId};
use crate::page::ReadLimit;
use crate::place::Position;
use crate::record::{self, Pool};

pub(crate) use log::{log, log_back};
pub(crate) use public::{public, public_back};
pub(crate) use selected::{selected, selected_back};
pub(crate) use stream::{last_event, stream, stream_back};
pub(crate) use streams::streams;

/// How many records are fetched by their positions at a time: what may be read beyond a page's limit of bytes.
const FETCH: usize = 32;
/// Room from which on as many are fetched at first; with less, it is looked how large the first few are.
const FETCH_BYTES: usize = 1024 * 1024;
/// A read that begins further than this from the head is one of history: what it reads stays in no cache.
pub const HISTORY_FROM_RECORDS: u64 = 65_536;

/// Where a read may look that begins at a place, by how far the head is.
pub(crate) fn reach(from: u64, head: u64) -> Reach {
    if head.saturating_sub(from) > HISTORY_FROM_RECORDS {
        Reach::History
    } else {
        Reach::Disk
    }
}

/// How much of a page is still free.
pub(crate) struct Room {
    records: usize,
    bytes: usize,
}

impl Room {
    pub(crate) fn new(limit: ReadLimit) -> Self {
        Self {
            records: limit.records.clamp(1, ReadLimit::RECORDS_MAX),
            bytes: limit.bytes.clamp(1, ReadLimit::BYTES_MAX),
        }
    }

    /// For what is known to be little.
    pub(crate) fn unlimited() -> Self {
        Self {
            records: usize::MAX,
            bytes: usize::MAX,
        }
    }

    /// Whether nothing fits any more.
    pub(crate) fn is_full(&self) -> bool {
        self.records == 0 || self.bytes == 0
    }

    /// How many records are likely to fit, to ask for their memory at once: no more than a usual page has.
    fn likely(&self) -> usize {
        self.records.min(ReadLimit::default().records)
    }

    /// Takes room for a record; false if it was the last that fits.
    pub(crate) fn take(&mut self, bytes: usize) -> bool {
        self.records = self.records.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
        !self.is_full()
    }
}

/// Whether a place follows another without a gap: the next one, or the first of a later epoch.
pub(crate) fn follows(before: Position, next: Position) -> bool {
    before.next() == Some(next) || (next.epoch() > before.epoch() && next.offset() == 1)
}

/// Fetches records by their positions while there is room; tells whether all were fetched.
pub(crate) fn fetch(
    database: &Database,
    reach: Reach,
    log: LogId,
    positions: &[Position],
    room: &mut Room,
) -> Result<(Vec<Record>, bool), StoreError> {
    let mut records = Vec::with_capacity(positions.len());
    let mut pool = Pool::default();
    let mut rest = positions;
    // What is fetched beyond the room is read for nothing: no more at a time than is likely to fit.
    let mut at_a_time = if room.bytes < FETCH_BYTES {
        FETCH / 8
    } else {
        FETCH
    };
    while !rest.is_empty() {
        let (chunk, after) = rest.split_at(at_a_time.min(rest.len()));
        rest = after;
        let mut fetched_bytes = 0;
        let sought: Vec<Key> = chunk
            .iter()
            .map(|position| keys::log_record(log, *position))
            .collect();
        let decode = |index: usize, body: &[u8]| {
            let position = chunk.get(index).copied().unwrap_or_default();
            record::decode(position, body, &mut pool)
        };
        for (key, found) in sought.iter().zip(database.get_all(reach, &sought, decode)?) {
            let (record, bytes) = found
                .ok_or_else(|| damaged(&key.bytes, "it is missing, and an index speaks of it"))?;
            records.push(record);
            fetched_bytes += bytes;
            if !room.take(bytes) {
                let all = records.len() == positions.len();
                return Ok((records, all));
            }
        }
        let each_bytes = (fetched_bytes / chunk.len()).max(1);
        at_a_time = (room.bytes / each_bytes).clamp(1, FETCH);
    }
    Ok((records, true))
}
