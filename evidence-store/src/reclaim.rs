//! What is done with the files as a whole: removed bytes taken off the disk, and a copy by hard links.

use std::path::Path;

use rocksdb::checkpoint::Checkpoint;
use rocksdb::{BottommostLevelCompaction, ColumnFamily, CompactOptions, FlushOptions, properties};

use crate::engine::{Engine, Fault};
use crate::keys;

/// While removed bytes are taken off the disk, a compaction rewrites the blob files it meets.
const RECLAIM: [(&str, &str); 2] =
    [("enable_blob_garbage_collection", "true"), ("blob_garbage_collection_age_cutoff", "1.0")];
/// At any other time it does not: records are written once.
const KEEP: [(&str, &str); 1] = [("enable_blob_garbage_collection", "false")];

impl Engine {
    /// Takes former values of the records `first..=last` off the disk: the memtables and with them the write-ahead log
    /// are written out, and the files of these records are compacted with every blob file they point into, whatever
    /// its share of garbage.
    pub(crate) fn reclaim(&self, first: u64, last: u64) -> Result<(), Fault> {
        let errors_before = self.background_errors()?;
        let records = self.family(keys::RECORDS)?;
        let families: Vec<&ColumnFamily> =
            keys::FAMILIES.into_iter().map(|name| self.family(name)).collect::<Result<_, _>>()?;
        self.db().flush_cfs_opt(&families, &FlushOptions::default())?;
        self.db().set_options_cf(records, &RECLAIM)?;
        let mut options = CompactOptions::default();
        options.set_bottommost_level_compaction(BottommostLevelCompaction::Force);
        options.set_exclusive_manual_compaction(false);
        let to = last.saturating_add(1);
        self.db().compact_range_cf_opt(records, Some(first.to_be_bytes()), Some(to.to_be_bytes()), &options);
        self.db().set_options_cf(records, &KEEP)?;
        // The compaction itself answers nothing.
        if self.background_errors()? == errors_before {
            Ok(())
        } else {
            Err(Fault("the files could not be rewritten; RocksDB's own log says why".to_owned()))
        }
    }

    fn background_errors(&self) -> Result<u64, Fault> {
        let count = self.db().property_int_value(properties::BACKGROUND_ERRORS)?;
        count.ok_or_else(|| Fault("the engine does not count its errors".to_owned()))
    }

    /// A consistent copy by hard links, in a folder that must not exist.
    pub(crate) fn checkpoint(&self, folder: &Path) -> Result<(), Fault> {
        Ok(Checkpoint::new(self.db())?.create_checkpoint(folder)?)
    }
}
