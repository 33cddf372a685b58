//! Strict reading of signed JSON.
//!
//! Two parsers must never see two different payments in one body: a key that comes twice at any level makes the
//! whole body ambiguous, numbers stay the text that was signed, and depth is bounded. What is not asked for is not
//! judged: unknown fields are ignored, and a string is decoded only when it is read.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::model::Code;

/// Deepest nesting. Real events stay below ten; each level is scanned once more, so this also bounds the work.
pub const MAX_DEPTH: usize = 64;

/// Longest id, type or name that is read from a body, bytes. Longer ones count as malformed.
pub const MAX_FIELD_BYTES: usize = 256;

/// Why a body cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Not UTF-8, not JSON, or JSON behind a byte order mark (RFC 8259 section 8.1 forbids sending one).
    #[error("the body is not UTF-8 JSON")]
    NotJson,
    /// A key twice in one object.
    #[error("an object of the body has the same key twice")]
    Ambiguous,
    /// Deeper than [`MAX_DEPTH`].
    #[error("the body nests deeper than {MAX_DEPTH} levels")]
    TooDeep,
}

impl Fault {
    /// The event's outcome.
    #[must_use]
    pub const fn code(self) -> Code {
        match self {
            Self::NotJson => Code::NotJson,
            Self::Ambiguous => Code::AmbiguousJson,
            Self::TooDeep => Code::Uninterpretable,
        }
    }
}

/// A JSON value whose scalars are still the signed text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Json<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number as written.
    Number(&'a str),
    /// A string as written, with its quotes and escapes.
    Quoted(&'a str),
    /// An array.
    List(Vec<Json<'a>>),
    /// An object; its keys are decoded and differ.
    Object(BTreeMap<String, Json<'a>>),
}

/// Reads a whole body.
///
/// # Errors
/// The [`Fault`] that makes it unreadable; a syntax error anywhere wins over the others.
pub fn parse(body: &[u8]) -> Result<Json<'_>, Fault> {
    let text = std::str::from_utf8(body).map_err(|_| Fault::NotJson)?;
    let raw: &RawValue = serde_json::from_str(text).map_err(|_| Fault::NotJson)?;
    value(raw, 0)
}

/// `raw` is valid JSON of one value already; only keys with lone surrogates can still be no text.
fn value(raw: &RawValue, depth: usize) -> Result<Json<'_>, Fault> {
    let text = raw.get();
    match text.as_bytes().first() {
        Some(b'{') => {
            let inner = below(depth)?;
            let Members(members) = serde_json::from_str(text).map_err(|_| Fault::NotJson)?;
            let mut object = BTreeMap::new();
            for (key, member) in members {
                if object.insert(key, value(member, inner)?).is_some() {
                    return Err(Fault::Ambiguous);
                }
            }
            Ok(Json::Object(object))
        }
        Some(b'[') => {
            let inner = below(depth)?;
            let items: Vec<&RawValue> = serde_json::from_str(text).map_err(|_| Fault::NotJson)?;
            items.into_iter().map(|item| value(item, inner)).collect::<Result<_, _>>().map(Json::List)
        }
        Some(b'"') => Ok(Json::Quoted(text)),
        Some(b't') => Ok(Json::Bool(true)),
        Some(b'f') => Ok(Json::Bool(false)),
        Some(b'n') => Ok(Json::Null),
        _ => Ok(Json::Number(text)),
    }
}

fn below(depth: usize) -> Result<usize, Fault> {
    if depth < MAX_DEPTH { Ok(depth.saturating_add(1)) } else { Err(Fault::TooDeep) }
}

/// An object's members in order, duplicates included.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;

        impl<'de> Visitor<'de> for Collect {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Collect)
    }
}

impl<'a> Json<'a> {
    /// A member of an object; `None` for any other value.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Json<'a>> {
        match self {
            Self::Object(members) => members.get(key),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Quoted(_) | Self::List(_) => None,
        }
    }

    /// What an RFC 6901 pointer names.
    #[must_use]
    pub fn pointer(&self, pointer: &str) -> Option<&Json<'a>> {
        if pointer.is_empty() {
            return Some(self);
        }
        pointer.strip_prefix('/')?.split('/').try_fold(self, |at, token| match at {
            Self::Object(members) => members.get(&token.replace("~1", "/").replace("~0", "~")),
            Self::List(items) if token == "0" || !token.starts_with(['0', '+']) => {
                items.get(token.parse::<usize>().ok()?)
            }
            Self::List(_) | Self::Null | Self::Bool(_) | Self::Number(_) | Self::Quoted(_) => None,
        })
    }

    /// A string, decoded. `None` for any other value, and for escapes that are no text (lone surrogates).
    #[must_use]
    pub fn text(&self) -> Option<String> {
        match self {
            Self::Quoted(text) => serde_json::from_str(text).ok(),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::List(_) | Self::Object(_) => None,
        }
    }

    /// A string that can be an id, a type or a name: not empty, at most [`MAX_FIELD_BYTES`], no control characters.
    #[must_use]
    pub fn name(&self) -> Option<String> {
        self.text()
            .filter(|text| !text.is_empty() && text.len() <= MAX_FIELD_BYTES && !text.chars().any(char::is_control))
    }

    /// A [`Json::name`], or a number as it was written: ids and amounts come as either.
    #[must_use]
    pub fn scalar(&self) -> Option<String> {
        match self {
            Self::Number(text) if text.len() <= MAX_FIELD_BYTES => Some((*text).to_owned()),
            other => other.name(),
        }
    }

    /// The [`Json::name`] of a member.
    #[must_use]
    pub fn field(&self, key: &str) -> Option<String> {
        self.get(key)?.name()
    }
}

#[cfg(test)]
mod tests;
