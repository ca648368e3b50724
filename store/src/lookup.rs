//! Look-ups of single things: events by id, heads, cursors, settlements, parked entries.

use std::ops::ControlFlow;

use crate::codec::Flaw;
use crate::database::Database;
use crate::digest::Secrets;
use crate::error::StoreError;
use crate::event::{Event, Record};
use crate::keys::{self, LogId};
use crate::names::{PublicStreamName, RelayName};
use crate::page::ReadLimit;
use crate::parked::{ParkScope, ParkedEntry, ParkedKey};
use crate::place::{Position, Sequence};
use crate::public::PublicHead;
use crate::reading::{Room, fetch};
use crate::relay::Settled;
use crate::state::{self, IdEntry, RelayState, SettlementRecord};

/// Most events that are found by one id.
const FOUND_MAX: usize = 1_000;

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
    let (records, _) = fetch(database, log, &positions, &mut room)?;
    let events = records.into_iter().filter_map(|record| match record {
        Record::Event(event) => Some(event),
        Record::System { .. } | Record::Marker { .. } => None,
    });
    // Eight bytes of digest may, rarely, be those of another id.
    Ok(events
        .filter(|event| event.id == id && source.is_none_or(|source| event.source == source))
        .collect())
}

pub(crate) fn public_head(
    database: &Database,
    log: LogId,
    stream: &PublicStreamName,
) -> Result<Option<PublicHead>, StoreError> {
    database.get(&keys::public_head(log, stream), state::decode_public_head)
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

pub(crate) fn relay(
    database: &Database,
    log: LogId,
    relay: &RelayName,
) -> Result<Option<RelayState>, StoreError> {
    database.get(&keys::relay(log, relay), RelayState::decode)
}

pub(crate) fn settled(
    database: &Database,
    log: LogId,
    relay: &RelayName,
    sequence: Sequence,
) -> Result<Option<Settled>, StoreError> {
    let mut settled = None;
    let from = keys::settlement(log, relay, sequence).bytes;
    database.scan(&keys::settlements(log, relay), &from, |_, body| {
        settled = SettlementRecord::decode(body)?.settled(sequence);
        Ok(ControlFlow::Break(()))
    })?;
    Ok(settled)
}

pub(crate) fn parked_keys(
    database: &Database,
    log: LogId,
    scope: &ParkScope,
) -> Result<Vec<ParkedKey>, StoreError> {
    let prefix = keys::parked_entries(log, scope);
    let mut parked: Vec<ParkedKey> = Vec::new();
    database.scan(&prefix, &prefix.bytes, |key, body| {
        let at = keys::last_number(key).ok_or(Flaw::Content("the key has no place"))?;
        let entry = state::decode_parked(at, body)?;
        match parked.last_mut().filter(|last| last.key == entry.key) {
            Some(last) => last.entries = last.entries.saturating_add(1),
            None => parked.push(ParkedKey {
                key: entry.key,
                entries: 1,
                first_at: at,
            }),
        }
        Ok(ControlFlow::Continue(()))
    })?;
    parked.sort_by_key(|parked| parked.first_at);
    Ok(parked)
}

pub(crate) fn parked_entry(
    database: &Database,
    log: LogId,
    secrets: &Secrets,
    scope: &ParkScope,
    key: Option<&str>,
    at: u64,
) -> Result<Option<ParkedEntry>, StoreError> {
    let mut digest = key.map(|key| secrets.key(key));
    if digest.is_none() {
        let prefix = keys::parked_at(log, scope, at);
        database.scan(&prefix, &prefix.bytes, |key, body| {
            state::decode_empty(body)?;
            digest = keys::last_digest(key);
            Ok(ControlFlow::Break(()))
        })?;
    }
    let Some(digest) = digest else {
        return Ok(None);
    };
    database.get(&keys::parked(log, scope, &digest, at), |body| {
        state::decode_parked(at, body)
    })
}
