use proptest::prelude::*;

use super::*;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[test]
fn the_slowest_in_twenty_are_left_out() {
    let mut latency = Latency::default();
    (1..20).for_each(|n| latency.add(ms(n)));
    assert_eq!(latency.p95(), None, "19 are too few");
    latency.add(ms(9000));
    assert_eq!(latency.p95(), Some(ms(19)));
    latency.add(ms(9000));
    assert_eq!(latency.p95(), Some(ms(9000)), "two of 21 are more than one in twenty");
}

#[test]
fn a_node_is_given_half_a_second_however_quick_others_are() {
    let mut latency = Latency::default();
    (0..20).for_each(|_| latency.add(ms(5)));
    assert_eq!((latency.p95(), latency.patience()), (Some(ms(5)), Some(PATIENCE_MIN)));
    (0..20).for_each(|_| latency.add(ms(9000)));
    assert_eq!(latency.patience(), Some(ms(9000)));
    assert_eq!(Latency::default().patience(), None);
}

#[test]
fn old_calls_are_forgotten() {
    let mut latency = Latency::default();
    (0..500).for_each(|_| latency.add(ms(9000)));
    (0..CALLS_REMEMBERED).for_each(|_| latency.add(ms(5)));
    assert_eq!((latency.p95(), latency.ring.len()), (Some(ms(5)), CALLS_REMEMBERED));
}

#[test]
fn a_quiet_time_saves_up_ten() {
    let mut budget = Budget::default();
    assert!(!budget.take(1), "nothing before the first calls");
    (0..10_000).for_each(|_| budget.called(1));
    assert_eq!((0..100).filter(|_| budget.take(1)).count(), 10);
    (0..10_000).for_each(|_| budget.called(1));
    assert_eq!((0..100).filter(|_| budget.take(2)).count(), 5);
}

proptest! {
    #[test]
    fn extra_calls_stay_within_five_in_a_hundred(
        asks in prop::collection::vec((1_u32..3, any::<bool>(), 1_u32..3), 1..2000),
    ) {
        let (mut budget, mut calls, mut hedges) = (Budget::default(), 0, 0);
        for (first, asks, extra) in asks {
            budget.called(first);
            calls += first;
            hedges += if asks && budget.take(extra) { extra } else { 0 };
            prop_assert!(hedges * 100 <= calls * 5, "{hedges} for {calls}");
        }
    }
}
