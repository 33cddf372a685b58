//! Where rejected requests lie: one row of numbered entries a source, the oldest taken away when its bytes run out.
//!
//! ```text
//! family    key                                            value
//! default   source length (2), source, number (8)          envelope, kind 16, link zero
//! usage     source                                         bytes (8), first number (8), next number (8)
//! ```
//!
//! The usage is written with the entry it counts, in one batch, so a start reads one row a source and scans nothing.
//! Source names are configured, so their number is bounded.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use rocksdb::{
    ColumnFamily, ColumnFamilyDescriptor, DB, DBCompressionType, DBRecoveryMode, Direction, IteratorMode, LogLevel,
    Options, ReadOptions, WriteBatch,
};

use crate::delivery::{NewRejected, RejectedRecord};
use crate::engine::Fault;
use crate::envelope::{self, Kind};
use crate::error::ReadError;
use crate::link::GENESIS;
use crate::meta;

const USAGE: &str = "usage";
const ENTRIES: &str = "default";
const MEMTABLE_BYTES: usize = 4 * 1024 * 1024;
const WAL_BYTES_MAX: u64 = 16 * 1024 * 1024;
const OPEN_FILES_MAX: i32 = 64;
const TEXT_LOG_BYTES_MAX: usize = 1024 * 1024;
const TEXT_LOGS_MAX: usize = 2;

/// Whether an entry was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    Yes,
    /// Larger than all that its source may keep.
    TooLarge,
}

/// One source's entries: numbers from `first` up to, not including, `next`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Usage {
    bytes: u64,
    first: u64,
    next: u64,
}

/// The database of the ring.
pub(super) struct Shelf {
    db: DB,
    source_bytes_max: u64,
    usage: Mutex<BTreeMap<String, Usage>>,
}

impl Shelf {
    pub(super) fn open(path: &Path, source_bytes_max: u64) -> Result<Self, Fault> {
        let families = [ENTRIES, USAGE].map(|name| ColumnFamilyDescriptor::new(name, settings()));
        let db = DB::open_cf_descriptors(&settings(), path, families)?;
        let mut usage = BTreeMap::new();
        for row in db.iterator_cf(family(&db, USAGE)?, IteratorMode::Start) {
            let (source, value) = row?;
            let source = String::from_utf8(source.into_vec()).map_err(|error| Fault(error.to_string()))?;
            usage.insert(source, Usage::decode(&value).ok_or_else(|| Fault("a usage does not decode".to_owned()))?);
        }
        Ok(Self { db, source_bytes_max, usage: Mutex::new(usage) })
    }

