//! One error type an operation; each says what to do next.

use std::path::PathBuf;

use uuid::Uuid;

use crate::stub::Subject;

/// Why the log was not opened. Nothing was changed, and opening again is safe.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process, or another handle in this one, has it open.
    #[error("{path} is in use by {}: stop it first, or wait for it to end", holder_text(*holder))]
    Locked {
        /// The log's folder.
        path: PathBuf,
        /// The process that holds it, where it could be read.
        holder: Option<u32>,
    },
    /// A later release wrote it.
    #[error("{path} was written by a later release ({what}): run that release; this one has changed nothing")]
    Newer {
        /// The log's folder.
        path: PathBuf,
        /// What is not known here.
        what: String,
    },
    /// What is stored contradicts itself.
    #[error(
        "the evidence log in {path} is damaged: {what}. Nothing was repaired. Keep a copy of the folder as it is, \
         check the disk, then restore a backup of it"
    )]
    Damaged {
        /// The log's folder.
        path: PathBuf,
        /// What contradicts what.
        what: String,
    },
    /// The folder cannot be read or written.
    #[error("cannot use {path}: {source}. {}", way_out(source))]
    Io {
        /// The folder or file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// RocksDB tells a full disk by its text only.
fn way_out(source: &std::io::Error) -> &'static str {
    if source.kind() == std::io::ErrorKind::StorageFull || source.to_string().contains("No space left on device") {
        "Free 256 MiB of its disk: opening writes out what the write-ahead log holds; nothing is lost"
    } else {
        "Check that it exists, is writable by this user and that its disk answers"
    }
}

fn holder_text(holder: Option<u32>) -> String {
    holder.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}

/// Why a delivery was not acknowledged. Appending again is safe: at worst the log holds one more copy of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The disk is nearly full; the log was not touched.
    #[error("{free} bytes are free and {reserve} are kept in reserve: free some space")]
    BelowReserve {
        /// Free bytes; 0 when the disk does not say.
        free: u64,
        /// Bytes that must stay free.
        reserve: u64,
    },
    /// A write failed, now or before. The process must end; recovery decides whether this delivery is stored.
    #[error("the evidence log takes no more: {0}. Restart; the delivery may or may not be stored")]
    Poisoned(String),
    /// The queue stayed full for two seconds; nothing was written.
    #[error("the evidence log is busy: try again")]
    Busy,
    /// [`crate::Store::close`] was called; nothing was written.
    #[error("the evidence log is closed")]
    Closed,
    /// Larger than a record may be; nothing was written.
    #[error("a record of {bytes} bytes is over the limit of {limit}: lower the limit on bodies")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
}

/// Why a record could not be read. Reading again is safe.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// What is stored contradicts itself.
    #[error("record {seq} of the evidence log is damaged: {what}. Check the disk, then restore a backup")]
    Damaged {
        /// The record, or the place where one is missing.
        seq: u64,
        /// What contradicts what.
        what: String,
    },
    /// A later release wrote it.
    #[error("record {seq} was written by a later release ({what}): run that release")]
    Newer {
        /// The record.
        seq: u64,
        /// What is not known here.
        what: String,
    },
    /// The engine could not read.
    #[error("the evidence log cannot be read: {0}. Check its disk")]
    Engine(String),
}

/// Why what is stored was not changed. Trying again is safe: what is done already is not done twice.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// The writer did not take it.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// What is stored could not be read; nothing was changed.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A hold covers it; nothing was changed.
    #[error("{0} is held: release the hold first")]
    Held(Subject),
    /// The log never stored it; nothing was changed.
    #[error("the evidence log has no delivery {0}")]
    Unknown(Uuid),
    /// More than one commit may hold; nothing was changed.
    #[error("{given} at once are too many, {limit} are the limit: split them")]
    TooMany {
        /// How many there were.
        given: usize,
        /// [`crate::Store::CHANGE_RECORDS_MAX`].
        limit: usize,
    },
    /// Removed, and the old bytes could not be taken off the disk.
    #[error("removed from the log, but the old bytes may still be in its files: {0}. Run it again")]
    Reclaim(String),
}

/// Why no copy was made. The log itself is as it was.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The folder for it cannot be used.
    #[error("cannot use {path}: {source}")]
    Io {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The engine did not make it.
    #[error("the engine made no copy: {0}")]
    Engine(String),
}
