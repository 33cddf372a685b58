//! Stored work done again: deliveries judged again, messages sent again.
//!
//! Both are jobs of the ledger. A step does its part and moves the job's cursor in one transaction, so a crash at any
//! moment costs nothing but the step that was under way, which is done again. What a replay finds is decided by [`plan`],
//! which is pure; verdicts come from verification itself, which the composition root hands in as a [`Judge`]. Nothing here
//! confirms, refutes or renders: what has to be judged again is made due for verification.

use std::time::Duration;

mod params;
pub mod plan;
mod report;
mod worker;

pub use params::{IDS_MAX, RATE, ReplayParams, ResendParams};
pub use plan::{Effect, Now, Then, Verdict};
pub use worker::{Parts, Worker};

use crate::ledger::{Answer, DueEvent};

/// Between looks for work when no hint comes.
const IDLE: Duration = Duration::from_secs(2);

/// After a ledger that did not answer.
const REST: Duration = Duration::from_secs(1);

/// Verification as a replay needs it: what it would say now of a stored event. Writes nothing.
pub trait Judge: Send + Sync + 'static {
    /// Judges by today's chain and today's rules. That the delivery was signed rightly was decided when it came: keys
    /// that have rotated since fail nothing.
    fn judge(&self, event: DueEvent) -> Answer<'_, Now>;

    /// Takes a forwarded payment back because it is refuted by today's rules. False when it moved meanwhile.
    fn retract(&self, event: DueEvent, now: Now) -> Answer<'_, bool>;
}
