//! The expectation's window, by the block's own time and never by the clock.

use super::*;

fn within(not_before: Option<u64>, deadline: Option<u64>, grace_seconds: u64) -> Decision {
    let mut stored = expectation();
    stored.terms.not_before = not_before.map(at_seconds);
    stored.terms.deadline = deadline.map(at_seconds);
    stored.terms.grace_seconds = grace_seconds;
    let event = event(Some(claim()), Some(stored));
    decide(&event, &final_block(proxy_payment(PAYEE, HUNDRED, TOPIC)))
}

#[test]
fn the_window_holds_to_the_second() {
    let t = BLOCK_TIME;
    assert_eq!(confirmed(within(Some(t), Some(t), 0)).code, Code::Verified);
    assert_eq!(confirmed(within(None, Some(t - 60), 60)).code, Code::Verified);
    for (decision, code) in [
        (within(None, Some(t - 61), 60), Code::Late),
        (within(None, Some(t - 1), 0), Code::Late),
        (within(Some(t + 1), None, 0), Code::TooEarly),
    ] {
        let held = recorded(decision);
        assert_eq!((held.state, held.code, held.due_us), (EventState::Held, code, None));
        assert_eq!(outcome(&held.seen, CheckName::Time), Some(CheckOutcome::Fail));
    }
}

#[test]
fn late_money_is_held_only_when_its_block_is_deep_enough() {
    let mut stored = expectation();
    stored.terms.deadline = Some(at_seconds(BLOCK_TIME - 1));
    let event = event(Some(claim()), Some(stored));
    let shallow = unanimous(&view(HEIGHT, None, receipt(proxy_payment(PAYEE, HUNDRED, TOPIC))));
    let waits = recorded(decide(&event, &shallow));
    assert_eq!((waits.state, waits.code), (EventState::AwaitingFinality, Code::Late));
    assert!(waits.due_us.is_some());
}
