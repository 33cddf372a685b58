//! What a log costs as it grows: the same load on an empty log and on one that holds millions, side by side in one run.
//!
//! Machines are noisy, so no window is compared with another hour's: at each size the empty log and the grown one take
//! turns, window by window, and the ratio of their sums is the result. Bodies are Request Network's and Stripe's shape,
//! 1 to 8 KB, 1.8 KB on average, different in every byte that would be different.
//!
//! ```sh
//! make bench-growth                                # 10 million deliveries: about 20 GB of disk for the log
//! make bench-growth GROWTH_DELIVERIES=1000000      # shorter
//! ```

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a bench that cannot set itself up stops")]
#![expect(clippy::print_stdout, reason = "a bench reports on standard output")]
#![expect(clippy::as_conversions, clippy::indexing_slicing, reason = "figures for people, not money")]
#![expect(clippy::disallowed_methods, reason = "a bench takes its size from its environment")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use evidence_store::{Commit, NewDelivery, Options, SignatureRecord, Store};
use sha2::{Digest, Sha256};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use uuid::Uuid;

/// Senders that wait for their acknowledgement before they post again.
const SENDERS: u64 = 256;
/// One window of one log.
const WINDOW: Duration = Duration::from_secs(6);
/// Windows of each log at each size.
const TURNS: usize = 4;
/// Sizes at which the logs are compared, as parts of the whole.
const STEPS: [u64; 3] = [1, 10, 100];

