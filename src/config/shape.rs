//! What each key takes, as data: from it come unknown-key messages, environment overrides and the JSON Schema.

use serde_json::{Map, Value as Json, json};

/// The shape of a value.
#[derive(Clone, Debug)]
pub(super) enum Shape {
    /// A text; the schema says which.
    Text(Json),
    /// A number or true/false; the schema says which.
    Scalar(Json),
    /// A list of one shape.
    List(Box<Shape>),
    /// A table with names of the user's choice.
    Names(Box<Shape>),
    /// A table with known keys.
    Table(Vec<Field>),
    /// A text, or a table with known keys.
    Either(Json, Vec<Field>),
}

/// One known key.
#[derive(Clone, Debug)]
pub(super) struct Field {
    /// The key.
    pub(super) key: &'static str,
    /// What it is, with its unit.
    pub(super) about: String,
    /// What it takes.
    pub(super) shape: Shape,
    /// When it may be left out.
    pub(super) presence: Presence,
}

/// What happens when a key is left out.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Presence {
    /// Refused.
    Required,
    /// The documentation says what happens.
    Optional,
    /// This value stands in.
    Default(Json),
}

impl Shape {
    fn schema(&self) -> Json {
        match self {
            Self::Text(schema) | Self::Scalar(schema) => schema.clone(),
            Self::List(of) => json!({"type": "array", "items": of.schema()}),
            Self::Names(of) => json!({"type": "object", "additionalProperties": of.schema()}),
            Self::Table(fields) => table_schema(fields),
            Self::Either(text, fields) => json!({"anyOf": [text, table_schema(fields)]}),
        }
    }
}

/// The JSON Schema (draft 2020-12) of the whole file.
pub(super) fn document(fields: &[Field]) -> Json {
    let mut schema = table_schema(fields);
    if let Json::Object(map) = &mut schema {
        map.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
        map.insert("title".to_owned(), json!("tollgate.toml"));
    }
    schema
}

fn table_schema(fields: &[Field]) -> Json {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for field in fields {
        let mut schema = field.shape.schema();
        if let Json::Object(map) = &mut schema {
            let about = match map.get("description").and_then(Json::as_str) {
                Some(expected) => format!("{} Takes {expected}.", field.about),
                None => field.about.clone(),
            };
            map.insert("description".to_owned(), Json::String(about));
            match &field.presence {
                Presence::Required => required.push(field.key),
                Presence::Optional => {}
                Presence::Default(value) => {
                    map.insert("default".to_owned(), value.clone());
                }
            }
        }
        properties.insert(field.key.to_owned(), schema);
    }
    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
}
