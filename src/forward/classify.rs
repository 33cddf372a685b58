//! What an answer means. Pure: the status, the error and the time come in, a word and a class go out.
//!
//! Only a 2xx or a configured status means taken. A redirect is a failure like any other: following one would post
//! signed money messages to an address nobody configured.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::strtime::BrokenDownTime;
use jiff::tz::TimeZone;

use super::client::SendError;

/// What to do after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The backend has it.
    Delivered,
    /// Try again by the backoff.
    Retry,
    /// Try again no earlier than this, as the backend asked.
    RetryAfter(Duration),
    /// 410: the backend says this address is no more. The destination is paused.
    Gone,
}

/// An attempt, judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judged {
    /// Stable word for the attempt's record and the metric.
    pub outcome: &'static str,
    /// What to do.
    pub class: Class,
}

/// The word of an attempt after which the backend asked to wait.
const ASKED: &str = "retry_after";

/// Judges an answer or a failure to get one. `retry_after` is that header's text, when there was one; `accept` are
/// the statuses beside 2xx that mean taken and win over every other reading.
#[must_use]
pub fn classify(answer: Result<u16, SendError>, retry_after: Option<&str>, accept: &[u16], now: Timestamp) -> Judged {
    let status = match answer {
        Ok(status) => status,
        Err(error) => return Judged { outcome: error.word(), class: Class::Retry },
    };
    if accept.contains(&status) {
        return Judged { outcome: "ok", class: Class::Delivered };
    }
    match status {
        200..=299 => Judged { outcome: "ok", class: Class::Delivered },
        300..=399 => Judged { outcome: "redirect", class: Class::Retry },
        410 => Judged { outcome: "status", class: Class::Gone },
        429 | 503 => {
            let asked = retry_after.and_then(|text| parse_retry_after(text, now));
            match asked {
                Some(wait) => Judged { outcome: ASKED, class: Class::RetryAfter(wait) },
                None => Judged { outcome: "status", class: Class::Retry },
            }
        }
        _ => Judged { outcome: "status", class: Class::Retry },
    }
}

/// Seconds, or one of the three date forms of RFC 9110 section 5.6.7. A date in the past is zero. Anything else is
/// not a wish we understand: the normal backoff applies.
fn parse_retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than a u64 holds mean "very long"; the schedule caps it.
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"]
        .iter()
        .find_map(|format| BrokenDownTime::parse(format, text).ok()?.to_datetime().ok())
        .and_then(|date| date.to_zoned(TimeZone::UTC).ok())
        .map(|date| Duration::try_from(date.timestamp().duration_since(now)).unwrap_or(Duration::ZERO))
}
