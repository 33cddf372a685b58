//! Which requests today's secrets let in, and the ids of what they become.

use bytes::Bytes;

use super::*;
use crate::config::{Provider, Secret, SourceSecret};

const NOW: i64 = 1_790_000_000;

fn at(unix_s: i64) -> Timestamp {
    Timestamp::from_second(unix_s).unwrap()
}

fn secret(text: &str, not_after: Option<i64>) -> SourceSecret {
    SourceSecret { name: text.to_owned(), secret: Secret::new(text.to_owned()), not_after: not_after.map(at) }
}

fn shop(secrets: Vec<SourceSecret>) -> Vec<Source> {
    vec![Source { secrets, ..Source::sample(Provider::Stripe, &[]) }]
}

/// Signed at and received at these times.
fn request(secret: &str, signed_at: i64, received: i64) -> NewRejected {
    let body = Bytes::from_static(b"{}");
    let headers = provider::sign::headers(&Provider::Stripe, secret, &body, at(signed_at), "1");
    let bytes = |(name, value): (String, String)| (Bytes::from(name), Bytes::from(value));
    let mut headers: Vec<_> = headers.into_iter().map(bytes).collect();
    headers.insert(0, (Bytes::from_static(b":authority"), Bytes::from_static(b"gateway.example")));
    NewRejected {
        id: Uuid::from_u128(7),
        source: "shop".to_owned(),
        code: "SIGNATURE_MISMATCH".to_owned(),
        peer: "198.51.100.9".to_owned(),
        method: "POST".to_owned(),
        target: "/hooks/shop".to_owned(),
        received_us: received * 1_000_000,
        headers,
        body,
        body_complete: BodyComplete::Whole,
        request_id: None,
        http_version: None,
    }
}

fn code(request: &NewRejected, sources: &[Source]) -> &'static str {
    today(request, sources, at(NOW)).map_or_else(Refusal::code, |_| "verifies")
}

#[test]
fn rule_31_a_signed_time_is_judged_as_of_the_arrival_and_secrets_as_of_today() {
    let day = 86_400;
    let sources = shop(vec![secret("new", None), secret("ended", Some(NOW - 1)), secret("ends", Some(NOW))]);
    for (signed_with, signed_at, received, expected) in [
        ("new", NOW - 2 * day, NOW - 2 * day, "verifies"),
        ("new", NOW - 2 * day, NOW - 2 * day + 301, "TIMESTAMP_OUT_OF_TOLERANCE"),
        ("new", NOW, NOW - 2 * day, "TIMESTAMP_OUT_OF_TOLERANCE"),
        ("ended", NOW - 2 * day, NOW - 2 * day, "SIGNATURE_MISMATCH"),
        ("ends", NOW - 2 * day, NOW - 2 * day, "verifies"),
        ("unknown", NOW, NOW, "SIGNATURE_MISMATCH"),
    ] {
        assert_eq!(code(&request(signed_with, signed_at, received), &sources), expected, "{signed_with} {signed_at}");
    }
    let none_live = shop(vec![secret("ended", Some(NOW - 1))]);
    assert_eq!(code(&request("ended", NOW, NOW), &none_live), "SIGNATURE_MISMATCH");
}

#[test]
fn only_what_was_refused_for_its_signature_and_kept_whole_is_judged_again() {
    let sources = shop(vec![secret("new", None)]);
    let right = request("new", NOW, NOW);
    assert_eq!(code(&right, &sources), "verifies");
    assert_eq!(code(&NewRejected { body_complete: BodyComplete::Prefix, ..right.clone() }, &sources), "NOT_JUDGED");
    for never in ["FORBIDDEN", "BODY_TOO_LARGE", "EVIDENCE_UNAVAILABLE"] {
        assert_eq!(code(&NewRejected { code: never.to_owned(), ..right.clone() }, &sources), "NOT_JUDGED");
    }
    assert_eq!(code(&NewRejected { source: "gone".to_owned(), ..right.clone() }, &sources), "SOURCE_UNKNOWN");
    let mut odd = right;
    odd.headers.push((Bytes::from_static(b"x odd"), Bytes::new()));
    assert_eq!(code(&odd, &sources), "SIGNATURE_MALFORMED", "headers that cannot be read as they were are not judged");
}

/// Stored for ever: another derivation would admit the same request a second time. Computed outside this program.
#[test]
fn the_delivery_of_a_request_never_changes() {
    let rejected: Uuid = "019a9f1e-7c02-7000-8000-00000000000c".parse().unwrap();
    assert_eq!(delivery_id(rejected).to_string(), "019a9f1e-7c02-7305-916a-3153784c25cc");
    assert_eq!(delivery_id(rejected).get_version_num(), 7);
    assert_ne!(delivery_id(rejected), delivery_id(Uuid::from_u128(rejected.as_u128() + 1)));
}
