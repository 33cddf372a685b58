//! The hot path at the limit of the machine, side by side with a hyper server that does nothing, in one run.
//!
//! Both are processes of their own and get the same signed webhooks, no two alike, over loopback. While one is measured
//! the other is halted; they take turns, so that a noisy neighbour meets both. Ratios are the result: absolute figures
//! tell about the machine.
//!
//! ```sh
//! make bench                           # about three minutes
//! make bench WINDOW=2                  # seconds a window, default 5
//! make bench PARTS=acks,overload       # some of: idle, acks, half, overload, slow, whole
//! make bench PARTS=acks CONNS=256      # at these connections only
//! ```

#![expect(clippy::unwrap_used, reason = "a bench that cannot set itself up stops")]
#![expect(clippy::print_stdout, reason = "a bench reports on standard output")]
#![expect(clippy::as_conversions, clippy::indexing_slicing, reason = "figures for people, not money")]
#![expect(clippy::disallowed_methods, reason = "a bench has its own runtime, clock and client, all of loopback")]

use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::fs::fdatasync;
use tokio::time::sleep;

use body::Templates;
use load::{Pace, Seen, drive};
use pauses::{Pauses, Watch};
use server::{Figures, Gateway, Process, Usage};

mod body;
mod load;
mod pauses;
mod server;
mod slow;

/// Connections at which acks are compared.
const CONNECTIONS: [usize; 4] = [16, 64, 256, 1_000];

/// Acks a second at 256 connections where that part is left out.
const ASSUMED: f64 = 16_000.0;

/// Load before a window counts: connections are open, caches warm.
const WARM_UP: Duration = Duration::from_secs(1);

/// Webhooks a second of the test of the whole way, as the goal has it.
const SUSTAINED: f64 = 5_000.0;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.iter().any(|argument| argument == "--test") {
        return;
    }
    if arguments.iter().any(|argument| argument == server::EMPTY) {
        return server::be_empty();
    }
    let value = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name);
        at.map(|at| arguments[at + 1].as_str()).filter(|value| !value.is_empty())
    };
    let window = Duration::from_secs(value("--window").map_or(5, |seconds| seconds.parse().unwrap()));
    let parts: Option<Vec<&str>> = value("--parts").map(|parts| parts.split(',').collect());
    let wanted = |part| parts.as_ref().is_none_or(|parts| parts.contains(&part));
    let connections: Vec<usize> = value("--conns")
        .map_or(CONNECTIONS.to_vec(), |counts| counts.split(',').map(|count| count.parse().unwrap()).collect());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let bench = Bench { window, templates: Arc::new(Templates::new()), empty: Process::empty() };
        if wanted("idle") {
            bench.idle().await;
        }
        // What the parts after it ask for is measured by this one.
        let at_256 = if wanted("acks") { bench.acks(&connections).await } else { ASSUMED };
        if wanted("half") {
            bench.half_load(at_256 / 2.0).await;
        }
        if wanted("overload") {
            bench.overload(at_256 * 2.0).await;
        }
        if wanted("slow") {
            bench.slow_clients().await;
        }
        if wanted("whole") {
            bench.whole_way().await;
        }
    });
}

struct Bench {
    window: Duration,
    templates: Arc<Templates>,
    /// What the gateway is compared with, and the backend it forwards to.
    empty: Process,
}

/// What a window saw from outside and from inside.
struct Window {
    seen: Seen,
    cpu: Duration,
}

impl Window {
    fn cpu_us_each(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.seen.taken().max(1) as f64
    }
}

impl Bench {
    async fn gateway(&self) -> Gateway {
        self.empty.go_on();
        Gateway::start(self.empty.address).await
    }

    async fn closed(&self, process: &Process, connections: usize) -> Window {
        let before = process.usage();
        let seen = drive(process.address, connections, self.window, Pace::Closed, &self.templates).await;
        Window { seen, cpu: process.usage().cpu - before.cpu }
    }

    async fn open(&self, gateway: &Gateway, connections: usize, rate: f64, window: Duration) -> Seen {
        drive(gateway.process.address, connections, window, Pace::Open(rate), &self.templates).await
    }

    async fn idle(&self) {
        let gateway = self.gateway().await;
        sleep(Duration::from_secs(3)).await;
        let Usage { cpu, resident_mb } = gateway.process.usage();
        println!(
            "idle: ready in {:.2} s, {resident_mb:.0} MB resident, {:.2} s of CPU since the start\n",
            gateway.started_in.as_secs_f64(),
            cpu.as_secs_f64()
        );
    }

