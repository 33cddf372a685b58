//! Free space under the log: looked at before the log is touched, so that a full disk is a refusal and not a failed
//! write (which would poison).

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How long one look at the disk is believed. At 100 MB a second this overshoots the reserve by 10 MB.
const BELIEVED: Duration = Duration::from_millis(100);

/// The reserve and the last look at the disk.
#[derive(Debug)]
pub(crate) struct Space {
    path: PathBuf,
    reserve: u64,
    last: Mutex<Option<(Instant, Option<u64>)>>,
}

/// Less is free than is kept in reserve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BelowReserve {
    pub(crate) free: u64,
    pub(crate) reserve: u64,
}

impl Space {
    pub(crate) fn new(path: &Path, reserve: u64) -> Self {
        Self { path: path.to_owned(), reserve, last: Mutex::new(None) }
    }

    /// Whether the reserve is free. A disk that does not say counts as full: what cannot be known is not a yes.
    pub(crate) fn check(&self) -> Result<(), BelowReserve> {
        if self.reserve == 0 {
            return Ok(());
        }
        match self.free() {
            Some(free) if self.reserve <= free => Ok(()),
            free => Err(BelowReserve { free: free.unwrap_or(0), reserve: self.reserve }),
        }
    }

    /// Free bytes for this user, at most [`BELIEVED`] old; `None` when the disk does not say.
    pub(crate) fn free(&self) -> Option<u64> {
        let mut last = self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match *last {
            Some((when, free)) if when.elapsed() < BELIEVED => free,
            _ => {
                let free = look(&self.path);
                *last = Some((Instant::now(), free));
                free
            }
        }
    }
}

fn look(path: &Path) -> Option<u64> {
    match rustix::fs::statvfs(path) {
        Ok(disk) => Some(disk.f_bavail.saturating_mul(disk.f_frsize)),
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "cannot read the free space of the evidence log's disk");
            None
        }
    }
}

/// Bytes of all files under a folder; files that go away meanwhile do not count.
pub(crate) fn folder_bytes(folder: &Path) -> Option<u64> {
    let mut bytes: u64 = 0;
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).ok()? {
            let entry = entry.ok()?;
            match entry.metadata() {
                Ok(facts) if facts.is_dir() => folders.push(entry.path()),
                Ok(facts) => bytes = bytes.saturating_add(facts.len()),
                Err(_) => {}
            }
        }
    }
    Some(bytes)
}
