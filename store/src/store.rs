//! The store's handle: opening, closing, and how calls reach the writer and the database.
//!
//! Reads run on tokio's threads for blocking work, under a lock that closing waits for. Writes wait in a queue that is
//! bounded in calls and in bytes; who waits too long is told that the store is busy.

mod reads;

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::spawn_blocking;

use crate::database::Database;
use crate::digest::Secrets;
use crate::error::{OpenError, StoreError};
use crate::folder::{Folder, hex};
use crate::heads::Heads;
use crate::history::History;
use crate::load::load;
use crate::options::Options;
use crate::space::{DiskSpace, Space};
use crate::writer::{Answered, Queued, Request, Requests, Writer};

/// The unit in which room in the queue is counted.
const ROOM_BYTES: usize = 1024;

/// An open store. Clones are cheap and share it.
///
/// Dropped without [`Store::close`], it is as durable, but the next opening cannot tell damage at the end of the last
/// write-ahead file from an unclean stop.
#[derive(Clone)]
pub struct Store {
    pub(crate) inner: Arc<Inner>,
}

/// What the clones of a store share.
pub(crate) struct Inner {
    id: String,
    pub(crate) secrets: Secrets,
    pub(crate) options: Options,
    pub(crate) heads: Arc<Heads>,
    /// None once closed. Reads hold it shared, closing takes it.
    pub(crate) open: RwLock<Option<Open>>,
    /// None only while this is dropped.
    queue: Option<mpsc::Sender<Queued>>,
    room: Arc<Semaphore>,
    pub(crate) space: Space,
    poison: Arc<OnceLock<String>>,
    closing: AtomicBool,
    history: History,
    writer: Mutex<Option<JoinHandle<()>>>,
}

/// The database and its folder; the lock on the folder goes last.
pub(crate) struct Open {
    pub(crate) database: Arc<Database>,
    folder: Folder,
}

impl Store {
    /// Opens the store in a folder, and makes it if the folder is empty or absent.
    ///
    /// # Errors
    /// [`OpenError`]: another process has it open, it is damaged, it is of a newer format, or the system refused.
    pub async fn open(dir: &Path, options: Options) -> Result<Self, OpenError> {
        Self::open_in(dir, options, Folder::lock).await
    }

    /// Opens the store in a folder; never makes one.
    ///
    /// # Errors
    /// [`OpenError::NoStore`], and all of [`Store::open`].
    pub async fn open_existing(dir: &Path, options: Options) -> Result<Self, OpenError> {
        Self::open_in(dir, options, Folder::lock_existing).await
    }

    async fn open_in(
        dir: &Path,
        options: Options,
        lock: fn(&Path) -> Result<Folder, OpenError>,
    ) -> Result<Self, OpenError> {
        options.check()?;
        let dir = dir.to_owned();
        let failed = OpenError::Io {
            dir: dir.clone(),
            reason: "the opening was interrupted".into(),
        };
        spawn_blocking(move || open(&dir, options, lock(&dir)?))
            .await
            .map_err(|_| failed)?
    }

    /// The store's id: 32 hexadecimal digits, random, made with the store.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.inner.id
    }

    /// A secret for a purpose outside the store, derived from its random secret. `context` names the purpose.
    #[must_use]
    pub fn derive_secret(&self, context: &str) -> [u8; 32] {
        self.inner.secrets.derive(context)
    }

    /// Why nothing is written any more, if that is so: a write or a sync failed, and the store must be opened anew.
    #[must_use]
    pub fn stopped(&self) -> Option<&str> {
        self.inner.poison.get().map(String::as_str)
    }

    /// How much room the store's disk has, and what is refused for want of it. It is known in memory.
    #[must_use]
    pub fn disk_space(&self) -> DiskSpace {
        self.inner.space.now()
    }

    /// Writes what waits, flushes, leaves the marker of a clean stop, and lets go of the folder. Calls on clones then
    /// get [`StoreError::Closed`].
    ///
    /// # Errors
    /// [`StoreError::Stopped`] if a write has failed, now or before: no marker is left then.
    /// [`StoreError::Closed`] if a clone was closed before.
    pub async fn close(self) -> Result<(), StoreError> {
        let inner = Arc::clone(&self.inner);
        inner.closing.store(true, Ordering::SeqCst);
        if let Some(queue) = &inner.queue {
            // If the writer has ended there is nobody to stop.
            let _ = queue
                .send(Queued {
                    request: Request::Stop,
                    room: 0,
                })
                .await;
        }
        let interrupted = |_| StoreError::Io {
            reason: "the closing was interrupted".into(),
        };
        spawn_blocking(move || inner.close())
            .await
            .map_err(interrupted)?
    }

    /// What is known in memory; an error once the store is closed.
    pub(crate) fn heads(&self) -> Result<&Heads, StoreError> {
        if self.inner.closing.load(Ordering::SeqCst) {
            return Err(StoreError::Closed);
        }
        Ok(&self.inner.heads)
    }

    /// Hands a request to the writer and waits for its answer.
    pub(crate) async fn ask<T, E: From<StoreError>>(
        &self,
        bytes: usize,
        request: impl FnOnce(oneshot::Sender<Answered<T, E>>) -> Request,
    ) -> Result<T, E> {
        let inner = &self.inner;
        if let Some(reason) = inner.poison.get() {
            return Err(StoreError::Stopped {
                reason: reason.clone(),
            }
            .into());
        }
        let waited_ms = inner.options.queue_wait_ms;
        let (answer, outcome) = oneshot::channel();
        tokio::time::timeout(
            Duration::from_millis(waited_ms),
            inner.queue(bytes, request(answer)),
        )
        .await
        .map_err(|_| StoreError::Busy { waited_ms })??;
        let answered = outcome.await.map_err(|_| inner.ended())?;
        answered.outcome
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("id", &self.inner.id)
            .finish_non_exhaustive()
    }
}

