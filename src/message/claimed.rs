//! The provider's body inside a message: what of it may be spliced in as JSON, and the splice itself.
//!
//! Must never re-encode: a parsed and printed body loses key order, number spelling and duplicate keys, and a backend
//! could no longer compare it with the evidence.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::Claimed;

/// Deepest nesting of a spliced body. The message wraps it twice and must stay readable for parsers that stop at 64
/// levels (.NET's `System.Text.Json` by default; Ruby stops at 100, serde_json at 128).
const NESTING_MAX: usize = 60;

impl Claimed {
    /// Sorts a stored body: JSON that every strict parser reads is spliced in as it is. Anything else (not UTF-8, not
    /// JSON, a byte order mark, lone surrogates, numbers beyond a double, nested too deeply) would make the message
    /// around it unreadable and goes as base64.
    #[must_use]
    pub fn of(body: &[u8]) -> Self {
        match std::str::from_utf8(body) {
            Ok(text) if serde_json::from_str(text).is_ok_and(|value| fits(&value, NESTING_MAX)) => {
                Self::Json(text.to_owned())
            }
            _ => Self::Bytes(body.to_vec()),
        }
    }

    /// Ends the rendering: `open` is the message up to the last field of `data`, both objects still open.
    pub(super) fn splice(&self, mut open: Vec<u8>) -> Vec<u8> {
        match self {
            Self::Json(text) => {
                open.extend_from_slice(b",\"claimed\":");
                open.extend_from_slice(text.as_bytes());
            }
            Self::Bytes(bytes) => {
                open.extend_from_slice(b",\"claimed\":null,\"claimed_base64\":\"");
                open.extend_from_slice(STANDARD.encode(bytes).as_bytes());
                open.push(b'"');
            }
            Self::Erased => open.extend_from_slice(b",\"claimed\":null,\"claimed_erased\":true"),
            Self::Omitted => open.extend_from_slice(b",\"claimed\":null"),
        }
        open.extend_from_slice(b"}}");
        open
    }
}

/// Whether a value nests at most `levels` arrays and objects deep. The parser's own limit bounds the recursion.
fn fits(value: &Value, levels: usize) -> bool {
    let inside = |value: &Value| levels.checked_sub(1).is_some_and(|levels| fits(value, levels));
    match value {
        Value::Array(items) => levels > 0 && items.iter().all(inside),
        Value::Object(fields) => levels > 0 && fields.values().all(inside),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}
