//! What the stage does from claim to message.

use super::reader::Mood;
use super::*;
use crate::model::{ExpectationKey, Rail};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proven_claim_becomes_one_message_that_carries_the_signed_body() {
    let bench = Bench::start(Scripted::paid());
    bench.expects(expectation()).await;
    bench.claims("one", claim()).await;
    let event = bench.until_code(Code::Verified).await;
    assert_eq!((event.state, event.expectation_id.as_deref()), (EventState::Forwarding, Some("order-17")));
    let messages = bench.messages().await;
    let [message] = messages.as_slice() else { panic!("{messages:?}") };
    assert_eq!(message["type"], "payment.verified");
    assert_eq!(message["data"]["payment"]["amount_base_units"], "100000000");
    assert_eq!(message["data"]["verification"]["assurance"], "A3");
    assert_eq!(message["data"]["claimed"]["event"], "payment.confirmed");
    assert_eq!(message["data"]["expectation"]["status"], "paid");
    // Counted after the write: the count is there once the stage has ended.
    let metrics = bench.metrics.clone();
    bench.end().await;
    let text = metrics.encode().unwrap();
    assert!(text.contains(r#"tollgate_verdicts_total{source="rn",code="VERIFIED"} 1"#), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_destination_with_types_gets_only_those() {
    let bench = Bench::start(Scripted::paid());
    let mut large = expectation();
    large.terms.accept[0].amount *= alloy_primitives::U256::from(2);
    bench.expects(large).await;
    bench.claims("one", claim()).await;
    bench.until_code(Code::VerifiedPartial).await;
    assert_eq!(bench.messages().await[0]["type"], "payment.partial");
    let now_us = bench.clock.now().as_microsecond();
    assert!(bench.ledger.due_messages("completions", now_us, 10).await.unwrap().is_empty());
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rule_15_doubt_lasts_as_long_as_its_cause_and_ends_by_itself() {
    let bench = Bench::start(Scripted::new(Mood::Down));
    bench.expects(expectation()).await;
    bench.claims("one", claim()).await;
    let doubtful = bench.until_code(Code::RpcUnavailable).await;
    assert_eq!(doubtful.state, EventState::Undetermined);
    assert!(bench.messages().await.is_empty());
    // Ten days later it is still doubt, and no refusal.
    let before = bench.reader.looks();
    bench.later(Duration::from_secs(864_000));
    bench.until(|_| before < bench.reader.looks()).await;
    bench.until(|events| events[0].due_us.is_some_and(|due| bench.clock.now().as_microsecond() < due)).await;
    assert_eq!(bench.until_code(Code::RpcUnavailable).await.state, EventState::Undetermined);
    bench.reader.turns(Mood::paid(BLOCK));
    bench.later(Duration::from_secs(120));
    bench.until_code(Code::Verified).await;
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn webhook_first_and_expectation_later_is_verified() {
    let bench = Bench::start(Scripted::paid());
    bench.claims("one", claim()).await;
    bench.until_code(Code::ExpectationUnknown).await;
    assert_eq!(bench.reader.looks(), 0, "no quota is spent on what nobody expects");
    bench.expects(expectation()).await;
    bench.until_code(Code::Verified).await;
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transfer_that_a_proxy_spoke_for_settles_no_direct_order() {
    let bench = Bench::start(Scripted::paid());
    let mut other = expectation();
    other.terms.id = "order-18".to_owned();
    other.terms.key = ExpectationKey::ProviderObject("obj".to_owned());
    (other.terms.rails, other.terms.payer) = (vec![Rail::Direct], Some(PAYER));
    bench.expects(expectation()).await;
    bench.expects(other).await;
    bench.claims("one", claim()).await;
    bench.until_code(Code::Verified).await;
    // The proxy's transfer presented again, as a direct one and under another order.
    let again =
        Claim { payment_reference: None, request_id: None, provider_objects: vec!["obj".to_owned()], ..claim() };
    bench.claims("two", again).await;
    bench.until(|events| events.iter().any(|event| event.state == EventState::Refuted)).await;
    assert_eq!(bench.messages().await.len(), 1);
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_claims_of_one_reference_send_once() {
    let bench = Bench::start(Scripted::new(Mood::Down));
    bench.expects(expectation()).await;
    for n in 0..100 {
        bench.claims(&format!("copy {n}"), claim()).await;
    }
    bench.until(|events| events.iter().all(|event| event.code == Some(Code::RpcUnavailable))).await;
    bench.reader.turns(Mood::paid(BLOCK));
    bench.later(Duration::from_secs(120));
    let done = |event: &EventView| matches!(event.code, Some(Code::Verified | Code::Joined));
    let events = bench.until(|events| events.iter().all(done)).await;
    assert_eq!((events.len(), events.iter().filter(|event| event.code == Some(Code::Verified)).count()), (100, 1));
    assert_eq!(bench.messages().await.len(), 1);
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_of_one_transaction_share_one_look() {
    // All are due before the stage begins: in a running one each could be taken as it comes.
    let (bench, begin) = Bench::still(Scripted::new(Mood::Down));
    bench.expects(expectation()).await;
    for n in 0..20 {
        bench.claims(&format!("copy {n}"), claim()).await;
    }
    begin.send(()).unwrap();
    let judged = |event: &EventView| event.code == Some(Code::RpcUnavailable);
    let events = bench.until(|events| events.iter().all(judged)).await;
    assert_eq!((events.len(), bench.reader.looks()), (20, 1));
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_block_lost_before_the_first_attempt_takes_the_message_back() {
    let bench = Bench::start(Scripted::paid());
    bench.expects(expectation()).await;
    bench.claims("one", claim()).await;
    bench.until_code(Code::Verified).await;
    let (first, now_us) = (bench.ledger.due_messages("default", i64::MAX, 1).await.unwrap().remove(0), i64::MAX);
    bench.reader.turns(Mood::paid(B256::repeat_byte(0xc2)));
    // The anchor is older than a sender accepts: verification is asked to look again.
    let now = bench.clock.now().as_microsecond();
    let intent = crate::ledger::RecordIntent {
        webhook_id: first.webhook_id,
        destination: "default".to_owned(),
        attempt_id: Uuid::from_u128(77),
        now_us: now,
        anchor_since_us: now + 1,
    };
    assert_eq!(bench.ledger.record_intent(intent).await.unwrap(), crate::ledger::Intent::AnchorStale);
    bench.wakes.verify.wake();
    let elsewhere = |event: &EventView| event.anchor.is_some_and(|a| a.block_hash == B256::repeat_byte(0xc2));
    bench.until(|events| elsewhere(&events[0]) && events[0].state == EventState::Forwarding).await;
    let messages = bench.ledger.due_messages("default", now_us, 10).await.unwrap();
    assert_eq!(messages.len(), 1, "the first was superseded");
    assert_eq!(messages[0].webhook_id.state_version, 2);
    assert_eq!(bench.until_code(Code::Verified).await.payment_id, Some(payment_id(&first.body)));
    bench.end().await;
}

fn payment_id(body: &[u8]) -> crate::model::PaymentId {
    let message: serde_json::Value = serde_json::from_slice(body).unwrap();
    crate::model::PaymentId::from_stored(message["data"]["payment_id"].as_str().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stop_ends_the_stage_while_a_node_hangs() {
    let bench = Bench::start(Scripted::new(Mood::Hangs));
    bench.expects(expectation()).await;
    bench.claims("one", claim()).await;
    bench.until(|_| bench.reader.looks() == 1).await;
    assert!(!bench.running.is_finished());
    bench.end().await;
}
