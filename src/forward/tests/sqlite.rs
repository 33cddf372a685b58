//! The worker on the real embedded ledger: plain events taken in as intake does, posted over real sockets.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::receiver::{Answer, Gate, Receiver};
use super::support::{config, destination, facts, receiver};
use crate::clock::Clock;
use crate::config::Destination;
use crate::forward::Worker;
use crate::ledger::sqlite::Sqlite;
use crate::ledger::{
    Cursor, EventDetail, IntakeBatch, IntakeDelivery, IntakeEvent, IntakeKind, Ledger, PauseTarget, PlainRenderer, Who,
};
use crate::message::{Claimed, Head, Rendered, provider_event};
use crate::model::{EventId, EventState, Identity, Part, WebhookId};
use crate::task::{self, StopSwitch, Wakes};
use crate::telemetry::Metrics;

#[derive(Debug)]
struct Plain(Head);

impl PlainRenderer for Plain {
    fn render(&self, id: WebhookId) -> Rendered {
        provider_event(id, &self.0.facts.lane, &self.0, None, &Claimed::of(b"{\"object\" : \"event\"}"))
    }
}

fn identity(number: u32) -> Identity {
    Identity::derive("stripe", "stripe", "event", &[Part::Text(&number.to_string())])
}

/// Takes in one plain event a number, each with a message to `default`.
async fn take_in(ledger: &Sqlite, lanes: impl IntoIterator<Item = (u32, String)>) {
    let now = Clock::system().now();
    let from = ledger.cursor().await.unwrap();
    let mut seq = from.map_or(0, |cursor| cursor.seq);
    let deliveries: Vec<_> = lanes
        .into_iter()
        .map(|(number, lane)| {
            seq += 1;
            let facts = facts(number, &lane);
            let render = Arc::new(Plain(Head { facts: facts.clone(), at: now, thin: false, back: None }));
            let kind = IntakeKind::Message { render, destinations: vec!["default".into()] };
            IntakeDelivery {
                delivery_id: facts.delivery_id,
                seq,
                source: facts.source.clone(),
                received_us: now.as_microsecond(),
                body_sha256: [0; 32],
                event: Ok(Box::new(IntakeEvent { identity: identity(number), facts, kind })),
            }
        })
        .collect();
    let to = Cursor { log_id: Uuid::from_u128(1), seq, link: [7; 32] };
    ledger.intake(IntakeBatch { from, to, now_us: now.as_microsecond(), deliveries }).await.unwrap();
}

struct Running {
    ledger: Arc<Sqlite>,
    switch: StopSwitch,
    worker: tokio::task::JoinHandle<()>,
}

impl Running {
    fn start(ledger: Arc<Sqlite>, to: Destination) -> Self {
        let (switch, stop) = task::stop();
        let shared: Arc<dyn Ledger> = ledger.clone();
        let worker =
            Worker::new(shared, &config(vec![to]), Clock::system(), &Metrics::new(), Wakes::default()).unwrap();
        Self { ledger, switch, worker: task::spawn("test-forward", worker.run(stop)) }
    }

    async fn stop(self) {
        self.switch.stop();
        self.worker.await.unwrap();
    }
}

fn open(folder: &Path) -> Arc<Sqlite> {
    Arc::new(Sqlite::open(&folder.join("ledger.db"), &Clock::system()).unwrap())
}

async fn event(ledger: &Sqlite, number: u32) -> EventDetail {
    ledger.event(EventId::of_identity(&identity(number))).await.unwrap().unwrap()
}

/// Waits for a state, since the result is on record only after the receiver has answered.
async fn until(ledger: &Sqlite, number: u32, state: EventState) -> EventDetail {
    let waiting = async {
        loop {
            let detail = event(ledger, number).await;
            if detail.event.state == state {
                return detail;
            }
        }
    };
    let patience = Duration::from_secs(30);
    tokio::time::timeout(patience, waiting).await.unwrap_or_else(|_| panic!("{number} never became {state}"))
}

fn ids(receiver: &Receiver) -> Vec<String> {
    receiver.received().into_iter().map(|one| one.webhook_id).collect()
}

