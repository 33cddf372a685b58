//! The deny files on disk: read at the start, looked at again every few seconds, taken when they changed.
//!
//! What a file says is judged by [`list`], which is pure. Here a bad file stops the start; later it never replaces a
//! good one: what was in force stays in force, the log says so and a metric stands at 1. No list is ever half replaced:
//! whoever screens holds one `Arc` of the whole.

use std::ffi::OsString;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

use self::list::{BadList, DenyFile, DenyList, FILE_BYTES_MAX};
use crate::clock::Clock;
use crate::config;
use crate::task::{self, Stop};
use crate::telemetry::Metrics;

pub mod list;
mod watched;

use watched::{Look, Watched};

/// Between looks at the files. A change is taken at the second look that finds it, when nobody writes it any more.
pub const POLL: Duration = Duration::from_secs(2);

/// Most bytes of a `.force` file: a digest, and the name that `sha256sum` writes behind it.
const FORCE_BYTES_MAX: u64 = 4096;

/// A deny file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file system.
    #[error("verification.screening.files: {path} cannot be read: {source}; name a file that this process may read")]
    Read {
        /// Which.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// What it says.
    #[error("verification.screening.files: {path}: {source}")]
    Bad {
        /// Which.
        path: String,
        /// What is wrong, with its line.
        source: BadList,
    },
    /// The reading itself ended early.
    #[error("verification.screening.files: reading them ended early; start again")]
    Interrupted,
}

/// The list in force, for whoever screens. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Current(watch::Receiver<Option<Arc<DenyList>>>);

/// The files, and the list that they make.
pub struct Screening {
    files: Vec<Watched>,
    list: watch::Sender<Option<Arc<DenyList>>>,
    max_age: Duration,
    clock: Clock,
    metrics: Metrics,
    /// Told once, until it is fresh again.
    stale: bool,
}

/// Reads every file once; `None` where none is configured. Changes nothing, so repeating it is safe.
///
/// # Errors
/// The first file that cannot be used.
pub fn read(settings: &config::Screening) -> Result<Option<Arc<DenyList>>, LoadError> {
    let files = settings.files.iter().map(|path| read_file(path).map(Arc::new)).collect::<Result<Vec<_>, _>>()?;
    Ok(DenyList::of(files))
}

/// Reads the files before anything is served.
///
/// # Errors
/// The first file that cannot be used.
pub async fn open(settings: &config::Screening, clock: Clock, metrics: Metrics) -> Result<Screening, LoadError> {
    let settings = settings.clone();
    let opening = task::spawn_blocking(move || Screening::open(&settings, clock, metrics));
    opening.await.unwrap_or(Err(LoadError::Interrupted))
}

// === impl Current ===

impl Current {
    /// The list; none where no file is configured.
    #[must_use]
    pub fn list(&self) -> Option<Arc<DenyList>> {
        self.0.borrow().clone()
    }

    /// Without any list.
    #[must_use]
    pub fn none() -> Self {
        Self(watch::channel(None).1)
    }
}

// === impl Screening ===

impl Screening {
    fn open(settings: &config::Screening, clock: Clock, metrics: Metrics) -> Result<Self, LoadError> {
        let files = settings.files.iter().map(|path| Watched::open(path)).collect::<Result<Vec<_>, _>>()?;
        for file in &files {
            tracing::info!(file = %file.path().display(), list = %file.accepted(), "deny list in force");
        }
        let list = watch::Sender::new(DenyList::of(files.iter().map(|file| Arc::clone(file.accepted())).collect()));
        let mut screening = Self { files, list, max_age: settings.max_age, clock, metrics, stale: false };
        screening.tell_age();
        Ok(screening)
    }

    /// For whoever screens.
    #[must_use]
    pub fn current(&self) -> Current {
        Current(self.list.subscribe())
    }

    /// Looks at the files until `stop`, so often.
    pub async fn follow(self, every: Duration, mut stop: Stop) {
        let mut screening = self;
        if screening.files.is_empty() {
            return;
        }
        while !stop.is_set() {
            drop(tokio::time::timeout(every, stop.wait()).await);
            let looking = task::spawn_blocking(move || {
                screening.look();
                screening
            });
            match looking.await {
                Ok(back) => screening = back,
                Err(error) => {
                    // The list in force stays, and grows stale.
                    tracing::error!(%error, "deny lists are not looked at any more; restart to read them again");
                    return;
                }
            }
        }
    }

    /// One look at every file.
    fn look(&mut self) {
        let mut changed = false;
        for file in &mut self.files {
            match file.look() {
                Look::Same => {}
                Look::Taken => {
                    changed = true;
                    tracing::info!(file = %file.path().display(), list = %file.accepted(), "deny list taken");
                }
                Look::Refused(why) => tracing::error!(
                    file = %file.path().display(),
                    kept = %file.accepted(),
                    %why,
                    "the new deny list is refused and the old one stays in force"
                ),
            }
        }
        if changed {
            self.list.send_replace(DenyList::of(self.files.iter().map(|file| Arc::clone(file.accepted())).collect()));
        }
        let refused = self.files.iter().any(Watched::is_refused);
        self.metrics.denylist_refused.set(i64::from(refused));
        self.tell_age();
    }

    fn tell_age(&mut self) {
        let Some(list) = self.list.borrow().clone() else { return };
        let now_us = self.clock.now().as_microsecond();
        self.metrics
            .denylist_age
            .set(Duration::from_micros(now_us.saturating_sub(list.date_us()).max(0).unsigned_abs()).as_secs_f64());
        let stale = list.is_stale(self.max_age, now_us);
        if stale && !self.stale {
            tracing::error!(%list, max_age_s = self.max_age.as_secs(), "the deny list is stale: write it anew");
        }
        self.stale = stale;
    }
}

// === files ===

fn read_file(path: &Path) -> Result<DenyFile, LoadError> {
    let named = || path.display().to_string();
    let (bytes, date_us) = bytes_of(path).map_err(|source| LoadError::Read { path: named(), source })?;
    let name = path.file_name().map_or_else(named, |name| name.to_string_lossy().into_owned());
    DenyFile::parse(&name, &bytes, date_us).map_err(|source| LoadError::Bad { path: named(), source })
}

/// At most one byte more than a list may have, and when the file was written.
fn bytes_of(path: &Path) -> std::io::Result<(Vec<u8>, i64)> {
    let file = std::fs::File::open(path)?;
    let date = Timestamp::try_from(file.metadata()?.modified()?).unwrap_or(Timestamp::MAX);
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok((bytes, date.as_microsecond()))
}

/// What tells one state of a file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// `None` when it cannot be looked at.
fn stamp(path: &Path) -> Option<Stamp> {
    let data = std::fs::metadata(path).ok()?;
    Some(Stamp {
        inode: data.ino(),
        bytes: data.size(),
        modified: (data.mtime(), data.mtime_nsec()),
        changed: (data.ctime(), data.ctime_nsec()),
    })
}

/// The file beside a list that allows one shrunk list, by its SHA-256.
fn force_path(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".force");
    name.into()
}

/// Whether the file beside the list names this digest, as `sha256sum` writes it.
fn is_forced(path: &Path, sha256: &[u8; 32]) -> bool {
    let Ok(file) = std::fs::File::open(force_path(path)) else { return false };
    let mut text = String::new();
    let read = file.take(FORCE_BYTES_MAX).read_to_string(&mut text);
    let named = text.split_whitespace().next().unwrap_or_default();
    read.is_ok() && named.eq_ignore_ascii_case(&hex::encode(sha256))
}

#[cfg(test)]
mod tests;