    /// Every source that has entries.
    pub(super) fn sources(&self) -> Vec<String> {
        self.usage.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    /// Keeps an entry; the oldest of its source make room.
    pub(super) fn keep(&self, rejected: NewRejected) -> Result<Kept, Fault> {
        let source = rejected.source.clone();
        let (meta, body) = meta::of_rejected(rejected);
        let mut stored = Vec::new();
        if envelope::encode(&mut stored, Kind::Rejected, &GENESIS, &meta, &body).is_err() {
            return Ok(Kept::TooLarge);
        }
        let size = u64::try_from(stored.len()).unwrap_or(u64::MAX);
        let (Some(room), Some(prefix)) = (self.source_bytes_max.checked_sub(size), prefix(&source)) else {
            return Ok(Kept::TooLarge);
        };
        let mut all = self.usage.lock().unwrap_or_else(PoisonError::into_inner);
        let mut usage = all.get(&source).copied().unwrap_or_default();
        let mut batch = WriteBatch::default();
        self.evict(&prefix, &mut usage, room, &mut batch)?;
        batch.put_cf(family(&self.db, ENTRIES)?, numbered(&prefix, usage.next), &stored);
        usage.bytes = usage.bytes.saturating_add(size);
        usage.next = usage.next.saturating_add(1);
        batch.put_cf(family(&self.db, USAGE)?, &source, usage.encode());
        self.db.write(batch)?;
        all.insert(source, usage);
        Ok(Kept::Yes)
    }

    /// Takes the oldest entries away until at most `room` bytes are left.
    fn evict(&self, prefix: &[u8], usage: &mut Usage, room: u64, batch: &mut WriteBatch) -> Result<(), Fault> {
        if usage.bytes <= room {
            return Ok(());
        }
        let entries = family(&self.db, ENTRIES)?;
        let mut options = ReadOptions::default();
        options.set_iterate_upper_bound(numbered(prefix, usage.next));
        let from = numbered(prefix, usage.first);
        for row in self.db.iterator_cf_opt(entries, options, IteratorMode::From(&from, Direction::Forward)) {
            if usage.bytes <= room {
                return Ok(());
            }
            let (key, value) = row?;
            batch.delete_cf(entries, key);
            usage.bytes = usage.bytes.saturating_sub(u64::try_from(value.len()).unwrap_or(u64::MAX));
            usage.first = usage.first.saturating_add(1);
        }
        // Nothing is left: whatever was still counted is not there.
        (usage.bytes, usage.first) = (0, usage.next);
        Ok(())
    }

    /// The latest entries of a source, newest first.
    pub(super) fn latest(&self, source: &str, limit: usize) -> Result<Vec<RejectedRecord>, ReadError> {
        let usage = self.usage.lock().unwrap_or_else(PoisonError::into_inner).get(source).copied();
        let (Some(usage), Some(prefix)) = (usage, prefix(source)) else {
            return Ok(Vec::new());
        };
        let mut options = ReadOptions::default();
        options.fill_cache(false);
        options.set_iterate_lower_bound(numbered(&prefix, usage.first));
        let from = numbered(&prefix, usage.next);
        let mode = IteratorMode::From(&from, Direction::Reverse);
        let mut found = Vec::new();
        for row in self.db.iterator_cf_opt(family(&self.db, ENTRIES)?, options, mode).take(limit) {
            let (_, value) = row.map_err(Fault::from)?;
            match decode(&Bytes::from(value)) {
                Ok(rejected) => found.push(rejected),
                Err(what) => tracing::warn!(source, what, "a rejected request is damaged and left out"),
            }
        }
        Ok(found)
    }
}

impl Usage {
    fn encode(self) -> Vec<u8> {
        [self.bytes, self.first, self.next].map(u64::to_be_bytes).concat()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (bytes, rest) = bytes.split_first_chunk::<8>()?;
        let (first, rest) = rest.split_first_chunk::<8>()?;
        let next = rest.try_into().ok()?;
        Some(Self {
            bytes: u64::from_be_bytes(*bytes),
            first: u64::from_be_bytes(*first),
            next: u64::from_be_bytes(next),
        })
    }
}

/// Removes the database.
pub(super) fn destroy(path: &Path) -> Result<(), Fault> {
    Ok(DB::destroy(&settings(), path)?)
}

fn decode(stored: &Bytes) -> Result<RejectedRecord, String> {
    let envelope = envelope::decode(stored).map_err(|error| error.to_string())?;
    meta::rejected(envelope.meta, envelope.body).map_err(|error| error.to_string())
}

/// The length stands before the name so that one name can begin with another.
fn prefix(source: &str) -> Option<Vec<u8>> {
    let length = u16::try_from(source.len()).ok()?;
    Some([length.to_be_bytes().as_slice(), source.as_bytes()].concat())
}

fn numbered(prefix: &[u8], number: u64) -> Vec<u8> {
    [prefix, number.to_be_bytes().as_slice()].concat()
}

fn family<'a>(db: &'a DB, name: &str) -> Result<&'a ColumnFamily, Fault> {
    db.cf_handle(name).ok_or_else(|| Fault(format!("the column family {name} is gone")))
}

fn settings() -> Options {
    let mut options = Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    // Unsynced, so its end may be torn anywhere; what can be read is kept.
    options.set_wal_recovery_mode(DBRecoveryMode::SkipAnyCorruptedRecord);
    options.set_write_buffer_size(MEMTABLE_BYTES);
    options.set_max_total_wal_size(WAL_BYTES_MAX);
    options.set_max_open_files(OPEN_FILES_MAX);
    options.set_compression_type(DBCompressionType::Lz4);
    options.set_stats_dump_period_sec(0);
    options.set_log_level(LogLevel::Warn);
    options.set_max_log_file_size(TEXT_LOG_BYTES_MAX);
    options.set_keep_log_file_num(TEXT_LOGS_MAX);
    options
}
