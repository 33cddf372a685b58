//! What the nodes' answers about a stretch of blocks are worth. Pure.
//!
//! A stretch counts when enough nodes answered it whose final blocks cover it, on the chain that the cursor stands on and
//! with the same block at its end. What any of those saw is taken: a node may miss a log, and what one makes up is found
//! out when it is verified. A node that is behind says nothing, however empty its answer is.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::B256;

use crate::chain::PlacedLog;
use crate::verify::quorum::Policy;

/// What one node said about a stretch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Configured name.
    pub node: String,
    /// Who runs it.
    pub owner: String,
    /// How far its word counts.
    pub covers: Option<u64>,
    /// Its block at the cursor.
    pub at_cursor: Option<B256>,
    /// Its block at the end of the stretch.
    pub at_end: Option<B256>,
    /// Its logs; none when it did not answer every filter.
    pub logs: Option<Vec<PlacedLog>>,
}

/// What it comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Swept {
    /// It counts.
    Counted {
        /// The block at its end.
        end: B256,
        /// Every log that one of the nodes has, once, in the order of blocks.
        logs: Vec<PlacedLog>,
        /// Those nodes.
        nodes: BTreeSet<String>,
    },
    /// Enough nodes have another block where the cursor stands.
    Replaced,
    /// Enough nodes have the blocks, and too few of them gave their logs: fewer blocks at once may do.
    TooMuch,
    /// Too few nodes have the blocks.
    TooFew,
}

/// Judges a stretch that ends at a height.
#[must_use]
pub fn judge(policy: Policy, (cursor, hash): (u64, B256), end: u64, said: Vec<Said>) -> Swept {
    let is_met = |nodes: &[&Said]| policy.is_met_by(nodes.iter().map(|said| said.owner.as_str()));
    let elsewhere: Vec<&Said> = said
        .iter()
        .filter(|said| said.covers.is_some_and(|covers| cursor <= covers))
        .filter(|said| said.at_cursor.is_some_and(|at| at != hash))
        .collect();
    if is_met(&elsewhere) {
        return Swept::Replaced;
    }
    let mut ends: BTreeMap<B256, Vec<&Said>> = BTreeMap::new();
    let here = said.iter().filter(|said| {
        said.covers.is_some_and(|covers| end <= covers && cursor <= covers) && said.at_cursor == Some(hash)
    });
    for one in here {
        if let Some(at_end) = one.at_end {
            ends.entry(at_end).or_default().push(one);
        }
    }
    // Two blocks cannot both be enough nodes' final one; should they ever, nothing is said.
    let mut enough = ends.into_iter().filter(|(_, nodes)| is_met(nodes));
    let (Some((end, nodes)), None) = (enough.next(), enough.next()) else { return Swept::TooFew };
    let answered: Vec<&Said> = nodes.into_iter().filter(|said| said.logs.is_some()).collect();
    if !is_met(&answered) {
        return Swept::TooMuch;
    }
    let nodes = answered.iter().map(|said| said.node.clone()).collect();
    let key = |placed: &PlacedLog| {
        let log = placed.log.clone();
        (placed.block_number, placed.block_hash, placed.tx_hash, log.address, log.topics, log.data)
    };
    let logs = answered.iter().flat_map(|said| said.logs.iter().flatten());
    let once: BTreeMap<_, PlacedLog> = logs.map(|placed| (key(placed), placed.clone())).collect();
    Swept::Counted { end, logs: once.into_values().collect(), nodes }
}

#[cfg(test)]
mod tests;
