use alloy_primitives::U256;
use proptest::prelude::*;

use super::*;
use crate::chain::Header;
use crate::model::Accept;
use crate::verify::fixture;

const TWO_OF_THREE: Policy = Policy { agree: 2, owners: 2, lag_blocks: 3 };
/// Two seconds, as on Base: 30 blocks are a minute, 900 half an hour.
const BLOCK_TIME_MS: u64 = 2_000;

fn address(n: u16) -> Address {
    Address::from_word(B256::from(U256::from(n)))
}

fn target(n: u16, key: ExpectationKey, rails: &[Rail]) -> ScanTarget {
    let token = address(60_000 + n % 3);
    let way = |token| Accept {
        chain: "base".to_owned(),
        chain_id: 8453,
        token,
        symbol: "T".to_owned(),
        decimals: 6,
        recipients: vec![address(n), address(n + 1)],
        amount: U256::from(100),
    };
    ScanTarget {
        expectation_id: format!("order-{n:05}"),
        realm: "request-network".to_owned(),
        key,
        accept: vec![way(Some(token)), way(None)],
        payer: None,
        rails: rails.to_vec(),
        is_open: true,
        created_us: i64::from(n),
    }
}

fn referenced(n: u16) -> ScanTarget {
    let reference = format!("0x{:016x}", u64::from(n) + 1).parse().unwrap();
    target(n, ExpectationKey::PaymentReference(reference), &[Rail::Reference])
}

fn direct(n: u16) -> ScanTarget {
    target(n, ExpectationKey::Direct, &[Rail::Direct])
}

fn contracts() -> Contracts {
    Contracts {
        erc20_fee_proxy: vec![address(50_001)],
        erc20_conversion_proxy: vec![address(50_002)],
        eth_fee_proxy: vec![address(50_003)],
        erc20_proxy: vec![address(50_004)],
        eth_proxy: vec![address(50_005)],
        escrow: vec![address(50_006)],
        ..Contracts::default()
    }
}

fn stand(head: u64, finalized: Option<u64>) -> Stand {
    let header = |number| Header { number, hash: B256::ZERO, parent: B256::ZERO, timestamp: 0, is_sealed: false };
    Stand { head: header(head), finalized: finalized.map(header) }
}

/// Every log that a payment of the target would leave.
fn payments(target: &ScanTarget) -> Vec<Log> {
    let log = |address, topics| Log { address, topics, data: alloy_primitives::Bytes::new() };
    match &target.key {
        ExpectationKey::PaymentReference(reference) => {
            let hashed = alloy_primitives::keccak256(reference.as_bytes());
            let raw = B256::right_padding_from(reference.as_bytes());
            let events = [
                (50_001, events::TOKEN_PROXY, hashed),
                (50_002, events::TOKEN_PROXY, hashed),
                (50_003, events::NATIVE_PROXY, hashed),
                (50_004, events::PLAIN_TOKEN_PROXY, hashed),
                (50_005, events::PLAIN_NATIVE_PROXY, hashed),
                (50_006, events::ESCROW, raw),
            ];
            events.map(|(at, event, topic)| log(address(at), vec![event, topic])).into()
        }
        ExpectationKey::RequestId(_) | ExpectationKey::ProviderObject(_) | ExpectationKey::Direct => {
            let way = &target.accept[0];
            let to = |to: &Address| vec![events::TRANSFER, address(7).into_word(), to.into_word()];
            way.recipients.iter().map(|recipient| log(way.token.unwrap(), to(recipient))).collect()
        }
    }
}

#[test]
fn what_no_log_can_show_is_not_looked_for() {
    let request = target(1, ExpectationKey::RequestId("01aa".to_owned()), &[Rail::Reference]);
    let mut native = direct(2);
    native.accept.remove(0);
    let watch = Watch::of(vec![request, native]);
    assert!(watch.marks().is_empty());
    assert!(filters(&watch.marks(), &contracts()).is_empty(), "nothing is asked for nothing");
}

#[test]
fn a_reference_is_its_hash_at_every_registered_proxy_and_itself_at_the_escrow() {
    let mut known = referenced(0);
    known.key = ExpectationKey::PaymentReference(fixture::REFERENCE.parse().unwrap());
    let watch = Watch::of(vec![known]);
    let filters = filters(&watch.marks(), &contracts());
    assert_eq!(filters.len(), 2);
    assert_eq!(filters[0].addresses, [50_001, 50_002, 50_003, 50_004, 50_005].map(address));
    let plain = [events::PLAIN_TOKEN_PROXY, events::PLAIN_NATIVE_PROXY];
    assert_eq!(filters[0].topics[0], [&[events::TOKEN_PROXY, events::NATIVE_PROXY][..], &plain].concat());
    assert_eq!(filters[0].topics[1..], [vec![fixture::TOPIC]]);
    let raw = B256::right_padding_from(&[0x2c, 0x33, 0x66, 0x94, 0x12, 0x74, 0xc3, 0x4c]);
    let at_the_escrow = LogFilter { addresses: vec![address(50_006)], topics: vec![vec![events::ESCROW], vec![raw]] };
    assert_eq!(filters[1], at_the_escrow);
    let log = fixture::token_event(address(50_001), fixture::USDC, fixture::PAYEE, 1, fixture::TOPIC);
    assert_eq!(watch.mark(&contracts(), &log), Some(Mark::Reference(fixture::TOPIC)));
    // The native proxy does not speak of tokens, a stranger of nothing, and another reference is not ours.
    for (emitter, topic) in [(50_003, fixture::TOPIC), (9, fixture::TOPIC), (50_001, fixture::OTHER_TOPIC)] {
        let log = fixture::token_event(address(emitter), fixture::USDC, fixture::PAYEE, 1, topic);
        assert_eq!(watch.mark(&contracts(), &log), None, "{emitter} {topic}");
    }
}

