//! Whether a backup still is what it was made: its files by their digests, and what they say to each other.

use std::path::Path;

use super::files;
use super::manifest::Manifest;
use super::twin::{self, Twin};
use super::{BackupError, EVIDENCE, LEDGER};
use crate::jobs::Progress;
use crate::ledger::sqlite;

/// What was found.
#[derive(Debug, Clone)]
pub struct Verified {
    /// What the backup says of itself, all of it found to be so.
    pub manifest: Manifest,
    /// SHA-256 of the manifest. Whoever noted it elsewhere when the backup was made knows that nothing was exchanged.
    pub manifest_sha256: [u8; 32],
    /// Files in the folder that the manifest does not name; a restore leaves them out.
    pub unlisted: Vec<String>,
}

/// Reads everything: each file against its digest, each record of the log (checksum, digests, links), the ledger's own
/// check, and whether the two belong together. Changes nothing in the backup; a folder beside it is used meanwhile.
///
/// # Errors
/// The first file, record or contradiction that is found.
pub fn verify(folder: &Path, progress: &Progress) -> Result<Verified, BackupError> {
    let (manifest, manifest_sha256) = Manifest::read(folder)?;
    progress.set_total(manifest.bytes());
    progress.say("reading the files");
    compare(folder, &manifest, progress)?;
    let twin = twin::beside(folder, &format!(".checking-{}", std::process::id()));
    let twin = Twin::make(&folder.join(EVIDENCE), twin, progress)?;
    progress.say("checking the ledger");
    let ledger = sqlite::examine(&folder.join(LEDGER))?;
    twin.open(|store| agree(folder, &manifest, store, &ledger, progress))?;
    let mut unlisted: Vec<String> = files::walk(folder)?.iter().map(|path| path.display().to_string()).collect();
    unlisted.retain(|path| path != "manifest.json" && !manifest.files.iter().any(|file| file.path == *path));
    Ok(Verified { manifest, manifest_sha256, unlisted })
}

/// The manifest, once every file is found to be what it says.
pub(super) fn hashes(folder: &Path, progress: &Progress) -> Result<(Manifest, [u8; 32]), BackupError> {
    let (manifest, sha256) = Manifest::read(folder)?;
    compare(folder, &manifest, progress)?;
    Ok((manifest, sha256))
}

fn compare(folder: &Path, manifest: &Manifest, progress: &Progress) -> Result<(), BackupError> {
    let changed =
        |file: &str, what: String| BackupError::Changed { path: folder.to_owned(), file: file.to_owned(), what };
    for file in &manifest.files {
        let path = file.within(folder);
        if !path.is_file() {
            return Err(changed(&file.path, "is missing".to_owned()));
        }
        if let Some(what) = file.differs(files::digest(&path, progress)?) {
            return Err(changed(&file.path, what));
        }
    }
    Ok(())
}

/// Reads the whole log, and compares it with the manifest and with what the ledger saw of it.
pub(super) fn agree(
    folder: &Path,
    manifest: &Manifest,
    store: &evidence_store::Store,
    ledger: &sqlite::Examined,
    progress: &Progress,
) -> Result<(), BackupError> {
    let apart = |what: String| BackupError::Apart { path: folder.to_owned(), what };
    let head = twin::walk(store, progress)?;
    let (log, said) = ((store.log_id(), head.seq, hex::encode(head.link)), &manifest.log);
    if log != (said.log_id, said.seq, said.link.clone()) {
        return Err(apart(format!("the manifest says log {} up to record {}", said.log_id, said.seq)));
    }
    if (ledger.identity.ledger_id, ledger.identity.epoch) != (manifest.ledger.ledger_id, manifest.ledger.epoch) {
        return Err(apart(format!("the manifest says ledger {}", manifest.ledger.ledger_id)));
    }
    twin::belongs(store, ledger.cursor)?.map_err(apart)
}
