//! Reading one header, and only one: a scheme's header that comes twice is nobody's to choose from.

use bytes::Bytes;
use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};

use super::Rejection;

/// Longest header of a signature scheme, bytes. Stripe's is about 80 a live secret.
const MAX_BYTES: usize = 8 * 1024;

/// The header's text: present once, not empty, visible ASCII, of bounded length.
pub(super) fn one<'h>(headers: &'h HeaderMap, name: &str) -> Result<&'h str, Rejection> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().ok_or(Rejection::Missing)?;
    if values.next().is_some() || value.len() > MAX_BYTES {
        return Err(Rejection::Malformed);
    }
    let text = value.to_str().map_err(|_| Rejection::Malformed)?;
    if text.trim().is_empty() { Err(Rejection::Missing) } else { Ok(text) }
}

/// Stored headers as they were parsed when they arrived, for another look at a signature. None when one is no header:
/// what cannot be read as it was is not judged.
#[must_use]
pub fn header_map(stored: &[(Bytes, Bytes)]) -> Option<HeaderMap> {
    let mut headers = HeaderMap::with_capacity(stored.len());
    // `:authority` is HTTP/2's way to say host, and no header.
    for (name, value) in stored.iter().filter(|(name, _)| !name.starts_with(b":")) {
        headers.append(HeaderName::from_bytes(name).ok()?, HeaderValue::from_bytes(value).ok()?);
    }
    Some(headers)
}

/// Every value of a header as it was stored, whatever the case of its name.
pub(super) fn all<'h>(headers: &'h [(Bytes, Bytes)], name: &str) -> impl Iterator<Item = &'h [u8]> {
    headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| value.as_ref())
}

/// The text of a header that is stored exactly once.
pub(super) fn stored<'h>(headers: &'h [(Bytes, Bytes)], name: &'static str) -> Option<&'h str> {
    let mut values = all(headers, name);
    let value = values.next()?;
    if values.next().is_some() { None } else { std::str::from_utf8(value).ok() }
}
