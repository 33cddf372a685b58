//! A backend that fails in every way it can, and a gateway that is killed at each step of an attempt: no event is lost, none
//! has two ids, and the order of each lane holds.

mod steps;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::support::chaos::{Chaos, Line};
use crate::support::gateway::{FORWARD_SECRET, Gateway, Setup, Site};
use crate::support::invoice;
use crate::support::receiver::{Answer, Receiver};

const LANES: u64 = 3;
/// Attempts that each way of failing spoils, or is used by.
const TRIES: usize = 3;
const PATIENCE: Duration = Duration::from_secs(60);

/// The breaker opens and closes all the time.
fn site(backend: std::net::SocketAddr) -> Site {
    let breaker = "breaker = { failures = 2, first = \"100ms\", max = \"200ms\" }";
    let lines = vec![("forward", format!("timeout = \"1s\"\n{breaker}\n"))];
    Site::new(&Setup { backend: Some(backend), lines, ..Setup::default() })
}

/// One more event of each lane; their deliveries in order.
async fn post(gateway: &Gateway, step: u64, posted: &mut Vec<String>) {
    for request in 0..LANES {
        posted.push(gateway.request_network(&invoice::processing(request, step)).await.delivery_id());
    }
}

/// What was posted, once all of it has settled: events by lane, in order.
async fn settled(gateway: &Gateway, posted: &[String]) -> BTreeMap<String, Vec<String>> {
    let mut lanes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for delivery in posted {
        let event = gateway.event_in(delivery, "settled", "PROVIDER_EVENT").await;
        let text = |name: &str| event[name].as_str().expect(name).to_owned();
        lanes.entry(text("lane")).or_default().push(text("event_id"));
    }
    lanes
}

/// What the backend took: events by lane in the order of their first arrival, and the ids it heard of each.
fn taken(backend: &Receiver) -> (BTreeMap<String, Vec<String>>, BTreeMap<String, BTreeSet<String>>) {
    let (mut lanes, mut ids) = (BTreeMap::<_, Vec<String>>::new(), BTreeMap::<_, BTreeSet<String>>::new());
    for one in backend.taken() {
        let event = one.message["data"]["event_id"].as_str().expect("an event id").to_owned();
        let lane = lanes.entry(one.lane().to_owned()).or_default();
        if !lane.contains(&event) {
            lane.push(event.clone());
        }
        ids.entry(event).or_default().insert(one.webhook_id);
    }
    (lanes, ids)
}

async fn holds(gateway: &Gateway, backend: &Receiver, posted: &[String]) {
    let wanted = settled(gateway, posted).await;
    let (lanes, ids) = taken(backend);
    assert_eq!(lanes, wanted, "nothing is missing, and each lane is in order");
    assert!(ids.values().all(|ids| ids.len() == 1), "one id for one event: {ids:?}");
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_backend_that_fails_in_every_way_gets_everything_in_order_and_each_under_one_id() {
    let backend = Receiver::start(&[FORWARD_SECRET]);
    let elsewhere = Receiver::start(&[FORWARD_SECRET]);
    let mut way = Chaos::down(backend.address()).await;
    let gateway = site(way.address()).start();
    let mut posted = Vec::new();
    post(&gateway, 0, &mut posted).await;
    gateway.says("\"connect\"").await;
    let lines = [Line::Resets, Line::Hangs, Line::Breaks(3), Line::Breaks(40), Line::Trickles, Line::Lies];
    for (step, line) in (1..).zip(lines) {
        way.put_up(line).await;
        post(&gateway, step, &mut posted).await;
        let before = way.broken();
        until(&format!("{line:?}"), || before + TRIES <= way.broken()).await;
    }
    let late = |status| Answer::Full(status, vec![("retry-after", "1".to_owned())], "later".to_owned());
    let moved = Answer::Full(307, vec![("location", elsewhere.url())], String::new());
    backend.script([Answer::Status(500), late(429), moved, late(503), Answer::Status(404), Answer::Close]);
    way.put_up(Line::Good).await;
    post(&gateway, 20, &mut posted).await;
    holds(&gateway, &backend, &posted).await;
    assert_eq!(elsewhere.received().len(), 0, "nothing goes where a redirect points");
}
