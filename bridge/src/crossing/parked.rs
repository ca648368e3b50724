//! The keys of one contract or relay that cannot go on, known from memory, and the bounds on how many there may be.

use std::collections::HashMap;

use horizon_store::{LogName, ParkScope, ReadLimit, Store, StoreError};

/// Most keys that may be parked in one place.
pub(crate) const PARKED_KEYS_LIMIT: usize = 10_000;
/// Most events that may wait behind the parked keys of one place.
pub(crate) const PARKED_EVENTS_LIMIT: u64 = 1_000_000;

/// Parked keys and how many events they hold.
#[derive(Debug, Default)]
pub(crate) struct ParkedKeys {
    keys: HashMap<String, u64>,
    events: u64,
}

impl ParkedKeys {
    /// Reads what is parked in one place.
    pub(crate) async fn read(
        store: &Store,
        log: &LogName,
        scope: &ParkScope,
    ) -> Result<ParkedKeys, StoreError> {
        let mut parked = ParkedKeys::default();
        let mut after: Option<String> = None;
        loop {
            let read = store.parked_keys(log, scope, after.as_deref(), ReadLimit::default());
            let page = read.await?;
            after = page.keys.last().map(|key| key.key.clone());
            for key in page.keys {
                parked.events += key.entries;
                parked.keys.insert(key.key, key.entries);
            }
            if !page.more {
                return Ok(parked);
            }
        }
    }

    /// Whether events of `key` have to wait.
    pub(crate) fn holds(&self, key: &str) -> bool {
        !self.keys.is_empty() && self.keys.contains_key(key)
    }

    /// One more event of `key` waits.
    pub(crate) fn add(&mut self, key: &str) {
        match self.keys.get_mut(key) {
            Some(events) => *events += 1,
            None => {
                self.keys.insert(key.to_owned(), 1);
            }
        }
        self.events += 1;
    }

    /// So many events of `key` wait no more; without any, it is parked no more.
    pub(crate) fn remove(&mut self, key: &str, events: u64) {
        let Some(waiting) = self.keys.get_mut(key) else {
            return;
        };
        let events = events.min(*waiting);
        *waiting -= events;
        self.events -= events;
        if *waiting == 0 {
            self.keys.remove(key);
        }
    }

    /// How many events of `key` wait.
    pub(crate) fn waiting(&self, key: &str) -> u64 {
        self.keys.get(key).copied().unwrap_or_default()
    }

    /// Every parked key, sorted.
    pub(crate) fn keys(&self) -> Vec<String> {
        let mut keys: Vec<String> = self.keys.keys().cloned().collect();
        keys.sort_unstable();
        keys
    }

    /// Why no event of `key` can be parked any more, once a bound is reached.
    pub(crate) fn full(&self, key: &str) -> Option<String> {
        let known = self.holds(key) && !self.events_full();
        if known { None } else { self.limit_reached() }
    }

    /// Which bound is reached, if one is.
    pub(crate) fn limit_reached(&self) -> Option<String> {
        if self.keys.len() >= PARKED_KEYS_LIMIT {
            Some(format!(
                "{PARKED_KEYS_LIMIT} keys are parked, and that is the limit"
            ))
        } else if self.events_full() {
            Some(format!(
                "{PARKED_EVENTS_LIMIT} events wait behind parked keys, and that is the limit"
            ))
        } else {
            None
        }
    }

    /// Whether no further event may wait.
    pub(crate) fn events_full(&self) -> bool {
        self.events >= PARKED_EVENTS_LIMIT
    }

    /// How many keys are parked.
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }
}
