//! One deny file over time: what is in force of it, and what was last seen on disk.
//!
//! A change is read at the second look that finds it, so that a list that is being written is left alone, and judged
//! once: the same bytes are not refused again at every look.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::list::{DenyFile, accept_new};
use super::{LoadError, Stamp, force_path, is_forced, read_file, stamp};

/// The file and the one that may force it.
type Stamps = (Option<Stamp>, Option<Stamp>);

/// See the module.
pub(super) struct Watched {
    path: PathBuf,
    accepted: Arc<DenyFile>,
    /// At the last look.
    seen: Stamps,
    /// When its bytes were last judged; none to judge them again.
    judged: Option<Stamps>,
    /// What was said about the file on disk, while it is refused.
    refused: Option<String>,
}

/// What a look came to.
pub(super) enum Look {
    /// Nothing new.
    Same,
    /// Another list is in force.
    Taken,
    /// The file on disk is not taken, and this was not said before.
    Refused(String),
}

impl Watched {
    /// Reads the first list; there is none before it that it could be compared with.
    pub(super) fn open(path: &Path) -> Result<Self, LoadError> {
        let seen = stamps(path);
        let accepted = Arc::new(read_file(path)?);
        Ok(Self { path: path.to_owned(), accepted, seen, judged: Some(seen), refused: None })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What is in force.
    pub(super) fn accepted(&self) -> &Arc<DenyFile> {
        &self.accepted
    }

    /// Whether the file on disk is another than the one in force.
    pub(super) fn is_refused(&self) -> bool {
        self.refused.is_some()
    }

    /// One look.
    pub(super) fn look(&mut self) -> Look {
        let now = stamps(&self.path);
        if now != self.seen {
            self.seen = now;
            return Look::Same;
        }
        if self.judged == Some(now) {
            return Look::Same;
        }
        let read = read_file(&self.path);
        if stamps(&self.path) != now {
            return Look::Same;
        }
        // What could not be read may be readable next time, without any change of the file.
        self.judged = if matches!(read, Err(LoadError::Read { .. })) { None } else { Some(now) };
        match read.map_err(|error| error.to_string()).and_then(|new| self.accept(new)) {
            Ok(()) => {
                self.refused = None;
                Look::Taken
            }
            Err(why) if self.refused.as_ref() == Some(&why) => Look::Same,
            Err(why) => {
                self.refused = Some(why.clone());
                Look::Refused(why)
            }
        }
    }

    fn accept(&mut self, new: DenyFile) -> Result<(), String> {
        let forced = is_forced(&self.path, &new.sha256);
        accept_new(&self.accepted, &new, forced).map_err(|refused| refused.to_string())?;
        self.accepted = Arc::new(new);
        Ok(())
    }
}

fn stamps(path: &Path) -> Stamps {
    (stamp(path), stamp(&force_path(path)))
}
