//! Tiers that an operator asks for, held against those that are configured. Pure.

use alloy_primitives::U256;
use chain_config::{Chain, FinalityPolicy, Tag, TierSpec};
use serde_json::{Value, json};

use super::Problem;

/// Micro-dollars in a dollar.
const MICROS: u64 = 1_000_000;
/// How many of the last tiers are guarded: they hold the payments that nobody wants to lose.
const GUARDED: usize = 2;

/// Refuses tiers that do not fit the chain, with every problem; and those that let large payments through earlier than
/// configured, unless that is what is wanted.
pub(super) fn check(chain: &Chain, tiers: &[TierSpec], accept_unfinalized: bool) -> Result<(), Problem> {
    let asked = chain_config::with_finality(chain, tiers).map_err(|errors| {
        let problems: Vec<_> =
            errors.iter().map(|error| json!({"field": error.key, "problem": error.problem.to_string()})).collect();
        Problem::invalid("FINALITY_INVALID", "the tiers do not fit; see details.problems")
            .with_details(json!({"problems": problems}))
    })?;
    let lowered = lowered(&chain.finality, &asked.finality);
    if accept_unfinalized || lowered.is_empty() {
        return Ok(());
    }
    let message = "payments of the last two tiers would go out less firm than configured: a reorganisation could take \
         them back after you delivered. Add \"accept_unfinalized\": true if that is what you want";
    Err(Problem::invalid("FINALITY_INVALID", message).with_details(json!({"lowered": lowered})))
}

/// Values at which the asked tiers are weaker than the last two configured ones.
fn lowered(configured: &FinalityPolicy, asked: &FinalityPolicy) -> Vec<Value> {
    let bounds = |policy: &FinalityPolicy| policy.tiers().map(|tier| tier.up_to_usd).collect::<Vec<_>>();
    let own = bounds(configured);
    // Everything above the bound of the tier before the guarded ones.
    let above = own.len().checked_sub(GUARDED.saturating_add(1)).and_then(|at| own.get(at).copied().flatten());
    let is_guarded = |bound: &Option<u64>| bound.is_none_or(|bound| above.is_none_or(|above| above < bound));
    // Between two bounds of either ladder both are one tier, and a bound belongs to the tier below it: looking at the
    // bounds is looking at every value.
    let mut edges: Vec<Option<u64>> = own.into_iter().chain(bounds(asked)).filter(is_guarded).collect();
    edges.sort_by_key(|edge| edge.unwrap_or(u64::MAX));
    edges.dedup();
    let weaker = |edge: Option<u64>| {
        let value = edge.map(|dollars| U256::from(dollars).saturating_mul(U256::from(MICROS)));
        let (now, then) = (configured.tier(value), asked.tier(value));
        let is_weaker = then.confirmations < now.confirmations || firmness(then.tag) < firmness(now.tag);
        is_weaker.then(|| json!({"up_to_usd": edge, "configured": now, "asked": then}))
    };
    edges.into_iter().filter_map(weaker).collect()
}

const fn firmness(tag: Option<Tag>) -> u8 {
    match tag {
        None => 0,
        Some(Tag::Safe) => 1,
        Some(Tag::Finalized) => 2,
    }
}

#[cfg(test)]
mod tests {
    use chain_config::{Chain, Registry, Tag, TierSpec, with_finality};

    use super::lowered;

    fn tier(up_to_usd: Option<u64>, confirmations: u64, tag: Option<Tag>) -> TierSpec {
        TierSpec { up_to_usd, confirmations, tag }
    }

    /// Small sums after one block, a thousand after 10, ten thousand after 20 and `safe`, all else after 30 and
    /// `finalized`.
    fn chain() -> Chain {
        let base = Registry::builtin().unwrap().chain("base").unwrap().clone();
        with_finality(&base, &ladder()).unwrap()
    }

    fn ladder() -> [TierSpec; 4] {
        [
            tier(Some(20), 1, None),
            tier(Some(1_000), 10, None),
            tier(Some(10_000), 20, Some(Tag::Safe)),
            tier(None, 30, Some(Tag::Finalized)),
        ]
    }

    #[test]
    fn only_the_last_two_tiers_are_guarded_at_every_value() {
        let [first, second, third, last] = ladder();
        let finalized = Some(Tag::Finalized);
        for (asked, at) in [
            (ladder().to_vec(), &[][..]),
            // Raised, or with fewer rungs that are as firm.
            (vec![tier(None, 30, finalized)], &[]),
            (vec![tier(Some(1_000), 1, None), third.clone(), last.clone()], &[]),
            (vec![first.clone(), tier(Some(1_000), 2, None), third.clone(), last.clone()], &[]),
            // A small tier that reaches up into the guarded ones.
            (vec![tier(Some(5_000), 10, None), third.clone(), last.clone()], &[Some(5_000)]),
            (
                vec![first.clone(), second.clone(), tier(Some(20_000), 20, Some(Tag::Safe)), last.clone()],
                &[Some(20_000)],
            ),
            (vec![first.clone(), second.clone(), tier(Some(10_000), 19, finalized), last.clone()], &[Some(10_000)]),
            (vec![first, second, third, tier(None, 30, Some(Tag::Safe))], &[None]),
            (vec![tier(None, 1, None)], &[Some(10_000), None]),
        ] {
            let chain = chain();
            let then = with_finality(&chain, &asked).unwrap();
            let found = lowered(&chain.finality, &then.finality);
            let found: Vec<Option<u64>> = found.iter().map(|edge| edge["up_to_usd"].as_u64()).collect();
            assert_eq!(found, at, "{asked:?}");
        }
    }

    #[test]
    fn a_ladder_of_one_tier_is_guarded_as_a_whole() {
        let base = Registry::builtin().unwrap().chain("base").unwrap().clone();
        let one = with_finality(&base, &[tier(None, 3, None)]).unwrap();
        let weaker = with_finality(&base, &[tier(Some(5), 1, None), tier(None, 3, None)]).unwrap();
        assert_eq!(lowered(&one.finality, &weaker.finality).len(), 1);
        assert!(lowered(&one.finality, &one.finality).is_empty());
    }
}
