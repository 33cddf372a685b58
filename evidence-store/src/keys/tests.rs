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
