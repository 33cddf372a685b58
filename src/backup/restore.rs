//! Making a gateway's data of a backup: the whole folder or nothing of it.
//!
//! Built under another name and renamed when it is whole. A restored log gets a new id and the ledger reads it from its
//! start, so that neither is taken for the one that was lost; forwarding is paused until an operator says otherwise.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use evidence_store::Facts;
use jiff::Timestamp;
use uuid::Uuid;

use super::files::{self, Scaffold, at};
use super::manifest::{FileEntry, Manifest};
use super::{BackupError, EVIDENCE, twin, verify};
use crate::jobs::Progress;
use crate::ledger::{Cursor, LedgerIdentity, Who, sqlite};

/// Ends the names of what is not whole yet.
const RESTORING: &str = ".restoring";

/// Where the data is to be.
#[derive(Debug, Clone)]
pub struct Target {
    /// The data folder.
    pub data_dir: PathBuf,
    /// The evidence log's folder.
    pub evidence: PathBuf,
    /// The ledger's file.
    pub ledger: PathBuf,
}

/// Who restores, and when.
#[derive(Debug, Clone)]
pub struct By {
    /// Who.
    pub name: String,
    /// When.
    pub now: Timestamp,
}

/// What was restored.
#[derive(Debug, Clone)]
pub struct Restored {
    /// What the backup says of itself.
    pub manifest: Manifest,
    /// The log's id from now on.
    pub log_id: Uuid,
    /// The ledger with its new epoch.
    pub ledger: LedgerIdentity,
}

/// Restores a backup. The manifest is checked first, each file as it is copied, and all of it once it lies there;
/// until then nothing is in its place.
///
/// # Errors
/// See [`BackupError`]. Nothing is left then, but for a crash in the middle, after which a hidden folder beside the
/// target names itself.
pub fn restore(from: &Path, target: &Target, by: &By, progress: &Progress) -> Result<Restored, BackupError> {
    let (manifest, _) = Manifest::read(from)?;
    progress.set_total(manifest.bytes());
    let stage = Stage::begin(target)?;
    progress.say("copying");
    files::make_folders(&stage.evidence.join("log"))?;
    for file in manifest.log_files() {
        let inner = Path::new(&file.path).strip_prefix(EVIDENCE).map_err(|_| defect("a file of the log is outside"))?;
        let to = stage.evidence.join(inner);
        files::make_folders(files::parent(&to))?;
        copy(from, file, &to, progress)?;
    }
    copy(from, manifest.ledger_file()?, &stage.ledger, progress)?;
    progress.say("checking the ledger");
    let ledger = sqlite::examine(&stage.ledger)?;
    twin::open(&stage.evidence, |store| verify::agree(from, &manifest, store, &ledger, progress))?;
    progress.say("making it a gateway of its own");
    let (log_id, ledger) = renew(from, &manifest, &stage, by)?;
    stage.place(target)?;
    Ok(Restored { manifest, log_id, ledger })
}

fn copy(from: &Path, file: &FileEntry, to: &Path, progress: &Progress) -> Result<(), BackupError> {
    let source = file.within(from);
    let changed = |what| BackupError::Changed { path: from.to_owned(), file: file.path.clone(), what };
    if !source.is_file() {
        return Err(changed("is missing".to_owned()));
    }
    file.differs(files::copy(&source, to, progress)?).map_or(Ok(()), |what| Err(changed(what)))
}

/// Both get who they are from now on, each with a record of its own of who did it.
fn renew(from: &Path, manifest: &Manifest, stage: &Stage, by: &By) -> Result<(Uuid, LedgerIdentity), BackupError> {
    let reason = format!("restored from the backup {} of {}", name_of(from), manifest.created_at);
    let at_us = by.now.as_microsecond();
    let facts = Facts { at_us, by: by.name.clone(), reason: reason.clone() };
    let log = evidence_store::renew(&stage.evidence, facts)?;
    let start = Cursor { log_id: log.log_id, seq: 0, link: [0; 32] };
    let who = Who { name: by.name.clone(), from: "restore".to_owned(), reason: Some(reason) };
    let ledger = sqlite::renew(&stage.ledger, start, &who, at_us)?;
    Ok((log.log_id, ledger))
}

