//! Reading one header, and only one: a scheme's header that comes twice is nobody's to choose from.

use bytes::Bytes;
use hyper::HeaderMap;

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
