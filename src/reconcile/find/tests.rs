use std::sync::Arc;

use super::*;
use crate::chain::NodeError;
use crate::reconcile::plan::Watch;
use crate::verify::fixture::{
    BLOCK, HEIGHT, HUNDRED, OTHER_TOPIC, PAYEE, PAYER, PROXY, REFERENCE, STRANGER, TOPIC, TX, USDC, chains,
    expectation, proxy_payment, receipt, source, token_event, transfer,
};

fn base() -> Arc<Chain> {
    Arc::new(chains()["base"].chain.clone())
}

fn expected(id: &str, key: ExpectationKey) -> ScanTarget {
    let terms = expectation().terms;
    let rail = if matches!(key, ExpectationKey::PaymentReference(_)) {
        crate::model::Rail::Reference
    } else {
        crate::model::Rail::Direct
    };
    ScanTarget {
        expectation_id: id.to_owned(),
        realm: terms.realm,
        key,
        accept: terms.accept,
        payer: None,
        rails: vec![rail],
        is_open: true,
        created_us: 0,
    }
}

fn by_reference() -> ScanTarget {
    expected("order-17", ExpectationKey::PaymentReference(REFERENCE.parse().unwrap()))
}

fn direct(id: &str) -> ScanTarget {
    expected(id, ExpectationKey::Direct)
}

/// What is found in a transaction with these logs, all of which the nodes show.
fn found_in(logs: Vec<Log>, targets: Vec<ScanTarget>) -> Vec<ScanFind> {
    let (chain, watch) = (base(), Watch::of(targets));
    let placed: Vec<PlacedLog> = logs
        .iter()
        .map(|log| PlacedLog { log: log.clone(), tx_hash: TX, block_number: HEIGHT, block_hash: BLOCK })
        .collect();
    let receipt = receipt(logs);
    let hits = hits(&placed, |log| watch.mark(&chain.contracts, log));
    let find = |hit: &Hit| {
        let candidates = candidates(hit, watch.paid_by(&hit.mark));
        super::find(&chain, &receipt, hit, &candidates, |target| facts(&[source()], target, 7))
    };
    hits.iter().filter_map(find).collect()
}

fn positions(find: &ScanFind) -> Vec<String> {
    find.slots.iter().map(|key| key.slot.to_string()).collect()
}

#[test]
fn a_proxys_payment_is_found_with_the_slots_that_it_will_claim() {
    let found = found_in(proxy_payment(PAYEE, HUNDRED, TOPIC), vec![by_reference()]);
    let [find] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(positions(find), ["log:0", "log:2"], "the transfer and the event, not the fee");
    assert_eq!((find.sighting.expectation_id.as_str(), find.sighting.tx_hash), ("order-17", TX));
    assert_eq!((find.block_hash, find.tx_index, find.is_bound), (BLOCK, 4, false));
    let claim = &find.claim;
    assert_eq!((claim.network.as_str(), claim.tx_hash.as_str()), ("base", TX.to_string().as_str()));
    assert_eq!(claim.payment_reference.as_ref().unwrap().to_string(), REFERENCE);
    assert_eq!((&claim.amount, &claim.currency, &claim.payer), (&None, &None, &None), "nothing about the money");
    let facts = &find.facts;
    assert_eq!((facts.origin, facts.delivery_id, facts.received_us), (Origin::Scan, uuid::Uuid::nil(), 7));
    assert_eq!((facts.source.as_str(), facts.provider_type.as_str()), ("rn", ""));
}

#[test]
fn one_reference_paid_twice_in_one_transaction_is_one_find() {
    let logs = [proxy_payment(PAYEE, 5, TOPIC), proxy_payment(PAYEE, 6, TOPIC)].concat();
    let found = found_in(logs, vec![by_reference()]);
    assert_eq!(found.len(), 1);
    assert_eq!(positions(&found[0]), ["log:0", "log:2", "log:3", "log:5"]);
}

#[test]
fn a_watched_reference_with_the_wrong_money_is_an_event_all_the_same() {
    let found = found_in(proxy_payment(STRANGER, HUNDRED, TOPIC), vec![by_reference()]);
    assert_eq!(found.len(), 1, "verification says what is wrong with it");
    assert_eq!(positions(&found[0]), ["log:2"], "its event");
}

