//! The id of a request, on both listeners: what ties an answer to the log.

use hyper::HeaderMap;
use jiff::Timestamp;
use uuid::Uuid;

/// Longest request id that is taken from a caller.
const REQUEST_ID_MAX: usize = 128;

/// The caller's `x-request-id` if it is well-formed, else a new one.
#[must_use]
pub fn request_id(headers: &HeaderMap, now: Timestamp) -> String {
    let given = headers.get("x-request-id").and_then(|value| value.to_str().ok());
    match given {
        Some(id) if well_formed(id) => id.to_owned(),
        Some(_) | None => new_id(now).to_string(),
    }
}

fn well_formed(id: &str) -> bool {
    (1..=REQUEST_ID_MAX).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

/// A UUIDv7 (RFC 9562) of this time. Its random bits come from the thread's generator, not from a system call each.
#[must_use]
pub fn new_id(now: Timestamp) -> Uuid {
    let millis = u64::try_from(now.as_millisecond()).unwrap_or_default();
    uuid::Builder::from_unix_timestamp_millis(millis, &rand::random()).into_uuid()
}
