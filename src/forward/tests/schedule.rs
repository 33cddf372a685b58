//! Waits by table and by property; giving up by cases.

use std::time::Duration;

use proptest::prelude::*;

use crate::forward::classify::Class;
use crate::forward::schedule::{Others, Policy, RETRY_AFTER_MAX, Tried, after};
use crate::ledger::Next;

const DAY_US: i64 = 86_400_000_000;

fn policy() -> Policy {
    let max_age = Duration::from_secs(7 * 86_400);
    Policy { first: Duration::from_secs(1), max: Duration::from_secs(300), max_age }
}

fn tried(attempts_before: u32) -> Tried {
    Tried { created_us: 0, now_us: 1_000, attempts_before, others: Others::GotThrough }
}

/// Microseconds until the next attempt.
fn wait_us(class: Class, tried: &Tried, random: u64) -> i64 {
    match after(&policy(), class, tried, random) {
        Next::Retry { due_us } => due_us - tried.now_us,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_bound_doubles_up_to_the_longest_wait_and_the_jitter_is_full() {
    for (attempts_before, bound_s) in
        [(0, 1), (1, 2), (2, 4), (3, 8), (7, 128), (8, 256), (9, 300), (31, 300), (32, 300), (u32::MAX, 300)]
    {
        let wait = |random| wait_us(Class::Retry, &tried(attempts_before), random);
        assert_eq!(wait(u64::MAX), bound_s * 1_000_000, "{attempts_before}");
        assert_eq!(wait(0), 0, "{attempts_before}");
        let half = wait(u64::MAX / 2);
        assert!((half - bound_s * 500_000).abs() <= 1, "{attempts_before}: {half}");
    }
}

#[test]
fn retry_after_is_a_floor_and_is_obeyed_up_to_an_hour() {
    let wait = |seconds, random| wait_us(Class::RetryAfter(Duration::from_secs(seconds)), &tried(0), random);
    assert_eq!(wait(60, 0), 60_000_000);
    assert_eq!(wait(60, u64::MAX), 61_000_000);
    assert_eq!(wait(u64::MAX, 0), 3_600_000_000);
    // Shorter than the backoff: the backoff holds.
    let late = wait_us(Class::RetryAfter(Duration::from_secs(1)), &tried(9), u64::MAX);
    assert_eq!(late, 300_000_000);
}

#[test]
fn gone_waits_longer_than_any_backoff() {
    assert_eq!(wait_us(Class::Gone, &tried(0), 0), 300_000_000);
    assert_eq!(wait_us(Class::Gone, &tried(0), u64::MAX), 600_000_000);
}

#[test]
fn only_age_and_the_success_of_others_together_give_a_message_up() {
    let case = |age_us, others| {
        let tried = Tried { created_us: 5, now_us: 5 + age_us, attempts_before: 40, others };
        after(&policy(), Class::Retry, &tried, 1)
    };
    let waits = |next| matches!(next, Next::Retry { .. });
    assert!(waits(case(7 * DAY_US, Others::GotThrough)), "not older than max_age");
    assert_eq!(case(7 * DAY_US + 1, Others::GotThrough), Next::Dead);
    assert!(waits(case(7 * DAY_US + 1, Others::AreSilent)), "an outage kills nothing");
    assert!(waits(case(3_650 * DAY_US, Others::AreSilent)), "however long");
    assert!(waits(case(-DAY_US, Others::GotThrough)), "a clock that went back");
    let old = Tried { created_us: 0, now_us: 8 * DAY_US, attempts_before: 1, others: Others::GotThrough };
    for class in [Class::Gone, Class::RetryAfter(Duration::from_secs(5))] {
        assert_eq!(after(&policy(), class, &old, 1), Next::Dead, "{class:?}");
    }
    assert_eq!(after(&policy(), Class::Delivered, &old, 1), Next::Delivered);
}

proptest! {
    #[test]
    fn waits_stay_in_their_bounds(
        first_ms in 1_u64..100_000,
        max_ms in 1_u64..10_000_000,
        attempts_before: u32,
        random: u64,
        now_us in -4_000_000_000_000_000_i64..4_000_000_000_000_000,
        asked_s: u64,
    ) {
        let (first, max) = (Duration::from_millis(first_ms), Duration::from_millis(max_ms));
        let policy = Policy { first, max, max_age: Duration::MAX };
        let tried = Tried { created_us: 0, now_us, attempts_before, others: Others::GotThrough };
        let wait = |class| match after(&policy, class, &tried, random) {
            Next::Retry { due_us } => Duration::from_micros(u64::try_from(due_us - now_us).unwrap()),
            other => panic!("{other:?}"),
        };
        prop_assert!(wait(Class::Retry) <= max);
        prop_assert!(attempts_before > 0 || wait(Class::Retry) <= first);
        let asked = Duration::from_secs(asked_s).min(RETRY_AFTER_MAX);
        let obeyed = wait(Class::RetryAfter(Duration::from_secs(asked_s)));
        prop_assert!(obeyed >= asked && obeyed <= (asked + first).max(max));
        prop_assert!(wait(Class::Gone) >= max && wait(Class::Gone) <= max * 2);
    }
}
