//! Room on the disk: looked at by a thread of its own, so that a disk that fills up refuses new work while there is still
//! room for what must go on.
//!
//! - Below the first mark appends are refused, below the second crossings and system records as well. Reads and
//!   settlements never are.
//! - A refusal is lifted by itself when a twentieth more than the mark is free, so that it does not flap.
//! - Who asks pays one look at memory; a disk that does not answer delays nobody.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::Thread;
use std::time::Duration;

use crate::error::{OpenError, StoreError};
use crate::options::Options;

/// How often the disk is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Above a mark by this part of it, its refusal is lifted.
const LIFT_PART: u64 = 20;

/// How much room the disk has, and what is refused for want of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct DiskSpace {
    /// Bytes that are free to the store, as they were at the last look, a tenth of a second ago at most; none if the
    /// system does not tell.
    pub free_bytes: Option<u64>,
    /// Whether appends are refused.
    pub appends_refused: bool,
    /// Whether crossings and system records are refused.
    pub crossing_refused: bool,
}

/// Watches the disk until it is dropped.
pub(crate) struct Space {
    watched: Arc<Watched>,
    watcher: Thread,
}

struct Watched {
    dir: PathBuf,
    /// `u64::MAX` if the system does not tell.
    free_bytes: AtomicU64,
    appends: Mark,
    crossing: Mark,
    ended: AtomicBool,
}

/// One mark, and whether what it guards is refused.
struct Mark {
    what: &'static str,
    /// 0: off.
    bytes: u64,
    low: AtomicBool,
}

impl Space {
    /// Looks at the disk, and begins to watch it.
    pub(crate) fn watch(dir: &Path, options: &Options) -> Result<Self, OpenError> {
        let watched = Arc::new(Watched {
            dir: dir.to_owned(),
            free_bytes: AtomicU64::new(u64::MAX),
            appends: Mark::new("appends", options.appends_min_free_bytes),
            crossing: Mark::new("crossings", options.crossing_min_free_bytes),
            ended: AtomicBool::new(false),
        });
        watched.look();
        let watching = Arc::clone(&watched);
        let watcher = std::thread::Builder::new()
            .name("store-space".into())
            .spawn(move || {
                while !watching.ended.load(Ordering::SeqCst) {
                    std::thread::park_timeout(LOOK_EVERY);
                    watching.look();
                }
            })
            .map_err(|error| OpenError::Io {
                dir: dir.to_owned(),
                reason: error.to_string(),
            })?;
        Ok(Self {
            watched,
            watcher: watcher.thread().clone(),
        })
    }

    /// Refuses an append if there is no room for it.
    pub(crate) fn check_append(&self) -> Result<(), StoreError> {
        self.watched.check(&self.watched.appends)
    }

    /// Refuses a crossing or a system record if there is no room for it.
    pub(crate) fn check_crossing(&self) -> Result<(), StoreError> {
        self.watched.check(&self.watched.crossing)
    }

    pub(crate) fn now(&self) -> DiskSpace {
        let free_bytes = self.watched.free_bytes.load(Ordering::Relaxed);
        DiskSpace {
            free_bytes: (free_bytes != u64::MAX).then_some(free_bytes),
            appends_refused: self.watched.appends.low.load(Ordering::Relaxed),
            crossing_refused: self.watched.crossing.low.load(Ordering::Relaxed),
        }
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        self.watched.ended.store(true, Ordering::SeqCst);
        // Not joined: a disk that hangs would hold up who closes the store.
        self.watcher.unpark();
    }
}

impl Watched {
    /// Looks at the disk. Where that fails, what was last known stands.
    fn look(&self) {
        let Ok(disk) = rustix::fs::statvfs(&self.dir) else {
            return;
        };
        let free_bytes = disk.f_bavail.saturating_mul(disk.f_frsize);
        self.free_bytes.store(free_bytes, Ordering::Relaxed);
        for mark in [&self.appends, &self.crossing] {
            mark.see(free_bytes);
        }
    }

    fn check(&self, mark: &Mark) -> Result<(), StoreError> {
        if mark.low.load(Ordering::Relaxed) {
            return Err(StoreError::DiskLow {
                what: mark.what,
                free_bytes: self.free_bytes.load(Ordering::Relaxed),
                mark_bytes: mark.lifted_at(),
            });
        }
        Ok(())
    }
}

impl Mark {
    fn new(what: &'static str, bytes: u64) -> Self {
        Self {
            what,
            bytes,
            low: AtomicBool::new(false),
        }
    }

    /// What must be free for a refusal to be lifted.
    fn lifted_at(&self) -> u64 {
        self.bytes.saturating_add(self.bytes / LIFT_PART)
    }

    /// Takes in how much is free; tells the log when that changes something.
    fn see(&self, free_bytes: u64) {
        let was_low = self.low.load(Ordering::Relaxed);
        let enough = if was_low {
            self.lifted_at()
        } else {
            self.bytes
        };
        let low = free_bytes < enough;
        if low != was_low {
            self.low.store(low, Ordering::Relaxed);
            let (what, mark_bytes) = (self.what, self.bytes);
            if low {
                tracing::error!(
                    what,
                    free_bytes,
                    mark_bytes,
                    "the disk is low: refused until there is room; free some, or move the store to a larger disk"
                );
            } else {
                tracing::info!(
                    what,
                    free_bytes,
                    mark_bytes,
                    "the disk has room: taken again"
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_low_below_itself_and_lifted_a_twentieth_above() {
        let mark = Mark::new("appends", 1_000);
        let seen: Vec<_> = [1_000, 999, 1_000, 1_049, 1_050, 1_000, 0]
            .into_iter()
            .map(|free_bytes| {
                mark.see(free_bytes);
                mark.low.load(Ordering::Relaxed)
            })
            .collect();
        assert_eq!(seen, [false, true, true, true, false, false, true]);
    }

    #[test]
    fn a_mark_of_zero_is_off() {
        let mark = Mark::new("appends", 0);
        mark.see(0);
        assert!(!mark.low.load(Ordering::Relaxed));
    }
}
