//! When a second node is asked beside a slow first one: after the time that 95 of 100 calls take, and only while that costs
//! few extra calls. Pure: durations arrive as values.
//!
//! It must never make two votes of one node: a hedge's answer is the second node's own.

use std::time::Duration;

/// A node is given so long whatever others take: a payment waits for blocks, and less than this is no matter to it.
const PATIENCE_MIN: Duration = Duration::from_millis(500);
/// Calls whose durations are remembered.
const CALLS_REMEMBERED: usize = 128;
/// Fewer say nothing about the slowest in twenty.
const CALLS_MIN: usize = 20;
/// One extra call for so many.
const CALLS_A_HEDGE: u32 = 20;
/// Extra calls that can be saved up.
const HEDGES_SAVED_MAX: u32 = 10;

/// How long calls take.
#[derive(Debug, Clone, Default)]
pub struct Latency {
    ring: Vec<Duration>,
    next: usize,
}

/// At most 5 extra calls for 100.
#[derive(Debug, Clone, Default)]
pub struct Budget {
    /// Calls not yet used up by a hedge.
    calls: u32,
}

// === impl Latency ===

impl Latency {
    /// A call that brought an answer took so long; or so long at least, when another one's was taken first.
    pub fn add(&mut self, took: Duration) {
        match self.ring.get_mut(self.next) {
            Some(slot) => *slot = took,
            None => self.ring.push(took),
        }
        self.next = self.next.saturating_add(1) % CALLS_REMEMBERED;
    }

    /// After which a second node may be asked; `None` before enough calls are known.
    #[must_use]
    pub fn patience(&self) -> Option<Duration> {
        self.p95().map(|p95| p95.max(PATIENCE_MIN))
    }

    /// What 95 of 100 of the remembered calls took at most; `None` before there are enough.
    #[must_use]
    pub fn p95(&self) -> Option<Duration> {
        if self.ring.len() < CALLS_MIN {
            return None;
        }
        let mut sorted = self.ring.clone();
        sorted.sort_unstable();
        let rank = sorted.len().saturating_mul(95).div_ceil(100);
        sorted.get(rank.saturating_sub(1)).copied()
    }
}

// === impl Budget ===

impl Budget {
    /// So many first calls are made.
    pub fn called(&mut self, calls: u32) {
        self.calls = self.calls.saturating_add(calls).min(CALLS_A_HEDGE.saturating_mul(HEDGES_SAVED_MAX));
    }

    /// Whether so many extra calls may be made now. A yes uses them up.
    #[must_use]
    pub fn take(&mut self, calls: u32) -> bool {
        match self.calls.checked_sub(calls.saturating_mul(CALLS_A_HEDGE)) {
            Some(left) => {
                self.calls = left;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests;
