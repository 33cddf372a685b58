//! A circuit breaker: a node that fails is left alone for a while, then tried with one call. Pure: time arrives as a value.
//!
//! It must never let a second call out while it tries one. Each change of its phase begins a new epoch, and a call that was
//! let out in an older one changes nothing: the last calls of an outage cannot close it or push its end away.
//!
//! There is no jitter: one probe of one node is no herd.

use std::time::Duration;

use super::{Refusal, State};

/// Failures in a row that open it.
const FAILURES_MAX: u32 = 5;
/// Seconds of calls that are looked at together.
const WINDOW_S: u64 = 10;
/// In them, at least so many calls.
const WINDOW_CALLS_MIN: u32 = 20;
/// First wait before a probe; it doubles.
const WAIT_FIRST: Duration = Duration::from_secs(5);
/// Longest wait.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// See the module.
#[derive(Debug, Clone)]
pub struct Breaker {
    phase: Phase,
    epoch: u64,
}

#[derive(Debug, Clone)]
enum Phase {
    Closed { row: u32, recent: Window },
    Open { until: Duration, wait: Duration, is_probing: bool },
}

/// Leave for one call.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub struct Permit {
    epoch: u64,
}

/// The last seconds, one slot each.
#[derive(Debug, Clone, Default)]
struct Window([Second; 10]);

#[derive(Debug, Clone, Copy, Default)]
struct Second {
    second: u64,
    calls: u32,
    failures: u32,
}

// === impl Breaker ===

impl Default for Breaker {
    fn default() -> Self {
        Self::new()
    }
}

impl Breaker {
    /// Closed.
    #[must_use]
    pub fn new() -> Self {
        Self { phase: Phase::Closed { row: 0, recent: Window::default() }, epoch: 0 }
    }

    /// Ready, open or half open.
    #[must_use]
    pub fn state(&self, now: Duration) -> State {
        match self.phase {
            Phase::Closed { .. } => State::Ready,
            Phase::Open { until, .. } if now < until => State::Open,
            Phase::Open { .. } => State::HalfOpen,
        }
    }

    /// Whether [`Breaker::admit`] would let a call out.
    ///
    /// # Errors
    /// When it is open, or half open with its probe out.
    pub fn check(&self, now: Duration) -> Result<(), Refusal> {
        match self.phase {
            Phase::Open { until, is_probing, .. } if is_probing || now < until => Err(Refusal::Open),
            Phase::Open { .. } | Phase::Closed { .. } => Ok(()),
        }
    }

    /// Lets a call out.
    ///
    /// # Errors
    /// As [`Breaker::check`].
    pub fn admit(&mut self, now: Duration) -> Result<Permit, Refusal> {
        self.check(now)?;
        if let Phase::Open { is_probing, .. } = &mut self.phase {
            *is_probing = true;
        }
        Ok(Permit { epoch: self.epoch })
    }

    /// The call got an answer.
    pub fn succeed(&mut self, permit: Permit, now: Duration) {
        if permit.epoch != self.epoch {
            return;
        }
        match &mut self.phase {
            Phase::Closed { row, recent } => {
                *row = 0;
                recent.add(now, 0);
            }
            Phase::Open { .. } => self.enter(Phase::Closed { row: 0, recent: Window::default() }),
        }
    }

    /// The call got none.
    pub fn fail(&mut self, permit: Permit, now: Duration) {
        if permit.epoch != self.epoch {
            return;
        }
        let wait = match &mut self.phase {
            Phase::Closed { row, recent } => {
                *row = row.saturating_add(1);
                recent.add(now, 1);
                if *row < FAILURES_MAX && !recent.is_bad(now) {
                    return;
                }
                WAIT_FIRST
            }
            Phase::Open { wait, .. } => wait.saturating_mul(2).min(WAIT_MAX),
        };
        self.enter(Phase::Open { until: now.saturating_add(wait), wait, is_probing: false });
    }

    /// The call says nothing about the node. A probe's place is free again.
    pub fn abandon(&mut self, permit: Permit) {
        if let Phase::Open { is_probing, .. } = &mut self.phase
            && permit.epoch == self.epoch
        {
            *is_probing = false;
        }
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.epoch = self.epoch.wrapping_add(1);
    }
}

// === impl Window ===

impl Window {
    /// One call, with none or one failure.
    fn add(&mut self, now: Duration, failures: u32) {
        let second = now.as_secs();
        let place = usize::try_from(second % WINDOW_S).unwrap_or(0);
        let Some(slot) = self.0.get_mut(place) else { return };
        if slot.second != second {
            *slot = Second { second, ..Second::default() };
        }
        slot.calls = slot.calls.saturating_add(1);
        slot.failures = slot.failures.saturating_add(failures);
    }

    /// Whether more than half of enough calls failed.
    fn is_bad(&self, now: Duration) -> bool {
        let recent = self.0.iter().filter(|slot| now.as_secs() < slot.second.saturating_add(WINDOW_S));
        let (calls, failures) = recent.fold((0_u32, 0_u32), |(calls, failures), slot| {
            (calls.saturating_add(slot.calls), failures.saturating_add(slot.failures))
        });
        WINDOW_CALLS_MIN <= calls && calls < failures.saturating_mul(2)
    }
}

#[cfg(test)]
mod tests;
