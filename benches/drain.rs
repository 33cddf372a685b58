//! A million due messages and a backend that is back: how soon the first is sent, how fast the rest, in how much memory.
//!
//! One process fills the ledger by the same command as intake, another runs a whole gateway on it. Messages are of
//! provider events of the size of Request Network's; the backend answers each request 5 ms after it was read.
//!
//! ```sh
//! make bench-drain                                 # a million: about 6 GB of disk
//! make bench-drain DRAIN_EVENTS=200000             # shorter
//! make bench-drain DRAIN_CONCURRENCY=256           # where it is 64, as the gateway ships
//! ```

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a bench that cannot set itself up stops")]
#![expect(clippy::print_stdout, reason = "a bench reports on standard output")]
#![expect(clippy::as_conversions, reason = "figures for people, not money")]
#![expect(clippy::disallowed_methods, reason = "a bench takes its size from its environment")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tollgate::app::App;
use tollgate::clock::Clock;
use tollgate::config::{self, Config, Environment};
use tollgate::ledger::sqlite::Sqlite;
use tollgate::ledger::{
    Cursor, EventFacts, IntakeBatch, IntakeDelivery, IntakeEvent, IntakeKind, Ledger, PlainRenderer,
};
use tollgate::message::{Claimed, Head, Rendered, provider_event};
use tollgate::model::{Identity, Origin, Part, WebhookId};
use tollgate::task;
use uuid::Uuid;

/// The allocator of the program that is measured.
#[cfg(target_os = "linux")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// The backend's time for an answer.
const ANSWER: Duration = Duration::from_millis(5);
/// Messages of one command while filling.
const BATCH: u64 = 1000;
/// Between looks at the age of the oldest message.
const LOOK: Duration = Duration::from_secs(1);

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.iter().any(|argument| argument == "--test") {
        return;
    }
    let count = number("DRAIN_EVENTS").unwrap_or(1_000_000);
    if let Some(folder) = std::env::var_os("DRAIN_FILL") {
        return fill(Path::new(&folder), count);
    }
    let root = std::env::var_os("DRAIN_FOLDER").map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = tempfile::tempdir_in(root).expect("a folder");
    let began = Instant::now();
    let filled = std::process::Command::new(std::env::current_exe().unwrap())
        .env("DRAIN_FILL", folder.path())
        .env("DRAIN_EVENTS", count.to_string())
        .status();
    assert!(filled.unwrap().success(), "the ledger was not filled");
    println!("{count} messages filled in {:.0} s", began.elapsed().as_secs_f64());
    drain(folder.path(), count);
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

fn settings(folder: &Path, backend: SocketAddr, telemetry: SocketAddr) -> Config {
    let text = format!(
        "data_dir = {folder:?}\n[ingress]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n\
         [telemetry]\nlisten = \"{telemetry}\"\n\
         [shutdown]\ndelay = \"0ms\"\n[evidence]\nreserve = \"1 MiB\"\n[evidence.watermarks]\nwarn = \"1 MiB\"\nshed = \"1 MiB\"\n\
         [[sources]]\nname = \"card\"\nprovider = \"stripe\"\npath = \"/card\"\nsecrets = [\"env:S\"]\n\
         [forward]\nurl = \"http://{backend}/\"\nsecrets = [\"env:F\"]\nconcurrency = {}\n",
        number("DRAIN_CONCURRENCY").unwrap_or(64)
    );
    let path = folder.join("gateway.toml");
    std::fs::write(&path, text).unwrap();
    let environment = Environment::from([
        ("S".to_owned(), "whsec_of_a_bench_that_signs_nothing".to_owned()),
        ("F".to_owned(), "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=".to_owned()),
    ]);
    config::load(&[path], &environment).map(|loaded| loaded.config).unwrap_or_else(|why| panic!("{why}"))
}

#[derive(Debug)]
struct Plain(Head);

impl PlainRenderer for Plain {
    fn render(&self, id: WebhookId) -> Rendered {
        let body = format!("{{\"id\":{id:?},\"text\":\"{}\"}}", "x".repeat(1200));
        provider_event(id, &self.0.facts.lane, &self.0, None, &Claimed::of(body.as_bytes()))
    }
}

/// Message `number` of a lane of its own.
fn delivery(number: u64, at: Timestamp) -> IntakeDelivery {
    let lane = format!("lane-{number}");
    let facts = EventFacts {
        source: "card".into(),
        realm: "stripe".into(),
        provider: "stripe".into(),
        provider_type: "charge.succeeded".into(),
        provider_event_id: Some(format!("evt_{number}")),
        account: None,
        client_id: None,
        api_version: None,
        livemode: true,
        lane,
        origin: Origin::Webhook,
        delivery_id: Uuid::from_u128(u128::from(number)),
        received_us: at.as_microsecond(),
    };
    let render = Arc::new(Plain(Head { facts: facts.clone(), at, thin: false, back: None }));
    let kind = IntakeKind::Message { render, destinations: vec!["default".into()] };
    let identity = Identity::derive("stripe", "stripe", "event", &[Part::Text(&number.to_string())]);
    IntakeDelivery {
        delivery_id: facts.delivery_id,
        seq: number,
        source: facts.source.clone(),
        received_us: at.as_microsecond(),
        body_sha256: [0; 32],
        event: Ok(Box::new(IntakeEvent { identity, facts, kind })),
    }
}

