//! Promise 7 and the table "down / still works / waits": the backend or the ledger goes away and comes back.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::support::chaos::{Chaos, Line};
use crate::support::gateway::{ADMIN_TOKEN, FORWARD_SECRET, Gateway, Setup, Site};
use crate::support::invoice;
use crate::support::receiver::{Answer, Received, Receiver};

const LANES: u64 = 3;
const STEPS: u64 = 4;

/// Requests that are waited for in each way of being down.
const TRIES: usize = 6;

fn site(backend: std::net::SocketAddr) -> Site {
    Site::new(&Setup { backend: Some(backend), ..Setup::default() })
}

/// Event ids in the order in which they were posted, by lane.
async fn post_all(gateway: &Gateway) -> BTreeMap<String, Vec<String>> {
    let mut lanes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for step in 0..STEPS {
        for request in 0..LANES {
            let delivery = gateway.request_network(&invoice::processing(request, step)).await.delivery_id();
            let event = gateway.event_when(&delivery, |event| event["state"] == "forwarding").await;
            let text = |name: &str| event[name].as_str().expect(name).to_owned();
            lanes.entry(text("lane")).or_default().push(text("event_id"));
        }
    }
    lanes
}

fn by_lane(taken: &[Received]) -> BTreeMap<String, Vec<String>> {
    let mut lanes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for one in taken {
        let event = one.message["data"]["event_id"].as_str().expect("an event id");
        lanes.entry(one.lane().to_owned()).or_default().push(event.to_owned());
    }
    lanes
}

/// The receiver itself refuses a repeat with other bytes and two messages of one lane at a time.
#[tokio::test]
async fn a_backend_that_was_down_in_every_way_gets_everything_once_and_in_order_per_lane() {
    let backend = Receiver::start(&[FORWARD_SECRET]);
    let mut way = Chaos::down(backend.address()).await;
    // Long enough for a backend that is only slow, short enough to wait out one that never answers.
    let lines = vec![("forward", "timeout = \"3s\"".to_owned())];
    let gateway = Site::new(&Setup { backend: Some(way.address()), lines, ..Setup::default() }).start();
    let posted = post_all(&gateway).await;
    assert_eq!(posted.len(), usize::try_from(LANES).expect("a count"));
    gateway.says("\"connect\"").await;
    assert_eq!(backend.received().len(), 0, "nothing gets through to a backend that is not there");

    backend.always(Answer::Status(500));
    way.put_up(Line::Good).await;
    backend.wait_for(TRIES).await;
    backend.always(Answer::Stall);
    backend.wait_for(2 * TRIES).await;
    backend.always(Answer::Close);
    backend.wait_for(3 * TRIES).await;
    let ready = gateway.admin("GET", "/readyz", ADMIN_TOKEN, None).await;
    assert_eq!(ready.status, 200, "a backend that is down stops no acknowledgement");

    backend.always(Answer::Status(200));
    let count = usize::try_from(LANES * STEPS).expect("a count");
    backend.wait_for_taken(count).await;
    let taken = backend.taken();
    assert_eq!(by_lane(&taken), posted, "in order per lane, each once");
    let ids: BTreeSet<String> = backend.received().into_iter().map(|one| one.webhook_id).collect();
    assert_eq!(ids.len(), count, "a retry is the same message");
    for event in posted.values().flatten() {
        settled(&gateway, event).await;
    }
}

async fn settled(gateway: &Gateway, event: &str) {
    let shown = gateway.admin("GET", &format!("/api/v1/events/{event}"), ADMIN_TOKEN, None).await.json();
    let delivery = shown.pointer("/data/delivery_list/0/delivery_id").and_then(|id| id.as_str()).expect("a delivery");
    gateway.event_in(delivery, "settled", "PROVIDER_EVENT").await;
}

#[tokio::test]
async fn a_redirect_is_a_refusal_and_nothing_goes_where_it_points() {
    let elsewhere = Receiver::start(&[FORWARD_SECRET]);
    let backend = Receiver::start(&[FORWARD_SECRET]);
    let moved = |status| Answer::Full(status, vec![("location", elsewhere.url())], String::new());
    backend.script([moved(301), moved(302), moved(307), moved(308)]);
    let gateway = site(backend.address()).start();
    let delivery = gateway.request_network(&invoice::processing(1, 1)).await.delivery_id();
    backend.wait_for_taken(1).await;
    let event = gateway.event_in(&delivery, "settled", "PROVIDER_EVENT").await;
    let attempts = event["messages"][0]["attempts"].as_array().expect("attempts").clone();
    let statuses: Vec<_> = attempts.iter().map(|attempt| attempt["status"].as_u64()).collect();
    assert_eq!(statuses, [301, 302, 307, 308, 200].map(Some));
    assert_eq!(elsewhere.received().len(), 0);
}

