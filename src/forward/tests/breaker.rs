//! The breaker by hand: every moment is given.

use std::time::Duration;

use crate::config::Breaker as Settings;
use crate::forward::breaker::{Breaker, Change, Heard, Outages, Permit};

const SLOTS: usize = 4;
const FAILED: Heard = Heard::Failed(None);

const fn ms(of: u64) -> Duration {
    Duration::from_millis(of)
}

fn breaker() -> Breaker {
    let settings = Settings { failures: 3, first: ms(1000), max: ms(3000) };
    Breaker::new(settings, SLOTS, ms(0))
}

/// One attempt from permit to end, all at one moment.
fn attempt(breaker: &mut Breaker, lane: &str, heard: Heard, at: Duration) -> Change {
    let permit = breaker.permit(at, 0).expect("a permit");
    breaker.ended(permit, lane, heard, at, u64::MAX)
}

fn opened() -> Breaker {
    let mut breaker = breaker();
    let ends = ["a", "b", "c"].map(|lane| attempt(&mut breaker, lane, FAILED, ms(0)));
    assert_eq!(ends, [Change::None, Change::None, Change::Opened]);
    breaker
}

/// Slots that are free at a moment, none being used before.
fn slots(breaker: &mut Breaker, at: Duration) -> usize {
    (0..).take_while(|flying| breaker.permit(at, *flying).is_some()).count()
}

#[test]
fn it_begins_with_one_slot_and_adds_one_with_each_success() {
    let mut breaker = breaker();
    assert_eq!(slots(&mut breaker, ms(0)), 1);
    for wanted in [2, 3, 4, 4, 4] {
        assert_eq!(attempt(&mut breaker, "a", Heard::Taken, ms(0)), Change::None);
        assert_eq!(slots(&mut breaker, ms(0)), wanted);
    }
}

#[test]
fn an_attempt_that_hangs_keeps_others_waiting_for_a_step_only() {
    let mut breaker = breaker();
    assert_eq!(breaker.permit(ms(0), 0), Some(Permit::Slot));
    assert_eq!(breaker.permit(ms(249), 1), None);
    assert_eq!(breaker.opens(ms(249), 1), Some(ms(250)));
    assert_eq!(breaker.permit(ms(250), 1), Some(Permit::Slot));
    assert_eq!(breaker.permit(ms(250), 2), None);
}

#[test]
fn one_lane_that_always_fails_does_not_open_it() {
    let mut breaker = breaker();
    for _ in 0..100 {
        assert_eq!(attempt(&mut breaker, "a", FAILED, ms(0)), Change::None);
    }
    assert!(!breaker.is_open());
}

#[test]
fn a_success_between_failures_keeps_it_closed() {
    let mut breaker = breaker();
    for lane in ["a", "b", "ok", "c", "d", "ok", "e", "f"] {
        let heard = if lane == "ok" { Heard::Taken } else { FAILED };
        assert_eq!(attempt(&mut breaker, lane, heard, ms(0)), Change::None);
    }
}

#[test]
fn open_it_lets_one_probe_through_at_growing_waits() {
    let mut breaker = opened();
    let mut at = ms(0);
    for wait in [1000, 2000, 3000, 3000] {
        assert_eq!(breaker.permit(at + ms(wait - 1), 0), None);
        at += ms(wait);
        assert_eq!(breaker.opens(at, 0), Some(at));
        assert_eq!(breaker.permit(at, 0), Some(Permit::Probe));
        assert_eq!((breaker.permit(at + ms(60_000), 0), breaker.opens(at, 0)), (None, None), "one probe at a time");
        assert_eq!(breaker.ended(Permit::Probe, "a", FAILED, at, u64::MAX), Change::None);
    }
    assert!(breaker.is_open());
    assert_eq!(attempt(&mut breaker, "a", Heard::Taken, at + ms(3000)), Change::Closed);
    assert_eq!(slots(&mut breaker, at + ms(3000)), 1, "no stampede");
}

#[test]
fn at_least_half_of_a_wait_is_kept() {
    let mut breaker = breaker();
    for lane in ["a", "b", "c"] {
        breaker.ended(Permit::Slot, lane, FAILED, ms(0), 0);
    }
    assert_eq!(breaker.opens(ms(0), 0), Some(ms(500)));
}

#[test]
fn a_probe_that_sent_nothing_may_be_made_again_at_once() {
    let mut breaker = opened();
    assert_eq!(attempt(&mut breaker, "a", Heard::Nothing, ms(1000)), Change::None);
    assert_eq!(breaker.permit(ms(1000), 0), Some(Permit::Probe));
}

#[test]
fn what_was_under_way_when_it_opened_closes_it_and_never_delays_the_probe() {
    let mut breaker = opened();
    assert_eq!(breaker.ended(Permit::Slot, "d", FAILED, ms(900), u64::MAX), Change::None);
    assert_eq!(breaker.opens(ms(900), 3), Some(ms(1000)));
    assert_eq!(breaker.permit(ms(1000), 3), Some(Permit::Probe), "beside what hangs still");
    assert_eq!(breaker.ended(Permit::Slot, "e", Heard::Taken, ms(1001), u64::MAX), Change::Closed);
}

#[test]
fn a_wait_that_the_backend_asks_for_is_kept_up_to_an_hour() {
    let mut breaker = breaker();
    let asked = |s| Heard::Failed(Some(Duration::from_secs(s)));
    for lane in ["a", "b", "c"] {
        breaker.ended(Permit::Slot, lane, asked(120), ms(0), u64::MAX);
    }
    assert_eq!(breaker.opens(ms(0), 0), Some(ms(120_000)));
    breaker.ended(Permit::Slot, "d", asked(1_000_000), ms(0), u64::MAX);
    assert_eq!(breaker.opens(ms(0), 0), Some(ms(3_600_000)));
}

#[test]
fn patience_stands_still_in_outages_and_only_there() {
    let mut outages = Outages::default();
    assert_eq!(outages.within(0, 100), 0);
    outages.began(10);
    outages.began(15);
    assert_eq!(outages.within(0, 30), 20, "it goes on");
    outages.ended(40);
    outages.ended(50);
    outages.began(60);
    assert_eq!(outages.within(0, 70), 40);
    assert_eq!(outages.within(30, 70), 20, "what came later waited less");
    assert_eq!(outages.within(100, 120), 20);
}

#[test]
fn outages_are_known_to_a_later_life_and_one_that_lasted_counts_until_then() {
    let mut outages = Outages::default();
    outages.began(10);
    outages.ended(20);
    outages.began(50);
    let mut later = Outages::kept(&outages.to_keep(), 90);
    assert_eq!(later.within(0, 200), 50);
    later.began(100);
    assert_eq!(later.within(0, 200), 150);
    assert_eq!(Outages::kept(&later.to_keep(), 300).within(0, 300), 250);
}

#[test]
fn many_outages_take_bounded_space_and_shorten_nobodys_patience() {
    let mut outages = Outages::default();
    for n in 0..1000_i64 {
        outages.began(n * 10);
        outages.ended(n * 10 + 1);
    }
    assert!(outages.within(0, 10_000) >= 1000);
    assert_eq!(outages.within(9_900, 10_000), 10);
}
