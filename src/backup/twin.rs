//! Looking into a copy of a log without changing it. Opening a log writes into its folder, so what is opened is a
//! throwaway twin: hard links of the files that RocksDB never changes, copies of the small ones that it does.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use evidence_store::{Head, Options, Store};

use super::BackupError;
use super::files::{self, Scaffold, at};
use crate::jobs::Progress;
use crate::ledger::Cursor;

/// Records read at once, and about how many bytes.
const CHUNK: (usize, usize) = (256, 8 << 20);
/// For the ring beside the log, which a twin does not use.
const RING_BYTES: u64 = 1 << 20;

/// A log that may be opened and thrown away.
pub(super) struct Twin(Scaffold);

impl Twin {
    /// Makes a twin of the log in `evidence` (which holds `log/`) in a new folder `path`.
    pub(super) fn make(evidence: &Path, path: PathBuf, progress: &Progress) -> Result<Self, BackupError> {
        let scaffold = Scaffold::make(path)?;
        let (from, to) = (evidence.join("log"), scaffold.path.join("log"));
        files::make_folder(&to)?;
        for file in files::walk(&from)? {
            let (source, target) = (from.join(&file), to.join(&file));
            if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
                files::make_folders(&to.join(folder))?;
            }
            let never_changes = matches!(file.extension().and_then(OsStr::to_str), Some("sst" | "blob"));
            if !(never_changes && std::fs::hard_link(&source, &target).is_ok()) {
                // What is read here was not asked for: it does not count as progress.
                files::copy(&source, &target, &Progress::default())?;
            }
            if progress.is_cancelled() {
                return Err(BackupError::Cancelled);
            }
        }
        Ok(Self(scaffold))
    }

    /// Opens it for as long as `look` takes.
    pub(super) fn open<T>(&self, look: impl FnOnce(&Store) -> Result<T, BackupError>) -> Result<T, BackupError> {
        open(&self.0.path, look)
    }
}

/// Opens a log that nobody else uses for as long as `look` takes.
pub(super) fn open<T>(path: &Path, look: impl FnOnce(&Store) -> Result<T, BackupError>) -> Result<T, BackupError> {
    let store = Store::open(Options {
        path: path.to_owned(),
        reserve_bytes: 0,
        rejected_max_bytes: RING_BYTES,
        repeats_max: 1,
        observer: None,
    })?;
    let looked = look(&store);
    store.close();
    looked
}

/// Whether the ledger's place is a place of this log.
pub(super) fn belongs(store: &Store, cursor: Option<Cursor>) -> Result<Result<(), String>, BackupError> {
    let Some(cursor) = cursor else { return Ok(Ok(())) };
    if cursor.log_id != store.log_id() {
        return Ok(Err(format!("the ledger follows log {} and this is log {}", cursor.log_id, store.log_id())));
    }
    Ok(match store.link_at(cursor.seq)? {
        Some(link) if link == cursor.link => Ok(()),
        Some(_) => Err(format!("record {} carries another link than the ledger saw", cursor.seq)),
        None => Err(format!("the log ends before record {}, which the ledger saw", cursor.seq)),
    })
}

/// Reads every record, which checks checksums, digests and links.
pub(super) fn walk(store: &Store, progress: &Progress) -> Result<Head, BackupError> {
    let head = store.head();
    let mut seq = 0;
    while seq < head.seq {
        if progress.is_cancelled() {
            return Err(BackupError::Cancelled);
        }
        let records = store.read_after(seq, CHUNK.0, CHUNK.1)?;
        let last = records.last().map(|record| record.seq).filter(|last| seq < *last);
        seq = last.ok_or_else(|| {
            let what = "it is missing".to_owned();
            evidence_store::ReadError::Damaged { seq: seq.saturating_add(1), what }
        })?;
        progress.say(format!("record {seq} of {}", head.seq));
    }
    Ok(head)
}

/// A folder or file beside another, hidden, with a name made of its name.
pub(super) fn beside(path: &Path, what: &str) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or(OsStr::new("backup")));
    name.push(what);
    files::parent(path).join(name)
}

pub(super) fn io_of(path: &Path, what: impl Into<String>) -> BackupError {
    at(path)(std::io::Error::other(what.into()))
}
