//! How long to wait before a payment may be called verified.
//!
//! A policy is a ladder of tiers by dollar value. Both conditions of a tier must hold: the confirmations (head minus
//! inclusion height plus one) and, where it names one, the node's tag having reached the block. What cannot be priced
//! takes the last tier. Nothing in here ever picks a weaker tier because a tag stands still.

use alloy_primitives::U256;
use serde::{Deserialize, Serialize};

#[cfg(test)]
mod tests;

/// Micro-dollars in a dollar.
const MICROS: u64 = 1_000_000;

/// The block tag of a node that must have reached the payment's block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
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

    /// The most confirmations any tier asks for: how far back a chain has to be remembered at least.
    #[must_use]
    pub fn max_confirmations(&self) -> u64 {
        self.tiers().map(|tier| tier.confirmations).fold(0, u64::max)
    }
}
