//! What one relay has in hand: the decision part of the relay, without I/O and without a clock of its own.
//!
//! - Events come in by sequence. At most `in_flight_per_key` of a key are in flight; the window is across keys.
//! - Answers come in any order. The cursor may move to the highest sequence up to which everything is settled, and no further:
//!   `written ≤ settled ≤ in flight ≤ offered`.
//! - After a lost connection everything that is not settled is sent again, in order.

mod parked;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Instant;

use horizon_store::Sequence;

use crate::crossing::parked::ParkedKeys;
use crate::outlets::Answer;

/// The bounds of a window.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WindowLimits {
    /// Most events that wait for an answer at a time.
    pub(crate) in_flight_events: usize,
    /// Most events of one key that do; one keeps their order whatever happens.
    pub(crate) in_flight_per_key: usize,
    /// Most events in hand: read, not yet behind the cursor.
    pub(crate) held_events: usize,
    /// Most bytes of events in hand.
    pub(crate) held_bytes: usize,
}

/// How an event ended at an outlet, as far as the cursor is concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Settled {
    Confirmed,
    Unheard,
    /// The reason is with the first event of a key; those behind it have none.
    Parked(Option<String>),
}

#[derive(Debug)]
enum State {
    /// Behind an earlier event of its key, or ready and not yet sent.
    Waiting,
    InFlight,
    /// Asked to try again, not before this moment.
    Retrying,
    Settled(Settled),
}

#[derive(Debug)]
struct Entry<T> {
    sequence: Sequence,
    key: String,
    size_bytes: usize,
    item: T,
    state: State,
    attempts: u32,
    /// The broker asked to try again, on this connection.
    retried: bool,
}

/// A stretch of settled events that the cursor can pass, with what is to be remembered of them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Advance {
    /// The cursor's new place.
    pub(crate) to: Option<Sequence>,
    /// Events that nobody listened for.
    pub(crate) unheard: Vec<Sequence>,
    /// Events that are parked: key, sequence, and the reason for the first of its key.
    pub(crate) parked: Vec<(String, Sequence, Option<String>)>,
}

impl Advance {
    /// Takes a later stretch in.
    pub(crate) fn extend(&mut self, later: Advance) {
        self.to = later.to.or(self.to);
        self.unheard.extend(later.unheard);
        self.parked.extend(later.parked);
    }
}

/// The events in hand; `T` is what has to be sent of each.
#[derive(Debug)]
pub(crate) struct Window<T> {
    limits: WindowLimits,
    entries: VecDeque<Entry<T>>,
    held_bytes: usize,
    in_flight: usize,
    /// The unsettled events of each key, in order; only the first few may be in flight.
    keys: HashMap<String, VecDeque<Sequence>>,
    ready: BTreeSet<Sequence>,
    /// How many unsettled events were asked to be tried again.
    retried: usize,
    retries: BTreeSet<(Instant, Sequence)>,
    /// The highest sequence that was ever sent.
    highest_sent: Sequence,
    /// Whether nothing more is taken: see [`wind_down`](Self::wind_down).
    closed: bool,
    parked: ParkedKeys,
    /// `unheard: wait`: an event that nobody listens for is tried again instead of passed.
    wait_when_unheard: bool,
}

impl<T> Window<T> {
    pub(crate) fn new(
        limits: WindowLimits,
        parked: ParkedKeys,
        wait_when_unheard: bool,
    ) -> Window<T> {
        Window {
            limits,
            entries: VecDeque::new(),
            held_bytes: 0,
            in_flight: 0,
            keys: HashMap::new(),
            ready: BTreeSet::new(),
            retried: 0,
            retries: BTreeSet::new(),
            highest_sent: Sequence::ZERO,
            closed: false,
            parked,
            wait_when_unheard,
        }
    }

    /// How many more events may be offered.
    pub(crate) fn room(&self) -> usize {
        if self.held_bytes >= self.limits.held_bytes || self.parked.events_full() {
            0
        } else {
            self.limits.held_events.saturating_sub(self.entries.len())
        }
    }

