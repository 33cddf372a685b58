//! The forms of a body that a sender may have signed before something between rewrote it.
//!
//! JSON is restyled token by token: numbers, strings and, where not sorted, the order of keys stay what they were.

use std::borrow::Cow;

use crate::provider::json::{self, Json};

/// Largest rewritten body: pretty printing can blow one up.
const CHANGED_BYTES_MAX: usize = 1024 * 1024;
const MARK: &[u8] = b"\xef\xbb\xbf";

/// A form, and how it differs from what came.
pub(super) struct Change {
    /// What the sender signed, as the end of a sentence about the body that came.
    pub(super) what: &'static str,
    how: How,
}

enum How {
    Bytes(fn(&[u8]) -> Vec<u8>),
    Styled(Style),
    Sorted(Style),
}

/// How JSON is written.
#[derive(Clone, Copy)]
struct Style {
    /// Each member on a line of its own, indented by this a level.
    indent: Option<&'static str>,
    comma: &'static str,
    colon: &'static str,
    strings: Strings,
}

#[derive(Clone, Copy)]
enum Strings {
    AsTheyAre,
    /// Everything outside ASCII escaped.
    Ascii,
    /// The same, and slashes escaped.
    AsciiAndSlashes,
    /// Escaped only where it must be.
    Plain,
}

const COMPACT: Style = Style { indent: None, comma: ",", colon: ":", strings: Strings::AsTheyAre };
const SPACED: Style = Style { comma: ", ", colon: ": ", ..COMPACT };

const fn pretty(indent: &'static str) -> Style {
    Style { indent: Some(indent), colon: ": ", ..COMPACT }
}

const fn change(what: &'static str, how: How) -> Change {
    Change { what, how }
}

/// All forms, the likeliest first.
pub(super) const CHANGES: &[Change] = &[
    change("as compact JSON", How::Styled(COMPACT)),
    change("without the line break at its end", How::Bytes(without_line_break)),
    change("with a line feed at its end", How::Bytes(|body| [body, b"\n"].concat())),
    change("with CR LF at its end", How::Bytes(|body| [body, b"\r\n"].concat())),
    change("without blanks around it", How::Bytes(|body| body.trim_ascii().to_vec())),
    change("without its byte order mark", How::Bytes(|body| body.strip_prefix(MARK).unwrap_or(body).to_vec())),
    change("behind a byte order mark", How::Bytes(|body| [MARK, body].concat())),
    change("with LF in place of CR LF", How::Bytes(line_feeds)),
    change("with CR LF in place of LF", How::Bytes(carriage_returns)),
    change("as JSON with a blank after commas and colons", How::Styled(SPACED)),
    change("as JSON indented by two blanks", How::Styled(pretty("  "))),
    change("as JSON indented by four blanks", How::Styled(pretty("    "))),
    change("as JSON indented by tabs", How::Styled(pretty("\t"))),
    change("as compact JSON, escaped only where needed", How::Styled(Style { strings: Strings::Plain, ..COMPACT })),
    change("as compact JSON escaped to ASCII", How::Styled(Style { strings: Strings::Ascii, ..COMPACT })),
    change(
        "as JSON with a blank after commas and colons, escaped to ASCII",
        How::Styled(Style { strings: Strings::Ascii, ..SPACED }),
    ),
    change(
        "as compact JSON escaped to ASCII, slashes too",
        How::Styled(Style { strings: Strings::AsciiAndSlashes, ..COMPACT }),
    ),
    change("as compact JSON with sorted keys", How::Sorted(COMPACT)),
    change("as JSON with sorted keys and a blank after commas and colons", How::Sorted(SPACED)),
    change("as JSON with sorted keys, indented by two blanks", How::Sorted(pretty("  "))),
    change("as JSON with sorted keys, indented by four blanks", How::Sorted(pretty("    "))),
];

/// A body and, if it is JSON, what it says.
pub(super) struct Bodies<'a> {
    body: &'a [u8],
    json: Option<Parsed<'a>>,
}

struct Parsed<'a> {
    text: &'a str,
    value: Json<'a>,
}

impl<'a> Bodies<'a> {
    pub(super) fn of(body: &'a [u8]) -> Self {
        let text = std::str::from_utf8(body.strip_prefix(MARK).unwrap_or(body)).ok();
        let json = text.and_then(|text| Some(Parsed { text, value: json::parse(text.as_bytes()).ok()? }));
        Self { body, json }
    }

