//! Making a backup, while the gateway serves or of a stopped one's data.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use evidence_store::Store;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::files::{self, Scaffold, at};
use super::manifest::{FileEntry, LedgerAt, LogAt, Manifest, Setting};
use super::twin::{self, Twin};
use super::{BackupError, EVIDENCE, LEDGER, PUBLIC_KEY, SETTINGS, list, verify};
use crate::config::Config;
use crate::jobs::Progress;
use crate::ledger::{Ledger, sqlite};
use crate::task;

/// Begins the names of what is not whole yet.
pub(super) const UNFINISHED: &str = ".unfinished-";
/// Hexadecimal digits of the log's id in names.
const ID_DIGITS: usize = 8;

/// What is backed up.
pub struct Live {
    /// Where things are; names the configuration files.
    pub config: Arc<Config>,
    /// The log.
    pub evidence: Store,
    /// The ledger.
    pub ledger: Arc<dyn Ledger>,
    /// Verifies the log's checkpoints, where there is such a key.
    pub public_key: Option<String>,
    /// When.
    pub now: Timestamp,
}

/// A backup that was made and found to be what was written.
#[derive(Debug, Clone)]
pub struct Made {
    /// Its folder.
    pub path: PathBuf,
    /// What it says of itself.
    pub manifest: Manifest,
    /// SHA-256 of the manifest: kept elsewhere, it vouches for the whole backup.
    pub manifest_sha256: [u8; 32],
}

/// Makes a backup in a new folder inside `into`, and answers once its files were read back and are those of its
/// manifest. Nothing of it is left when it fails or is cancelled.
///
/// # Errors
/// See [`BackupError`].
pub async fn create(live: Live, into: PathBuf, progress: Progress) -> Result<Made, BackupError> {
    let (live, scaffold) = blocking(move || {
        let scaffold = begin(&live, &into)?;
        Ok((live, scaffold))
    })
    .await?;
    progress.say("copying the ledger");
    // The ledger first: whatever it has seen is in the log that is copied after it.
    live.ledger.snapshot(&scaffold.path.join(LEDGER)).await?;
    blocking(move || finish(&live, scaffold, &progress)).await
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BackupError> + Send + 'static,
) -> Result<T, BackupError> {
    task::spawn_blocking(work).await.map_err(|error| BackupError::Defect(error.to_string()))?
}

/// The folder that it is built in. What an interrupted backup of this log left is taken away: nobody else backs up
/// a log that this process holds.
fn begin(live: &Live, into: &Path) -> Result<Scaffold, BackupError> {
    files::make_folders(into)?;
    room(live, into)?;
    let id = live.evidence.log_id().simple().to_string();
    // The end of it: a UUIDv7 begins with its time.
    let id = id.get(id.len().saturating_sub(ID_DIGITS)..).unwrap_or_default().to_owned();
    for left in list::unfinished(into, &id)? {
        tracing::info!(path = %left.display(), "removes what an interrupted backup left");
        std::fs::remove_dir_all(&left).map_err(at(&left))?;
    }
    let time = live.now.to_zoned(TimeZone::UTC).strftime("%Y%m%dT%H%M%S.%3fZ").to_string();
    Scaffold::make(into.join(format!("{UNFINISHED}{time}-{id}")))
}

/// Refuses where the ledger's copy would take the space that acknowledging needs. The log's copy takes none on its
/// own disk.
fn room(live: &Live, into: &Path) -> Result<(), BackupError> {
    let device = |path: &Path| std::fs::metadata(path).map(|facts| facts.dev()).map_err(at(path));
    if device(into)? != device(&live.config.evidence.path)? {
        return Ok(());
    }
    let Some(free) = live.evidence.disk_free() else { return Ok(()) };
    let needed = std::fs::metadata(&live.config.ledger.path).map_or(0, |facts| facts.len());
    let free = free.saturating_sub(live.config.evidence.reserve);
    if free < needed { Err(BackupError::NoRoom { needed, free }) } else { Ok(()) }
}

fn finish(live: &Live, scaffold: Scaffold, progress: &Progress) -> Result<Made, BackupError> {
    let folder = scaffold.path.clone();
    progress.say("copying the log");
    live.evidence.snapshot(&folder.join(EVIDENCE))?;
    let settings = settings(&live.config.backup.settings, &folder)?;
    if let Some(key) = &live.public_key {
        files::write(&folder.join(PUBLIC_KEY), format!("{}\n", key.trim_end()).as_bytes())?;
    }
    files::sync_tree(&folder)?;
    progress.say("reading the copies");
    let found = files::walk(&folder)?;
    let size = |path: &PathBuf| std::fs::metadata(folder.join(path)).map_or(0, |facts| facts.len());
    // Each is read twice: for its digest, and to see that the digest holds.
    progress.set_total(found.iter().map(size).fold(0_u64, u64::saturating_add).saturating_mul(2));
    let mut entries = Vec::new();
    for path in &found {
        entries.push(FileEntry::of(path, files::digest(&folder.join(path), progress)?));
    }
    let (log, ledger) = point(&folder, progress)?;
    let manifest = Manifest { settings, files: entries, ..Manifest::new(live.now, log, ledger) };
    manifest.write(&folder)?;
    progress.say("checking what was written");
    let (manifest, manifest_sha256) = verify::hashes(&folder, progress)?;
    let name = folder.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_prefix(UNFINISHED));
    let name = name.ok_or_else(|| twin::io_of(&folder, "its name is not as it was given"))?;
    let path = files::parent(&folder).join(name);
    scaffold.rename(&path)?;
    Ok(Made { path, manifest, manifest_sha256 })
}

/// The configuration files as they are now, in a folder of their own: they name secrets and do not hold them.
fn settings(given: &[PathBuf], folder: &Path) -> Result<Vec<Setting>, BackupError> {
    files::make_folder(&folder.join(SETTINGS))?;
    let mut kept = Vec::new();
    for (number, from) in given.iter().enumerate() {
        let name = from.file_name().unwrap_or_default().to_string_lossy();
        let path = format!("{SETTINGS}/{number}-{name}");
        files::write(&folder.join(&path), &std::fs::read(from).map_err(at(from))?)?;
        kept.push(Setting { path, from: from.display().to_string() });
    }
    Ok(kept)
}

/// Where log and ledger of the copy stand; refused when they do not belong together.
fn point(folder: &Path, progress: &Progress) -> Result<(LogAt, LedgerAt), BackupError> {
    let ledger = sqlite::examine(&folder.join(LEDGER))?;
    let twin = Twin::make(&folder.join(EVIDENCE), folder.join("twin"), progress)?;
    let log = twin.open(|store| {
        let head = store.head();
        twin::belongs(store, ledger.cursor)?.map_err(|what| BackupError::Apart { path: folder.to_owned(), what })?;
        Ok(LogAt { log_id: store.log_id(), seq: head.seq, link: hex::encode(head.link) })
    })?;
    let seq = ledger.cursor.map(|cursor| cursor.seq);
    let sqlite::Examined { schema, identity, .. } = ledger;
    Ok((log, LedgerAt { ledger_id: identity.ledger_id, epoch: identity.epoch, schema, seq }))
}
