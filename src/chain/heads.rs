//! The newest blocks of one node, by hash: which block is at a height, and when that changed.
//!
//! Pure; a ring of contiguous blocks. A block is attached only to its own parent, so whatever a node replaced shows as a
//! parent that does not fit. It must never guess across a gap: what was not seen is not known.

use std::collections::VecDeque;

use alloy_primitives::B256;

use super::Header;

/// The newest blocks of one node, the last one being its head.
#[derive(Debug, Clone)]
pub struct Ring {
    /// Most blocks remembered.
    window: usize,
    blocks: VecDeque<Header>,
    /// Headers between the ring and the newest head, whose parents are still being asked for; newest first.
    pending: Vec<Header>,
}

/// What a header made of the ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It is known already.
    Known,
    /// It goes on from the last one.
    Grown,
    /// Blocks from this height on were replaced.
    Lost {
        /// The lowest height that has another block now.
        from: u64,
    },
    /// Its parent has to be seen first: hand it to [`Ring::see`] next.
    NeedsParent {
        /// The parent's hash.
        hash: B256,
    },
    /// The ring begins anew with it: it lies too far ahead, or every remembered block was replaced.
    Anew(Why),
}

/// Why a ring begins anew. Nothing is known then of what was before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It was empty, or the head lies too far ahead: what is between was not seen.
    Far,
    /// Everything it remembered was replaced, and it had not seen much yet.
    Lost,
    /// Everything it remembered was replaced, a whole window of blocks.
    Deep,
}

/// Headers asked for one after the other to close a gap to the head; a larger gap begins the ring anew. What stands in
/// the gap is asked for by itself when it matters.
const GAP_MAX: u64 = 16;

impl Ring {
    /// An empty ring that remembers so many blocks, at least one.
    #[must_use]
    pub fn new(window: usize) -> Self {
        Self { window: window.max(1), blocks: VecDeque::new(), pending: Vec::new() }
    }

    /// The newest block.
    #[must_use]
    pub fn head(&self) -> Option<&Header> {
        self.blocks.back()
    }

    /// The block at a height, as far as the ring reaches.
    #[must_use]
    pub fn at(&self, number: u64) -> Option<&Header> {
        let first = self.blocks.front()?.number;
        self.blocks.get(usize::try_from(number.checked_sub(first)?).ok()?)
    }

    /// Takes in the newest header of the node, or the parent that was asked for.
    pub fn see(&mut self, header: &Header) -> Step {
        if self.pending.last().is_some_and(|child| child.parent != header.hash) {
            // Not the parent that was asked for: the node has moved on meanwhile.
            self.pending.clear();
        }
        let Some(head) = self.blocks.back().copied() else {
            return self.begin_with(header, Why::Far);
        };
        let oldest = self.blocks.front().map_or(0, |first| first.number);
        // A machine behind the same address that lags says nothing new.
        let is_behind = header.number < oldest;
        if self.pending.is_empty()
            && (is_behind || self.at(header.number).is_some_and(|known| known.hash == header.hash))
        {
            return Step::Known;
        }
        let lost = if self.window <= self.blocks.len() { Why::Deep } else { Why::Lost };
        let Some(parent) = header.number.checked_sub(1) else {
            return self.begin_with(header, lost);
        };
        if self.at(parent).is_some_and(|known| known.hash == header.parent) {
            return self.attach(header, head.number);
        }
        let is_far = head.number.saturating_add(GAP_MAX) < parent;
        if is_far || parent < oldest {
            let newest = self.pending.first().copied().unwrap_or(*header);
            return self.begin_with(&newest, if is_far { Why::Far } else { lost });
        }
        self.pending.push(*header);
        Step::NeedsParent { hash: header.parent }
    }

    fn attach(&mut self, header: &Header, head: u64) -> Step {
        while self.blocks.back().is_some_and(|last| header.number <= last.number) {
            self.blocks.pop_back();
        }
        self.blocks.push_back(*header);
        while let Some(child) = self.pending.pop() {
            self.blocks.push_back(child);
        }
        while self.window < self.blocks.len() {
            self.blocks.pop_front();
        }
        if header.number <= head { Step::Lost { from: header.number } } else { Step::Grown }
    }

    fn begin_with(&mut self, header: &Header, why: Why) -> Step {
        self.pending.clear();
        self.blocks.clear();
        self.blocks.push_back(*header);
        Step::Anew(why)
    }
}

#[cfg(test)]
mod tests;
