//! A disk that fills: who waits first, and that nobody is lied to.

use evidence_store::RejectedFilter;

use super::support::{Answer, Gateway, PATH, SECRET, request, signature, signed, source};
use crate::config::{Provider, Shed};

/// As much as no disk has: marks above it are crossed.
const HUGE: u64 = 1 << 60;

const STRIPE: &str = "/hooks/stripe";
const REQUEST_NETWORK: &str = "/hooks/rn";

/// A gateway with a source of each class, on a disk that is always below `shed`, and above or below the reserve.
async fn gateway(shed: u64, reserve: u64) -> Gateway {
    Gateway::with(|config, options| {
        config.sources.push(source("stripe", STRIPE, Provider::Stripe, SECRET));
        config.sources.push(source("rn", REQUEST_NETWORK, Provider::RequestNetwork, SECRET));
        config.evidence.watermarks = crate::config::Watermarks { warn: shed, shed };
        config.evidence.reserve = reserve;
        options.reserve_bytes = reserve;
    })
    .await
}

/// Free space on the disk of the tests, for marks relative to it.
fn free(gateway: &Gateway) -> u64 {
    gateway.store.disk_free().expect("the disk says")
}

/// Only the head: what is decided before the body is read is answered without one.
async fn head(gateway: &Gateway, path: &str) -> Answer {
    let head = format!("POST {path} HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n");
    gateway.ask(head.as_bytes()).await
}

#[track_caller]
fn waits(answer: &Answer, retry_after: &str) {
    answer.refused(503, "EVIDENCE_UNAVAILABLE");
    assert_eq!(answer.header("retry-after"), Some(retry_after), "{answer:?}");
    assert_eq!(answer.json["error"]["details"]["retry_after_s"].to_string(), retry_after);
    assert!(answer.closes(), "its body was not read");
}

#[tokio::test]
async fn below_the_first_mark_stripe_waits_before_its_body_is_read_and_others_are_taken() {
    let free = free(&Gateway::start().await);
    // Half-way to the reserve of one byte is half of that: the middle class is above its mark, whatever else writes.
    let gateway = gateway(free + free / 2, 1).await;
    waits(&head(&gateway, STRIPE).await, "60");
    gateway.ask(&signed(b"{}", "")).await.stored();
    assert_eq!(gateway.deliveries().len(), 1);
    let metric = |source| gateway.metric(&format!("tollgate_disk_shedding{{source=\"{source}\"}}"));
    assert_eq!([metric("stripe"), metric("orders"), metric("rn")], [1.0, 0.0, 0.0]);
    assert_eq!(gateway.metric("tollgate_disk_low"), 1.0);
    assert_eq!(gateway.metric(r#"tollgate_rejected_total{source="stripe",code="EVIDENCE_UNAVAILABLE"}"#), 1.0);
}

#[tokio::test]
async fn half_way_to_the_reserve_only_the_last_class_is_taken() {
    let gateway = gateway(HUGE, 1).await;
    waits(&head(&gateway, STRIPE).await, "60");
    waits(&head(&gateway, PATH).await, "60");
    // The same bytes that the others are refused for get as far as their signature here.
    let mut client = gateway.connect().await;
    let body = br#"{"event":"payment.confirmed"}"#;
    let head = format!("POST {REQUEST_NETWORK} HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n", body.len());
    let tag = signature(body);
    let tag = tag.strip_prefix("sha256=").unwrap();
    client.send(format!("{head}x-request-network-signature: {tag}\r\n\r\n").as_bytes()).await;
    client.send(body).await;
    client.answer().await.stored();
    assert_eq!(gateway.deliveries()[0].source, "rn");
    let metric = |source| gateway.metric(&format!("tollgate_disk_shedding{{source=\"{source}\"}}"));
    assert_eq!([metric("stripe"), metric("orders"), metric("rn")], [1.0, 1.0, 0.0]);
}

#[tokio::test]
async fn below_the_reserve_every_class_waits_and_the_log_is_not_touched() {
    let gateway = gateway(HUGE, HUGE).await;
    for path in [STRIPE, PATH, REQUEST_NETWORK] {
        waits(&head(&gateway, path).await, "1");
    }
    assert_eq!(gateway.metric(r#"tollgate_disk_shedding{source="rn"}"#), 1.0);
    assert!(gateway.deliveries().is_empty());
    assert!(gateway.store.rejected(&RejectedFilter::default(), None, 10).unwrap().records.is_empty());
}

#[tokio::test]
async fn the_configured_class_wins_and_what_is_no_delivery_is_refused_as_ever() {
    let gateway = Gateway::with(|config, _| {
        config.evidence.watermarks = crate::config::Watermarks { warn: HUGE, shed: HUGE };
        config.sources[0].shed = Shed::Last;
    })
    .await;
    gateway.ask(&signed(b"{}", "")).await.stored();
    gateway.ask(&request(b"{}", "")).await.refused(401, "SIGNATURE_MISSING");
    let get = format!("GET {PATH} HTTP/1.1\r\nHost: h\r\n\r\n");
    gateway.ask(get.as_bytes()).await.refused(405, "METHOD_NOT_ALLOWED");
}

#[tokio::test]
async fn a_sender_that_asks_first_is_told_without_sending_its_body() {
    let gateway = gateway(HUGE, 1).await;
    let mut client = gateway.connect().await;
    let head = format!("POST {STRIPE} HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    client.send(head.as_bytes()).await;
    waits(&client.answer().await, "60");
    assert_eq!(gateway.store.head().seq, 0);
}
