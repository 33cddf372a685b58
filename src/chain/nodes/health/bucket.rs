//! A node's rate, shared out by what calls are for. Pure: time arrives as a value.
//!
//! Each purpose has a bucket of its own that fills at its share of the rate and holds a second of it; what one cannot hold
//! flows to the others, so that nothing is lost while one has nothing to do. A call may put its bucket into debt, and the
//! next one waits until that is paid: a call that costs more than a bucket holds still goes out, and callers keep their
//! order. It must never let one purpose take what is reserved for another.

use std::time::Duration;

/// What a call is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A payment that nobody was told of yet: half of the rate.
    PreForward,
    /// A payment that was sent and is watched: three tenths.
    PostForward,
    /// Looking again for what was lost, and scans: two tenths.
    Research,
}

/// Balances are in hundred-millionths of a compute unit: rate x microseconds x percent, without a division.
const UNIT: i64 = 100_000_000;
const SECOND_US: i64 = 1_000_000;

/// See the module.
#[derive(Debug, Clone)]
pub struct Bucket {
    rate: i64,
    filled_us: i64,
    shares: [Share; 3],
}

#[derive(Debug, Clone, Copy)]
struct Share {
    purpose: Purpose,
    percent: i64,
    balance: i64,
}

// === impl Purpose ===

impl Purpose {
    /// Every purpose, the first in line for what another leaves over first.
    pub const ALL: [Self; 3] = [Self::PreForward, Self::PostForward, Self::Research];

    /// Its share of the rate.
    #[must_use]
    pub const fn percent(self) -> u32 {
        match self {
            Self::PreForward => 50,
            Self::PostForward => 30,
            Self::Research => 20,
        }
    }
}

// === impl Bucket ===

impl Bucket {
    /// A full bucket that fills by `rate` compute units a second.
    #[must_use]
    pub fn new(rate: u32, now: Duration) -> Self {
        let rate = i64::from(rate.max(1));
        let share = |purpose: Purpose| {
            let percent = i64::from(purpose.percent());
            Share { purpose, percent, balance: most(rate, percent) }
        };
        Self { rate, filled_us: micros(now), shares: Purpose::ALL.map(share) }
    }

    /// Takes the cost and says how long to wait before the call. `None`, and nothing taken, when that would be longer than
    /// `patience`.
    pub fn spend(&mut self, purpose: Purpose, cost: u32, now: Duration, patience: Duration) -> Option<Duration> {
        self.fill(now);
        if cost == 0 {
            return Some(Duration::ZERO);
        }
        let rate = self.rate;
        let share = self.shares.iter_mut().find(|share| share.purpose == purpose)?;
        let debt = u64::try_from(share.balance.saturating_neg()).unwrap_or(0);
        let speed = u64::try_from(rate.saturating_mul(share.percent)).unwrap_or(1).max(1);
        let wait = Duration::from_micros(debt.div_ceil(speed));
        if patience < wait {
            return None;
        }
        share.balance = share.balance.saturating_sub(i64::from(cost).saturating_mul(UNIT));
        Some(wait)
    }

    fn fill(&mut self, now: Duration) {
        let now_us = micros(now);
        let passed = now_us.saturating_sub(self.filled_us).max(0);
        self.filled_us = self.filled_us.max(now_us);
        let mut over = 0_i64;
        for share in &mut self.shares {
            let earned = self.rate.saturating_mul(share.percent).saturating_mul(passed);
            over = over.saturating_add(share.put(self.rate, earned));
        }
        for share in &mut self.shares {
            over = share.put(self.rate, over);
        }
    }
}

impl Share {
    /// Puts in what fits and gives back the rest.
    fn put(&mut self, rate: i64, earned: i64) -> i64 {
        let room = most(rate, self.percent).saturating_sub(self.balance);
        let fits = earned.min(room);
        self.balance = self.balance.saturating_add(fits);
        earned.saturating_sub(fits)
    }
}

/// A second of a share.
const fn most(rate: i64, percent: i64) -> i64 {
    rate.saturating_mul(percent).saturating_mul(SECOND_US)
}

fn micros(uptime: Duration) -> i64 {
    i64::try_from(uptime.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
