//! How reads run: at once where what they need is in memory, where they may block, or behind all else.

use std::sync::{Arc, PoisonError};

use tokio::sync::oneshot;
use tokio::task::spawn_blocking;

use super::{Inner, Store};
use crate::database::{Database, Reach};
use crate::error::StoreError;
use crate::keys::LogId;
use crate::names::LogName;
use crate::page::ReadLimit;
use crate::reading;

/// Up to so many records from the head, a read is first tried in memory, without a thread for blocking work.
const NEAR_RECORDS: u64 = 64;
/// Bytes after which a page ends that is read so.
const NEAR_BYTES: usize = 256 * 1024;

impl Store {
    /// Runs a read where it may block.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Inner, &Database) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.work(read).await
    }

    /// Runs a read of long history, which gives way to all else.
    async fn read_history<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Inner, &Database) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, outcome) = oneshot::channel();
        let inner = Arc::clone(&self.inner);
        self.inner.history.hand_over(move || {
            // Who asked may have gone.
            let _ = answer.send(inner.with_database(|database| read(&inner, database)));
        });
        outcome.await.map_err(|_| interrupted())?
    }

    /// Runs work on the database where it may block; closing waits for it.
    pub(crate) async fn work<T: Send + 'static, E: From<StoreError> + Send + 'static>(
        &self,
        read: impl FnOnce(&Inner, &Database) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E> {
        let inner = Arc::clone(&self.inner);
        spawn_blocking(move || inner.with_database(|database| read(&inner, database)))
            .await
            .map_err(|_| interrupted())?
    }

    /// Runs a read from a place on: at once if the head is near and what it needs is in memory, as what was written last is; else
    /// where it may block, as is a page that `is_whole` finds cut short by how much is read at once.
    pub(crate) async fn read_from<T: Send + 'static>(
        &self,
        from: u64,
        head: u64,
        limit: ReadLimit,
        read: impl Fn(&Inner, &Database, Reach, ReadLimit) -> Result<T, StoreError> + Send + 'static,
        is_whole: impl Fn(&T) -> bool,
    ) -> Result<T, StoreError> {
        if head.saturating_sub(from) <= NEAR_RECORDS {
            let near = ReadLimit {
                records: limit.records.min(NEAR_RECORDS as usize),
                bytes: limit.bytes.min(NEAR_BYTES),
            };
            let found =
                self.read_in_memory(|inner, database| read(inner, database, Reach::Memory, near));
            if let Some(found) = found.filter(is_whole) {
                return Ok(found);
            }
        }
        let reach = reading::reach(from, head);
        let read = move |inner: &Inner, database: &Database| read(inner, database, reach, limit);
        if reach == Reach::History {
            return self.read_history(read).await;
        }
        self.read(read).await
    }

    /// Runs a read that looks only in memory, at once; none if what it needs is not there, or the store is closing.
    pub(crate) fn read_in_memory<T>(
        &self,
        read: impl FnOnce(&Inner, &Database) -> Result<T, StoreError>,
    ) -> Option<T> {
        let open = self.inner.open.try_read().ok()?;
        read(&self.inner, &open.as_ref()?.database).ok()
    }

    /// Runs a read of a log, or gives what an unwritten log has.
    pub(crate) async fn read_of<T: Default + Send + 'static>(
        &self,
        log: &LogName,
        read: impl FnOnce(&Inner, &Database, LogId) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let log = log.clone();
        self.read(move |inner, database| match inner.heads.log_id(&log) {
            Some(log) => read(inner, database, log),
            None => Ok(T::default()),
        })
        .await
    }
}

fn interrupted() -> StoreError {
    StoreError::Io {
        reason: "the read was interrupted".into(),
    }
}

impl Inner {
    /// Works on the database; closing waits for it.
    fn with_database<T, E: From<StoreError>>(
        &self,
        work: impl FnOnce(&Database) -> Result<T, E>,
    ) -> Result<T, E> {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        work(&open.as_ref().ok_or(StoreError::Closed)?.database)
    }
}
