//! The commerce escrow: a capture pays the merchant through the fee proxy, everything else pays somebody else or nobody.

use super::*;

/// Where the escrow keeps what is authorized.
const STORE: Address = address!("0x6666666666666666666666666666666666666666");

#[test]
fn an_authorization_pays_nobody_and_is_named() {
    let doubt = doubt(search_for(Rail::Reference(ours()), &authorized()));
    assert_eq!(doubt.code, Code::NoMatchingTransfer);
    let [check] = doubt.checks.as_slice() else { panic!("{doubt:?}") };
    assert!(check.actual.contains("authorized only") && check.actual.contains(&WRAPPER.to_string()), "{check:?}");
    // Another's authorization, or one of a contract that nobody registered, is not ours.
    let mut forged = authorized();
    forged[1].address = STRANGER;
    for (reference, logs) in [(other(), authorized()), (ours(), forged)] {
        let doubt = super::doubt(search_for(Rail::Reference(reference), &logs));
        assert_eq!(doubt.code, Code::NoMatchingTransfer);
        assert!(!doubt.checks[0].actual.contains("authorized"), "{doubt:?}");
    }
}

#[test]
fn a_capture_is_the_fee_proxys_payment_with_the_same_reference() {
    let captured = log(WRAPPER, &[B256::repeat_byte(0xd4), raw_topic()], &[[0x11; 32], word(PAYEE)]);
    let logs = [
        transfer(USDC, STORE, WRAPPER, HUNDRED + 1_000_000),
        transfer(USDC, WRAPPER, PAYEE, HUNDRED),
        transfer(USDC, WRAPPER, STRANGER, 1_000_000),
        token_event(PROXY, USDC, PAYEE, HUNDRED, TOPIC),
        captured,
    ];
    let one = found(search_for(Rail::Reference(ours()), &logs));
    assert_eq!((one.amount, one.emitter, one.payer), (U256::from(HUNDRED), Some(PROXY), Some(WRAPPER)));
    assert_eq!(slots(&one), ["log:1", "log:3"]);
}

#[test]
fn the_escrows_own_event_counts_with_the_tokens_transfer_and_its_reference_is_not_hashed() {
    let event = |topic| escrow_event(WRAPPER, USDC, PAYEE, HUNDRED, topic);
    let paid = transfer(USDC, STORE, PAYEE, HUNDRED);
    let look = |logs: &[Log]| search_for(Rail::Reference(ours()), logs);
    let one = found(look(&[paid.clone(), event(raw_topic())]));
    assert_eq!((one.amount, one.emitter, one.payer), (U256::from(HUNDRED), Some(WRAPPER), Some(STORE)));
    assert_eq!(slots(&one), ["log:0", "log:1"]);
    assert_eq!(code(&look(&[event(raw_topic())])), Code::ProxyEventWithoutTransfer);
    // Hashed it is no such event, and as 8 bytes it is none of the fee proxy's.
    assert_eq!(code(&look(&[paid.clone(), event(TOPIC)])), Code::NoMatchingTransfer);
    let bare = token_event(PROXY, USDC, PAYEE, HUNDRED, raw_topic());
    assert_eq!(code(&look(&[paid, bare])), Code::WrongReference);
}

#[test]
fn void_reclaim_and_refund_pay_the_payer() {
    let logs = [transfer(USDC, STORE, PAYER, HUNDRED), escrow_event(WRAPPER, USDC, PAYER, HUNDRED, raw_topic())];
    assert_eq!(code(&search_for(Rail::Reference(ours()), &logs)), Code::WrongRecipient);
}

#[test]
fn two_events_about_one_transfer_are_one_payment() {
    let logs = [
        transfer(USDC, STORE, PAYEE, HUNDRED),
        token_event(PROXY, USDC, PAYEE, HUNDRED, TOPIC),
        escrow_event(WRAPPER, USDC, PAYEE, HUNDRED, raw_topic()),
    ];
    let one = found(search_for(Rail::Reference(ours()), &logs));
    assert_eq!((one.amount, slots(&one)), (U256::from(HUNDRED), vec!["log:0".into(), "log:1".into()]));
}

#[test]
fn a_reference_of_another_length_is_in_no_escrow() {
    for text in ["0x2c3366941274c3", "0x2c3366941274c34c00", &format!("0x{}", "00".repeat(32))] {
        assert_eq!(Reference::of(&text.parse().unwrap()).raw, None, "{text}");
    }
}
