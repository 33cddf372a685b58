//! A stored message under a new version of its event: for a backend that holds the old one and would drop a repeat.
//!
//! Everything else stays byte for byte, the provider's own body among it.

use crate::model::WebhookId;

/// The bytes of `body` as the message `now`; none when they are not those of the message `was`.
#[must_use]
pub fn revised(body: &[u8], was: WebhookId, now: WebhookId) -> Option<Vec<u8>> {
    let head =
        |id: WebhookId| format!("\"data\":{{\"event_id\":\"{}\",\"state_version\":{},", id.event, id.state_version);
    let (old, new) = (head(was), head(now));
    // The first that fits is ours: before it stand a type, a time and a number, and what others wrote comes after it.
    let at = body.windows(old.len()).position(|window| window == old.as_bytes())?;
    let (before, rest) = body.split_at(at);
    let after = rest.get(old.len()..)?;
    Some([before, new.as_bytes(), after].concat())
}
