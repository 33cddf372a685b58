//! Signed timestamps: strict text, and the age as of arrival.

use std::time::Duration;

use jiff::Timestamp;

use super::Rejection;

/// Digits of a timestamp: enough for thirty thousand years, few enough for every integer type.
const MAX_DIGITS: usize = 12;

/// Unix seconds in plain ASCII decimal: no sign, no blank, no leading zero. Parsers that take more disagree with
/// each other, and the text itself is signed.
pub(super) fn unix_seconds(text: &str) -> Option<i64> {
    let plain = (1..=MAX_DIGITS).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && (text == "0" || !text.starts_with('0'));
    if plain { text.parse().ok() } else { None }
}

/// Whether the signed time is near enough to the arrival. Both count in whole seconds and the boundary itself
/// passes, as in Stripe's own libraries; both directions are judged, since a time far ahead would let a signature
/// live longer than the tolerance. A tolerance of zero is a window of that one second, never "no check".
pub(super) fn within(signed_at: i64, received: Timestamp, tolerance: Duration) -> Result<(), Rejection> {
    if received.as_second().abs_diff(signed_at) <= tolerance.as_secs() {
        Ok(())
    } else {
        Err(Rejection::OutOfTolerance)
    }
}
