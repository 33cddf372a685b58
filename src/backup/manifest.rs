//! What a backup says of itself: `manifest.json`, written last.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::files::{self, at};
use super::{BackupError, EVIDENCE, LEDGER};
use crate::digest;

/// What this program writes and reads.
const FORMAT: u32 = 1;
/// Its name in the backup.
const NAME: &str = "manifest.json";
/// Largest one that is read: some 400,000 files.
const BYTES_MAX: u64 = 64 << 20;

/// A backup's table of contents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Raised when an older program could not read it.
    pub format: u32,
    /// When it was begun, RFC 3339. Every delivery acknowledged before is in it.
    pub created_at: String,
    /// The program that made it.
    pub version: String,
    /// The log in it.
    pub log: LogAt,
    /// The ledger in it.
    pub ledger: LedgerAt,
    /// The configuration files in it.
    pub settings: Vec<Setting>,
    /// Every file in it but this one, in order.
    pub files: Vec<FileEntry>,
}

/// The log at the point of the backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogAt {
    /// The log's identity.
    pub log_id: Uuid,
    /// Its last record.
    pub seq: u64,
    /// That record's link, hexadecimal.
    pub link: String,
}

/// The ledger at the point of the backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerAt {
    /// The ledger's identity.
    pub ledger_id: Uuid,
    /// How often it was restored or rebuilt.
    pub epoch: u32,
    /// Version of its schema.
    pub schema: i64,
    /// The last record that it had taken in.
    pub seq: Option<u64>,
}

/// A configuration file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// Where it is in the backup.
    pub path: String,
    /// Where it was.
    pub from: String,
}

/// A file of the backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Below the backup's folder, with `/`.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// SHA-256, hexadecimal.
    pub sha256: String,
}

impl FileEntry {
    pub(super) fn of(path: &Path, read: files::Content) -> Self {
        let path = path.display().to_string();
        Self { path, bytes: read.bytes, sha256: hex::encode(read.sha256) }
    }

    /// The file in a backup's folder.
    pub(super) fn within(&self, folder: &Path) -> PathBuf {
        folder.join(&self.path)
    }

    /// What is wrong with what was read, if anything.
    pub(super) fn differs(&self, read: files::Content) -> Option<String> {
        if read.bytes != self.bytes {
            return Some(format!("has {} bytes instead of {}", read.bytes, self.bytes));
        }
        (hex::encode(read.sha256) != self.sha256).then(|| "holds other bytes than it was made with".to_owned())
    }

    /// Whether it lies inside the backup, whatever its text says.
    fn is_inside(&self) -> bool {
        let path = Path::new(&self.path);
        !self.path.is_empty() && path.components().all(|part| matches!(part, Component::Normal(_)))
    }
}

/// The first thing looked at.
#[derive(Deserialize)]
struct Format {
    format: u32,
}

impl Manifest {
    /// Of this format and program.
    pub(super) fn new(created: Timestamp, log: LogAt, ledger: LedgerAt) -> Self {
        Self {
            format: FORMAT,
            created_at: created.to_string(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            log,
            ledger,
            settings: Vec::new(),
            files: Vec::new(),
        }
    }

    /// When it was begun.
    #[must_use]
    pub fn created(&self) -> Option<Timestamp> {
        self.created_at.parse().ok()
    }

    /// Bytes of all files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.iter().fold(0, |sum, file| sum.saturating_add(file.bytes))
    }

    /// Writes it into a backup's folder, durably.
    pub(super) fn write(&self, folder: &Path) -> Result<(), BackupError> {
        let mut text = serde_json::to_vec_pretty(self).map_err(|error| BackupError::Defect(error.to_string()))?;
        text.push(b'\n');
        files::write(&folder.join(NAME), &text)?;
        files::sync_folder(folder)
    }

    /// Reads a backup's manifest, and the digest of its bytes.
    pub(super) fn read(folder: &Path) -> Result<(Self, [u8; 32]), BackupError> {
        let path = folder.join(NAME);
        let wrong = |what: String| BackupError::Changed { path: folder.to_owned(), file: NAME.to_owned(), what };
        match std::fs::metadata(&path) {
            Ok(facts) if BYTES_MAX < facts.len() => return Err(wrong(format!("is over {} MiB", BYTES_MAX >> 20))),
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(BackupError::Unfinished { path: folder.to_owned() });
            }
            Err(error) => return Err(at(&path)(error)),
        }
        let bytes = std::fs::read(&path).map_err(at(&path))?;
        let unread = |error: serde_json::Error| wrong(format!("does not read: {error}"));
        let Format { format } = serde_json::from_slice(&bytes).map_err(unread)?;
        if FORMAT < format {
            return Err(BackupError::Newer { path: folder.to_owned(), found: format, known: FORMAT });
        }
        let manifest: Self = serde_json::from_slice(&bytes).map_err(unread)?;
        manifest.check().map_err(wrong)?;
        Ok((manifest, digest::sha256(&bytes)))
    }

    /// What no manifest of ours would say.
    fn check(&self) -> Result<(), String> {
        let mut seen = BTreeSet::new();
        for file in &self.files {
            if !file.is_inside() {
                return Err(format!("names {:?}, which is not inside the backup", file.path));
            }
            if !seen.insert(file.path.as_str()) {
                return Err(format!("names {:?} twice", file.path));
            }
        }
        for needed in [LEDGER.to_owned(), format!("{EVIDENCE}/log/CURRENT")] {
            if !seen.contains(needed.as_str()) {
                return Err(format!("does not name {needed:?}"));
            }
        }
        Ok(())
    }

    /// The files of the log.
    pub(super) fn log_files(&self) -> impl Iterator<Item = &FileEntry> {
        self.files.iter().filter(|file| Path::new(&file.path).starts_with(EVIDENCE))
    }

    /// The ledger's file.
    pub(super) fn ledger_file(&self) -> Result<&FileEntry, BackupError> {
        let found = self.files.iter().find(|file| file.path == LEDGER);
        found.ok_or_else(|| BackupError::Defect("a manifest without a ledger was accepted".to_owned()))
    }
}
