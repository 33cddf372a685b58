//! A note beside the log: the archive that a run was writing or had written when it began to remove. After a crash the
//! next run goes on with it, so that nothing is archived twice. It is a hint: without it nothing is lost.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::RetentionError;

/// Its name in the log's folder.
const FILE: &str = "retention.pending";

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Pending {
    pub(super) source: String,
    /// Of the archive.
    pub(super) name: String,
}

fn path(folder: &Path) -> PathBuf {
    folder.join(FILE)
}

/// The note, if there is one that can be read.
pub(super) fn read(folder: &Path) -> Option<Pending> {
    serde_json::from_slice(&fs::read(path(folder)).ok()?).ok()
}

/// Writes it, over another.
pub(super) fn write(folder: &Path, pending: &Pending) -> Result<(), RetentionError> {
    let failed = |source| RetentionError::Note { path: path(folder).display().to_string(), source };
    let text = serde_json::to_vec(pending).map_err(|error| failed(error.into()))?;
    let mut file = fs::File::create(path(folder)).map_err(failed)?;
    file.write_all(&text).and_then(|()| file.sync_all()).map_err(failed)?;
    fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}

/// Takes it away, if it is there.
pub(super) fn clear(folder: &Path) -> Result<(), RetentionError> {
    match fs::remove_file(path(folder)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(RetentionError::Note { path: path(folder).display().to_string(), source: error })
        }
        _ => Ok(()),
    }
}
