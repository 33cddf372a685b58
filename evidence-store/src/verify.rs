//! Verifying what is stored, all of it or a range: the chain, every digest, the indexes, stubs against the decisions that
//! name them, the tiles, and every checkpoint. Reads only, changes nothing, and stops at the first thing that is wrong.
//!
//! What it proves alone: the log is whole and is what its own checkpoints say. Whoever can write the folder and has the key
//! can make another such log; only a checkpoint that was kept elsewhere tells it from the first one.

use std::ops::ControlFlow;

use uuid::Uuid;

use crate::checkpoint::Signed;
use crate::delivery::Counts;
use crate::error::ReadError;
use crate::note::VerifierKey;
use crate::store::Store;

mod diagnose;
mod indexes;
mod walk;

/// What to verify.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// The first record; 0 and 1 are the same.
    pub from: u64,
    /// The last record; the head when none is given.
    pub to: Option<u64>,
    /// Whose signatures the stored checkpoints carry; without it they are not checked.
    pub key: Option<VerifierKey>,
    /// A checkpoint that was kept elsewhere, its signature already checked.
    pub outside: Option<Signed>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The log.
    pub log_id: Uuid,
    /// The first record of the range.
    pub from: u64,
    /// The last record of the range.
    pub to: u64,
    /// The last record that was found right; `from - 1` when none was.
    pub verified_to: u64,
    /// Records found right, by kind.
    pub counts: Counts,
    /// Tiles of the tree that were computed again and are right.
    pub tiles: u64,
    /// Stored checkpoints whose root is that of the records.
    pub checkpoints: u64,
    /// Of these, those whose signature was checked and is the key's.
    pub signatures: u64,
    /// Records that the checkpoint from elsewhere covers, when the log still begins with them.
    pub outside: Option<u64>,
    /// The first thing that is wrong.
    pub finding: Option<Finding>,
    /// It was stopped before its end.
    pub cancelled: bool,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The record, or the first one that it concerns.
    pub seq: u64,
    /// The delivery, where it can be told.
    pub delivery_id: Option<Uuid>,
    /// What kind of thing.
    pub wrong: Wrong,
    /// In words.
    pub detail: String,
}

/// What can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// A body is not what was stored.
    BodyChanged,
    /// What is known of a request, or another part of its record, is not what was stored.
    MetaChanged,
    /// The engine cannot read it: its own checksums say so.
    Unreadable,
    /// It is not there.
    Missing,
    /// It is in another's place.
    Reordered,
    /// It does not follow from the record before it.
    ChainBroken,
    /// A later release wrote it.
    Newer,
    /// An index leads elsewhere, or nowhere.
    Index,
    /// No decision says that it was removed, or it says something else.
    Stub,
    /// A derived part of the tree; the records are right.
    Tile,
    /// A stored checkpoint cannot be read or was not signed by the key that it names.
    Checkpoint,
    /// There is a checkpoint over more records than there are.
    CutOff,
    /// The records are not those that a checkpoint was signed for.
    Rewritten,
}

impl Wrong {
    /// As written in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BodyChanged => "body_changed",
            Self::MetaChanged => "meta_changed",
            Self::Unreadable => "unreadable",
            Self::Missing => "missing",
            Self::Reordered => "reordered",
            Self::ChainBroken => "chain_broken",
            Self::Newer => "newer",
            Self::Index => "index_wrong",
            Self::Stub => "stub_unaccounted",
            Self::Tile => "tile_wrong",
            Self::Checkpoint => "checkpoint_wrong",
            Self::CutOff => "cut_off",
            Self::Rewritten => "history_rewritten",
        }
    }
}

impl Finding {
    fn new(seq: u64, wrong: Wrong, detail: impl Into<String>) -> Self {
        Self { seq, delivery_id: None, wrong, detail: detail.into() }
    }
}

/// How verifying stops before its end.
enum Halt {
    /// Something is wrong.
    Found(Finding),
    /// The disk does not answer.
    Failed(ReadError),
}

impl From<Finding> for Halt {
    fn from(finding: Finding) -> Self {
        Self::Found(finding)
    }
}

impl From<ReadError> for Halt {
    fn from(error: ReadError) -> Self {
        Self::Failed(error)
    }
}

impl From<crate::engine::Fault> for Halt {
    fn from(fault: crate::engine::Fault) -> Self {
        Self::Failed(fault.into())
    }
}

impl Store {
    /// Verifies what is stored, while the log goes on; what comes later is not looked at. `progress` is called with the
    /// records that are done, again and again; it stops the work by breaking. Blocks.
    ///
    /// # Errors
    /// When the disk does not answer. What is wrong with what it answers is a [`Finding`].
    pub fn verify(&self, scope: &Scope, progress: &mut dyn FnMut(u64) -> ControlFlow<()>) -> Result<Report, ReadError> {
        walk::run(self, scope, progress)
    }
}

#[cfg(test)]
mod tests;
