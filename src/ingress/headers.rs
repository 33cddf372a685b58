//! Headers as evidence.
//!
//! hyper gives names in lower case and repeated names side by side. The listener keeps the bytes of an HTTP/1 header
//! section, so evidence has names, order and repetitions as they came; the bytes are believed only where they say the
//! same as the headers that hyper parsed and the signature was checked with. Without them (HTTP/2, where names are
//! lower case by protocol; pipelined requests) the parsed headers are kept: names in lower case, in the order of their
//! first appearance, repeated ones side by side. HTTP/2's `:authority`, which stands for `host`, comes first.

use bytes::{BufMut, Bytes, BytesMut};
use hyper::HeaderMap;
use hyper::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use hyper::http::request::Parts;

pub(super) use crate::net::request_id::{new_id, request_id};

/// Bytes beside name and value that one header line costs: colon, space, CR, LF.
const LINE_EXTRA: usize = 4;

/// The size of request line and header section, as HTTP/1 would write them.
pub(super) fn section_bytes(parts: &Parts) -> usize {
    let uri = &parts.uri;
    let target = uri.path_and_query().map_or(0, |path| path.as_str().len());
    let authority = uri.authority().map_or(0, |authority| authority.as_str().len());
    let line = parts.method.as_str().len().saturating_add(target).saturating_add(authority);
    parts.headers.iter().fold(line, |sum, (name, value)| {
        sum.saturating_add(name.as_str().len()).saturating_add(value.len()).saturating_add(LINE_EXTRA)
    })
}

/// A body framed in two ways: what one hop reads as its end, another may not (RFC 9112 section 6.3). hyper drops the
/// content-length then, so the bytes as they came are asked.
pub(super) fn contradict(parts: &Parts, head: Option<&[u8]>) -> bool {
    parts.headers.contains_key(TRANSFER_ENCODING)
        && head
            .is_some_and(|head| lines(head).any(|line| line.is_some_and(|(name, _)| is(name, CONTENT_LENGTH.as_str()))))
}

fn is(name: &[u8], lower: &str) -> bool {
    name.eq_ignore_ascii_case(lower.as_bytes())
}

/// All headers for the evidence.
pub(super) fn evidence(parts: &Parts, head: Option<&Bytes>) -> Vec<(Bytes, Bytes)> {
    head.and_then(|head| as_sent(head, &parts.headers)).unwrap_or_else(|| parsed(parts))
}

/// Names and values out of the header section, if they are what hyper parsed.
fn as_sent(head: &Bytes, headers: &HeaderMap) -> Option<Vec<(Bytes, Bytes)>> {
    let mut sent = Vec::with_capacity(headers.len());
    let mut lengths = 0_usize;
    for line in lines(head) {
        let (name, value) = line?;
        if !headers.get_all(std::str::from_utf8(name).ok()?).iter().any(|known| known.as_bytes() == value) {
            return None;
        }
        lengths += usize::from(is(name, CONTENT_LENGTH.as_str()));
        sent.push((head.slice_ref(name), head.slice_ref(value)));
    }
    // hyper folds equal content-lengths into one; everything else must be there as often as it was sent.
    let folded = lengths.saturating_sub(1);
    (sent.len() == headers.len().checked_add(folded)?).then_some(sent)
}

/// The header lines of a section; `None` for a line that has no colon.
fn lines(head: &[u8]) -> impl Iterator<Item = Option<(&[u8], &[u8])>> {
    let text = head.strip_suffix(b"\r\n\r\n").unwrap_or(head);
    // Empty lines before the request line are skipped by HTTP.
    let start = text.iter().position(|byte| !matches!(byte, b'\r' | b'\n')).unwrap_or(text.len());
    let text = text.get(start..).unwrap_or_default();
    text.split(|byte| *byte == b'\n').skip(1).map(|line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = line.split_at_checked(colon)?;
        Some((name, value.get(1..)?.trim_ascii()))
    })
}

fn parsed(parts: &Parts) -> Vec<(Bytes, Bytes)> {
    let total = parts.headers.iter().fold(0_usize, |sum, (_, value)| sum.saturating_add(value.len()));
    // One buffer for all values: a few bytes each do not deserve an allocation each.
    let mut values = BytesMut::with_capacity(total);
    let mut headers = Vec::with_capacity(parts.headers.len() + 1);
    if let Some(authority) = parts.uri.authority() {
        headers.push((Bytes::from_static(b":authority"), Bytes::copy_from_slice(authority.as_str().as_bytes())));
    }
    for (name, value) in &parts.headers {
        values.put_slice(value.as_bytes());
        headers.push((Bytes::copy_from_slice(name.as_str().as_bytes()), values.split().freeze()));
    }
    headers
}

/// `HTTP/1.1` or `HTTP/2`.
pub(super) const fn version(parts: &Parts) -> &'static str {
    match parts.version {
        hyper::Version::HTTP_10 => "HTTP/1.0",
        hyper::Version::HTTP_2 => "HTTP/2",
        _ => "HTTP/1.1",
    }
}

/// Path and query as they came.
pub(super) fn target(parts: &Parts) -> String {
    parts.uri.path_and_query().map_or_else(|| parts.uri.to_string(), |target| target.as_str().to_owned())
}

#[cfg(test)]
mod tests;
