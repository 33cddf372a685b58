use proptest::prelude::*;

use super::{Identity, Part};

#[test]
fn the_encoding_never_changes() {
    let identity = Identity::derive(
        "request-network",
        "request-network",
        "paid",
        &[Part::Text("01ab"), Part::Bytes(&[1, 2]), Part::None, Part::Flag(true)],
    );
    // Computed independently with Python's hashlib over the documented encoding.
    assert_eq!(hex::encode(identity.as_bytes()), GOLDEN);
}

const GOLDEN: &str = "cd3eea5a8de83fd8c670e752bd36afb4174884f388dd656a3aec58233efa505a";

#[test]
fn absent_empty_and_typed_parts_differ() {
    let of = |part| Identity::derive("p", "r", "k", &[part]);
    let all = [of(Part::None), of(Part::Bytes(b"")), of(Part::Text("")), of(Part::Flag(false)), of(Part::Flag(true))];
    for (i, a) in all.iter().enumerate() {
        for b in &all[i + 1..] {
            assert_ne!(a, b);
        }
    }
}

proptest! {
    #[test]
    fn moving_a_byte_between_parts_changes_the_identity(a in "[a-z]{1,8}", b in "[a-z]{1,8}") {
        let whole = Identity::derive("p", "r", "k", &[Part::Text(&a), Part::Text(&b)]);
        let joined = format!("{a}{b}");
        let shifted = Identity::derive("p", "r", "k", &[Part::Text(&joined), Part::Text("")]);
        prop_assert_ne!(whole, shifted);
    }
}
