//! A worker on a scripted ledger and a real receiver.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::JoinHandle;

use super::ledger::{Script, Stands};
use super::receiver::Receiver;
use crate::clock::Clock;
use crate::config::{
    Admin, Breaker, Config, Destination, Evidence, Ingress, Ledger as LedgerConfig, Secret, Shutdown, Telemetry, Tls,
    Verification, Watermarks,
};
use crate::forward::Worker;
use crate::ledger::{DueMessage, EventFacts, RecordAttempt};
use crate::message::{Claimed, Head, provider_event};
use crate::model::{EventId, Identity, Origin, Part, WebhookId};
use crate::task::{self, StopSwitch, Wakes};
use crate::telemetry::Metrics;

/// 32 bytes of `n`, `o`: made for these tests.
pub(super) const SECRET: &str = "whsec_bm5ubm5ubm5ubm5ubm5ubm5ubm5ubm5ubm5ubm5ubm4=";
pub(super) const OLD_SECRET: &str = "whsec_b29vb29vb29vb29vb29vb29vb29vb29vb29vb29vb28=";

pub(super) const START: &str = "2026-11-20T12:00:00Z";

pub(super) fn destination(url: &str) -> Destination {
    Destination {
        name: "default".into(),
        url: Some(url.into()),
        secrets: vec![Secret::new(SECRET.into())],
        types: Vec::new(),
        timeout: Duration::from_secs(10),
        concurrency: 8,
        rate: None,
        backoff_first: Duration::from_millis(10),
        backoff_max: Duration::from_millis(40),
        // Out of the way of tests that fail on purpose.
        breaker: Breaker { failures: 1000, first: Duration::from_millis(20), max: Duration::from_millis(40) },
        max_age: Duration::from_secs(7 * 86_400),
        accept: Vec::new(),
        allow_private: true,
        tls: Tls::of_the_machine(),
    }
}

pub(super) fn config(destinations: Vec<Destination>) -> Arc<Config> {
    let (folder, loopback) = (PathBuf::new(), SocketAddr::from(([127, 0, 0, 1], 0)));
    let second = Duration::from_secs(1);
    Arc::new(Config {
        data_dir: folder.clone(),
        ingress: Ingress {
            listen: loopback,
            max_body: 0,
            max_headers: 0,
            max_connections: 0,
            first_byte_timeout: second,
            header_timeout: second,
            body_timeout: second,
            min_body_rate: 0,
            trusted_proxies: Vec::new(),
            health_path: None,
        },
        admin: Admin { listen: loopback, tokens: Vec::new() },
        telemetry: Telemetry { json: true, level: "info".into(), listen: None },
        shutdown: Shutdown { delay: second, grace: second },
        evidence: Evidence {
            path: folder.clone(),
            reserve: 0,
            rejected_max: 0,
            repeats_max: 64,
            watermarks: Watermarks::default(),
            retention: crate::config::Retention::default(),
            retention_every: std::time::Duration::from_secs(3600),
            archive: None,
            seal: crate::config::Seal {
                key: "seal.key".into(),
                every: std::time::Duration::from_secs(10),
                publish_file: None,
                publish_url: None,
            },
        },
        ledger: LedgerConfig { path: folder },
        backup: crate::config::Backup::default(),
        sources: Vec::new(),
        verification: Verification {
            require_expectation: true,
            recipients: Vec::new(),
            give_up: second,
            tolerance_abs: "0".into(),
            tolerance_bps: 0,
            twin_grace: second,
            regrace: second,
            exposure_cap_usd: None,
            screening: crate::config::Screening::default(),
            scan: true,
            late_watch: Duration::from_secs(2_592_000),
            scan_range_blocks: 1000,
        },
        chains: BTreeMap::new(),
        destinations: destinations.into_iter().map(|one| (one.name.clone(), one)).collect(),
        include_claimed: true,
    })
}

/// The id of message `number`.
pub(super) fn id(number: u32) -> WebhookId {
    let identity = Identity::derive("stripe", "stripe", "event", &[Part::Text(&number.to_string())]);
    WebhookId { event: EventId::of_identity(&identity), state_version: 1 }
}

/// Facts of a made-up card event in a lane.
pub(super) fn facts(number: u32, lane: &str) -> EventFacts {
    EventFacts {
        source: "stripe".into(),
        realm: "stripe".into(),
        provider: "stripe".into(),
        provider_type: "charge.succeeded".into(),
        provider_event_id: Some(format!("evt_{number}")),
        account: None,
        client_id: None,
        api_version: None,
        livemode: true,
        lane: lane.into(),
        origin: Origin::Webhook,
        delivery_id: uuid::Uuid::from_u128(u128::from(number)),
        received_us: start().as_microsecond(),
    }
}

