use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::{CELLS, Failures, ROWS, SHARDS, Verdict};

const SECOND: i64 = 1_000_000;

fn v4(n: u32) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from_bits(n))
}

#[test]
fn a_burst_is_allowed_then_one_per_interval() {
    let failures = Failures::with(3, 2 * SECOND);
    let now = 1_000 * SECOND;
    for _ in 0..3 {
        assert_eq!(failures.count(v4(1), now), Verdict::Within);
    }
    assert_eq!(failures.count(v4(1), now), Verdict::Over { retry_after_s: 2 });
    assert_eq!(failures.count(v4(1), now + SECOND), Verdict::Over { retry_after_s: 1 });
    assert_eq!(failures.count(v4(1), now + 2 * SECOND), Verdict::Within);
    assert_eq!(failures.count(v4(1), now + 2 * SECOND), Verdict::Over { retry_after_s: 2 });
    assert_eq!(failures.count(v4(2), now), Verdict::Within, "another client has its own allowance");
}

#[test]
fn a_clock_that_is_set_back_locks_nobody_out() {
    let failures = Failures::with(2, SECOND);
    for _ in 0..5 {
        failures.count(v4(1), 9_000_000 * SECOND);
    }
    assert_eq!(failures.count(v4(1), 10 * SECOND), Verdict::Over { retry_after_s: 1 });
    assert_eq!(failures.count(v4(1), 11 * SECOND), Verdict::Within);
}

#[test]
fn an_ipv6_customer_is_one_client() {
    let failures = Failures::with(1, SECOND);
    let of = |low: u64| IpAddr::V6(Ipv6Addr::from_bits((0x2001_0db8_0000_0001_u128 << 64) | u128::from(low)));
    assert_eq!(failures.count(of(1), SECOND), Verdict::Within);
    assert!(matches!(failures.count(of(2), SECOND), Verdict::Over { .. }));
    let mapped: IpAddr = "::ffff:192.0.2.1".parse().unwrap();
    assert_eq!(failures.count(mapped, SECOND), Verdict::Within);
    assert!(matches!(failures.count("192.0.2.1".parse().unwrap(), SECOND), Verdict::Over { .. }));
}

#[test]
fn the_table_does_not_grow() {
    let failures = Failures::with(1, SECOND);
    for n in 1..100_000_u32 {
        failures.count(v4(n), i64::from(n));
    }
    assert_eq!(failures.shards.len(), SHARDS);
    let cells: usize = failures.shards.iter().map(|shard| shard.lock().unwrap().len() * CELLS).sum();
    assert_eq!(cells, SHARDS * ROWS * CELLS);
}

proptest! {
    /// Against a plain count: in any window, one client has at most `burst` plus one per interval allowed.
    #[test]
    fn never_more_than_the_allowance(
        steps in prop::collection::vec((0_u32..3, 0_i64..3 * SECOND), 1..200),
        burst in 1_i64..10,
    ) {
        let interval = SECOND;
        let failures = Failures::with(burst, interval);
        let mut now = 1_000 * SECOND;
        let mut allowed: Vec<Vec<i64>> = vec![Vec::new(); 3];
        for (client, wait) in steps {
            now += wait;
            let past = &mut allowed[usize::try_from(client).unwrap()];
            match failures.count(v4(client + 1), now) {
                Verdict::Within => {
                    past.push(now);
                    for start in 0..past.len() {
                        let window = now - past[start];
                        let count = i64::try_from(past.len() - start).unwrap();
                        prop_assert!(count <= burst + window / interval);
                    }
                }
                Verdict::Over { retry_after_s } => {
                    // Refused only when the allowance is used up, and the wait that is named is enough.
                    let recent = past.iter().filter(|at| now - **at < burst * interval).count();
                    prop_assert!(i64::try_from(recent).unwrap() >= burst.min(1));
                    prop_assert!(retry_after_s >= 1);
                    prop_assert!(i64::try_from(retry_after_s).unwrap() <= interval / SECOND);
                }
            }
        }
    }

    /// The first failures of a client are never charged to somebody else's.
    #[test]
    fn a_stranger_is_never_over(others in prop::collection::vec(any::<u32>(), 0..300), stranger in any::<u32>()) {
        prop_assume!(!others.contains(&stranger));
        let failures = Failures::with(1, SECOND);
        for other in &others {
            failures.count(v4(*other), SECOND);
            failures.count(v4(*other), SECOND);
        }
        prop_assert_eq!(failures.count(v4(stranger), SECOND), Verdict::Within);
    }
}