    /// How many events wait for an answer.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Why a refused event could not be parked, or nothing more is read: the relay stands until somebody mends that.
    pub(crate) fn full(&self) -> Option<String> {
        self.parked.limit_reached()
    }

    /// How many keys are parked.
    pub(crate) fn parked_keys(&self) -> usize {
        self.parked.len()
    }

    /// Takes the next event of the public log; sequences only grow. After [`wind_down`](Self::wind_down) nothing is taken: there
    /// would be a gap before it that the cursor must not pass.
    pub(crate) fn offer(&mut self, sequence: Sequence, key: &str, size_bytes: usize, item: T) {
        if self.closed {
            return;
        }
        debug_assert!(
            self.entries
                .back()
                .is_none_or(|last| last.sequence < sequence)
        );
        self.held_bytes += size_bytes;
        let key = key.to_owned();
        let mut entry = Entry {
            sequence,
            key,
            size_bytes,
            item,
            state: State::Waiting,
            attempts: 0,
            retried: false,
        };
        if self.parked.holds(&entry.key) {
            self.parked.add(&entry.key);
            entry.state = State::Settled(Settled::Parked(None));
        } else {
            let waiting = self.keys.entry(entry.key.clone()).or_default();
            if waiting.len() < self.limits.in_flight_per_key {
                self.ready.insert(sequence);
            }
            waiting.push_back(sequence);
        }
        self.entries.push_back(entry);
    }

    /// The next event to send, if one may go now: it counts as in flight until it is settled.
    pub(crate) fn next(&mut self, now: Instant) -> Option<(Sequence, &T)> {
        self.next_of(now, |ready| ready.first().copied())
    }

    /// The same, with a choice among those that may go.
    pub(crate) fn next_of(
        &mut self,
        now: Instant,
        choose: impl FnOnce(&BTreeSet<Sequence>) -> Option<Sequence>,
    ) -> Option<(Sequence, &T)> {
        self.take_due(now);
        if self.in_flight >= self.limits.in_flight_events {
            return None;
        }
        let sequence = choose(&self.ready)?;
        self.ready.remove(&sequence);
        self.in_flight += 1;
        self.highest_sent = self.highest_sent.max(sequence);
        let entry = self.entry(sequence)?;
        entry.state = State::InFlight;
        entry.attempts = entry.attempts.saturating_add(1);
        Some((sequence, &entry.item))
    }

    /// The events that may go now.
    pub(crate) fn ready(&mut self, now: Instant) -> impl Iterator<Item = Sequence> {
        self.take_due(now);
        self.ready.iter().copied()
    }

    fn take_due(&mut self, now: Instant) {
        while let Some(&(due, sequence)) = self.retries.first() {
            if due > now {
                break;
            }
            self.retries.pop_first();
            self.ready.insert(sequence);
        }
    }

    /// Whether an event that was to be tried again is not settled yet, sent again or not.
    pub(crate) fn has_retries(&self) -> bool {
        self.retried > 0
    }

    /// When an event that was asked to try again may go.
    pub(crate) fn next_retry(&self) -> Option<Instant> {
        self.retries.first().map(|(due, _)| *due)
    }

    /// How often this event was sent since it came in.
    pub(crate) fn attempts(&self, sequence: Sequence) -> u32 {
        self.index(sequence)
            .and_then(|index| self.entries.get(index))
            .map_or(0, |entry| entry.attempts)
    }

