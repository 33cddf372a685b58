//! When a message is tried again, and when it is given up. Pure: time, randomness and history arrive as values.
//!
//! Exponential backoff with full jitter: the wait is drawn evenly from zero to a bound that doubles from `first` to
//! `max`, so that the retries of an outage do not come back in step.
//!
//! `max_age` must not make an outage fatal. Its clock stands still while the breaker is open or forwarding is paused, and
//! a message is given up only if it is older than `max_age` **and** other lanes of the same destination got through since
//! its own last failure: the backend is well and does not want this one. While nothing gets through, everything waits.

use std::time::Duration;

use super::classify::Class;
use crate::config::Destination;
use crate::ledger::Next;

/// A backend's Retry-After is obeyed up to this.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);

/// A destination's patience.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Bound of the first wait.
    pub first: Duration,
    /// Bound of every later wait.
    pub max: Duration,
    /// Age after which a message may be given up.
    pub max_age: Duration,
}

impl Policy {
    /// As configured.
    #[must_use]
    pub const fn of(destination: &Destination) -> Self {
        Self { first: destination.backoff_first, max: destination.backoff_max, max_age: destination.max_age }
    }

    /// Whether a message is old enough to be given up.
    #[must_use]
    pub fn is_old(&self, created_us: i64, now_us: i64) -> bool {
        i128::from(now_us) - i128::from(created_us) > i128::try_from(self.max_age.as_micros()).unwrap_or(i128::MAX)
    }
}

/// What other lanes of the destination did since this message's last failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Others {
    /// At least one got through.
    GotThrough,
    /// None did, or this is the first failure that we saw of it.
    AreSilent,
}

/// A message whose attempt just ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tried {
    /// What its patience is counted from: when it was made due or resumed, later by every outage since.
    pub created_us: i64,
    /// When the attempt ended.
    pub now_us: i64,
    /// Attempts before this one.
    pub attempts_before: u32,
    /// How the destination does otherwise.
    pub others: Others,
}

/// What happens to the message next. `random` is uniform over all of `u64`.
#[must_use]
pub fn after(policy: &Policy, class: Class, tried: &Tried, random: u64) -> Next {
    let wait = match class {
        Class::Delivered => return Next::Delivered,
        Class::Retry => backoff(policy, tried.attempts_before, random),
        Class::RetryAfter(asked) => {
            // Never earlier than asked; spread a little, since everything refused with it would return at once.
            let asked = asked.min(RETRY_AFTER_MAX) + part(policy.first, random);
            asked.max(backoff(policy, tried.attempts_before, random))
        }
        Class::Gone => policy.max + part(policy.max, random),
    };
    if policy.is_old(tried.created_us, tried.now_us) && tried.others == Others::GotThrough {
        return Next::Dead;
    }
    let wait_us = i64::try_from(wait.as_micros()).unwrap_or(i64::MAX);
    Next::Retry { due_us: tried.now_us.saturating_add(wait_us) }
}

/// Full jitter below `first · 2^failures`, at most `max`.
fn backoff(policy: &Policy, attempts_before: u32, random: u64) -> Duration {
    let factor = 1_u32.checked_shl(attempts_before).unwrap_or(u32::MAX);
    part(policy.first.saturating_mul(factor).min(policy.max), random)
}

/// The share of `whole` that `random` is of `u64::MAX`, in microseconds.
fn part(whole: Duration, random: u64) -> Duration {
    let scaled = (whole.as_micros().min(u128::from(u64::MAX)) * u128::from(random)) / u128::from(u64::MAX);
    Duration::from_micros(u64::try_from(scaled).unwrap_or(u64::MAX))
}
