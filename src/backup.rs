//! Backups: log, ledger and settings at one point, made while the gateway serves; and what makes of one a gateway again.
//!
//! The order is what makes it one point. The ledger is copied first and the log after it, so that the log in a backup
//! holds everything that the ledger in it has seen, and every delivery that was acknowledged before it began. What
//! the log holds beyond that is taken in after a restore, under the same ids.
//!
//! A backup is built under another name, checked by its hashes, and gets its own name last; its `manifest.json` is
//! written after everything that it names. So one that was interrupted is never taken for whole.

use std::path::PathBuf;

mod create;
mod files;
mod list;
mod manifest;
mod restore;
mod twin;
mod verify;

pub use create::{Live, Made, create};
pub use list::{Listed, State, list, newest};
pub use manifest::{FileEntry, LedgerAt, LogAt, Manifest, Setting};
pub use restore::{By, Restored, Target, restore};
pub use verify::{Verified, verify};

use crate::ledger::{LedgerError, sqlite};

/// In a backup: the evidence log's folder, which holds `log/`.
const EVIDENCE: &str = "evidence";
/// In a backup: the ledger.
const LEDGER: &str = "ledger.db";
/// In a backup: the configuration files as they were given.
const SETTINGS: &str = "settings";
/// In a backup: verifies the log's checkpoints. The key that makes them is in no backup.
const PUBLIC_KEY: &str = "seal.pub";

/// Why a backup was not made, is not whole, or was not restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A file or folder.
    #[error("cannot use {path}: {source}. Check that it exists, who owns it, and the free space")]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Somebody asked for it.
    #[error("stopped; nothing of it is left")]
    Cancelled,
    /// The disk is nearly full.
    #[error(
        "the ledger's copy needs {needed} bytes, and {free} are free above the log's reserve: free some space, or set \
         [backup] path to another disk"
    )]
    NoRoom {
        /// Bytes of the copy.
        needed: u64,
        /// Bytes that it may take.
        free: u64,
    },
    /// The ledger was not copied.
    #[error("the ledger was not copied: {0}")]
    Ledger(#[from] LedgerError),
    /// The log was not copied.
    #[error("the log was not copied: {0}")]
    Snapshot(#[from] evidence_store::SnapshotError),
    /// There is no manifest, so it never came to its end.
    #[error("{path} holds no manifest.json: it is no backup, or one that was interrupted. Take another")]
    Unfinished {
        /// The backup.
        path: PathBuf,
    },
    /// A later release made it.
    #[error("the backup {path} has format {found}, this program knows {known}: use the program that made it")]
    Newer {
        /// The backup.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// Ours.
        known: u32,
    },
    /// A file is not what the manifest says.
    #[error("the backup {path} is not as it was made: {file} {what}. Do not use it; take another")]
    Changed {
        /// The backup.
        path: PathBuf,
        /// The file in it.
        file: String,
        /// What is wrong with it.
        what: String,
    },
    /// Its parts contradict each other.
    #[error("log and ledger of the backup {path} do not belong together: {what}. Do not use it; take another")]
    Apart {
        /// The backup.
        path: PathBuf,
        /// What contradicts what.
        what: String,
    },
    /// Nothing is written over.
    #[error("{path} is not empty: nothing is restored over it. Move it away, or name another place")]
    Occupied {
        /// The file or folder.
        path: PathBuf,
    },
    /// A restore was interrupted.
    #[error("{path} is left of an interrupted restore: remove it, then run this again")]
    LeftOver {
        /// The folder.
        path: PathBuf,
    },
    /// The log in it does not open.
    #[error("the log of the backup does not open: {0}")]
    Log(#[from] evidence_store::OpenError),
    /// A record in it does not read.
    #[error("the log of the backup does not read: {0}")]
    Record(#[from] evidence_store::ReadError),
    /// The restored log did not get its new id.
    #[error("the restored log did not get its new id: {0}")]
    Renew(#[from] evidence_store::RenewError),
    /// The ledger in it does not open.
    #[error("the ledger of the backup does not open: {0}")]
    LedgerFile(#[from] sqlite::OpenError),
    /// A defect.
    #[error("it ended by a defect: {0}")]
    Defect(String),
}