/// Message `number` of a lane, created at [`START`].
pub(super) fn message(number: u32, lane: &str) -> DueMessage {
    let head = Head { facts: facts(number, lane), at: start(), thin: false, back: None };
    let body = format!("{{ \"id\": \"evt_{number}\" }}");
    let rendered = provider_event(id(number), lane, &head, None, &Claimed::of(body.as_bytes()));
    DueMessage {
        webhook_id: id(number),
        lane: lane.into(),
        message_type: rendered.message_type.as_str().into(),
        body: rendered.body,
        attempts: 0,
        created_us: start().as_microsecond(),
        patient_since_us: start().as_microsecond(),
        replay_id: None,
    }
}

pub(super) fn start() -> Timestamp {
    START.parse().unwrap()
}

/// A running worker. The clock stands still unless a test moves it.
pub(super) struct Bench {
    pub(super) ledger: Arc<Script>,
    pub(super) clock: Clock,
    pub(super) metrics: Metrics,
    pub(super) wakes: Wakes,
    switch: StopSwitch,
    worker: JoinHandle<()>,
}

impl Bench {
    pub(super) fn start(destination: Destination, ledger: Script) -> Self {
        Self::with_clock(destination, ledger, Clock::manual(start()))
    }

    /// On the system's clock, so that short backoffs pass by themselves. Messages are due since [`START`].
    pub(super) fn live(destination: Destination, ledger: Script) -> Self {
        Self::with_clock(destination, ledger, Clock::system())
    }

    pub(super) fn with_clock(destination: Destination, ledger: Script, clock: Clock) -> Self {
        Self::on(destination, Arc::new(ledger), clock)
    }

    /// On a ledger that another worker may have left.
    pub(super) fn on(destination: Destination, ledger: Arc<Script>, clock: Clock) -> Self {
        let (metrics, wakes) = (Metrics::new(), Wakes::default());
        let config = config(vec![destination]);
        let worker = Worker::new(ledger.clone(), &config, clock.clone(), &metrics, wakes.clone()).unwrap();
        let (switch, stop) = task::stop();
        let worker = task::spawn("test-forward", worker.run(stop));
        Self { ledger, clock, metrics, wakes, switch, worker }
    }

    /// Moves the clock and says that something may be due.
    pub(super) fn advance(&self, by: Duration) {
        self.clock.advance(by);
        self.wakes.forward.wake();
    }

    /// Lets its backoff pass until it has failed once more.
    pub(super) async fn fails_again(&self, id: WebhookId, backoff: Duration) {
        let failed = |ledger: &Script| ledger.results().iter().filter(|result| result.webhook_id == id).count();
        let before = failed(&self.ledger);
        self.advance(backoff);
        self.until("another failure", |ledger| before < failed(ledger)).await;
    }

    /// Says stop without waiting.
    pub(super) fn say_stop(&self) {
        self.switch.stop();
    }

    pub(super) fn is_running(&self) -> bool {
        !self.worker.is_finished()
    }

    /// Stops, waits for the end, and returns what was recorded.
    pub(super) async fn stop(self) -> Vec<RecordAttempt> {
        self.switch.stop();
        self.worker.await.unwrap();
        self.ledger.results()
    }

    /// Waits until the ledger says so. The receiver cannot tell when a result is on record.
    pub(super) async fn until(&self, what: &str, holds: impl Fn(&Script) -> bool) {
        let waiting = async {
            while !holds(&self.ledger) {
                tokio::task::yield_now().await;
            }
        };
        assert!(tokio::time::timeout(Duration::from_secs(30), waiting).await.is_ok(), "waited in vain for {what}");
    }

    pub(super) async fn until_delivered(&self, numbers: impl IntoIterator<Item = u32>) {
        for number in numbers {
            let what = format!("delivery of {number}");
            self.until(&what, |ledger| ledger.stands(id(number)) == Stands::Delivered).await;
        }
    }
}

pub(super) fn receiver() -> Receiver {
    Receiver::start(&[SECRET])
}

pub(super) fn script(messages: impl IntoIterator<Item = DueMessage>) -> Script {
    let script = Script::default();
    script.add(messages);
    script
}

pub(super) fn outcomes(results: &[RecordAttempt]) -> Vec<&'static str> {
    results.iter().map(|result| result.outcome).collect()
}
