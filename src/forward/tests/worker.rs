//! What arrives at the backend, and what is recorded of it.

use std::time::Duration;

use super::ledger::Failures;
use super::receiver::{Answer, Gate, Receiver, signature};
use super::support::{Bench, OLD_SECRET, SECRET, destination, id, message, outcomes, receiver, script, start};
use crate::config::Secret;
use crate::ledger::{Next, PauseTarget};
use crate::telemetry::metrics::DestinationOutcome;

#[tokio::test]
async fn a_message_arrives_as_stored_signed_and_on_record() {
    let receiver = receiver();
    let sent = message(1, "a");
    let bench = Bench::start(destination(&receiver.url()), script([sent.clone()]));
    let got = receiver.wait_for_taken(1).await.remove(0);
    bench.until_delivered([1]).await;

    assert_eq!(got.body, sent.body);
    assert_eq!(got.webhook_id, id(1).to_string());
    assert_eq!(got.timestamp, start().as_second());
    assert_eq!(got.headers["user-agent"], concat!("tollgate/", env!("CARGO_PKG_VERSION")));
    assert_eq!(got.headers["webhook-signature"], signature(SECRET, &got.webhook_id, got.timestamp, &sent.body));
    let made = &bench.ledger.intents()[0];
    assert_eq!((made.webhook_id, made.destination.as_str(), made.now_us), (id(1), "default", start().as_microsecond()));
    assert_eq!(made.anchor_since_us, start().as_microsecond() - 60_000_000);
    assert_eq!(made.attempt_id.get_version_num(), 7);
    let attempts = bench.metrics.forward_attempts.get_or_create(&DestinationOutcome::of("default", "ok")).get();
    let (made, results) = (made.clone(), bench.stop().await);
    assert_eq!((results.len(), attempts), (1, 1));
    assert_eq!((results[0].attempt_id, results[0].status, results[0].outcome), (made.attempt_id, Some(200), "ok"));
    assert_eq!(results[0].next, Next::Delivered);
}

#[tokio::test]
async fn retries_carry_the_same_id_and_bytes_and_every_attempt_is_on_record() {
    let receiver = receiver();
    let late = Answer::Full(429, vec![("retry-after", "0".into())], "slow down".into());
    receiver.script([Answer::Status(500), late, Answer::Close, Answer::Status(503), Answer::Status(404)]);
    let bench = Bench::live(destination(&receiver.url()), script([message(1, "a")]));
    let all = receiver.wait_for(6).await;
    bench.until_delivered([1]).await;

    // The receiver itself fails on other bytes under the same id.
    assert!(all.iter().all(|one| one.webhook_id == id(1).to_string()));
    let results = bench.stop().await;
    assert_eq!(outcomes(&results), ["status", "retry_after", "io", "status", "status", "ok"]);
    let statuses: Vec<_> = results.iter().map(|result| result.status).collect();
    assert_eq!(statuses, [Some(500), Some(429), None, Some(503), Some(404), Some(200)]);
    assert_eq!(results[1].response, "slow down");
    let mut attempts: Vec<_> = results.iter().map(|result| result.attempt_id).collect();
    attempts.dedup();
    assert_eq!(attempts.len(), 6);
}

#[tokio::test]
async fn a_retry_is_signed_with_its_own_time() {
    let receiver = receiver();
    receiver.script([Answer::Status(500)]);
    let bench = Bench::start(destination(&receiver.url()), script([message(1, "a")]));
    receiver.wait_for(1).await;
    bench.until("a result", |ledger| ledger.results().len() == 1).await;
    bench.advance(Duration::from_secs(86_400));
    let all = receiver.wait_for(2).await;
    assert_eq!(all[1].timestamp - all[0].timestamp, 86_400);
    bench.until_delivered([1]).await;
    bench.stop().await;
}

#[tokio::test]
async fn retry_after_is_obeyed() {
    let receiver = receiver();
    receiver.script([Answer::Full(503, vec![("retry-after", "120".into())], String::new())]);
    let bench = Bench::start(destination(&receiver.url()), script([message(1, "a")]));
    bench.until("a result", |ledger| ledger.results().len() == 1).await;
    let Next::Retry { due_us } = bench.ledger.results()[0].next else { panic!("no retry") };
    let wait_us = due_us - start().as_microsecond();
    assert!((120_000_000..=120_010_000).contains(&wait_us), "{wait_us}");

    // A look before the time finds nothing: another message goes, this one stays.
    bench.clock.advance(Duration::from_secs(119));
    bench.ledger.add([message(2, "b")]);
    bench.wakes.forward.wake();
    bench.until_delivered([2]).await;
    assert_eq!(receiver.received().len(), 2);
    bench.advance(Duration::from_secs(2));
    bench.until_delivered([1]).await;
    bench.stop().await;
}

#[tokio::test]
async fn a_redirect_is_a_failure_and_nobody_follows_it() {
    let (receiver, other) = (receiver(), receiver());
    let location = |status| Answer::Full(status, vec![("location", other.url())], String::new());
    receiver.script([location(301), location(302), location(303), location(307), location(308)]);
    let bench = Bench::live(destination(&receiver.url()), script([message(1, "a")]));
    bench.until_delivered([1]).await;
    assert_eq!(outcomes(&bench.stop().await), ["redirect", "redirect", "redirect", "redirect", "redirect", "ok"]);
    assert_eq!(other.connections(), 0);
}

