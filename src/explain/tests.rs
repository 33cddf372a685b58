use super::advice::{Verb, frees, of_state, verbs};
use crate::model::{Class, Code, EventState};

#[test]
fn every_state_is_explained() {
    let said: std::collections::BTreeSet<_> = EventState::ALL.iter().copied().map(of_state).collect();
    assert_eq!(said.len(), EventState::ALL.len(), "each in words of its own: {said:?}");
}

#[test]
fn rule_24_each_held_code_names_what_an_operator_may_do_and_what_frees_it() {
    // Bodies that no rule can read are freed by nothing.
    let by_nobody = [
        Code::FiatLeg,
        Code::AmbiguousJson,
        Code::NotJson,
        Code::IdentityIncomplete,
        Code::EventTypeUnknown,
        Code::Uninterpretable,
    ];
    for code in Code::ALL.iter().copied().filter(|code| code.class() == Class::Hold) {
        assert!(verbs(code).contains(&Verb::Close), "{code}");
        assert_eq!(frees(code).is_none(), by_nobody.contains(&code), "{code}");
    }
    for code in Code::ALL.iter().copied().filter(|code| code.class() == Class::Wait) {
        assert!(frees(code).is_some(), "{code} waits for nothing");
    }
}

#[test]
fn rule_24_accepting_is_offered_for_the_codes_that_may_be_accepted_and_for_no_other() {
    for code in Code::ALL.iter().copied() {
        assert_eq!(verbs(code).contains(&Verb::Accept), code.may_be_accepted(), "{code}");
    }
    // Never past signature, status, emitter, token, recipient, finality or an existing claim.
    for never in [
        Code::TxReverted,
        Code::UntrustedEmitter,
        Code::WrongToken,
        Code::TokenNotAllowed,
        Code::WrongRecipient,
        Code::WrongReference,
        Code::WaitingConfirmations,
        Code::ChainDeepReorg,
        Code::AlreadyClaimed,
        Code::ProofMismatch,
        Code::AssuranceTooLow,
        Code::TxNotFound,
    ] {
        assert!(!never.may_be_accepted(), "{never}");
    }
}
