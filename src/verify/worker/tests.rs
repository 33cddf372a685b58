//! The stage on a real ledger and a real log; only the chain is scripted.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;

use alloy_primitives::B256;
use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::*;
use crate::chain::{NodeView, Observations, Observing};
use crate::config;
use crate::ledger::sqlite::Sqlite;
use crate::ledger::{
    Cursor, EventView, Filter, IntakeBatch, IntakeDelivery, IntakeEvent, IntakeKind, PutExpectation, Who,
};
use crate::model::{Claim, Code, EventState, Identity, Part};
use crate::task::StopSwitch;
use crate::verify::fixture::*;

mod reader;
mod scenarios;

use reader::Scripted;

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);
const BODY: &[u8] = br#"{"event":"payment.confirmed","amount":"100"}"#;

/// A running worker and everything around it.
struct Bench {
    ledger: Arc<dyn Ledger>,
    evidence: evidence_store::Store,
    reader: Arc<Scripted>,
    clock: Clock,
    wakes: Wakes,
    metrics: Metrics,
    stop: StopSwitch,
    running: tokio::task::JoinHandle<()>,
    deliveries: std::sync::atomic::AtomicU64,
    _folder: tempfile::TempDir,
}

impl Bench {
    fn start(reader: Scripted) -> Self {
        let (bench, begin) = Self::still(reader);
        begin.send(()).unwrap();
        bench
    }

    /// A stage that takes nothing before it is told to begin.
    fn still(reader: Scripted) -> (Self, oneshot::Sender<()>) {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::manual(Timestamp::from_microsecond(NOW.now_us).unwrap());
        let ledger: Arc<dyn Ledger> = Arc::new(Sqlite::open(&folder.path().join("ledger.db"), &clock).unwrap());
        let evidence = evidence_store::Store::open(evidence_store::Options {
            path: folder.path().join("evidence"),
            reserve_bytes: 0,
            rejected_max_bytes: 1 << 20,
            repeats_max: 64,
            observer: None,
        })
        .unwrap();
        let (reader, metrics, wakes) = (Arc::new(reader), Metrics::new(), Wakes::default());
        let shared: Arc<dyn Reader> = reader.clone();
        let (stop, heard) = task::stop();
        let config = Arc::new(config(folder.path().to_owned()));
        let in_force = InForce::new(&config.chains);
        let worker = Worker::new(Parts {
            ledger: Arc::clone(&ledger),
            reader: shared,
            evidence: evidence.clone(),
            config,
            in_force,
            deny: crate::screening::Current::none(),
            clock: clock.clone(),
            metrics: metrics.clone(),
            wakes: wakes.clone(),
        });
        let (begin, begun) = oneshot::channel();
        let running = task::spawn("verify", async move {
            begun.await.unwrap();
            worker.run(heard).await;
        });
        let deliveries = std::sync::atomic::AtomicU64::new(0);
        let bench =
            Self { ledger, evidence, reader, clock, wakes, metrics, stop, running, deliveries, _folder: folder };
        (bench, begin)
    }

    /// Stores a delivery and takes it in as a claim.
    async fn claims(&self, identity: &str, claim: Claim) {
        let n = self.deliveries.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1;
        let delivery_id = Uuid::from_u128(u128::from(n));
        let at = |seq| Cursor { log_id: Uuid::from_u128(9), seq, link: [u8::try_from(seq).unwrap(); 32] };
        self.evidence.append(stored(delivery_id)).await.unwrap();
        let mut facts = event(Some(claim.clone()), None).facts;
        facts.delivery_id = delivery_id;
        let identity = Identity::derive("request-network", "rn", "paid", &[Part::Text(identity)]);
        let event = IntakeEvent { identity, facts, kind: IntakeKind::Claim(claim) };
        let delivery = IntakeDelivery {
            delivery_id,
            seq: n,
            source: "rn".to_owned(),
            received_us: NOW.now_us,
            body_sha256: crate::digest::sha256(BODY),
            event: Ok(Box::new(event)),
        };
        let from = (1 < n).then(|| at(n - 1));
        let batch =
            IntakeBatch { from, to: at(n), now_us: self.clock.now().as_microsecond(), deliveries: vec![delivery] };
        self.ledger.intake(batch).await.unwrap();
        self.wakes.verify.wake();
    }

    async fn expects(&self, stored: crate::ledger::StoredExpectation) {
        let now_us = self.clock.now().as_microsecond();
        let by = Who { name: "shop".to_owned(), from: "test".to_owned(), reason: None };
        self.ledger.put_expectation(PutExpectation { terms: stored.terms, by, now_us }).await.unwrap();
        self.wakes.verify.wake();
    }