#[test]
fn a_plain_transfer_is_found_for_the_expectation_that_waits_at_its_recipient() {
    let found = found_in(vec![transfer(USDC, PAYER, PAYEE, HUNDRED)], vec![direct("order-17")]);
    let [find] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((positions(find), find.is_bound), (vec!["log:0".to_owned()], true));
    let object = expected("order-18", ExpectationKey::ProviderObject("pi_1".to_owned()));
    let found = found_in(vec![transfer(USDC, PAYER, PAYEE, HUNDRED)], vec![object]);
    assert_eq!((found[0].is_bound, found[0].claim.provider_objects.as_slice()), (false, &["pi_1".to_owned()][..]));
}

#[test]
fn a_transfer_that_goes_with_a_proxys_event_is_no_direct_payment() {
    let found = found_in(proxy_payment(PAYEE, HUNDRED, OTHER_TOPIC), vec![direct("order-17")]);
    assert!(found.is_empty(), "{found:?}");
    let none = found_in(vec![transfer(USDC, PAYER, PAYEE, 0)], vec![direct("order-17")]);
    assert!(none.is_empty(), "nothing moved");
}

#[test]
fn of_several_the_named_payer_counts_then_what_is_open() {
    let paid = |targets: Vec<ScanTarget>| {
        found_in(vec![transfer(USDC, PAYER, PAYEE, HUNDRED)], targets).pop().map(|find| find.sighting.expectation_id)
    };
    let named = ScanTarget { payer: Some(PAYER), ..direct("z") };
    let other = ScanTarget { payer: Some(STRANGER), ..direct("a") };
    let ended = ScanTarget { is_open: false, ..direct("b") };
    assert_eq!(paid(vec![other.clone(), direct("c"), named.clone()]).as_deref(), Some("z"));
    assert_eq!(paid(vec![ended.clone(), direct("c")]).as_deref(), Some("c"));
    assert_eq!(paid(vec![direct("d"), direct("c")]).as_deref(), Some("c"), "held as ambiguous, once");
    assert_eq!(paid(vec![ended]).as_deref(), Some("b"), "late money is money");
    assert_eq!(paid(vec![other]), None);
}

#[test]
fn what_the_agreed_receipt_does_not_hold_is_nothing() {
    let (chain, target) = (base(), by_reference());
    let made_up = token_event(PROXY, USDC, PAYEE, HUNDRED, TOPIC);
    let hit = Hit { mark: Mark::Reference(TOPIC), tx_hash: TX, logs: vec![made_up] };
    let facts = |target: &ScanTarget| facts(&[source()], target, 7);
    let other = receipt(proxy_payment(PAYEE, 5, OTHER_TOPIC));
    assert!(find(&chain, &other, &hit, &[&target], facts).is_none());
}

#[test]
fn a_receipt_counts_when_enough_nodes_say_the_same() {
    let policy = Policy { agree: 2, owners: 2, lag_blocks: 3 };
    let known_is = |answers: [Result<Option<Receipt>, NodeError>; 3]| {
        let owners = ["x", "y", "z"];
        let answers = owners.into_iter().zip(answers).map(|(owner, answer)| NodeAnswer {
            node: owner.to_owned(),
            owner: owner.to_owned(),
            answer,
        });
        known(policy, &answers.collect::<Vec<_>>())
    };
    let down = || Err(NodeError::Unavailable("deadline passed"));
    let (one, two) = (receipt(proxy_payment(PAYEE, 5, TOPIC)), receipt(Vec::new()));
    let have = |receipt: &Receipt| Ok(Some(receipt.clone()));
    assert_eq!(known_is([have(&two), have(&one), have(&one)]), Known::Receipt(Box::new(one.clone())));
    assert_eq!(known_is([have(&one), Ok(None), Ok(None)]), Known::Unknown);
    assert_eq!(known_is([have(&one), have(&two), Ok(None)]), Known::Unclear);
    assert_eq!(known_is([have(&one), down(), down()]), Known::Unclear);
    assert_eq!(known_is([Ok(None), down(), down()]), Known::Unclear, "one that does not know it is not enough");
}
