//! The Merkle tree of RFC 6962 over the records, and its proofs. Pure: no disk, no clock.
//!
//! Hash of a leaf: `SHA-256(0x00 ‖ leaf)`; of a node: `SHA-256(0x01 ‖ left ‖ right)`; of no leaves: `SHA-256("")`. The
//! first byte keeps a node from ever passing for a leaf. The left side of a node always holds the largest power of two
//! that is smaller than the whole, so the tree of `n` leaves is a run of complete subtrees, at most 64 of them, and a
//! [`Range`] of those is all that is needed to go on.
//!
//! Proofs ask for complete subtrees by level and index and never for the tree, so whoever holds them decides what is
//! kept and what is computed. Verifiers follow RFC 9162, sections 2.1.3.2 and 2.1.4.2; they take nothing on trust but
//! the roots.

use sha2::{Digest, Sha256};

/// A hash of the tree.
pub type Hash = [u8; 32];

/// Nodes of the longest proof: a path through 64 levels, and one more for consistency.
pub const PROOF_HASHES_MAX: usize = 65;

/// The hash of a leaf.
#[must_use]
pub fn leaf(data: &[u8]) -> Hash {
    Sha256::new().chain_update([0]).chain_update(data).finalize().into()
}

/// The hash of a node.
#[must_use]
pub fn node(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

/// The root of the first leaves, extended one leaf or one complete subtree at a time: its peaks, largest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Range {
    size: u64,
    peaks: Vec<(u32, Hash)>,
}

impl Range {
    /// How many leaves it covers.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds one leaf.
    ///
    /// # Errors
    /// When the numbers are used up.
    pub fn push(&mut self, leaf: Hash) -> Result<(), Misplaced> {
        self.push_subtree(0, leaf)
    }

    /// Adds a complete subtree of `2^level` leaves.
    ///
    /// # Errors
    /// When the leaves so far are no multiple of its size, or the numbers are used up; nothing is added then.
    pub fn push_subtree(&mut self, level: u32, hash: Hash) -> Result<(), Misplaced> {
        let misplaced = Misplaced { size: self.size, level };
        let width = 1_u64.checked_shl(level).ok_or(misplaced)?;
        if !self.size.is_multiple_of(width) {
            return Err(misplaced);
        }
        self.size = self.size.checked_add(width).ok_or(misplaced)?;
        let (mut level, mut hash) = (level, hash);
        while let Some((_, left)) = self.peaks.pop_if(|(peak, _)| *peak == level) {
            hash = node(&left, &hash);
            level = level.saturating_add(1);
        }
        self.peaks.push((level, hash));
        Ok(())
    }

    /// The root of what it covers.
    #[must_use]
    pub fn root(&self) -> Hash {
        let from_the_right = self.peaks.iter().rev().map(|(_, hash)| *hash);
        from_the_right.reduce(|right, left| node(&left, &right)).unwrap_or_else(|| Sha256::digest([]).into())
    }
}

/// A subtree does not follow the leaves before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a subtree of level {level} cannot follow {size} leaves")]
pub struct Misplaced {
    /// The leaves before it.
    pub size: u64,
    /// Its level.
    pub level: u32,
}

/// The path from leaf `index` to the root of `size` leaves, leaf first. `subtree` answers the hash of the complete
/// subtree `(level, index)`, which covers the leaves from `index << level`. `None` when there is no such leaf.
///
/// # Errors
/// What `subtree` answers.
pub fn inclusion<E>(
    index: u64,
    size: u64,
    subtree: &mut impl FnMut(u32, u64) -> Result<Hash, E>,
) -> Result<Option<Vec<Hash>>, E> {
    if size <= index {
        return Ok(None);
    }
    let mut path = Vec::new();
    let (mut begin, mut end) = (0, size);
    while let Some(middle) = split(begin, end) {
        if index < middle {
            path.push(span(middle, end, subtree)?);
            end = middle;
        } else {
            path.push(span(begin, middle, subtree)?);
            begin = middle;
        }
    }
    path.reverse();
    Ok(Some(path))
}