impl Inner {
    async fn queue(&self, bytes: usize, request: Request) -> Result<(), StoreError> {
        let all = self.options.queue_max_bytes / ROOM_BYTES;
        let share = u32::try_from(bytes.div_ceil(ROOM_BYTES).min(all)).unwrap_or(u32::MAX);
        let room = self.room.acquire_many(share);
        let room = room.await.map_err(|_| self.ended())?;
        let queue = self.queue.as_ref().ok_or(StoreError::Closed)?;
        let place = queue.reserve().await.map_err(|_| self.ended())?;
        // The writer gives it back.
        room.forget();
        place.send(Queued {
            request,
            room: share,
        });
        Ok(())
    }

    /// Why the writer takes no more.
    fn ended(&self) -> StoreError {
        match self.poison.get() {
            Some(reason) => StoreError::Stopped {
                reason: reason.clone(),
            },
            None if self.closing.load(Ordering::SeqCst) => StoreError::Closed,
            None => StoreError::Stopped {
                reason: "the writer has ended".into(),
            },
        }
    }

    fn close(&self) -> Result<(), StoreError> {
        // Held until the writer has ended: who closes at the same time waits, and finds the store closed.
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let ended_well = writer.take().is_none_or(|writer| writer.join().is_ok());
        self.heads.close();
        let Open { database, folder } = self
            .open
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
            .ok_or(StoreError::Closed)?;
        if let Some(reason) = self.poison.get() {
            return Err(StoreError::Stopped {
                reason: reason.clone(),
            });
        }
        if !ended_well {
            return Err(StoreError::Stopped {
                reason: "the writer has ended".into(),
            });
        }
        database.flush()?;
        let last_write = database.last_write();
        drop(database);
        folder.mark_clean_stop(last_write)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Without senders the writer ends when it has written what waits; then the folder's lock can go.
        drop(self.queue.take());
        let writer = self
            .writer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(writer) = writer {
            // A panic of the writer has been shown already.
            let _ = writer.join();
        }
    }
}

fn open(dir: &Path, options: Options, folder: Folder) -> Result<Store, OpenError> {
    let (database, entry) = folder.open(&options)?;
    let heads = Arc::new(Heads::new(entry.epoch));
    load(&database, entry.epoch, &heads).map_err(|error| folder.unusable(error))?;
    let database = Arc::new(database);
    let poison = Arc::new(OnceLock::new());
    let space = Space::watch(dir, &options)?;
    let (queue, requests) = mpsc::channel(options.queue_max_requests);
    let room = Arc::new(Semaphore::new(options.queue_max_bytes / ROOM_BYTES));
    let writer = Writer::new(
        Arc::clone(&database),
        Arc::clone(&heads),
        Requests::new(requests, Arc::clone(&room)),
        options,
        Arc::clone(&poison),
    );
    let io = |error: std::io::Error| OpenError::Io {
        dir: dir.to_owned(),
        reason: error.to_string(),
    };
    let writer = std::thread::Builder::new()
        .name("store-writer".into())
        .spawn(move || writer.run())
        .map_err(io)?;
    let inner = Inner {
        id: hex(&entry.id),
        secrets: Secrets::new(entry.secret),
        options,
        heads,
        open: RwLock::new(Some(Open { database, folder })),
        queue: Some(queue),
        space,
        room,
        poison,
        closing: AtomicBool::new(false),
        history: History::start().map_err(io)?,
        writer: Mutex::new(Some(writer)),
    };
    Ok(Store {
        inner: Arc::new(inner),
    })
}

#[cfg(test)]
mod tests;
