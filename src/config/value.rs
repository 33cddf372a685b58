//! The leaves of the configuration: texts that mean something, each with its range, an example and a message.

mod address;
mod archive;
mod choice;
mod money;
mod pem;
mod quantity;
mod secret;
mod text;

pub(super) use address::{Block, HttpUrl, Listen, WsUrl};
pub(super) use archive::ArchivePlace;
pub(super) use choice::{
    Algorithm, Encoding, Engine, Finality, LogFormat, Message, MinAssurance, ProofMode, ProviderName, Role, Shed,
    TokenClass,
};
pub(super) use money::{Decimal, EvmAddress, Hash};
pub(super) use pem::Certificates;
pub(super) use quantity::{Size, Span, shown, shown_bytes};
pub(super) use secret::{Entry, SecretText, SigningKey, check_signing_key};
pub(super) use text::{Folder, HeaderName, Instant, Label, LogFilter, Name, Pattern, Pointer, UrlPath, name};

use super::shape::Shape;

#[cfg(test)]
mod tests;

/// What to say when a required key is absent.
pub(super) fn missing(shape: &Shape, key: &str) -> (String, String) {
    let expected = match shape {
        Shape::Text(schema) | Shape::Scalar(schema) | Shape::Either(schema, _) => {
            schema.get("description").and_then(serde_json::Value::as_str).unwrap_or("a value").to_owned()
        }
        Shape::List(_) => "a list".to_owned(),
        Shape::Names(_) | Shape::Table(_) => "a table".to_owned(),
    };
    (format!("expected {expected}; found nothing: the key is required"), format!("add the key {key}"))
}
