//! Any sender with an HMAC of the raw body in one header.
//!
//! Header, algorithm, text form and prefix are configured; the header's value is the prefix and one tag, nothing
//! else. No time is signed. Identity is what the configured pointers name inside the signed body, else the body.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::HeaderMap;
use jiff::Timestamp;

use super::json::{self, Json};
use super::keys::Keys;
use super::{Interpretation, Kind, Rejection, UNKNOWN_TYPE, Verified, headers, named_type, plain_or_ignored};
use crate::config::{Encoding, HmacScheme, Source};
use crate::digest::Algorithm;
use crate::model::{Code, Identity, Part};

pub(super) fn verify(
    scheme: &HmacScheme,
    keys: &Keys,
    headers: &HeaderMap,
    body: &[u8],
    received: Timestamp,
) -> Result<Verified, Rejection> {
    let value = headers::one(headers, &scheme.header)?;
    let text = value.strip_prefix(&scheme.prefix).ok_or(Rejection::Malformed)?;
    let tag = decode(scheme.encoding, text).ok_or(Rejection::Malformed)?;
    let (name, bytes) = match scheme.algorithm {
        Algorithm::Sha256 => ("hmac-sha256", 32),
        Algorithm::Sha512 => ("hmac-sha512", 64),
    };
    if tag.len() != bytes {
        return Err(Rejection::Malformed);
    }
    let secret = keys.matching(&[body], &[tag], received).ok_or(Rejection::Mismatch)?;
    Ok(Verified::by(name, secret, None))
}

fn decode(encoding: Encoding, text: &str) -> Option<Vec<u8>> {
    match encoding {
        Encoding::Hex => hex::decode(text).ok(),
        Encoding::Base64 => STANDARD.decode(text).ok(),
    }
}

/// One configured part. Text and numbers as signed, booleans as such; everything else, and empty text, is missing:
/// such a part would make one event of many.
enum Value {
    Text(String),
    Flag(bool),
}

fn read(body: &Json<'_>, pointer: &str) -> Option<Value> {
    match body.pointer(pointer)? {
        Json::Bool(flag) => Some(Value::Flag(*flag)),
        other => other.scalar().map(Value::Text),
    }
}

/// The values in their configured order.
fn identify(realm: &str, values: &[Value]) -> Identity {
    let part = |value| match value {
        &Value::Flag(flag) => Part::Flag(flag),
        Value::Text(text) => Part::Text(text),
    };
    Identity::derive("hmac", realm, "event", &values.iter().map(part).collect::<Vec<_>>())
}

pub(super) fn interpret(source: &Source, scheme: &HmacScheme, body: &[u8]) -> Interpretation {
    let of_body = |event_type: &str, kind| Interpretation::of_body(source, event_type, body, kind);
    let event = match json::parse(body) {
        Ok(event) => event,
        Err(fault) => return of_body(UNKNOWN_TYPE, Kind::Ended(fault.code())),
    };
    let event_type = named_type(&event);
    if scheme.identity.is_empty() {
        return of_body(&event_type, plain_or_ignored(source, &event_type));
    }
    let Some(values) = scheme.identity.iter().map(|pointer| read(&event, pointer)).collect::<Option<Vec<_>>>() else {
        return of_body(&event_type, Kind::Ended(Code::IdentityIncomplete));
    };
    let kind = plain_or_ignored(source, &event_type);
    let provider_event_id = match values.as_slice() {
        [Value::Text(id)] => Some(id.clone()),
        _ => None,
    };
    Interpretation { provider_event_id, ..Interpretation::new(identify(&source.realm, &values), &event_type, kind) }
}

#[cfg(test)]
mod tests;
