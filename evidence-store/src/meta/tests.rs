//! What a meta must have; the bytes themselves are tested with the envelope.

use super::*;
use crate::envelope::{self, Kind};
use crate::link::GENESIS;
use crate::testing::{golden_1, rejected as request};

#[test]
fn a_meta_without_its_parts_is_refused() {
    assert_eq!(delivery(Bytes::new(), Bytes::new()), Err(MetaError::Missing("signature")));
    // Field 11, empty: a signature and nothing else.
    let only_signature = Bytes::from_static(&[0x5a, 0x00]);
    assert_eq!(delivery(only_signature, Bytes::new()), Err(MetaError::Missing("id")));
    assert!(matches!(delivery(Bytes::from_static(&[0xff]), Bytes::new()), Err(MetaError::Protobuf(_))));
}

#[test]
fn fields_of_a_later_release_are_skipped() {
    let (mut meta, body) = of_delivery(golden_1());
    // Field 200, a varint of 1.
    meta.extend_from_slice(&[0xc0, 0x0c, 0x01]);
    assert_eq!(delivery(Bytes::from(meta), body), Ok(golden_1()));
}

#[test]
fn a_rejected_request_comes_back_as_it_was() {
    for body_complete in [BodyComplete::Whole, BodyComplete::Prefix] {
        let sent = NewRejected {
            body_complete,
            request_id: Some("req_7".to_owned()),
            http_version: Some("HTTP/2".to_owned()),
            ..request(7, "rn-main", Bytes::from_static(b"\x00\xff"))
        };
        let (meta, body) = of_rejected(sent.clone());
        assert_eq!(rejected(Bytes::from(meta), body), Ok(sent));
    }
}

#[test]
fn a_body_not_known_to_be_whole_is_a_prefix() {
    let (mut meta, body) = of_rejected(request(7, "rn-main", Bytes::new()));
    // Field 9 again, with a value of a later release: the last one counts.
    meta.extend_from_slice(&[0x48, 0x03]);
    let read = rejected(Bytes::from(meta), body).expect("a meta");
    assert_eq!(read.body_complete, BodyComplete::Prefix);
}

#[test]
fn the_fixtures_of_rejected_requests_are_read_and_written_as_they_are() {
    let header = |name: &'static str, value: &'static [u8]| (Bytes::from(name), Bytes::from_static(value));
    let first = NewRejected {
        id: "019a9f1e-7c02-7000-8000-00000000000c".parse().expect("an id"),
        source: "rn-main".to_owned(),
        code: "SIGNATURE_MISMATCH".to_owned(),
        peer: "203.0.113.7".to_owned(),
        method: "POST".to_owned(),
        target: "/hooks/rn?x=1".to_owned(),
        received_us: 1_763_683_200_323_456,
        headers: vec![
            header("Content-Type", b"application/json"),
            header("X-Request-Network-Signature", b"00ff"),
            header("X-Odd", b"\xff\x00\x80"),
            header("X-Empty", b""),
        ],
        body: Bytes::from_static(br#"{"event":"payment.confirmed"}"#),
        body_complete: BodyComplete::Whole,
        request_id: None,
        http_version: None,
    };
    let second = NewRejected {
        id: "019a9f1e-7c03-7000-8000-00000000000d".parse().expect("an id"),
        source: "stripe-eu".to_owned(),
        code: "BODY_TOO_LARGE".to_owned(),
        peer: "2001:db8::1".to_owned(),
        method: "POST".to_owned(),
        target: "/hooks/stripe".to_owned(),
        received_us: 1_763_683_200_423_456,
        headers: Vec::new(),
        body: Bytes::from_static(b"\x00\xff start"),
        body_complete: BodyComplete::Prefix,
        request_id: Some("req_9".to_owned()),
        http_version: Some("HTTP/2".to_owned()),
    };
    let fixtures: [&[u8]; 2] = [
        include_bytes!("../../tests/fixtures/rejected/rejected-1.bin"),
        include_bytes!("../../tests/fixtures/rejected/rejected-2.bin"),
    ];
    for (stored, request) in fixtures.into_iter().zip([first, second]) {
        let read = envelope::decode(&Bytes::from_static(stored)).expect("a record");
        assert_eq!((read.kind, read.link), (Kind::Rejected, GENESIS));
        assert_eq!(rejected(read.meta, read.body), Ok(request.clone()));
        let (meta, body) = of_rejected(request);
        let mut written = Vec::new();
        envelope::encode(&mut written, Kind::Rejected, &GENESIS, &meta, &body).expect("fits");
        assert_eq!(written, stored);
    }
}

#[test]
fn a_delivery_of_its_parts_is_the_one_that_was_stored_or_none() {
    let (meta, body) = of_delivery(golden_1());
    let meta = Bytes::from(meta);
    assert_eq!(Delivery::of_parts(meta.clone(), body.clone()), Ok(golden_1()));
    let mut other = body.to_vec();
    other.push(b' ');
    assert!(Delivery::of_parts(meta, other.into()).unwrap_err().contains("does not hash"));
    assert!(Delivery::of_parts(Bytes::from_static(&[0xff]), body).is_err());
}
