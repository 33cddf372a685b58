//! What a meta must have; the bytes themselves are tested with the envelope.

use super::*;
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
        let sent = NewRejected { body_complete, ..request(7, "rn-main", Bytes::from_static(b"\x00\xff")) };
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
