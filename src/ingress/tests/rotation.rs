//! A rotation, in order and forgotten: which secrets are taken until when, and what says so.

use std::time::Duration;

use super::support::{Gateway, PATH, SECRET, now, request, signed};
use crate::config::{Secret, SourceSecret};
use crate::digest::{Algorithm, HmacKey};
use crate::ingress::Ingress;
use crate::telemetry::metrics::Metrics;
use crate::watermark::Watermarks;

const NEW: &str = "the secret after the rotation";
const FAILURES: &str = r#"tollgate_source_signature_failures_since_verified{source="orders"}"#;

fn signed_with(secret: &str, body: &[u8]) -> Vec<u8> {
    let tag = HmacKey::new(Algorithm::Sha256, secret.as_bytes()).sign(&[body]);
    request(body, &format!("X-Signature: sha256={}\r\n", hex::encode(tag)))
}

fn entry(name: &str, secret: &str, ends_in_s: Option<i64>) -> SourceSecret {
    let not_after = ends_in_s.map(|seconds| now().checked_add(jiff::SignedDuration::from_secs(seconds)).unwrap());
    SourceSecret { name: name.to_owned(), secret: Secret::new(secret.to_owned()), not_after }
}

#[tokio::test]
async fn rule_31_an_old_secret_is_taken_and_counted_until_it_ends() {
    let gateway = Gateway::with(|config, _| {
        config.sources[0].secrets = vec![entry("new", NEW, None), entry("old", SECRET, Some(60))];
    })
    .await;
    let old = r#"tollgate_old_secret_matches_total{source="orders",secret="old"}"#;
    gateway.ask(&signed_with(NEW, b"1")).await.stored();
    assert_eq!(gateway.metric(old), 0.0);
    gateway.ask(&signed_with(SECRET, b"2")).await.stored();
    assert_eq!(gateway.metric(old), 1.0);
    gateway.clock.advance(Duration::from_secs(60));
    gateway.ask(&signed_with(SECRET, b"3")).await.stored();
    gateway.clock.advance(Duration::from_micros(1));
    gateway.ask(&signed_with(SECRET, b"4")).await.refused(401, "SIGNATURE_MISMATCH");
    gateway.ask(&signed_with(NEW, b"5")).await.stored();
    assert_eq!(gateway.metric(old), 2.0, "after its end it is no match");
    assert_eq!(gateway.metric(r#"tollgate_old_secret_matches_total{source="orders",secret="new"}"#), 0.0);
}

#[tokio::test]
async fn what_is_left_when_the_newest_has_ended_is_the_newest() {
    let gateway = Gateway::with(|config, _| {
        config.sources[0].secrets = vec![entry("ended", NEW, Some(-1)), entry("live", SECRET, None)];
    })
    .await;
    gateway.ask(&signed_with(NEW, b"1")).await.refused(401, "SIGNATURE_MISMATCH");
    gateway.ask(&signed_with(SECRET, b"2")).await.stored();
    assert!(!gateway.metrics.encode().unwrap().contains("old_secret_matches_total{"));
}

#[tokio::test]
async fn a_source_that_used_to_verify_and_fails_is_counted_until_it_verifies() {
    let gateway = Gateway::start().await;
    for n in 0..3 {
        gateway.ask(&signed_with(NEW, &[n])).await.refused(401, "SIGNATURE_MISMATCH");
    }
    assert_eq!(gateway.metric(FAILURES), 0.0, "nothing verified yet");
    gateway.ask(&signed(b"right", "")).await.stored();
    for n in 0..7 {
        gateway.ask(&signed_with(NEW, &[n])).await.refused(401, "SIGNATURE_MISMATCH");
    }
    gateway.ask(&request(b"none", "")).await.refused(401, "SIGNATURE_MISSING");
    assert_eq!(gateway.metric(FAILURES), 8.0);
    gateway.ask(&signed(b"right again", "")).await.stored();
    assert_eq!(gateway.metric(FAILURES), 0.0);
}

#[tokio::test]
async fn a_restart_does_not_hide_that_a_source_used_to_verify() {
    let gateway = Gateway::start().await;
    gateway.ask(&signed(b"right", "")).await.stored();
    let metrics = Metrics::new();
    let marks = Watermarks::new(&gateway.config, &metrics);
    let (config, clock) = (gateway.config.clone(), gateway.clock.clone());
    let again = Ingress::new(config, gateway.store.clone(), clock, metrics.clone(), marks).unwrap();
    let route = again.routes.find(PATH).unwrap();
    route.failed(now());
    assert!(metrics.encode().unwrap().contains(&format!("{FAILURES} 0\n")));
    again.recall();
    route.failed(now());
    let text = metrics.encode().unwrap();
    assert!(text.contains(&format!("{FAILURES} 1\n")), "{text}");
    let last = format!("timestamp_seconds{{source=\"orders\"}} {}\n", now().as_second());
    assert!(text.contains(&last), "{text}");
}
