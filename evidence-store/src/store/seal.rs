//! Sealing: the tree is brought up to the records, signed, and stored; and what is proved from it.

use std::path::Path;
use std::sync::PoisonError;

use super::Store;
use crate::checkpoint::{Checkpoint, Signed, origin};
use crate::error::{AppendError, ReadError};
use crate::key::{KeyError, SealKey};
use crate::merkle::{self, Hash};
use crate::note::NoteError;
use crate::seal::{self, Subtrees, Tree};
use crate::stub::Facts;
use crate::upkeep::{Act, SealWrite};

/// Records read at once.
const READ_RECORDS: usize = 1024;
const READ_BYTES: usize = 8 * 1024 * 1024;
/// Records that one call takes into the tree: an upgraded log is taken in over many calls.
const CALL_RECORDS: u64 = if cfg!(test) { 700 } else { 65_536 };

/// What a call of [`Store::seal`] came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sealed {
    /// Nothing was stored since the last checkpoint.
    Current,
    /// There is more than one call takes in: call again.
    Behind {
        /// Records in the tree.
        done: u64,
        /// Records in the log.
        head: u64,
    },
    /// A new checkpoint, stored and fsynced.
    New(Signed),
}

/// Why nothing was sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The log no longer holds what was signed before; nothing else is ever signed over it.
    #[error(
        "the first {size} records are not those that their checkpoint was signed for: nothing was signed. Keep a copy \
         of the folder, run `tollgate evidence verify`, and restore a backup"
    )]
    Differs {
        /// The checkpoint's.
        size: u64,
    },
    /// A record is damaged or the disk does not answer.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The writer did not take it.
    #[error(transparent)]
    Write(#[from] AppendError),
    /// The key or the time do not make a checkpoint.
    #[error(transparent)]
    Note(#[from] NoteError),
}

impl Store {
    /// The key that signs this log's checkpoints; made when the log has none yet. Blocks.
    ///
    /// # Errors
    /// When others can read it, it is no key, or it is gone although it signed checkpoints of this log.
    pub fn seal_key(&self, path: &Path) -> Result<SealKey, KeyError> {
        match SealKey::read(path) {
            Err(KeyError::Missing { path }) => match self.latest_checkpoint() {
                Ok(None) => SealKey::read_or_make(&path),
                Ok(Some(last)) if last.checkpoint.origin != origin(self.log_id()) => SealKey::read_or_make(&path),
                Ok(Some(_)) | Err(_) => Err(KeyError::Lost { path }),
            },
            read => read,
        }
    }

    /// Takes what was stored since into the tree, verifying every record again as it lies on disk, and signs a
    /// checkpoint when the log grew. `time` is RFC 3339. Answers after the fsync of the checkpoint. Blocks.
    ///
    /// # Errors
    /// When a record is damaged, or the log no longer is what was signed before: then nothing is signed.
    pub fn seal(&self, key: &SealKey, time: &str) -> Result<Sealed, SealError> {
        let mut kept = self.0.tree.lock().unwrap_or_else(PoisonError::into_inner);
        // Put back only when all went well; else the next call begins with what is stored.
        let (mut tree, signed) = match kept.take() {
            Some(tree) => tree,
            None => self.stored_tree()?,
        };
        let head = self.head();
        let until = head.seq.min(tree.size().saturating_add(CALL_RECORDS));
        let mut tiles = Vec::new();
        while tree.size() < until {
            for record in self.read_after(tree.size(), READ_RECORDS, READ_BYTES)? {
                if until < record.seq {
                    break;
                }
                let leaf = seal::leaf_of(&record);
                let tile = tree.push(leaf, record.link);
                tiles.extend(tile.map_err(|error| ReadError::Engine(error.to_string()))?);
            }
        }
        let mut write = SealWrite { tiles, note: None, drop: None };
        if tree.size() < head.seq {
            self.write_seal(write)?;
            let done = tree.size();
            *kept = Some((tree, signed));
            return Ok(Sealed::Behind { done, head: head.seq });
        }
        if tree.size() == signed {
            *kept = Some((tree, signed));
            return Ok(Sealed::Current);
        }
        let checkpoint = Checkpoint {
            origin: origin(self.log_id()),
            size: tree.size(),
            root: tree.root(),
            time: Some(time.to_owned()),
            link: Some(tree.link),
        };
        let new = checkpoint.sign(key)?;
        write.note = Some((checkpoint.size, new.note.clone()));
        write.drop = seal::superfluous(&self.0.engine)?;
        self.write_seal(write)?;
        *kept = Some((tree, checkpoint.size));
        Ok(Sealed::New(new))
    }

    /// The newest checkpoint, as stored. Blocks.
    ///
    /// # Errors
    /// When it is damaged or the disk does not answer.
    pub fn latest_checkpoint(&self) -> Result<Option<Signed>, ReadError> {
        seal::latest(&self.0.engine)
    }

    /// Stored checkpoints over more than `after` records, smallest first: the last 1000, and of those before the last of
    /// each hour. Blocks.
    ///
    /// # Errors
    /// As [`Store::latest_checkpoint`].
    pub fn checkpoints(&self, after: u64, limit: usize) -> Result<Vec<Signed>, ReadError> {
        seal::checkpoints(&self.0.engine, after, limit)
    }

    /// Proofs that records are in the tree over the first `size`, which a checkpoint covers; one for each, in order.
    /// Blocks.
    ///
    /// # Errors
    /// When a record is not among them or is damaged, or the tree does not reach that far.
    pub fn prove(&self, seqs: &[u64], size: u64) -> Result<Vec<Vec<Hash>>, ReadError> {
        let mut subtrees = Subtrees::new(&self.0.engine, self.head(), size)?;
        let missing = |seq: u64| ReadError::Damaged { seq, what: format!("it is not among the first {size}") };
        let prove = |seq: &u64| {
            let index = seq.checked_sub(1).ok_or_else(|| missing(*seq))?;
            merkle::inclusion(index, size, &mut |level, index| subtrees.get(level, index))?.ok_or_else(|| missing(*seq))
        };
        seqs.iter().map(prove).collect()
    }

    /// The proof that the tree over the first `new` records begins with the tree over the first `old`; none unless `0 <
    /// old <= new`. Blocks.
    ///
    /// # Errors
    /// As [`Store::prove`].
    pub fn consistency(&self, old: u64, new: u64) -> Result<Option<Vec<Hash>>, ReadError> {
        let mut subtrees = Subtrees::new(&self.0.engine, self.head(), new)?;
        merkle::consistency(old, new, &mut |level, index| subtrees.get(level, index))
    }

    /// The root over the first `size` records, which the tree covers; none beyond the head. Blocks.
    ///
    /// # Errors
    /// As [`Store::prove`].
    pub fn root_at(&self, size: u64) -> Result<Option<Hash>, ReadError> {
        let head = self.head();
        if head.seq < size {
            return Ok(None);
        }
        Tree::load(&self.0.engine, head, size).map(|tree| Some(tree.root()))
    }

    /// The tree as far as it is stored, and the size of the last checkpoint. It must still be what was signed.
    fn stored_tree(&self) -> Result<(Tree, u64), SealError> {
        let (engine, head) = (&self.0.engine, self.head());
        let Some(Signed { checkpoint: last, .. }) = seal::latest(engine)? else {
            let tiled = seal::tiles_stored(engine)?.saturating_mul(seal::TILE_LEAVES);
            return Ok((Tree::load(engine, head, tiled)?, 0));
        };
        if head.seq < last.size {
            return Err(SealError::Differs { size: last.size });
        }
        let tree = Tree::load(engine, head, last.size)?;
        if tree.root() != last.root || last.link.is_some_and(|link| link != tree.link) {
            return Err(SealError::Differs { size: last.size });
        }
        Ok((tree, last.size))
    }

    fn write_seal(&self, write: SealWrite) -> Result<(), AppendError> {
        let nobody = Facts { at_us: 0, by: String::new(), reason: String::new() };
        self.change(nobody, Act::Seal(write)).map(drop)
    }
}
