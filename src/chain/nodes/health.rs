//! Whether a node may be called now, from what its calls brought. Pure: time arrives as a value.
//!
//! Several things keep a node from being called, and each ends by itself: a cordon after a fault, an operator's cordon, a
//! chain that is not the configured one, a quota that is used up, a wish to be left alone, a row of failures. It must never
//! say which answer is right: it only decides whether there is a call.

use std::time::Duration;

use jiff::Timestamp;

use super::super::rpc::RetryAfter;
use crate::clock::Clock;

pub mod breaker;
pub mod bucket;

use breaker::{Breaker, Permit};
use bucket::{Bucket, Purpose};

/// How long a node whose answer contradicts itself is left out.
pub const FAULT_CORDON: Duration = Duration::from_secs(600);
/// First wait before a node of another chain is asked again; it doubles.
const WRONG_CHAIN_WAIT_FIRST: Duration = Duration::from_secs(5);
/// Longest of these waits.
const WRONG_CHAIN_WAIT_MAX: Duration = Duration::from_secs(60);
/// Seconds of a UTC day.
const DAY_S: i64 = 86_400;

/// Now, by both clocks: waits are counted by the one that never goes back, dates by the wall.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// See [`Clock::uptime`].
    pub uptime: Duration,
    /// UTC.
    pub wall: Timestamp,
}

/// What a node is, for the metric and the API: the strongest reason that it is not called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It is called.
    Ready,
    /// After failures one call is tried.
    HalfOpen,
    /// Not called after failures.
    Open,
    /// Not called, because it said when to come back.
    Throttled,
    /// Not called before 00:00 UTC: its quota is used up.
    Exhausted,
    /// Not called, by a fault or an operator.
    Cordoned,
    /// Asked only for its chain id, now and then.
    WrongChain,
}

/// Why there was no call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// A fault's cordon or an operator's.
    Cordoned,
    /// It serves another chain and was asked a moment ago.
    WrongChain,
    /// Out of credits until midnight.
    Exhausted,
    /// It asked to be left alone, or its rate has no room before the call's deadline.
    Throttled,
    /// The breaker is open, or its one probe is out.
    Open,
    /// Too many calls in flight for too long.
    Busy,
}

/// How a call ended, as far as the node's health is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It answered, be it with an error to this very question.
    Answered,
    /// No usable answer.
    Failed,
    /// It throttles.
    Throttled(Option<RetryAfter>),
    /// Its quota is used up.
    Exhausted,
}

/// One node's health.
#[derive(Debug, Clone)]
pub struct Health {
    is_cordoned: bool,
    fault_until: Duration,
    wrong_chain: Option<Wrong>,
    exhausted_until: Duration,
    throttled_until: Duration,
    breaker: Breaker,
    bucket: Option<Bucket>,
}

#[derive(Debug, Clone, Copy)]
struct Wrong {
    until: Duration,
    wait: Duration,
}

// === impl Moment ===

impl Moment {
    /// The clock's now.
    #[must_use]
    pub fn of(clock: &Clock) -> Self {
        Self { uptime: clock.uptime(), wall: clock.now() }
    }

    /// The uptime of the next 00:00 UTC.
    fn midnight(self) -> Duration {
        let into_day = u64::try_from(self.wall.as_second().rem_euclid(DAY_S)).unwrap_or(0);
        self.uptime.saturating_add(Duration::from_secs(DAY_S.unsigned_abs().saturating_sub(into_day)))
    }
}

// === impl State ===

impl State {
    /// Every state.
    pub const ALL: [Self; 7] =
        [Self::Ready, Self::HalfOpen, Self::Open, Self::Throttled, Self::Exhausted, Self::Cordoned, Self::WrongChain];

    /// A stable word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::HalfOpen => "half_open",
            Self::Open => "open",
            Self::Throttled => "throttled",
            Self::Exhausted => "exhausted",
            Self::Cordoned => "cordoned",
            Self::WrongChain => "wrong_chain",
        }
    }
}

impl Refusal {
    /// A stable word for the metric.
    #[must_use]
    pub const fn outcome(self) -> &'static str {
        match self {
            Self::Cordoned => "refused_cordoned",
            Self::WrongChain => "refused_wrong_chain",
            Self::Exhausted => "refused_exhausted",
            Self::Throttled => "throttled",
            Self::Open => "refused_open",
            Self::Busy => "refused_busy",
        }
    }
}

// === impl Health ===