    /// The table of ratios; answers the acks a second at 256 connections.
    async fn acks(&self, connections: &[usize]) -> f64 {
        println!("acks, closed loop, {} s a window, two windows each in turns", self.window.as_secs());
        row([
            "conns",
            "empty/s",
            "acks/s",
            "ratio",
            "p50 ms",
            "p99 ms",
            "p99.9 ms",
            "empty p99",
            "fsync/s",
            "in a batch",
            "fsync ms",
            "CPU us",
            "empty CPU",
            "backlog",
            "RSS MB",
        ]
        .map(str::to_owned));
        let mut at_256 = ASSUMED;
        for &connections in connections {
            let gateway = self.gateway().await;
            drive(gateway.process.address, connections, WARM_UP, Pace::Closed, &self.templates).await;
            let before = gateway.figures().await;
            gateway.process.halt();
            let mut empty = self.closed(&self.empty, connections).await;
            gateway.process.go_on();
            let mut full = self.closed(&gateway.process, connections).await;
            full.add(&self.closed(&gateway.process, connections).await);
            let after = gateway.figures().await;
            gateway.process.halt();
            empty.add(&self.closed(&self.empty, connections).await);
            gateway.process.go_on();
            row(Self::compared(connections, &empty, &full, before, after, gateway.process.usage().resident_mb));
            assert!(full.seen.failed == 0, "{} requests got no answer", full.seen.failed);
            assert!(after.stored - before.stored >= full.seen.taken() as f64, "an ack without a stored delivery");
            if connections == 256 {
                at_256 = full.seen.rate();
            }
        }
        at_256
    }

    fn compared(
        connections: usize,
        empty: &Window,
        full: &Window,
        before: Figures,
        after: Figures,
        resident_mb: f64,
    ) -> [String; 15] {
        let commits = after.commits - before.commits;
        [
            connections.to_string(),
            format!("{:.0}", empty.seen.rate()),
            format!("{:.0}", full.seen.rate()),
            format!("{:.2}", full.seen.rate() / empty.seen.rate()),
            format!("{:.2}", full.seen.ms(50.0)),
            format!("{:.2}", full.seen.ms(99.0)),
            format!("{:.2}", full.seen.ms(99.9)),
            format!("{:.2}", empty.seen.ms(99.0)),
            format!("{:.0}", commits / full.seen.took.as_secs_f64()),
            format!("{:.1}", (after.stored - before.stored) / commits.max(1.0)),
            format!("{:.2}", (after.fsync_s - before.fsync_s) * 1000.0 / commits.max(1.0)),
            format!("{:.0}", full.cpu_us_each()),
            format!("{:.0}", empty.cpu_us_each()),
            format!("{:.0}", after.lag),
            format!("{resident_mb:.0}"),
        ]
    }

    /// Latency where there is room, against what the disk takes for a batch of the same size.
    async fn half_load(&self, rate: f64) {
        let gateway = self.gateway().await;
        self.open(&gateway, 256, rate, WARM_UP).await;
        let before = gateway.figures().await;
        let (seen, pauses) = watched(self.open(&gateway, 256, rate, self.window * 2)).await;
        let after = gateway.figures().await;
        let commits = (after.commits - before.commits).max(1.0);
        let batch = (after.stored - before.stored) / commits;
        drop(gateway);
        let load = drive(self.empty.address, 256, self.window * 2, Pace::Open(rate), &self.templates);
        let (empty, empty_pauses) = watched(load).await;
        let fsync = median_fsync(&std::env::temp_dir(), (batch * 2_048.0) as usize);
        println!("\nhalf of that load, open loop, 256 connections: {rate:.0} a second asked, {:.0} taken", seen.rate());
        println!(
            "p50 {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms; {batch:.1} in a batch; an fsync of as many bytes by itself: \
             median {:.2} ms; p99 is {:.1} of them; the empty server at the same load: p50 {:.2} ms, p99 {:.2} ms",
            seen.ms(50.0),
            seen.ms(99.0),
            seen.ms(99.9),
            fsync.as_secs_f64() * 1000.0,
            seen.ms(99.0) / (fsync.as_secs_f64() * 1000.0),
            empty.ms(50.0),
            empty.ms(99.0)
        );
        println!("the machine: {}", beside(&seen, &pauses));
        println!("the machine while the empty server was asked: {}", beside(&empty, &empty_pauses));
    }

