//! What the loop does: forward without a gap, never past what too few nodes answered for, and once for each payment.

use super::*;

/// Head 12,000, final 10,000; the cursor stands at 9,901.
async fn behind_by_99() -> Bench {
    let mut bench = Bench::start(Scripted::new(12_000, 9_901));
    assert_eq!(bench.run().await, Step::Done);
    assert_eq!(bench.cursor().await, (9_901, hash(9_901, false)), "begins half an hour back, and goes on from there");
    bench.reader.change(|nodes| nodes.iter_mut().for_each(|node| node.finalized = Some(10_000)));
    bench.reader.asked();
    bench
}

#[tokio::test]
async fn a_chain_without_expectations_is_passed_by_its_headers_alone() {
    let mut bench = behind_by_99().await;
    assert_eq!(bench.run().await, Step::Done);
    assert_eq!(bench.cursor().await.0, 10_000);
    assert_eq!(bench.reader.asked(), []);
    assert!(bench.metrics().contains(r#"tollgate_scan_height{chain="base"} 10000"#));
    assert!(bench.metrics().contains(r#"tollgate_scan_lag_blocks{chain="base"} 0"#));
}

#[tokio::test]
async fn money_that_no_webhook_announced_becomes_an_event_once() {
    let mut bench = behind_by_99().await;
    bench.expects("order-17").await;
    // One node alone shows it: the others miss the log, and know the transaction.
    bench.reader.pay(0xab, 9_950, &[1]);
    assert_eq!(bench.run().await, Step::Done);
    let events = bench.events().await;
    let [event] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((event.state, event.facts.origin, event.deliveries), (EventState::Verifying, Origin::Scan, 0));
    assert_eq!(event.claim.as_ref().unwrap().payment_reference.as_ref().unwrap().to_string(), REFERENCE);
    let due = bench.ledger.due_events(fixture::NOW.now_us, 9).await.unwrap();
    assert_eq!(due[0].expectation.as_ref().unwrap().terms.id, "order-17");
    assert!(bench.metrics().contains(r#"tollgate_scanned_payments_total{chain="base"} 1"#), "{}", bench.metrics());
    // Everything again, as after a crash before the cursor was seen to have moved.
    let mut bench = bench.restart();
    assert_eq!(bench.run().await, Step::Done);
    assert_eq!(bench.events().await.len(), 1);
    assert!(!bench.metrics().contains("tollgate_scanned_payments_total{"));
}

#[tokio::test]
async fn a_restart_goes_on_behind_the_cursor() {
    let mut bench = behind_by_99().await;
    bench.expects("order-17").await;
    assert_eq!(bench.run().await, Step::Done);
    bench.reader.asked();
    let mut bench = bench.restart();
    bench.reader.change(|nodes| nodes.iter_mut().for_each(|node| (node.head, node.finalized) = (15_000, Some(12_500))));
    assert_eq!(bench.run().await, Step::Done);
    // What is watched is new to the process: it looks back half an hour of blocks once, then on without a gap.
    assert_eq!(bench.reader.asked(), [(9_099, 10_000), (10_001, 11_000), (11_001, 12_000), (12_001, 12_500)]);
    assert_eq!(bench.cursor().await, (12_500, hash(12_500, false)));
}

#[tokio::test]
async fn money_that_came_before_its_expectation_was_put_is_found_behind_the_cursor() {
    let mut bench = behind_by_99().await;
    bench.reader.pay(0xab, 9_950, &[0, 1, 2]);
    assert_eq!(bench.run().await, Step::Done);
    assert!(bench.events().await.is_empty(), "nobody expects it");
    bench.expects("order-17").await;
    assert_eq!(bench.run().await, Step::Done);
    assert_eq!((bench.events().await.len(), bench.cursor().await.0), (1, 10_000));
    bench.reader.asked();
    assert_eq!(bench.run().await, Step::Done);
    assert_eq!(bench.reader.asked(), [], "looked back once");
}

#[tokio::test]
async fn a_node_that_lags_holds_nothing_up_and_counts_for_nothing() {
    let mut bench = behind_by_99().await;
    bench.expects("order-17").await;
    bench.reader.pay(0xab, 9_990, &[0]);
    // It answers without an error, and empty.
    bench.reader.change(|nodes| (nodes[2].head, nodes[2].finalized) = (9_980, Some(9_920)));
    assert_eq!(bench.run().await, Step::Done);
    assert_eq!((bench.cursor().await.0, bench.events().await.len()), (10_000, 1));
    // With a second one behind, only what both have is searched.
    bench.reader.change(|nodes| nodes[0].finalized = Some(10_400));
    assert_eq!(bench.run().await, Step::Done);
    bench.reader.change(|nodes| (nodes[1].is_down, nodes[2].is_down) = (true, true));
    assert!(matches!(bench.run().await, Step::Stuck(_)));
    assert_eq!(bench.cursor().await.0, 10_000, "never on one node's word");
}

#[tokio::test]
async fn what_is_too_much_is_halved_and_never_skipped() {
    let mut bench = behind_by_99().await;
    bench.expects("order-17").await;
    bench.reader.change(|nodes| {
        nodes.iter_mut().for_each(|node| (node.head, node.finalized, node.blocks_max) = (16_000, Some(12_000), 300));
    });
    for (tx, height) in [(1, 9_902), (2, 10_401), (3, 11_999), (4, 12_000)] {
        bench.reader.pay(tx, height, &[0, 1, 2]);
    }
    assert_eq!(bench.run().await, Step::Done);
    assert_eq!((bench.cursor().await.0, bench.events().await.len()), (12_000, 4));
    let answered: Vec<_> =
        bench.reader.asked().into_iter().filter(|(from, to)| to - from < 300 && 9_901 < *from).collect();
    assert!(answered.iter().zip(answered.iter().skip(1)).all(|(a, b)| a.1 + 1 == b.0), "{answered:?}");
    assert_eq!(bench.memory.width, 250);
    // Not even for one block: the search stands, and goes on where it stood.
    bench
        .reader
        .change(|nodes| nodes.iter_mut().for_each(|node| (node.finalized, node.blocks_max) = (Some(12_100), 0)));
    bench.reader.pay(5, 12_050, &[2]);
    assert_eq!(bench.run().await, Step::Stuck("too few nodes answer for the logs of a single block"));
    assert_eq!(bench.cursor().await.0, 12_000);
    bench.reader.change(|nodes| nodes.iter_mut().for_each(|node| node.blocks_max = u64::MAX));
    assert_eq!(bench.run().await, Step::Done);
    assert_eq!((bench.cursor().await.0, bench.events().await.len()), (12_100, 5));
    assert!(1 < bench.memory.width, "more at once again, after a calm");
}

#[tokio::test]
async fn a_cursor_on_a_replaced_block_goes_back_and_finds_nothing_twice() {
    let mut bench = behind_by_99().await;
    bench.expects("order-17").await;
    bench.reader.pay(0xab, 9_950, &[0, 1, 2]);
    assert_eq!(bench.run().await, Step::Done);
    // One node alone is another history: it does not count.
    bench.reader.change(|nodes| (nodes[0].fork_from, nodes[0].finalized) = (9_960, Some(10_010)));
    bench.reader.change(|nodes| (nodes[1].finalized, nodes[2].finalized) = (Some(10_010), Some(10_010)));
    assert_eq!(bench.run().await, Step::Done);
    assert_eq!(bench.cursor().await, (10_010, hash(10_010, false)));
    bench.reader.change(|nodes| nodes[1].fork_from = 9_960);
    bench.reader.change(|nodes| nodes.iter_mut().for_each(|node| node.finalized = Some(10_020)));
    bench.reader.pay(0xac, 9_970, &[0, 1]);
    bench.reader.asked();
    assert_eq!(bench.run().await, Step::Done);
    assert_eq!(bench.cursor().await, (10_020, hash(10_020, true)));
    let window = bench.chain.shared.config.chains["base"].chain.reorg_window_blocks;
    let back = 10_010 - window;
    assert_eq!(bench.reader.asked(), [(10_011, 10_020), (back + 1, back + 1_000), (back + 1_001, 10_020)]);
    assert_eq!(bench.events().await.len(), 2, "the new one, and the old one once");
}

#[tokio::test]
async fn what_one_node_makes_up_is_no_event_and_stops_nothing() {
    let mut bench = behind_by_99().await;
    bench.expects("order-17").await;
    bench.reader.pay(0xab, 9_950, &[2]);
    bench.reader.receipts.lock().unwrap().clear();
    assert_eq!(bench.run().await, Step::Done);
    assert_eq!((bench.cursor().await.0, bench.events().await.len()), (10_000, 0));
}

#[tokio::test]
async fn a_chain_on_which_nothing_is_confirmed_is_not_searched() {
    let mut bench = behind_by_99().await;
    let by = Who { name: "ada".to_owned(), from: "test".to_owned(), reason: None };
    bench.ledger.set_cordon("base", "", true, by, 0).await.unwrap();
    bench.chain.shared.in_force.apply(&[], &bench.ledger.cordons().await.unwrap());
    assert!(matches!(bench.run().await, Step::Stuck(_)));
    assert_eq!(bench.cursor().await.0, 9_901);
}
