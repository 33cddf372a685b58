//! A copy of a log goes on as another log: whoever followed the first one must notice.

use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::delivery::Head;
use crate::error::OpenError;
use crate::plan::Plan;
use crate::recovery::{self, Opened};
use crate::stub::Facts;
use crate::upkeep::{Act, Change};

/// What became of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Renewed {
    /// Its id until now.
    pub before: Uuid,
    /// Its id from now on.
    pub log_id: Uuid,
    /// Its last record: the decision that says so.
    pub head: Head,
}

/// Why a log was not renewed. Its id is the old one.
#[derive(Debug, thiserror::Error)]
pub enum RenewError {
    /// It could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// It could not be written.
    #[error("the evidence log in {path} could not be written: {what}. Check the disk and run it again")]
    Write {
        /// The log's folder.
        path: PathBuf,
        /// What the engine said.
        what: String,
    },
}

/// Gives a restored log a new id, so that no ledger goes on reading it where another log ended. Offline: the folder
/// must not be in use. A decision in the log names both ids. Blocks.
///
/// # Errors
/// When the folder is locked, cannot be used, is damaged, or was written by a later release.
pub fn renew(path: &Path, facts: Facts) -> Result<Renewed, RenewError> {
    let Opened { engine, log_id: before, state } = recovery::open(path)?;
    let change = Change { log_id: Uuid::now_v7(), facts, act: Act::Renew(before) };
    let written = || {
        let mut plan = Plan::begin(&engine, state, 1, std::iter::empty())?;
        change.plan(&mut plan)?;
        let (batch, state) = plan.finish()?;
        engine.write_synced(batch)?;
        Ok(state.head)
    };
    let head =
        written().map_err(|fault: crate::engine::Fault| RenewError::Write { path: path.to_owned(), what: fault.0 })?;
    Ok(Renewed { before, log_id: change.log_id, head })
}
