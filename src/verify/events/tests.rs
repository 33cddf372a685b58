use alloy_primitives::keccak256;

use super::*;
use crate::verify::fixture::{PAYEE, PROXY, STRANGER, TOPIC, USDC, word};

/// The words of each event's data.
const SHAPES: [(Kind, B256, usize); 5] = [
    (Kind::Token, TOKEN_PROXY, 5),
    (Kind::Native, NATIVE_PROXY, 4),
    (Kind::PlainToken, PLAIN_TOKEN_PROXY, 3),
    (Kind::PlainNative, PLAIN_NATIVE_PROXY, 2),
    (Kind::Escrow, ESCROW, 5),
];

fn eight() -> B256 {
    let mut topic = [0; 32];
    topic[..8].copy_from_slice(&[0x2c, 0x33, 0x66, 0x94, 0x12, 0x74, 0xc3, 0x4c]);
    topic.into()
}

/// An event of the kind, with every word in its place.
fn event(kind: Kind, topic: B256) -> Log {
    let reference = if kind == Kind::Escrow { eight() } else { TOPIC };
    let mut words = vec![word(PAYEE), U256::from(7).to_be_bytes()];
    match kind {
        Kind::Token | Kind::Escrow => {
            words.insert(0, word(USDC));
            words.extend([U256::from(2).to_be_bytes(), word(STRANGER)]);
        }
        Kind::Native => words.extend([U256::from(2).to_be_bytes(), word(STRANGER)]),
        Kind::PlainToken => words.insert(0, word(USDC)),
        Kind::PlainNative => {}
    }
    Log { address: PROXY, topics: vec![topic, reference], data: words.concat().into() }
}

#[test]
fn topics_are_the_hashes_of_their_signatures() {
    let signatures = [
        ("Transfer(address,address,uint256)", TRANSFER),
        ("TransferWithReferenceAndFee(address,address,uint256,bytes,uint256,address)", TOKEN_PROXY),
        ("TransferWithReferenceAndFee(address,uint256,bytes,uint256,address)", NATIVE_PROXY),
        ("TransferWithReference(address,address,uint256,bytes)", PLAIN_TOKEN_PROXY),
        ("TransferWithReference(address,uint256,bytes)", PLAIN_NATIVE_PROXY),
        ("TransferWithReferenceAndFee(address,address,uint256,bytes8,uint256,address)", ESCROW),
        ("PaymentAuthorized(bytes8,address,address,address,uint256,bytes32)", AUTHORIZED),
    ];
    for (signature, topic) in signatures {
        assert_eq!(keccak256(signature), topic, "{signature}");
    }
}

#[test]
fn every_kind_is_read_in_its_own_shape() {
    for (kind, topic, _) in SHAPES {
        let read = proxy_event(3, &event(kind, topic)).unwrap();
        let with_token = matches!(kind, Kind::Token | Kind::PlainToken | Kind::Escrow);
        let with_fee = matches!(kind, Kind::Token | Kind::Native | Kind::Escrow);
        assert_eq!((read.kind, read.position, read.emitter), (kind, 3, PROXY));
        assert_eq!((read.to, read.amount, read.token), (PAYEE, U256::from(7), with_token.then_some(USDC)), "{kind:?}");
        assert_eq!(read.fee, U256::from(if with_fee { 2 } else { 0 }), "{kind:?}");
    }
}

#[test]
fn one_word_or_topic_more_or_less_is_no_event() {
    for (kind, topic, length) in SHAPES {
        let good = event(kind, topic);
        assert_eq!(good.data.len(), length * 32);
        for bytes in [length * 32 - 32, length * 32 - 1, length * 32 + 1, length * 32 + 32] {
            let mut data = good.data.to_vec();
            data.resize(bytes, 0);
            assert_eq!(proxy_event(0, &Log { data: data.into(), ..good.clone() }), None, "{kind:?} of {bytes} bytes");
        }
        for topics in [vec![topic], vec![topic, TOPIC, TOPIC], vec![TOPIC, topic], vec![]] {
            assert_eq!(proxy_event(0, &Log { topics, ..good.clone() }), None, "{kind:?}");
        }
    }
}

#[test]
fn an_address_with_a_soiled_word_is_none() {
    for (kind, topic, length) in SHAPES {
        let good = event(kind, topic);
        let numbers: &[usize] = match kind {
            Kind::Token | Kind::Escrow => &[2, 3],
            Kind::Native => &[1, 2],
            Kind::PlainToken => &[2],
            Kind::PlainNative => &[1],
        };
        for at in 0..length {
            let mut data = good.data.to_vec();
            data[at * 32] = 1;
            let read = proxy_event(0, &Log { data: data.into(), ..good.clone() });
            assert_eq!(read.is_some(), numbers.contains(&at), "{kind:?}, word {at}");
        }
    }
}

#[test]
fn an_escrows_reference_is_eight_bytes_and_nothing_behind() {
    let good = event(Kind::Escrow, ESCROW);
    assert_eq!(proxy_event(0, &Log { topics: vec![ESCROW, TOPIC], ..good }), None);
    let log = |topics| Log { address: PROXY, topics, data: vec![].into() };
    assert_eq!(authorization(&log(vec![AUTHORIZED, eight()])), Some(eight()));
    assert_eq!(authorization(&log(vec![AUTHORIZED, eight(), TOPIC, TOPIC])), Some(eight()));
    for topics in [vec![AUTHORIZED], vec![AUTHORIZED, TOPIC], vec![ESCROW, eight()], vec![]] {
        assert_eq!(authorization(&log(topics)), None);
    }
}
