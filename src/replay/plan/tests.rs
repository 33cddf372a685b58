use super::{Effect, Now, Then, Verdict, effect, without_looking};
use crate::ledger::state;
use crate::model::{Class, Code, EventState};

fn then(state: EventState, code: Code) -> Then {
    Then { state, code: Some(code), has_claim: true }
}

fn now(verdict: Verdict, code: Code) -> Now {
    Now { verdict, code, would_send: None, seen: serde_json::Value::Null, by_evidence: false }
}

/// Every verdict that verification can give of a code's class.
fn verdicts() -> Vec<Now> {
    let verdict = |code: Code| match code.class() {
        Class::Ok | Class::Ignore => Verdict::Confirmed,
        Class::Wait => Verdict::Undetermined,
        Class::Hold => Verdict::Held,
        Class::Terminal => Verdict::Refuted,
    };
    Code::ALL.iter().map(|code| now(verdict(*code), *code)).collect()
}

#[test]
fn rule_23_nothing_that_was_forwarded_is_lowered_unless_an_operator_says_so() {
    for state in EventState::ALL.iter().copied().filter(|state| state::is_confirmed(*state)) {
        for now in verdicts() {
            let quiet = effect(&then(state, Code::Verified), &now, false);
            assert_ne!(quiet, Effect::Retracted, "{state} {now:?}");
            if state::has_money(state) {
                assert_ne!(quiet, Effect::JudgedAgain, "{state} {now:?}");
                // Only a no takes back; a doubt and a case for a person never do.
                let asked = effect(&then(state, Code::Verified), &now, true);
                assert_eq!(asked == Effect::Retracted, now.verdict == Verdict::Refuted, "{state} {now:?}");
            }
        }
    }
}

#[test]
fn rule_23_a_retracted_payment_is_never_retracted_again_and_may_come_back() {
    let before = then(EventState::Retracted, Code::Retracted);
    for now in verdicts() {
        let found = effect(&before, &now, true);
        assert!(matches!(found, Effect::Same | Effect::JudgedAgain | Effect::Unclear), "{now:?}: {found:?}");
        assert_eq!(found == Effect::JudgedAgain, now.verdict == Verdict::Confirmed, "{now:?}");
    }
}

#[test]
fn a_doubt_about_nodes_frees_nothing_and_takes_nothing_back() {
    for code in [Code::RpcUnavailable, Code::RpcDisagreement, Code::RpcFault, Code::ChainIdMismatch] {
        for state in [EventState::Held, EventState::Refuted, EventState::Settled, EventState::Forwarded] {
            let found = effect(&then(state, Code::Late), &now(Verdict::Undetermined, code), true);
            assert_eq!(found, Effect::Unclear, "{state} {code}");
        }
    }
}

#[test]
fn what_would_be_judged_otherwise_is_judged_again() {
    let held = then(EventState::Held, Code::TxNotFound);
    assert_eq!(effect(&held, &now(Verdict::Held, Code::TxNotFound), false), Effect::Same);
    assert_eq!(effect(&held, &now(Verdict::Confirmed, Code::Verified), false), Effect::JudgedAgain);
    assert_eq!(effect(&held, &now(Verdict::Undetermined, Code::WaitingConfirmations), false), Effect::JudgedAgain);
    let refuted = then(EventState::Refuted, Code::WrongRecipient);
    assert_eq!(effect(&refuted, &now(Verdict::Refuted, Code::WrongRecipient), false), Effect::Same);
    assert_eq!(effect(&refuted, &now(Verdict::Refuted, Code::WrongToken), false), Effect::JudgedAgain);
    assert_eq!(effect(&refuted, &now(Verdict::Held, Code::Late), false), Effect::JudgedAgain);
}

#[test]
fn what_claims_no_money_or_is_at_work_is_left_alone() {
    for state in EventState::ALL.iter().copied() {
        let without = Then { has_claim: false, ..then(state, Code::ProviderEvent) };
        assert_eq!(without_looking(&without), Some(Effect::NothingToJudge));
    }
    for state in [EventState::Verifying, EventState::Undetermined, EventState::AwaitingFinality] {
        assert_eq!(without_looking(&then(state, Code::RpcUnavailable)), Some(Effect::UnderWay));
    }
    assert_eq!(without_looking(&then(EventState::Ignored, Code::Joined)), Some(Effect::NothingToJudge));
}
