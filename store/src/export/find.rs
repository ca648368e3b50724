//! What an export finds besides pages: markers' bodies, and families whose keys are names.

use std::ops::ControlFlow;

use crate::codec::Flaw;
use crate::database::{Database, Moment, damaged};
use crate::error::StoreError;
use crate::keys::{self, Key, LogId};
use crate::names::NameError;
use crate::place::Position;

/// What a marker's record says after its first byte.
pub(super) fn marker(database: &Database, log: LogId, at: Position) -> Result<Vec<u8>, StoreError> {
    let key = keys::log_record(log, at);
    let body = database.get(&key, |body| Ok(body.iter().skip(1).copied().collect()))?;
    body.ok_or_else(|| damaged(&key.bytes, "it is missing"))
}

/// All entries of a family whose keys are names, at a moment.
pub(super) fn named<N, T>(
    moment: &Moment<'_>,
    family: &Key,
    name: impl Fn(&str) -> Result<N, NameError>,
    decode: impl Fn(&[u8]) -> Result<T, Flaw>,
) -> Result<Vec<(N, T)>, StoreError> {
    let mut entries = Vec::new();
    moment.scan(family, &family.bytes, |key, body| {
        let (text, _) =
            keys::name_after(key, &family.bytes).ok_or(Flaw::Content("the key has no name"))?;
        let name = name(text).map_err(|_| Flaw::Content("the name in the key is none"))?;
        entries.push((name, decode(body)?));
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(entries)
}
