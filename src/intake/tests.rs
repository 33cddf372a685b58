//! The stage on a real log and a real ledger: what moves the cursor, and what does not.

use std::path::Path;

use bytes::Bytes;
use evidence_store::{Decision, DecisionId, Delivery, Facts, Options, SignatureRecord};
use jiff::Timestamp;
use uuid::Uuid;

use super::*;
use crate::config;
use crate::ledger::Filter;
use crate::ledger::sqlite::Sqlite;

const NOW_US: i64 = 1_763_683_200_000_000;
/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

struct Bench {
    evidence: Store,
    ledger: Arc<dyn Ledger>,
    worker: Worker,
    folder: tempfile::TempDir,
}

fn open(folder: &Path) -> Store {
    let options = Options {
        path: folder.join("evidence"),
        reserve_bytes: 0,
        rejected_max_bytes: 1 << 20,
        repeats_max: 64,
        observer: None,
    };
    Store::open(options).unwrap()
}

/// No source is configured that a delivery names: each becomes a held event, which is all this needs.
fn config(folder: &Path) -> Config {
    let file = folder.join("tollgate.toml");
    let text = "[[sources]]\nname = \"other\"\nprovider = \"stripe\"\npath = \"/s\"\nsecrets = [\"env:S\"]\n\
                [forward]\nurl = \"https://core.example.com/in\"\nsecrets = [\"env:F\"]\n";
    std::fs::write(&file, text).unwrap();
    let key = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let environment = [("S", "a secret"), ("F", key)].map(|(name, value)| (name.to_owned(), value.to_owned()));
    config::load(&[file], &environment.into()).unwrap_or_else(|problems| panic!("{problems}")).config
}

impl Bench {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let evidence = open(folder.path());
        let clock = Clock::manual(Timestamp::from_microsecond(NOW_US).unwrap());
        let ledger: Arc<dyn Ledger> = Arc::new(Sqlite::open(&folder.path().join("ledger.db"), &clock).unwrap());
        let start = Cursor { log_id: evidence.log_id(), seq: 0, link: [0; 32] };
        let adopted = IntakeBatch { from: None, to: start, now_us: NOW_US, deliveries: Vec::new() };
        ledger.intake(adopted).await.unwrap();
        let config = Arc::new(config(folder.path()));
        let (metrics, wakes) = (Metrics::new(), Wakes::default());
        let worker = Worker::new(evidence.clone(), Arc::clone(&ledger), start, config, clock, metrics, wakes);
        Self { evidence, ledger, worker, folder }
    }

    async fn delivers(&self, n: u32) -> Uuid {
        let delivery = delivery(n);
        self.evidence.append(delivery.clone()).await.unwrap();
        delivery.id
    }

    async fn decides(&self, numbers: std::ops::RangeInclusive<u32>) {
        self.evidence.append_decisions(numbers.map(decision).collect()).await.unwrap();
    }

    /// Follows the log from `place` to its end.
    async fn follow(&self, mut place: Place) -> Place {
        while let Some(moved) = self.worker.step(place).await.unwrap() {
            place = moved;
        }
        place
    }

    fn start(&self) -> Place {
        Place { written: self.worker.cursor, read: self.worker.cursor }
    }

    async fn written(&self) -> u64 {
        self.ledger.cursor().await.unwrap().unwrap().seq
    }

    async fn taken(&self) -> Vec<Uuid> {
        let filter = Filter { limit: 100, ..Filter::default() };
        let mut ids: Vec<Uuid> =
            self.ledger.deliveries(filter).await.unwrap().iter().map(|row| row.delivery_id).collect();
        ids.sort_unstable();
        ids
    }
}

fn delivery(n: u32) -> Delivery {
    let body = Bytes::from(format!("{{\"n\":{n}}}"));
    Delivery {
        id: Uuid::from_u128(0x019a_9f1e_7c00_7000_8000_0000_0000_0000 + u128::from(n)),
        source: "gone".to_owned(),
        request_id: "r".to_owned(),
        peer: "127.0.0.1".to_owned(),
        method: "POST".to_owned(),
        target: "/rn".to_owned(),
        http_version: "HTTP/1.1".to_owned(),
        received_us: NOW_US,
        headers: Vec::new(),
        body_sha256: digest(&body),
        body,
        signature: SignatureRecord { scheme: "hmac".to_owned(), secret_name: "s".to_owned(), signed_at: None },
        admitted_from: None,
    }
}

