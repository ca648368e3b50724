//! Parked keys of a relay on their way to be live again: the decision part, without I/O and without a clock of its own.
//!
//! - Each key has a lane beside the window, and in it at most one event in flight: the first that waits.
//! - What came through leaves what is parked. The key is parked until nothing of it waits, so that what is read meanwhile waits
//!   behind it; then what the window holds of it goes the ordinary way, in order.
//! - A lane that meets a refusal ends: its event stays the first that waits.

mod lane;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::Instant;

use horizon_store::{ParkOutcome, Sequence};

use super::window::Window;
use crate::outlets::Answer;
use crate::unparking::{Keys, Order, Stuck, Ticket};
use lane::{Front, Giving, Lane};

/// Most keys that go on at a time. With a window's worth they fit what a session takes at once.
const LANES_LIMIT_KEYS: usize = 16;

/// A parked event that was read.
pub(super) struct Item<T> {
    pub(super) at: u64,
    /// None if it is to be skipped, or is not in the public log any more.
    pub(super) event: Option<T>,
}

/// A stretch of a key's parked events to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) key: String,
    pub(super) after: u64,
    /// Of those up to here only the places are wanted.
    pub(super) places_only_through: u64,
}

/// What was read of it.
pub(super) struct Fetched<T> {
    pub(super) key: String,
    pub(super) items: Vec<Item<T>>,
    /// Whether more was stored behind them.
    pub(super) more: bool,
}

/// What leaves, by key, in order.
pub(super) type Leaving = Vec<(String, u64, ParkOutcome)>;

/// All lanes of a relay, and the keys that wait for one.
pub(super) struct Lanes<T> {
    tickets: HashMap<u64, Ticket>,
    next_ticket: u64,
    /// Keys that wait for a lane, in the order in which they were asked for; each once, however often it was.
    waiting: VecDeque<String>,
    /// What they are to go on with: the ticket, and what is given up.
    asked: HashMap<String, (u64, Option<Giving>)>,
    lanes: BTreeMap<String, Lane<T>>,
    /// How often the relay's cursor was written.
    writes: u64,
    /// The relay is stopping: nothing more is sent.
    closed: bool,
}

impl<T> Default for Lanes<T> {
    fn default() -> Lanes<T> {
        Lanes {
            tickets: HashMap::new(),
            next_ticket: 0,
            waiting: VecDeque::new(),
            asked: HashMap::new(),
            lanes: BTreeMap::new(),
            writes: 0,
            closed: false,
        }
    }
}

impl<T> Lanes<T> {
    /// Takes an order. `cursor` is how far the relay's cursor is written: all that is stored as parked is not behind it.
    pub(super) fn accept(&mut self, order: Order, window: &Window<T>, cursor: Sequence) {
        let Order {
            keys,
            skip,
            mut ticket,
        } = order;
        let keys = match keys {
            Keys::One(key) => vec![key],
            Keys::All => window.parked_key_names(),
        };
        ticket.taken(keys.len());
        let number = self.next_ticket;
        self.next_ticket += 1;
        self.tickets.insert(number, ticket);
        for key in keys {
            let giving = skip.clone().map(|skip| Giving {
                through: skip.all_events.then_some(cursor.get()),
                skip,
            });
            if window.parked_events(&key) == 0 {
                self.key_ended(number, Some(Stuck::not_parked(key)));
            } else if let Some(lane) = self.lanes.get_mut(&key) {
                let before = std::mem::replace(&mut lane.ticket, number);
                lane.giving = giving;
                self.taken_over(before, key);
            } else if let Some((before, _)) = self.asked.insert(key.clone(), (number, giving)) {
                self.taken_over(before, key);
            } else {
                self.waiting.push_back(key);
            }
        }
        self.tickets.retain(|_, ticket| !ticket.is_done());
    }

    /// Tells an earlier order that a later one has its key now.
    fn taken_over(&mut self, before: u64, key: String) {
        let reason = "another order has taken the key over".to_owned();
        let at = None;
        self.key_ended(before, Some(Stuck { key, at, reason }));
    }

