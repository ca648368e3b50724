//! One key on its way to be live again.

use std::collections::VecDeque;
use std::time::Instant;

use horizon_store::{ParkOutcome, Sequence};

use super::Item;
use crate::unparking::{Skip, Stuck};

/// How the first event that waits fares.
pub(super) enum Front {
    Idle,
    InFlight,
    Retrying(Instant),
}

/// What is given up of a key.
pub(super) struct Giving {
    pub(super) skip: Skip,
    /// Everything up to here; none until the first event is known.
    pub(super) through: Option<u64>,
}

pub(super) struct Lane<T> {
    pub(super) ticket: u64,
    pub(super) giving: Option<Giving>,
    pub(super) items: VecDeque<Item<T>>,
    pub(super) front: Front,
    pub(super) attempts: u32,
    /// The last place that was read.
    pub(super) read_to: u64,
    pub(super) reading: bool,
    /// Up to here that reading brings places alone: their events were to be given up.
    pub(super) places_only_through: u64,
    /// How often the cursor had been written when that reading began.
    pub(super) writes_seen: u64,
    /// Nothing more was stored when it was read.
    pub(super) drained: bool,
    pub(super) left: Vec<(u64, ParkOutcome)>,
    /// How many of those that left are being written.
    pub(super) writing: u64,
    /// How many of those that left were given up. What is behind them waits until that is durable: after a crash they may be sent
    /// after all.
    pub(super) given_up: u64,
    pub(super) stuck: Option<Stuck>,
}

impl<T> Lane<T> {
    pub(super) fn new(ticket: u64, giving: Option<Giving>) -> Lane<T> {
        Lane {
            ticket,
            giving,
            items: VecDeque::new(),
            front: Front::Idle,
            attempts: 0,
            read_to: 0,
            reading: false,
            places_only_through: 0,
            writes_seen: 0,
            drained: false,
            left: Vec::new(),
            writing: 0,
            given_up: 0,
            stuck: None,
        }
    }

    pub(super) fn may_go(&self, now: Instant) -> bool {
        let due = match self.front {
            Front::Idle => true,
            Front::InFlight => false,
            Front::Retrying(due) => due <= now,
        };
        let can = self.items.front().is_some_and(|item| item.event.is_some());
        due && can && self.given_up == 0 && self.stuck.is_none()
    }

    /// Where the first event that waits is.
    pub(super) fn first(&self) -> Option<Sequence> {
        self.items.front().map(|item| Sequence::new(item.at))
    }

    pub(super) fn is_in_flight(&self, sequence: Sequence) -> bool {
        matches!(self.front, Front::InFlight)
            && self
                .items
                .front()
                .is_some_and(|item| item.at == sequence.get())
    }

    /// Gives up the events at the front that are to be; one in flight is answered first.
    pub(super) fn give_up(&mut self, key: &str) {
        if matches!(self.front, Front::InFlight) || self.stuck.is_some() {
            return;
        }
        while let Some(first) = self.items.front() {
            let at = first.at;
            let gone = first.event.is_none();
            let Some(giving) = &mut self.giving else {
                if gone && at <= self.places_only_through {
                    // Another order has taken the key over, and does not give them up: they are read again, with what is to be sent.
                    self.items.clear();
                    self.read_to = at - 1;
                    self.drained = false;
                } else if gone {
                    let reason = "the event is not in the public log any more".to_owned();
                    self.stop_at(key, at, reason);
                }
                return;
            };
            if let Some(asked) = giving.skip.at.take().filter(|asked| *asked != at) {
                self.stuck = Some(Stuck::not_first(key, at, asked));
                return;
            }
            if at > *giving.through.get_or_insert(at) {
                self.giving = None;
                continue;
            }
            let reason = giving.skip.reason.clone();
            self.left.push((at, ParkOutcome::Skipped { reason }));
            self.given_up += 1;
            self.items.pop_front();
            (self.front, self.attempts) = (Front::Idle, 0);
        }
    }

    pub(super) fn stop_at(&mut self, key: &str, at: u64, reason: String) {
        self.stuck = Some(Stuck {
            key: key.to_owned(),
            at: Some(at),
            reason,
        });
    }
}