fn main() {
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let total = number("GROWTH_DELIVERIES").unwrap_or(10_000_000);
    let root = std::env::var_os("GROWTH_FOLDER").map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = tempfile::tempdir_in(root).expect("a folder");
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    println!("{total} deliveries, {SENDERS} senders, windows of {} s, {TURNS} turns", WINDOW.as_secs());
    println!(
        "{}",
        [
            "deliveries",
            "acks/s",
            "empty",
            "ratio",
            "p50 ms",
            "p99 ms",
            "batch",
            "fsync ms",
            "MB",
            "B each",
            "written",
            "RSS MB"
        ]
        .map(|head| format!("{head:>10}"))
        .concat()
    );

    let mut grown = Log::open(folder.path().join("grown"));
    for part in STEPS {
        let goal = total / 100 * part;
        grown.fill(&runtime, goal);
        compare(&runtime, &mut grown, &folder.path().join("empty"));
    }
    let count = grown.count;
    let (stored, sent) = (grown.store.size_bytes().unwrap(), grown.payload);
    let path = grown.path.clone();
    grown.store.close();
    drop(grown);
    let began = Instant::now();
    let again = Log::open(path);
    println!(
        "\nopened {count} deliveries in {:.2} s, resident {} MB",
        began.elapsed().as_secs_f64(),
        resident_mb("VmRSS:")
    );
    println!(
        "{:.2} bytes on disk for a byte that arrived; highest resident {} MB",
        stored as f64 / sent as f64,
        resident_mb("VmHWM:")
    );
    again.store.close();
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// One log under load.
struct Log {
    path: PathBuf,
    store: Store,
    commits: Arc<Commits>,
    /// Deliveries stored.
    count: u64,
    /// Bytes of their bodies.
    payload: u64,
}

#[derive(Default)]
struct Commits {
    count: AtomicU64,
    fsync_us: AtomicU64,
}

/// What one window saw.
#[derive(Default)]
struct Seen {
    acks: u64,
    payload: u64,
    latencies_us: Vec<u32>,
    took: Duration,
}

impl Log {
    fn open(path: PathBuf) -> Self {
        let commits = Arc::new(Commits::default());
        let observed = Arc::clone(&commits);
        let options = Options {
            path: path.clone(),
            reserve_bytes: 0,
            rejected_max_bytes: 1 << 20,
            repeats_max: 64,
            observer: Some(Arc::new(move |commit: Commit| {
                observed.count.fetch_add(1, Ordering::Relaxed);
                observed.fsync_us.fetch_add(u64::try_from(commit.fsync.as_micros()).unwrap(), Ordering::Relaxed);
            })),
        };
        let store = Store::open(options).expect("opens");
        let count = store.head().seq;
        Self { path, store, commits, count, payload: 0 }
    }

    /// Appends until the log holds `goal` deliveries.
    fn fill(&mut self, runtime: &Runtime, goal: u64) {
        let left = goal.saturating_sub(self.count);
        self.drive(runtime, left, Duration::from_secs(3600));
    }

    /// Appends at most `most` deliveries for at most `time`.
    fn drive(&mut self, runtime: &Runtime, most: u64, time: Duration) -> Seen {
        let left = Arc::new(AtomicU64::new(most));
        let began = Instant::now();
        let mut seen = runtime.block_on(async {
            let mut senders = JoinSet::new();
            for _ in 0..SENDERS {
                let (store, left) = (self.store.clone(), Arc::clone(&left));
                senders.spawn(async move {
                    let mut seen = Seen::default();
                    while began.elapsed() < time
                        && left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
                    {
                        let delivery = delivery();
                        seen.payload += delivery.body.len() as u64;
                        let asked = Instant::now();
                        store.append(delivery).await.expect("stored");
                        seen.acks += 1;
                        seen.latencies_us.push(u32::try_from(asked.elapsed().as_micros()).unwrap_or(u32::MAX));
                    }
                    seen
                });
            }
            let mut all = Seen::default();
            while let Some(seen) = senders.join_next().await {
                all.add(seen.unwrap());
            }
            all
        });
        seen.took = began.elapsed();
        self.count += seen.acks;
        self.payload += seen.payload;
        seen
    }
}

impl Seen {
    fn add(&mut self, other: Self) {
        self.acks += other.acks;
        self.payload += other.payload;
        self.latencies_us.extend(other.latencies_us);
        self.took += other.took;
    }

    fn rate(&self) -> f64 {
        self.acks as f64 / self.took.as_secs_f64()
    }

    fn percentile_ms(&mut self, part: f64) -> f64 {
        self.latencies_us.sort_unstable();
        let index = (self.latencies_us.len() as f64 * part) as usize;
        f64::from(self.latencies_us[index.min(self.latencies_us.len() - 1)]) / 1000.0
    }
}

/// The empty log and the grown one in turns; prints one row.
fn compare(runtime: &Runtime, grown: &mut Log, empty: &Path) {
    let (mut on_grown, mut on_empty) = (Seen::default(), Seen::default());
    let (commits, fsync) =
        (grown.commits.count.load(Ordering::Relaxed), grown.commits.fsync_us.load(Ordering::Relaxed));
    let mut written = 0;
    let at = grown.count;
    for _ in 0..TURNS {
        let mut fresh = Log::open(empty.to_owned());
        // The first commits make files; both logs are measured warm.
        fresh.drive(runtime, u64::MAX, Duration::from_millis(500));
        on_empty.add(fresh.drive(runtime, u64::MAX, WINDOW));
        fresh.store.close();
        drop(fresh);
        std::fs::remove_dir_all(empty).unwrap();
        let before = written_bytes();
        on_grown.add(grown.drive(runtime, u64::MAX, WINDOW));
        written += written_bytes() - before;
    }
    let commits = grown.commits.count.load(Ordering::Relaxed) - commits;
    let fsync_ms = (grown.commits.fsync_us.load(Ordering::Relaxed) - fsync) as f64 / commits as f64 / 1000.0;
    let stored = grown.store.size_bytes().unwrap();
    let figures = [
        format!("{at}"),
        format!("{:.0}", on_grown.rate()),
        format!("{:.0}", on_empty.rate()),
        format!("{:.2}", on_grown.rate() / on_empty.rate()),
        format!("{:.1}", on_grown.percentile_ms(0.50)),
        format!("{:.1}", on_grown.percentile_ms(0.99)),
        format!("{:.0}", on_grown.acks as f64 / commits as f64),
        format!("{fsync_ms:.2}"),
        format!("{}", stored >> 20),
        format!("{}", stored / grown.count),
        format!("{:.2}", written as f64 / on_grown.payload as f64),
        resident_mb("VmRSS:"),
    ];
    println!("{}", figures.map(|figure| format!("{figure:>10}")).concat());
}

/// Bytes that this process has caused to be written to the disk (`/proc/self/io`).
fn written_bytes() -> u64 {
    field("/proc/self/io", "write_bytes:").parse().unwrap()
}

fn resident_mb(name: &str) -> String {
    let kib: u64 = field("/proc/self/status", name).parse().unwrap();
    (kib >> 10).to_string()
}

fn field(file: &str, name: &str) -> String {
    let text = std::fs::read_to_string(file).expect("Linux");
    let line = text.lines().find(|line| line.starts_with(name)).expect("a field");
    line.split_whitespace().nth(1).unwrap().to_owned()
}

/// A delivery that no other resembles where payments differ: ids, hashes, references, amounts.
fn delivery() -> NewDelivery {
    let id = Uuid::now_v7();
    let body = body(id);
    NewDelivery {
        id,
        source: "request-network".to_owned(),
        request_id: format!("req_{}", id.simple()),
        peer: "203.0.113.7".to_owned(),
        method: "POST".to_owned(),
        target: "/webhooks/request-network".to_owned(),
        http_version: "HTTP/1.1".to_owned(),
        received_us: 1_790_000_000_000_000,
        headers: HEADERS
            .iter()
            .map(|(name, value)| (Bytes::from_static(name.as_bytes()), Bytes::from_static(value.as_bytes())))
            .chain([(Bytes::from_static(b"x-request-network-signature"), Bytes::from(hex(&id, 2)))])
            .collect(),
        body_sha256: Sha256::digest(&body).into(),
        body: body.into(),
        signature: SignatureRecord {
            scheme: "request-network".to_owned(),
            secret_name: "a".to_owned(),
            signed_at: None,
        },
        admitted_from: None,
    }
}

const HEADERS: [(&str, &str); 6] = [
    ("Host", "hooks.example.com"),
    ("Content-Type", "application/json"),
    ("User-Agent", "axios/1.7.9"),
    ("Accept", "application/json, text/plain, */*"),
    ("Accept-Encoding", "gzip, compress, deflate, br"),
    ("Connection", "close"),
];

fn body(id: Uuid) -> Vec<u8> {
    // One in sixteen is large: a Stripe object with its many nulls.
    let lines = if id.as_bytes()[15].is_multiple_of(16) { 60 } else { 7 };
    let mut text = format!(
        "{{\"event\":\"payment.confirmed\",\"requestId\":\"01{}\",\"requestID\":\"01{}\",\"paymentReference\":\"0x{}\",\
         \"explorer\":\"https://scan.request.network/request/01{}\",\"amount\":\"{}.{}\",\"totalAmountPaid\":\"100.5\",\
         \"expectedAmount\":\"100.5\",\"timestamp\":\"2026-11-20T12:00:00.123Z\",\"txHash\":\"0x{}\",\"network\":\"base\",\
         \"currency\":\"USDC\",\"paymentCurrency\":\"USDC\",\"isCryptoToFiat\":false,\"subStatus\":\"\",\"fees\":[",
        hex(&id, 2),
        hex(&id, 2),
        hex(&id, 1),
        hex(&id, 2),
        id.as_fields().0 % 1000,
        id.as_fields().0 % 97,
        hex(&id, 2),
    );
    for line in 0..lines {
        text.push_str(&format!(
            "{{\"type\":\"gas\",\"provider\":\"p{line}\",\"amount\":\"0.0{line}\",\"currency\":null,\"network\":null,\
             \"id\":\"{}\"}},",
            Uuid::now_v7().simple()
        ));
    }
    text.push_str("null]}");
    text.into_bytes()
}

/// `times` SHA-256 halves of an id, hexadecimal.
fn hex(id: &Uuid, times: usize) -> String {
    let digest = Sha256::digest(id.as_bytes());
    digest[..16 * times.min(2)].iter().map(|byte| format!("{byte:02x}")).collect()
}