fn name_of(path: &Path) -> String {
    path.canonicalize()
        .unwrap_or_else(|_| path.to_owned())
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// What is built, and where it goes.
struct Stage {
    evidence: PathBuf,
    ledger: PathBuf,
    scaffolds: Scaffolds,
}

enum Scaffolds {
    /// The data folder as one.
    Whole(Scaffold),
    /// Log and ledger each beside its place.
    Apart { evidence: Scaffold, ledger: Scaffold },
}

impl Stage {
    /// Refuses where anything is, and makes the folders to build in.
    fn begin(target: &Target) -> Result<Self, BackupError> {
        let Target { data_dir, evidence, ledger } = target;
        empty(evidence)?;
        for path in beside_ledger(ledger) {
            if path.symlink_metadata().is_ok() {
                return Err(BackupError::Occupied { path });
            }
        }
        if let (true, Some(file)) = (is_one_rename(target), ledger.file_name()) {
            let scaffold = stage(&twin::beside(data_dir, RESTORING))?;
            let (evidence, ledger) = (scaffold.path.join(EVIDENCE), scaffold.path.join(file));
            return Ok(Self { evidence, ledger, scaffolds: Scaffolds::Whole(scaffold) });
        }
        files::make_folders(files::parent(evidence))?;
        files::make_folders(files::parent(ledger))?;
        let of_evidence = stage(&twin::beside(evidence, RESTORING))?;
        let of_ledger = stage(&twin::beside(ledger, RESTORING))?;
        Ok(Self {
            evidence: of_evidence.path.clone(),
            ledger: of_ledger.path.join(ledger.file_name().unwrap_or_default()),
            scaffolds: Scaffolds::Apart { evidence: of_evidence, ledger: of_ledger },
        })
    }

    /// Puts it in its place.
    fn place(self, target: &Target) -> Result<(), BackupError> {
        match self.scaffolds {
            Scaffolds::Whole(scaffold) => {
                files::sync_tree(&scaffold.path)?;
                scaffold.rename(&target.data_dir)
            }
            Scaffolds::Apart { evidence, ledger } => {
                files::sync_tree(&evidence.path)?;
                files::sync_tree(&ledger.path)?;
                // A log without its ledger is refused by `serve`, a ledger without its log as well.
                evidence.rename(&target.evidence)?;
                let placed = move_ledger(&ledger.path, &target.ledger);
                if placed.is_err() {
                    std::fs::remove_dir_all(&target.evidence).map_err(at(&target.evidence))?;
                }
                placed
            }
        }
    }
}

/// The folder to build in; one that is there was left by a crash, or another restore is at work.
fn stage(path: &Path) -> Result<Scaffold, BackupError> {
    files::make_folders(files::parent(path))?;
    if path.symlink_metadata().is_ok() {
        return Err(BackupError::LeftOver { path: path.to_owned() });
    }
    Scaffold::make(path.to_owned())
}

/// Whether the data folder can come to be by one rename: it is absent or empty, is no mount of its own, and holds
/// log and ledger as usual.
fn is_one_rename(target: &Target) -> bool {
    let Target { data_dir, evidence, ledger } = target;
    let usual = *evidence == data_dir.join(EVIDENCE) && ledger.parent() == Some(data_dir);
    let device = |path: &Path| std::fs::metadata(path).map(|facts| facts.dev());
    let same_disk = || match (device(data_dir), device(files::parent(data_dir))) {
        (Ok(own), Ok(above)) => own == above,
        (own, _) => own.is_err(),
    };
    usual && empty(data_dir).is_ok() && same_disk() && !data_dir.is_symlink()
}

/// Refuses anything but nothing and an empty folder.
fn empty(path: &Path) -> Result<(), BackupError> {
    let occupied = || BackupError::Occupied { path: path.to_owned() };
    match std::fs::read_dir(path) {
        Ok(mut entries) => entries.next().map_or(Ok(()), |_| Err(occupied())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => Err(occupied()),
        Err(error) => Err(at(path)(error)),
    }
}

/// The ledger and what SQLite keeps beside it.
fn beside_ledger(ledger: &Path) -> [PathBuf; 3] {
    ["", "-wal", "-shm"].map(|ending| {
        let mut name = ledger.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    })
}

/// The ledger itself last: what lies beside it means nothing without it.
fn move_ledger(stage: &Path, ledger: &Path) -> Result<(), BackupError> {
    let file = ledger.file_name().unwrap_or_default();
    let (staged, placed) = (beside_ledger(&stage.join(file)), beside_ledger(ledger));
    for (from, to) in staged.iter().zip(&placed).rev() {
        if from.exists() {
            std::fs::rename(from, to).map_err(at(to))?;
        }
    }
    files::sync_folder(files::parent(ledger))
}

fn defect(what: &str) -> BackupError {
    BackupError::Defect(what.to_owned())
}