    /// Gives lanes to keys that wait for one, and gives up what is to be given up.
    pub(super) fn arrange(&mut self) {
        while self.lanes.len() < LANES_LIMIT_KEYS && !self.closed {
            let Some(key) = self.waiting.pop_front() else {
                break;
            };
            if let Some((ticket, giving)) = self.asked.remove(&key) {
                self.lanes.insert(key, Lane::new(ticket, giving));
            }
        }
        for (key, lane) in &mut self.lanes {
            lane.give_up(key);
        }
    }

    /// What to read next: of a key of which nothing is in hand.
    pub(super) fn next_read(&mut self) -> Option<Wanted> {
        if self.closed {
            return None;
        }
        let wants = |lane: &&mut Lane<T>| {
            lane.items.is_empty() && !lane.reading && !lane.drained && lane.stuck.is_none()
        };
        let (key, lane) = self.lanes.iter_mut().find(|(_, lane)| wants(lane))?;
        lane.reading = true;
        lane.writes_seen = self.writes;
        let through = lane.giving.as_ref().and_then(|giving| giving.through);
        lane.places_only_through = through.unwrap_or_default();
        Some(Wanted {
            key: key.clone(),
            after: lane.read_to,
            places_only_through: lane.places_only_through,
        })
    }

    /// Takes in what was read.
    pub(super) fn read(&mut self, fetched: Fetched<T>) {
        let Some(lane) = self.lanes.get_mut(&fetched.key) else {
            return;
        };
        lane.reading = false;
        if let Some(last) = fetched.items.last() {
            lane.read_to = last.at;
        }
        // What was on its way into the store meanwhile may have been missed.
        lane.drained = fetched.items.is_empty() && !fetched.more && lane.writes_seen == self.writes;
        lane.items.extend(fetched.items);
    }

    /// The relay's cursor was written, and with it perhaps more that is parked.
    pub(super) fn cursor_written(&mut self) {
        self.writes += 1;
        for lane in self.lanes.values_mut() {
            lane.drained = false;
        }
    }

    /// The next event to send, if one may go now: it counts as in flight until it is answered.
    pub(super) fn next(&mut self, now: Instant) -> Option<(Sequence, &T)> {
        self.next_of(now, |_| true)
    }

    /// The same, of those that are wanted.
    pub(super) fn next_of(
        &mut self,
        now: Instant,
        wanted: impl Fn(Sequence) -> bool,
    ) -> Option<(Sequence, &T)> {
        if self.closed {
            return None;
        }
        let may_go = |lane: &&mut Lane<T>| lane.may_go(now) && lane.first().is_some_and(&wanted);
        let lane = self.lanes.values_mut().find(may_go)?;
        lane.front = Front::InFlight;
        lane.attempts = lane.attempts.saturating_add(1);
        let item = lane.items.front()?;
        let event = item.event.as_ref()?;
        Some((Sequence::new(item.at), event))
    }

    /// The events that may go now.
    pub(super) fn ready(&self, now: Instant) -> BTreeSet<Sequence> {
        if self.closed {
            return BTreeSet::new();
        }
        let may_go = self.lanes.values().filter(|lane| lane.may_go(now));
        may_go.filter_map(Lane::first).collect()
    }

    /// How often the event in flight at `sequence` was sent; none if it is not a lane's.
    pub(super) fn attempts(&self, sequence: Sequence) -> Option<u32> {
        self.lanes
            .values()
            .find(|lane| lane.is_in_flight(sequence))
            .map(|lane| lane.attempts)
    }

    /// Takes an outlet's answer to an event in flight; `wait_when_unheard` is the outlet's policy.
    pub(super) fn settle(
        &mut self,
        sequence: Sequence,
        answer: Answer,
        retry_at: Instant,
        wait_when_unheard: bool,
    ) {
        let Some((key, lane)) = self
            .lanes
            .iter_mut()
            .find(|(_, lane)| lane.is_in_flight(sequence))
        else {
            return;
        };
        lane.front = Front::Idle;
        let outcome = match answer {
            Answer::Confirmed => ParkOutcome::Confirmed,
            Answer::Unheard if !wait_when_unheard => ParkOutcome::Unheard,
            Answer::Unheard | Answer::TryAgain(_) => {
                lane.front = Front::Retrying(retry_at);
                return;
            }
            Answer::Refused(reason) => {
                lane.stop_at(key, sequence.get(), reason);
                return;
            }
        };
        lane.items.pop_front();
        lane.attempts = 0;
        lane.left.push((sequence.get(), outcome));
    }

