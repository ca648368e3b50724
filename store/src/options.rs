//! Options of a store: limits, queues and memory, each with its unit and its default.

use crate::error::OpenError;
use crate::limits::Limits;

const MIB: usize = 1024 * 1024;
/// Options of a store that bound what is free on its disk, in bytes, at most: 1 PiB.
const MIN_FREE_MAX_BYTES: u64 = 1 << 50;

/// Options of a store. With the defaults a store needs at most about 360 MiB of memory: caches, memtables, and
/// what waits to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Limits of what is handed in.
    pub limits: Limits,
    /// Most calls that wait to be written. Default: 1,024.
    pub queue_max_requests: usize,
    /// Most bytes that wait to be written. Default: 64 MiB. At least the largest commit and crossing.
    pub queue_max_bytes: usize,
    /// How long a call waits for room in the queue before it is refused as busy, in milliseconds. Default: 10,000.
    pub queue_wait_ms: u64,
    /// Most calls that are written and synced together. Default: 1,024.
    pub batch_max_requests: usize,
    /// Bytes after which a batch takes no further call. Default: 4 MiB.
    pub batch_max_bytes: usize,
    /// Cache of uncompressed blocks, with their indexes and filters, in bytes. Default: 128 MiB. At least 1 MiB.
    pub block_cache_bytes: usize,
    /// Records that were read by their positions lately, as those of streams are, in bytes; the largest are left out. 0: none are
    /// kept. Default: 32 MiB. At most 1 TiB.
    pub record_cache_bytes: usize,
    /// Memtables of all column families together, in bytes. Default: 64 MiB.
    pub memtables_bytes: usize,
    /// Write-ahead files after which memtables are flushed, in bytes. Default: 256 MiB.
    pub wal_max_bytes: usize,
    /// Most files that RocksDB keeps open. Default: 512.
    pub open_files_max: i32,
    /// Threads for flushes and compactions. Default: 2.
    pub background_threads: i32,
    /// Below so many free bytes on the store's disk, appends are refused with [`crate::StoreError::DiskLow`] until a
    /// twentieth more is free. 0: never. Default: 1 GiB.
    pub appends_min_free_bytes: u64,
    /// Below so many free bytes on the store's disk, crossings and system records are refused likewise. What is left is
    /// for settlements, and for RocksDB's flushes and compactions. At most `appends_min_free_bytes`, unless that is 0.
    /// 0: never. Default: 512 MiB.
    pub crossing_min_free_bytes: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            queue_max_requests: 1_024,
            queue_max_bytes: 64 * MIB,
            queue_wait_ms: 10_000,
            batch_max_requests: 1_024,
            batch_max_bytes: 4 * MIB,
            block_cache_bytes: 128 * MIB,
            record_cache_bytes: 32 * MIB,
            memtables_bytes: 64 * MIB,
            wal_max_bytes: 256 * MIB,
            open_files_max: 512,
            background_threads: 2,
            appends_min_free_bytes: 1024 * MIB as u64,
            crossing_min_free_bytes: 512 * MIB as u64,
        }
    }
}

impl Options {
    /// Refuses options that cannot work together.
    pub(crate) fn check(&self) -> Result<(), OpenError> {
        let largest = self
            .limits
            .commit_max_bytes
            .max(self.limits.crossing_max_bytes)
            .max(self.limits.system_max_bytes);
        let rules: [(&'static str, bool, String); 10] = [
            (
                "queue_max_requests",
                self.queue_max_requests >= 1,
                "must be at least 1".into(),
            ),
            (
                "queue_max_bytes",
                (largest..=1 << 40).contains(&self.queue_max_bytes),
                format!("must be at least {largest}, the largest single call, and at most 1 TiB"),
            ),
            (
                "batch_max_requests",
                self.batch_max_requests >= 1,
                "must be at least 1".into(),
            ),
            (
                "block_cache_bytes",
                // RocksDB ends the process if it cannot reserve the table of its cache.
                (MIB..=1 << 40).contains(&self.block_cache_bytes),
                "must be at least 1 MiB, and at most 1 TiB".into(),
            ),
            (
                "record_cache_bytes",
                self.record_cache_bytes <= 1 << 40,
                "must be at most 1 TiB".into(),
            ),
            (
                "memtables_bytes",
                self.memtables_bytes >= MIB,
                "must be at least 1 MiB".into(),
            ),
            (
                "appends_min_free_bytes",
                self.appends_min_free_bytes <= MIN_FREE_MAX_BYTES,
                "must be at most 1 PiB".into(),
            ),
            (
                "crossing_min_free_bytes",
                self.appends_min_free_bytes == 0
                    || self.crossing_min_free_bytes <= self.appends_min_free_bytes,
                "must be at most appends_min_free_bytes: appends are refused first".into(),
            ),
            (
                "type_max_bytes",
                self.limits.type_max_bytes <= 1_024,
                "must be at most 1,024".into(),
            ),
            (
                "event_max_bytes",
                self.limits.event_max_bytes <= 256 * MIB && largest <= 1024 * MIB,
                "must be at most 256 MiB, and a commit, crossing or system record at most 1 GiB"
                    .into(),
            ),
        ];
        match rules.into_iter().find(|(_, holds, _)| !holds) {
            Some((option, _, reason)) => Err(OpenError::Option { option, reason }),
            None => Ok(()),
        }
    }
}
