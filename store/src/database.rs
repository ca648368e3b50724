//! RocksDB: the column families, how they are set, and checked reads and writes.
//!
//! - Every value goes through the envelope of `codec.rs`: what fails its checksum is [`StoreError::Damaged`], with the
//!   place, and never data.
//! - What can be read is durable: RocksDB shows a synced write only after the sync.

mod moment;
mod settings;
mod verifying;

use std::ops::ControlFlow;
use std::path::Path;

use rocksdb::backup::BackupEngine;
use rocksdb::{
    Cache, ColumnFamily, ColumnFamilyDescriptor, DB, ErrorKind, FlushOptions, ReadOptions,
    WriteBatch, WriteOptions,
};

use crate::codec::{self, Flaw};
use crate::error::StoreError;
use crate::keys::{self, Column, Key};
use crate::options::Options;
use settings::{column_options, database_options};

pub(crate) use moment::Moment;

/// How the last stop was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LastStop {
    /// Everything was flushed: any flaw in a write-ahead file is damage.
    Clean {
        /// RocksDB's number of the last write.
        last_write: u64,
    },
    /// Whatever it was: the last write-ahead file may end in an incomplete record, which was never answered.
    Unclean,
}

/// An open database.
pub(crate) struct Database {
    db: DB,
    /// Makes the next writes fail.
    #[cfg(test)]
    pub(crate) fail_writes: std::sync::atomic::AtomicBool,
    /// Counts what RocksDB does.
    #[cfg(test)]
    pub(crate) counters: rocksdb::Options,
}

/// Writes that become visible and durable together.
#[derive(Default)]
pub(crate) struct Batch {
    entries: Vec<(Column, Vec<u8>, Vec<u8>)>,
    bytes: usize,
}

