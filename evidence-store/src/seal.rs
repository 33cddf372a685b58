//! The tree over the records: what of it is stored, how it grows, and the proofs made from it.
//!
//! Leaf `seq - 1` is a record's kind (1 delivery, 2 decision; a stub counts as the delivery it was) followed by its link.
//! So erasing and pruning change no leaf. Of every 256 leaves the root is stored, a tile; everything above is computed
//! from the tiles, everything below from the records. Tiles are derived: whoever doubts one computes it again.

use std::collections::HashMap;

use bytes::Bytes;
use rocksdb::{Direction, IteratorMode};

use crate::check::{self, damaged};
use crate::checkpoint::{Checkpoint, Signed};
use crate::delivery::{Entry, Head, Record};
use crate::engine::{Engine, Fault};
use crate::envelope::Kind;
use crate::error::ReadError;
use crate::keys;
use crate::link::{GENESIS, Link};
use crate::merkle::{self, Hash, Range};
use crate::note::Note;
use crate::reader;

/// Leaves under one tile.
pub(crate) const TILE_LEAVES: u64 = 256;
const TILE_LEVEL: u32 = 8;

/// The leaf of a record, by what it was at first.
pub(crate) fn leaf(kind: Kind, link: &Link) -> Hash {
    let kind = if kind == Kind::Stub { Kind::Delivery } else { kind };
    merkle::leaf(&[&[kind.byte()], &link[..]].concat())
}

/// The leaf of a record that was read.
pub(crate) fn leaf_of(record: &Record) -> Hash {
    let kind = match record.entry {
        Entry::Delivery(_) => Kind::Delivery,
        Entry::Stub(_) => Kind::Stub,
        Entry::Decision(_) => Kind::Decision,
    };
    leaf(kind, &record.link)
}

/// The tree of the first records, as it grows.
#[derive(Debug, Clone)]
pub(crate) struct Tree {
    whole: Range,
    /// The leaves after the last whole tile.
    rest: Range,
    /// The link of the last record.
    pub(crate) link: Link,
}

impl Tree {
    /// Of no records.
    pub(crate) fn empty() -> Self {
        Self { whole: Range::default(), rest: Range::default(), link: GENESIS }
    }

    /// Of the first `size` records: the stored tiles, and the records after the last whole one.
    pub(crate) fn load(engine: &Engine, head: Head, size: u64) -> Result<Self, ReadError> {
        let whole = size.checked_div(TILE_LEAVES).unwrap_or(0);
        let mut tree = Self::empty();
        for (index, tile) in (0_u64..).zip(tiles(engine, whole)?) {
            tree.whole.push_subtree(TILE_LEVEL, tile).map_err(|error| damaged(index, error))?;
        }
        let from = whole.saturating_mul(TILE_LEAVES);
        tree.link = required_link(engine, head, from)?;
        for seq in from.saturating_add(1)..=size {
            let (leaf, link) = stored_leaf(engine, head, seq)?;
            tree.push(leaf, link).map_err(|error| damaged(seq, error))?;
        }
        Ok(tree)
    }

    /// How many records it covers.
    pub(crate) fn size(&self) -> u64 {
        self.whole.size()
    }

    /// Its root.
    pub(crate) fn root(&self) -> Hash {
        self.whole.root()
    }

    /// Adds the next record's leaf; the tile that it completes.
    pub(crate) fn push(&mut self, leaf: Hash, link: Link) -> Result<Option<(u64, Hash)>, merkle::Misplaced> {
        self.whole.push(leaf)?;
        self.rest.push(leaf)?;
        self.link = link;
        if self.rest.size() < TILE_LEAVES {
            return Ok(None);
        }
        let root = std::mem::take(&mut self.rest).root();
        Ok(self.whole.size().checked_div(TILE_LEAVES).and_then(|tiles| tiles.checked_sub(1)).map(|index| (index, root)))
    }
}