    /// Waits until the events stand as they should, oldest first.
    async fn until(&self, holds: impl Fn(&[EventView]) -> bool) -> Vec<EventView> {
        let looking = async {
            loop {
                let mut events = self.ledger.events(Filter { limit: 100, ..Filter::default() }).await.unwrap().items;
                events.reverse();
                if holds(&events) {
                    return events;
                }
                // Paced by a hint that never comes.
                crate::task::Wake::default().wait(Duration::from_millis(5)).await;
            }
        };
        match tokio::time::timeout(PATIENCE, looking).await {
            Ok(events) => events,
            Err(_) => {
                let events = self.ledger.events(Filter { limit: 100, ..Filter::default() }).await.unwrap();
                panic!("still {:?}", events.iter().map(|e| (e.state, e.code)).collect::<Vec<_>>())
            }
        }
    }

    async fn until_code(&self, code: Code) -> EventView {
        self.until(|events| events.iter().any(|event| event.code == Some(code))).await.remove(0)
    }

    fn later(&self, by: Duration) {
        self.clock.advance(by);
        self.wakes.verify.wake();
    }

    async fn messages(&self) -> Vec<serde_json::Value> {
        let due = self.ledger.due_messages("default", self.clock.now().as_microsecond(), 100).await.unwrap();
        due.iter().map(|message| serde_json::from_slice(&message.body).unwrap()).collect()
    }

    async fn end(self) {
        self.stop.stop();
        tokio::time::timeout(PATIENCE, self.running).await.unwrap().unwrap();
        let store = self.evidence.clone();
        task::spawn_blocking(move || store.close()).await.unwrap();
    }
}

fn stored(id: Uuid) -> evidence_store::NewDelivery {
    evidence_store::NewDelivery {
        id,
        source: "rn".to_owned(),
        request_id: "r".to_owned(),
        peer: "127.0.0.1".to_owned(),
        method: "POST".to_owned(),
        target: "/rn".to_owned(),
        http_version: "HTTP/1.1".to_owned(),
        received_us: NOW.now_us,
        headers: Vec::new(),
        body: Bytes::from_static(BODY),
        body_sha256: crate::digest::sha256(BODY),
        signature: evidence_store::SignatureRecord {
            scheme: "hmac".to_owned(),
            secret_name: "s".to_owned(),
            signed_at: None,
        },
        admitted_from: None,
    }
}

fn destination(name: &str, types: &[&str]) -> config::Destination {
    config::Destination {
        name: name.to_owned(),
        url: None,
        secrets: Vec::new(),
        types: types.iter().map(|text| (*text).to_owned()).collect(),
        timeout: Duration::from_secs(15),
        concurrency: 1,
        rate: None,
        backoff_first: Duration::from_secs(1),
        backoff_max: Duration::from_secs(300),
        breaker: config::Breaker { failures: 5, first: Duration::from_secs(1), max: Duration::from_secs(30) },
        max_age: Duration::from_secs(604_800),
        accept: Vec::new(),
        allow_private: true,
        tls: config::Tls::of_the_machine(),
    }
}

fn config(data_dir: PathBuf) -> Config {
    let listen = "127.0.0.1:0".parse().unwrap();
    let destinations = [destination("default", &[]), destination("completions", &["payment.verified"])];
    let mut source = source();
    source.forward_to = vec!["default".to_owned(), "completions".to_owned()];
    Config {
        ingress: config::Ingress {
            listen,
            max_body: 1 << 20,
            max_headers: 1 << 16,
            max_connections: 1,
            first_byte_timeout: PATIENCE,
            header_timeout: PATIENCE,
            body_timeout: PATIENCE,
            min_body_rate: 1,
            trusted_proxies: Vec::new(),
            health_path: None,
        },
        admin: config::Admin { listen, tokens: Vec::new() },
        telemetry: config::Telemetry { json: true, level: "info".to_owned(), listen: None },
        shutdown: config::Shutdown { delay: Duration::ZERO, grace: PATIENCE },
        evidence: config::Evidence {
            path: data_dir.join("evidence"),
            reserve: 0,
            rejected_max: 1 << 20,
            repeats_max: 64,
            watermarks: config::Watermarks::default(),
            retention: config::Retention::default(),
            retention_every: std::time::Duration::from_secs(3600),
            archive: None,
            seal: config::Seal {
                key: "seal.key".into(),
                every: std::time::Duration::from_secs(10),
                publish_file: None,
                publish_url: None,
            },
        },
        ledger: config::Ledger { path: data_dir.join("ledger.db") },
        backup: config::Backup::default(),
        sources: vec![source],
        verification: verification(),
        chains: chains(),
        destinations: BTreeMap::from(destinations.map(|to| (to.name.clone(), to))),
        include_claimed: true,
        data_dir,
    }
}