    /// Twice what it can do, over more connections than it appends at a time.
    async fn overload(&self, rate: f64) {
        let gateway = self.gateway().await;
        self.open(&gateway, 256, rate / 8.0, WARM_UP).await;
        let calm = gateway.process.usage().resident_mb;
        let seen = self.open(&gateway, 3_000, rate, self.window * 2).await;
        let during = gateway.process.usage().resident_mb;
        let after = self.open(&gateway, 64, rate / 8.0, Duration::from_secs(1)).await;
        let later = self.open(&gateway, 64, rate / 8.0, Duration::from_secs(2)).await;
        println!("\ntwice that load, open loop, 3000 connections: {rate:.0} a second asked");
        println!(
            "taken {:.0} a second, told to come back {:.0} a second, no answer {}; an answer of either kind takes p50 \
             {:.0} ms, p99 {:.0} ms; {calm:.0} MB before, {during:.0} MB during",
            seen.rate(),
            seen.shed() as f64 / seen.took.as_secs_f64(),
            seen.failed,
            seen.served_ms(50.0),
            seen.served_ms(99.0)
        );
        println!(
            "a quarter of what it can do, afterwards: p99 {:.1} ms in the first second, {:.1} ms in the two after",
            after.ms(99.0),
            later.ms(99.0)
        );
    }

    /// The same load without and with a crowd that only holds connections.
    async fn slow_clients(&self) {
        let gateway = self.gateway().await;
        drive(gateway.process.address, 64, WARM_UP, Pace::Closed, &self.templates).await;
        let mut alone = self.closed(&gateway.process, 64).await;
        let calm = gateway.process.usage().resident_mb;
        let crowd = slow::Crowd::gather(gateway.process.address).await;
        let mut beside = self.closed(&gateway.process, 64).await;
        beside.add(&self.closed(&gateway.process, 64).await);
        let crowded = gateway.process.usage().resident_mb;
        let cut = crowd.leave().await;
        alone.add(&self.closed(&gateway.process, 64).await);
        println!("\n64 connections beside {}:", slow::WORDS);
        println!(
            "{:.0} acks a second, {:.2} of what they are alone; p99 {:.2} ms, alone {:.2} ms; {calm:.0} MB before, \
             {crowded:.0} MB with them; {cut} were cut",
            beside.seen.rate(),
            beside.seen.rate() / alone.seen.rate(),
            beside.seen.ms(99.0),
            alone.seen.ms(99.0)
        );
    }

    /// From the POST to the backend's 2xx.
    async fn whole_way(&self) {
        let gateway = self.gateway().await;
        self.open(&gateway, 64, SUSTAINED, WARM_UP).await;
        let before = gateway.figures().await;
        let seen = self.open(&gateway, 64, SUSTAINED, self.window * 2).await;
        let after = gateway.figures().await;
        let began = Instant::now();
        let mut last = after;
        while last.forwarded < last.stored && began.elapsed() < Duration::from_secs(120) {
            sleep(Duration::from_millis(50)).await;
            last = gateway.figures().await;
        }
        let took = seen.took.as_secs_f64();
        println!("\nthe whole way, open loop, {SUSTAINED:.0} a second, a backend that answers at once:");
        println!(
            "{:.0} acks and {:.0} forwarded a second; {:.0} were left, and were forwarded {:.1} s later",
            (after.stored - before.stored) / took,
            (after.forwarded - before.forwarded) / took,
            after.stored - after.forwarded,
            began.elapsed().as_secs_f64()
        );
    }
}

impl Window {
    fn add(&mut self, other: &Self) {
        self.seen.add(&other.seen);
        self.cpu += other.cpu;
    }
}

fn row<const N: usize>(cells: [String; N]) {
    println!("{}", cells.map(|cell| format!("{cell:>11}")).concat());
}

/// Load, and what the machine did by itself meanwhile.
async fn watched(load: impl Future<Output = Seen>) -> (Seen, Pauses) {
    let watch = Watch::begin();
    let seen = load.await;
    (seen, watch.end())
}

/// What the machine did by itself meanwhile, and the latencies without it.
fn beside(seen: &Seen, pauses: &Pauses) -> String {
    let (latency, share) = seen.apart_from(pauses);
    let ms = |percentile| latency.value_at_percentile(percentile) as f64 / 1000.0;
    format!(
        "in {:.1} % of the time a fixed computation cost a core more than twice its median, {:.1} times at worst, for up to \
         {} ms on end; the {share:.0} % of acks that met none of it: p50 {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms",
        pauses.share,
        pauses.worst,
        pauses.longest.as_millis(),
        ms(50.0),
        ms(99.0),
        ms(99.9)
    )
}

/// What appending that many bytes and `fdatasync` take on this folder's disk, with nothing beside it.
fn median_fsync(folder: &Path, bytes: usize) -> Duration {
    let mut file: File = tempfile::tempfile_in(folder).unwrap();
    let block = vec![b'7'; bytes.max(1)];
    let mut times: Vec<Duration> = (0..200)
        .map(|_| {
            let began = Instant::now();
            file.write_all(&block).unwrap();
            fdatasync(file.as_fd()).unwrap();
            began.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[times.len() / 2]
}
