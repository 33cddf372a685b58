use alloy_primitives::U256;
use proptest::prelude::*;

use super::{Before, Step, SumOverflow, add, add_to, standing};
use crate::model::{ExpectationState, Tolerance};

fn check(expected: u64, before: u64, amount: u64, bps: u16, want: (Step, ExpectationState, u64, u64)) {
    let tolerance = Tolerance { abs: U256::ZERO, bps };
    let sums = add(U256::from(expected), U256::from(before), U256::from(amount), &tolerance).expect("fits");
    assert_eq!((sums.step, sums.state), (want.0, want.1), "{expected} {before}+{amount}");
    assert_eq!((sums.remaining, sums.excess), (U256::from(want.2), U256::from(want.3)), "{expected} {before}+{amount}");
}

#[test]
fn each_transfer_is_one_step() {
    use ExpectationState::{Overpaid, Paid, Partial};
    check(100, 0, 40, 0, (Step::Partial, Partial, 60, 0));
    check(100, 40, 60, 0, (Step::Completed, Paid, 0, 0));
    check(100, 0, 100, 0, (Step::Completed, Paid, 0, 0));
    check(100, 40, 61, 0, (Step::Completed, Overpaid, 0, 1));
    check(100, 100, 1, 0, (Step::Excess, Overpaid, 0, 1));
    check(10_000, 0, 9_900, 100, (Step::Completed, Paid, 0, 0));
    check(10_000, 0, 9_899, 100, (Step::Partial, Partial, 101, 0));
    check(10_000, 0, 10_100, 100, (Step::Completed, Paid, 0, 0));
    check(10_000, 0, 10_101, 100, (Step::Completed, Overpaid, 0, 101));
}

#[test]
fn dust_is_counted_and_leaves_the_expectation_open() {
    use ExpectationState::{Open, Paid, Partial};
    check(10_000, 0, 100, 100, (Step::Partial, Open, 9_900, 0));
    check(10_000, 0, 101, 100, (Step::Partial, Partial, 9_899, 0));
    check(10_000, 100, 1, 100, (Step::Partial, Partial, 9_899, 0));
    check(10_000, 100, 9_800, 100, (Step::Completed, Paid, 0, 0));
    // Without a tolerance no money is dust.
    check(10_000, 0, 1, 0, (Step::Partial, Partial, 9_999, 0));
}

#[test]
fn a_sum_beyond_256_bits_is_refused() {
    assert_eq!(add(U256::MAX, U256::MAX, U256::from(1), &Tolerance::default()), Err(SumOverflow));
}

#[test]
fn a_second_way_to_pay_cannot_complete_again() {
    let hundred = U256::from(100);
    let after = add_to(Before::Complete, hundred, U256::ZERO, hundred, &Tolerance::default()).expect("fits");
    assert_eq!((after.step, after.state), (Step::Excess, ExpectationState::Overpaid));
    assert_eq!((after.remaining, after.excess), (U256::ZERO, hundred));
}

#[test]
fn completion_is_reported_when_no_standing_payment_did() {
    // The payment that completed it lost its block; what came after it stands.
    let hundred = U256::from(100);
    let again = add_to(Before::Incomplete, hundred, hundred, hundred, &Tolerance::default()).expect("fits");
    assert_eq!((again.step, again.excess), (Step::Completed, hundred));
}

#[test]
fn what_is_left_after_a_payment_was_taken_out() {
    use ExpectationState::{Open, Overpaid, Paid, Partial};
    let state = |before, ways: &[(u64, u64)]| {
        let ways: Vec<_> = ways.iter().map(|(e, r)| (U256::from(*e), U256::from(*r))).collect();
        standing(before, &ways, &Tolerance { abs: U256::from(1), bps: 0 })
    };
    assert_eq!(state(Before::Incomplete, &[(100, 0), (50, 0)]), Open);
    assert_eq!(state(Before::Incomplete, &[(100, 0), (50, 1)]), Open, "dust");
    assert_eq!(state(Before::Incomplete, &[(100, 0), (50, 2)]), Partial);
    assert_eq!(state(Before::Complete, &[(100, 101), (50, 0)]), Paid);
    assert_eq!(state(Before::Complete, &[(100, 102), (50, 0)]), Overpaid);
    assert_eq!(state(Before::Complete, &[(100, 100), (50, 1)]), Overpaid);
}

proptest! {
    #[test]
    fn partials_in_any_order_complete_exactly_once(mut parts in prop::collection::vec(1_u64..1_000, 1..12)) {
        let expected = U256::from(parts.iter().sum::<u64>());
        parts.push(7);
        let mut received = U256::ZERO;
        let mut completions = 0;
        for part in parts {
            let sums = add(expected, received, U256::from(part), &Tolerance::default()).expect("fits");
            received = sums.received;
            completions += usize::from(sums.step == Step::Completed);
        }
        prop_assert_eq!(completions, 1);
    }
}
