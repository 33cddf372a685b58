use uuid::Uuid;

use super::*;

fn event(number: u128) -> EventId {
    EventId(Uuid::from_u128(number))
}

fn at(state: EventState, code: Option<Code>, at_us: i64) -> Stand {
    Stand { state, code, at_us }
}

fn case(row: Stand, told: Option<Stand>) -> Case {
    Case { event_id: event(1), made: false, row, told, traced: None, claim_us: None }
}

#[test]
fn an_identity_finds_its_own_event() {
    let own = event(1);
    let alone = Target { owner: own, event: own };
    assert_eq!(identity(own, &[own], None, None, false), alone);
    assert_eq!(identity(own, &[own], Some(own), Some(own), false), alone);
    assert_eq!(identity(own, &[own], Some(event(2)), Some(event(2)), false), alone, "no decision says that it joined");
}

#[test]
fn an_identity_finds_what_its_event_joined() {
    let (own, other, last) = (event(1), event(2), event(3));
    let chain = [own, other, last];
    assert_eq!(identity(own, &chain, Some(last), Some(own), false), Target { owner: last, event: own });
    assert_eq!(identity(own, &chain, Some(own), Some(other), true), Target { owner: last, event: other });
    assert_eq!(identity(own, &chain, None, None, false), Target { owner: last, event: last });
    assert_eq!(identity(own, &chain, Some(event(9)), Some(event(9)), true), Target { owner: last, event: last });
}

#[test]
fn a_join_whose_decision_is_lost_stands_by_the_events_row() {
    let (own, other) = (event(1), event(2));
    assert_eq!(identity(own, &[own], Some(other), Some(other), true), Target { owner: other, event: other });
    assert_eq!(identity(own, &[own], Some(other), Some(own), true), Target { owner: other, event: own });
}

#[test]
fn a_newer_decision_moves_a_row_and_an_older_one_does_not() {
    let row = at(EventState::Forwarding, Some(Code::Verified), 10);
    let settled = at(EventState::Settled, Some(Code::Verified), 11);
    assert_eq!(stand(&case(row, Some(settled))), Some(settled));
    let old = at(EventState::Verifying, None, 9);
    assert_eq!(stand(&case(row, Some(old))), None);
    let same_moment = at(EventState::Settled, Some(Code::Verified), 10);
    assert_eq!(stand(&case(row, Some(same_moment))), None, "the row was written with it");
    assert_eq!(stand(&case(row, Some(at(row.state, row.code, 12)))), None, "it stands there already");
    assert_eq!(stand(&case(row, None)), None);
}

#[test]
fn a_row_that_contradicts_its_own_trace_stands_by_the_trace() {
    let row = at(EventState::Ignored, Some(Code::TestMode), 10);
    let held = at(EventState::Held, Some(Code::Late), 10);
    let case = Case { traced: Some(held), ..case(row, None) };
    assert_eq!((contradiction(&case), stand(&case)), (Some(held), Some(held)));
    let settled = at(EventState::Settled, Some(Code::Verified), 11);
    assert_eq!(stand(&Case { told: Some(settled), ..case.clone() }), Some(settled), "the log is newer than both");
    let again = at(EventState::Verifying, None, 12);
    assert_eq!(stand(&Case { claim_us: Some(12), ..case.clone() }), Some(again), "what is held, not what is ignored");
    for traced in [row, Stand { at_us: 9, ..held }, Stand { at_us: 11, ..held }] {
        let other = Case { traced: Some(traced), ..case.clone() };
        assert_eq!((contradiction(&other), stand(&other)), (None, None), "{traced:?}: an entry may be lost");
    }
    assert_eq!(stand(&Case { made: true, ..case }), None, "it has no row of the old ledger");
}

#[test]
fn an_event_made_anew_stands_where_the_log_left_it() {
    let row = at(EventState::Verifying, None, 10);
    let told = at(EventState::Settled, Some(Code::Verified), 5);
    let made = Case { made: true, ..case(row, Some(told)) };
    assert_eq!(stand(&made), Some(told), "even by a clock that ran back");
    assert_eq!(stand(&Case { told: None, ..made }), None, "nothing was decided: as intake leaves it");
}

#[test]
fn a_statement_after_the_last_decision_is_judged_unless_money_was_confirmed() {
    let refuted = at(EventState::Refuted, Some(Code::WrongToken), 10);
    let again = Case { claim_us: Some(11), ..case(refuted, None) };
    assert_eq!(stand(&again), Some(at(EventState::Verifying, None, 11)));
    assert_eq!(stand(&Case { claim_us: Some(10), ..again.clone() }), None);
    for state in [EventState::Forwarding, EventState::Forwarded, EventState::Settled, EventState::Dead] {
        assert_eq!(stand(&Case { row: at(state, None, 10), ..again.clone() }), None, "{state}");
    }
    let ignored = |code| Case { row: at(EventState::Ignored, Some(code), 10), ..again.clone() };
    assert_eq!(stand(&ignored(Code::TestMode)), None);
    assert!(stand(&ignored(Code::TypeIgnored)).is_some());
}
