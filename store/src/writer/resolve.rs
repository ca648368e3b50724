//! What is parked, and what leaves: entries, their places and keys, and what became of them.
//!
//! - The entries of a key leave in order, the first one first: its key tells which that is.
//! - An entry that leaves is deleted with what became of it, in one batch.

use std::collections::{BTreeMap, HashMap};
use std::ops::{Bound, ControlFlow};

use super::draft::Draft;
use crate::database::damaged;
use crate::error::StoreError;
use crate::keys::{self, Key, LogId};
use crate::names::LogName;
use crate::parked::{ParkOutcome, ParkedError, ResolveError};
use crate::prepare::{PreparedParked, PreparedResolved, PreparedResolving};
use crate::relay::RelayTotals;
use crate::state::{self, ParkedHead};

/// What a batch changes of what is parked, on top of what is stored; by the bytes of keys.
#[derive(Default)]
pub(super) struct ParkedDraft {
    /// Entries: whether each is there.
    entries: BTreeMap<Vec<u8>, bool>,
    /// Parked keys; none if one is parked no more.
    keys: HashMap<Vec<u8>, Option<ParkedHead>>,
}

/// What a call changes of what is parked, worked out before anything is written.
#[derive(Default)]
pub(super) struct Parking {
    keys: HashMap<Vec<u8>, (Key, Option<ParkedHead>)>,
    /// The new entries, by the bytes of their keys.
    new: BTreeMap<Vec<u8>, bool>,
}

