//! Which backups there are.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Serialize;

use super::create::UNFINISHED;
use super::files::at;
use super::{BackupError, Manifest};

/// Most backups shown.
const SHOWN_MAX: usize = 1000;

/// Whether a backup is worth verifying.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// There is a manifest, and every file that it names has its size. `backup verify` reads them.
    Complete,
    /// It is being made, or was interrupted.
    Unfinished,
    /// Something of it is missing or wrong.
    Damaged,
}

/// A backup of a folder.
#[derive(Debug, Clone, Serialize)]
pub struct Listed {
    /// Its folder's name.
    pub name: String,
    /// Its folder.
    pub path: PathBuf,
    /// Whether it is whole.
    pub state: State,
    /// What is wrong with it.
    pub why: Option<String>,
    /// When it was begun.
    pub created_at: Option<String>,
    /// The log in it.
    pub log_id: Option<uuid::Uuid>,
    /// The last record in it.
    pub seq: Option<u64>,
    /// Its size; on the log's own disk it shares most of it with the log.
    pub bytes: Option<u64>,
}

/// The backups in a folder, newest first; none when there is no folder. Sizes are looked at, contents are not.
///
/// # Errors
/// When the folder cannot be read.
pub fn list(folder: &Path) -> Result<Vec<Listed>, BackupError> {
    let mut names = folders(folder)?;
    // Names begin with the time.
    names.sort_by(|a, b| b.trim_start_matches(UNFINISHED).cmp(a.trim_start_matches(UNFINISHED)));
    names.truncate(SHOWN_MAX);
    Ok(names.into_iter().filter_map(|name| look(folder, name)).collect())
}

/// When the newest whole backup in a folder was begun. What cannot be read counts for none.
#[must_use]
pub fn newest(folder: &Path) -> Option<Timestamp> {
    let listed = list(folder).ok()?;
    let whole = listed.iter().filter(|backup| backup.state == State::Complete);
    whole.filter_map(|backup| backup.created_at.as_ref()?.parse().ok()).max()
}

/// What interrupted backups of a log left.
pub(super) fn unfinished(folder: &Path, id: &str) -> Result<Vec<PathBuf>, BackupError> {
    let mut names = folders(folder)?;
    names.retain(|name| name.starts_with(UNFINISHED) && name.ends_with(&format!("-{id}")));
    Ok(names.into_iter().map(|name| folder.join(name)).collect())
}

fn folders(folder: &Path) -> Result<Vec<String>, BackupError> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(at(folder)(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(at(folder))?;
        if entry.file_type().map_err(at(folder))?.is_dir() {
            names.extend(entry.file_name().into_string());
        }
    }
    Ok(names)
}

/// None for a folder that is no backup at all.
fn look(folder: &Path, name: String) -> Option<Listed> {
    let path = folder.join(&name);
    let told = |state, why| Listed {
        name: name.clone(),
        path: path.clone(),
        state,
        why,
        created_at: None,
        log_id: None,
        seq: None,
        bytes: None,
    };
    if name.starts_with(UNFINISHED) {
        return Some(told(State::Unfinished, None));
    }
    let manifest = match Manifest::read(&path) {
        Ok((manifest, _)) => manifest,
        Err(BackupError::Unfinished { .. }) => return None,
        Err(error) => return Some(told(State::Damaged, Some(error.to_string()))),
    };
    let is_there = |file: &&super::FileEntry| {
        std::fs::metadata(file.within(&path)).is_ok_and(|facts| facts.is_file() && facts.len() == file.bytes)
    };
    let missing = manifest.files.iter().find(|file| !is_there(file));
    let state = if missing.is_some() { State::Damaged } else { State::Complete };
    Some(Listed {
        created_at: Some(manifest.created_at.clone()),
        log_id: Some(manifest.log.log_id),
        seq: Some(manifest.log.seq),
        bytes: Some(manifest.bytes()),
        ..told(state, missing.map(|file| format!("{} is missing or has another size", file.path)))
    })
}