/// Messages of the last five hours, as after an outage, and a ledger that belongs to an empty log.
fn fill(folder: &Path, count: u64) {
    runtime().block_on(async {
        let unused = SocketAddr::from(([127, 0, 0, 1], 9));
        let config = settings(folder, unused, SocketAddr::from(([127, 0, 0, 1], 0)));
        let app = App::build(config.clone(), Clock::system(), Duration::ZERO).await.unwrap();
        drop(app);
        let ledger = Sqlite::open(&config.ledger.path, &Clock::system()).unwrap();
        let real = ledger.cursor().await.unwrap().expect("a cursor");
        drop(ledger);
        for ending in ["", "-wal", "-shm"] {
            drop(std::fs::remove_file(format!("{}{ending}", config.ledger.path.display())));
        }
        let ledger = Sqlite::open(&config.ledger.path, &Clock::system()).unwrap();
        let (now, log_id) = (Timestamp::now().as_microsecond(), Uuid::from_u128(1));
        let (mut from, mut number) = (None, 0);
        while number < count {
            let at = now - 18_000_000_000 + i64::try_from(number * 17_000_000_000 / count).unwrap();
            let at = Timestamp::from_microsecond(at).unwrap();
            let last = (number + BATCH).min(count);
            let deliveries = (number + 1..=last).map(|number| delivery(number, at)).collect();
            let to = Cursor { log_id, seq: last, link: [7; 32] };
            ledger.intake(IntakeBatch { from, to, now_us: at.as_microsecond(), deliveries }).await.unwrap();
            (from, number) = (Some(to), last);
        }
        // The log of this folder is the one that moved last.
        let empty = IntakeBatch { from: None, to: real, now_us: now, deliveries: Vec::new() };
        ledger.intake(empty).await.unwrap();
    });
}

/// What the backend saw.
#[derive(Default)]
struct Seen {
    taken: AtomicU64,
    first: OnceLock<Instant>,
}

/// Answers 200 a moment after it has read a request. It parses no more than it must.
async fn serve(listener: TcpListener, seen: Arc<Seen>) {
    while let Ok((socket, _)) = listener.accept().await {
        socket.set_nodelay(true).unwrap();
        let seen = Arc::clone(&seen);
        task::spawn("backend", async move {
            let (mut socket, mut read) = (socket, Vec::new());
            loop {
                let Some(length) = request_length(&read) else {
                    if socket.read_buf(&mut read).await.unwrap_or(0) == 0 {
                        return;
                    }
                    continue;
                };
                read.drain(..length);
                seen.first.get_or_init(Instant::now);
                tokio::time::sleep(ANSWER).await;
                if socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.is_err() {
                    return;
                }
                seen.taken.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
}

/// The length of the whole request at the start of what was read.
fn request_length(read: &[u8]) -> Option<usize> {
    let head = read.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(read.get(..head)?).ok()?;
    let length = text.lines().find_map(|line| line.strip_prefix("content-length: "))?.parse::<usize>().ok()?;
    (head + length <= read.len()).then_some(head + length)
}

fn drain(folder: &Path, count: u64) {
    let seen = Arc::new(Seen::default());
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let backend = listener.local_addr().unwrap();
    let serving = Arc::clone(&seen);
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { serve(TcpListener::from_std(listener).unwrap(), serving).await });
    });
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let telemetry = free.local_addr().unwrap();
    drop(free);
    let config = settings(folder, backend, telemetry);
    runtime().block_on(async {
        let began = Instant::now();
        let app = App::build(config, Clock::system(), Duration::ZERO).await.unwrap();
        let (switch, stop) = task::stop();
        let running = task::spawn("gateway", app.run(stop));
        let watching = Arc::clone(&seen);
        let watch = task::spawn_blocking(move || watch(&watching, telemetry, count));
        let (took, oldest) = watch.await.unwrap();
        let first = seen.first.get().expect("a first request").duration_since(began);
        let falls = oldest.windows(2).all(|pair| pair.last() <= pair.first());
        let rate = count as f64 / took.as_secs_f64();
        println!("first forward after {:.2} s", first.as_secs_f64());
        println!("drained {count} in {:.1} s: {rate:.0} a second", took.as_secs_f64());
        println!("resident at most {} MiB, the backend of the bench included", peak_kib() / 1024);
        println!("age of the oldest falls monotonically: {falls}, from {:.0} s", oldest.first().unwrap_or(&0.0));
        switch.stop();
        running.await.unwrap().unwrap();
    });
}

/// Waits until everything was taken. The time from the first message, and the ages of the oldest one on the way.
fn watch(seen: &Seen, telemetry: SocketAddr, count: u64) -> (Duration, Vec<f64>) {
    let (mut ages, mut before) = (Vec::new(), 0);
    loop {
        std::thread::sleep(LOOK);
        let taken = seen.taken.load(Ordering::Relaxed);
        let Some(age) = oldest(telemetry) else { continue };
        if taken < count {
            ages.push(age);
        }
        println!("{taken:>9} taken, {:>6} a second, oldest {age:.0} s, {} MiB", taken - before, resident_kib() / 1024);
        before = taken;
        if taken >= count && age == 0.0 {
            let first = seen.first.get().expect("a first request");
            return (first.elapsed(), ages);
        }
    }
}

fn oldest(telemetry: SocketAddr) -> Option<f64> {
    let mut socket = TcpStream::connect(telemetry).ok()?;
    socket.write_all(b"GET /metrics HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n").ok()?;
    let mut text = String::new();
    socket.read_to_string(&mut text).ok()?;
    text.lines().find_map(|line| line.strip_prefix("tollgate_oldest_unforwarded_seconds "))?.trim().parse().ok()
}

fn of_status(name: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    line.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

fn resident_kib() -> u64 {
    of_status("VmRSS:")
}

fn peak_kib() -> u64 {
    of_status("VmHWM:")
}
