use alloy_primitives::{address, hex};
use proptest::prelude::*;

use super::*;

fn log(topics: usize, data: &[u8]) -> Log {
    let address = address!("833589fCD6eDb6E08f4c7C32D4f71b54bdA02913");
    Log { address, topics: vec![B256::repeat_byte(5); topics], data: Bytes::copy_from_slice(data) }
}

fn encoded(leaf: &Leaf, logs: &[Log]) -> Vec<u8> {
    let mut out = Vec::new();
    encode(leaf, logs, &mut out);
    out
}

/// Encoded by hand after CIP-64's specification: type, list of 266 bytes, status 1, gas 0x5208, an empty bloom, no
/// logs, base fee 0x77.
#[test]
fn a_cip_64_receipt_ends_with_its_base_fee() {
    let leaf = Leaf { kind: CIP64, status: 1, gas: 0x5208, tail: Tail::BaseFee(U256::from(0x77)) };
    let head = hex!("7bf90109" "01" "825208" "b90100");
    let expected = [head.as_slice(), &[0; 256], &hex!("c077")].concat();
    assert_eq!(encoded(&leaf, &[]), expected);
    assert_eq!(decode(&expected), Ok((leaf, Vec::new())));
}

#[test]
fn a_leaf_of_another_form_is_not_read() {
    let plain = Leaf { kind: 0, status: 1, gas: 5, tail: Tail::None };
    let good = encoded(&plain, &[log(2, b"x")]);
    assert!(decode(&good).is_ok());
    let with = |kind: u8| [&[kind], good.as_slice()].concat();
    assert!(decode(&with(2)).is_ok());
    assert_eq!(decode(&with(0)), Err(Unreadable::Malformed));
    assert_eq!(decode(&with(5)), Err(Unreadable::Unsupported(Unsupported::Receipt(5))));
    assert_eq!(decode(&[]), Err(Unreadable::Malformed));
    assert_eq!(decode(&[good.as_slice(), &[0]].concat()), Err(Unreadable::Malformed));
    assert_eq!(decode(&encoded(&plain, &[log(5, b"")])), Err(Unreadable::Malformed));
    assert_eq!(decode(&encoded(&Leaf { status: 2, ..plain }, &[])), Err(Unreadable::Malformed));
    // Five fields where the type has four.
    let fee = Leaf { tail: Tail::BaseFee(U256::ONE), ..plain };
    assert_eq!(decode(&encoded(&fee, &[])), Err(Unreadable::Malformed));
    // A bloom that is not its logs'.
    let mut bloom = encoded(&plain, &[]);
    bloom[10] = 1;
    assert_eq!(decode(&bloom), Err(Unreadable::Malformed));
}

#[test]
fn a_leaf_from_before_byzantium_is_told_apart() {
    let mut list = List::default();
    list.item(&B256::repeat_byte(1));
    let mut out = Vec::new();
    list.finish(&mut out);
    assert_eq!(decode(&out), Err(Unreadable::Unsupported(Unsupported::NoStatus)));
}

fn any_leaf() -> impl Strategy<Value = (Leaf, Vec<Log>)> {
    let kind = prop::sample::select(vec![0_u8, 1, 4, 0x64, 0x6a, CIP64, DEPOSIT, STATE_SYNC]);
    let logs = prop::collection::vec((0_usize..=4, prop::collection::vec(any::<u8>(), 0..80)), 0..5);
    (kind, any::<bool>(), any::<u64>(), any::<u64>(), any::<bool>(), logs).prop_map(
        |(kind, ok, gas, more, has, logs)| {
            let tail = match kind {
                DEPOSIT if has => Tail::Deposit { nonce: more, version: 1 },
                CIP64 if has => Tail::BaseFee(U256::from(more)),
                _ => Tail::None,
            };
            let logs = logs.iter().map(|(topics, data)| log(*topics, data)).collect();
            (Leaf { kind, status: ok.into(), gas, tail }, logs)
        },
    )
}

proptest! {
    #[test]
    fn what_is_written_is_read_back((leaf, logs) in any_leaf()) {
        prop_assert_eq!(decode(&encoded(&leaf, &logs)), Ok((leaf, logs)));
    }

    #[test]
    fn bytes_from_anywhere_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        if let Ok((leaf, logs)) = decode(&bytes) {
            prop_assert_eq!(encoded(&leaf, &logs), bytes);
        }
    }

    #[test]
    fn a_changed_byte_is_refused_or_another_receipt((leaf, logs) in any_leaf(), at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let mut bytes = encoded(&leaf, &logs);
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if let Ok((leaf, logs)) = decode(&bytes) {
            prop_assert_eq!(encoded(&leaf, &logs), bytes);
        }
    }
}
