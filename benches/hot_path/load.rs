//! Load over loopback on hyper's client: closed loop (each connection posts as soon as it was answered) and open loop (each
//! connection posts by the clock, whatever became of the request before).

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use hdrhistogram::Histogram;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use crate::body::Templates;
use crate::pauses::Pauses;

/// Numbers of webhooks, one counter for the whole run: no event comes twice.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// An answer that takes longer counts as none.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where webhooks are posted.
pub(crate) const PATH: &str = "/webhooks/stripe";

/// When a connection posts.
#[derive(Clone, Copy)]
pub(crate) enum Pace {
    /// As soon as it was answered.
    Closed,
    /// By the clock, this many a second over all connections.
    Open(f64),
}

/// What a window of load saw.
pub(crate) struct Seen {
    /// Answers by status.
    pub(crate) answers: BTreeMap<u16, u64>,
    /// Requests without an answer.
    pub(crate) failed: u64,
    /// Of answers 200, in microseconds, from when they were to be asked for.
    pub(crate) latency: Histogram<u64>,
    /// Of any answer, from when it was asked for: what a server is to blame for when more is asked than it can answer.
    pub(crate) served: Histogram<u64>,
    /// When each answer 200 was to be asked for, and what it took.
    each: Vec<(Instant, Duration)>,
    pub(crate) took: Duration,
}

impl Seen {
    pub(crate) fn new() -> Self {
        Self {
            answers: BTreeMap::new(),
            failed: 0,
            latency: histogram(),
            served: histogram(),
            each: Vec::new(),
            took: Duration::ZERO,
        }
    }

    /// Another part of the same window.
    fn join(&mut self, other: &Self) {
        for (status, count) in &other.answers {
            *self.answers.entry(*status).or_default() += count;
        }
        self.failed += other.failed;
        self.latency.add(&other.latency).unwrap();
        self.served.add(&other.served).unwrap();
        self.each.extend(&other.each);
    }

    /// Another window.
    pub(crate) fn add(&mut self, other: &Self) {
        self.join(other);
        self.took += other.took;
    }

    pub(crate) fn taken(&self) -> u64 {
        self.answers.get(&200).copied().unwrap_or(0)
    }

    /// Answers other than 200.
    pub(crate) fn shed(&self) -> u64 {
        self.answers.values().sum::<u64>() - self.taken()
    }

    /// Answers 200 a second.
    pub(crate) fn rate(&self) -> f64 {
        self.taken() as f64 / self.took.as_secs_f64()
    }

    pub(crate) fn ms(&self, percentile: f64) -> f64 {
        self.latency.value_at_percentile(percentile) as f64 / 1000.0
    }

    /// Latencies of the acks that met no pause of the machine, and how many of a hundred those are.
    pub(crate) fn apart_from(&self, pauses: &Pauses) -> (Histogram<u64>, f64) {
        let mut latency = histogram();
        for (began, took) in &self.each {
            if !pauses.met(began.into_std(), (*began + *took).into_std()) {
                latency.saturating_record(us(*took));
            }
        }
        let share = latency.len() as f64 * 100.0 / self.each.len().max(1) as f64;
        (latency, share)
    }

    pub(crate) fn served_ms(&self, percentile: f64) -> f64 {
        self.served.value_at_percentile(percentile) as f64 / 1000.0
    }
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000, 3).unwrap()
}

/// Posts to `to` for `window` over that many connections.
pub(crate) async fn drive(
    to: SocketAddr,
    connections: usize,
    window: Duration,
    pace: Pace,
    templates: &Arc<Templates>,
) -> Seen {
    let began = Instant::now();
    let mut posting = JoinSet::new();
    for index in 0..connections {
        let templates = Arc::clone(templates);
        let times = match pace {
            Pace::Closed => None,
            Pace::Open(rate) => {
                let every = Duration::from_secs_f64(connections as f64 / rate);
                // Spread, so that the connections do not post in one breath.
                Some((began + every.mul_f64(index as f64 / connections as f64), every))
            }
        };
        posting.spawn(async move { connection(to, began + window, times, &templates).await });
    }
    let mut all = Seen::new();
    while let Some(seen) = posting.join_next().await {
        all.join(&seen.unwrap());
    }
    all.took = began.elapsed();
    all
}

/// One connection's part of a window; it connects again when it was cut.
async fn connection(
    to: SocketAddr,
    until: Instant,
    mut times: Option<(Instant, Duration)>,
    templates: &Templates,
) -> Seen {
    let mut seen = Seen::new();
    let mut sender = None;
    while Instant::now() < until {
        let mut began = Instant::now();
        if let Some((next, every)) = &mut times {
            let intended = *next;
            *next += *every;
            if intended > until {
                break;
            }
            if intended > began {
                sleep_until(intended).await;
                // The timer's own coarseness is not the server's.
                began = Instant::now();
            } else {
                // Late because the answer before was: that wait is part of this one.
                began = intended;
            }
        }
        let asked = Instant::now();
        match timeout(PATIENCE, post(to, &mut sender, templates)).await {
            Ok(Ok(status)) => {
                *seen.answers.entry(status).or_default() += 1;
                seen.served.saturating_record(us(asked.elapsed()));
                if status == 200 {
                    let took = began.elapsed();
                    seen.latency.saturating_record(us(took));
                    seen.each.push((began, took));
                }
            }
            Ok(Err(_)) | Err(_) => {
                seen.failed += 1;
                sender = None;
            }
        }
    }
    seen
}

fn us(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap()
}

type Sender = SendRequest<Full<Bytes>>;

async fn post(to: SocketAddr, sender: &mut Option<Sender>, templates: &Templates) -> anyhow::Result<u16> {
    let (body, headers) = templates.webhook(NEXT.fetch_add(1, Ordering::Relaxed));
    let mut request = Request::post(PATH).header("host", "bench.localhost").header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let request = request.body(Full::new(Bytes::from(body)))?;
    let ready = match sender {
        Some(ready) if !ready.is_closed() => ready,
        _ => sender.insert(connect(to).await?),
    };
    ready.ready().await?;
    let answer = ready.send_request(request).await?;
    let status = answer.status().as_u16();
    answer.into_body().collect().await?;
    Ok(status)
}

async fn connect(to: SocketAddr) -> anyhow::Result<Sender> {
    let stream = TcpStream::connect(to).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}
