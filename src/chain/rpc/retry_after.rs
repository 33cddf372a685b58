//! What a node asks for in `Retry-After`. It must never make anybody wait longer than [`RETRY_AFTER_MAX`]: the header
//! is the node's word.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::strtime::BrokenDownTime;
use jiff::tz::TimeZone;

/// A node's `Retry-After` is obeyed up to this.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);

/// When to come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryAfter {
    /// After so many seconds.
    Seconds(u64),
    /// At a time of the wall clock.
    At(Timestamp),
}

impl RetryAfter {
    /// Seconds, or one of the three date forms of RFC 9110 section 5.6.7. `None` for anything else: it asks for nothing
    /// we understand.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            // More digits than a u64 holds mean "very long", which is capped.
            return Some(Self::Seconds(text.parse().unwrap_or(u64::MAX)));
        }
        ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"]
            .iter()
            .find_map(|format| BrokenDownTime::parse(format, text).ok()?.to_datetime().ok())
            .and_then(|date| date.to_zoned(TimeZone::UTC).ok())
            .map(|date| Self::At(date.timestamp()))
    }

    /// How long from now, capped. A date in the past is zero.
    #[must_use]
    pub fn wait(self, now: Timestamp) -> Duration {
        let asked = match self {
            Self::Seconds(seconds) => Duration::from_secs(seconds),
            Self::At(at) => Duration::try_from(at.duration_since(now)).unwrap_or(Duration::ZERO),
        };
        asked.min(RETRY_AFTER_MAX)
    }
}

#[cfg(test)]
mod tests;
