//! Promise 1 and 3 under `kill -9`: the process dies at random moments with posts, payments and forwards in flight,
//! again and again, sometimes while it still opens its data.
//!
//! What holds afterwards: each delivery that was answered 200 is there byte for byte, each became an event that the
//! backend has, no event stands for two payments and no payment for two events. `TOLLGATE_IT_KILLS=50` makes it long.

mod load;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::task::JoinSet;
use tollgate::demo::devnet::Devnet;

use crate::support::gateway::{self, ADMIN_TOKEN, FORWARD_SECRET, Gateway, Setup, Site};
use crate::support::invoice::Invoice;
use crate::support::receiver::{Answer, Received, Receiver};
use load::{Acked, Load, Post, Subject};

/// Kills when nobody asks for more.
const KILLS: u64 = 3;
/// Says how many.
const KILLS_VARIABLE: &str = "TOLLGATE_IT_KILLS";
/// Posts at the same time.
const SENDERS: usize = 8;
/// Payments made before each life.
const PAYMENTS: u64 = 3;
/// How long a life lasts, milliseconds after it listens.
const LIFE_MS: Range<u64> = 5..600;
/// How long a start that is not to succeed lasts.
const BIRTH_MS: Range<u64> = 1..200;
/// One of so many messages is refused at first, so that retries are in flight too.
const REFUSED_ONE_OF: u64 = 9;
/// The backlog must shrink within this.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between looks at the backlog.
const LOOK: Duration = Duration::from_millis(100);

#[expect(clippy::disallowed_methods, reason = "a test's own length is no configuration of the gateway")]
fn kills() -> u64 {
    std::env::var(KILLS_VARIABLE).map_or(KILLS, |text| text.parse().expect(KILLS_VARIABLE))
}

/// What became of the subjects, and how it went.
#[derive(Default)]
struct Run {
    /// Transaction of each paid invoice.
    paid: BTreeMap<u64, String>,
    slowest_start: Duration,
    killed_early: usize,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_doubled_or_half_there_when_the_process_is_killed_at_any_moment() {
    ordeal(kills(), |_| {}, |_, _| {}).await;
}

/// So many lives that end by a kill, and the promises afterwards. `prepare` is called before the first one, and `dead`
/// after each, before anything starts again: it may do to the data what a kill alone does not.
pub(crate) async fn ordeal(kills: u64, prepare: impl FnOnce(&mut Site), mut dead: impl FnMut(&Site, u64)) {
    let seed = rand::rng().random();
    report(&format!("seed {seed}"));
    let net = Devnet::start().await.expect("the local chain");
    let backend = Receiver::start(&[FORWARD_SECRET]);
    let asked = AtomicU64::new(0);
    backend.choose(move |_| {
        let number = asked.fetch_add(1, Ordering::Relaxed);
        number.is_multiple_of(REFUSED_ONE_OF).then_some(Answer::Status(503))
    });
    let chain = gateway::chain(&net, 1);
    let setup = Setup { backend: Some(backend.address()), chain: Some(chain), ..Setup::default() };
    let mut site = Site::new(&setup);
    prepare(&mut site);
    let load = Arc::new(Load::new(seed));
    let mut random = StdRng::seed_from_u64(seed);
    let mut run = Run::default();
    for life in 0..kills {
        if random.random_ratio(1, 3) {
            site.start_and_kill(Duration::from_millis(random.random_range(BIRTH_MS))).await;
            run.killed_early += 1;
        }
        let gateway = run.start(&site);
        run.pay(&net, &gateway, &load, life).await;
        let senders = senders(&load, &gateway);
        tokio::time::sleep(Duration::from_millis(random.random_range(LIFE_MS))).await;
        drop(gateway.kill());
        senders.join_all().await;
        dead(&site, random.random());
    }
    let gateway = run.start(&site);
    load.finish(gateway.public).await;
    net.mine(3).await.expect("blocks");
    drain(&gateway, &backend).await;
    let gateway = Arc::new(gateway);
    let acked = load.acked();
    let events = everything_is_there(&gateway, &acked).await;
    let messages = everything_arrived(&gateway, &backend, &events, &run).await;
    let gateway = Arc::into_inner(gateway).expect("nobody else uses it");
    let (status, log) = gateway.terminate();
    assert_eq!(status.code(), Some(0), "{log}");
    report(&format!(
        "{kills} kills ({} more while opening): {} deliveries acknowledged, {} posts without an answer and posted again, \
         {} events, {} payments, {} messages taken by the backend in {} requests; nothing missing, nothing doubled; \
         slowest start {} ms",
        run.killed_early,
        acked.len(),
        load.unanswered(),
        events.len(),
        run.paid.len(),
        messages,
        backend.received().len(),
        run.slowest_start.as_millis(),
    ));
}

#[expect(clippy::print_stderr, reason = "the numbers of a long run are what it is run for")]
fn report(line: &str) {
    eprintln!("{line}");
}

fn senders(load: &Arc<Load>, gateway: &Gateway) -> JoinSet<()> {
    let public = gateway.public;
    let mut senders = JoinSet::new();
    for _ in 0..SENDERS {
        let load = Arc::clone(load);
        senders.spawn(async move { load.until_killed(public).await });
    }
    senders
}

impl Run {
    fn start(&mut self, site: &Site) -> Gateway {
        let began = Instant::now();
        let gateway = site.start();
        self.slowest_start = self.slowest_start.max(began.elapsed());
        gateway
    }