impl Draft<'_> {
    /// Works out what becomes of the parked keys if some entries leave, and then others come.
    pub(super) fn check_parking(
        &mut self,
        log: &LogName,
        resolved: &[PreparedResolved],
        parked: &[PreparedParked],
    ) -> Result<Parking, ResolveError> {
        let mut parking = Parking::default();
        for resolved in resolved {
            let id = self.log(log).id.ok_or_else(|| not_parked(resolved))?;
            self.check_leaving(id, resolved, &mut parking)?;
        }
        Ok(self.check_coming(log, parked, parking)?)
    }

    fn check_leaving(
        &self,
        log: LogId,
        resolved: &PreparedResolved,
        parking: &mut Parking,
    ) -> Result<(), ResolveError> {
        let PreparedResolved { entry, digest } = resolved;
        let key = keys::parked_key(log, &entry.scope, digest);
        let Some(mut head) = self.parked_head(&key, parking)? else {
            return Err(not_parked(resolved).into());
        };
        if head.first != entry.at {
            let at = keys::parked(log, &entry.scope, digest, entry.at);
            // One before the first has left, whatever is still stored.
            return Err(if entry.at > head.first && self.is_parked(&at)? {
                let scope = entry.scope.clone();
                ParkedError::NotFirst {
                    scope,
                    at: entry.at,
                    first: head.first,
                }
            } else {
                not_parked(resolved)
            }
            .into());
        }
        head.entries = head.entries.saturating_sub(1);
        let next = self.next_parked(log, resolved)?;
        let left = match (next, head.entries) {
            (None, 0) => None,
            (Some(first), 1..) => Some(ParkedHead { first, ..head }),
            _ => {
                let reason = "it tells of more or fewer entries than there are";
                return Err(damaged(&key.bytes, reason).into());
            }
        };
        parking.keys.insert(key.bytes.clone(), (key, left));
        Ok(())
    }

    /// Works out what becomes of the parked keys if entries come.
    pub(super) fn check_coming(
        &mut self,
        log: &LogName,
        parked: &[PreparedParked],
        mut parking: Parking,
    ) -> Result<Parking, StoreError> {
        if let Some(id) = self.log(log).id {
            for parked in parked {
                self.check_one_coming(id, parked, &mut parking)?;
            }
        }
        Ok(parking)
    }

    fn check_one_coming(
        &self,
        log: LogId,
        parked: &PreparedParked,
        parking: &mut Parking,
    ) -> Result<(), StoreError> {
        let PreparedParked { entry, digest } = parked;
        let key = keys::parked_key(log, &entry.scope, digest);
        let at = keys::parked(log, &entry.scope, digest, entry.at);
        let head = match self.parked_head(&key, parking)? {
            None => ParkedHead {
                key: entry.key.clone(),
                entries: 1,
                first: entry.at,
                last: entry.at,
            },
            Some(mut head) => {
                // Only an entry that is not there already is one more; most come behind the last.
                let new = entry.at > head.last
                    || entry.at < head.first
                    || !(parking.new.contains_key(&at.bytes) || self.is_parked(&at)?);
                head.entries = head.entries.saturating_add(u64::from(new));
                head.first = head.first.min(entry.at);
                head.last = head.last.max(entry.at);
                head
            }
        };
        parking.keys.insert(key.bytes.clone(), (key, Some(head)));
        parking.new.insert(at.bytes, true);
        Ok(())
    }

    /// A parked key as the call so far leaves it.
    fn parked_head(&self, key: &Key, parking: &Parking) -> Result<Option<ParkedHead>, StoreError> {
        if let Some((_, head)) = parking.keys.get(&key.bytes) {
            return Ok(head.clone());
        }
        match self.parked.keys.get(&key.bytes) {
            Some(head) => Ok(head.clone()),
            None => self.database.get(key, ParkedHead::decode),
        }
    }

    fn is_parked(&self, entry: &Key) -> Result<bool, StoreError> {
        match self.parked.entries.get(&entry.bytes) {
            Some(there) => Ok(*there),
            None => Ok(self.database.get(entry, |_| Ok(()))?.is_some()),
        }
    }

    /// The place of the entry behind one that is the first of its key.
    fn next_parked(
        &self,
        log: LogId,
        resolved: &PreparedResolved,
    ) -> Result<Option<u64>, StoreError> {
        let PreparedResolved { entry, digest } = resolved;
        let all = keys::parked_entries_of(log, &entry.scope, digest);
        let behind = keys::parked(log, &entry.scope, digest, entry.at.saturating_add(1)).bytes;
        // What this batch has deleted is before the first.
        let mut stored = None;
        self.database.scan(&all, &behind, |key, _| {
            stored = keys::last_number(key);
            Ok(ControlFlow::Break(()))
        })?;
        let range = (
            Bound::Included(behind),
            Bound::Excluded(keys::end_of(&all.bytes)),
        );
        let mut drafted = self.parked.entries.range(range);
        let drafted = drafted.find_map(|(key, there)| keys::last_number(key).filter(|_| *there));
        Ok([stored, drafted].into_iter().flatten().min())
    }

    /// Writes what was worked out.
    pub(super) fn apply_parking(
        &mut self,
        log: LogId,
        resolved: &[PreparedResolved],
        parked: &[PreparedParked],
        parking: Parking,
    ) {
        for PreparedResolved { entry, digest } in resolved {
            let key = keys::parked(log, &entry.scope, digest, entry.at);
            self.parked.entries.insert(key.bytes.clone(), false);
            self.batch.delete(key);
            self.batch
                .delete(keys::parked_place(log, &entry.scope, entry.at, digest));
            self.batch.put(
                keys::resolution(log, &entry.scope, entry.at, digest),
                &state::encode_resolution(&entry.outcome, self.now_ms),
            );
        }
        for PreparedParked { entry, digest } in parked {
            let body = state::encode_parked(&entry.key, entry.reason.as_deref());
            self.batch
                .put(keys::parked(log, &entry.scope, digest, entry.at), &body);
            self.batch
                .put(keys::parked_place(log, &entry.scope, entry.at, digest), &[]);
        }
        self.parked.entries.extend(parking.new);
        for (bytes, (key, head)) in parking.keys {
            match &head {
                Some(head) => self.batch.put(key, &head.encode()),
                None => self.batch.delete(key),
            }
            self.parked.keys.insert(bytes, head);
        }
    }

    /// Lets entries leave a relay, and counts them as what became of them.
    pub(super) fn resolve(
        &mut self,
        log: &LogName,
        prepared: &PreparedResolving,
    ) -> Result<(), ResolveError> {
        let resolved = &prepared.resolved;
        let Some(first) = resolved.first() else {
            return Ok(());
        };
        let parking = self.check_parking(log, resolved, &[])?;
        let Some(mut relay) = self.relay(log, &prepared.relay) else {
            return Err(not_parked(first).into());
        };
        let id = self.registered(log);
        let key = keys::relay(id, &prepared.relay);
        for resolved in resolved {
            if !count(&mut relay.totals, &resolved.entry.outcome) {
                let reason = "it has fewer parked entries than there are";
                return Err(damaged(&key.bytes, reason).into());
            }
        }
        self.apply_parking(id, resolved, &[], parking);
        self.batch.put(key, &relay.encode());
        self.log(log).relays.insert(prepared.relay.clone(), relay);
        self.sync = true;
        Ok(())
    }
}

/// Counts a parked entry as what became of it; false if none was counted as parked.
fn count(totals: &mut RelayTotals, outcome: &ParkOutcome) -> bool {
    let Some(parked) = totals.parked.checked_sub(1) else {
        return false;
    };
    totals.parked = parked;
    let total = match outcome {
        ParkOutcome::Confirmed => &mut totals.confirmed,
        ParkOutcome::Unheard => &mut totals.unheard,
        ParkOutcome::Skipped { .. } => &mut totals.skipped,
        ParkOutcome::Crossed | ParkOutcome::Filtered => return false,
    };
    *total = total.saturating_add(1);
    true
}

fn not_parked(resolved: &PreparedResolved) -> ParkedError {
    ParkedError::NotParked {
        scope: resolved.entry.scope.clone(),
        at: resolved.entry.at,
    }
}
