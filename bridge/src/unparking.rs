//! Orders to let parked keys go on: what an operator asks of the crossing or of a relay, and how far it has come.
//!
//! An order is carried out by the task that gives sequences, or that holds the window: nothing else may let a key go on, because
//! nothing else knows what waits behind it. Who gave the order may stop listening; the order goes on.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use tokio::sync::{mpsc, watch};

use crate::crossing::CrossingOrder;

/// Orders that wait for a task, above which a caller waits too.
pub(crate) const ORDERS_WAITING: usize = 16;
/// Most keys that are told as stuck; the rest are counted.
const STUCK_TOLD_KEYS: usize = 100;

/// Which parked keys an order is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Keys {
    /// One key.
    One(String),
    /// Every key that is parked there when the order is taken.
    All,
}

/// What is given up before the key goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Skip {
    /// All events of the key that wait when the order is taken; otherwise only the first.
    pub(crate) all_events: bool,
    /// Only if the event at this place is the first that waits.
    pub(crate) at: Option<u64>,
    /// Why, in the words of who gives it up.
    pub(crate) reason: String,
}

/// Lets keys go on, after giving events up if it says so.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) keys: Keys,
    pub(crate) skip: Option<Skip>,
    pub(crate) ticket: Ticket,
}

/// How far an order is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Progress {
    /// Whether everything that could be done is done.
    pub(crate) done: bool,
    /// How many keys the order is for.
    pub(crate) keys: u64,
    /// Keys that are parked no more.
    pub(crate) live: u64,
    /// Keys that still are.
    pub(crate) stuck: u64,
    /// The first of those, and why.
    pub(crate) stuck_keys: Vec<Stuck>,
    /// What became of the events that waited.
    pub(crate) events: Left,
}

/// Events that waited and have left, by what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub(crate) struct Left {
    pub(crate) crossed: u64,
    pub(crate) filtered: u64,
    pub(crate) confirmed: u64,
    pub(crate) unheard: u64,
    pub(crate) skipped: u64,
}

/// A key that cannot go on yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub(crate) struct Stuck {
    pub(crate) key: String,
    /// The place of the first event that waits: a position at a contract, a sequence at an outlet.
    pub(crate) at: Option<u64>,
    /// Why it cannot go on, in one line.
    pub(crate) reason: String,
}

impl Stuck {
    /// The key was not parked, or is not any more.
    pub(crate) fn not_parked(key: String) -> Stuck {
        let reason = "it is not parked".to_owned();
        Stuck {
            key,
            at: None,
            reason,
        }
    }

    /// The first event that waits is another than was asked.
    pub(crate) fn not_first(key: &str, first: u64, asked: u64) -> Stuck {
        Stuck {
            key: key.to_owned(),
            at: Some(first),
            reason: format!(
                "the first event that waits is at {first}, not at {asked}; nothing was skipped"
            ),
        }
    }
}

/// The carrier's end of an order: what it tells of its progress. The order is done when every key has ended.
#[derive(Debug)]
pub(crate) struct Ticket {
    progress: watch::Sender<Progress>,
    /// Keys that have not ended; none before the order is taken.
    left: u64,
}

impl Ticket {
    /// A ticket, and where its progress is watched. The watch closes when the carrier ends without having done the order.
    pub(crate) fn new() -> (Ticket, watch::Receiver<Progress>) {
        let (progress, watched) = watch::channel(Progress::default());
        (Ticket { progress, left: 0 }, watched)
    }

    /// The order is taken: it is for so many keys.
    pub(crate) fn taken(&mut self, keys: usize) {
        self.left = keys as u64;
        let left = self.left;
        self.progress.send_modify(|progress| {
            progress.keys = left;
            progress.done = left == 0;
        });
    }

    /// Whether nothing is left to do.
    pub(crate) fn is_done(&self) -> bool {
        self.left == 0
    }

    /// Events have left; that is durable.
    pub(crate) fn events(&self, count: impl FnOnce(&mut Left)) {
        self.progress
            .send_modify(|progress| count(&mut progress.events));
    }

    /// A key has ended: it is live again, or stuck.
    pub(crate) fn key_ended(&mut self, stuck: Option<Stuck>) {
        self.left = self.left.saturating_sub(1);
        let done = self.left == 0;
        self.progress.send_modify(|progress| {
            match stuck {
                None => progress.live += 1,
                Some(stuck) => {
                    progress.stuck += 1;
                    if progress.stuck_keys.len() < STUCK_TOLD_KEYS {
                        progress.stuck_keys.push(stuck);
                    }
                }
            }
            progress.done = done;
        });
    }
}

/// Where orders are handed in: the crossing's and every running relay's.
#[derive(Debug)]
pub(crate) struct Desk {
    crossing: mpsc::Sender<CrossingOrder>,
    relays: Mutex<BTreeMap<String, mpsc::Sender<Order>>>,
}

impl Desk {
    /// A desk before any relay runs.
    pub(crate) fn new(crossing: mpsc::Sender<CrossingOrder>) -> Desk {
        Desk {
            crossing,
            relays: Mutex::default(),
        }
    }

    /// Where the crossing takes orders.
    pub(crate) fn crossing(&self) -> mpsc::Sender<CrossingOrder> {
        self.crossing.clone()
    }

    /// Where a relay takes orders, if it runs.
    pub(crate) fn relay(&self, name: &str) -> Option<mpsc::Sender<Order>> {
        let relays = self.relays.lock().unwrap_or_else(PoisonError::into_inner);
        relays.get(name).cloned()
    }

    /// A relay starts, and takes orders from here.
    pub(crate) fn open(&self, relay: &str) -> mpsc::Receiver<Order> {
        let (orders, taken) = mpsc::channel(ORDERS_WAITING);
        self.relays
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(relay.to_owned(), orders);
        taken
    }

    /// A relay ends for good.
    pub(crate) fn close(&self, relay: &str) {
        self.relays
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(relay);
    }
}
