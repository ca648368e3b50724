//! Look-ups of single things: events by id, heads, cursors, settlements, parked entries.

mod parked;

use std::ops::ControlFlow;

use bytes::Bytes;

use crate::codec::Flaw;
use crate::commit::Expected;
use crate::database::{Database, Reach, damaged};
use crate::digest::Secrets;
use crate::error::StoreError;
use crate::event::{Event, Record};
use crate::index;
use crate::index::block::block_of;
use crate::keys::{self, Indexed, KeyDigest, LogId};
use crate::names::{PublicStreamName, RelayName};
use crate::page::ReadLimit;
use crate::place::{Position, Sequence};
use crate::prepare::{PreparedCommit, PreparedEvent};
use crate::reading::{Room, fetch};
use crate::relay::Settled;
use crate::state::{self, IdEntry, SettlementRecord};

pub(crate) use parked::{parked_entries, parked_entry, parked_keys, resolution};

/// Most events that are found by one id.
const FOUND_MAX: usize = 1_000;
/// How many keys are looked up at a time.
const LAST_OF_KEYS_AT_A_TIME: usize = 256;

/// Looks up what is stored of a commit's ids and streams, as far as the read may look, after the batch `when`.
pub(crate) fn commit(
    database: &Database,
    reach: Reach,
    log: LogId,
    when: u64,
    commit: &mut PreparedCommit,
) -> Result<(), StoreError> {
    match reach {
        // RocksDB reads the disk for several keys at a time, whatever it is told.
        Reach::Memory => {
            for event in commit.events_mut() {
                let key = keys::id_index(log, &event.identity);
                event.stored = database.get_in(reach, &key, IdEntry::decode)?;
            }
        }
        Reach::Disk | Reach::History => {
            let key = |event: &PreparedEvent| keys::id_index(log, &event.identity);
            let sought: Vec<_> = commit.events().map(key).collect();
            let found = database.get_all(reach, &sought, |_, body| IdEntry::decode(body))?;
            for (event, found) in commit.events_mut().zip(found) {
                event.stored = found.map(|(entry, _)| entry);
            }
        }
    }
    for write in &mut commit.writes {
        let believed = match write.expected {
            Expected::Exact(revision) => Some(revision),
            Expected::None | Expected::Exists | Expected::Any => None,
        };
        // All up to the batch `when` is noted, and what came after it the writer knows.
        write.tail = match database.tails.get(log, &write.stream) {
            Some(tail) => Some(tail),
            None => index::tail(database, reach, log, &write.stream, believed)?,
        };
    }
    commit.looked_up = Some(when);
    Ok(())
}

pub(crate) fn find(
    database: &Database,
    log: LogId,
    secrets: &Secrets,
    id: &str,
    source: Option<&str>,
) -> Result<Vec<Event>, StoreError> {
    let prefix = match source {
        Some(source) => keys::id_index(log, &secrets.identity(id, source)),
        None => keys::ids(log, &secrets.id(id)),
    };
    let mut positions = Vec::new();
    database.scan(&prefix, &prefix.bytes, |_, body| {
        positions.push(IdEntry::decode(body)?.position);
        Ok(if positions.len() < FOUND_MAX {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        })
    })?;
    positions.sort();
    let mut room = Room::new(ReadLimit {
        records: FOUND_MAX,
        bytes: ReadLimit::BYTES_MAX,
    });
    let (records, _) = fetch(database, Reach::Disk, log, &positions, &mut room)?;
    let events = records.into_iter().filter_map(|record| match record {
        Record::Event(event) => Some(event),
        Record::System { .. } | Record::Marker { .. } => None,
    });
    // Eight bytes of digest may, rarely, be those of another id.
    Ok(events
        .filter(|event| event.id() == id && source.is_none_or(|source| event.source() == source))
        .collect())
}

