//! A second node asked beside a slow first one: when it is, and which of the two is waited for.
//!
//! What the second one says is its own; it never stands for the first. Whoever is overtaken is let go, and has said
//! nothing. It must never ask a second one without the budget for it.

use std::future::Future;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::hedge::{Budget, Latency};

/// What is asked of one node first. Each takes its own time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A transaction's receipt.
    Receipt,
    /// A whole block: its transactions and its receipts.
    Delivery,
}

/// Something to ask of a node, and how many calls it takes.
pub(super) struct Question<F> {
    pub(super) calls: u32,
    pub(super) answer: F,
}

/// How long the calls of one chain take, and how many more it may be asked.
#[derive(Default)]
pub(super) struct Hedging(Mutex<Known>);

#[derive(Default)]
struct Known {
    receipt: Latency,
    delivery: Latency,
    budget: Budget,
}

impl Hedging {
    /// Asks the first; and the second too, when the first takes longer than most and the budget allows it. Waits until
    /// one of them says enough, or both have spoken; one that was not asked or not waited for has said nothing.
    pub(super) async fn race<T>(
        &self,
        kind: Kind,
        first: Question<impl Future<Output = T>>,
        second: Option<Question<impl Future<Output = T>>>,
        is_enough: impl Fn(&T) -> bool,
    ) -> (Option<T>, Option<T>) {
        let after = self.ask(kind, first.calls);
        let started = Instant::now();
        let mut asked = pin!(first.answer);
        let (mut one, mut other) = (None, None);
        if let (Some(after), Some(second)) = (after, second) {
            tokio::select! {
                biased;
                told = &mut asked => one = Some(told),
                () = tokio::time::sleep(after) => {}
            }
            if one.is_none() && self.known().budget.take(second.calls) {
                let mut beside = pin!(second.answer);
                while !one.iter().chain(&other).any(&is_enough) && (one.is_none() || other.is_none()) {
                    tokio::select! {
                        biased;
                        told = &mut asked, if one.is_none() => one = Some(told),
                        told = &mut beside, if other.is_none() => other = Some(told),
                    }
                }
            }
        }
        if one.is_none() && !other.as_ref().is_some_and(&is_enough) {
            one = Some(asked.await);
        }
        // One that was overtaken would have taken longer still.
        if one.as_ref().is_none_or(is_enough) {
            self.took(kind, started.elapsed());
        }
        (one, other)
    }

    /// Calls are made; the time after which one is slow for its kind.
    fn ask(&self, kind: Kind, calls: u32) -> Option<Duration> {
        let mut known = self.known();
        known.budget.called(calls);
        known.latency(kind).patience()
    }

    fn took(&self, kind: Kind, time: Duration) {
        self.known().latency(kind).add(time);
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn latency(&mut self, kind: Kind) -> &mut Latency {
        match kind {
            Kind::Receipt => &mut self.receipt,
            Kind::Delivery => &mut self.delivery,
        }
    }
}

#[cfg(test)]
impl Hedging {
    /// As after calls of that kind that took no time at all, with the budget for so many extra ones.
    pub(super) fn warm(&self, kind: Kind, extra: u32) {
        for _ in 0..20 {
            self.took(kind, Duration::ZERO);
        }
        let mut known = self.known();
        known.budget = Budget::default();
        known.budget.called(extra.saturating_mul(20));
    }
}
