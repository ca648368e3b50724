//! What the daemon knows of itself besides what is in the store: which contracts have halted, and how each relay fares.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::clock;
use crate::outlets::SessionState;
use crate::pauses::Pause;
use crate::unparking::Stuck;

/// The daemon's live state, shared by those who change it and those who show it.
#[derive(Debug, Default)]
pub(crate) struct Status {
    /// Parts that have ended before the daemon was told to stop, and why.
    failures: Mutex<Vec<String>>,
    halted: Mutex<BTreeMap<String, String>>,
    relays: Mutex<BTreeMap<String, Arc<RelayStatus>>>,
    /// Events that were flagged since the daemon was started.
    flagged: AtomicU64,
}

impl Status {
    /// A part of the daemon has ended and does not come back before a restart.
    pub(crate) fn failed(&self, failure: String) {
        self.failures
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(failure);
    }

    /// So many more events were recorded although they do not fit their private schema.
    pub(crate) fn flagged(&self, more: u64) {
        self.flagged.fetch_add(more, Ordering::Relaxed);
    }

    /// How many events were flagged since the daemon was started.
    pub(crate) fn flagged_since_start(&self) -> u64 {
        self.flagged.load(Ordering::Relaxed)
    }

    /// What has ended; nothing, while the daemon is well.
    pub(crate) fn failures(&self) -> Vec<String> {
        self.failures
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// A relay starts; this is its live state.
    pub(crate) fn add_relay(&self, name: &str, status: Arc<RelayStatus>) {
        self.relays
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name.to_owned(), status);
    }

    /// A relay has ended for good.
    pub(crate) fn remove_relay(&self, name: &str) {
        self.relays
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(name);
    }

    /// The live state of a relay that runs.
    pub(crate) fn relay(&self, name: &str) -> Option<Arc<RelayStatus>> {
        self.relays
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(name)
            .cloned()
    }

    /// A contract cannot go on past its cursor.
    pub(crate) fn halted(&self, contract: &str, reason: &str) {
        self.halted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(contract.to_owned(), reason.to_owned());
    }

    /// A contract goes on, or tries to.
    pub(crate) fn goes_on(&self, contract: &str) {
        self.halted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(contract);
    }

    /// The contracts that have halted.
    pub(crate) fn halted_contracts(&self) -> Vec<String> {
        let halted = self.halted.lock().unwrap_or_else(PoisonError::into_inner);
        halted.keys().cloned().collect()
    }

    /// Why a contract halted, if it did.
    pub(crate) fn halt_of(&self, contract: &str) -> Option<String> {
        self.halted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(contract)
            .cloned()
    }
}

/// Where a relay is with its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RelayState {
    /// Opening a connection.
    Connecting,
    /// Publishing, or waiting for something to publish.
    Connected,
    /// Connected, and told by the broker to wait.
    Blocked,
    /// Without a connection, until the next attempt.
    Retrying,
    /// Not running any more.
    Stopped,
    /// Not running until an operator resumes it.
    Paused,
}

/// How one relay fares.
#[derive(Debug, Clone)]
pub(crate) struct RelayView {
    /// The connection.
    pub(crate) state: RelayState,
    /// Since when events could not be delivered, RFC 3339.
    pub(crate) retrying_since: Option<String>,
    /// The last thing that went wrong.
    pub(crate) last_error: Option<String>,
    /// Events that wait for an answer.
    pub(crate) in_flight: usize,
    /// Keys that are parked at this outlet.
    pub(crate) parked_keys: usize,
    /// Why and since when it is paused, if it is.
    pub(crate) paused: Option<Pause>,
}

/// Most keys of a relay of which it is remembered why they could not go on.
const STUCK_LIMIT_KEYS: usize = 1_000;

/// The live state of one relay.
#[derive(Debug)]
pub(crate) struct RelayStatus {
    view: Mutex<RelayView>,
    /// What the broker said when a parked key was tried again.
    stuck: Mutex<BTreeMap<String, Stuck>>,
}

impl Default for RelayStatus {
    fn default() -> RelayStatus {
        let view = RelayView {
            state: RelayState::Connecting,
            retrying_since: None,
            last_error: None,
            in_flight: 0,
            parked_keys: 0,
            paused: None,
        };
        RelayStatus {
            view: Mutex::new(view),
            stuck: Mutex::default(),
        }
    }
}

impl RelayStatus {
    fn change(&self, change: impl FnOnce(&mut RelayView)) {
        change(&mut self.view.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// A copy of what is known now.
    pub(crate) fn view(&self) -> RelayView {
        self.view
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(crate) fn connecting(&self) {
        self.change(|view| view.state = RelayState::Connecting);
    }

    /// There is a connection; events may still wait to be tried again.
    pub(crate) fn connected(&self, events_wait: bool) {
        self.change(|view| {
            view.state = RelayState::Connected;
            if !events_wait {
                view.retrying_since = None;
            }
        });
    }

    /// What the connection says of itself; its end is told by [`retrying`](Self::retrying).
    pub(crate) fn session(&self, state: &SessionState) {
        self.change(|view| match state {
            SessionState::Open => view.state = RelayState::Connected,
            SessionState::Blocked(reason) => {
                view.state = RelayState::Blocked;
                view.last_error = Some(reason.clone());
            }
            SessionState::Ended(_) => {}
        });
    }

    pub(crate) fn retrying(&self, reason: &str) {
        self.change(|view| {
            view.state = RelayState::Retrying;
            view.retrying_since
                .get_or_insert_with(|| clock::rfc3339(clock::now_ms()));
            view.last_error = Some(reason.to_owned());
            view.in_flight = 0;
        });
    }

    /// The broker asked to send an event again; tells whether that is news.
    pub(crate) fn event_retrying(&self, reason: &str) -> bool {
        let mut news = false;
        self.change(|view| {
            news = view.retrying_since.is_none();
            view.retrying_since
                .get_or_insert_with(|| clock::rfc3339(clock::now_ms()));
            view.last_error = Some(reason.to_owned());
        });
        news
    }

    /// No event is to be sent again any more; tells whether that is news.
    pub(crate) fn event_retries_over(&self) -> bool {
        let mut news = false;
        self.change(|view| news = view.retrying_since.take().is_some());
        news
    }

    pub(crate) fn window(&self, in_flight: usize, parked_keys: usize) {
        self.change(|view| {
            view.in_flight = in_flight;
            view.parked_keys = parked_keys;
        });
    }

    /// A parked key was tried again, and could not go on.
    pub(crate) fn stuck(&self, stuck: Stuck) {
        let mut keys = self.stuck.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.len() < STUCK_LIMIT_KEYS || keys.contains_key(&stuck.key) {
            keys.insert(stuck.key.clone(), stuck);
        }
    }

    /// A key is parked no more.
    pub(crate) fn goes_on(&self, key: &str) {
        self.stuck
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(key);
    }

    /// Why the event of `key` at `at` could not go on when it was tried last, since the relay started.
    pub(crate) fn stuck_at(&self, key: &str, at: u64) -> Option<String> {
        let keys = self.stuck.lock().unwrap_or_else(PoisonError::into_inner);
        let stuck = keys.get(key).filter(|stuck| stuck.at == Some(at))?;
        Some(stuck.reason.clone())
    }

    pub(crate) fn paused(&self, pause: &Pause) {
        self.change(|view| {
            view.state = RelayState::Paused;
            view.paused = Some(pause.clone());
            // Nothing is tried while it stands.
            view.retrying_since = None;
            view.in_flight = 0;
        });
    }

    pub(crate) fn stopped(&self) {
        self.change(|view| view.state = RelayState::Stopped);
    }
}