impl Health {
    /// A node of which nothing is known. `rate` is in compute units a second; without it calls are not paced.
    #[must_use]
    pub fn new(rate: Option<u32>, now: Duration) -> Self {
        Self {
            is_cordoned: false,
            fault_until: Duration::ZERO,
            wrong_chain: None,
            exhausted_until: Duration::ZERO,
            throttled_until: Duration::ZERO,
            breaker: Breaker::new(),
            bucket: rate.map(|rate| Bucket::new(rate, now)),
        }
    }

    /// What the node is.
    #[must_use]
    pub fn state(&self, now: Duration) -> State {
        if self.is_cordoned || now < self.fault_until {
            State::Cordoned
        } else if self.wrong_chain.is_some() {
            State::WrongChain
        } else if now < self.exhausted_until {
            State::Exhausted
        } else if now < self.throttled_until {
            State::Throttled
        } else {
            self.breaker.state(now)
        }
    }

    /// Whether a call would be let through now.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, now: Duration) -> Result<(), Refusal> {
        if self.is_cordoned || now < self.fault_until {
            Err(Refusal::Cordoned)
        } else if self.wrong_chain.is_some_and(|wrong| now < wrong.until) {
            Err(Refusal::WrongChain)
        } else if now < self.exhausted_until {
            Err(Refusal::Exhausted)
        } else if now < self.throttled_until {
            Err(Refusal::Throttled)
        } else {
            self.breaker.check(now)
        }
    }

    /// Lets a call through. The permit goes back by [`Health::settle`], or by [`Health::abandon`] when nobody waited.
    ///
    /// # Errors
    /// Why there must be no call.
    pub fn admit(&mut self, now: Duration) -> Result<Permit, Refusal> {
        self.check(now)?;
        self.breaker.admit(now)
    }

    /// Takes the cost of a call from the node's rate and says how long to wait before it.
    ///
    /// # Errors
    /// When that would be longer than `patience`: nothing is taken.
    pub fn spend(
        &mut self,
        purpose: Purpose,
        cost: u32,
        now: Duration,
        patience: Duration,
    ) -> Result<Duration, Refusal> {
        match &mut self.bucket {
            Some(bucket) => bucket.spend(purpose, cost, now, patience).ok_or(Refusal::Throttled),
            None => Ok(Duration::ZERO),
        }
    }

    /// A call ended.
    pub fn settle(&mut self, permit: Permit, ending: Ending, now: Moment) {
        match ending {
            Ending::Answered => self.breaker.succeed(permit, now.uptime),
            Ending::Failed | Ending::Throttled(None) => self.breaker.fail(permit, now.uptime),
            Ending::Throttled(Some(asked)) => {
                let wait = asked.wait(now.wall);
                if wait.is_zero() {
                    // "Come back at once" from a node that throttles: the breaker spaces the calls instead.
                    return self.breaker.fail(permit, now.uptime);
                }
                self.throttled_until = self.throttled_until.max(now.uptime.saturating_add(wait));
                self.breaker.abandon(permit);
            }
            Ending::Exhausted => {
                self.exhausted_until = now.midnight();
                self.breaker.abandon(permit);
            }
        }
    }

    /// A call that nobody waited for to its end: it says nothing about the node.
    pub fn abandon(&mut self, permit: Permit) {
        self.breaker.abandon(permit);
    }

    /// Its answer contradicted itself or the question.
    pub fn fault(&mut self, now: Duration) {
        self.fault_until = now.saturating_add(FAULT_CORDON);
    }

    /// An operator's cordon, which ends only by an operator. Taking it away ends a fault's cordon too.
    pub fn set_cordoned(&mut self, is_cordoned: bool) {
        self.is_cordoned = is_cordoned;
        if !is_cordoned {
            self.fault_until = Duration::ZERO;
        }
    }

    /// It was asked for its chain and serves another one.
    pub fn wrong_chain(&mut self, now: Duration) {
        let wait = match self.wrong_chain {
            Some(wrong) => wrong.wait.saturating_mul(2).min(WRONG_CHAIN_WAIT_MAX),
            None => WRONG_CHAIN_WAIT_FIRST,
        };
        self.wrong_chain = Some(Wrong { until: now.saturating_add(wait), wait });
    }

    /// It was asked for its chain and serves the configured one.
    pub fn right_chain(&mut self) {
        self.wrong_chain = None;
    }
}

#[cfg(test)]
mod tests;
