//! RocksDB: the column families, how they are set, and checked reads and writes.
//!
//! - Every value goes through the envelope of `codec.rs`: what fails its checksum is [`StoreError::Damaged`], with the
//!   place, and never data.
//! - What can be read is durable: RocksDB shows a synced write only after the sync.

mod moment;

use std::ops::ControlFlow;
use std::path::Path;

use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamily, ColumnFamilyDescriptor, DB, DBCompressionType,
    DBRecoveryMode, ErrorKind, FlushOptions, ReadOptions, WriteBatch, WriteOptions,
};

use crate::codec::{self, Flaw};
use crate::error::StoreError;
use crate::keys::{self, Column, Key};
use crate::options::Options;

pub(crate) use moment::Moment;

/// How the last stop was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LastStop {
    /// Everything was flushed: any flaw in a write-ahead file is damage.
    Clean,
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

fn database_options(create: bool, last: LastStop, options: &Options) -> rocksdb::Options {
    let mut db = rocksdb::Options::default();
    db.create_if_missing(create);
    db.create_missing_column_families(create);
    db.set_paranoid_checks(true);
    // PointInTime, the default, would silently stop before any damage.
    db.set_wal_recovery_mode(match last {
        LastStop::Clean => DBRecoveryMode::AbsoluteConsistency,
        LastStop::Unclean => DBRecoveryMode::TolerateCorruptedTailRecords,
    });
    db.set_track_and_verify_wals_in_manifest(true);
    db.set_atomic_flush(true);
    db.set_max_total_wal_size(options.wal_max_bytes as u64);
    db.set_db_write_buffer_size(options.memtables_bytes);
    db.set_max_open_files(options.open_files_max);
    db.set_max_background_jobs(options.background_threads);
    db.set_bytes_per_sync(1024 * 1024);
    db.set_keep_log_file_num(10);
    db.set_max_log_file_size(16 * 1024 * 1024);
    db
}

fn column_options(column: Column, options: &Options, cache: &Cache) -> rocksdb::Options {
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(cache);
    table.set_cache_index_and_filter_blocks(true);
    table.set_pin_l0_filter_and_index_blocks_in_cache(true);
    table.set_format_version(5);
    match column {
        Column::Log | Column::Public => table.set_block_size(16 * 1024),
        Column::Index | Column::State | Column::Meta => {
            table.set_block_size(4 * 1024);
            table.set_bloom_filter(10.0, false);
        }
    }
    let mut family = rocksdb::Options::default();
    family.set_block_based_table_factory(&table);
    if column == Column::Index {
        // Most look-ups are for ids that are new: told without a walk through the memtables.
        family.set_memtable_whole_key_filtering(true);
        family.set_memtable_prefix_bloom_ratio(0.05);
    }
    family.set_write_buffer_size((options.memtables_bytes / 2).max(64 * 1024));
    family.set_max_write_buffer_number(4);
    family.set_compression_type(DBCompressionType::Lz4);
    family.set_bottommost_compression_type(DBCompressionType::Zstd);
    family.set_level_compaction_dynamic_level_bytes(true);
    family
}
