//! Keys and small values, byte for byte.

use super::*;

#[test]
fn a_count_of_copies_has_its_documented_bytes() {
    let id: Uuid = "019a9f1e-7c00-7000-8000-00000000000a".parse().expect("an id");
    let copies = Copies { count: 64, last_seq: 0x0102_0304_0506_0708, last_id: id };
    let bytes =
        [0, 0, 0, 64, 1, 2, 3, 4, 5, 6, 7, 8, 0x01, 0x9a, 0x9f, 0x1e, 0x7c, 0, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, 0x0a];
    assert_eq!(copies.encode(), bytes);
    assert_eq!(Copies::decode(&bytes), Some(copies));
    assert_eq!(Copies::decode(&bytes[..27]), None);
    assert_eq!(Copies::decode(&[bytes.as_slice(), &[0]].concat()), None);
}

#[test]
fn one_body_of_two_sources_has_two_keys() {
    let digest = [7; 32];
    assert_eq!(body("ab", &digest, None), [[7; 32].as_slice(), b"ab"].concat());
    assert_eq!(body("ab", &digest, Some(b"c")), [[7; 32].as_slice(), b"ab\0c"].concat());
    assert_ne!(body("a", &digest, None), body("ab", &digest, None));
}

#[test]
fn a_number_has_eight_bytes() {
    assert_eq!(parse_seq(&[0, 0, 0, 0, 0, 0, 1, 2]), Some(258));
    assert_eq!(parse_seq(&[1, 2]), None);
    assert_eq!(parse_seq(&[0; 9]), None);
}

#[test]
fn the_keys_of_decisions_and_subjects_have_their_documented_bytes() {
    let ledger_id = Uuid::from_bytes([0xaa; 16]);
    let id = DecisionId { ledger_id, epoch: 0x0102_0304, table: 2, number: 258 };
    let key = decision(&id);
    assert_eq!(key, [&[0xaa; 16][..], &[1, 2, 3, 4], &[2], &[0, 0, 0, 0, 0, 0, 1, 2]].concat());
    assert_eq!(number_in(&table(ledger_id, 0x0102_0304, 2), &key), Some(258));
    assert_eq!(number_in(&table(ledger_id, 0x0102_0304, 1), &key), None);
    assert_eq!(subject(ledger_id, 258), [&[0xaa; 16][..], &[0, 0, 0, 0, 0, 0, 1, 2]].concat());
}

#[test]
fn the_keys_of_holds_are_read_back() {
    let id = Uuid::from_bytes([0xbb; 16]);
    for (subject, key) in [
        (Subject::Delivery(id), [&[1][..], &[0xbb; 16]].concat()),
        (Subject::Event(id), [&[2][..], &[0xbb; 16]].concat()),
        (Subject::Source("shop".to_owned()), b"\x03shop".to_vec()),
    ] {
        assert_eq!(hold(&subject), key);
        assert_eq!(held(&key), Some(subject));
    }
    for wrong in [&[][..], &[1], &[4, 0], &[2, 1, 2], &[3, 0xff]] {
        assert_eq!(held(wrong), None, "{wrong:?}");
    }
}

#[test]
fn counts_have_their_documented_bytes() {
    let counts = Counts { deliveries: 258, decisions: 3, stubs: 1 };
    let bytes = [0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 1];
    assert_eq!(counts.encode(), bytes);
    assert_eq!(Counts::decode(&bytes), Some(counts));
    assert_eq!(Counts::decode(&bytes[1..]), None);
    assert_eq!(counts.total(), Some(262));
    assert_eq!(Counts { deliveries: u64::MAX, ..counts }.total(), None);
}
