//! A charge: an event as the provider signed it, borne out by the chain or held; with a deposit address, a payment.

use super::*;

fn charge_event(claim: Claim) -> DueEvent {
    event(Some(claim), None)
}

fn checked(decision: Decision) -> (Code, Proof) {
    let confirmation = confirmed(decision);
    assert!(confirmation.slots.is_empty() && confirmation.anchor.is_none(), "it takes no transfer claim");
    match confirmation.content {
        Content::Checked(proof) => (confirmation.code, *proof),
        Content::Payment(..) | Content::Thin => panic!("never a payment"),
    }
}

#[test]
fn a_charge_that_the_chain_bears_out_is_consistent_and_no_more() {
    let paid = final_block(vec![transfer(USDC, PAYER, STRANGER, HUNDRED)]);
    let (code, proof) = checked(decide(&charge_event(charge()), &paid));
    assert_eq!((code, proof.assurance, proof.tier.as_str()), (Code::ChargeConsistent, Assurance::A1, "T1"));
    let recipient = proof.checks.iter().find(|check| check.name == CheckName::Recipient).unwrap();
    assert_eq!(recipient.outcome, CheckOutcome::Unknown);
    // A token that is not registered, or no payer: existence and success only.
    for partly in [Claim { currency: Some("usdg".to_owned()), ..charge() }, Claim { payer: None, ..charge() }] {
        let (code, proof) = checked(decide(&charge_event(partly), &paid));
        assert_eq!((code, proof.assurance), (Code::ChargeConsistent, Assurance::A0));
    }
}

#[test]
fn a_charge_that_the_chain_contradicts_is_held_once_final() {
    let mut reverted = view(HEIGHT + 100, Some(HEIGHT + 50), receipt(vec![]));
    reverted.receipt.as_mut().unwrap().status = Some(0);
    let contradictions = [
        unanimous(&reverted),
        final_block(vec![]),
        final_block(vec![transfer(FAKE_TOKEN, PAYER, STRANGER, HUNDRED)]),
        final_block(vec![transfer(USDC, STRANGER, PAYEE, HUNDRED)]),
        final_block(vec![transfer(USDC, PAYER, STRANGER, 0)]),
    ];
    for observations in contradictions {
        let held = recorded(decide(&charge_event(charge()), &observations));
        assert_eq!((held.state, held.code), (EventState::Held, Code::ClaimMismatch));
    }
    let shallow = unanimous(&view(HEIGHT, None, receipt(vec![])));
    let waits = recorded(decide(&charge_event(charge()), &shallow));
    assert_eq!((waits.state, waits.code), (EventState::AwaitingFinality, Code::ClaimMismatch));
}

#[test]
fn a_charge_waits_for_its_depth_like_money() {
    let logs = vec![transfer(USDC, PAYER, STRANGER, HUNDRED)];
    let waits = recorded(decide(&charge_event(charge()), &unanimous(&view(HEIGHT, None, receipt(logs)))));
    assert_eq!((waits.state, waits.code), (EventState::AwaitingFinality, Code::WaitingConfirmations));
}

#[test]
fn a_charge_on_a_chain_that_nobody_can_ask_goes_out_and_says_so() {
    for (network, tx_hash) in [("solana", "5VERv8NMvzbJ"), ("tempo", "0xab"), ("base", "not a hash")] {
        let claim = Claim { network: network.to_owned(), tx_hash: tx_hash.to_owned(), ..charge() };
        let (code, proof) = checked(decide(&charge_event(claim), &Observations::default()));
        assert_eq!((code, proof.assurance), (Code::ChargeUnverifiable, Assurance::A0));
        let names: Vec<CheckName> = proof.checks.iter().map(|check| check.name).collect();
        assert!(matches!(names.as_slice(), [_, CheckName::Sanctions]), "how far it went: {names:?}");
    }
}

#[test]
fn a_charge_with_a_recorded_deposit_address_is_verified_like_any_transfer() {
    let mut stored = expectation();
    stored.terms.key = ExpectationKey::ProviderObject("pi_1".to_owned());
    stored.terms.rails = vec![Rail::Direct];
    let event = event(Some(charge()), Some(stored));
    let confirmation = confirmed(decide(&event, &final_block(vec![transfer(USDC, PAYER, PAYEE, HUNDRED)])));
    assert_eq!((confirmation.code, confirmation.slots.len()), (Code::Verified, 1));
    let Content::Payment(_, proof) = confirmation.content else { panic!("a payment") };
    assert_eq!(proof.assurance, Assurance::A2);
    let elsewhere = recorded(decide(&event, &final_block(vec![transfer(USDC, PAYER, STRANGER, HUNDRED)])));
    assert_eq!((elsewhere.state, elsewhere.code), (EventState::Refuted, Code::WrongRecipient));
}
