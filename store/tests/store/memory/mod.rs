//! An event store in memory: what a store is, in maps and vectors. It is plain, not fast: whatever is asked is looked for from the
//! beginning. Tests compare the store with it.

mod append;
mod calls;
mod cross;
mod limits;
mod parking;
mod read;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};

use horizon_store::{
    CursorName, LogName, Position, PublicEvent, PublicHead, PublicStreamName, Record, RelayName,
    RelayTotals, Resolution, Sequence, Settlement, StoreError,
};
use tokio::sync::watch;

/// What is kept when a store is closed.
#[derive(Default)]
pub(crate) struct Kept {
    logs: BTreeMap<LogName, Log>,
}

/// One log and all that belongs to it. Place n of a vector is position, revision or sequence n + 1.
#[derive(Default)]
struct Log {
    records: Vec<Record>,
    cursors: BTreeMap<CursorName, Position>,
    public: BTreeMap<PublicStreamName, (PublicHead, Vec<PublicEvent>)>,
    relays: BTreeMap<RelayName, Relay>,
    /// By scope, key and place: why, if it does not only wait.
    parked: BTreeMap<(String, String, u64), Option<String>>,
    /// By scope, place and key.
    resolved: BTreeMap<(String, u64, String), Resolution>,
}

#[derive(Default)]
struct Relay {
    cursor: Sequence,
    totals: RelayTotals,
    settlements: Vec<Settlement>,
}

impl Log {
    fn head(&self) -> Position {
        Position::new(self.records.len() as u64)
    }

    fn public_last(&self, stream: &PublicStreamName) -> Sequence {
        let events = self
            .public
            .get(stream)
            .map_or(0, |(_, events)| events.len());
        Sequence::new(events as u64)
    }
}

/// Who waits; gone when the store is closed.
#[derive(Default)]
struct Watchers {
    logs: HashMap<LogName, watch::Sender<Position>>,
    public: HashMap<(LogName, PublicStreamName), watch::Sender<Sequence>>,
}

/// A store that is open until it, or a clone of it, is closed.
#[derive(Clone)]
pub(crate) struct MemoryStore {
    kept: Arc<Mutex<Kept>>,
    /// None once closed.
    watchers: Arc<Mutex<Option<Watchers>>>,
}

impl MemoryStore {
    pub(crate) fn open(kept: &Arc<Mutex<Kept>>) -> Self {
        Self {
            kept: Arc::clone(kept),
            watchers: Arc::new(Mutex::new(Some(Watchers::default()))),
        }
    }

    fn kept(&self) -> Result<MutexGuard<'_, Kept>, StoreError> {
        // In this order everywhere.
        let kept = self.kept.lock().unwrap();
        match *self.watchers.lock().unwrap() {
            Some(_) => Ok(kept),
            None => Err(StoreError::Closed),
        }
    }

    /// Looks at a log, or at an empty one if there is none.
    fn look<T>(&self, log: &LogName, look: impl FnOnce(&Log) -> T) -> Result<T, StoreError> {
        let kept = self.kept()?;
        Ok(match kept.logs.get(log) {
            Some(log) => look(log),
            None => look(&Log::default()),
        })
    }

    /// Changes a log, all or nothing, and wakes who waits.
    fn change<T, E: From<StoreError>>(
        &self,
        name: &LogName,
        change: impl FnOnce(&mut Log) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut kept = self.kept()?;
        let log = kept.logs.entry(name.clone()).or_default();
        let changed = change(log)?;
        if let Some(watchers) = &*self.watchers.lock().unwrap() {
            if let Some(waiting) = watchers.logs.get(name) {
                waiting.send_if_modified(|head| std::mem::replace(head, log.head()) < log.head());
            }
            for stream in log.public.keys() {
                if let Some(waiting) = watchers.public.get(&(name.clone(), stream.clone())) {
                    let last = log.public_last(stream);
                    waiting.send_if_modified(|head| std::mem::replace(head, last) < last);
                }
            }
        }
        Ok(changed)
    }

    fn watchers<T>(&self, watch: impl FnOnce(&mut Watchers) -> T) -> Result<T, StoreError> {
        let mut watchers = self.watchers.lock().unwrap();
        watchers.as_mut().map(watch).ok_or(StoreError::Closed)
    }
}
