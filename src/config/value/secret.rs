//! Secrets: only by reference, never blank, never shown.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::{Instant, Label};
use crate::config::read::{Reader, Value};
use crate::config::reference::Reference;
use crate::config::secret::Secret;
use crate::config::section::section;
use crate::config::shape::Shape;
use crate::config::tree::{Item, Node};

/// Bytes of a Standard Webhooks key, least and most (specification, "Signature scheme").
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

const EXPECTED: &str = "a reference to a secret, \"file:PATH\" or \"env:NAME\"";

/// A secret behind a reference.
#[derive(Clone)]
pub(in crate::config) struct SecretText {
    /// The secret.
    pub(in crate::config) secret: Secret,
    /// Name for it, from its reference.
    pub(in crate::config) label: String,
}

impl Value for SecretText {
    fn shape() -> Shape {
        Shape::Text(
            json!({"type": "string", "pattern": r"^((file|env):.+|\$\{(file|env):[^}]+\})$", "description": EXPECTED}),
        )
    }

    fn read(node: &Node, key: &str, reader: &mut Reader<'_>) -> Option<Self> {
        reader.seen(key, node);
        let reference = match &node.item {
            Item::Text(text) => Reference::whole(text),
            _ => None,
        };
        let Some(reference) = reference else {
            let found =
                if matches!(node.item, Item::Text(_)) { "the text itself".to_owned() } else { node.item.kind() };
            reader.problem(
                key,
                format!(
                    "expected {EXPECTED}; found {found}: a secret in the configuration ends up in backups and diffs"
                ),
                "put it into a file only this user can read and write \"file:/run/secrets/NAME\", or \"env:NAME\"",
            );
            return None;
        };
        let resolved = reader.text(node, key, EXPECTED, "\"file:/run/secrets/NAME\"")?;
        if resolved.text.trim().is_empty() {
            let message = format!("expected a secret behind {}; found nothing but blanks", reference.written());
            reader.problem(key, message, "fill the file or variable; `tollgate secret generate` makes a new key");
            return None;
        }
        reader.shows(key, format!("(secret from {})", reference.written()), &node.origin);
        Some(Self { secret: Secret::new(resolved.text), label: reference.label() })
    }
}

/// A key of the Standard Webhooks form, `whsec_` and base64 of 24 to 64 bytes.
#[derive(Clone)]
pub(in crate::config) struct SigningKey(pub(in crate::config) Secret);

impl Value for SigningKey {
    fn shape() -> Shape {
        SecretText::shape()
    }

    fn read(node: &Node, key: &str, reader: &mut Reader<'_>) -> Option<Self> {
        let text = SecretText::read(node, key, reader)?;
        check_signing_key(&text.secret, key, reader);
        Some(Self(text.secret))
    }
}

/// Notes when a secret has not the form of a Standard Webhooks key.
pub(in crate::config) fn check_signing_key(secret: &Secret, key: &str, reader: &mut Reader<'_>) {
    let why = match secret.expose().strip_prefix("whsec_").map(|text| STANDARD.decode(text)) {
        None => "it does not begin with whsec_".to_owned(),
        Some(Err(_)) => "what follows whsec_ is not base64 with padding".to_owned(),
        Some(Ok(bytes)) if KEY_BYTES.contains(&bytes.len()) => return,
        Some(Ok(bytes)) => format!("it holds {} bytes", bytes.len()),
    };
    reader.problem(
        key,
        format!("expected a key of the form whsec_ and base64 of 24 to 64 bytes behind the reference; {why}"),
        "make one with `tollgate secret generate` and give it to the other side too",
    );
}

section! {
    /// A secret with a name and an end.
    struct SecretEntry {
        /// The secret: "file:PATH" or "env:NAME".
        reference: required SecretText;
        /// Shown in records and metrics instead of the secret. Without it, the name of the file or variable.
        name: optional Label;
        /// No longer accepted after this moment.
        not_after: optional Instant;
    }
}

/// `"file:…"`, or `{ref, name, not_after}`.
#[derive(Clone)]
pub(in crate::config) struct Entry {
    /// Full path of the secret itself.
    pub(in crate::config) key: String,
    /// The secret.
    pub(in crate::config) secret: SecretText,
    /// Given name.
    pub(in crate::config) name: Option<String>,
    /// Its end.
    pub(in crate::config) not_after: Option<Instant>,
}

impl Value for Entry {
    fn shape() -> Shape {
        match SecretText::shape() {
            Shape::Text(schema) => Shape::Either(schema, SecretEntry::fields()),
            other => other,
        }
    }

    fn read(node: &Node, key: &str, reader: &mut Reader<'_>) -> Option<Self> {
        if matches!(node.item, Item::Table(_)) {
            let entry = SecretEntry::read(node, key, reader)?;
            let key = format!("{key}.ref");
            return Some(Self {
                key,
                secret: entry.reference?,
                name: entry.name.map(|name| name.0),
                not_after: entry.not_after,
            });
        }
        Some(Self { key: key.to_owned(), secret: SecretText::read(node, key, reader)?, name: None, not_after: None })
    }
}
