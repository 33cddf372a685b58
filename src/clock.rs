//! Time arrives as a value: every component gets a [`Clock`], and only this file asks the system.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use jiff::Timestamp;

/// What [`Clock::uptime`] is counted from.
static FIRST_ASKED: LazyLock<Instant> = LazyLock::new(Instant::now);

/// The wall clock, or one that a test moves.
#[derive(Clone, Debug, Default)]
pub struct Clock(Option<Arc<AtomicI64>>);

impl Clock {
    /// The system's clock, UTC.
    #[must_use]
    pub const fn system() -> Self {
        Self(None)
    }

    /// A clock that stands still at `start` until [`Clock::advance`].
    #[must_use]
    pub fn manual(start: Timestamp) -> Self {
        Self(Some(Arc::new(AtomicI64::new(start.as_microsecond()))))
    }

    /// Now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            None => Timestamp::now(),
            Some(us) => Timestamp::from_microsecond(us.load(Ordering::SeqCst)).unwrap_or(Timestamp::UNIX_EPOCH),
        }
    }

    /// Time since a fixed moment, which never goes back when the wall clock is set: for waits and rates. A manual clock's
    /// moves with it.
    #[must_use]
    pub fn uptime(&self) -> Duration {
        match &self.0 {
            None => FIRST_ASKED.elapsed(),
            Some(us) => Duration::from_micros(u64::try_from(us.load(Ordering::SeqCst)).unwrap_or(0)),
        }
    }

    /// Moves a manual clock; the system's clock stays what it is.
    pub fn advance(&self, by: Duration) {
        if let Some(us) = &self.0 {
            let by = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
            us.fetch_add(by, Ordering::SeqCst);
        }
    }
}
