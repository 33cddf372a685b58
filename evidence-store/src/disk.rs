//! The one durable step, behind a trait so that tests can make it fail; nothing else is abstracted.

use std::sync::Arc;

use rocksdb::WriteBatch;

use crate::engine::{Engine, Fault};

/// Makes a batch durable.
pub(crate) trait Disk: Send {
    /// Writes the whole batch and returns only when it is fsynced. After an error the batch may or may not be
    /// there: the caller poisons the log and never tries again.
    fn commit(&mut self, batch: WriteBatch) -> Result<(), Fault>;
}

/// The engine's write-ahead log, synced.
pub(crate) struct Synced(pub(crate) Arc<Engine>);

impl Disk for Synced {
    fn commit(&mut self, batch: WriteBatch) -> Result<(), Fault> {
        self.0.write_synced(batch)
    }
}
