#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use proptest::prelude::*;
use tokio::sync::watch;

use super::super::window::{Advance, WindowLimits};
use super::*;
use crate::crossing::parked::{PARKED_KEYS_LIMIT, ParkedKeys};
use crate::unparking::{Progress, Skip};

const LIMITS: WindowLimits = WindowLimits {
    in_flight_events: 4,
    in_flight_per_key: 1,
    held_events: 64,
    held_bytes: 1 << 20,
};
/// How many parked events a read brings.
const READ_EVENTS: usize = 3;

/// A relay with its store, everything in memory; whatever goes to the store may still be on its way.
struct Rig {
    window: Window<()>,
    lanes: Lanes<()>,
    /// The store: the cursor, and what is parked, by key.
    cursor: u64,
    parked: BTreeMap<String, BTreeSet<u64>>,
    /// On its way into the store, and out of it.
    cursor_write: Option<Advance>,
    leaving: Option<Leaving>,
    read: Option<Fetched<()>>,
    /// The public stream: the key of each event.
    log: Vec<String>,
    offered: u64,
    in_flight: Vec<u64>,
    /// What came to the outlet, or was given up.
    arrived: BTreeSet<u64>,
    skipped: BTreeSet<u64>,
    progress: Vec<watch::Receiver<Progress>>,
}

impl Rig {
    fn new() -> Rig {
        Rig {
            window: Window::new(LIMITS, ParkedKeys::default(), false),
            lanes: Lanes::default(),
            cursor: 0,
            parked: BTreeMap::new(),
            cursor_write: None,
            leaving: None,
            read: None,
            log: Vec::new(),
            offered: 0,
            in_flight: Vec::new(),
            arrived: BTreeSet::new(),
            skipped: BTreeSet::new(),
            progress: Vec::new(),
        }
    }

    fn publish(&mut self, key: u8) {
        self.log.push(key.to_string());
    }

    fn offer(&mut self) {
        while (self.offered as usize) < self.log.len() && self.window.room() > 0 {
            let key = self.log[self.offered as usize].clone();
            self.offered += 1;
            self.window.offer(Sequence::new(self.offered), &key, 1, ());
        }
    }

    /// Sends what may go, and checks that nothing overtakes: all before it of its key has arrived, or is given up for good.
    fn send(&mut self) {
        let now = Instant::now();
        self.work();
        loop {
            let next = self.lanes.next(now).map(|(sequence, ())| sequence);
            let next = next.or_else(|| self.window.next(now).map(|(sequence, ())| sequence));
            let Some(sequence) = next.map(Sequence::get) else {
                return;
            };
            let key = &self.log[sequence as usize - 1];
            let before = (1..sequence).filter(|at| self.log[*at as usize - 1] == *key);
            for at in before {
                let gone = self.arrived.contains(&at) || self.skipped.contains(&at);
                assert!(gone, "{sequence} overtakes {at} of key {key}");
            }
            let same = |at: &u64| self.log[*at as usize - 1] == *key;
            assert!(
                !self.in_flight.iter().any(same),
                "two of key {key} in flight"
            );
            assert!(!self.skipped.contains(&sequence), "{sequence} was given up");
            self.in_flight.push(sequence);
        }
    }

    fn work(&mut self) {
        self.lanes.arrange();
        self.lanes.end(&mut self.window);
        self.lanes.arrange();
        if self.read.is_none()
            && let Some(wanted) = self.lanes.next_read()
        {
            // As it is now: what comes into the store until the answer is taken is missed.
            let all = self.parked.get(&wanted.key).cloned().unwrap_or_default();
            let mut behind = all.range(wanted.after + 1..);
            let items = behind.by_ref().take(READ_EVENTS).map(|at| Item {
                at: *at,
                event: (*at > wanted.places_only_through).then_some(()),
            });
            let items = items.collect();
            self.read = Some(Fetched {
                key: wanted.key,
                items,
                more: behind.next().is_some(),
            });
        }
        if self.leaving.is_none() {
            let leaving = self.lanes.next_write(2);
            self.leaving = Some(leaving).filter(|leaving| !leaving.is_empty());
        }
        if self.cursor_write.is_none() {
            let advance = self.window.advance();
            self.cursor_write = Some(advance).filter(|advance| advance.to.is_some());
        }
    }

