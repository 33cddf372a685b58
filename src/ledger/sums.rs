//! Sums: what one more verified transfer makes of an expectation. Pure; runs under the expectation's lock.

use alloy_primitives::U256;

use crate::model::{ExpectationState, Tolerance};

/// An expectation's amounts after a transfer, base units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sums {
    /// Expected.
    pub expected: U256,
    /// Received, this transfer included.
    pub received: U256,
    /// Still missing; zero when complete.
    pub remaining: U256,
    /// Above what was expected; zero inside the tolerance.
    pub excess: U256,
    /// Where the expectation stands now.
    pub state: ExpectationState,
    /// What the transfer was.
    pub step: Step,
}

/// What one transfer was to the sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Still incomplete: `payment.partial`.
    Partial,
    /// This one completed it: `payment.verified`.
    Completed,
    /// It was complete before: `payment.excess`.
    Excess,
}

/// The sum would not fit 256 bits: no chain can carry it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the sum of verified transfers does not fit 256 bits")]
pub struct SumOverflow;

/// Adds one transfer.
///
/// # Errors
/// When the sum does not fit 256 bits.
pub fn add(expected: U256, before: U256, amount: U256, tolerance: &Tolerance) -> Result<Sums, SumOverflow> {
    let received = before.checked_add(amount).ok_or(SumOverflow)?;
    let slack = slack(expected, tolerance);
    let least = expected.saturating_sub(slack);
    let most = expected.saturating_add(slack);
    let step = if received < least {
        Step::Partial
    } else if before < least {
        Step::Completed
    } else {
        Step::Excess
    };
    let excess = if most < received { received.saturating_sub(expected) } else { U256::ZERO };
    let (remaining, state) = match step {
        // Dust: anybody can send it to a known reference. It is money and is reported, but moves nothing.
        Step::Partial if received <= slack => (expected.saturating_sub(received), ExpectationState::Open),
        Step::Partial => (expected.saturating_sub(received), ExpectationState::Partial),
        Step::Completed | Step::Excess if excess.is_zero() => (U256::ZERO, ExpectationState::Paid),
        Step::Completed | Step::Excess => (U256::ZERO, ExpectationState::Overpaid),
    };
    Ok(Sums { expected, received, remaining, excess, state, step })
}

/// What the standing payments of an expectation come to, before the one to add.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// No payment completed it yet.
    Incomplete,
    /// One did, by this way to pay or by another.
    Complete,
}

/// Adds one transfer to an expectation that may be paid in several ways: whichever way completes it first
/// completes it, and everything after is excess.
///
/// # Errors
/// When the sum does not fit 256 bits.
pub fn add_to(
    standing: Before,
    expected: U256,
    before: U256,
    amount: U256,
    tolerance: &Tolerance,
) -> Result<Sums, SumOverflow> {
    let sums = add(expected, before, amount, tolerance)?;
    Ok(match (standing, sums.step) {
        (Before::Incomplete, Step::Excess) => Sums { step: Step::Completed, ..sums },
        (Before::Complete, Step::Partial | Step::Completed) => Sums {
            remaining: U256::ZERO,
            excess: sums.received,
            state: ExpectationState::Overpaid,
            step: Step::Excess,
            ..sums
        },
        (Before::Incomplete, Step::Partial | Step::Completed) | (Before::Complete, Step::Excess) => sums,
    })
}

/// Where an expectation stands with what is left after a payment was taken out of it: `ways` are expected and
/// received amounts, one a way to pay.
#[must_use]
pub fn standing(standing: Before, ways: &[(U256, U256)], tolerance: &Tolerance) -> ExpectationState {
    let paid_ways = ways.iter().filter(|(_, received)| !received.is_zero()).count();
    let is_dust = |(expected, received): &(U256, U256)| *received <= slack(*expected, tolerance);
    let over = |(expected, received): &(U256, U256)| *received > expected.saturating_add(slack(*expected, tolerance));
    match standing {
        Before::Incomplete if ways.iter().all(is_dust) => ExpectationState::Open,
        Before::Incomplete => ExpectationState::Partial,
        Before::Complete if paid_ways > 1 || ways.iter().any(over) => ExpectationState::Overpaid,
        Before::Complete => ExpectationState::Paid,
    }
}

/// The larger of the absolute and the relative deviation, never more than the amount itself.
fn slack(expected: U256, tolerance: &Tolerance) -> U256 {
    // Whole and rest apart, so that the product cannot overflow: bps is at most 65,535.
    let (bps, scale) = (U256::from(tolerance.bps), U256::from(10_000_u32));
    let relative = (expected / scale).saturating_mul(bps).saturating_add((expected % scale) * bps / scale);
    tolerance.abs.max(relative).min(expected)
}

#[cfg(test)]
mod tests;
