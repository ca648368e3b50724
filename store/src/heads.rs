//! What is known in memory: ids and heads of logs, cursors, heads of public streams, and who waits for them.
//!
//! All of it is loaded when the store is opened, and the writer brings it up to date after each write: it is never
//! ahead of what is stored. It grows with the number of contracts and outlets, not of events.

use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};

use tokio::sync::watch;

use crate::keys::LogId;
use crate::names::{ByName, CursorName, LogName, PublicStreamName, RelayName};
use crate::place::{Position, Sequence};
use crate::public::PublicHead;
use crate::state::{LogHead, RelayState};

/// What is known of one log.
#[derive(Debug)]
pub(crate) struct KnownLog {
    pub(crate) id: LogId,
    pub(crate) head: LogHead,
    /// Where the epochs before the present one ended.
    pub(crate) ends: Vec<Position>,
    pub(crate) cursors: ByName<CursorName, Position>,
    pub(crate) public_heads: ByName<PublicStreamName, PublicHead>,
    pub(crate) relays: ByName<RelayName, RelayState>,
}

/// A log as it was when a verification began.
pub(crate) struct LiveLog {
    pub(crate) id: LogId,
    pub(crate) head: Position,
    pub(crate) public: Vec<(PublicStreamName, Sequence)>,
    /// Private and public events together, more or less.
    pub(crate) records: u64,
}

impl KnownLog {
    pub(crate) fn live(&self) -> LiveLog {
        let public = self.public_heads.iter();
        let crossed: u64 = self.public_heads.values().map(|head| head.crossed).sum();
        LiveLog {
            id: self.id,
            head: self.head.last,
            public: public
                .map(|(stream, head)| (stream.clone(), head.last))
                .collect(),
            records: self.head.events.saturating_add(crossed),
        }
    }

    /// Whether a position is one of the log's, and not beyond its head or between two epochs.
    pub(crate) fn has(&self, position: Position) -> bool {
        let mut ends = self.ends.iter().chain([&self.head.last]);
        position.offset() > 0 && ends.any(|end| end.epoch() == position.epoch() && *end >= position)
    }
}

#[derive(Default)]
pub(crate) struct Heads {
    /// The store's epoch; it does not change while the store is open.
    epoch: u64,
    logs: RwLock<ByName<LogName, KnownLog>>,
    /// The number of the last batch that was written.
    batch: AtomicU64,
    log_watchers: Watchers<LogName, Position>,
    public_watchers: Watchers<(LogName, PublicStreamName), Sequence>,
}

impl Heads {
    /// Knows no log yet.
    pub(crate) fn new(epoch: u64) -> Self {
        Self {
            epoch,
            ..Self::default()
        }
    }

    /// Looks at what is known of a log; none if nothing was ever written to it.
    pub(crate) fn known<T>(&self, log: &LogName, look: impl FnOnce(&KnownLog) -> T) -> Option<T> {
        let logs = self.logs.read().unwrap_or_else(PoisonError::into_inner);
        logs.get(log).map(look)
    }

    /// Looks at all logs.
    pub(crate) fn all<T>(&self, look: impl Fn(&KnownLog) -> T) -> Vec<T> {
        let logs = self.logs.read().unwrap_or_else(PoisonError::into_inner);
        logs.values().map(look).collect()
    }

    pub(crate) fn log_id(&self, log: &LogName) -> Option<LogId> {
        self.known(log, |log| log.id)
    }

    /// Where a log ends; before the first position of the store's epoch if nothing was ever written to it.
    pub(crate) fn head(&self, log: &LogName) -> LogHead {
        self.known(log, |log| log.head).unwrap_or(LogHead {
            last: Position::start_of(self.epoch),
            events: 0,
        })
    }

    pub(crate) fn public_head(
        &self,
        log: &LogName,
        stream: &PublicStreamName,
    ) -> Option<PublicHead> {
        self.known(log, |log| log.public_heads.get(stream).copied())?
    }

    /// The highest id that a log has; 0 if there is none.
    pub(crate) fn last_log_id(&self) -> LogId {
        let logs = self.logs.read().unwrap_or_else(PoisonError::into_inner);
        logs.values().map(|log| log.id).max().unwrap_or(LogId(0))
    }

    /// The number of the last batch that was written: whoever reads it first finds that batch in what is read after.
    pub(crate) fn batch(&self) -> u64 {
        self.batch.load(Ordering::Acquire)
    }

    pub(crate) fn written(&self, batch: u64) {
        self.batch.store(batch, Ordering::Release);
    }

    /// Takes in what is now stored of a log, on top of what was known of it, and wakes who waits.
    pub(crate) fn advance(&self, name: LogName, news: KnownLog) {
        let last = news.head.last;
        let sequences: Vec<_> = news
            .public_heads
            .iter()
            .map(|(stream, head)| (stream.clone(), head.last))
            .collect();
        let mut logs = self.logs.write().unwrap_or_else(PoisonError::into_inner);
        match logs.get_mut(&name) {
            None => drop(logs.insert(name.clone(), news)),
            Some(known) => {
                known.head = news.head;
                known.cursors.extend(news.cursors);
                known.public_heads.extend(news.public_heads);
                known.relays.extend(news.relays);
            }
        }
        drop(logs);
        self.log_watchers.wake(&name, last);
        for (stream, sequence) in sequences {
            self.public_watchers.wake(&(name.clone(), stream), sequence);
        }
    }

    pub(crate) fn watch_log(&self, log: &LogName) -> watch::Receiver<Position> {
        // Watched first, looked up after: nothing between the two is missed.
        let receiver = self.log_watchers.watch(log.clone());
        self.log_watchers.wake(log, self.head(log).last);
        receiver
    }

    pub(crate) fn watch_public(
        &self,
        log: &LogName,
        stream: &PublicStreamName,
    ) -> watch::Receiver<Sequence> {
        let of = (log.clone(), stream.clone());
        let receiver = self.public_watchers.watch(of.clone());
        let head = self.public_head(log, stream).unwrap_or_default();
        self.public_watchers.wake(&of, head.last);
        receiver
    }

    /// Tells who waits that nothing will come any more.
    pub(crate) fn close(&self) {
        self.log_watchers.lock().clear();
        self.public_watchers.lock().clear();
    }
}

/// Who waits for a place to move, by what it is the head of. A place only moves forward.
struct Watchers<K, T>(Mutex<ByName<K, watch::Sender<T>>>);

impl<K, T> Default for Watchers<K, T> {
    fn default() -> Self {
        Self(Mutex::new(ByName::default()))
    }
}

impl<K: Eq + Hash, T: Copy + Default + PartialOrd> Watchers<K, T> {
    fn lock(&self) -> MutexGuard<'_, ByName<K, watch::Sender<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watch(&self, of: K) -> watch::Receiver<T> {
        let mut watchers = self.lock();
        let watcher = watchers
            .entry(of)
            .or_insert_with(|| watch::Sender::new(T::default()));
        watcher.subscribe()
    }

    fn wake(&self, of: &K, place: T) {
        if let Some(watcher) = self.lock().get(of) {
            watcher.send_if_modified(|known| {
                let further = place > *known;
                if further {
                    *known = place;
                }
                further
            });
        }
    }
}
