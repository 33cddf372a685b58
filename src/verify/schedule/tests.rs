use chain_config::{Registry, Tag};

use super::*;

const T: i64 = 1_790_000_000_000_000;

fn waits(look: impl Fn(&Moment) -> i64) -> (i64, i64) {
    let at = |jitter| look(&Moment { now_us: T, jitter }) - T;
    (at(0), at(1000))
}

#[test]
fn backoff_doubles_from_a_second_to_a_minute_and_half_of_it_is_drawn() {
    let backoff = |looks| waits(|moment| moment.backoff(looks));
    assert_eq!(backoff(0), (500_000, 1_000_000));
    assert_eq!(backoff(1), (1_000_000, 2_000_000));
    assert_eq!(backoff(5), (16_000_000, 32_000_000));
    assert_eq!(backoff(6), (30_000_000, 60_000_000));
    assert_eq!(backoff(u32::MAX), (30_000_000, 60_000_000));
    // A jitter out of its range is the largest one.
    assert_eq!(Moment { now_us: T, jitter: u32::MAX }.backoff(0) - T, 1_000_000);
}

#[test]
fn confirmations_are_waited_for_by_the_chains_block_time() {
    let registry = Registry::builtin().unwrap();
    let (ethereum, base) = (registry.by_id(1).unwrap(), registry.by_id(8453).unwrap());
    assert_eq!(waits(|m| m.when_deeper(Gap::Blocks(2), ethereum)), (24_000_000, 26_400_000));
    assert_eq!(waits(|m| m.when_deeper(Gap::Blocks(3), base)), (6_000_000, 6_600_000));
    assert_eq!(waits(|m| m.when_deeper(Gap::Blocks(u64::MAX), ethereum)), (300_000_000, 330_000_000));
    assert_eq!(waits(|m| m.when_deeper(Gap::Tag(Tag::Finalized), ethereum)).0, 48_000_000);
    assert_eq!(waits(|m| m.when_deeper(Gap::Tag(Tag::Safe), base)).0, 8_000_000);
    let fast = chain_config::Chain { block_time_ms: 0, ..base.clone() };
    assert_eq!(waits(|m| m.when_deeper(Gap::Blocks(1), &fast)).0, 500_000, "never a busy loop");
}

#[test]
fn time_does_not_overflow() {
    let end = Moment { now_us: i64::MAX, jitter: 1000 };
    assert_eq!(end.backoff(9), i64::MAX);
    assert_eq!(end.after(Duration::MAX), i64::MAX);
}
