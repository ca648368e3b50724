//! A log as a whole, forwards and backwards.

use std::ops::ControlFlow;

use super::{Room, follows, reach};
use crate::codec::Flaw;
use crate::database::{Database, Reach, damaged};
use crate::error::StoreError;
use crate::keys::{self, LogId};
use crate::page::{LogPage, ReadLimit};
use crate::place::Position;
use crate::record::{self, Pool};

pub(crate) fn log(
    database: &Database,
    reach: Reach,
    log: LogId,
    after: Position,
    head: Position,
    limit: ReadLimit,
) -> Result<LogPage, StoreError> {
    let mut room = Room::new(limit);
    let (mut records, mut pool) = (Vec::with_capacity(room.likely()), Pool::default());
    let mut through = after;
    if after < head {
        let from = keys::log_record(log, Position::new(after.get().saturating_add(1))).bytes;
        database.scan_in(reach, &keys::log_records(log), &from, |key, body| {
            let position = Position::new(
                keys::last_number(key).ok_or(Flaw::Content("the key has no position"))?,
            );
            if !follows(through, position) {
                return Err(Flaw::Content("a position before it is missing"));
            }
            records.push(record::decode(position, body, &mut pool)?);
            through = position;
            let go_on = room.take(key.len() + body.len()) && position < head;
            Ok(if go_on {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            })
        })?;
        if through == after || (!room.is_full() && through < head) {
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

pub(crate) fn log_back(
    database: &Database,
    log: LogId,
    before: Position,
    head: Position,
    limit: ReadLimit,
) -> Result<LogPage, StoreError> {
    let mut room = Room::new(limit);
    let (mut records, mut pool) = (Vec::with_capacity(room.likely()), Pool::default());
    let last = Position::new(before.get().saturating_sub(1)).min(head);
    let reach = reach(last.get(), head.get());
    let mut above = if before > head {
        None
    } else {
        first_from(database, reach, log, before)?
    };
    let mut reached = before;
    if last > Position::ZERO {
        let from = keys::log_record(log, last).bytes;
        database.scan_back_in(reach, &keys::log_records(log), &from, |key, body| {
            let position = Position::new(
                keys::last_number(key).ok_or(Flaw::Content("the key has no position"))?,
            );
            // Without one above it, it is the head.
            if !above.map_or(position == head, |above| follows(position, above)) {
                return Err(Flaw::Content("a position after it is missing"));
            }
            records.push(record::decode(position, body, &mut pool)?);
            above = Some(position);
            reached = position;
            Ok(if room.take(key.len() + body.len()) {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            })
        })?;
        // A log may begin in a later epoch than the first.
        let is_first = above.is_some_and(|above| follows(Position::ZERO, above));
        if !is_first && (records.is_empty() || !room.is_full()) {
            let missing = keys::log_record(log, Position::new(reached.get().saturating_sub(1)));
            return Err(damaged(&missing.bytes, "it is missing"));
        }
    }
    let through = if room.is_full() && reached.get() > 1 {
        reached
    } else {
        Position::ZERO
    };
    Ok(LogPage {
        records,
        through,
        head,
    })
}

/// The first position that is stored, at a place or after it.
fn first_from(
    database: &Database,
    reach: Reach,
    log: LogId,
    from: Position,
) -> Result<Option<Position>, StoreError> {
    let mut first = None;
    let start = keys::log_record(log, from).bytes;
    database.scan_in(reach, &keys::log_records(log), &start, |key, _| {
        first = keys::last_number(key).map(Position::new);
        Ok(ControlFlow::Break(()))
    })?;
    Ok(first)
}
