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
