//! Whether a block is deep enough, by chain and by amount. Pure.
//!
//! Depth and tag must both hold. A tag that is needed and missing is waited for, never done without.

use alloy_primitives::U256;
use chain_config::{FinalityPolicy, Tag, Tier};

use super::quorum::Standing;
use crate::ledger::Reach;
use crate::model::Finality;

/// What is still missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gap {
    /// Nothing.
    None,
    /// So many blocks on top.
    Blocks(u64),
    /// The chain's tag has not reached the block.
    Tag(Tag),
}

/// A block's depth against the policy.
#[derive(Debug, Clone)]
pub struct Judged<'a> {
    /// The tier that the value falls into.
    pub tier: &'a Tier,
    /// Head − height + 1; the including block counts as one.
    pub confirmations: u64,
    /// How firm it is by the tags seen.
    pub finality: Finality,
    /// What is still missing.
    pub gap: Gap,
}

/// Whether the tag that is missing has stood still for too long, by the chain's own time.
#[must_use]
pub fn is_stalled(gap: Gap, standing: &Standing, alert_s: u64) -> bool {
    let lag = match gap {
        Gap::None | Gap::Blocks(_) => return false,
        Gap::Tag(Tag::Safe) => standing.safe_lag_s,
        Gap::Tag(Tag::Finalized) => standing.finalized_lag_s,
    };
    lag.is_some_and(|lag| alert_s < lag)
}

/// What has to be reached next, and at which height; none when nothing is missing, or when it cannot be followed
/// because no node shows the tag. A tag mostly comes after the depth, so it is waited for first: one look for both.
#[must_use]
pub fn reach(judged: &Judged<'_>, height: u64, standing: &Standing) -> Option<(Reach, u64)> {
    let tag = match judged.tier.tag {
        Some(Tag::Safe) => standing.safe.map(|reached| (Reach::Safe, reached)),
        Some(Tag::Finalized) => standing.finalized.map(|reached| (Reach::Finalized, reached)),
        None => None,
    };
    match (judged.gap, tag) {
        (Gap::None, _) => None,
        (Gap::Blocks(_) | Gap::Tag(_), Some((reach, reached))) if reached < height => Some((reach, height)),
        // Confirmations count the block itself.
        (Gap::Blocks(missing), _) => {
            let head = height.saturating_add(judged.confirmations).saturating_add(missing);
            Some((Reach::Head, head.saturating_sub(1)))
        }
        (Gap::Tag(_), _) => None,
    }
}

/// Judges a block at `height`. A value without a price falls into the strictest tier.
#[must_use]
pub fn judge<'a>(
    policy: &'a FinalityPolicy,
    value_usd_micros: Option<U256>,
    height: u64,
    standing: &Standing,
) -> Judged<'a> {
    let tier = policy.tier(value_usd_micros);
    let covers = |tag: Option<u64>| tag.is_some_and(|number| height <= number);
    let confirmations = (standing.head.saturating_add(1)).saturating_sub(height);
    let finality = if covers(standing.finalized) {
        Finality::Final
    } else if covers(standing.safe) {
        Finality::Safe
    } else {
        Finality::Soft
    };
    // The block itself has to be there, whatever a policy says.
    let missing = tier.confirmations.max(1).saturating_sub(confirmations);
    let gap = match tier.tag {
        _ if 0 < missing => Gap::Blocks(missing),
        Some(tag @ Tag::Finalized) if !covers(standing.finalized) => Gap::Tag(tag),
        // What is finalized is safe, whether or not a node names it so.
        Some(tag @ Tag::Safe) if !covers(standing.safe) && !covers(standing.finalized) => Gap::Tag(tag),
        Some(Tag::Finalized | Tag::Safe) | None => Gap::None,
    };
    Judged { tier, confirmations, finality, gap }
}

#[cfg(test)]
mod tests;
