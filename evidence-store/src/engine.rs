//! RocksDB with every setting that matters written out, and the few calls made to it.
//!
//! This file must never write unsynced, never resume after a background error (a failed sync leaves RocksDB
//! read-only: that is poison) and never choose a recovery mode that drops records from the middle of the log.

use std::path::Path;

use rocksdb::{
    BlockBasedIndexType, BlockBasedOptions, Cache, ColumnFamily, ColumnFamilyDescriptor, DB, DBCompressionType,
    DBRecoveryMode, ErrorKind, LogLevel, Options, WriteBatch, WriteOptions,
};

use crate::holder::Holder;
use crate::keys;

const MIB: usize = 1024 * 1024;
/// Index, filter and data blocks of all families.
const BLOCK_CACHE_BYTES: usize = 64 * MIB;
/// All memtables of all families.
const MEMTABLES_BYTES: usize = 64 * MIB;
const RECORDS_MEMTABLE_BYTES: usize = 32 * MIB;
const INDEX_MEMTABLE_BYTES: usize = 8 * MIB;
/// Small tables of digests that wait before the next level is written again with them: keys without an order touch all of
/// it each time. A look asks each of them, which their filters make cheap.
const DIGEST_TABLES: i32 = 8;
/// Filters of digests are asked at each append and stay in memory, out of the cache: two bytes a body. Larger blocks keep
/// their index small; hardly any is ever read.
const DIGEST_BLOCK_BYTES: usize = 16 * 1024;
/// At so many, writes are slowed down; at the other, stopped.
const DIGEST_TABLES_SLOW: i32 = 48;
const DIGEST_TABLES_STOP: i32 = 64;
/// Of a memtable's bytes: its filter.
const MEMTABLE_BLOOM: f64 = 0.1;
const MEMTABLES_PER_FAMILY: i32 = 3;
/// Bounds what a start has to read again.
const WAL_BYTES_MAX: u64 = 128 * 1024 * 1024;
const OPEN_FILES_MAX: i32 = 512;
/// About one needless look in a thousand: each one reads a block.
const BLOOM_BITS_PER_KEY: f64 = 14.0;
/// A part of a table's filter or index in the cache. Whole ones reach a megabyte, which no shard of the cache holds: each
/// look would read and check them again (docs/performance.md).
const FILTER_PART_BYTES: usize = 4 * 1024;
/// Records from this size on are written once, into blob files, and never moved by compaction.
const BLOB_BYTES_MIN: u64 = 512;
const BLOB_FILE_BYTES: u64 = 64 * 1024 * 1024;
const BACKGROUND_JOBS: i32 = 2;
/// Background writes are handed to the disk in steps of this size, so that an fsync of the write-ahead log does not wait
/// behind all of them at once.
const WRITEBACK_BYTES: u64 = 1024 * 1024;
/// RocksDB's own text log.
const TEXT_LOG_BYTES_MAX: usize = 4 * MIB;
const TEXT_LOGS_MAX: usize = 4;

/// What RocksDB said.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Fault(pub(crate) String);

impl From<rocksdb::Error> for Fault {
    fn from(error: rocksdb::Error) -> Self {
        Self(error.into_string())
    }
}

/// Whether an error says that stored bytes are wrong or gone, not that the disk does not answer. A file that the
/// manifest names and the folder lacks is an "IO error" to RocksDB, told apart only by its text.
pub(crate) fn is_damage(error: &rocksdb::Error) -> bool {
    match error.kind() {
        ErrorKind::Corruption => true,
        ErrorKind::IOError => error.as_ref().contains("No such file"),
        _ => false,
    }
}

/// The open database. Fields are dropped in order: the lock goes last.
pub(crate) struct Engine {
    db: DB,
    #[cfg(test)]
    options: Options,
    _holder: Holder,
}

impl Engine {
    /// Opens or creates the database in `folder`, which `holder` protects.
    pub(crate) fn open(folder: &Path, holder: Holder) -> Result<Self, rocksdb::Error> {
        let options = database();
        let cache = Cache::new_lru_cache(BLOCK_CACHE_BYTES);
        let families = keys::FAMILIES.map(|name| ColumnFamilyDescriptor::new(name, family(name, &cache)));
        let db = DB::open_cf_descriptors(&options, folder, families)?;
        Ok(Self {
            db,
            #[cfg(test)]
            options,
            _holder: holder,
        })
    }

    /// The families in `folder`.
    pub(crate) fn families(folder: &Path) -> Result<Vec<String>, rocksdb::Error> {
        DB::list_cf(&database(), folder)
    }

    /// For reads.
    pub(crate) const fn db(&self) -> &DB {
        &self.db
    }

