//! The Standard Webhooks specification (1.0.0, symmetric): as a receiver, and as the signer of our own messages.
//!
//! Signed text is `{webhook-id}.{webhook-timestamp}.{body}`; the key is the decoded base64 after `whsec_`, the
//! opposite of Stripe. `webhook-signature` holds blank-separated `v1,<base64>` entries; other versions (`v1a` is
//! Ed25519) are ignored. The id is inside the signed text, so it counts as signed bytes and is the identity. A dot
//! in it is refused: it could shift the border between id and time.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hyper::HeaderMap;
use jiff::Timestamp;

use super::json;
use super::keys::{Form, Keys, SecretError};
use super::{Interpretation, Kind, Rejection, UNKNOWN_TYPE, Verified, headers, named_type, plain_or_ignored, time};
use crate::config::{Secret, Source};
use crate::digest::{Algorithm, HmacKey};
use crate::model::{Code, Identity, Part};

/// Identifies the message, the same on every retry.
pub const ID_HEADER: &str = "webhook-id";
/// Unix seconds of the attempt.
pub const TIMESTAMP_HEADER: &str = "webhook-timestamp";
/// One or more signatures.
pub const SIGNATURE_HEADER: &str = "webhook-signature";

const SCHEME: &str = "standard-webhooks-v1";

/// Longest message id, bytes.
const MAX_ID_BYTES: usize = 256;

pub(super) fn verify(
    keys: &Keys,
    headers: &HeaderMap,
    body: &[u8],
    received: Timestamp,
    tolerance: Duration,
) -> Result<Verified, Rejection> {
    let id = headers::one(headers, ID_HEADER)?;
    let timestamp = headers::one(headers, TIMESTAMP_HEADER)?;
    let signatures = headers::one(headers, SIGNATURE_HEADER)?;
    let signed_at = time::unix_seconds(timestamp).ok_or(Rejection::Malformed)?;
    if !usable_id(id) {
        return Err(Rejection::Malformed);
    }
    let entries: Vec<&str> = signatures.split(' ').filter_map(|entry| entry.strip_prefix("v1,")).collect();
    if entries.is_empty() {
        return Err(Rejection::Malformed);
    }
    let candidates: Vec<Vec<u8>> = entries.iter().filter_map(|entry| STANDARD.decode(entry).ok()).collect();
    let parts = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body];
    let secret = keys.matching(&parts, &candidates, received).ok_or(Rejection::Mismatch)?;
    time::within(signed_at, received, tolerance)?;
    Ok(Verified::by(SCHEME, secret, Some(signed_at)))
}

fn usable_id(id: &str) -> bool {
    id.len() <= MAX_ID_BYTES && id.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'.')
}

fn identify(realm: &str, id: &str) -> Identity {
    Identity::derive("standard-webhooks", realm, "message", &[Part::Text(id)])
}

pub(super) fn interpret(source: &Source, headers: &[(Bytes, Bytes)], body: &[u8]) -> Interpretation {
    let read = json::parse(body);
    let event_type = read.as_ref().map_or_else(|_| UNKNOWN_TYPE.to_owned(), named_type);
    let Some(id) = headers::stored(headers, ID_HEADER).filter(|id| usable_id(id)) else {
        return Interpretation::of_body(source, &event_type, body, Kind::Ended(Code::IdentityIncomplete));
    };
    let kind = match read {
        Ok(_) => plain_or_ignored(source, &event_type),
        Err(fault) => Kind::Ended(fault.code()),
    };
    let event = Interpretation::new(identify(&source.realm, id), &event_type, kind);
    Interpretation { provider_event_id: Some(id.to_owned()), ..event }
}

/// Signs our messages with every secret of a destination, so that a rotation has an overlap.
pub struct Signer(Vec<HmacKey>);

impl Signer {
    /// Prepares `whsec_` secrets, newest first.
    ///
    /// # Errors
    /// When there is none, or one is blank, no base64, or not 24 to 64 bytes; it is named by its position from 1.
    pub fn new(secrets: &[Secret]) -> Result<Self, SecretError> {
        if secrets.is_empty() {
            return Err(SecretError::None);
        }
        let key = |(position, secret): (usize, &Secret)| {
            Form::Whsec.key(&format!("#{position}"), secret.expose(), Algorithm::Sha256)
        };
        (1..).zip(secrets).map(key).collect::<Result<_, _>>().map(Self)
    }

    /// The value of `webhook-signature`: one `v1,<base64>` a secret, separated by blanks.
    #[must_use]
    pub fn sign(&self, id: &str, timestamp_s: i64, body: &[u8]) -> String {
        let timestamp = timestamp_s.to_string();
        let parts = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body];
        let entries: Vec<String> =
            self.0.iter().map(|key| format!("v1,{}", STANDARD.encode(key.sign(&parts)))).collect();
        entries.join(" ")
    }
}

#[cfg(test)]
mod tests;
