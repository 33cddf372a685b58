//! Spaces attempts evenly when a destination has a `rate`. Pure arithmetic on instants (the generic cell rate
//! algorithm): attempts may run ahead of the even spacing by a little, because timers are coarser than high rates.

use std::time::Duration;

use tokio::time::Instant;

/// How far attempts may run ahead; it bounds a burst to a twentieth of a second's worth.
const AHEAD: Duration = Duration::from_millis(50);

/// A destination's pace.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    interval: Duration,
    /// When the next attempt would start by the even spacing.
    due: Instant,
}

impl Pace {
    /// `rate` attempts a second.
    pub(super) fn new(rate: u32, now: Instant) -> Self {
        Self { interval: Duration::from_secs(1) / rate.max(1), due: now }
    }

    /// When the next attempt may start.
    pub(super) fn opens(&self, now: Instant) -> Instant {
        let ahead = AHEAD.saturating_sub(self.interval);
        self.due.checked_sub(ahead).unwrap_or(now)
    }

    /// Starts an attempt now, if it may.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        if now < self.opens(now) {
            return false;
        }
        self.due = self.due.max(now) + self.interval;
        true
    }
}
