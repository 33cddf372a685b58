//! What goes wrong around an attempt: addresses, TLS, the ledger, anchors, stop and crash.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::ledger::{Failures, Stands};
use super::receiver::Gate;
use super::support::{Bench, config, destination, id, message, outcomes, receiver, script};
use crate::clock::Clock;
use crate::config::Secret;
use crate::forward::Worker;
use crate::ledger::Ledger;
use crate::task::Wakes;
use crate::telemetry::Metrics;

/// Rounds of which one has to be quick.
const ROUNDS: usize = 8;

/// The outcome of the first attempt at a destination.
async fn first_outcome(destination: crate::config::Destination) -> &'static str {
    let bench = Bench::start(destination, script([message(1, "a")]));
    bench.until("a result", |ledger| !ledger.results().is_empty()).await;
    let results = bench.stop().await;
    assert_eq!(results[0].status, None);
    outcomes(&results)[0]
}

#[tokio::test]
async fn an_address_that_is_not_allowed_is_never_connected_to() {
    let receiver = receiver();
    let port = receiver.address().port();
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433"] {
        let mut to = destination(&format!("http://{host}:{port}/"));
        to.allow_private = false;
        assert_eq!(first_outcome(to).await, "address", "{host}");
    }
    assert_eq!(first_outcome(destination("http://169.254.169.254/")).await, "address");
    assert_eq!(receiver.connections(), 0);
}

#[tokio::test]
async fn a_name_that_is_allowed_is_connected_to() {
    let receiver = receiver();
    let bench = Bench::start(
        destination(&format!("http://localhost:{}/hook?key=1", receiver.address().port())),
        script([message(1, "a")]),
    );
    bench.until_delivered([1]).await;
    assert_eq!(receiver.received()[0].target, "/hook?key=1");
    bench.stop().await;
}

#[tokio::test]
async fn no_connection_and_no_handshake_have_words_of_their_own() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let refused = destination(&format!("http://{}/", free.local_addr().unwrap()));
    drop(free);
    assert_eq!(first_outcome(refused).await, "connect");
    assert_eq!(first_outcome(destination("http://no-such-host.invalid/")).await, "connect");
    let plain = receiver();
    assert_eq!(first_outcome(destination(&format!("https://{}/", plain.address()))).await, "tls");
}

#[tokio::test]
async fn a_ledger_that_fails_delays_and_never_doubles() {
    let receiver = receiver();
    let ledger = script([message(1, "a"), message(2, "a"), message(3, "b")]);
    ledger.fail(Failures { looks: 2, intents: 3, results: 3, recovers: 2 });
    let bench = Bench::start(destination(&receiver.url()), ledger);
    bench.until_delivered([1, 2, 3]).await;
    assert_eq!(receiver.received().len(), 3, "a result that was not recorded at once is no second attempt");
    bench.stop().await;
}

#[tokio::test]
async fn a_stale_anchor_asks_verification_and_sends_nothing() {
    let receiver = receiver();
    let ledger = script([message(1, "a"), message(2, "a"), message(3, "b")]);
    ledger.make_stale(id(1));
    let bench = Bench::start(destination(&receiver.url()), ledger);
    tokio::time::timeout(Duration::from_secs(30), bench.wakes.verify.wait(Duration::from_secs(60))).await.unwrap();
    bench.until_delivered([3]).await;
    // It asks again after a rest, not in a loop.
    let began = Instant::now();
    let asked = bench.ledger.checks_asked();
    bench.until("more looks at the anchor", |ledger| ledger.checks_asked() >= asked + 3).await;
    assert!(began.elapsed() >= Duration::from_millis(500), "{:?}", began.elapsed());
    assert_eq!(receiver.received().len(), 1);
    bench.ledger.confirm_anchor(id(1));
    bench.until_delivered([1, 2]).await;
    assert_eq!(outcomes(&bench.stop().await), ["ok", "ok", "ok"]);
}