/// The proof that the tree of `new` leaves begins with the tree of `old` leaves. `None` unless `0 < old <= new`: every
/// tree begins with the empty one, and that needs no proof.
///
/// # Errors
/// What `subtree` answers.
pub fn consistency<E>(
    old: u64,
    new: u64,
    subtree: &mut impl FnMut(u32, u64) -> Result<Hash, E>,
) -> Result<Option<Vec<Hash>>, E> {
    if old == 0 || new < old {
        return Ok(None);
    }
    let mut path = Vec::new();
    let (mut begin, mut end) = (0, new);
    while let Some(middle) = split(begin, end).filter(|_| end != old) {
        if old <= middle {
            path.push(span(middle, end, subtree)?);
            end = middle;
        } else {
            path.push(span(begin, middle, subtree)?);
            begin = middle;
        }
    }
    // What is left is the last part of the old tree; whoever checks holds it already when it is all of it.
    if begin != 0 {
        path.push(span(begin, end, subtree)?);
    }
    path.reverse();
    Ok(Some(path))
}

/// The largest power of two below the length, from `begin`; none for a single leaf.
fn split(begin: u64, end: u64) -> Option<u64> {
    let last = end.checked_sub(begin)?.checked_sub(1)?;
    Some(begin.saturating_add(1_u64.checked_shl(last.checked_ilog2()?)?))
}

/// The hash over the leaves `begin..end`, a node of a tree: a run of complete subtrees, each smaller than the one
/// before.
fn span<E>(begin: u64, end: u64, subtree: &mut impl FnMut(u32, u64) -> Result<Hash, E>) -> Result<Hash, E> {
    let mut range = Range::default();
    let mut at = begin;
    while let Some(level) = end.checked_sub(at).and_then(u64::checked_ilog2) {
        range.peaks.push((level, subtree(level, at >> level)?));
        at = at.saturating_add(1 << level);
    }
    Ok(range.root())
}

/// Whether `leaf` is leaf `index` of the tree of `size` leaves with that root.
#[must_use]
pub fn verify_inclusion(leaf: &Hash, index: u64, size: u64, path: &[Hash], root: &Hash) -> bool {
    let Some(mut last) = size.checked_sub(1).filter(|last| index <= *last) else {
        return false;
    };
    let mut index = index;
    let mut hash = *leaf;
    for sibling in path {
        if last == 0 {
            return false;
        }
        if index & 1 == 1 || index == last {
            hash = node(sibling, &hash);
            while index & 1 == 0 && index != 0 {
                index >>= 1;
                last >>= 1;
            }
        } else {
            hash = node(&hash, sibling);
        }
        index >>= 1;
        last >>= 1;
    }
    last == 0 && hash == *root
}

/// Whether the tree of `new` leaves begins with the tree of `old` leaves. Every tree begins with the empty one.
#[must_use]
pub fn verify_consistency(old: u64, new: u64, path: &[Hash], old_root: &Hash, new_root: &Hash) -> bool {
    if old == 0 {
        return path.is_empty() && *old_root == Range::default().root();
    }
    if new <= old {
        return new == old && path.is_empty() && old_root == new_root;
    }
    let (mut index, mut last) = (old.saturating_sub(1), new.saturating_sub(1));
    let ones = index.trailing_ones();
    (index, last) = (index.checked_shr(ones).unwrap_or(0), last.checked_shr(ones).unwrap_or(0));
    let mut siblings = path.iter();
    // A complete old tree is the first node itself, and is not sent.
    let first = if old.is_power_of_two() { Some(old_root) } else { siblings.next() };
    let Some(first) = first else {
        return false;
    };
    let (mut old_hash, mut new_hash) = (*first, *first);
    for sibling in siblings {
        if last == 0 {
            return false;
        }
        if index & 1 == 1 || index == last {
            old_hash = node(sibling, &old_hash);
            new_hash = node(sibling, &new_hash);
            while index & 1 == 0 && index != 0 {
                index >>= 1;
                last >>= 1;
            }
        } else {
            new_hash = node(&new_hash, sibling);
        }
        index >>= 1;
        last >>= 1;
    }
    last == 0 && old_hash == *old_root && new_hash == *new_root
}

#[cfg(test)]
mod tests;
