//! The edges of the tiers, on the two chains whose ladders differ most.

use super::*;
use crate::Registry;

fn name(chain: &str, micros: Option<u128>) -> String {
    let registry = Registry::builtin().unwrap();
    registry.chain(chain).unwrap().finality.tier(micros.map(U256::from)).name.clone()
}

#[test]
fn a_limit_belongs_to_its_tier_and_a_micro_dollar_more_to_the_next() {
    for (micros, expected) in [
        (0, "T0"),
        (20_000_000, "T0"),
        (20_000_001, "T1"),
        (1_000_000_000, "T1"),
        (1_000_000_001, "T2"),
        (10_000_000_000, "T2"),
        (10_000_000_001, "T3"),
        (u128::MAX, "T3"),
    ] {
        assert_eq!(name("ethereum", Some(micros)), expected, "{micros}");
        assert_eq!(name("zksync", Some(micros)), expected, "{micros}");
    }
}

#[test]
fn what_has_no_price_takes_the_last_tier() {
    assert_eq!(name("base", None), "T3");
}

#[test]
fn the_largest_value_is_not_mistaken_for_a_small_one() {
    let registry = Registry::builtin().unwrap();
    assert_eq!(registry.chain("base").unwrap().finality.tier(Some(U256::MAX)).name, "T3");
}

fn ladder(tiers: &[(Option<u64>, u64, Option<Tag>)]) -> FinalityPolicy {
    let tier = |(up_to_usd, confirmations, tag): &(Option<u64>, u64, Option<Tag>)| Tier {
        name: String::new(),
        up_to_usd: *up_to_usd,
        confirmations: *confirmations,
        tag: *tag,
    };
    let mut tiers: Vec<Tier> = tiers.iter().map(tier).collect();
    let last = tiers.pop().unwrap();
    FinalityPolicy::new(tiers, last)
}

#[test]
fn eased_is_what_some_payment_need_not_wait_for_any_more() {
    let before = ladder(&[(Some(20), 2, None), (Some(1000), 12, Some(Tag::Safe)), (None, 64, Some(Tag::Finalized))]);
    let eased =
        |tiers: &[(Option<u64>, u64, Option<Tag>)]| before.eased_by(&ladder(tiers)).into_iter().collect::<Vec<_>>();
    let blocks = |above, up_to| Need::Confirmations { above, up_to };
    let tag = Need::Tag;
    assert_eq!(before.eased_by(&before), BTreeSet::new());
    // Stronger in everything.
    assert_eq!(eased(&[(Some(20), 3, None), (None, 64, Some(Tag::Finalized))]), []);
    assert_eq!(eased(&[(Some(20), 2, Some(Tag::Safe)), (None, 64, Some(Tag::Finalized))]), []);
    // Fewer blocks; a weaker tag, or none.
    assert_eq!(
        eased(&[(Some(20), 1, None), (Some(1000), 12, Some(Tag::Safe)), (None, 63, Some(Tag::Finalized))]),
        [blocks(1, 2), blocks(63, 64)]
    );
    assert_eq!(
        eased(&[(Some(20), 2, None), (Some(1000), 12, None), (None, 64, Some(Tag::Safe))]),
        [tag(Tag::Safe), tag(Tag::Finalized)]
    );
    // What waited for a weaker tag before this one was set need not any more either.
    assert_eq!(
        eased(&[(Some(20), 2, None), (Some(1000), 12, Some(Tag::Safe)), (None, 64, None)]),
        [tag(Tag::Safe), tag(Tag::Finalized)]
    );
    // A higher bound eases what is between the two, and finalized is more than safe.
    assert_eq!(
        eased(&[(Some(21), 2, None), (Some(1000), 12, Some(Tag::Safe)), (None, 64, Some(Tag::Finalized))]),
        [blocks(2, 12), tag(Tag::Safe)]
    );
    assert_eq!(eased(&[(None, 64, Some(Tag::Finalized))]), []);
    // Weaker in one way and stronger in the other is weaker in one way.
    assert_eq!(eased(&[(None, 40, Some(Tag::Finalized))]), [blocks(40, 64)]);
}