/// The first `count` tiles.
fn tiles(engine: &Engine, count: u64) -> Result<Vec<Hash>, ReadError> {
    let mut tiles = Vec::new();
    if count == 0 {
        return Ok(tiles);
    }
    let from = 0_u64.to_be_bytes();
    let stored = engine.db().iterator_cf(engine.family(keys::TILES)?, IteratorMode::From(&from, Direction::Forward));
    for (index, entry) in (0..count).zip(stored) {
        let (key, value) = entry.map_err(Fault::from)?;
        match (keys::parse_seq(&key), Hash::try_from(value.as_ref())) {
            (Some(found), Ok(tile)) if found == index => tiles.push(tile),
            _ => return Err(no_tile(index)),
        }
    }
    match u64::try_from(tiles.len()) {
        Ok(found) if found == count => Ok(tiles),
        Ok(found) => Err(no_tile(found)),
        Err(_) => Err(no_tile(count)),
    }
}

/// One stored tile.
pub(crate) fn tile(engine: &Engine, index: u64) -> Result<Option<Hash>, ReadError> {
    let stored = engine.db().get_cf(engine.family(keys::TILES)?, index.to_be_bytes()).map_err(Fault::from)?;
    stored.map(|tile| Hash::try_from(tile.as_slice()).map_err(|_| no_tile(index))).transpose()
}

/// How many tiles are stored, by the last one.
pub(crate) fn tiles_stored(engine: &Engine) -> Result<u64, ReadError> {
    let last = engine.db().iterator_cf(engine.family(keys::TILES)?, IteratorMode::End).next();
    let last = last.transpose().map_err(Fault::from)?;
    Ok(last.and_then(|(key, _)| keys::parse_seq(&key)).map_or(0, |index| index.saturating_add(1)))
}

fn no_tile(index: u64) -> ReadError {
    let first = index.saturating_mul(TILE_LEAVES).saturating_add(1);
    damaged(first, format!("the tile of the tree over it, {index}, is missing or is no hash"))
}

fn required_link(engine: &Engine, head: Head, seq: u64) -> Result<Link, ReadError> {
    reader::link_at(engine, head, seq)?.ok_or_else(|| damaged(seq, "it is missing"))
}

/// The leaf and the link of a stored record; its checksum is checked, its place in the chain is not.
fn stored_leaf(engine: &Engine, head: Head, seq: u64) -> Result<(Hash, Link), ReadError> {
    if head.seq < seq {
        return Err(damaged(seq, "it is missing"));
    }
    let stored = engine
        .db()
        .get_cf(engine.family(keys::RECORDS)?, seq.to_be_bytes())
        .map_err(|error| reader::engine_error(seq, error))?;
    let stored = stored.map(Bytes::from).ok_or_else(|| damaged(seq, "it is missing"))?;
    let (kind, link) = check::place(seq, &stored)?;
    Ok((leaf(kind, &link), link))
}

/// Answers with complete subtrees of the tree over the first `size` records, for proofs.
pub(crate) struct Subtrees<'a> {
    engine: &'a Engine,
    head: Head,
    tiles: Vec<Hash>,
    /// Leaves of the tiles that were looked into.
    leaves: HashMap<u64, Vec<Hash>>,
}

impl<'a> Subtrees<'a> {
    pub(crate) fn new(engine: &'a Engine, head: Head, size: u64) -> Result<Self, ReadError> {
        let tiles = tiles(engine, size.checked_div(TILE_LEAVES).unwrap_or(0))?;
        Ok(Self { engine, head, tiles, leaves: HashMap::new() })
    }

    pub(crate) fn get(&mut self, level: u32, index: u64) -> Result<Hash, ReadError> {
        let first = index.checked_shl(level).unwrap_or(u64::MAX);
        let tile = first.checked_div(TILE_LEAVES).unwrap_or(0);
        let missing = || damaged(first.saturating_add(1), "the tree over it is not stored");
        let (nodes, from, width) = match level.checked_sub(TILE_LEVEL) {
            Some(above) => (&self.tiles, tile, 1_u64.checked_shl(above)),
            None => {
                if !self.leaves.contains_key(&tile) {
                    let leaves = self.read(tile)?;
                    self.leaves.insert(tile, leaves);
                }
                let leaves = self.leaves.get(&tile).ok_or_else(missing)?;
                (leaves, first.checked_rem(TILE_LEAVES).unwrap_or(0), 1_u64.checked_shl(level))
            }
        };
        let until = width.and_then(|width| from.checked_add(width)).ok_or_else(missing)?;
        let (Ok(from), Ok(until)) = (usize::try_from(from), usize::try_from(until)) else { return Err(missing()) };
        let mut range = Range::default();
        for node in nodes.get(from..until).ok_or_else(missing)? {
            range.push(*node).map_err(|error| damaged(first.saturating_add(1), error))?;
        }
        Ok(range.root())
    }

