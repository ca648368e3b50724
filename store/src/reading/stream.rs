//! A stream, forwards and backwards.

use std::ops::ControlFlow;

use super::{Room, fetch};
use crate::codec::Flaw;
use crate::database::{Caching, Database, damaged};
use crate::error::StoreError;
use crate::event::{Event, Record};
use crate::keys::{self, LogId};
use crate::names::StreamName;
use crate::page::{ReadLimit, StreamPage};
use crate::place::{Position, Revision};
use crate::state;
use crate::writer::stored_revision;

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
    let revisions = first.get()..next;
    let events = events(database, log, stream, &positions, revisions, &mut room)?;
    Ok(StreamPage { revision, events })
}

pub(crate) fn stream_back(
    database: &Database,
    log: LogId,
    stream: &StreamName,
    from: Revision,
    limit: ReadLimit,
) -> Result<StreamPage, StoreError> {
    let mut room = Room::new(limit);
    // First, so that nothing between is missed: a stream only grows.
    let revision = stored_revision(database, log, stream)?;
    let first = from.min(revision);
    let mut next = first.get();
    let mut positions = Vec::new();
    if next > 0 {
        let start = keys::stream_index(log, stream, first).bytes;
        let prefix = keys::stream_revisions(log, stream);
        database.scan_backwards(&prefix, &start, Caching::Keep, |key, body| {
            if positions.len() == room.records {
                return Ok(ControlFlow::Break(()));
            }
            if keys::last_number(key) != Some(next) {
                return Err(Flaw::Content("a revision after it is missing"));
            }
            next = next.saturating_sub(1);
            positions.push(Position::new(state::decode_number(body)?));
            Ok(ControlFlow::Continue(()))
        })?;
        if positions.len() < room.records && next > 0 {
            let missing = keys::stream_index(log, stream, Revision::new(next));
            return Err(damaged(&missing.bytes, "it is missing"));
        }
    }
    let revisions = (next.saturating_add(1)..=first.get()).rev();
    let events = events(database, log, stream, &positions, revisions, &mut room)?;
    Ok(StreamPage { revision, events })
}

pub(crate) fn last_event(
    database: &Database,
    log: LogId,
    stream: &StreamName,
) -> Result<Option<Event>, StoreError> {
    let one = ReadLimit {
        records: 1,
        ..ReadLimit::default()
    };
    let page = stream_back(database, log, stream, Revision::END, one)?;
    Ok(page.events.into_iter().next())
}

/// Fetches the events of a stream's revisions while there is room.
fn events(
    database: &Database,
    log: LogId,
    stream: &StreamName,
    positions: &[Position],
    revisions: impl Iterator<Item = u64>,
    room: &mut Room,
) -> Result<Vec<Event>, StoreError> {
    let (records, _) = fetch(database, log, positions, Caching::Keep, room)?;
    let mut events = Vec::with_capacity(records.len());
    for (record, revision) in records.into_iter().zip(revisions) {
        match record {
            Record::Event(event) if event.stream == *stream && event.revision.get() == revision => {
                events.push(event);
            }
            _ => {
                let key = keys::stream_index(log, stream, Revision::new(revision));
                let reason = "the record is not of this stream and revision";
                return Err(damaged(&key.bytes, reason));
            }
        }
    }
    Ok(events)
}
