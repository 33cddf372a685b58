//! Numbers and true/false. They stand without quotes; a text is taken only where it is a reference.

use serde_json::json;

use super::{Reader, Value, write_it};
use crate::config::reference::{Hidden, resolve};
use crate::config::shape::Shape;
use crate::config::tree::{Item, Node};

impl Value for bool {
    fn shape() -> Shape {
        Shape::Scalar(json!({"type": "boolean", "description": "true or false"}))
    }

    fn read(node: &Node, key: &str, reader: &mut Reader<'_>) -> Option<Self> {
        reader.seen(key, node);
        let value = match (&node.item, referenced(node, key, reader)?.as_deref()) {
            (Item::Bool(value), _) => *value,
            (_, Some("true")) => true,
            (_, Some("false")) => false,
            (other, _) => {
                let message = format!("expected true or false; found {}", other.kind());
                reader.problem(key, message, write_it(key, "true") + ", without quotes");
                return None;
            }
        };
        reader.shows(key, value.to_string(), &node.origin);
        Some(value)
    }
}

/// A whole number from MIN to MAX.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::config) struct Count<const MIN: u64, const MAX: u64>(pub(in crate::config) u64);

impl<const MIN: u64, const MAX: u64> Value for Count<MIN, MAX> {
    fn shape() -> Shape {
        let expected = format!("a whole number from {MIN} to {MAX}");
        Shape::Scalar(json!({"type": "integer", "minimum": MIN, "maximum": MAX, "description": expected}))
    }

    fn read(node: &Node, key: &str, reader: &mut Reader<'_>) -> Option<Self> {
        reader.seen(key, node);
        let number = match (&node.item, referenced(node, key, reader)?.as_deref()) {
            (Item::Integer(number), _) => u64::try_from(*number).ok(),
            (_, Some(text)) => text.parse().ok(),
            _ => None,
        };
        match number.filter(|number| (MIN..=MAX).contains(number)) {
            Some(number) => {
                reader.shows(key, number.to_string(), &node.origin);
                Some(Self(number))
            }
            None => {
                let message = format!("expected a whole number from {MIN} to {MAX}; found {}", node.item.kind());
                reader.problem(key, message, write_it(key, &MIN.max(1).to_string()) + ", without quotes or unit");
                None
            }
        }
    }
}

/// The text behind a reference where a number or true/false is wanted; `None` when the reference is broken.
fn referenced(node: &Node, key: &str, reader: &mut Reader<'_>) -> Option<Option<String>> {
    let Item::Text(text) = &node.item else { return Some(None) };
    match resolve(text, &node.origin, reader.environment) {
        Ok(resolved) => Some((resolved.hidden == Hidden::Yes).then_some(resolved.text)),
        Err(broken) => {
            reader.problem(key, broken.message, broken.help);
            None
        }
    }
}