    fn read(&self, tile: u64) -> Result<Vec<Hash>, ReadError> {
        let before = tile.saturating_mul(TILE_LEAVES);
        let last = before.saturating_add(TILE_LEAVES).min(self.head.seq);
        let leaves = (before.saturating_add(1)..=last).map(|seq| stored_leaf(self.engine, self.head, seq));
        leaves.map(|leaf| leaf.map(|(hash, _)| hash)).collect()
    }
}

/// A stored checkpoint, as it is written; its signature is not checked.
fn checkpoint(key: &[u8], value: &[u8]) -> Result<Signed, ReadError> {
    let size = keys::parse_seq(key).ok_or_else(|| damaged(0, "a checkpoint has no size"))?;
    let wrong = |what: String| damaged(size, format!("the checkpoint over the records up to it: {what}"));
    let note = Note::parse(value).map_err(|error| wrong(error.to_string()))?;
    let checkpoint = Checkpoint::parse(note.unverified_text()).map_err(|error| wrong(error.to_string()))?;
    if checkpoint.size != size {
        return Err(wrong(format!("it speaks of {} records", checkpoint.size)));
    }
    Ok(Signed { checkpoint, note: note.to_string() })
}

/// The newest stored checkpoint.
pub(crate) fn latest(engine: &Engine) -> Result<Option<Signed>, ReadError> {
    let last = engine.db().iterator_cf(engine.family(keys::CHECKPOINTS)?, IteratorMode::End).next();
    last.transpose().map_err(Fault::from)?.map(|(key, value)| checkpoint(&key, &value)).transpose()
}

/// Stored checkpoints over more than `after` records, smallest first.
pub(crate) fn checkpoints(engine: &Engine, after: u64, limit: usize) -> Result<Vec<Signed>, ReadError> {
    let from = after.saturating_add(1).to_be_bytes();
    let mode = IteratorMode::From(&from, Direction::Forward);
    let stored = engine.db().iterator_cf(engine.family(keys::CHECKPOINTS)?, mode);
    stored
        .take(limit)
        .map(|entry| {
            entry.map_err(Fault::from).map_err(ReadError::from).and_then(|(key, value)| checkpoint(&key, &value))
        })
        .collect()
}

/// Checkpoints that are all kept.
const KEPT: usize = if cfg!(test) { 4 } else { 1000 };

/// The checkpoint that may go when a new one comes: the first that is older than the last [`KEPT`] and of the same hour
/// as the one after it. So the last of each hour stays, and the family grows by less than 10,000 a year.
pub(crate) fn superfluous(engine: &Engine) -> Result<Option<u64>, ReadError> {
    let stored = engine.db().iterator_cf(engine.family(keys::CHECKPOINTS)?, IteratorMode::End);
    let mut older = stored.skip(KEPT.saturating_sub(1)).take(2);
    let mut next = || -> Result<Option<Signed>, ReadError> {
        let entry = older.next().transpose().map_err(Fault::from)?;
        entry.map(|(key, value)| checkpoint(&key, &value)).transpose()
    };
    let (Some(after), Some(before)) = (next()?, next()?) else { return Ok(None) };
    let same = hour(&after).is_some() && hour(&after) == hour(&before);
    Ok(same.then_some(before.checkpoint.size))
}

/// `2026-11-21T03`: RFC 3339 up to the hour.
fn hour(signed: &Signed) -> Option<&str> {
    signed.checkpoint.time.as_deref()?.get(..13)
}

#[cfg(test)]
mod tests;