fn digest(body: &[u8]) -> [u8; 32] {
    crate::digest::sha256(body)
}

fn decision(n: u32) -> Decision {
    let ledger_id = Uuid::from_u128(7);
    Decision {
        id: DecisionId { ledger_id, epoch: 0, table: DecisionId::TRACE, number: n.into() },
        at_us: NOW_US,
        event_id: None,
        kind: "held".to_owned(),
        body: Bytes::from_static(b"{}"),
    }
}

#[tokio::test]
async fn decisions_are_passed_over_without_a_write_of_the_ledger() {
    let bench = Bench::new().await;
    let first = bench.delivers(1).await;
    bench.decides(1..=3).await;
    let place = bench.follow(bench.start()).await;
    assert_eq!((place.read.seq, bench.written().await), (4, 4), "one batch with a delivery takes the rest along");

    bench.decides(4..=1500).await;
    let place = bench.follow(place).await;
    assert_eq!((place.read.seq, place.written.seq, bench.written().await), (1501, 4, 4), "read, and nothing written");

    let second = bench.delivers(2).await;
    let place = bench.follow(place).await;
    assert_eq!((place.read.seq, bench.written().await), (1502, 1502), "the next delivery takes them along");
    assert_eq!(bench.taken().await, [first, second]);
}

#[tokio::test]
async fn very_many_decisions_move_the_cursor_all_the_same() {
    let bench = Bench::new().await;
    let many = u32::try_from(PASSED_RECORDS_MAX).unwrap() + 600;
    bench.decides(1..=many).await;
    let place = bench.follow(bench.start()).await;
    assert_eq!(place.read.seq, u64::from(many));
    assert_eq!(bench.written().await, PASSED_RECORDS_MAX, "so that a start has little to read again");
}

#[tokio::test]
async fn after_a_crash_the_same_decisions_are_passed_over_again() {
    let bench = Bench::new().await;
    bench.decides(1..=10).await;
    bench.follow(bench.start()).await;
    assert_eq!(bench.written().await, 0);
    let id = bench.delivers(1).await;
    // The next start begins where the ledger stands.
    check_cursor(&bench.evidence, bench.ledger.cursor().await.unwrap().unwrap()).unwrap();
    bench.follow(bench.start()).await;
    assert_eq!((bench.written().await, bench.taken().await), (11, vec![id]));
}

#[tokio::test]
async fn a_stub_is_passed_over_and_a_cursor_on_one_is_good() {
    let bench = Bench::new().await;
    let ids = [bench.delivers(1).await, bench.delivers(2).await];
    let place = bench.follow(bench.start()).await;
    let evidence = bench.evidence.clone();
    let facts = Facts { at_us: NOW_US, by: "ann".to_owned(), reason: "old".to_owned() };
    let pruned = move || evidence.prune(ids.map(|id| (id, None)).to_vec(), facts).unwrap();
    assert_eq!(task::spawn_blocking(pruned).await.unwrap().removed, ids);

    check_cursor(&bench.evidence, bench.ledger.cursor().await.unwrap().unwrap()).unwrap();
    let place = bench.follow(place).await;
    assert_eq!((place.read.seq, bench.written().await), (3, 2));
    // From the start, as after a restore: stubs make nothing.
    let before = bench.taken().await;
    let from_the_start = Place { written: place.written, read: bench.worker.cursor };
    assert_eq!(bench.follow(from_the_start).await.read.seq, 3);
    assert_eq!(bench.taken().await, before);
}

#[tokio::test]
async fn the_stage_follows_a_log_of_both_kinds_until_it_is_told_to_stop() {
    let bench = Bench::new().await;
    let (stop, heard) = task::stop();
    let Bench { evidence, ledger, worker, folder } = bench;
    let running = task::spawn("intake", worker.run(heard));
    for n in 1..=3 {
        evidence.append_decisions(vec![decision(n)]).await.unwrap();
        evidence.append(delivery(n)).await.unwrap();
    }
    evidence.append_decisions(vec![decision(9)]).await.unwrap();
    stop.stop();
    tokio::time::timeout(PATIENCE, running).await.unwrap().unwrap().unwrap();
    let filter = Filter { limit: 100, ..Filter::default() };
    assert_eq!(ledger.deliveries(filter).await.unwrap().len(), 3);
    assert_eq!(evidence.head().seq, 7);
    drop(folder);
}
