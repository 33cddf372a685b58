//! Who is not let in: signatures, addresses, and the log that cannot take more.

use std::time::{Duration, Instant};

use tokio::sync::OwnedSemaphorePermit;

use super::support::{Answer, Client, Gateway, PATH, SECRET, now, request, signature, signed, source};
use crate::config::{Network, Provider, Shed};
use crate::digest::{Algorithm, HmacKey};

fn with_signature(value: &str) -> Vec<u8> {
    request(b"body", &format!("X-Signature: {value}\r\n"))
}

#[tokio::test]
async fn a_missing_or_wrong_signature_is_401_and_kept_as_rejected() {
    let gateway = Gateway::start().await;
    gateway.ask(&request(b"body", "")).await.refused(401, "SIGNATURE_MISSING");
    let other = signature(b"other body");
    let answer = gateway.ask(&with_signature(&other)).await;
    answer.refused(401, "SIGNATURE_MISMATCH");
    assert!(!answer.closes(), "the body was read: the connection goes on");
    let text = answer.json.to_string();
    assert!(!text.contains(SECRET) && !text.contains(&other) && !text.contains("first"), "{text}");

    assert!(gateway.deliveries().is_empty());
    let rejected = gateway.rejected(2).await;
    let mut codes: Vec<_> = rejected.iter().map(|record| record.code.as_str()).collect();
    codes.sort_unstable();
    assert_eq!(codes, ["SIGNATURE_MISMATCH", "SIGNATURE_MISSING"]);
    assert!(rejected.iter().all(|record| record.body == "body"));
    assert!(rejected.iter().all(|record| record.http_version.as_deref() == Some("HTTP/1.1")));
    let known = rejected.iter().find(|record| record.code == "SIGNATURE_MISMATCH").unwrap();
    assert_eq!(known.request_id.as_deref(), answer.header("x-request-id"), "what the sender can tell us");
    assert_eq!(gateway.metric(r#"tollgate_rejected_total{source="orders",code="SIGNATURE_MISMATCH"}"#), 1.0);
    assert_eq!(gateway.metric(r#"tollgate_rejected_total{source="orders",code="SIGNATURE_MISSING"}"#), 1.0);
}

#[tokio::test]
async fn odd_signature_headers_are_refused_whatever_their_shape() {
    let gateway = Gateway::start().await;
    let right = signature(b"body");
    let odd = [
        "sha256=".to_owned(),
        "sha256=zz".to_owned(),
        right.replace("sha256=", ""),
        right.replace("sha256=", "sha1="),
        format!("{right}00"),
        right.strip_suffix(&right.chars().rev().take(1).collect::<String>()).unwrap().to_owned(),
        format!("{right}, {right}"),
        "sha256=".to_owned() + &"0".repeat(10_000),
        "\u{e9}".to_owned(),
    ];
    for value in &odd {
        let answer = gateway.ask(&with_signature(value)).await;
        assert_eq!(answer.status, 401, "{value}");
    }
    let twice = format!("X-Signature: {right}\r\nX-Signature: {right}\r\n");
    gateway.ask(&request(b"body", &twice)).await.refused(401, "SIGNATURE_MALFORMED");
    let upper = right.to_ascii_uppercase().replace("SHA256=", "sha256=");
    gateway.ask(&with_signature(&upper)).await.stored();
    assert_eq!(gateway.deliveries().len(), 1);
}

#[tokio::test]
async fn a_signed_time_too_far_off_is_refused() {
    let gateway =
        Gateway::with(|config, _| config.sources.push(source("cards", "/cards", Provider::Stripe, "whsec_x"))).await;
    let at = |seconds: i64| {
        let stamp = now().as_second() + seconds;
        let tag = HmacKey::new(Algorithm::Sha256, b"whsec_x").sign(&[stamp.to_string().as_bytes(), b".", b"{}"]);
        let head = format!("Stripe-Signature: t={stamp},v1={}\r\n", hex::encode(tag));
        String::from_utf8(request(b"{}", &head)).unwrap().replacen("/hooks/orders", "/cards", 1).into_bytes()
    };
    gateway.ask(&at(-10)).await.stored();
    gateway.ask(&at(-3_600)).await.refused(401, "TIMESTAMP_OUT_OF_TOLERANCE");
    gateway.ask(&at(3_600)).await.refused(401, "TIMESTAMP_OUT_OF_TOLERANCE");
    assert_eq!(gateway.deliveries().len(), 1);
    assert_eq!(gateway.deliveries()[0].signature.signed_at, Some(now().as_second() - 10));
}

#[tokio::test]
async fn rule_30_too_many_wrong_signatures_are_429_but_never_a_right_one() {
    let gateway = Gateway::start().await;
    let mut client = gateway.connect().await;
    let mut limited = None;
    for n in 0..100 {
        client.send(&with_signature("sha256=00")).await;
        let answer = client.answer().await;
        if answer.status == 429 {
            limited = Some((n, answer));
            break;
        }
        assert_eq!(answer.status, 401);
    }
    let (failures, answer) = limited.expect("429 in the end");
    assert!(failures >= 10, "honest mistakes have room: {failures}");
    answer.refused(429, "RATE_LIMITED");
    let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait));
    client.send(&signed(b"rightly signed", "")).await;
    client.answer().await.stored();
    client.send(&with_signature("sha256=00")).await;
    client.answer().await.refused(429, "RATE_LIMITED");
    assert_eq!(gateway.metric(r#"tollgate_rejected_total{source="orders",code="RATE_LIMITED"}"#), 2.0);
}

#[tokio::test]
async fn another_client_behind_the_proxy_is_not_limited() {
    let gateway = Gateway::with(|config, _| config.ingress.trusted_proxies = vec![loopback()]).await;
    let mut client = gateway.connect().await;
    for _ in 0..100 {
        client.send(&request(b"body", "X-Forwarded-For: 198.51.100.1\r\n")).await;
        client.answer().await;
    }
    client.send(&request(b"body", "X-Forwarded-For: 198.51.100.1\r\n")).await;
    client.answer().await.refused(429, "RATE_LIMITED");
    client.send(&request(b"body", "X-Forwarded-For: 198.51.100.2\r\n")).await;
    client.answer().await.refused(401, "SIGNATURE_MISSING");
}

fn loopback() -> Network {
    Network { address: [127, 0, 0, 1].into(), prefix: 32 }
}

#[tokio::test]
async fn senders_outside_allow_ips_are_403() {
    let gateway = Gateway::with(|config, _| {
        config.ingress.trusted_proxies = vec![loopback()];
        config.sources[0].allow_ips = vec![Network { address: [198, 51, 100, 0].into(), prefix: 24 }];
    })
    .await;
    let from = |address: &str| signed(b"body", &format!("X-Forwarded-For: {address}\r\n"));
    gateway.ask(&signed(b"body", "")).await.refused(403, "FORBIDDEN");
    gateway.ask(&from("203.0.113.1")).await.refused(403, "FORBIDDEN");
    gateway.ask(&from("198.51.100.7, 203.0.113.1")).await.refused(403, "FORBIDDEN");
    gateway.ask(&from("203.0.113.1, 198.51.100.7")).await.stored();
    assert_eq!(gateway.deliveries()[0].peer, "198.51.100.7");
    assert_eq!(gateway.rejected(3).await.len(), 3);
}

#[tokio::test]
async fn forwarding_headers_of_strangers_are_ignored() {
    let gateway = Gateway::with(|config, _| {
        config.sources[0].allow_ips = vec![Network { address: [198, 51, 100, 0].into(), prefix: 24 }];
    })
    .await;
    let request = signed(b"body", "X-Forwarded-For: 198.51.100.7\r\nForwarded: for=198.51.100.7\r\n");
    gateway.ask(&request).await.refused(403, "FORBIDDEN");
}

#[tokio::test]
async fn rule_29_a_log_below_its_reserve_is_503() {
    let gateway = Gateway::with(|_, options| options.reserve_bytes = u64::MAX).await;
    let answer = gateway.ask(&signed(b"body", "")).await;
    answer.refused(503, "EVIDENCE_UNAVAILABLE");
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert!(gateway.deliveries().is_empty());
}

#[tokio::test]
async fn a_closed_log_is_503() {
    let gateway = Gateway::start().await;
    let store = gateway.store.clone();
    crate::task::spawn_blocking(move || store.close()).await.unwrap();
    let answer = gateway.ask(&signed(b"body", "")).await;
    answer.refused(503, "EVIDENCE_UNAVAILABLE");
    assert_eq!(answer.header("retry-after"), Some("1"));
}

#[tokio::test]
async fn rule_30_each_source_has_its_own_room() {
    let gateway = Gateway::with(|config, _| {
        let mut second = config.sources[0].clone();
        (second.name, second.path) = ("second".to_owned(), "/second".to_owned());
        config.sources.push(second);
    })
    .await;
    let route = gateway.ingress.routes.find("/hooks/orders").unwrap();
    let room = u32::try_from(route.room.available_permits()).unwrap();
    let full = route.room.clone().acquire_many_owned(room).await.unwrap();
    let answer = gateway.ask(&signed(b"body", "")).await;
    answer.refused(503, "EVIDENCE_UNAVAILABLE");
    assert_eq!(answer.header("retry-after"), Some("1"));
    let second = String::from_utf8(signed(b"body", "")).unwrap().replacen("/hooks/orders", "/second", 1);
    gateway.ask(second.as_bytes()).await.stored();
    drop(full);
    gateway.ask(&signed(b"body", "")).await.stored();
}

async fn every_slot(gateway: &Gateway) -> OwnedSemaphorePermit {
    let route = gateway.ingress.routes.find("/hooks/orders").unwrap();
    let slots = u32::try_from(route.slots.available_permits()).unwrap();
    route.slots.clone().acquire_many_owned(slots).await.unwrap()
}

/// As a client sees a source with all its slots taken, and again when they are free.
async fn without_slots(class: Shed) -> (Gateway, Client, Answer, Duration) {
    let gateway = Gateway::with(|config, _| config.sources[0].shed = class).await;
    let all = every_slot(&gateway).await;
    let mut client = gateway.connect().await;
    let began = Instant::now();
    client.send(&signed(b"body", "")).await;
    let answer = client.answer().await;
    answer.refused(503, "EVIDENCE_UNAVAILABLE");
    assert_eq!(answer.header("retry-after"), Some("1"));
    let waited = began.elapsed();
    drop(all);
    (gateway, client, answer, waited)
}

#[tokio::test]
async fn without_a_slot_who_comes_back_is_told_at_once_and_keeps_its_connection() {
    let (gateway, mut client, answer, waited) = without_slots(Shed::First).await;
    assert!(waited < Duration::from_millis(500), "{waited:?}");
    assert!(!answer.closes());
    client.send(&signed(b"body", "")).await;
    client.answer().await.stored();
    assert_eq!(gateway.deliveries().len(), 1);
}

#[tokio::test]
async fn without_a_slot_who_gives_up_soon_is_waited_with() {
    let (gateway, mut client, answer, waited) = without_slots(Shed::Last).await;
    assert!(Duration::from_millis(1_900) < waited, "{waited:?}");
    assert!(!answer.closes());
    client.send(&signed(b"body", "")).await;
    client.answer().await.stored();
    assert_eq!(gateway.deliveries().len(), 1);
}

#[tokio::test]
async fn without_a_slot_a_large_or_announced_body_is_not_read() {
    let gateway = Gateway::with(|config, _| config.sources[0].shed = Shed::First).await;
    let _all = every_slot(&gateway).await;
    for more in ["Content-Length: 70000\r\n", "Content-Length: 5\r\nExpect: 100-continue\r\n"] {
        let answer = gateway.ask(format!("POST {PATH} HTTP/1.1\r\nHost: h\r\n{more}\r\n").as_bytes()).await;
        answer.refused(503, "EVIDENCE_UNAVAILABLE");
        assert!(answer.closes());
    }
}
