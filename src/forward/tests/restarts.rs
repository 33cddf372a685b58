//! What a restart must not forget.

use std::sync::Arc;
use std::time::Duration;

use super::receiver::Answer;
use super::support::{Bench, destination, id, message, receiver, script, start};
use crate::clock::Clock;
use crate::config::Breaker;
use crate::ledger::Next;
use crate::telemetry::metrics;

const DAYS_8: Duration = Duration::from_secs(8 * 86_400);

/// Longer than any backoff of the bench.
const A_WHILE: Duration = Duration::from_secs(1);

/// `max_age` is seven days: without the outage that an earlier life saw, the message would be given up.
#[tokio::test]
async fn rule_21_an_outage_counts_for_nobodys_patience_after_a_restart_either() {
    let receiver = receiver();
    receiver.always(Answer::Status(500));
    let breaker = Breaker { failures: 3, first: Duration::from_millis(20), max: Duration::from_millis(40) };
    let to = || crate::config::Destination { breaker, ..destination(&receiver.url()) };
    let ledger = Arc::new(script((0..3).map(|n| message(n, &format!("lane-{n}")))));
    let clock = Clock::manual(start());
    let first = Bench::on(to(), Arc::clone(&ledger), clock.clone());
    first
        .until("the breaker", |_| {
            first.metrics.forward_breaker_open.get_or_create(&metrics::Destination::of("default")).get() == 1
        })
        .await;
    first.advance(DAYS_8);
    first.stop().await;

    // The backend is back, and does not take one of them.
    let bad = id(0).to_string();
    receiver.choose(move |got| (got.webhook_id != bad).then_some(Answer::Status(200)));
    let second = Bench::on(destination(&receiver.url()), Arc::clone(&ledger), clock);
    second.until_delivered([1, 2]).await;
    for other in 10..14 {
        second.fails_again(id(0), A_WHILE).await;
        assert_ne!(ledger.last(id(0)), Some(Next::Dead), "it has waited for hours at most");
        second.ledger.add([message(other, &format!("lane-{other}"))]);
        second.wakes.forward.wake();
        second.until_delivered([other]).await;
    }
    // Its own patience ends.
    second.advance(DAYS_8);
    second.fails_again(id(0), A_WHILE).await;
    second.ledger.add([message(20, "lane-20")]);
    second.wakes.forward.wake();
    second.until_delivered([20]).await;
    second.fails_again(id(0), A_WHILE).await;
    assert_eq!(ledger.last(id(0)), Some(Next::Dead));
    second.stop().await;
}