    /// None where the form is what came, or cannot be made.
    pub(super) fn changed(&self, change: &Change) -> Option<Vec<u8>> {
        let changed = match change.how {
            How::Bytes(how) => how(self.body),
            How::Styled(style) => styled(self.json.as_ref()?.text, style)?,
            How::Sorted(style) => {
                let mut sorted = String::new();
                write_sorted(&self.json.as_ref()?.value, &mut sorted);
                styled(&sorted, style)?
            }
        };
        (changed != self.body && changed.len() <= CHANGED_BYTES_MAX).then_some(changed)
    }
}

fn without_line_break(body: &[u8]) -> Vec<u8> {
    let body = body.strip_suffix(b"\n").unwrap_or(body);
    body.strip_suffix(b"\r").unwrap_or(body).to_vec()
}

fn line_feeds(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len());
    for (position, byte) in body.iter().enumerate() {
        if *byte != b'\r' || body.get(position.saturating_add(1)) != Some(&b'\n') {
            out.push(*byte);
        }
    }
    out
}

fn carriage_returns(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len());
    for byte in line_feeds(body) {
        if byte == b'\n' {
            out.push(b'\r');
        }
        out.push(byte);
    }
    out
}

/// Compact, keys in order. Depth is bounded by the parser.
fn write_sorted(value: &Json<'_>, out: &mut String) {
    match value {
        Json::Null => out.push_str("null"),
        Json::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Json::Number(text) | Json::Quoted(text) => out.push_str(text),
        Json::List(items) => {
            out.push('[');
            for (position, item) in items.iter().enumerate() {
                if 0 < position {
                    out.push(',');
                }
                write_sorted(item, out);
            }
            out.push(']');
        }
        Json::Object(members) => {
            out.push('{');
            for (position, (key, member)) in members.iter().enumerate() {
                if 0 < position {
                    out.push(',');
                }
                out.push_str(&serde_json::Value::from(key.as_str()).to_string());
                out.push(':');
                write_sorted(member, out);
            }
            out.push('}');
        }
    }
}

/// Valid JSON in another style; none when it grows too large.
fn styled(text: &str, style: Style) -> Option<Vec<u8>> {
    let mut writer = Writer { style, depth: 0, out: String::with_capacity(text.len()) };
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' => string_bytes(rest)?,
            '{' | '[' | '}' | ']' | ',' | ':' | ' ' | '\t' | '\r' | '\n' => 1,
            _ => rest.find([',', ']', '}', ' ', '\t', '\r', '\n']).unwrap_or(rest.len()),
        };
        let (token, after) = rest.split_at_checked(length)?;
        let closes = after.trim_start().starts_with(['}', ']']);
        writer.token(token, closes);
        if CHANGED_BYTES_MAX < writer.out.len() {
            return None;
        }
        rest = after;
    }
    Some(writer.out.into_bytes())
}

/// Bytes of the string that begins here, quotes included.
fn string_bytes(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '"' if !escaped => return at.checked_add(1),
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    None
}

struct Writer {
    style: Style,
    depth: usize,
    out: String,
}

impl Writer {
    /// `closes`: the next token ends the object or list.
    fn token(&mut self, token: &str, closes: bool) {
        match token {
            "{" | "[" => {
                self.out.push_str(token);
                self.depth = self.depth.saturating_add(1);
                if !closes {
                    self.line();
                }
            }
            "}" | "]" => {
                self.depth = self.depth.saturating_sub(1);
                if !self.out.ends_with(['{', '[']) {
                    self.line();
                }
                self.out.push_str(token);
            }
            "," => {
                self.out.push_str(self.style.comma);
                self.line();
            }
            ":" => self.out.push_str(self.style.colon),
            " " | "\t" | "\r" | "\n" => {}
            string if string.starts_with('"') => self.out.push_str(&written(string, self.style.strings)),
            other => self.out.push_str(other),
        }
    }

    fn line(&mut self) {
        if let Some(indent) = self.style.indent {
            self.out.push('\n');
            for _ in 0..self.depth {
                self.out.push_str(indent);
            }
        }
    }
}

fn written(string: &str, strings: Strings) -> Cow<'_, str> {
    let plain = || serde_json::from_str::<String>(string).map(|text| serde_json::Value::from(text).to_string());
    match strings {
        Strings::AsTheyAre => Cow::Borrowed(string),
        Strings::Plain => plain().map_or(Cow::Borrowed(string), Cow::Owned),
        Strings::Ascii => plain().map_or(Cow::Borrowed(string), |text| Cow::Owned(ascii(&text))),
        Strings::AsciiAndSlashes => {
            plain().map_or(Cow::Borrowed(string), |text| Cow::Owned(ascii(&text).replace('/', "\\/")))
        }
    }
}

fn ascii(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii() {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    out
}