/// All system records of a kind, in order.
pub(crate) fn system(
    database: &Database,
    log: LogId,
    kind: &str,
) -> Result<Vec<(Position, Bytes)>, StoreError> {
    let of = Indexed::System(kind);
    let all = Position::new(u64::MAX);
    let positions = index::after(database, log, of, Position::ZERO, all, usize::MAX)?.positions;
    let mut room = Room::unlimited();
    let (records, _) = fetch(database, Reach::Disk, log, &positions, &mut room)?;
    let body = |record| match record {
        Record::System {
            position,
            kind: found,
            body,
            ..
        } if found == kind => Ok((position, body)),
        other => {
            let key = keys::block(log, of, block_of(other.position()));
            Err(damaged(&key.bytes, "the record is not of this kind"))
        }
    };
    records.into_iter().map(body).collect()
}

/// The last sequence of each key and type, in the order in which they are asked.
pub(crate) fn last_of_keys(
    database: &Database,
    log: LogId,
    stream: &PublicStreamName,
    digests: &[KeyDigest],
) -> Result<Vec<Option<Sequence>>, StoreError> {
    let mut last = Vec::with_capacity(digests.len());
    for digests in digests.chunks(LAST_OF_KEYS_AT_A_TIME) {
        let sought: Vec<_> = digests
            .iter()
            .map(|digest| keys::last_of_key(log, stream, digest))
            .collect();
        let found = database.get_all(Reach::Disk, &sought, |_, body| state::decode_number(body))?;
        last.extend(
            found
                .into_iter()
                .map(|found| found.map(|(number, _)| Sequence::new(number))),
        );
    }
    Ok(last)
}

pub(crate) fn public_of(
    database: &Database,
    log: LogId,
    origin: Position,
) -> Result<Vec<(PublicStreamName, Sequence)>, StoreError> {
    let prefix = keys::origins(log, origin);
    let mut found = Vec::new();
    database.scan(&prefix, &prefix.bytes, |key, body| {
        state::decode_empty(body)?;
        let (name, rest) =
            keys::name_after(key, &prefix.bytes).ok_or(Flaw::Content("the key has no name"))?;
        let stream = PublicStreamName::new(name)
            .map_err(|_| Flaw::Content("the public stream's name is none"))?;
        let sequence = keys::last_number(rest).ok_or(Flaw::Content("the key has no sequence"))?;
        found.push((stream, Sequence::new(sequence)));
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(found)
}

/// How many public events lie after `after`, up to `to`. What lies between two epochs is no sequence. `to` is one of the
/// stream's, or 0.
pub(crate) fn public_between(
    database: &Database,
    log: LogId,
    stream: &PublicStreamName,
    after: Sequence,
    to: Sequence,
) -> Result<u64, StoreError> {
    let in_epoch = |end: Sequence| {
        end.get()
            .saturating_sub(after.max(Sequence::start_of(end.epoch())).get())
    };
    let mut count = in_epoch(to);
    // Epochs that have ended are on the disk, whole.
    for epoch in after.epoch()..to.epoch() {
        let end = keys::public_record(log, stream, Sequence::start_of(epoch + 1)).bytes;
        let mut last = Sequence::ZERO;
        database.scan_back(&keys::public_records(log, stream), &end, |key, _| {
            let number = keys::last_number(key).ok_or(Flaw::Content("the key has no sequence"))?;
            last = Sequence::new(number);
            Ok(ControlFlow::Break(()))
        })?;
        if last.epoch() == epoch {
            count = count.saturating_add(in_epoch(last));
        }
    }
    Ok(count)
}

/// Whether a public stream has a sequence.
pub(crate) fn has_public(
    database: &Database,
    log: LogId,
    stream: &PublicStreamName,
    sequence: Sequence,
) -> Result<bool, StoreError> {
    let found = database.get(&keys::public_record(log, stream, sequence), |_| Ok(()))?;
    Ok(found.is_some())
}

pub(crate) fn settled(
    database: &Database,
    log: LogId,
    relay: &RelayName,
    sequence: Sequence,
) -> Result<Option<Settled>, StoreError> {
    let mut settled = None;
    let Some(before) = sequence.get().checked_sub(1) else {
        return Ok(None);
    };
    let from = keys::settlement(log, relay, Sequence::new(before)).bytes;
    database.scan_back(&keys::settlements(log, relay), &from, |_, body| {
        settled = SettlementRecord::decode(body)?.settled(sequence);
        Ok(ControlFlow::Break(()))
    })?;
    Ok(settled)
}
