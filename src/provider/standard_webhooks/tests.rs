//! Standard Webhooks: the published vectors both ways, and what a stored delivery means.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::super::testing::{WHSEC, at, header_map, secret, source, stored};
use super::super::{Verifier, interpret};
use super::*;
use crate::config::Provider;

#[derive(Deserialize)]
struct Vector {
    id: String,
    algorithm: String,
    secret: Option<String>,
    timestamp: i64,
    now: i64,
    body_text: String,
    headers: BTreeMap<String, String>,
    expected: String,
    reason: String,
}

fn vectors() -> Vec<Vector> {
    let vectors: Vec<Vector> = serde_json::from_str(include_str!("vectors.json")).unwrap();
    assert_eq!(vectors.len(), 22);
    vectors
}

fn verifier(text: &str) -> Verifier {
    let mut source = source(Provider::StandardWebhooks);
    source.secrets = vec![secret("current", text)];
    Verifier::new(&source).unwrap()
}

#[test]
fn rule_30_equal_bodies_under_two_signed_ids_are_no_copies() {
    let headers =
        |id: &'static str| [(bytes::Bytes::from_static(b"Webhook-Id"), bytes::Bytes::from_static(id.as_bytes()))];
    let apart = |id| crate::provider::apart(&crate::config::Provider::StandardWebhooks, &headers(id));
    assert_eq!(apart("msg_1"), apart("msg_1"));
    assert_ne!(apart("msg_1"), apart("msg_2"));
    assert_eq!(crate::provider::apart(&crate::config::Provider::Stripe, &headers("msg_1")), None);
}

#[test]
fn every_signature_vector_is_judged_as_documented() {
    for vector in vectors() {
        let headers: Vec<_> = vector.headers.into_iter().collect();
        let verifier = verifier(vector.secret.as_deref().unwrap_or(WHSEC));
        let verdict = verifier.verify(&header_map(&headers), vector.body_text.as_bytes(), at(vector.now));
        let expected = match (vector.expected.as_str(), vector.reason.as_str()) {
            // Ed25519 is not this scheme: such a header holds no v1 entry at all.
            _ if vector.algorithm.starts_with("ed25519") => Err(Rejection::Malformed),
            ("accept", _) => Ok(Some(vector.timestamp)),
            (_, "missing_header") => Err(Rejection::Missing),
            (_, "no_v1") => Err(Rejection::Malformed),
            (_, "signature_mismatch") => Err(Rejection::Mismatch),
            (_, "timestamp_too_old" | "timestamp_in_future") => Err(Rejection::OutOfTolerance),
            other => panic!("{}: no outcome known for {other:?}", vector.id),
        };
        assert_eq!(verdict.map(|verified| verified.signed_at), expected, "{}", vector.id);
    }
}

#[test]
fn the_signer_makes_the_published_signatures() {
    let vectors = vectors();
    let accepted = vectors.iter().filter(|vector| vector.expected == "accept" && vector.secret.is_some());
    let mut checked = 0;
    for vector in accepted {
        let signer = Signer::new(&[Secret::new(vector.secret.clone().unwrap())]).unwrap();
        let ours = signer.sign(&vector.headers["webhook-id"], vector.timestamp, vector.body_text.as_bytes());
        let entries: Vec<&str> = vector.headers["webhook-signature"].split(' ').collect();
        assert!(entries.contains(&ours.as_str()), "{}: {ours}", vector.id);
        checked += 1;
    }
    assert_eq!(checked, 12);
}

#[test]
fn all_secrets_sign_and_each_alone_verifies() {
    let other = "whsec_qGWvMLJ74s2ocIjkUxA0XYBb+taEfXHGej3YO5PBeRY=";
    let signature = Signer::new(&[Secret::new(WHSEC.into()), Secret::new(other.into())]).unwrap().sign("m_1", 5, b"{}");
    assert_eq!(signature.split(' ').count(), 2);
    let headers = header_map(&[
        (ID_HEADER.into(), "m_1".into()),
        (TIMESTAMP_HEADER.into(), "5".into()),
        (SIGNATURE_HEADER.into(), signature),
    ]);
    for text in [WHSEC, other] {
        assert!(verifier(text).verify(&headers, b"{}", at(5)).is_ok());
    }
}

#[test]
fn keys_that_are_no_keys_are_refused_by_name() {
    let new = |text: &str| Signer::new(&[Secret::new(WHSEC.into()), Secret::new(text.into())]).err();
    let name = || "#2".to_owned();
    assert_eq!(new(""), Some(SecretError::Blank { name: name() }));
    assert_eq!(new("whsec_!"), Some(SecretError::NotBase64 { name: name() }));
    assert_eq!(new("whsec_"), Some(SecretError::Length { name: name(), bytes: 0 }));
    for (bytes, ok) in [(23, false), (24, true), (64, true), (65, false)] {
        let error = new(&format!("whsec_{}", STANDARD.encode(vec![7; bytes])));
        assert_eq!(error, (!ok).then(|| SecretError::Length { name: name(), bytes }));
    }
    assert_eq!(new(&STANDARD.encode([7; 25]).replace('=', "")), None, "padding may be lost");
    assert_eq!(Signer::new(&[]).err(), Some(SecretError::None));
}

#[test]
fn the_border_between_id_and_time_cannot_be_shifted() {
    // The same signed text, cut elsewhere: id "m" at 1790000000 over "1790000001.{}", or id "m.1790000000" at 1790000001.
    let signature = Signer::new(&[Secret::new(WHSEC.into())]).unwrap().sign("m", 1_790_000_000, b"1790000001.{}");
    let verify = |id: &str, time: &str, body: &[u8]| {
        let headers = [(ID_HEADER, id), (TIMESTAMP_HEADER, time), (SIGNATURE_HEADER, signature.as_str())];
        let headers: Vec<_> = headers.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        verifier(WHSEC).verify(&header_map(&headers), body, at(1_790_000_000)).map(|_| ())
    };
    assert_eq!(verify("m", "1790000000", b"1790000001.{}"), Ok(()));
    assert_eq!(verify("m.1790000000", "1790000001", b"{}"), Err(Rejection::Malformed));
    assert_eq!(verify(&"m".repeat(257), "1790000000", b"{}"), Err(Rejection::Malformed));
    assert_eq!(verify("m", "1790000000.0", b"{}"), Err(Rejection::Malformed));
}

#[test]
fn the_signed_id_is_the_identity() {
    let source = source(Provider::StandardWebhooks);
    let read = |id: &'static str, body: &str| {
        interpret(&source, &stored(&[("Webhook-Id", id), ("webhook-timestamp", "1")]), body.as_bytes()).unwrap()
    };
    let first = read("msg_1", r#"{"type":"a.b"}"#);
    assert_eq!((&first.kind, first.provider_type.as_str()), (&Kind::Plain, "a.b"));
    assert_eq!(first.provider_event_id.as_deref(), Some("msg_1"));
    assert_eq!(read("msg_1", r#"{"type":"a.c"}"#).identity, first.identity);
    assert_ne!(read("msg_2", r#"{"type":"a.b"}"#).identity, first.identity);
    assert_eq!(read("msg_1", "nope").kind, Kind::Ended(Code::NotJson));
    assert_eq!(read("msg_1", "nope").identity, first.identity);
    for headers in [vec![], stored(&[("webhook-id", "a"), ("webhook-id", "b")]), stored(&[("webhook-id", "a.b")])] {
        let kind = interpret(&source, &headers, b"{}").unwrap().kind;
        assert_eq!(kind, Kind::Ended(Code::IdentityIncomplete));
    }
}