    fn answer(&mut self, index: usize, answer: u8) {
        if self.in_flight.is_empty() {
            return;
        }
        let sequence = self.in_flight.remove(index % self.in_flight.len());
        let answer = match answer {
            0..=13 => Answer::Confirmed,
            14..=15 => Answer::Unheard,
            16..=17 => Answer::TryAgain("later".to_owned()),
            _ => Answer::Refused("never".to_owned()),
        };
        if matches!(answer, Answer::Confirmed | Answer::Unheard) {
            self.arrived.insert(sequence);
        }
        let (sequence, now) = (Sequence::new(sequence), Instant::now());
        match self.lanes.attempts(sequence) {
            Some(_) => self.lanes.settle(sequence, answer, now, false),
            None => self.window.settle(sequence, answer, now),
        }
    }

    fn store_cursor(&mut self) {
        let Some(advance) = self.cursor_write.take() else {
            return;
        };
        self.cursor = advance.to.map_or(self.cursor, Sequence::get);
        for (key, at, _) in advance.parked {
            self.parked.entry(key).or_default().insert(at.get());
        }
        self.lanes.cursor_written();
    }

    /// As the store does it: only the first of a key may leave.
    fn store_leaving(&mut self) {
        let Some(leaving) = self.leaving.take() else {
            return;
        };
        for (key, at, outcome) in &leaving {
            let waiting = self.parked.get_mut(key).unwrap();
            assert_eq!(
                waiting.pop_first(),
                Some(*at),
                "the first of key {key} leaves"
            );
            if waiting.is_empty() {
                self.parked.remove(key);
            }
            if matches!(outcome, ParkOutcome::Skipped { .. }) {
                self.skipped.insert(*at);
            }
        }
        self.lanes.written(&leaving, &mut self.window);
    }

    fn take_read(&mut self) {
        if let Some(fetched) = self.read.take() {
            self.lanes.read(fetched);
        }
    }

    fn order(&mut self, keys: Keys, skip: Option<Skip>) {
        let (ticket, progress) = Ticket::new();
        let order = Order { keys, skip, ticket };
        let cursor = Sequence::new(self.cursor);
        self.lanes.accept(order, &self.window, cursor);
        self.progress.push(progress);
    }

    fn lose(&mut self) {
        self.in_flight.clear();
        self.window.connection_lost();
        self.lanes.connection_lost();
    }

    /// The process is gone, with all that was on its way.
    fn crash(&mut self) {
        let mut parked = ParkedKeys::default();
        for (key, places) in &self.parked {
            places.iter().for_each(|_| parked.add(key));
        }
        self.window = Window::new(LIMITS, parked, false);
        self.lanes = Lanes::default();
        (self.cursor_write, self.leaving, self.read) = (None, None, None);
        self.offered = self.cursor;
        self.in_flight.clear();
        self.progress.clear();
    }

    /// Until nothing changes any more; everything is confirmed.
    fn settle_down(&mut self) {
        for _ in 0..self.log.len() * 4 + 50 {
            self.offer();
            self.send();
            self.answer(0, 0);
            self.store_cursor();
            self.store_leaving();
            self.take_read();
        }
        self.work();
    }
}

fn skip(all_events: bool) -> Option<Skip> {
    Some(Skip {
        all_events,
        at: None,
        reason: "a test".to_owned(),
    })
}

#[derive(Debug, Clone)]
enum Step {
    Publish(u8),
    Send,
    Answer(usize, u8),
    Cursor,
    Leave,
    Read,
    Retry(u8),
    RetryAll,
    Skip(u8, bool),
    Lose,
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0u8..3).prop_map(Step::Publish),
        8 => Just(Step::Send),
        12 => (any::<usize>(), 0u8..22).prop_map(|(index, answer)| Step::Answer(index, answer)),
        4 => Just(Step::Cursor),
        4 => Just(Step::Leave),
        4 => Just(Step::Read),
        3 => (0u8..3).prop_map(Step::Retry),
        1 => Just(Step::RetryAll),
        1 => (0u8..3, any::<bool>()).prop_map(|(key, all)| Step::Skip(key, all)),
        1 => Just(Step::Lose),
        1 => Just(Step::Crash),
    ]
}

