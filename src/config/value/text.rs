//! Names, paths and other texts with a grammar.

use std::path::PathBuf;

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use crate::config::print::refused;
use crate::config::read::{Reader, Text, Value};
use crate::config::reference::Hidden;
use crate::config::shape::Shape;
use crate::config::tree::{Item, Node};

/// Longest name, bytes.
const NAME_MAX: usize = 64;

/// Longest free text and path, bytes.
const TEXT_MAX: usize = 256;

macro_rules! text {
    ($($(#[$doc:meta])* $name:ident, $expected:literal, $example:literal, $parse:expr;)+) => { $(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub(in crate::config) struct $name(pub(in crate::config) String);

        impl Text for $name {
            fn expected() -> String {
                $expected.to_owned()
            }

            fn example() -> &'static str {
                $example
            }

            fn parse(text: &str) -> Result<Self, String> {
                let check: fn(&str) -> Result<(), String> = $parse;
                check(text).map(|()| Self(text.to_owned()))
            }
        }
    )+ };
}

text! {
    /// A name that appears in metrics, records and paths.
    Name, "a name of 1 to 64 of a-z, 0-9 and -", "\"stripe-eu\"", name;

    /// Any visible text.
    Label, "a text of 1 to 256 visible characters", "\"text\"", visible;

    /// Path of a URL.
    UrlPath, "a path that begins with /, of letters, digits and -._~/", "\"/webhooks/stripe\"", |text| {
        visible(text)?;
        if !text.starts_with('/') {
            return Err("it does not begin with /".to_owned());
        }
        if text.split('/').any(|part| part == "." || part == "..") || text.contains("//") {
            return Err("it has an empty, . or .. part".to_owned());
        }
        if text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte)) {
            Ok(())
        } else {
            Err("it has other characters".to_owned())
        }
    };

    /// A header's name, in any case.
    HeaderName, "the name of a header", "\"X-Signature\"", |text| {
        hyper::header::HeaderName::from_bytes(text.as_bytes())
            .map(|_| ())
            .map_err(|_| "it has characters that no header name has".to_owned())
    };

    /// JSON pointer (RFC 6901).
    Pointer, "a JSON pointer (RFC 6901) into the signed body", "\"/data/id\"", |text| {
        visible(text)?;
        let escaped = text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
        match (text.starts_with('/'), escaped) {
            (true, true) => Ok(()),
            (false, _) => Err("it does not begin with /".to_owned()),
            (true, false) => Err("~ is not followed by 0 or 1".to_owned()),
        }
    };

    /// An event type, or its beginning and `*`.
    Pattern, "an event type, or the beginning of some and *", "\"payment.*\"", |text| {
        visible(text)?;
        match text.find('*') {
            Some(at) if at + 1 < text.len() => Err("* stands only at the end".to_owned()),
            _ => Ok(()),
        }
    };

    /// A filter of `tracing`.
    LogFilter, "a level (error, warn, info, debug, trace), or a tracing filter", "\"info\"", |text| {
        visible(text)?;
        tracing_subscriber::EnvFilter::builder().parse(text).map(|_| ()).map_err(|error| error.to_string())
    };
}

/// Checks a name.
pub(in crate::config) fn name(text: &str) -> Result<(), String> {
    if text.is_empty() || NAME_MAX < text.len() {
        return Err(format!("it has {} characters", text.len()));
    }
    match text.chars().find(|c| !(c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '-')) {
        Some(other) => Err(format!("it has {other:?}")),
        None => Ok(()),
    }
}

fn visible(text: &str) -> Result<(), String> {
    if text.trim().is_empty() {
        return Err("it is blank".to_owned());
    }
    if TEXT_MAX < text.len() {
        return Err(format!("it has {} bytes", text.len()));
    }
    if text.chars().any(char::is_control) { Err("it has control characters".to_owned()) } else { Ok(()) }
}

/// A folder or file of this machine; relative ones start from the working directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::config) struct Folder(pub(in crate::config) PathBuf);

impl Text for Folder {
    fn expected() -> String {
        "a path on this machine (relative ones start from the working directory)".to_owned()
    }

    fn example() -> &'static str {
        "\"/var/lib/tollgate\""
    }

    fn parse(text: &str) -> Result<Self, String> {
        visible(text).map(|()| Self(PathBuf::from(text)))
    }
}

/// A moment: RFC 3339 as text, or TOML's own date-time with offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::config) struct Instant(pub(in crate::config) Timestamp);

impl Value for Instant {
    fn shape() -> Shape {
        let schema: Json =
            json!({"type": "string", "format": "date-time", "description": "a time with offset (RFC 3339)"});
        Shape::Text(schema)
    }

    fn read(node: &Node, key: &str, reader: &mut Reader<'_>) -> Option<Self> {
        let (expected, example) = ("a time with offset (RFC 3339)", "\"2027-01-31T00:00:00Z\"");
        let mut hidden = Hidden::No;
        let text = match &node.item {
            Item::Time(text) => {
                reader.seen(key, node);
                text.clone()
            }
            _ => {
                let resolved = reader.text(node, key, expected, example)?;
                hidden = resolved.hidden;
                resolved.text
            }
        };
        if let Ok(moment) = text.parse::<Timestamp>() {
            reader.shows(key, format!("\"{moment}\""), &node.origin);
            return Some(Self(moment));
        }
        let found = if hidden == Hidden::No { refused(&text) } else { "the value of a reference".to_owned() };
        let message = format!("expected {expected}; found {found}: day, time and offset are needed");
        reader.problem(key, message, format!("write it like {example}"));
        None
    }
}
