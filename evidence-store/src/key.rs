//! The key that signs checkpoints: an Ed25519 seed of 32 bytes in a file of its own.
//!
//! The file is made once, readable by its owner alone, and appears under its name only when it is whole and fsynced; a
//! file that is there is never written again. One that others may read is refused: whoever has it can rewrite the log
//! and sign that.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use aws_lc_rs::rand;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};

use crate::note::{NoteError, VerifierKey};

const SEED_BYTES: usize = 32;
/// One more than a key has: enough to see that a file is longer.
const SEED_BYTES_AND_ONE: u64 = 33;
/// All that the group and others may do.
const OTHERS: u32 = 0o077;
const OWNER_ONLY: u32 = 0o600;

/// Why there is no key to sign with.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// It is not there.
    #[error("the key {path} is not there")]
    Missing {
        /// Its file.
        path: PathBuf,
    },
    /// It is not there, and it signed checkpoints of this log.
    #[error(
        "the key {path} is gone, and it signed checkpoints of this log: put it back. If it is lost, make a new one, \
         (umask 077; head -c 32 /dev/urandom > {path}), and publish its public key"
    )]
    Lost {
        /// Its file.
        path: PathBuf,
    },
    /// Others can read it.
    #[error(
        "the key {path} can be read by others (mode {mode:04o}): run chmod 600 on it. If others had it, make a new one \
         and publish its public key"
    )]
    Open {
        /// Its file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It is no key.
    #[error("{path} is no key: it is not a file of exactly 32 bytes. Put back the one that was made")]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be read or made.
    #[error("cannot use the key {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The system has no randomness to give.
    #[error("the system gave no random bytes for a new key")]
    Random,
}

/// A private key. It has no `Debug` and never leaves this file.
pub struct SealKey(Ed25519KeyPair);

impl SealKey {
    /// Reads the key.
    ///
    /// # Errors
    /// When it is not there, not a key, or others can read it.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => KeyError::Missing { path: path.to_owned() },
            _ => KeyError::Io { path: path.to_owned(), source },
        };
        let file = File::open(path).map_err(failed)?;
        // Of the open file, so that it cannot be another one by the time it is read.
        let facts = file.metadata().map_err(failed)?;
        let no_key = || KeyError::NoKey { path: path.to_owned() };
        if !facts.is_file() {
            return Err(no_key());
        }
        let mode = facts.mode() & 0o7777;
        if mode & OTHERS != 0 {
            return Err(KeyError::Open { path: path.to_owned(), mode });
        }
        let mut seed = Vec::with_capacity(SEED_BYTES.saturating_add(1));
        file.take(SEED_BYTES_AND_ONE).read_to_end(&mut seed).map_err(failed)?;
        let key = Self::from_seed(&seed).ok_or_else(no_key);
        seed.fill(0);
        key
    }

    /// The key of a seed of 32 bytes.
    pub(crate) fn from_seed(seed: &[u8]) -> Option<Self> {
        Ed25519KeyPair::from_seed_unchecked(seed).ok().filter(|_| seed.len() == SEED_BYTES).map(Self)
    }

    /// Makes the key, unless one is there, and reads it. The caller holds the lock of the log it is for.
    ///
    /// # Errors
    /// As [`SealKey::read`], and when the file cannot be made.
    pub fn read_or_make(path: &Path) -> Result<Self, KeyError> {
        match Self::read(path) {
            Err(KeyError::Missing { .. }) => {
                make(path)?;
                tracing::info!(path = %path.display(), "made the key that signs checkpoints; keep a copy of it in a safe place");
                Self::read(path)
            }
            read => read,
        }
    }

    /// Its public half under a name.
    ///
    /// # Errors
    /// When the name is none.
    pub fn verifier(&self, name: &str) -> Result<VerifierKey, NoteError> {
        let public = self.0.public_key().as_ref().try_into().map_err(|_| NoteError::Key("it is not of 32 bytes"))?;
        VerifierKey::new(name, public)
    }

    pub(crate) fn sign(&self, text: &[u8]) -> [u8; 64] {
        // Ed25519 signatures have 64 bytes; a note is verified before it is handed out.
        self.0.sign(text).as_ref().try_into().unwrap_or([0; 64])
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("SealKey")
    }
}

/// Written beside its place, fsynced, and linked into it: a crash leaves a whole key or none, and one that is there is
/// never replaced.
fn make(path: &Path) -> Result<(), KeyError> {
    let failed = |source| KeyError::Io { path: path.to_owned(), source };
    let mut seed = [0; SEED_BYTES];
    rand::fill(&mut seed).map_err(|_| KeyError::Random)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(failed)?;
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".new");
    let unfinished = PathBuf::from(unfinished);
    // What a crash left; it was never used.
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        Ok(()) | Err(_) => {}
    }
    let outcome = write(&unfinished, &seed)
        .and_then(|()| fs::hard_link(&unfinished, path))
        .and_then(|()| fs::remove_file(&unfinished))
        .and_then(|()| File::open(folder)?.sync_all());
    seed.fill(0);
    outcome.map_err(failed)
}

fn write(path: &Path, seed: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(OWNER_ONLY).open(path)?;
    file.write_all(seed)?;
    file.sync_all()
}

#[cfg(test)]
mod tests;