impl Batch {
    pub(crate) fn put(&mut self, key: Key, body: &[u8]) {
        let value = codec::seal(&key.bytes, body);
        self.bytes += key.bytes.len() + value.len();
        self.entries.push((key.column, key.bytes, value));
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl Database {
    /// Opens the database in a folder.
    pub(crate) fn open(
        dir: &Path,
        create: bool,
        last: LastStop,
        options: &Options,
    ) -> Result<Self, rocksdb::Error> {
        let cache = Cache::new_lru_cache(options.block_cache_bytes);
        let columns = Column::ALL.map(|column| {
            ColumnFamilyDescriptor::new(column.name(), column_options(column, options, &cache))
        });
        #[cfg_attr(not(test), expect(unused_mut, reason = "tests count"))]
        let mut database = database_options(create, last, options);
        #[cfg(test)]
        database.enable_statistics();
        let db = DB::open_cf_descriptors(&database, dir, columns)?;
        Ok(Self {
            db,
            #[cfg(test)]
            fail_writes: std::sync::atomic::AtomicBool::new(false),
            #[cfg(test)]
            counters: database,
        })
    }

    /// RocksDB's number of the last write. It only grows.
    pub(crate) fn last_write(&self) -> u64 {
        self.db.latest_sequence_number()
    }

    /// Makes a backup: all memtables are written to tables first, at one point for all column families.
    pub(crate) fn back_up(&self, engine: &mut BackupEngine) -> Result<(), rocksdb::Error> {
        engine.create_new_backup_flush(&self.db, true)
    }

    fn column(&self, column: Column) -> Result<&ColumnFamily, StoreError> {
        self.db
            .cf_handle(column.name())
            .ok_or_else(|| StoreError::Damaged {
                place: format!("column family {}", column.name()),
                reason: "it is missing".into(),
            })
    }

    /// Writes a batch, and syncs it if asked. After an error its outcome is unknown, and nothing may be written again.
    pub(crate) fn write(&self, batch: Batch, sync: bool) -> Result<(), StoreError> {
        let stopped = |reason: String| StoreError::Stopped { reason };
        #[cfg(test)]
        if self.fail_writes.load(std::sync::atomic::Ordering::SeqCst) {
            return Err(stopped("a failure was asked for".into()));
        }
        let mut writes = WriteBatch::with_capacity_bytes(batch.bytes + 16 * batch.entries.len());
        for (column, key, value) in &batch.entries {
            writes.put_cf(self.column(*column)?, key, value);
        }
        let mut options = WriteOptions::default();
        options.set_sync(sync);
        self.db
            .write_opt(writes, &options)
            .map_err(|error| stopped(error.into_string()))
    }

    /// Reads one value.
    pub(crate) fn get<T>(
        &self,
        key: &Key,
        decode: impl FnOnce(&[u8]) -> Result<T, Flaw>,
    ) -> Result<Option<T>, StoreError> {
        let found = self
            .db
            .get_pinned_cf(self.column(key.column)?, &key.bytes)
            .map_err(|error| failed(key, &error))?;
        match found {
            None => Ok(None),
            Some(value) => unseal(&key.bytes, &value, decode).map(Some),
        }
    }

    /// Reads several values of one column family; each comes with its size in bytes.
    pub(crate) fn get_all<T>(
        &self,
        sought: &[Key],
        mut decode: impl FnMut(usize, &[u8]) -> Result<T, Flaw>,
    ) -> Result<Vec<Option<(T, usize)>>, StoreError> {
        let Some(first) = sought.first() else {
            return Ok(Vec::new());
        };
        debug_assert!(
            sought.iter().all(|key| key.column == first.column),
            "one column family"
        );
        let found = self.db.batched_multi_get_cf(
            self.column(first.column)?,
            sought
                .iter()
                .map(|key| key.bytes.as_slice())
                .collect::<Vec<_>>(),
            false,
        );
        let read = sought
            .iter()
            .zip(found)
            .enumerate()
            .map(
                |(index, (key, found))| match found.map_err(|error| failed(key, &error))? {
                    None => Ok(None),
                    Some(value) => {
                        let decoded = unseal(&key.bytes, &value, |body| decode(index, body))?;
                        Ok(Some((decoded, value.len())))
                    }
                },
            );
        read.collect()
    }

    /// Visits the entries that begin with `prefix`, from the key `from` on, in order, until told to stop.
    pub(crate) fn scan(
        &self,
        prefix: &Key,
        from: &[u8],
        visit: impl FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>, Flaw>,
    ) -> Result<(), StoreError> {
        self.scan_with(ReadOptions::default(), prefix, from, visit)
    }

    fn scan_with(
        &self,
        mut options: ReadOptions,
        prefix: &Key,
        from: &[u8],
        mut visit: impl FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>, Flaw>,
    ) -> Result<(), StoreError> {
        options.set_iterate_lower_bound(prefix.bytes.clone());
        options.set_iterate_upper_bound(keys::end_of(&prefix.bytes));
        let mut entries = self
            .db
            .raw_iterator_cf_opt(self.column(prefix.column)?, options);
        entries.seek(from);
        while let Some((key, value)) = entries.item() {
            if unseal(key, value, |body| visit(key, body))?.is_break() {
                break;
            }
            entries.next();
        }
        entries.status().map_err(|error| failed(prefix, &error))
    }

    /// The last entry that begins with a prefix.
    pub(crate) fn last<T>(
        &self,
        prefix: &Key,
        decode: impl FnOnce(&[u8], &[u8]) -> Result<T, Flaw>,
    ) -> Result<Option<T>, StoreError> {
        self.last_before(prefix, keys::end_of(&prefix.bytes), decode)
    }

    /// The last entry that begins with a prefix and whose key is before `end`.
    pub(crate) fn last_before<T>(
        &self,
        prefix: &Key,
        end: Vec<u8>,
        decode: impl FnOnce(&[u8], &[u8]) -> Result<T, Flaw>,
    ) -> Result<Option<T>, StoreError> {
        let mut options = ReadOptions::default();
        options.set_iterate_lower_bound(prefix.bytes.clone());
        options.set_iterate_upper_bound(end);
        let mut entries = self
            .db
            .raw_iterator_cf_opt(self.column(prefix.column)?, options);
        entries.seek_to_last();
        entries.status().map_err(|error| failed(prefix, &error))?;
        match entries.item() {
            None => Ok(None),
            Some((key, value)) => unseal(key, value, |body| decode(key, body)).map(Some),
        }
    }

    /// Whether nothing at all is stored.
    pub(crate) fn is_empty(&self) -> Result<bool, StoreError> {
        for column in Column::ALL {
            let mut entries = self.db.raw_iterator_cf(self.column(column)?);
            entries.seek_to_first();
            entries.status().map_err(|error| StoreError::Io {
                reason: error.into_string(),
            })?;
            if entries.valid() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Writes all memtables to tables, at once and for good.
    pub(crate) fn flush(&self) -> Result<(), StoreError> {
        let mut options = FlushOptions::default();
        options.set_wait(true);
        let columns = Column::ALL
            .into_iter()
            .map(|column| self.column(column))
            .collect::<Result<Vec<_>, _>>()?;
        self.db
            .flush_wal(true)
            .and_then(|()| self.db.flush_cfs_opt(&columns, &options))
            .map_err(|error| StoreError::Stopped {
                reason: error.into_string(),
            })
    }
}

fn unseal<T>(
    key: &[u8],
    value: &[u8],
    decode: impl FnOnce(&[u8]) -> Result<T, Flaw>,
) -> Result<T, StoreError> {
    codec::unseal(key, value)
        .and_then(decode)
        .map_err(|flaw| damaged(key, &flaw.to_string()))
}

/// A record that is not what was written.
pub(crate) fn damaged(key: &[u8], reason: &str) -> StoreError {
    StoreError::Damaged {
        place: keys::describe(key),
        reason: reason.into(),
    }
}

fn failed(key: &Key, error: &rocksdb::Error) -> StoreError {
    match error.kind() {
        ErrorKind::Corruption => damaged(
            &key.bytes,
            &format!("column family {}: {}", key.column.name(), error.as_ref()),
        ),
        _ => StoreError::Io {
            reason: error.as_ref().into(),
        },
    }
}
