//! Order inside a lane, freedom between lanes, and the end of a message.

use std::time::Duration;

use super::ledger::Stands;
use super::receiver::{Answer, Gate};
use super::support::{Bench, destination, id, message, receiver, script};
use crate::ledger::Next;

#[tokio::test]
async fn other_lanes_flow_past_a_stuck_one_and_its_own_waits_in_order() {
    let receiver = receiver();
    let (gate, wait) = Gate::closed();
    let stuck = id(1).to_string();
    receiver.choose(move |got| (got.webhook_id == stuck).then(|| wait.clone()));
    let others = (10..60).map(|n| message(n, &format!("other-{n}")));
    let bench = Bench::start(
        destination(&receiver.url()),
        script([message(1, "a"), message(2, "a"), message(3, "a")].into_iter().chain(others)),
    );
    bench.until_delivered(10..60).await;
    let of_a = |all: Vec<super::receiver::Received>| {
        all.into_iter().filter(|one| one.lane() == "a").map(|one| one.webhook_id).collect::<Vec<_>>()
    };
    assert_eq!(of_a(receiver.received()), [id(1).to_string()]);
    gate.open();
    bench.until_delivered([1, 2, 3]).await;
    assert_eq!(of_a(receiver.received()), [1, 2, 3].map(|n| id(n).to_string()));
    bench.stop().await;
}

#[tokio::test]
async fn a_failing_message_holds_its_lane_only() {
    let receiver = receiver();
    let failing = id(1).to_string();
    receiver.choose(move |got| (got.webhook_id == failing).then_some(Answer::Status(500)));
    let bench = Bench::start(
        destination(&receiver.url()),
        script([message(1, "a"), message(2, "a"), message(3, "b"), message(4, "b")]),
    );
    bench.until_delivered([3, 4]).await;
    bench.until("a failure", |ledger| !ledger.results().is_empty()).await;
    assert!(matches!(bench.ledger.stands(id(2)), Stands::Due { .. }));
    assert!(receiver.received().iter().all(|one| one.webhook_id != id(2).to_string()));
    bench.stop().await;
}

#[tokio::test]
async fn an_old_message_that_only_it_fails_is_parked_and_its_lane_goes_on() {
    let receiver = receiver();
    let failing = id(1).to_string();
    receiver.choose(move |got| (got.webhook_id == failing).then_some(Answer::Status(500)));
    let bench = Bench::start(destination(&receiver.url()), script([message(1, "a"), message(2, "a")]));
    let failures = |count| move |ledger: &super::ledger::Script| ledger.results().len() == count;
    bench.until("the first failure", failures(1)).await;
    // Old now; the first failure at that age only sets the mark.
    bench.advance(Duration::from_secs(8 * 86_400));
    bench.until("the second failure", failures(2)).await;
    assert!(matches!(bench.ledger.results()[1].next, Next::Retry { .. }));
    // Another lane gets through, and then it fails again.
    bench.ledger.add([message(9, "other")]);
    bench.wakes.forward.wake();
    bench.until_delivered([9]).await;
    bench.advance(Duration::from_secs(60));
    bench.until("the end", |ledger| ledger.stands(id(1)) == Stands::Dead).await;
    bench.until_delivered([2]).await;
    bench.stop().await;
}

#[tokio::test]
async fn an_outage_of_any_length_makes_nothing_dead() {
    let receiver = receiver();
    receiver.always(Answer::Status(500));
    let bench = Bench::start(destination(&receiver.url()), script((0..5).map(|n| message(n, &format!("lane-{n}")))));
    for round in 1..=6 {
        bench.until("a round of failures", |ledger| ledger.results().len() == 5 * round).await;
        bench.advance(Duration::from_secs(30 * 86_400));
    }
    receiver.always(Answer::Status(200));
    bench.advance(Duration::from_secs(60));
    bench.until_delivered(0..5).await;
    assert!(bench.stop().await.iter().all(|result| result.next != Next::Dead));
}
