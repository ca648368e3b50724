//! Look-ups of what is parked, and of what became of it.

use std::ops::ControlFlow;

use crate::codec::Flaw;
use crate::database::Database;
use crate::digest::Secrets;
use crate::error::StoreError;
use crate::keys::{self, Key, KeyDigest, LogId};
use crate::page::{ParkedKeysPage, ParkedPage, ReadLimit};
use crate::parked::{ParkScope, ParkedEntry, Resolution};
use crate::reading::Room;
use crate::state::{self, ParkedHead};

pub(crate) fn parked_keys(
    database: &Database,
    log: LogId,
    scope: &ParkScope,
    after: Option<&KeyDigest>,
    limit: ReadLimit,
) -> Result<ParkedKeysPage, StoreError> {
    let mut page = ParkedKeysPage::default();
    let mut room = Room::new(limit);
    let prefix = keys::parked_keys(log, scope);
    let from = match after {
        Some(after) => keys::end_of(&keys::parked_key(log, scope, after).bytes),
        None => prefix.bytes.clone(),
    };
    database.scan(&prefix, &from, |key, body| {
        if room.is_full() {
            page.more = true;
            return Ok(ControlFlow::Break(()));
        }
        page.keys.push(ParkedHead::decode(body)?.into());
        room.take(key.len() + body.len());
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(page)
}

pub(crate) fn parked_entries(
    database: &Database,
    log: LogId,
    scope: &ParkScope,
    digest: &KeyDigest,
    after: u64,
    limit: ReadLimit,
) -> Result<ParkedPage, StoreError> {
    let mut page = ParkedPage::default();
    let mut room = Room::new(limit);
    let prefix = keys::parked_entries_of(log, scope, digest);
    let Some(from) = after.checked_add(1) else {
        return Ok(page);
    };
    let from = keys::parked(log, scope, digest, from).bytes;
    database.scan(&prefix, &from, |key, body| {
        if room.is_full() {
            page.more = true;
            return Ok(ControlFlow::Break(()));
        }
        let at = keys::last_number(key).ok_or(Flaw::Content("the key has no place"))?;
        page.entries.push(state::decode_parked(at, body)?);
        room.take(key.len() + body.len());
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(page)
}

pub(crate) fn parked_entry(
    database: &Database,
    log: LogId,
    secrets: &Secrets,
    scope: &ParkScope,
    key: Option<&str>,
    at: u64,
) -> Result<Option<ParkedEntry>, StoreError> {
    let places = keys::parked_at(log, scope, at);
    let Some(digest) = digest_at(database, secrets, key, &places)? else {
        return Ok(None);
    };
    database.get(&keys::parked(log, scope, &digest, at), |body| {
        state::decode_parked(at, body)
    })
}

pub(crate) fn resolution(
    database: &Database,
    log: LogId,
    secrets: &Secrets,
    scope: &ParkScope,
    key: Option<&str>,
    at: u64,
) -> Result<Option<Resolution>, StoreError> {
    let places = keys::resolutions(log, scope, at);
    let Some(digest) = digest_at(database, secrets, key, &places)? else {
        return Ok(None);
    };
    let key = keys::resolution(log, scope, at, &digest);
    database.get(&key, state::decode_resolution)
}

/// The digest of a key, or the first that stands at a place.
fn digest_at(
    database: &Database,
    secrets: &Secrets,
    key: Option<&str>,
    places: &Key,
) -> Result<Option<KeyDigest>, StoreError> {
    if let Some(key) = key {
        return Ok(Some(secrets.key(key)));
    }
    let mut digest = None;
    database.scan(places, &places.bytes, |key, _| {
        digest = keys::last_digest(key);
        Ok(ControlFlow::Break(()))
    })?;
    Ok(digest)
}
