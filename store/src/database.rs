//! RocksDB: the column families, how they are set, and checked reads and writes.
//!
//! - Every value goes through the envelope of `codec.rs`: what fails its checksum is [`StoreError::Damaged`], with the
//!   place, and never data.
//! - What can be read is durable: RocksDB shows a synced write only after the sync.

mod get;
mod moment;
mod scan;
mod settings;
mod verifying;

use std::path::Path;

use rocksdb::backup::BackupEngine;
use rocksdb::{
    ColumnFamily, DB, ErrorKind, FlushOptions, ReadOptions, ReadTier, WriteBatch, WriteOptions,
};

use crate::codec::{self, Encoder, Flaw};
use crate::error::StoreError;
use crate::index::tails::Tails;
use crate::keys::{self, Column, Key};
use crate::options::Options;
use crate::records::Records;
use settings::{column_families, database_options};

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

/// Where a read may look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// In memory only; what is not there is [`StoreError::Io`], and the read never waits.
    Memory,
    /// On the disk as well.
    Disk,
    /// On the disk as well, through long history: what is read stays in no cache, where it would push out what others read
    /// all the time.
    History,
}

/// An open database.
pub(crate) struct Database {
    db: DB,
    /// For reads by key.
    options: OptionsByReach,
    /// Where streams end that were written to lately.
    pub(crate) tails: Tails,
    /// Values of records that were read by their positions lately.
    pub(crate) records: Records,
    /// Makes the next writes fail.
    #[cfg(test)]
    pub(crate) fail_writes: std::sync::atomic::AtomicBool,
    /// Counts what RocksDB does.
    #[cfg(test)]
    pub(crate) counters: rocksdb::Options,
}

impl Reach {
    fn options(self) -> ReadOptions {
        let mut options = ReadOptions::default();
        match self {
            Self::Memory => options.set_read_tier(ReadTier::BlockCache),
            Self::Disk => {}
            Self::History => options.fill_cache(false),
        }
        options
    }
}

/// The options of each reach, made once.
struct OptionsByReach {
    memory: ReadOptions,
    disk: ReadOptions,
    history: ReadOptions,
}

impl Default for OptionsByReach {
    fn default() -> Self {
        Self {
            memory: Reach::Memory.options(),
            disk: Reach::Disk.options(),
            history: Reach::History.options(),
        }
    }
}

impl OptionsByReach {
    fn of(&self, reach: Reach) -> &ReadOptions {
        match reach {
            Reach::Memory => &self.memory,
            Reach::Disk => &self.disk,
            Reach::History => &self.history,
        }
    }
}

/// Writes that become visible and durable together. Keys and values lie one after the other in one buffer.
#[derive(Default)]
pub(crate) struct Batch {
    entries: Vec<Entry>,
    bytes: Vec<u8>,
}

/// A write of a batch: where its key and value begin in the buffer; the value ends where the next key begins. A deletion has no
/// value: even an empty body has an envelope.
struct Entry {
    column: Column,
    /// How the key begins, as a number: most keys are told apart by it.
    beginning: u128,
    key: usize,
    value: usize,
    end: usize,
}

impl Batch {
    pub(crate) fn put(&mut self, key: Key, body: &[u8]) {
        self.put_encoded(key, |encoder| encoder.raw(body));
    }

    /// As [`Batch::put`], of a body that is encoded where it is to lie.
    pub(crate) fn put_encoded(&mut self, key: Key, body: impl FnOnce(Encoder) -> Encoder) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&key.bytes);
        let value = self.bytes.len();
        codec::seal(&key.bytes, &mut self.bytes, body);
        self.entries.push(Entry {
            column: key.column,
            beginning: beginning(&key.bytes),
            key: start,
            value,
            end: self.bytes.len(),
        });
    }

    pub(crate) fn delete(&mut self, key: Key) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&key.bytes);
        let end = self.bytes.len();
        self.entries.push(Entry {
            column: key.column,
            beginning: beginning(&key.bytes),
            key: start,
            value: end,
            end,
        });
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Puts entries in the order of their keys, which memtables take best; of the same key, the last one still wins.
    fn sort(&mut self) {
        let bytes = &self.bytes;
        let key = |entry: &Entry| bytes.get(entry.key..entry.value).unwrap_or_default();
        self.entries.sort_by(|one, other| {
            (one.column, one.beginning)
                .cmp(&(other.column, other.beginning))
                .then_with(|| key(one).cmp(key(other)))
        });
    }

    fn clear(&mut self) {
        self.entries.clear();
        self.bytes.clear();
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
        #[cfg_attr(not(test), expect(unused_mut, reason = "tests count"))]
        let mut database = database_options(create, last, options);
        #[cfg(test)]
        database.enable_statistics();
        let db = DB::open_cf_descriptors(&database, dir, column_families(options)?)?;
        Ok(Self::of(db, database, options))
    }

    #[cfg_attr(not(test), expect(unused_variables, reason = "tests count"))]
    fn of(db: DB, counters: rocksdb::Options, options: &Options) -> Self {
        Self {
            db,
            options: OptionsByReach::default(),
            tails: Tails::default(),
            records: Records::of(options.record_cache_bytes),
            #[cfg(test)]
            fail_writes: std::sync::atomic::AtomicBool::new(false),
            #[cfg(test)]
            counters,
        }
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

    /// Writes a batch, and syncs it if asked; gives it back empty, for the next one. After an error the outcome is
    /// unknown, and nothing may be written again.
    pub(crate) fn write(&self, mut batch: Batch, sync: bool) -> Result<Batch, StoreError> {
        let stopped = |reason: String| StoreError::Stopped { reason };
        #[cfg(test)]
        if self.fail_writes.load(std::sync::atomic::Ordering::SeqCst) {
            return Err(stopped("a failure was asked for".into()));
        }
        batch.sort();
        let mut writes = WriteBatch::with_capacity_bytes(batch.bytes() + 16 * batch.entries.len());
        for of_column in batch
            .entries
            .chunk_by(|one, next| one.column == next.column)
        {
            let Some(first) = of_column.first() else {
                continue;
            };
            let column = self.column(first.column)?;
            for entry in of_column {
                let key = batch.bytes.get(entry.key..entry.value).unwrap_or_default();
                let value = batch.bytes.get(entry.value..entry.end).unwrap_or_default();
                if value.is_empty() {
                    writes.delete_cf(column, key);
                } else {
                    writes.put_cf(column, key, value);
                }
            }
        }
        let mut options = WriteOptions::default();
        options.set_sync(sync);
        self.db
            .write_opt(writes, &options)
            .map_err(|error| stopped(error.into_string()))?;
        batch.clear();
        Ok(batch)
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

/// The first sixteen bytes of a key, zeros behind a shorter one: in the order of keys as far as they tell it.
pub(crate) fn beginning(key: &[u8]) -> u128 {
    let mut first = [0; 16];
    for (to, from) in first.iter_mut().zip(key) {
        *to = *from;
    }
    u128::from_be_bytes(first)
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
