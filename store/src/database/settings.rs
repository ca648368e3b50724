//! How RocksDB is set.

use rocksdb::{
    BlockBasedIndexType, BlockBasedOptions, Cache, ColumnFamilyDescriptor, DBCompressionType,
    DBRecoveryMode, DataBlockIndexType,
};

use super::LastStop;
use crate::keys::Column;
use crate::options::Options;

pub(super) fn database_options(
    create: bool,
    last: LastStop,
    options: &Options,
) -> rocksdb::Options {
    let mut db = rocksdb::Options::default();
    db.create_if_missing(create);
    db.create_missing_column_families(create);
    db.set_paranoid_checks(true);
    // PointInTime, the default, would silently stop before any damage.
    db.set_wal_recovery_mode(match last {
        LastStop::Clean { .. } => DBRecoveryMode::AbsoluteConsistency,
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

/// All column families; they share one cache.
pub(super) fn column_families(
    options: &Options,
) -> Result<Vec<ColumnFamilyDescriptor>, rocksdb::Error> {
    // Look-ups take no lock in it, and are many: three for each key that is found.
    let cache = Cache::new_hyper_clock_cache(options.block_cache_bytes, 0);
    let family = |column: Column| {
        let options = column_options(column, options, &cache)?;
        Ok(ColumnFamilyDescriptor::new(column.name(), options))
    };
    Column::ALL.into_iter().map(family).collect()
}

fn column_options(
    column: Column,
    options: &Options,
    cache: &Cache,
) -> Result<rocksdb::Options, rocksdb::Error> {
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(cache);
    table.set_cache_index_and_filter_blocks(true);
    table.set_pin_l0_filter_and_index_blocks_in_cache(true);
    // In parts: the filter or index of a large table, whole, is more than a shard of the cache takes, and would be read
    // from the disk for each look-up.
    table.set_index_type(BlockBasedIndexType::TwoLevelIndexSearch);
    table.set_partition_filters(true);
    table.set_metadata_block_size(16 * 1024);
    table.set_pin_top_level_index_and_filter(true);
    // Checksums of blocks depend on their place from version 6 on, and the footer has one.
    table.set_format_version(6);
    match column {
        Column::Log | Column::Public => {
            table.set_block_size(4 * 1024);
            // A record is found among the few of its block without walking over half of them.
            table.set_block_restart_interval(2);
        }
        Column::Index | Column::State | Column::Meta => {
            table.set_block_size(4 * 1024);
            table.set_bloom_filter(10.0, false);
            table.set_data_block_index_type(DataBlockIndexType::BinaryAndHash);
        }
    }
    // Batches are sorted: each entry goes in near the one before it of its family.
    let hints = "memtable_insert_with_hint_prefix_extractor=fixed:1";
    let mut family = rocksdb::Options::default().get_options_from_string(hints)?;
    family.set_block_based_table_factory(&table);
    if column == Column::Index {
        // Most look-ups are for ids that are new: told without a walk through the memtables.
        family.set_memtable_whole_key_filtering(true);
        family.set_memtable_prefix_bloom_ratio(0.05);
    }
    family.set_write_buffer_size((options.memtables_bytes / 2).max(64 * 1024));
    family.set_max_write_buffer_number(4);
    family.set_compression_type(DBCompressionType::Lz4);
    family.set_bottommost_compression_type(match column {
        Column::Log | Column::Public => DBCompressionType::Lz4,
        Column::Index | Column::State | Column::Meta => DBCompressionType::Zstd,
    });
    family.set_level_compaction_dynamic_level_bytes(true);
    Ok(family)
}
