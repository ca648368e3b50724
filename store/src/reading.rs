//! Reading: bounded pages of streams, logs, categories and public streams.
//!
//! A page is whole or it is an error: a position, revision or sequence that is missing between two others, or before
//! the head, is damage, and so is an index entry without its record.

use std::ops::ControlFlow;

use crate::codec::Flaw;
use crate::database::{Database, damaged};
use crate::error::StoreError;
use crate::event::Record;
use crate::keys::{self, Key, LogId};
use crate::names::{PublicStreamName, StreamName};
use crate::page::{LogPage, PublicPage, ReadLimit, StreamPage};
use crate::place::{Position, Revision, Sequence};
use crate::public::PublicEvent;
use crate::record;
use crate::state;
use crate::writer::stored_revision;

/// How many records are fetched by their positions at a time: what may be read beyond a page's limit of bytes.
const FETCH: usize = 32;

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

    /// Takes room for a record; false if it was the last that fits.
    fn take(&mut self, bytes: usize) -> bool {
        self.records = self.records.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
        self.records > 0 && self.bytes > 0
    }
}

/// Whether a place follows another without a gap: the next one, or the first of a later epoch.
pub(crate) fn follows(before: Position, next: Position) -> bool {
    before.next() == Some(next) || (next.epoch() > before.epoch() && next.offset() == 1)
}

pub(crate) fn log(
    database: &Database,
    log: LogId,
    after: Position,
    head: Position,
    limit: ReadLimit,
) -> Result<LogPage, StoreError> {
    let mut room = Room::new(limit);
    let mut records = Vec::new();
    let mut through = after;
    if after < head {
        let from = keys::log_record(log, Position::new(after.get().saturating_add(1))).bytes;
        database.scan(&keys::log_records(log), &from, |key, body| {
            let position = Position::new(
                keys::last_number(key).ok_or(Flaw::Content("the key has no position"))?,
            );
            if !follows(through, position) {
                return Err(Flaw::Content("a position before it is missing"));
            }
            records.push(record::decode(position, body)?);
            through = position;
            let go_on = room.take(key.len() + body.len()) && position < head;
            Ok(if go_on {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            })
        })?;
        if through == after || (room.records > 0 && room.bytes > 0 && through < head) {
            let missing = keys::log_record(log, Position::new(through.get().saturating_add(1)));
            return Err(damaged(&missing.bytes, "it is missing"));
        }
    }
    Ok(LogPage {
        records,
        through: through.max(after),
        head,
    })
}

pub(crate) fn category(
    database: &Database,
    log: LogId,
    category: &str,
    after: Position,
    head: Position,
    limit: ReadLimit,
) -> Result<LogPage, StoreError> {
    let mut room = Room::new(limit);
    let mut positions = Vec::new();
    let mut exhausted = true;
    if after < head {
        let from =
            keys::category_index(log, category, Position::new(after.get().saturating_add(1))).bytes;
        database.scan(
            &keys::category_positions(log, category),
            &from,
            |key, body| {
                state::decode_empty(body)?;
                let position =
                    keys::last_number(key).ok_or(Flaw::Content("the key has no position"))?;
                if position > head.get() {
                    return Ok(ControlFlow::Break(()));
                }
                if positions.len() == room.records {
                    exhausted = false;
                    return Ok(ControlFlow::Break(()));
                }
                positions.push(Position::new(position));
                Ok(ControlFlow::Continue(()))
            },
        )?;
    }
    let (records, all) = fetch(database, log, &positions, &mut room)?;
    for record in &records {
        let belongs = match record {
            Record::Event(event) => event.stream.category() == category,
            Record::Marker { .. } => true,
            Record::System { .. } => false,
        };
        if !belongs {
            let key = keys::category_index(log, category, record.position());
            return Err(damaged(&key.bytes, "the record is not of this category"));
        }
    }
    let through = match records.last() {
        Some(last) if !(all && exhausted) => last.position(),
        _ => head.max(after),
    };
    Ok(LogPage {
        records,
        through,
        head,
    })
}