#[tokio::test]
async fn stored_bytes_are_sent_and_attempts_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(folder.path());
    take_in(&ledger, [(1, "a".into())]).await;
    let receiver = receiver();
    receiver.script([Answer::Status(500), Answer::Close]);
    let running = Running::start(ledger, destination(&receiver.url()));
    receiver.wait_for_taken(1).await;
    let detail = until(&running.ledger, 1, EventState::Settled).await;
    let id = WebhookId { event: detail.event.event_id, state_version: 1 };
    assert_eq!(ids(&receiver), [id.to_string(), id.to_string(), id.to_string()]);
    assert_eq!(running.ledger.message(id).await.unwrap().unwrap(), receiver.received()[2].body.to_vec());
    let attempts: Vec<_> = detail.messages[0].attempts.iter().map(|one| (one.status, one.outcome.clone())).collect();
    let word = |text: &str| Some(text.to_owned());
    assert_eq!(attempts, [(Some(500), word("status")), (None, word("io")), (Some(200), word("ok"))]);
    running.stop().await;
}

#[tokio::test]
async fn a_lane_keeps_its_order_while_others_flow_past() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(folder.path());
    let of_a = (1..=3).map(|n| (n, "a".to_owned()));
    let others = (10..40).map(|n| (n, format!("other-{n}")));
    take_in(&ledger, of_a.chain(others)).await;
    let receiver = receiver();
    let (gate, wait) = Gate::closed();
    let first = WebhookId { event: EventId::of_identity(&identity(1)), state_version: 1 }.to_string();
    receiver.choose(move |got| (got.webhook_id == first).then(|| wait.clone()));
    let running = Running::start(ledger, destination(&receiver.url()));
    receiver.wait_for_taken(30).await;
    assert_eq!(receiver.received().iter().filter(|one| one.lane() == "a").count(), 1);
    gate.open();
    receiver.wait_for_taken(33).await;
    let of_a: Vec<_> = receiver.received().into_iter().filter(|one| one.lane() == "a").collect();
    let wanted = [1, 2, 3].map(|n| EventId::of_identity(&identity(n)).to_string());
    let got: Vec<_> = of_a.iter().map(|one| one.message["data"]["event_id"].as_str().unwrap_or_default()).collect();
    assert_eq!(got, wanted);
    until(&running.ledger, 3, EventState::Settled).await;
    running.stop().await;
}

#[tokio::test]
async fn a_pause_holds_what_the_dispatcher_has_in_hand_already() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(folder.path());
    take_in(&ledger, (1..=6).map(|n| (n, format!("lane-{n}")))).await;
    let receiver = receiver();
    let (gate, wait) = Gate::closed();
    receiver.choose(move |_| Some(wait.clone()));
    let running = Running::start(ledger, Destination { concurrency: 1, ..destination(&receiver.url()) });
    receiver.wait_for(1).await;
    let ada = || Who { name: "ada".into(), from: "api".into(), reason: None };
    let now_us = || Clock::system().now().as_microsecond();
    assert!(running.ledger.set_pause(PauseTarget::Forwarding, true, ada(), now_us()).await.unwrap());
    gate.open();
    until(&running.ledger, 1, EventState::Settled).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(receiver.received().len(), 1, "five were read before the pause, and none is sent after it");
    assert!(running.ledger.set_pause(PauseTarget::Forwarding, false, ada(), now_us()).await.unwrap());
    receiver.wait_for_taken(6).await;
    until(&running.ledger, 6, EventState::Settled).await;
    running.stop().await;
}

#[test]
fn a_restart_sends_again_what_was_open_and_nothing_that_was_taken() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = receiver();
    receiver.script([Answer::Status(200), Answer::Stall]);
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let first_life = runtime();
    first_life.block_on(async {
        let ledger = open(folder.path());
        take_in(&ledger, [(1, "a".into()), (2, "a".into())]).await;
        let running = Running::start(ledger, destination(&receiver.url()));
        receiver.wait_for(2).await;
        until(&running.ledger, 1, EventState::Settled).await;
        // Nobody says stop: the runtime drops the worker and its open attempt where they stand.
    });
    drop(first_life);
    runtime().block_on(async {
        let running = Running::start(open(folder.path()), destination(&receiver.url()));
        receiver.wait_for_taken(2).await;
        until(&running.ledger, 2, EventState::Settled).await;
        running.stop().await;
    });
    let got = ids(&receiver);
    assert_eq!(got.len(), 3);
    assert_eq!(got[1], got[2]);
    assert_ne!(got[0], got[1]);
}