    /// Takes an outlet's answer. `retry_at` says when an event that is to be tried again may go. Answers to events that are not in
    /// flight (from an earlier connection) are ignored.
    pub(crate) fn settle(&mut self, sequence: Sequence, answer: Answer, retry_at: Instant) {
        let wait_when_unheard = self.wait_when_unheard;
        let Some(entry) = self.entry(sequence) else {
            return;
        };
        if !matches!(entry.state, State::InFlight) {
            return;
        }
        let settled = match answer {
            Answer::Confirmed => Settled::Confirmed,
            Answer::Unheard if !wait_when_unheard => Settled::Unheard,
            Answer::Refused(reason) => {
                self.in_flight -= 1;
                self.park(sequence, reason, retry_at);
                return;
            }
            Answer::Unheard | Answer::TryAgain(_) => {
                entry.state = State::Retrying;
                let first = !std::mem::replace(&mut entry.retried, true);
                self.retried += usize::from(first);
                self.in_flight -= 1;
                self.retries.insert((retry_at, sequence));
                return;
            }
        };
        entry.state = State::Settled(settled);
        let key = entry.key.clone();
        let retried = std::mem::take(&mut entry.retried);
        self.retried -= usize::from(retried);
        self.in_flight -= 1;
        let per_key = self.limits.in_flight_per_key;
        if let Some(waiting) = self.keys.get_mut(&key) {
            if let Some(place) = waiting
                .iter()
                .take(per_key)
                .position(|one| *one == sequence)
            {
                waiting.remove(place);
            }
            // One more has come among the first, and has not been sent.
            if let Some(&next) = waiting.get(per_key - 1) {
                self.ready.insert(next);
            }
            if waiting.is_empty() {
                self.keys.remove(&key);
            }
        }
    }

    /// The events that wait for an answer.
    pub(crate) fn sequences_in_flight(&self) -> impl Iterator<Item = Sequence> {
        let in_flight = |entry: &&Entry<T>| matches!(entry.state, State::InFlight);
        self.entries
            .iter()
            .filter(in_flight)
            .map(|entry| entry.sequence)
    }

    /// Everything that can be passed now. What is returned has left the window and must be written with the cursor.
    pub(crate) fn advance(&mut self) -> Advance {
        let mut advance = Advance::default();
        while self
            .entries
            .front()
            .is_some_and(|entry| matches!(entry.state, State::Settled(_)))
        {
            let Some(entry) = self.entries.pop_front() else {
                break;
            };
            self.held_bytes = self.held_bytes.saturating_sub(entry.size_bytes);
            advance.to = Some(entry.sequence);
            match entry.state {
                State::Settled(Settled::Unheard) => advance.unheard.push(entry.sequence),
                State::Settled(Settled::Parked(reason)) => {
                    advance.parked.push((entry.key, entry.sequence, reason));
                }
                _ => {}
            }
        }
        advance
    }

    /// Lets go of everything behind the highest event that was sent. What stays has to be settled before the relay can stop
    /// without sending anything twice later: the cursor passes an event only when those before it are settled too.
    pub(crate) fn wind_down(&mut self) {
        self.closed = true;
        while self
            .entries
            .back()
            .is_some_and(|entry| entry.sequence > self.highest_sent)
        {
            let Some(entry) = self.entries.pop_back() else {
                break;
            };
            self.held_bytes = self.held_bytes.saturating_sub(entry.size_bytes);
            self.ready.remove(&entry.sequence);
            if let Some(waiting) = self.keys.get_mut(&entry.key) {
                waiting.pop_back();
                if waiting.is_empty() {
                    self.keys.remove(&entry.key);
                }
            }
        }
    }

    /// Whether nothing more is taken, and what was not sent was let go of.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Whether nothing is in hand.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The connection is gone: everything that is not settled is to be sent again, in order; what was asked to be tried again waits
    /// until it may go all the same.
    pub(crate) fn connection_lost(&mut self) {
        self.in_flight = 0;
        for entry in &mut self.entries {
            if matches!(entry.state, State::InFlight) {
                entry.state = State::Waiting;
            }
        }
        let waits: BTreeSet<Sequence> = self.retries.iter().map(|(_, one)| *one).collect();
        let first = |waiting: &VecDeque<Sequence>| -> Vec<Sequence> {
            let first = waiting.iter().take(self.limits.in_flight_per_key);
            first.filter(|one| !waits.contains(one)).copied().collect()
        };
        self.ready = self.keys.values().flat_map(first).collect();
    }

    fn index(&self, sequence: Sequence) -> Option<usize> {
        self.entries
            .binary_search_by_key(&sequence, |entry| entry.sequence)
            .ok()
    }

    fn entry(&mut self, sequence: Sequence) -> Option<&mut Entry<T>> {
        let index = self.index(sequence)?;
        self.entries.get_mut(index)
    }
}

#[cfg(test)]
mod tests;
