//! What is selected of a log, by its index, forwards and backwards.

use super::{Room, fetch, reach};
use crate::database::{Database, Reach, damaged};
use crate::error::StoreError;
use crate::event::Record;
use crate::index::block::block_of;
use crate::index::{self, Found};
use crate::keys::{self, Indexed, LogId};
use crate::page::{LogPage, ReadLimit};
use crate::place::Position;
use crate::selection::Selection;

/// What the index has it under; none if everything is selected.
fn indexed(selection: &Selection) -> Option<Indexed<'_>> {
    match selection {
        Selection::All => None,
        Selection::Category(category) => Some(Indexed::Category(category)),
        Selection::EventType(event_type) => Some(Indexed::Type(event_type)),
    }
}

pub(crate) fn selected(
    database: &Database,
    reach: Reach,
    log: LogId,
    selection: &Selection,
    after: Position,
    head: Position,
    limit: ReadLimit,
) -> Result<LogPage, StoreError> {
    let Some(of) = indexed(selection) else {
        return super::log(database, reach, log, after, head, limit);
    };
    if reach == Reach::Memory {
        // Near the head the log itself tells, and needs no index: all of what is there, or the index is asked.
        let all = ReadLimit {
            records: ReadLimit::RECORDS_MAX,
            ..limit
        };
        let mut page = super::log(database, reach, log, after, head, all)?;
        page.records.retain(|record| selection.fits(record));
        if page.through < head || page.records.len() > limit.records {
            return Err(StoreError::Io {
                reason: "there is more than is read at once".into(),
            });
        }
        return Ok(page);
    }
    let mut room = Room::new(limit);
    let found = if after < head {
        index::after(database, log, of, after, head, room.records)?
    } else {
        Found::default()
    };
    let (records, all) = fetch(database, reach, log, &found.positions, &mut room)?;
    check(log, of, selection, &records)?;
    let through = match records.last() {
        Some(last) if !all || found.more => last.position(),
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
    let Some(of) = indexed(selection) else {
        return super::log_back(database, log, before, head, limit);
    };
    let mut room = Room::new(limit);
    // What was written since the head was noted is left out.
    let before = before.min(Position::new(head.get().saturating_add(1)));
    let found = index::before(database, log, of, before, room.records)?;
    let reach = reach(before.get(), head.get());
    let (records, all) = fetch(database, reach, log, &found.positions, &mut room)?;
    check(log, of, selection, &records)?;
    let through = match records.last() {
        Some(last) if !all || found.more => last.position(),
        _ => Position::ZERO,
    };
    Ok(LogPage {
        records,
        through,
        head,
    })
}

/// An index that names another record than it should is damaged.
fn check(
    log: LogId,
    of: Indexed<'_>,
    selection: &Selection,
    records: &[Record],
) -> Result<(), StoreError> {
    match records.iter().find(|record| !selection.fits(record)) {
        None => Ok(()),
        Some(record) => {
            let key = keys::block(log, of, block_of(record.position()));
            let reason = "a record that it names is not of this category or type";
            Err(damaged(&key.bytes, reason))
        }
    }
}