    /// What has left and is not written yet, at most `limit` of it; it counts as being written.
    pub(super) fn next_write(&mut self, limit: usize) -> Leaving {
        let mut leaving = Vec::new();
        for (key, lane) in &mut self.lanes {
            let room = limit.saturating_sub(leaving.len()).min(lane.left.len());
            lane.writing += room as u64;
            let left = lane.left.drain(..room);
            leaving.extend(left.map(|(at, outcome)| (key.clone(), at, outcome)));
        }
        leaving
    }

    /// What was being written is durable.
    pub(super) fn written(&mut self, leaving: &Leaving, window: &mut Window<T>) {
        for (key, _, outcome) in leaving {
            window.unparked(key);
            let Some(lane) = self.lanes.get_mut(key) else {
                continue;
            };
            lane.writing -= 1;
            lane.given_up -= u64::from(matches!(outcome, ParkOutcome::Skipped { .. }));
            if let Some(ticket) = self.tickets.get(&lane.ticket) {
                ticket.events(|left| match outcome {
                    ParkOutcome::Confirmed => left.confirmed += 1,
                    ParkOutcome::Unheard => left.unheard += 1,
                    _ => left.skipped += 1,
                });
            }
        }
    }

    /// Ends the lanes that have come to their end: gives the keys that have gone live again, and those that are stuck.
    pub(super) fn end(&mut self, window: &mut Window<T>) -> (Vec<String>, Vec<Stuck>) {
        let (mut live, mut stuck) = (Vec::new(), Vec::new());
        if self.closed {
            return (live, stuck);
        }
        let mut ended = Vec::new();
        for (key, lane) in &mut self.lanes {
            if !lane.left.is_empty() || lane.writing > 0 || matches!(lane.front, Front::InFlight) {
                continue;
            }
            if let Some(reason) = lane.stuck.take() {
                stuck.push(reason.clone());
                ended.push((key.clone(), Some(reason)));
            } else if lane.items.is_empty()
                && !lane.reading
                && window.parked_events(key) == window.held_parked(key)
            {
                window.go_on(key);
                live.push(key.clone());
                ended.push((key.clone(), None));
            }
        }
        for (key, stuck) in ended {
            if let Some(lane) = self.lanes.remove(&key) {
                self.key_ended(lane.ticket, stuck);
            }
        }
        self.tickets.retain(|_, ticket| !ticket.is_done());
        (live, stuck)
    }

    /// When the next event that was asked to be tried again may go, after those that may at `now`.
    pub(super) fn next_retry(&self, now: Instant) -> Option<Instant> {
        let due = |lane: &Lane<T>| match lane.front {
            Front::Retrying(due) if !self.closed => Some(due),
            _ => None,
        };
        let due = self.lanes.values().filter_map(due);
        due.filter(|due| *due > now).min()
    }

    /// Whether an event that was to be tried again is not settled yet, sent again or not.
    pub(super) fn has_retries(&self) -> bool {
        let tried_again =
            |lane: &Lane<T>| lane.attempts > 1 || matches!(lane.front, Front::Retrying(_));
        self.lanes.values().any(tried_again)
    }

    /// How many events wait for an answer.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight_at().count()
    }

    /// Which events those are.
    pub(super) fn in_flight_at(&self) -> impl Iterator<Item = Sequence> {
        let in_flight = |lane: &&Lane<T>| matches!(lane.front, Front::InFlight);
        let fronts = self.lanes.values().filter(in_flight);
        fronts.filter_map(Lane::first)
    }

    /// The connection is gone: what had no answer goes out again.
    pub(super) fn connection_lost(&mut self) {
        for lane in self.lanes.values_mut() {
            if matches!(lane.front, Front::InFlight) {
                lane.front = Front::Idle;
            }
        }
    }

    /// Sends nothing more.
    pub(super) fn close(&mut self) {
        self.closed = true;
    }

    fn key_ended(&mut self, ticket: u64, stuck: Option<Stuck>) {
        if let Some(ticket) = self.tickets.get_mut(&ticket) {
            ticket.key_ended(stuck);
        }
    }
}

#[cfg(test)]
mod tests;
