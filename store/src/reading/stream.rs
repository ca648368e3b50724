//! A stream, forwards and backwards.

use super::{Room, fetch};
use crate::database::{Database, Reach, damaged};
use crate::error::StoreError;
use crate::event::{Event, Record};
use crate::index::run::run_of;
use crate::index::{self, Found};
use crate::keys::{self, LogId};
use crate::names::StreamName;
use crate::page::{ReadLimit, StreamPage};
use crate::place::{Position, Revision};

pub(crate) fn stream(
    database: &Database,
    log: LogId,
    stream: &StreamName,
    from: Revision,
    limit: ReadLimit,
) -> Result<StreamPage, StoreError> {
    let mut room = Room::new(limit);
    let first = Revision::new(from.get().max(1));
    let Found { positions, more } = index::stream(database, log, stream, first, room.records)?;
    let revision = if positions.is_empty() || more {
        revision(database, log, stream)?
    } else {
        Revision::new(first.get() + positions.len() as u64 - 1)
    };
    let events = events(database, log, stream, &positions, first.get().., &mut room)?;
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
    let revision = revision(database, log, stream)?;
    let first = from.min(revision);
    let Found { positions, .. } = index::stream_back(database, log, stream, first, room.records)?;
    if positions.len() as u64 != first.get().min(room.records as u64) {
        let at = Revision::new(first.get().saturating_sub(positions.len() as u64));
        let key = keys::stream_index(log, stream.as_str(), run_of(at));
        return Err(damaged(&key.bytes, "it is missing, or is not whole"));
    }
    let revisions = (1..=first.get()).rev();
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

fn revision(database: &Database, log: LogId, stream: &StreamName) -> Result<Revision, StoreError> {
    let tail = index::tail(database, Reach::Disk, log, stream, None)?;
    Ok(tail.map_or(Revision::ZERO, |tail| tail.revision))
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
    let (records, _) = fetch(database, Reach::Disk, log, positions, room)?;
    let mut events = Vec::with_capacity(records.len());
    for (record, revision) in records.into_iter().zip(revisions) {
        match record {
            Record::Event(event)
                if event.stream() == stream.as_str() && event.revision.get() == revision =>
            {
                events.push(event);
            }
            _ => {
                let key = keys::stream_index(log, stream.as_str(), run_of(Revision::new(revision)));
                let reason = "a record that it names is not of this stream and revision";
                return Err(damaged(&key.bytes, reason));
            }
        }
    }
    Ok(events)
}
