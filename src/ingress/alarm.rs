//! A source that used to verify and now fails: a rotation that was forgotten here, or something that rewrites bodies.
//!
//! Counts wrong signatures since the last right one. A source that never verified counts nothing, since whoever finds
//! its path can post to it; a right delivery sets the count to zero, so the noise of strangers does not add up.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use jiff::Timestamp;
use prometheus_client::metrics::gauge::Gauge;

/// Failures in a row that are worth a line in the log.
const WARN_FAILURES: u64 = 5;
/// Between two such lines of one source, whoever provokes them.
const WARN_EVERY_US: i64 = 10 * 60 * 1_000_000;

/// The state of one source.
pub(super) struct Alarm {
    verified_once: AtomicBool,
    failures: AtomicU64,
    warned: AtomicBool,
    last_warning_us: AtomicI64,
    gauge: Gauge,
}

/// What is to be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Say {
    Nothing,
    /// It fails, this often in a row.
    Fails(u64),
    /// It verifies again, after a warning and this many failures.
    Recovered(u64),
}

impl Alarm {
    pub(super) const fn new(gauge: Gauge) -> Self {
        Self {
            verified_once: AtomicBool::new(false),
            failures: AtomicU64::new(0),
            warned: AtomicBool::new(false),
            last_warning_us: AtomicI64::new(i64::MIN),
            gauge,
        }
    }

    /// A right signature came.
    pub(super) fn verified(&self) -> Say {
        self.verified_once.store(true, Ordering::Relaxed);
        let failures = self.failures.swap(0, Ordering::Relaxed);
        if 0 < failures {
            self.gauge.set(0);
        }
        if self.warned.swap(false, Ordering::Relaxed) { Say::Recovered(failures) } else { Say::Nothing }
    }

    /// A wrong one came.
    pub(super) fn failed(&self, now: Timestamp) -> Say {
        if !self.verified_once.load(Ordering::Relaxed) {
            return Say::Nothing;
        }
        let failures = self.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        self.gauge.set(i64::try_from(failures).unwrap_or(i64::MAX));
        let now_us = now.as_microsecond();
        let last_us = self.last_warning_us.load(Ordering::Relaxed);
        let is_recent = is_within(WARN_EVERY_US, last_us, now_us);
        if failures < WARN_FAILURES || is_recent || self.warned.swap(true, Ordering::Relaxed) {
            return Say::Nothing;
        }
        self.last_warning_us.store(now_us, Ordering::Relaxed);
        Say::Fails(failures)
    }
}

/// Whether the last time is less than `every` ago, all in one unit. A clock that was set back silences nobody.
pub(super) const fn is_within(every: i64, last: i64, now: i64) -> bool {
    last <= now && now < last.saturating_add(every)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + seconds).unwrap()
    }

    #[test]
    fn a_source_that_never_verified_alarms_nobody() {
        let gauge = Gauge::default();
        let alarm = Alarm::new(gauge.clone());
        assert!((0..100).all(|n| alarm.failed(at(n)) == Say::Nothing));
        assert_eq!(gauge.get(), 0);
    }

    #[test]
    fn failures_after_a_right_one_are_counted_and_said_once_until_it_is_right_again() {
        let gauge = Gauge::default();
        let alarm = Alarm::new(gauge.clone());
        assert_eq!(alarm.verified(), Say::Nothing);
        let said: Vec<Say> = (1..=9).map(|n| alarm.failed(at(n))).filter(|say| *say != Say::Nothing).collect();
        assert_eq!((said.as_slice(), gauge.get()), ([Say::Fails(5)].as_slice(), 9));
        assert!((10..9_000).all(|n| alarm.failed(at(n)) == Say::Nothing), "once, however long it takes");
        assert_eq!((alarm.verified(), gauge.get()), (Say::Recovered(8_999), 0));
        assert_eq!(alarm.verified(), Say::Nothing);
    }

    #[test]
    fn forgeries_between_right_ones_do_not_add_up_and_cannot_fill_the_log() {
        let alarm = Alarm::new(Gauge::default());
        let mut said = 0;
        for n in 0..6_000 {
            alarm.verified();
            let forged = (0..5).map(|_| alarm.failed(at(n / 10)));
            said += forged.filter(|say| *say != Say::Nothing).count();
        }
        assert_eq!(said, 1, "one in ten minutes");
        let later = at(599).checked_add(Duration::from_secs(1)).unwrap();
        assert!((0..4).all(|_| alarm.verified() == Say::Nothing && alarm.failed(later) == Say::Nothing));
    }
}
