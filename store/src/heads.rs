//! What is known in memory of logs and public streams: ids of logs, durable heads, and who waits for them.
//!
//! A head only moves forward, and never beyond what is durable: the writer moves it after the sync.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};

use tokio::sync::watch;

use crate::keys::LogId;
use crate::names::{LogName, PublicStreamName};
use crate::place::{Position, Sequence};

#[derive(Default)]
pub(crate) struct Heads {
    logs: RwLock<HashMap<LogName, LogId>>,
    log_heads: Mutex<HashMap<LogName, watch::Sender<Position>>>,
    public_heads: Mutex<HashMap<(LogName, PublicStreamName), watch::Sender<Sequence>>>,
}

impl Heads {
    /// The log's id; none if nothing was ever written to it.
    pub(crate) fn log_id(&self, log: &LogName) -> Option<LogId> {
        self.logs
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(log)
            .copied()
    }

    pub(crate) fn add_log(&self, log: LogName, id: LogId) {
        self.logs
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(log, id);
    }

    /// The id for the next new log; none if all are taken.
    pub(crate) fn last_log_id(&self) -> LogId {
        let logs = self.logs.read().unwrap_or_else(PoisonError::into_inner);
        logs.values().max().copied().unwrap_or(LogId(0))
    }

    pub(crate) fn head(&self, log: &LogName) -> Position {
        lock(&self.log_heads)
            .get(log)
            .map_or(Position::ZERO, |head| *head.borrow())
    }

    pub(crate) fn watch_log(&self, log: &LogName) -> watch::Receiver<Position> {
        subscribe(&mut lock(&self.log_heads), log.clone(), Position::ZERO)
    }

    pub(crate) fn move_log(&self, log: &LogName, head: Position) {
        let mut heads = lock(&self.log_heads);
        forward(
            heads
                .entry(log.clone())
                .or_insert_with(|| watch::Sender::new(Position::ZERO)),
            head,
        );
    }

    pub(crate) fn watch_public(
        &self,
        log: &LogName,
        stream: &PublicStreamName,
    ) -> watch::Receiver<Sequence> {
        subscribe(
            &mut lock(&self.public_heads),
            (log.clone(), stream.clone()),
            Sequence::ZERO,
        )
    }

    /// Moves the head of a public stream, if anybody has ever watched it.
    pub(crate) fn move_public(&self, log: &LogName, stream: &PublicStreamName, head: Sequence) {
        if let Some(watched) = lock(&self.public_heads).get(&(log.clone(), stream.clone())) {
            forward(watched, head);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn subscribe<K: Eq + std::hash::Hash, T>(
    heads: &mut HashMap<K, watch::Sender<T>>,
    key: K,
    zero: T,
) -> watch::Receiver<T> {
    heads
        .entry(key)
        .or_insert_with(|| watch::Sender::new(zero))
        .subscribe()
}

fn forward<T: PartialOrd>(watched: &watch::Sender<T>, head: T) {
    watched.send_if_modified(|known| {
        let further = head > *known;
        if further {
            *known = head;
        }
        further
    });
}