proptest! {
    /// Whatever is answered, lost, killed and ordered: nothing overtakes, the store lets only the first of a key go, and in the
    /// end, when everything is taken, every event has arrived or was given up, and nothing is parked.
    #[test]
    fn keys_go_on_in_order_whatever_happens(steps in prop::collection::vec(step(), 1..400)) {
        let mut rig = Rig::new();
        for step in steps {
            match step {
                Step::Publish(key) => { rig.publish(key); rig.offer(); }
                Step::Send => rig.send(),
                Step::Answer(index, answer) => rig.answer(index, answer),
                Step::Cursor => rig.store_cursor(),
                Step::Leave => rig.store_leaving(),
                Step::Read => rig.take_read(),
                Step::Retry(key) => rig.order(Keys::One(key.to_string()), None),
                Step::RetryAll => rig.order(Keys::All, None),
                Step::Skip(key, all) => rig.order(Keys::One(key.to_string()), skip(all)),
                Step::Lose => rig.lose(),
                Step::Crash => rig.crash(),
            }
        }
        rig.settle_down();
        rig.order(Keys::All, None);
        rig.settle_down();
        prop_assert!(rig.parked.is_empty(), "still parked: {:?}", rig.parked);
        let everything: BTreeSet<u64> = (1..=rig.log.len() as u64).collect();
        let gone: BTreeSet<u64> = rig.arrived.union(&rig.skipped).copied().collect();
        prop_assert_eq!(gone, everything);
        prop_assert_eq!(rig.cursor, rig.log.len() as u64);
        prop_assert!(rig.progress.iter().all(|progress| progress.borrow().done), "an order never ends");
    }
}

/// A rig with events 1 to 4, of which those of key 0 (1, 2 and 4) are parked because the first was refused.
fn with_parked() -> Rig {
    let mut rig = Rig::new();
    for key in [0, 0, 1, 0] {
        rig.publish(key);
    }
    rig.offer();
    rig.send();
    rig.answer(0, 21);
    rig.settle_down();
    let places: BTreeMap<String, BTreeSet<u64>> = [("0".to_owned(), [1, 2, 4].into())].into();
    assert_eq!(rig.parked, places);
    rig
}

fn last(rig: &Rig) -> Progress {
    rig.progress.last().unwrap().borrow().clone()
}

#[test]
fn a_refusal_ends_a_retry_and_its_event_stays_the_first() {
    let mut rig = with_parked();
    rig.order(Keys::All, None);
    rig.send();
    rig.take_read();
    rig.send();
    rig.answer(0, 0);
    rig.send();
    rig.answer(0, 21);
    rig.settle_down();
    let progress = last(&rig);
    assert_eq!((progress.done, progress.stuck, progress.live), (true, 1, 0));
    let stuck = &progress.stuck_keys[0];
    assert_eq!((stuck.at, stuck.reason.as_str()), (Some(2), "never"));
    assert_eq!(progress.events.confirmed, 1);
    assert_eq!(rig.parked["0"], [2, 4].into());
}

#[test]
fn the_first_event_is_given_up_and_the_rest_goes_on() {
    let mut rig = with_parked();
    rig.order(Keys::One("0".to_owned()), skip(false));
    rig.settle_down();
    let progress = last(&rig);
    assert_eq!((progress.events.skipped, progress.events.confirmed), (1, 2));
    assert_eq!((progress.live, progress.stuck), (1, 0));
    assert_eq!(rig.skipped, [1].into());
}

#[test]
fn nothing_is_given_up_where_another_event_is_the_first_or_none_is_parked() {
    let mut rig = with_parked();
    let at = |at| {
        skip(false).map(|skip| Skip {
            at: Some(at),
            ..skip
        })
    };
    rig.order(Keys::One("0".to_owned()), at(2));
    rig.settle_down();
    assert_eq!(last(&rig).stuck_keys[0].at, Some(1));
    assert_eq!(rig.parked["0"], [1, 2, 4].into());
    rig.order(Keys::One("1".to_owned()), at(3));
    assert_eq!(last(&rig).stuck_keys, [Stuck::not_parked("1".to_owned())]);
    rig.order(Keys::One("0".to_owned()), at(1));
    rig.settle_down();
    assert_eq!(rig.skipped, [1].into());
}

#[test]
fn a_relay_stands_where_no_more_keys_may_be_parked_and_goes_on_when_fewer_are() {
    let now = Instant::now();
    let mut parked = ParkedKeys::default();
    (0..PARKED_KEYS_LIMIT).for_each(|key| parked.add(&format!("k{key}")));
    let mut window: Window<()> = Window::new(LIMITS, parked, false);
    window.offer(Sequence::new(1), "a", 1, ());
    for full in [true, false] {
        assert_eq!(window.full().is_some(), full);
        assert_eq!(window.next(now), Some((Sequence::new(1), &())));
        window.settle(Sequence::new(1), Answer::Refused("never".to_owned()), now);
        assert_eq!(
            window.advance().to.is_none(),
            full,
            "the cursor stays while it is full"
        );
        window.unparked("k7");
    }
    assert_eq!(window.parked_events("a"), 1);
}
mod orders;