/// Fetches records by their positions while there is room; tells whether all were fetched.
pub(crate) fn fetch(
    database: &Database,
    log: LogId,
    positions: &[Position],
    room: &mut Room,
) -> Result<(Vec<Record>, bool), StoreError> {
    let mut records = Vec::with_capacity(positions.len());
    for chunk in positions.chunks(FETCH) {
        let sought: Vec<Key> = chunk
            .iter()
            .map(|position| keys::log_record(log, *position))
            .collect();
        let decode = |index: usize, body: &[u8]| {
            record::decode(chunk.get(index).copied().unwrap_or_default(), body)
        };
        for (key, found) in sought.iter().zip(database.get_all(&sought, decode)?) {
            let (record, bytes) = found
                .ok_or_else(|| damaged(&key.bytes, "it is missing, and an index speaks of it"))?;
            records.push(record);
            if !room.take(bytes) {
                let all = records.len() == positions.len();
                return Ok((records, all));
            }
        }
    }
    Ok((records, true))
}

pub(crate) fn stream(
    database: &Database,
    log: LogId,
    stream: &StreamName,
    from: Revision,
    limit: ReadLimit,
) -> Result<StreamPage, StoreError> {
    let mut room = Room::new(limit);
    let first = Revision::new(from.get().max(1));
    let mut positions = Vec::new();
    let mut next = first.get();
    let mut exhausted = true;
    let start = keys::stream_index(log, stream, first).bytes;
    database.scan(&keys::stream_revisions(log, stream), &start, |key, body| {
        if positions.len() == room.records {
            exhausted = false;
            return Ok(ControlFlow::Break(()));
        }
        if keys::last_number(key) != Some(next) {
            return Err(Flaw::Content("a revision before it is missing"));
        }
        next = next.saturating_add(1);
        positions.push(Position::new(state::decode_number(body)?));
        Ok(ControlFlow::Continue(()))
    })?;
    let revision = match positions.len() {
        0 => stored_revision(database, log, stream)?,
        _ if exhausted => Revision::new(next.saturating_sub(1)),
        _ => stored_revision(database, log, stream)?,
    };
    let (records, _) = fetch(database, log, &positions, &mut room)?;
    let mut events = Vec::with_capacity(records.len());
    let mut number = first.get();
    for record in records {
        match record {
            Record::Event(event) if event.stream == *stream && event.revision.get() == number => {
                events.push(event);
            }
            _ => {
                let key = keys::stream_index(log, stream, Revision::new(number));
                return Err(damaged(
                    &key.bytes,
                    "the record is not of this stream and revision",
                ));
            }
        }
        number = number.saturating_add(1);
    }
    Ok(StreamPage { revision, events })
}

pub(crate) fn public(
    database: &Database,
    log: LogId,
    stream: &PublicStreamName,
    after: Sequence,
    head: Sequence,
    limit: ReadLimit,
) -> Result<PublicPage, StoreError> {
    let mut room = Room::new(limit);
    let mut events: Vec<PublicEvent> = Vec::new();
    let mut through = after;
    if after < head {
        let from =
            keys::public_record(log, stream, Sequence::new(after.get().saturating_add(1))).bytes;
        database.scan(&keys::public_records(log, stream), &from, |key, body| {
            let sequence = Sequence::new(
                keys::last_number(key).ok_or(Flaw::Content("the key has no sequence"))?,
            );
            if !follows(Position::new(through.get()), Position::new(sequence.get())) {
                return Err(Flaw::Content("a sequence before it is missing"));
            }
            events.push(record::decode_public(stream, sequence, body)?);
            through = sequence;
            let go_on = room.take(key.len() + body.len()) && sequence < head;
            Ok(if go_on {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            })
        })?;
        if through == after || (room.records > 0 && room.bytes > 0 && through < head) {
            let missing =
                keys::public_record(log, stream, Sequence::new(through.get().saturating_add(1)));
            return Err(damaged(&missing.bytes, "it is missing"));
        }
    }
    Ok(PublicPage { events, head })
}