    /// One of [`keys::FAMILIES`].
    pub(crate) fn family(&self, name: &str) -> Result<&ColumnFamily, Fault> {
        self.db.cf_handle(name).ok_or_else(|| Fault(format!("the column family {name} is gone")))
    }

    /// Writes and fsyncs; returns after the fsync.
    pub(crate) fn write_synced(&self, batch: WriteBatch) -> Result<(), Fault> {
        let mut options = WriteOptions::default();
        options.set_sync(true);
        options.disable_wal(false);
        Ok(self.db.write_opt(batch, &options)?)
    }

    /// Writes without an fsync, for tests that lose one.
    #[cfg(test)]
    pub(crate) fn write_unsynced(&self, batch: WriteBatch) -> Result<(), Fault> {
        Ok(self.db.write(batch)?)
    }

    /// How often the write-ahead log was synced.
    #[cfg(test)]
    pub(crate) fn syncs(&self) -> u64 {
        self.options.get_ticker_count(rocksdb::statistics::Ticker::WalFileSynced)
    }
}

fn database() -> Options {
    let mut options = Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    // Only a torn last record is let go: it was never acknowledged. The default, point in time, would also drop
    // everything after damage in the middle, without a word.
    options.set_wal_recovery_mode(DBRecoveryMode::TolerateCorruptedTailRecords);
    options.set_recycle_log_file_num(0);
    options.set_track_and_verify_wals_in_manifest(true);
    options.set_paranoid_checks(true);
    options.set_manual_wal_flush(false);
    options.set_unordered_write(false);
    options.set_use_fsync(false); // fdatasync writes the file's size too
    options.set_max_total_wal_size(WAL_BYTES_MAX);
    options.set_db_write_buffer_size(MEMTABLES_BYTES);
    options.set_max_open_files(OPEN_FILES_MAX);
    options.set_max_background_jobs(BACKGROUND_JOBS);
    options.set_bytes_per_sync(WRITEBACK_BYTES);
    options.set_skip_stats_update_on_db_open(true);
    options.set_stats_dump_period_sec(0);
    options.set_log_level(LogLevel::Warn);
    options.set_max_log_file_size(TEXT_LOG_BYTES_MAX);
    options.set_keep_log_file_num(TEXT_LOGS_MAX);
    #[cfg(test)]
    options.enable_statistics();
    options
}

fn family(name: &str, cache: &Cache) -> Options {
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(cache);
    table.set_cache_index_and_filter_blocks(true);
    table.set_pin_l0_filter_and_index_blocks_in_cache(true);
    table.set_index_type(BlockBasedIndexType::TwoLevelIndexSearch);
    table.set_metadata_block_size(FILTER_PART_BYTES);
    table.set_pin_top_level_index_and_filter(true);
    if name == keys::BODIES {
        table.set_index_type(BlockBasedIndexType::BinarySearch);
        table.set_cache_index_and_filter_blocks(false);
        table.set_block_size(DIGEST_BLOCK_BYTES);
    }
    if [keys::IDS, keys::BODIES, keys::DECISIONS].contains(&name) {
        table.set_bloom_filter(BLOOM_BITS_PER_KEY, false);
        table.set_partition_filters(name != keys::BODIES);
    }
    let mut options = Options::default();
    options.set_block_based_table_factory(&table);
    if name == keys::BODIES {
        // Digests do not get smaller.
        options.set_compression_type(DBCompressionType::None);
        options.set_level_zero_file_num_compaction_trigger(DIGEST_TABLES);
        options.set_level_zero_slowdown_writes_trigger(DIGEST_TABLES_SLOW);
        options.set_level_zero_stop_writes_trigger(DIGEST_TABLES_STOP);
        // Each append asks for copies of its body, and almost always there are none: a filter in memory says so.
        options.set_memtable_whole_key_filtering(true);
        options.set_memtable_prefix_bloom_ratio(MEMTABLE_BLOOM);
    } else {
        options.set_compression_type(DBCompressionType::Lz4);
        options.set_bottommost_compression_type(DBCompressionType::Zstd);
    }
    options.set_max_write_buffer_number(MEMTABLES_PER_FAMILY);
    if name == keys::RECORDS {
        options.set_write_buffer_size(RECORDS_MEMTABLE_BYTES);
        options.set_enable_blob_files(true);
        options.set_min_blob_size(BLOB_BYTES_MIN);
        options.set_blob_file_size(BLOB_FILE_BYTES);
        options.set_blob_compression_type(DBCompressionType::Lz4);
    } else {
        options.set_write_buffer_size(INDEX_MEMTABLE_BYTES);
    }
    options
}
