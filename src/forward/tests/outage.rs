//! A backend that takes nothing: it is left alone, comes back slowly, and delays no other.

use std::sync::Arc;
use std::time::Duration;

use super::receiver::{Answer, Gate, Receiver};
use super::support::{Bench, config, destination, id, message, receiver, script};
use crate::clock::Clock;
use crate::config::{Breaker, Destination};
use crate::forward::Worker;
use crate::ledger::{DueMessage, Ledger, Next};
use crate::task::Wakes;
use crate::telemetry::{Metrics, metrics};

/// Opens after three lanes; what fails waits for an hour unless it is hastened.
fn fragile(receiver: &Receiver) -> Destination {
    let breaker = Breaker { failures: 3, first: Duration::from_millis(20), max: Duration::from_millis(40) };
    let hour = Duration::from_secs(3600);
    Destination { breaker, backoff_first: hour, backoff_max: hour, ..destination(&receiver.url()) }
}

fn many(count: u32) -> impl Iterator<Item = DueMessage> {
    (0..count).map(|n| message(n, &format!("lane-{n}")))
}

fn is_open(bench: &Bench) -> bool {
    bench.metrics.forward_breaker_open.get_or_create(&metrics::Destination::of("default")).get() == 1
}

#[tokio::test]
async fn a_backend_that_is_down_hears_probes_only_one_at_a_time() {
    let receiver = receiver();
    let (gate, wait) = Gate::closed();
    receiver.script([Answer::Status(500), Answer::Status(500), Answer::Status(500)]);
    receiver.always(wait);
    let bench = Bench::live(fragile(&receiver), script(many(50)));
    receiver.wait_for(4).await;
    bench.until("the breaker", |_| is_open(&bench)).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(receiver.received().len(), 4, "the probe is out, nothing else is");
    gate.open();
    bench.until_delivered(0..50).await;
    assert!(!is_open(&bench));
    assert!(bench.stop().await.iter().all(|result| result.next != Next::Dead));
}

#[tokio::test]
async fn probes_go_on_although_every_message_has_failed() {
    let receiver = receiver();
    receiver.always(Answer::Status(502));
    let bench = Bench::live(fragile(&receiver), script(many(3)));
    bench
        .until("probes of each", |ledger| {
            (0..3).all(|n| ledger.results().iter().filter(|result| result.webhook_id == id(n)).count() >= 3)
        })
        .await;
    receiver.always(Answer::Status(200));
    // None waits for the hour that its backoff might be.
    bench.until_delivered(0..3).await;
    bench.stop().await;
}

#[tokio::test]
async fn what_the_backend_asked_for_is_kept_when_it_is_back() {
    let receiver = receiver();
    let asked = id(0).to_string();
    let late = Answer::Full(503, vec![("retry-after", "3000".into())], String::new());
    receiver.choose(move |got| (got.webhook_id == asked).then(|| late.clone()));
    let mut to = fragile(&receiver);
    to.breaker.failures = 1000;
    let bench = Bench::live(to, script(many(1)));
    bench.until("the wish", |ledger| ledger.results().len() == 1).await;
    assert_eq!(bench.ledger.hasten("default", i64::MAX / 2).await.unwrap(), 0);
    bench.stop().await;
}

#[tokio::test]
async fn one_payment_that_is_never_taken_does_not_open_it() {
    let receiver = receiver();
    let bad = id(0).to_string();
    receiver.choose(move |got| (got.webhook_id == bad).then_some(Answer::Status(500)));
    let mut to = fragile(&receiver);
    (to.backoff_first, to.backoff_max) = (Duration::from_millis(1), Duration::from_millis(1));
    let bench = Bench::live(to, script(many(1)));
    bench.until("a row of failures", |ledger| ledger.results().len() > 10).await;
    assert!(!is_open(&bench));
    bench.ledger.add([message(7, "other")]);
    bench.wakes.forward.wake();
    bench.until_delivered([7]).await;
    bench.stop().await;
}

#[tokio::test]
async fn a_start_does_not_stampede() {
    let receiver = receiver();
    let (gate, wait) = Gate::closed();
    receiver.script([wait]);
    let bench = Bench::start(destination(&receiver.url()), script(many(200)));
    receiver.wait_for(1).await;
    gate.open();
    bench.until_delivered(0..200).await;
    assert!(receiver.most_at_once() <= 8);
    bench.stop().await;
}

#[tokio::test]
async fn a_dead_destination_delays_no_other() {
    let (well, hung) = (receiver(), receiver());
    hung.always(Answer::Stall);
    let mut second = destination(&hung.url());
    second.name = "second".into();
    let messages = (0..200)
        .map(|n| message(n, &format!("lane-{n}")))
        .chain((1000..1200).map(|n| message(n, &format!("lane-{n}@second"))));
    let ledger = Arc::new(script(messages));
    let shared: Arc<dyn Ledger> = ledger.clone();
    let config = config(vec![destination(&well.url()), second]);
    let worker = Worker::new(shared, &config, Clock::system(), &Metrics::new(), Wakes::default()).unwrap();
    let (switch, stop) = crate::task::stop();
    let running = crate::task::spawn("test-forward", worker.run(stop));
    hung.wait_for(1).await;
    // Those of the other hang for ten seconds each: were one waited for, this would wait far longer than its patience.
    well.wait_for_taken(200).await;
    assert_eq!(hung.taken().len(), 0);
    switch.stop();
    running.abort();
}