#[tokio::test]
async fn attempts_that_a_crash_left_open_are_made_again() {
    let receiver = receiver();
    let ledger = script([message(1, "a"), message(2, "a")]);
    ledger.leave_open(id(1));
    let bench = Bench::start(destination(&receiver.url()), ledger);
    bench.until_delivered([1, 2]).await;
    let order: Vec<_> = receiver.received().into_iter().map(|one| one.webhook_id).collect();
    assert_eq!(order, [id(1).to_string(), id(2).to_string()]);
    bench.stop().await;
}

#[tokio::test]
async fn stop_lets_what_is_in_flight_finish_and_starts_nothing() {
    let receiver = receiver();
    let (gate, wait) = Gate::closed();
    receiver.always(wait);
    let mut to = destination(&receiver.url());
    to.concurrency = 2;
    let bench = Bench::start(to, script((0..10).map(|n| message(n, &format!("lane-{n}")))));
    receiver.wait_for(2).await;
    bench.say_stop();
    tokio::task::yield_now().await;
    assert!(bench.is_running());
    gate.open();
    let ledger = Arc::clone(&bench.ledger);
    assert_eq!(outcomes(&bench.stop().await), ["ok", "ok"]);
    assert_eq!(receiver.received().len(), 2);
    let left = (0..10).filter(|n| matches!(ledger.stands(id(*n)), Stands::Due { .. })).count();
    assert_eq!(left, 8);
}

#[tokio::test]
async fn one_wake_reaches_every_destination() {
    let (one, two) = (receiver(), receiver());
    let mut second = destination(&two.url());
    second.name = "second".into();
    let mut pull_only = destination("http://127.0.0.1:9/");
    (pull_only.name, pull_only.url) = ("pull".into(), None);
    let ledger = Arc::new(script([]));
    let wakes = Wakes::default();
    let config = config(vec![destination(&one.url()), second, pull_only]);
    let shared: Arc<dyn Ledger> = ledger.clone();
    let worker = Worker::new(shared, &config, Clock::system(), &Metrics::new(), wakes.clone()).unwrap();
    let (switch, stop) = crate::task::stop();
    let running = crate::task::spawn("test-forward", worker.run(stop));
    // Both have looked and found nothing: without a hint they look again after two seconds.
    while ledger.looks() < 2 {
        tokio::task::yield_now().await;
    }
    // A busy machine is slow now and then; without the hint each round is.
    let mut rounds = Vec::new();
    for (taken, number) in (1..=ROUNDS).zip((1..).step_by(2)) {
        let began = Instant::now();
        ledger.add([message(number, "a"), message(number + 1, "b@second")]);
        wakes.forward.wake();
        one.wait_for_taken(taken).await;
        two.wait_for_taken(taken).await;
        rounds.push(began.elapsed());
        if began.elapsed() < Duration::from_millis(1500) {
            break;
        }
    }
    assert!(rounds.last().is_some_and(|last| *last < Duration::from_millis(1500)), "{rounds:?}");
    switch.stop();
    running.await.unwrap();
}

#[test]
fn a_destination_that_cannot_work_is_named_without_its_secrets() {
    let build = |change: fn(&mut crate::config::Destination)| {
        let mut to = destination("https://backend.example/hook?token=hidden");
        change(&mut to);
        let ledger: Arc<dyn Ledger> = Arc::new(script([]));
        Worker::new(ledger, &config(vec![to]), Clock::system(), &Metrics::new(), Wakes::default())
            .err()
            .map(|error| error.to_string())
    };
    assert_eq!(build(|_| ()), None);
    for error in [
        build(|to| to.url = Some("ftp://hidden@backend.example/".into())).unwrap(),
        build(|to| to.url = Some("hidden".into())).unwrap(),
        build(|to| to.secrets = vec![Secret::new("whsec_hidden!".into())]).unwrap(),
        build(|to| to.secrets.clear()).unwrap(),
    ] {
        assert!(error.contains("\"default\"") && !error.contains("hidden"), "{error}");
    }
}
