//! What is said of a match beside its money: a conversion, a claim that cannot be read, a symbol that is no proof.

use alloy_primitives::{Address, address};

use super::*;

fn claim_notes(seen: &Seen) -> Vec<(&str, &str)> {
    let notes = seen.checks.iter().filter(|c| (c.name, c.outcome) == (CheckName::Claim, CheckOutcome::Note));
    notes.map(|check| (check.expected.as_str(), check.actual.as_str())).collect()
}

#[test]
fn a_conversion_is_verified_by_its_token_and_says_what_is_not_proven() {
    let conversion = address!("0x8296D56321cf207925a7804E5A8E3F579838e6Ad");
    let paid = |emitter| {
        let logs = vec![transfer(USDC, PAYER, PAYEE, HUNDRED), token_event(emitter, USDC, PAYEE, HUNDRED, TOPIC)];
        confirmed(decide(&expected_event(), &final_block(logs)))
    };
    // That nobody was screened is told of every payment; here it is about the amount.
    let is_note = |check: &&Check| check.name == CheckName::Amount && check.outcome == CheckOutcome::Note;
    let converted = paid(conversion);
    let notes: Vec<_> = converted.seen.checks.iter().filter(is_note).collect();
    assert_eq!((converted.code, converted.amount), (Code::Verified, U256::from(HUNDRED)));
    assert!(matches!(notes.as_slice(), [one] if one.actual == "fiat_unverified"), "{notes:?}");
    assert_eq!(paid(PROXY).seen.checks.iter().filter(is_note).count(), 0);
}

#[test]
fn a_claimed_amount_that_cannot_be_read_is_a_note_and_no_reason_to_doubt() {
    for amount in ["1e2", "", "-100", "100,0", "0x64", "100.0000001", " 100"] {
        let mut odd = expected_event();
        odd.claim.as_mut().unwrap().amount = Some(amount.to_owned());
        let confirmation = confirmed(decide(&odd, &final_block(proxy_payment(PAYEE, HUNDRED, TOPIC))));
        assert_eq!((confirmation.code, confirmation.amount), (Code::Verified, U256::from(HUNDRED)));
        let told = format!("amount {amount}, which is no amount of this token");
        assert_eq!(claim_notes(&confirmation.seen), [(told.as_str(), "amount 100")]);
    }
}

#[test]
fn a_worthless_token_of_our_symbol_is_refuted_and_named() {
    let logs =
        |token: Address| vec![transfer(token, PAYER, PAYEE, HUNDRED), token_event(PROXY, token, PAYEE, HUNDRED, TOPIC)];
    let refuted = recorded(decide(&expected_event(), &final_block(logs(FAKE_TOKEN))));
    assert_eq!((refuted.state, refuted.code), (EventState::Refuted, Code::WrongToken));
    let ours = format!("USDC at {USDC}");
    assert_eq!(claim_notes(&refuted.seen), [(ours.as_str(), "USDC at another contract")]);
    let mut other = expected_event();
    other.claim.as_mut().unwrap().currency = Some("PEPE".to_owned());
    assert_eq!(claim_notes(&recorded(decide(&other, &final_block(logs(FAKE_TOKEN)))).seen), []);
    // A registered token is no impostor.
    assert_eq!(claim_notes(&recorded(decide(&expected_event(), &final_block(logs(USDT)))).seen), []);
}
