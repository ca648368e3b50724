//! Parked entries, their keys and places, and what became of those that have left.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use super::log::LogCheck;
use super::public::Streams;
use super::state::Settlements;
use super::{Checker, Mend};
use crate::codec::Flaw;
use crate::error::StoreError;
use crate::keys::{self, Family, LogId};
use crate::names::RelayName;
use crate::parked::{ParkOutcome, ParkScope};
use crate::place::Position;
use crate::state::{self, ParkedHead};

impl Checker<'_> {
    /// Takes what became of parked entries at relays into what their settlements say; and none of them is parked still.
    pub(super) fn resolutions(
        &mut self,
        log: LogId,
        settled: &mut BTreeMap<RelayName, Settlements>,
    ) -> Result<(), StoreError> {
        let all = keys::all_of(Family::Resolution, log);
        let (database, mut failed) = (self.database, None);
        self.walk(&all, &all.bytes, Mend::Progress, |checker, key, body| {
            let (scope, at, digest) = keys::parked_place_parts(key)
                .ok_or(Flaw::Content("the key is none of a resolution"))?;
            let outcome = state::decode_resolution(body)?.outcome;
            match database.get(&keys::parked(log, &scope, &digest, at), |_| Ok(())) {
                Ok(None) | Err(StoreError::Damaged { .. }) => {}
                Ok(Some(())) => {
                    checker.found_at(key, "the entry is parked still", Mend::Progress);
                }
                Err(error) => {
                    failed = Some(error);
                    return Ok(ControlFlow::Break(()));
                }
            }
            if let ParkScope::Relay(relay) = scope {
                let settled = settled.entry(relay).or_default();
                settled.parked = settled.parked.saturating_sub(1);
                match outcome {
                    ParkOutcome::Unheard => settled.unheard += 1,
                    ParkOutcome::Skipped { .. } => settled.skipped += 1,
                    ParkOutcome::Crossed | ParkOutcome::Filtered | ParkOutcome::Confirmed => {}
                }
            }
            Ok(ControlFlow::Continue(()))
        })?;
        failed.map_or(Ok(()), Err)
    }

    /// Whether each parked key tells how many entries it has, and which is the first.
    pub(super) fn parked_keys(&mut self, log: LogId) -> Result<(), StoreError> {
        let mut parked: BTreeMap<_, (u64, u64)> = BTreeMap::new();
        let entries = keys::all_of(Family::Parked, log);
        self.walk(&entries, &entries.bytes, Mend::Progress, |_, key, _| {
            // What is wrong with an entry is told with the entries.
            if let Some((scope, digest, at)) = keys::parked_parts(key) {
                let key = keys::parked_key(log, &scope, &digest).bytes;
                let (count, _) = parked.entry(key).or_insert((0, at));
                *count += 1;
            }
            Ok(ControlFlow::Continue(()))
        })?;
        let all = keys::all_of(Family::ParkedKey, log);
        self.walk(&all, &all.bytes, Mend::Progress, |checker, key, body| {
            let head = ParkedHead::decode(body)?;
            let (count, first) = parked.remove(key).unwrap_or_default();
            // A key without entries keeps its place, and says nothing of a first one.
            if head.entries != count || (count > 0 && head.first != first) {
                let problem = format!(
                    "it says {} entries from {}, and there are {count} from {first}",
                    head.entries, head.first
                );
                checker.found_at(key, problem, Mend::Progress);
            }
            Ok(ControlFlow::Continue(()))
        })?;
        for key in parked.into_keys() {
            self.found_at(&key, "it is missing", Mend::Progress);
        }
        Ok(())
    }

    /// Whether each parked entry is of an event that is there, and has its place; and whether there are other places.
    pub(super) fn parked(
        &mut self,
        log: LogId,
        check: &LogCheck,
        streams: &Streams,
    ) -> Result<(), StoreError> {
        let (database, secrets, mut failed) = (self.database, self.secrets, None);
        let (entries, places) = (
            keys::all_of(Family::Parked, log),
            keys::all_of(Family::ParkedPlace, log),
        );
        self.walk(
            &entries,
            &entries.bytes,
            Mend::Progress,
            |checker, key, body| {
                let (scope, digest, at) = keys::parked_parts(key)
                    .ok_or(Flaw::Content("the key is none of a parked entry"))?;
                let entry = state::decode_parked(at, body)?;
                if secrets.key(&entry.key) != digest {
                    let problem = "its key is not the one that it is stored under";
                    checker.found_at(key, problem, Mend::Progress);
                }
                let there = match &scope {
                    ParkScope::Crossing(_) => check.has(Position::new(at)),
                    ParkScope::Relay(_) => streams.values().any(|found| found.last.get() >= at),
                };
                if !there {
                    let problem = format!("it is of an event at {at}, and none is there");
                    checker.found_at(key, problem, Mend::Progress);
                }
                let place = keys::parked_place(log, &scope, at, &digest);
                match database.get(&place, state::decode_empty) {
                    Ok(Some(())) => {}
                    Ok(None) => checker.found_at(&place.bytes, "it is missing", Mend::Progress),
                    // Told with the places.
                    Err(StoreError::Damaged { .. }) => {}
                    Err(error) => {
                        failed = Some(error);
                        return Ok(ControlFlow::Break(()));
                    }
                }
                Ok(ControlFlow::Continue(()))
            },
        )?;
        self.walk(
            &places,
            &places.bytes,
            Mend::Progress,
            |checker, key, body| {
                state::decode_empty(body)?;
                let (scope, at, digest) = keys::parked_place_parts(key)
                    .ok_or(Flaw::Content("the key is none of a parked place"))?;
                match database.get(&keys::parked(log, &scope, &digest, at), |_| Ok(())) {
                    Ok(None) => {
                        checker.found_at(key, "no parked entry is of this place", Mend::Progress);
                    }
                    // Told with the entries.
                    Ok(Some(())) | Err(StoreError::Damaged { .. }) => {}
                    Err(error) => {
                        failed = Some(error);
                        return Ok(ControlFlow::Break(()));
                    }
                }
                Ok(ControlFlow::Continue(()))
            },
        )?;
        failed.map_or(Ok(()), Err)
    }
}
