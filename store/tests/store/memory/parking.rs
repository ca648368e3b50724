//! What is parked, and what leaves.

use horizon_store::{
    NewParked, ParkOutcome, ParkScope, ParkedEntry, ParkedError, ParkedKey, ParkedKeysPage,
    ParkedPage, ReadLimit, RelayName, Resolution, ResolveError, ResolvedParked,
};

use super::append::NOW_MS;
use super::read::take;
use super::{Log, limits};

impl Log {
    fn places<'a>(
        &'a self,
        scope: &str,
        key: &str,
    ) -> impl Iterator<Item = (u64, &'a Option<String>)> {
        let (scope, key) = (scope.to_owned(), key.to_owned());
        let from = (scope.clone(), key.clone(), 0);
        let of = self
            .parked
            .range(from..)
            .take_while(move |((s, k, _), _)| (s, k) == (&scope, &key));
        of.map(|((_, _, at), reason)| (*at, reason))
    }

    /// Whether all may leave, one after the other.
    pub(super) fn check_leaving(&self, resolved: &[ResolvedParked]) -> Result<(), ParkedError> {
        let mut left: Vec<(&ParkScope, &str, u64)> = Vec::new();
        for ResolvedParked { scope, key, at, .. } in resolved {
            let stays = |place: &u64| !left.contains(&(scope, key.as_str(), *place));
            let name = scope.to_string();
            let places: Vec<u64> = self
                .places(&name, key)
                .map(|(at, _)| at)
                .filter(stays)
                .collect();
            match places.first() {
                Some(first) if first == at => left.push((scope, key, *at)),
                Some(first) if places.contains(at) => {
                    let (scope, at, first) = (scope.clone(), *at, *first);
                    return Err(ParkedError::NotFirst { scope, at, first });
                }
                _ => {
                    let (scope, at) = (scope.clone(), *at);
                    return Err(ParkedError::NotParked { scope, at });
                }
            }
        }
        Ok(())
    }

    pub(super) fn leave(&mut self, resolved: &[ResolvedParked]) {
        for ResolvedParked {
            scope,
            key,
            at,
            outcome,
        } in resolved
        {
            let scope = scope.to_string();
            self.parked.remove(&(scope.clone(), key.clone(), *at));
            let outcome = match outcome {
                ParkOutcome::Skipped { reason } => ParkOutcome::Skipped {
                    reason: limits::cut(reason),
                },
                other => other.clone(),
            };
            let resolution = Resolution {
                outcome,
                at_ms: NOW_MS,
            };
            self.resolved.insert((scope, *at, key.clone()), resolution);
        }
    }

    pub(super) fn park(&mut self, parked: &[NewParked]) {
        for entry in parked {
            let place = (entry.scope.to_string(), entry.key.clone(), entry.at);
            self.parked
                .insert(place, entry.reason.as_deref().map(limits::cut));
        }
    }

    pub(super) fn resolve(
        &mut self,
        relay: &RelayName,
        resolved: &[ResolvedParked],
    ) -> Result<(), ResolveError> {
        limits::resolving(relay, resolved)?;
        self.check_leaving(resolved)?;
        self.leave(resolved);
        for entry in resolved {
            let totals = &mut self.relays.get_mut(relay).unwrap().totals;
            totals.parked -= 1;
            match entry.outcome {
                ParkOutcome::Unheard => totals.unheard += 1,
                ParkOutcome::Skipped { .. } => totals.skipped += 1,
                _ => totals.confirmed += 1,
            }
        }
        Ok(())
    }

    pub(super) fn parked_keys(
        &self,
        scope: &ParkScope,
        after: Option<&str>,
        limit: ReadLimit,
    ) -> ParkedKeysPage {
        let name = scope.to_string();
        let mut keys: Vec<ParkedKey> = Vec::new();
        for ((_, key, at), _) in self
            .parked
            .iter()
            .filter(|((scope, _, _), _)| *scope == name)
        {
            match keys.last_mut().filter(|last| last.key == *key) {
                Some(last) => last.entries += 1,
                None => keys.push(ParkedKey {
                    key: key.clone(),
                    entries: 1,
                    first_at: *at,
                }),
            }
        }
        keys.retain(|key| after.is_none_or(|after| *key.key > *after));
        let (keys, more) = take(keys, limit, |_| 50);
        ParkedKeysPage { keys, more }
    }

    pub(super) fn parked_entries(
        &self,
        scope: &ParkScope,
        key: &str,
        after: u64,
        limit: ReadLimit,
    ) -> ParkedPage {
        let name = scope.to_string();
        let behind = self.places(&name, key).filter(|(at, _)| *at > after);
        let entries = behind.map(|(at, reason)| ParkedEntry {
            key: key.into(),
            at,
            reason: reason.clone(),
        });
        let (entries, more) = take(entries.collect(), limit, |_| 50);
        ParkedPage { entries, more }
    }

    pub(super) fn parked_entry(
        &self,
        scope: &ParkScope,
        key: Option<&str>,
        at: u64,
    ) -> Option<ParkedEntry> {
        let name = scope.to_string();
        let mut found = self.parked.iter().filter(|((scope, found, place), _)| {
            *scope == name && *place == at && key.is_none_or(|key| key == found)
        });
        let ((_, key, _), reason) = found.next()?;
        Some(ParkedEntry {
            key: key.clone(),
            at,
            reason: reason.clone(),
        })
    }

    pub(super) fn resolution(
        &self,
        scope: &ParkScope,
        key: Option<&str>,
        at: u64,
    ) -> Option<Resolution> {
        let name = scope.to_string();
        let mut found = self.resolved.iter().filter(|((scope, place, found), _)| {
            *scope == name && *place == at && key.is_none_or(|key| key == found)
        });
        found.next().map(|(_, resolution)| resolution.clone())
    }
}