#[test]
fn only_what_enough_nodes_call_final_is_searched() {
    let agreed = |stands: &[(&str, Stand)]| agreed(TWO_OF_THREE, stands, 64, BLOCK_TIME_MS);
    let (a, b, c) =
        (("x", stand(2_000, Some(1_900))), ("y", stand(1_990, Some(1_880))), ("z", stand(1_995, Some(1_890))));
    assert_eq!(agreed(&[a, b, c]), Some(1_890), "the second highest");
    assert_eq!(agreed(&[a, b]), Some(1_880));
    assert_eq!(agreed(&[a]), None);
    assert_eq!(agreed(&[a, ("x", b.1)]), None, "two nodes of one owner are one opinion");
    // A node that lags counts as far as it goes.
    assert_eq!(agreed(&[a, ("y", stand(300, Some(250)))]), Some(250));
    // One that does not know the tag says nothing where others do.
    assert_eq!(agreed(&[a, ("y", stand(2_000, None)), c]), Some(1_890));
    assert_eq!(agreed(&[a, ("y", stand(2_000, None))]), None);
    // Where nobody knows it, the policy's depth takes its place: 64 confirmations, the block's own counted.
    let deep = [("x", stand(2_000, None)), ("y", stand(1_990, None))];
    assert_eq!(agreed(&deep), Some(1_927));
    // Final within seconds, and yet so young that its webhook may be on its way.
    assert_eq!(agreed(&[("x", stand(2_000, Some(1_999))), ("y", stand(2_000, Some(1_998)))]), Some(1_969));
    assert_eq!(agreed(&[("x", stand(20, Some(20))), ("y", stand(20, Some(20)))]), None);
}

#[test]
fn a_search_begins_where_the_oldest_expectation_does() {
    let (second, month) = (1_000_000_i64, Duration::from_secs(30 * 86_400));
    let first = |oldest, at_most| first(10_000_000, oldest, 100_000_000 * second, at_most, BLOCK_TIME_MS);
    assert_eq!(first(None, month), 10_000_000 - 901);
    let hours_ago = |hours: i64| Some((100_000_000 - hours * 3_600) * second);
    assert_eq!(first(hours_ago(10), month), 10_000_000 - 18_901);
    assert_eq!(first(hours_ago(10_000), month), 10_000_000 - 1_296_001, "no further than ended ones are watched");
    assert_eq!(first(hours_ago(10), Duration::ZERO), 10_000_000 - 901);
    assert_eq!(super::first(5, hours_ago(10), 100_000_000 * second, month, BLOCK_TIME_MS), 0);
    assert_eq!(look_back(10_000, BLOCK_TIME_MS), Blocks { from: 9_099, to: 10_000 });
    assert_eq!((rewound(1_000, 256), rewound(100, 256), rewound(1_000, 0)), (744, 0, 999));
}

proptest! {
    #[test]
    fn no_expectation_is_left_out_and_no_filter_is_larger_than_its_limits(
        references in proptest::collection::btree_set(0_u16..2_000, 0..700),
        directs in proptest::collection::btree_set(0_u16..2_000, 0..300),
    ) {
        let targets: Vec<_> = references.iter().map(|n| referenced(*n)).chain(directs.iter().map(|n| direct(*n))).collect();
        let watch = Watch::of(targets.clone());
        let filters = filters(&watch.marks(), &contracts());
        for filter in &filters {
            prop_assert!(filter.addresses.len() <= ADDRESSES_MAX && !filter.addresses.is_empty());
            prop_assert!(filter.topics.iter().all(|any| any.len() <= TOPICS_MAX));
            prop_assert!(filter.topics.iter().any(|any| !any.is_empty()), "everything is asked for by something");
        }
        // As few as the limits allow.
        let recipients: BTreeSet<u16> = directs.iter().flat_map(|n| [*n, n + 1]).collect();
        let least = 2 * references.len().div_ceil(TOPICS_MAX) + recipients.len().div_ceil(TOPICS_MAX);
        prop_assert_eq!(filters.len(), least);
        for target in &targets {
            for log in payments(target) {
                prop_assert!(filters.iter().any(|filter| filter.takes(&log)), "{} is not asked for", target.expectation_id);
                let mark = watch.mark(&contracts(), &log).unwrap();
                prop_assert!(watch.paid_by(&mark).any(|paid| paid.expectation_id == target.expectation_id));
            }
        }
    }

    #[test]
    fn blocks_follow_each_other_without_a_gap_up_to_what_is_agreed(
        start in 0_u64..1_000_000,
        ahead in 0_u64..20_000,
        widths in proptest::collection::vec(0_u64..5_000, 1..40),
    ) {
        let agreed = start + ahead;
        let (mut cursor, mut turn) = (start, 0);
        while let Some(blocks) = next(cursor, agreed, widths[turn % widths.len()]) {
            prop_assert_eq!(blocks.from, cursor + 1);
            prop_assert!(blocks.from <= blocks.to && blocks.to <= agreed);
            prop_assert!(blocks.to - cursor <= widths[turn % widths.len()].max(1));
            (cursor, turn) = (blocks.to, turn + 1);
        }
        prop_assert_eq!(cursor, agreed, "all of it");
        // Nodes that fell back do not move the cursor back.
        prop_assert_eq!(next(cursor, start, 100), None);
    }
}
