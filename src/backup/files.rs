//! The small steps on files that a copy is made of. What is written is on disk when a step answers.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::BackupError;
use crate::digest::Sha256;
use crate::jobs::Progress;

/// Bytes read at once.
const CHUNK: usize = 1 << 20;
/// For the owner's eyes: bodies hold what customers paid.
const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// An error at a path.
pub(super) fn at(path: &Path) -> impl Fn(std::io::Error) -> BackupError {
    move |source| BackupError::Io { path: path.to_owned(), source }
}

/// Makes a folder and those above it.
pub(super) fn make_folders(path: &Path) -> Result<(), BackupError> {
    DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(path).map_err(at(path))
}

/// Makes one folder that must not be there.
pub(super) fn make_folder(path: &Path) -> Result<(), BackupError> {
    DirBuilder::new().mode(FOLDER_MODE).create(path).map_err(at(path))
}

/// Makes what the folder lists durable.
pub(super) fn sync_folder(path: &Path) -> Result<(), BackupError> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(at(path))
}

/// Makes a folder and all below it durable.
pub(super) fn sync_tree(path: &Path) -> Result<(), BackupError> {
    for entry in std::fs::read_dir(path).map_err(at(path))? {
        let entry = entry.map_err(at(path))?;
        let (inner, kind) = (entry.path(), entry.file_type().map_err(at(path))?);
        if kind.is_dir() {
            sync_tree(&inner)?;
        } else if kind.is_file() {
            File::open(&inner).and_then(|file| file.sync_all()).map_err(at(&inner))?;
        }
    }
    sync_folder(path)
}

/// The folder that holds a path.
pub(super) fn parent(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Writes a new file.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), BackupError> {
    let mut file = create(path)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(at(path))
}

fn create(path: &Path) -> Result<File, BackupError> {
    OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(path).map_err(at(path))
}

/// All files below a folder, relative to it, in order. Anything that is neither file nor folder is refused: a link
/// would let a copy hold what lies elsewhere.
pub(super) fn walk(root: &Path) -> Result<Vec<PathBuf>, BackupError> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let path = root.join(&folder);
        for entry in std::fs::read_dir(&path).map_err(at(&path))? {
            let entry = entry.map_err(at(&path))?;
            let (inner, kind) = (folder.join(entry.file_name()), entry.file_type().map_err(at(&path))?);
            if kind.is_dir() {
                folders.push(inner);
            } else if kind.is_file() {
                found.push(inner);
            } else {
                let source = std::io::Error::other("it is neither a file nor a folder");
                return Err(BackupError::Io { path: root.join(inner), source });
            }
        }
    }
    found.sort();
    Ok(found)
}

/// How a file's bytes were found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) bytes: u64,
    pub(super) sha256: [u8; 32],
}

/// Reads a file to its end, and writes it elsewhere when asked to.
fn pass(from: &Path, to: Option<&Path>, progress: &Progress) -> Result<Content, BackupError> {
    let mut source = File::open(from).map_err(at(from))?;
    let mut target = to.map(|to| Ok::<_, BackupError>((to, create(to)?))).transpose()?;
    let (mut hash, mut bytes, mut chunk) = (Sha256::new(), 0_u64, vec![0; CHUNK]);
    loop {
        if progress.is_cancelled() {
            return Err(BackupError::Cancelled);
        }
        let read = match source.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(at(from)(error)),
        };
        let part = chunk.get(..read).unwrap_or_default();
        hash.update(part);
        if let Some((to, target)) = &mut target {
            target.write_all(part).map_err(at(to))?;
        }
        let read = u64::try_from(read).unwrap_or(u64::MAX);
        bytes = bytes.saturating_add(read);
        progress.advance(read);
    }
    if let Some((to, target)) = target {
        target.sync_all().map_err(at(to))?;
    }
    Ok(Content { bytes, sha256: hash.finish() })
}

/// Size and digest of a file.
pub(super) fn digest(path: &Path, progress: &Progress) -> Result<Content, BackupError> {
    pass(path, None, progress)
}

/// Copies to a new file; size and digest are of the bytes that were copied.
pub(super) fn copy(from: &Path, to: &Path, progress: &Progress) -> Result<Content, BackupError> {
    pass(from, Some(to), progress)
}

/// A folder that goes away with everything in it unless it is kept.
#[derive(Debug)]
pub(super) struct Scaffold {
    pub(super) path: PathBuf,
    kept: bool,
}

impl Scaffold {
    /// Makes the folder; it must not be there.
    pub(super) fn make(path: PathBuf) -> Result<Self, BackupError> {
        make_folder(&path)?;
        Ok(Self { path, kept: false })
    }

    /// Gives the folder its own name.
    pub(super) fn rename(mut self, name: &Path) -> Result<(), BackupError> {
        std::fs::rename(&self.path, name).map_err(at(name))?;
        self.kept = true;
        sync_folder(parent(name))
    }
}

impl Drop for Scaffold {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        if let Err(error) = std::fs::remove_dir_all(&self.path)
            && error.kind() != ErrorKind::NotFound
        {
            tracing::warn!(path = %self.path.display(), %error, "what is left could not be removed: remove it by hand");
        }
    }
}
