use alloy_primitives::{address, hex, uint};

use super::*;

/// The example of EIP-155: what is signed, and the signature with `v` 37.
const UNSIGNED: [u8; 45] =
    hex!("ec098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a764000080018080");
const R: U256 = uint!(0x28ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276_U256);
const S: U256 = uint!(0x67cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83_U256);
const SIGNER: Address = address!("9d8A62f656a8d1615C1294fd71e9CFb3E4855A4F");
/// The order of the curve.
const ORDER: U256 = uint!(0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141_U256);

#[test]
fn the_signer_of_the_example_of_eip_155_is_recovered() {
    let (parity, chain_id) = legacy_v(U256::from(37)).unwrap();
    assert_eq!((parity, chain_id), (false, Some(U256::ONE)));
    assert_eq!(Seal::over(&UNSIGNED, parity, R, S).sent_by(), SentBy::Signature(SIGNER));
    // The other solution for s, which chains took before Homestead.
    assert_eq!(Seal::over(&UNSIGNED, !parity, R, ORDER - S).sent_by(), SentBy::Signature(SIGNER));
}

#[test]
fn another_parity_or_other_bytes_name_somebody_else() {
    let mut other = UNSIGNED;
    other[20] ^= 1;
    for seal in [Seal::over(&UNSIGNED, true, R, S), Seal::over(&other, false, R, S)] {
        let sent_by = seal.sent_by();
        assert!(sent_by.is_signed_by_another_than(SIGNER), "{sent_by:?}");
    }
}

#[test]
fn what_is_no_signature_names_nobody_and_calls_nobody_a_liar() {
    for (r, s) in [(U256::ZERO, U256::ZERO), (R, U256::ZERO), (U256::ZERO, S), (ORDER, S), (U256::MAX, U256::MAX)] {
        let sent_by = Seal::over(&UNSIGNED, false, r, s).sent_by();
        assert_eq!((sent_by, sent_by.address()), (SentBy::Unproven, None), "{r} {s}");
        assert!(!sent_by.is_signed_by_another_than(SIGNER));
    }
    assert_eq!(Seal::Nothing.sent_by(), SentBy::Unproven);
    let written = Seal::Written(SIGNER).sent_by();
    assert_eq!((written.address(), written.is_signed_by_another_than(Address::ZERO)), (Some(SIGNER), false));
}

#[test]
fn v_names_the_parity_and_since_eip_155_the_chain() {
    let v = |v: u64| legacy_v(U256::from(v));
    assert_eq!((v(27), v(28)), (Some((false, None)), Some((true, None))));
    assert_eq!(v(36), Some((true, Some(U256::ZERO))));
    assert_eq!(v(2 * 8453 + 36), Some((true, Some(U256::from(8453)))));
    for odd in [0, 1, 26, 29, 34] {
        assert_eq!(v(odd), None, "{odd}");
    }
    assert_eq!(legacy_v(U256::MAX).map(|(parity, _)| parity), Some((U256::MAX - U256::from(35)).bit(0)));
    assert_eq!([0, 1, 2].map(|value| parity(U256::from(value))), [Some(false), Some(true), None]);
}
