//! What is selected of a log, by its index, forwards and backwards.

use std::ops::ControlFlow;

use super::{Room, caching, fetch};
use crate::codec::Flaw;
use crate::database::{Database, damaged};
use crate::error::StoreError;
use crate::event::Record;
use crate::keys::{self, Key, LogId};
use crate::page::{LogPage, ReadLimit};
use crate::place::Position;
use crate::selection::Selection;
use crate::state;

/// Where an index has the positions of what is selected; none if everything is.
fn index(log: LogId, selection: &Selection) -> Option<Key> {
    match selection {
        Selection::All => None,
        Selection::Category(category) => Some(keys::category_positions(log, category)),
        Selection::EventType(event_type) => Some(keys::type_positions(log, event_type)),
    }
}

pub(crate) fn selected(
    database: &Database,
    log: LogId,
    selection: &Selection,
    after: Position,
    head: Position,
    limit: ReadLimit,
) -> Result<LogPage, StoreError> {
    let Some(index) = index(log, selection) else {
        return super::log(database, log, after, head, limit);
    };
    let mut room = Room::new(limit);
    let mut positions = Vec::new();
    let mut exhausted = true;
    let caching = caching(after.get(), head.get());
    if after < head {
        let from = index.clone().place(after.get().saturating_add(1)).bytes;
        database.scan_forwards(&index, &from, caching, |key, body| {
            let position = position(key, body)?;
            if position > head {
                return Ok(ControlFlow::Break(()));
            }
            exhausted = positions.len() < room.records;
            Ok(collect(&mut positions, position, exhausted))
        })?;
    }
    let (records, all) = fetch(database, log, &positions, caching, &mut room)?;
    check(&index, selection, &records)?;
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

pub(crate) fn selected_back(
    database: &Database,
    log: LogId,
    selection: &Selection,
    before: Position,
    head: Position,
    limit: ReadLimit,
) -> Result<LogPage, StoreError> {
    let Some(index) = index(log, selection) else {
        return super::log_back(database, log, before, head, limit);
    };
    let mut room = Room::new(limit);
    let mut positions = Vec::new();
    let mut exhausted = true;
    let last = before.get().saturating_sub(1).min(head.get());
    let caching = caching(last, head.get());
    if last > 0 {
        let from = index.clone().place(last).bytes;
        database.scan_backwards(&index, &from, caching, |key, body| {
            let position = position(key, body)?;
            exhausted = positions.len() < room.records;
            Ok(collect(&mut positions, position, exhausted))
        })?;
    }
    let (records, all) = fetch(database, log, &positions, caching, &mut room)?;
    check(&index, selection, &records)?;
    let through = match records.last() {
        Some(last) if !(all && exhausted) => last.position(),
        _ => Position::ZERO,
    };
    Ok(LogPage {
        records,
        through,
        head,
    })
}

fn position(key: &[u8], body: &[u8]) -> Result<Position, Flaw> {
    state::decode_empty(body)?;
    keys::last_number(key)
        .map(Position::new)
        .ok_or(Flaw::Content("the key has no position"))
}

/// Takes a position if there is room for it.
fn collect(positions: &mut Vec<Position>, position: Position, room: bool) -> ControlFlow<()> {
    if !room {
        return ControlFlow::Break(());
    }
    positions.push(position);
    ControlFlow::Continue(())
}

/// An index that names another record than it should is damaged.
fn check(index: &Key, selection: &Selection, records: &[Record]) -> Result<(), StoreError> {
    match records.iter().find(|record| !selection.fits(record)) {
        None => Ok(()),
        Some(record) => {
            let key = index.clone().place(record.position().get());
            let reason = "the record is not of this category or type";
            Err(damaged(&key.bytes, reason))
        }
    }
}
