//! Loading what is known in memory, when the store is opened.
//!
//! A log whose head is not where its last record stands is damaged: both are written together.

use std::ops::ControlFlow;

use crate::codec::Flaw;
use crate::database::{Database, Reach, damaged};
use crate::epoch::{self, EpochBody};
use crate::error::StoreError;
use crate::heads::{Heads, KnownLog};
use crate::keys::{self, Key, LogId};
use crate::lookup;
use crate::names::{CursorName, LogName, NameError, PublicStreamName, RelayName};
use crate::place::Position;
use crate::state::{self, LogHead, RelayState};

/// Loads all logs.
pub(crate) fn load(database: &Database, epoch: u64, heads: &Heads) -> Result<(), StoreError> {
    for (name, id) in logs(database)? {
        let head = head(database, id)?;
        if head.last.epoch() != epoch {
            let reason = format!(
                "the log is in epoch {}, and the store in epoch {epoch}",
                head.last.epoch()
            );
            return Err(damaged(&keys::log_head(id).bytes, &reason));
        }
        let log = KnownLog {
            id,
            head,
            ends: ends(database, id)?,
            cursors: named(
                database,
                &keys::crossing_cursors(id),
                CursorName::new,
                |body| state::decode_number(body).map(Position::new),
            )?
            .into_iter()
            .collect(),
            public_heads: named(
                database,
                &keys::public_heads(id),
                PublicStreamName::new,
                state::decode_public_head,
            )?
            .into_iter()
            .collect(),
            relays: named(
                database,
                &keys::relays(id),
                RelayName::new,
                RelayState::decode,
            )?
            .into_iter()
            .collect(),
        };
        heads.advance(name, log);
    }
    Ok(())
}

/// All logs by name.
pub(crate) fn logs(database: &Database) -> Result<Vec<(LogName, LogId)>, StoreError> {
    named(database, &keys::log_registrations(), LogName::new, |body| {
        state::decode_log(body).map(|(id, _)| id)
    })
}

/// A log's head as it is stored, whatever its records are.
pub(crate) fn stored_head(database: &Database, log: LogId) -> Result<LogHead, StoreError> {
    let key = keys::log_head(log);
    let head = database.get(&key, LogHead::decode)?;
    head.ok_or_else(|| damaged(&key.bytes, "it is missing"))
}

/// Where a log ends, by its head and by its last record.
pub(crate) fn head(database: &Database, log: LogId) -> Result<LogHead, StoreError> {
    let key = keys::log_head(log);
    let head = database.get(&key, LogHead::decode)?;
    let last = database.last(Reach::Disk, &keys::log_records(log), |key, _| {
        keys::last_number(key).ok_or(Flaw::Content("the key has no position"))
    })?;
    match (head, last) {
        (Some(head), Some(last)) if head.last.get() == last => Ok(head),
        (head, last) => {
            let head = head.map_or(0, |head| head.last.get());
            let reason = format!(
                "it says that the log ends at {head}, and its last record is at {}",
                last.unwrap_or_default()
            );
            Err(damaged(&key.bytes, &reason))
        }
    }
}

/// Where the epochs before the present one ended, as the records say that opened the next ones.
pub(crate) fn ends(database: &Database, log: LogId) -> Result<Vec<Position>, StoreError> {
    let end = |(at, body): (Position, bytes::Bytes)| match EpochBody::decode(&body) {
        Ok(body) => Ok(body.after),
        Err(flaw) => Err(damaged(&keys::log_record(log, at).bytes, &flaw.to_string())),
    };
    let records = lookup::system(database, log, epoch::KIND)?;
    records.into_iter().map(end).collect()
}

/// All entries of a family whose keys are names.
fn named<N, T>(
    database: &Database,
    family: &Key,
    name: impl Fn(&str) -> Result<N, NameError>,
    decode: impl Fn(&[u8]) -> Result<T, Flaw>,
) -> Result<Vec<(N, T)>, StoreError> {
    let mut entries = Vec::new();
    database.scan(family, &family.bytes, |key, body| {
        let (text, rest) =
            keys::name_after(key, &family.bytes).ok_or(Flaw::Content("the key has no name"))?;
        if !rest.is_empty() {
            return Err(Flaw::Content("the key goes on after its name"));
        }
        let name = name(text).map_err(|_| Flaw::Content("the name in the key is none"))?;
        entries.push((name, decode(body)?));
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(entries)
}
