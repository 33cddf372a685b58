//! More comes than can be stored: what is told to come back, and that it is said without a line for each.
//!
//! A source whose provider tries again for days does not wait for a slot: where none is free it is answered 503 at once,
//! before its body is looked at, which leaves the machine to what can be taken. One whose provider gives up within seconds
//! waits as long as the log itself does.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;

use super::alarm::is_within;
use crate::config::Shed;

/// Between two lines about one source.
const SAY_EVERY_S: i64 = 10;

/// How long a delivery waits for one of its source's slots, by what its provider does about a 503. The log waits two
/// seconds for its own queue.
pub(super) const fn slot_wait(class: Shed) -> Duration {
    match class {
        Shed::First => Duration::ZERO,
        Shed::Middle => Duration::from_millis(500),
        Shed::Last => Duration::from_secs(2),
    }
}

/// Deliveries of one source that were told to come back, for the log.
#[derive(Debug)]
pub(super) struct Overload {
    unsaid: AtomicU64,
    said_s: AtomicI64,
}

impl Overload {
    pub(super) const fn new() -> Self {
        Self { unsaid: AtomicU64::new(0), said_s: AtomicI64::new(i64::MIN) }
    }

    /// One more. Answers how many there were since the last line when it is time for the next.
    pub(super) fn count(&self, now: Timestamp) -> Option<u64> {
        self.unsaid.fetch_add(1, Ordering::Relaxed);
        let (now_s, said_s) = (now.as_second(), self.said_s.load(Ordering::Relaxed));
        let is_recent = is_within(SAY_EVERY_S, said_s, now_s);
        let is_mine = || self.said_s.compare_exchange(said_s, now_s, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        (!is_recent && is_mine()).then(|| self.unsaid.swap(0, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + seconds).unwrap()
    }

    #[test]
    fn the_first_is_said_at_once_and_then_a_sum_every_ten_seconds() {
        let overload = Overload::new();
        assert_eq!(overload.count(at(0)), Some(1));
        assert!((0..1_000).all(|n| overload.count(at(n / 100)).is_none()));
        assert_eq!(overload.count(at(10)), Some(1_001));
        assert_eq!(overload.count(at(10)), None);
        assert_eq!(overload.count(at(-5)), Some(2), "a clock that was set back");
    }
}
