//! What a window knows of parked keys: what of them is held in it, and how they come and go.

use std::collections::VecDeque;
use std::time::Instant;

use horizon_store::Sequence;

use super::{Entry, Settled, State, Window};

impl<T> Entry<T> {
    fn holds_parked(&self, key: &str) -> bool {
        matches!(self.state, State::Settled(Settled::Parked(_))) && self.key == key
    }
}

impl<T> Window<T> {
    /// The parked keys.
    pub(crate) fn parked_key_names(&self) -> Vec<String> {
        self.parked.keys()
    }

    /// How many events of a key are parked, in the store, on their way there, or held here.
    pub(crate) fn parked_events(&self, key: &str) -> u64 {
        self.parked.waiting(key)
    }

    /// How many of those are held here: nobody has been told of them yet.
    pub(crate) fn held_parked(&self, key: &str) -> u64 {
        let held = self.entries.iter().filter(|entry| entry.holds_parked(key));
        held.count() as u64
    }

    /// A parked event of this key has left.
    pub(crate) fn unparked(&mut self, key: &str) {
        self.parked.remove(key, 1);
    }

    /// A key is parked no more: what is held here of it goes the ordinary way, in order.
    pub(crate) fn go_on(&mut self, key: &str) {
        let mut waiting = VecDeque::new();
        for entry in self
            .entries
            .iter_mut()
            .filter(|entry| entry.holds_parked(key))
        {
            entry.state = State::Waiting;
            waiting.push_back(entry.sequence);
        }
        self.parked.remove(key, waiting.len() as u64);
        let first = waiting.iter().take(self.limits.in_flight_per_key);
        self.ready.extend(first);
        if !waiting.is_empty() {
            self.keys.insert(key.to_owned(), waiting);
        }
    }

    /// Parks the key of `sequence`: everything of the key that is in hand and not settled waits with it, in order. What of it is in
    /// flight besides goes out again later. Where nothing more may be parked the event stays where it is, and the cursor with it.
    pub(super) fn park(&mut self, sequence: Sequence, reason: String, retry_at: Instant) {
        let Some(entry) = self.entry(sequence) else {
            return;
        };
        let key = entry.key.clone();
        if self.parked.full(&key).is_some() {
            if let Some(entry) = self.entry(sequence) {
                entry.state = State::Retrying;
            }
            self.retries.insert((retry_at, sequence));
            return;
        }
        let mut reason = Some(reason);
        for waiting in self.keys.remove(&key).unwrap_or_default() {
            self.parked.add(&key);
            self.ready.remove(&waiting);
            if let Some(entry) = self.entry(waiting) {
                let parked = State::Settled(Settled::Parked(reason.take()));
                let before = std::mem::replace(&mut entry.state, parked);
                let retried = std::mem::take(&mut entry.retried);
                self.retried -= usize::from(retried);
                match before {
                    State::InFlight if waiting != sequence => self.in_flight -= 1,
                    State::Retrying => self.retries.retain(|(_, one)| *one != waiting),
                    _ => {}
                }
            }
        }
    }
}