    /// Pays, registers and announces a few invoices, some of them twice or as a variant.
    async fn pay(&mut self, net: &Devnet, gateway: &Gateway, load: &Load, life: u64) {
        for number in life * PAYMENTS..(life + 1) * PAYMENTS {
            let invoice = Invoice(number);
            let reply = gateway.expect(&invoice.id(), &invoice.terms(net)).await;
            assert_eq!(reply.status, 201, "{}", reply.json());
            let tx = invoice.pay(net).await;
            self.paid.insert(number, format!("{tx:#x}"));
            let events: &[&str] = match number % PAYMENTS {
                0 => &["payment.confirmed"],
                1 => &["payment.confirmed", "payment.confirmed"],
                _ => &["payment.confirmed.client_id", "payment.confirmed"],
            };
            for event in events {
                load.push(Post { subject: Subject::Paid(number), body: invoice.webhook(event, tx).into() });
            }
        }
    }
}

/// Waits until the outbox is empty; what shrinks may take as long as it likes.
async fn drain(gateway: &Gateway, backend: &Receiver) {
    let mut last = (u64::MAX, 0);
    let mut since = Instant::now();
    loop {
        let reply = gateway.admin("GET", "/readyz", ADMIN_TOKEN, None).await.json();
        let due = reply.pointer("/components/backend/default/due").and_then(Value::as_u64).unwrap_or(0);
        let now = (due, backend.received().len());
        if due == 0 && now == last && since.elapsed() > LOOK * 5 {
            return;
        }
        if now != last {
            (last, since) = (now, Instant::now());
        }
        assert!(since.elapsed() < PATIENCE, "the backlog stands still at {due}\n{}", gateway.log());
        tokio::time::sleep(LOOK).await;
    }
}

/// Every acknowledged delivery, byte for byte, and the one event of each subject.
async fn everything_is_there(gateway: &Arc<Gateway>, acked: &[Acked]) -> BTreeMap<Subject, String> {
    let mut looks = JoinSet::new();
    for part in acked.chunks(acked.len().div_ceil(SENDERS).max(1)) {
        let (gateway, part) = (Arc::clone(gateway), part.to_vec());
        looks.spawn(async move {
            let mut events = Vec::new();
            for one in part {
                events.push((one.post.subject, is_there(&gateway, &one).await));
            }
            events
        });
    }
    let mut events: BTreeMap<Subject, String> = BTreeMap::new();
    for (subject, event) in looks.join_all().await.into_iter().flatten() {
        let first = events.entry(subject).or_insert_with(|| event.clone());
        assert_eq!(*first, event, "{subject:?} became two events");
    }
    let distinct: BTreeSet<&String> = events.values().collect();
    assert_eq!(distinct.len(), events.len(), "one event stands for two subjects");
    events
}

async fn is_there(gateway: &Gateway, one: &Acked) -> String {
    let path = format!("/api/v1/deliveries/{}", one.delivery_id);
    let raw = gateway.admin("GET", &format!("{path}/raw"), ADMIN_TOKEN, None).await;
    assert_eq!((raw.status, &raw.body[..]), (200, &one.post.body[..]), "{path}");
    let event = gateway.event_when(&one.delivery_id, |_| true).await;
    let shown = gateway.admin("GET", &path, ADMIN_TOKEN, None).await;
    assert_eq!(shown.text("/data/body_sha256"), hex::encode(Sha256::digest(&one.post.body)), "{path}");
    event["event_id"].as_str().expect("an event id").to_owned()
}

/// Each subject is one message at the backend, each payment is verified and is the transaction that paid it. The
/// number of distinct messages.
async fn everything_arrived(
    gateway: &Gateway,
    backend: &Receiver,
    events: &BTreeMap<Subject, String>,
    run: &Run,
) -> usize {
    let wanted: BTreeSet<&str> = events.values().map(String::as_str).collect();
    let has = |received: &Received| wanted.contains(event_of(received));
    backend
        .wait_until("a message of every event", |received| {
            let taken = received.iter().filter(|one| one.answered == Some(200) && has(one)).map(event_of);
            taken.collect::<BTreeSet<_>>().len() == wanted.len()
        })
        .await;
    let mut messages: BTreeMap<String, Received> = BTreeMap::new();
    for one in backend.taken() {
        assert!(has(&one), "a message of an event that nobody posted: {}", one.webhook_id);
        messages.insert(one.webhook_id.clone(), one);
    }
    assert_eq!(messages.len(), wanted.len(), "an event was told in two messages");
    let by_event: BTreeMap<&str, &Received> = messages.values().map(|one| (event_of(one), one)).collect();
    let mut payments = BTreeSet::new();
    for (number, tx) in &run.paid {
        let event = &events[&Subject::Paid(*number)];
        let message = by_event[event.as_str()];
        assert_eq!(message.message_type(), "payment.verified", "invoice {number}");
        assert_eq!(message.message["data"]["payment"]["tx_hash"], **tx, "invoice {number}");
        assert_eq!(message.message["data"]["expectation"]["id"], Invoice(*number).id());
        assert!(payments.insert(message.payment_id().expect("a payment id")), "one payment id for two payments");
    }
    let money = messages.values().filter(|one| one.payment_id().is_some()).count();
    assert_eq!(money, run.paid.len(), "payments that nobody made");
    for (subject, event) in events {
        is_done(gateway, *subject, event).await;
    }
    messages.len()
}

/// The backend's answer is put on record after it was given.
async fn is_done(gateway: &Gateway, subject: Subject, event: &str) {
    let began = Instant::now();
    loop {
        let shown = gateway.admin("GET", &format!("/api/v1/events/{event}"), ADMIN_TOKEN, None).await;
        let state = shown.text("/data/state");
        if matches!(state.as_str(), "forwarded" | "settled") {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{subject:?} is {state}");
        tokio::time::sleep(LOOK).await;
    }
}

fn event_of(received: &Received) -> &str {
    received.message["data"]["event_id"].as_str().unwrap_or_default()
}
