//! The stored bytes against fixtures that another implementation wrote.

use proptest::prelude::*;

use super::*;
use crate::meta;
use crate::testing::{GOLDEN_LINKS, golden_1, golden_2, unhex};

const FIXTURES: [&[u8]; 2] = [
    include_bytes!("../../tests/fixtures/v1/delivery-1.bin"),
    include_bytes!("../../tests/fixtures/v1/delivery-2.bin"),
];

#[test]
fn the_fixtures_are_read_as_what_they_say() {
    for ((stored, link), delivery) in FIXTURES.into_iter().zip(GOLDEN_LINKS).zip([golden_1(), golden_2()]) {
        let envelope = decode(&Bytes::from_static(stored)).expect("a record");
        assert_eq!(envelope.kind, Kind::Delivery);
        assert_eq!(envelope.link, unhex(link));
        assert_eq!(meta::delivery(envelope.meta, envelope.body).expect("a meta"), delivery);
    }
}

#[test]
fn what_is_written_are_the_bytes_of_the_fixtures() {
    for ((stored, link), delivery) in FIXTURES.into_iter().zip(GOLDEN_LINKS).zip([golden_1(), golden_2()]) {
        let (meta, body) = meta::of_delivery(delivery);
        let mut written = b"what was in the buffer before".to_vec();
        encode(&mut written, Kind::Delivery, &unhex(link), &meta, &body).expect("fits");
        assert_eq!(written, stored);
    }
}

#[test]
fn no_flipped_bit_is_read() {
    for stored in FIXTURES {
        for at in 0..stored.len() {
            for bit in 0..8 {
                let mut flipped = stored.to_vec();
                flipped[at] ^= 1 << bit;
                let result = decode(&Bytes::from(flipped));
                assert!(result.is_err(), "bit {bit} of byte {at}");
            }
        }
    }
}

#[test]
fn no_part_of_a_record_is_read_and_nothing_may_follow() {
    let stored = FIXTURES[0];
    for length in 0..stored.len() {
        assert!(decode(&Bytes::copy_from_slice(&stored[..length])).is_err(), "{length} bytes");
    }
    assert!(decode(&Bytes::from([stored, b"x"].concat())).is_err());
}

#[test]
fn lengths_that_do_not_add_up_are_told_from_a_wrong_checksum() {
    let mut stored = FIXTURES[0].to_vec();
    stored[13] += 1;
    let crc = crc32c::crc32c_append(crc32c::crc32c(&stored[..14]), &stored[18..]);
    stored[14..18].copy_from_slice(&crc.to_be_bytes());
    let found = stored.len() - 50;
    let said = u64::try_from(found).expect("small") + 1;
    assert_eq!(decode(&Bytes::from(stored)), Err(EnvelopeError::Length { said, found }));
}

#[test]
fn a_later_layout_or_kind_is_newer_and_not_damage() {
    let mut layout = FIXTURES[0].to_vec();
    layout[4] = 2;
    let error = decode(&Bytes::from(layout)).expect_err("layout 2");
    assert_eq!(error, EnvelopeError::Layout(2));
    assert!(error.is_newer());

    let mut kind = FIXTURES[0].to_vec();
    kind[5] = 4;
    let crc = crc32c::crc32c_append(crc32c::crc32c(&kind[..14]), &kind[18..]);
    kind[14..18].copy_from_slice(&crc.to_be_bytes());
    let error = decode(&Bytes::from(kind)).expect_err("kind 4");
    assert_eq!(error, EnvelopeError::Kind(4));
    assert!(error.is_newer());
    assert!(!EnvelopeError::Magic.is_newer());
}

#[test]
fn more_than_a_record_may_hold_is_refused() {
    let body = vec![0; PAYLOAD_BYTES_MAX];
    let mut out = Vec::new();
    assert_eq!(encode(&mut out, Kind::Delivery, &[0; 32], b"m", &body), Err(TooLarge(PAYLOAD_BYTES_MAX + 1)));
}

proptest! {
    #[test]
    fn any_meta_and_body_come_back(meta: Vec<u8>, body: Vec<u8>, link: [u8; 32]) {
        let mut stored = Vec::new();
        encode(&mut stored, Kind::Rejected, &link, &meta, &body).expect("fits");
        let envelope = decode(&Bytes::from(stored)).expect("a record");
        prop_assert_eq!(envelope, Envelope { kind: Kind::Rejected, link, meta: meta.into(), body: body.into() });
    }

    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>) {
        prop_assert!(decode(&Bytes::from(bytes)).is_err());
    }
}