#[tokio::test]
async fn a_backend_that_does_not_answer_in_time_is_tried_again() {
    let receiver = receiver();
    receiver.script([Answer::Stall]);
    let mut to = destination(&receiver.url());
    to.timeout = Duration::from_millis(150);
    let bench = Bench::live(to, script([message(1, "a")]));
    bench.until_delivered([1]).await;
    let results = bench.stop().await;
    // On a busy machine the backend may be too slow once more.
    let told = outcomes(&results);
    let (last, before) = told.split_last().unwrap();
    assert!(*last == "ok" && !before.is_empty() && before.iter().all(|one| *one == "timeout"), "{told:?}");
    assert!(results[0].status.is_none() && results[0].latency_ms >= 150, "{:?}", results[0]);
}

#[tokio::test]
async fn every_secret_signs_the_newest_first() {
    for known in [SECRET, OLD_SECRET] {
        let receiver = Receiver::start(&[known]);
        let mut to = destination(&receiver.url());
        to.secrets = vec![Secret::new(SECRET.into()), Secret::new(OLD_SECRET.into())];
        let bench = Bench::start(to, script([message(1, "a")]));
        let got = receiver.wait_for_taken(1).await.remove(0);
        bench.until_delivered([1]).await;
        let one = |secret| signature(secret, &got.webhook_id, got.timestamp, &got.body);
        assert_eq!(got.headers["webhook-signature"], format!("{} {}", one(SECRET), one(OLD_SECRET)));
        bench.stop().await;
    }
}

#[tokio::test]
async fn an_accepted_status_means_taken() {
    let receiver = receiver();
    receiver.script([Answer::Status(409)]);
    let mut to = destination(&receiver.url());
    to.accept = vec![409];
    let bench = Bench::start(to, script([message(1, "a")]));
    bench.until_delivered([1]).await;
    assert_eq!(outcomes(&bench.stop().await), ["ok"]);
}

#[tokio::test]
async fn gone_is_counted_apart_and_pauses_the_destination() {
    let receiver = receiver();
    receiver.script([Answer::Status(410)]);
    let bench = Bench::start(destination(&receiver.url()), script([message(1, "a")]));
    bench.until("a result", |ledger| ledger.results().len() == 1).await;
    let gone = bench.metrics.forward_attempts.get_or_create(&DestinationOutcome::of("default", "gone")).get();
    assert_eq!(gone, 1);
    assert_eq!(bench.ledger.pauses(), [(PauseTarget::Destination("default".into()), true)]);
    assert!(matches!(bench.ledger.results()[0].next, Next::Retry { .. }), "it waits, it is not lost");
    bench.stop().await;
}

#[tokio::test]
async fn of_an_answer_a_kilobyte_is_kept_and_a_slow_or_endless_body_changes_nothing() {
    let receiver = receiver();
    // A character of three bytes across the border, and far more than is read.
    receiver.script([Answer::Full(200, Vec::new(), "x".repeat(1023) + &"€".repeat(100_000))]);
    let bench = Bench::start(destination(&receiver.url()), script([message(1, "a")]));
    bench.until_delivered([1]).await;
    let results = bench.stop().await;
    assert_eq!(results[0].next, Next::Delivered);
    assert!(results[0].response.len() <= 1024 && results[0].response.starts_with(&"x".repeat(1023)));
}

#[tokio::test]
async fn connections_are_kept_and_slots_are_the_limit() {
    let receiver = receiver();
    let (gate, wait) = Gate::closed();
    receiver.always(wait);
    let bench = Bench::start(destination(&receiver.url()), script((0..400).map(|n| message(n, &format!("lane-{n}")))));
    receiver.wait_for(8).await;
    gate.open();
    bench.until_delivered(0..400).await;
    assert_eq!(receiver.received().len(), 400);
    assert_eq!(receiver.most_at_once(), 8);
    // The pool may open one too many when a connection comes back while another is being made.
    assert!(receiver.connections() < 40, "{} connections", receiver.connections());
    // Far fewer looks than messages: a look fetches twice the slots.
    assert!(bench.ledger.looks() < 200, "{} looks", bench.ledger.looks());
    bench.stop().await;
}

#[tokio::test]
async fn what_was_taken_leaves_its_slot_and_waits_for_the_ledger_in_bounds() {
    let receiver = receiver();
    let to = crate::config::Destination { concurrency: 2, ..destination(&receiver.url()) };
    let ledger = script((0..10).map(|n| message(n, &format!("lane-{n}"))));
    ledger.fail(Failures { results: u32::MAX, ..Failures::default() });
    let bench = Bench::start(to, ledger);
    receiver.wait_for(4).await;
    bench.until("every result is tried", |ledger| ledger.results_tried() >= 8).await;
    assert_eq!(receiver.received().len(), 4, "twice the slots, and nothing more until one is on record");
    bench.ledger.fail(Failures::default());
    bench.until_delivered(0..10).await;
    assert_eq!(receiver.received().len(), 10);
    assert!(receiver.most_at_once() <= 2, "{} at once", receiver.most_at_once());
    bench.stop().await;
}

#[tokio::test]
async fn a_rate_spaces_attempts() {
    let receiver = receiver();
    let mut to = destination(&receiver.url());
    to.rate = Some(100);
    let bench = Bench::start(to, script((0..31).map(|n| message(n, &format!("lane-{n}")))));
    bench.until_delivered(0..31).await;
    let all = receiver.received();
    let took = all[30].at - all[0].at;
    // 30 intervals of 10 ms, of which 50 ms may be run ahead; slower is not a failure on a busy machine.
    assert!(took >= Duration::from_millis(230), "{took:?}");
    bench.stop().await;
}
