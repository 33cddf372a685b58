use chain_config::Registry;

use super::*;

fn policy(chain_id: u64) -> FinalityPolicy {
    Registry::builtin().unwrap().by_id(chain_id).unwrap().finality.clone()
}

fn usd(dollars: u64) -> Option<U256> {
    Some(U256::from(dollars) * U256::from(1_000_000))
}

/// Head, finalized and safe in blocks above the payment's; `None` is below it.
fn standing(above: u64, finalized: Option<u64>, safe: Option<u64>) -> Standing {
    Standing {
        head: 1_000 + above,
        safe: safe.map(|n| 1_000 + n),
        finalized: finalized.map(|n| 1_000 + n),
        safe_lag_s: safe.map(|_| 0),
        finalized_lag_s: finalized.map(|_| 0),
    }
}

#[test]
fn the_table_of_onchain_1_4_holds() {
    let none = None;
    let (b, tag) = (Gap::Blocks, Gap::Tag);
    let (ethereum, polygon, base) = (1, 137, 8453);
    // chain, dollars, blocks on top, finalized and safe above the block, what is missing
    let cases = [
        (ethereum, usd(20), 0, none, none, b(1)),
        (ethereum, usd(20), 1, none, none, Gap::None),
        (ethereum, usd(21), 1, none, none, b(10)),
        (ethereum, usd(1_000), 11, none, none, Gap::None),
        (ethereum, usd(10_000), 31, none, none, Gap::None),
        (ethereum, usd(10_001), 63, none, none, tag(Tag::Finalized)),
        (ethereum, usd(10_001), 63, Some(0), none, Gap::None),
        (ethereum, usd(10_001), 62, Some(0), none, b(1)),
        (ethereum, None, 63, none, Some(0), tag(Tag::Finalized)),
        (base, usd(5_000), 9, none, none, tag(Tag::Safe)),
        (base, usd(5_000), 9, none, Some(0), Gap::None),
        (base, usd(5_000), 9, Some(0), none, Gap::None),
        (base, usd(1), 0, none, none, Gap::None),
        (polygon, usd(500), 15, none, none, tag(Tag::Finalized)),
    ];
    for (chain, value, above, finalized, safe, missing) in cases {
        let policy = policy(chain);
        let judged = judge(&policy, value, 1_000, &standing(above, finalized, safe));
        assert_eq!(judged.gap, missing, "{chain} {value:?} +{above} {finalized:?} {safe:?}");
        assert_eq!(judged.confirmations, above + 1);
    }
}

#[test]
fn a_head_below_the_block_is_no_confirmation() {
    let policy = policy(8453);
    let judged = judge(&policy, usd(1), 1_001, &standing(0, None, None));
    assert_eq!((judged.confirmations, judged.gap), (0, Gap::Blocks(1)));
}

#[test]
fn a_tag_one_block_short_does_not_cover() {
    let policy = policy(1);
    let short = Standing { head: 2_000, finalized: Some(999), ..standing(0, None, None) };
    assert_eq!(judge(&policy, None, 1_000, &short).gap, Gap::Tag(Tag::Finalized));
    assert_eq!(judge(&policy, None, 1_000, &short).finality, Finality::Soft);
}

#[test]
fn firmness_is_what_the_tags_say() {
    let policy = policy(8453);
    let firmness = |finalized, safe| judge(&policy, usd(1), 1_000, &standing(5, finalized, safe)).finality;
    assert_eq!(firmness(None, None), Finality::Soft);
    assert_eq!(firmness(None, Some(0)), Finality::Safe);
    assert_eq!(firmness(Some(0), Some(3)), Finality::Final);
}
