//! How long to wait before a payment may be called verified.
//!
//! A policy is a ladder of tiers by dollar value. Both conditions of a tier must hold: the confirmations (head minus
//! inclusion height plus one) and, where it names one, the node's tag having reached the block. What cannot be priced
//! takes the last tier. Nothing in here ever picks a weaker tier because a tag stands still.

use std::collections::BTreeSet;

use alloy_primitives::U256;
use serde::{Deserialize, Serialize};

#[cfg(test)]
mod tests;

/// Micro-dollars in a dollar.
const MICROS: u64 = 1_000_000;

/// The block tag of a node that must have reached the payment's block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tag {
    /// `safe`: on an L2, the batch is on its parent chain. Means different things at different nodes of Ethereum.
    Safe,
    /// `finalized`: not to be undone without the chain's operators stepping in.
    Finalized,
}

/// One rung: what a payment of up to that value waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Tier {
    /// `T0`, `T1`, … in order; shown in messages.
    pub name: String,
    /// Highest value of this tier in whole dollars, inclusive; None for the last.
    pub up_to_usd: Option<u64>,
    /// Blocks from the payment's to the head, both counted: 1 is the head itself. At least 1.
    pub confirmations: u64,
    /// Tag that must have reached the payment's block as well.
    pub tag: Option<Tag>,
}

/// The tiers of a chain, ascending; the last one has no upper bound.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FinalityPolicy {
    bounded: Vec<Tier>,
    last: Tier,
}

/// What a payment waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// Blocks from its own to the head, both counted.
    Confirmations {
        /// More than this is waited for.
        above: u64,
        /// And this at most.
        up_to: u64,
    },
    /// A tag on its block.
    Tag(Tag),
}

impl FinalityPolicy {
    /// From checked parts: `bounded` strictly ascending by `up_to_usd`, `last` without one.
    pub(crate) fn new(bounded: Vec<Tier>, last: Tier) -> Self {
        Self { bounded, last }
    }

    /// The tier for a value in micro-dollars; the last for what has no price.
    #[must_use]
    pub fn tier(&self, value_usd_micros: Option<U256>) -> &Tier {
        let Some(value) = value_usd_micros else { return &self.last };
        let reaches = |tier: &&Tier| {
            tier.up_to_usd.is_none_or(|dollars| value <= U256::from(dollars).saturating_mul(U256::from(MICROS)))
        };
        self.bounded.iter().find(reaches).unwrap_or(&self.last)
    }

    /// All tiers, weakest first; never empty.
    pub fn tiers(&self) -> impl Iterator<Item = &Tier> {
        self.bounded.iter().chain(std::iter::once(&self.last))
    }

    /// What payments may wait for under this policy, or under a weaker one before it, and some of them need not under
    /// another one.
    #[must_use]
    pub fn eased_by(&self, other: &Self) -> BTreeSet<Need> {
        // Between two bounds of either ladder nothing changes: the values at the bounds stand for all, and those above.
        let bounds = self.bounded.iter().chain(&other.bounded).filter_map(|tier| tier.up_to_usd);
        let values = bounds.map(|dollars| Some(U256::from(dollars).saturating_mul(U256::from(MICROS)))).chain([None]);
        let mut eased = BTreeSet::new();
        for value in values {
            let (before, after) = (self.tier(value), other.tier(value));
            if after.confirmations < before.confirmations {
                eased.insert(Need::Confirmations { above: after.confirmations, up_to: before.confirmations });
            }
            let tags: &[Tag] = match (before.tag, after.tag) {
                (Some(Tag::Finalized), None) => &[Tag::Safe, Tag::Finalized],
                (Some(Tag::Finalized), Some(Tag::Safe)) => &[Tag::Finalized],
                (Some(Tag::Safe), None) => &[Tag::Safe],
                (None, _) | (Some(Tag::Safe), Some(_)) | (Some(Tag::Finalized), Some(Tag::Finalized)) => &[],
            };
            eased.extend(tags.iter().copied().map(Need::Tag));
        }
        eased
    }

    /// The most confirmations any tier asks for: how far back a chain has to be remembered at least.
    #[must_use]
    pub fn max_confirmations(&self) -> u64 {
        self.tiers().map(|tier| tier.confirmations).fold(0, u64::max)
    }
}