/// The answer breaks off after the backend has taken the message: it is sent again under the same id.
#[tokio::test]
async fn rule_18_a_message_whose_answer_is_lost_is_sent_again_as_the_same_message() {
    let backend = Receiver::start(&[FORWARD_SECRET]);
    let mut way = Chaos::down(backend.address()).await;
    way.put_up(Line::Breaks(3)).await;
    let gateway = site(way.address()).start();
    let delivery = gateway.request_network(&invoice::processing(1, 1)).await.delivery_id();
    backend.wait_for_taken(2).await;
    assert!(0 < way.broken());
    way.put_up(Line::Good).await;
    gateway.event_in(&delivery, "settled", "PROVIDER_EVENT").await;
    let ids: BTreeSet<String> = backend.taken().into_iter().map(|one| one.webhook_id).collect();
    assert_eq!(ids.len(), 1);
}

fn ledger(site: &Site) -> PathBuf {
    site.data().join("ledger.db")
}

/// Posts and says that nothing but the ledger is missing.
async fn acknowledged_without_the_ledger(gateway: &Gateway, request: u64) -> Vec<String> {
    let mut deliveries = Vec::new();
    for number in 0..3 {
        let (body, reply) = if number == 0 {
            let body = invoice::card(request);
            (body.clone(), gateway.stripe(&body).await)
        } else {
            let body = invoice::processing(request, number);
            (body.clone(), gateway.request_network(&body).await)
        };
        let delivery = reply.delivery_id();
        let raw = gateway.admin("GET", &format!("/api/v1/deliveries/{delivery}/raw"), ADMIN_TOKEN, None).await;
        assert_eq!((raw.status, raw.body), (200, body), "evidence is read without the ledger");
        deliveries.push(delivery);
    }
    assert_eq!(gateway.admin("GET", "/readyz", ADMIN_TOKEN, None).await.status, 200, "readiness is about acks");
    deliveries
}

/// Status of the readiness that counts the ledger, and how the ledger is in it.
async fn strictly(gateway: &Gateway) -> (u16, String) {
    let ready = gateway.admin("GET", "/readyz?strict=1", ADMIN_TOKEN, None).await;
    (ready.status, ready.text("/components/ledger/status"))
}

async fn all_settle(gateway: &Gateway, deliveries: &[String]) {
    for delivery in deliveries {
        gateway.event_in(delivery, "settled", "PROVIDER_EVENT").await;
    }
}

#[tokio::test]
async fn a_locked_ledger_costs_no_acknowledgement_and_work_goes_on_when_it_is_free() {
    let backend = Receiver::start(&[FORWARD_SECRET]);
    let site = site(backend.address());
    let mut gateway = site.start();
    let before = gateway.request_network(&invoice::processing(1, 0)).await.delivery_id();
    gateway.event_in(&before, "settled", "PROVIDER_EVENT").await;

    let other = Connection::open(ledger(&site)).expect("another connection");
    other.execute_batch("BEGIN EXCLUSIVE").expect("the lock");
    let deliveries = acknowledged_without_the_ledger(&gateway, 2).await;
    gateway.says("intake waits for the ledger").await;
    let shown = gateway.admin("GET", &format!("/api/v1/deliveries/{}", deliveries[0]), ADMIN_TOKEN, None).await;
    assert_eq!(shown.json()["data"]["taken_in"], false);
    assert_eq!(strictly(&gateway).await, (503, "refuses_writes".to_owned()));
    assert!(gateway.is_running());

    other.execute_batch("ROLLBACK").expect("the lock is let go");
    all_settle(&gateway, &deliveries).await;
    assert_eq!(strictly(&gateway).await, (200, "ok".to_owned()));
    backend.wait_for_taken(4).await;
}

/// The database and what SQLite keeps beside it.
fn move_ledger(from: &Path, to: &Path) {
    for ending in ["", "-wal", "-shm"] {
        let name = |path: &Path| PathBuf::from(format!("{}{ending}", path.display()));
        if name(from).exists() {
            std::fs::rename(name(from), name(to)).expect("it is moved");
        }
    }
}

#[tokio::test]
async fn a_ledger_that_is_moved_away_costs_no_acknowledgement_and_work_goes_on_when_it_is_back() {
    let backend = Receiver::start(&[FORWARD_SECRET]);
    let site = site(backend.address());
    let mut gateway = site.start();
    let before = gateway.request_network(&invoice::processing(1, 0)).await.delivery_id();
    gateway.event_in(&before, "settled", "PROVIDER_EVENT").await;

    let away = site.data().join("away.db");
    move_ledger(&ledger(&site), &away);
    let deliveries = acknowledged_without_the_ledger(&gateway, 2).await;
    gateway.says("intake waits for the ledger").await;
    let events = gateway.admin("GET", "/api/v1/events", ADMIN_TOKEN, None).await;
    assert_eq!((events.status, events.code()), (503, "UNAVAILABLE".to_owned()));
    assert_eq!(strictly(&gateway).await, (503, "unavailable".to_owned()));
    assert!(!ledger(&site).exists(), "nobody makes a second ledger");
    assert!(gateway.is_running());

    move_ledger(&away, &ledger(&site));
    all_settle(&gateway, &deliveries).await;
    assert_eq!(backend.wait_for_taken(4).await.len(), 4, "what was sent before is not sent again");
}
