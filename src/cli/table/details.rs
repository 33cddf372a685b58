//! One thing in full, for people: fields in a column, lists of things as tables below.

use serde_json::{Map, Value};

use super::{cell, columns_of, text as plain};

/// Columns of a nested table beyond which only `wide` shows them as JSON.
const CELL_CHARS_MAX: usize = 80;

/// Everything about a thing.
pub(super) fn text(item: &Value, wide: bool) -> String {
    let mut out = String::new();
    match item {
        Value::Object(fields) => object(fields, "", wide, &mut out),
        other => out.push_str(&format!("{}\n", cell("", Some(other)))),
    }
    out
}

/// Simple fields first, aligned; then what is nested, under its name.
fn object(fields: &Map<String, Value>, indent: &str, wide: bool, out: &mut String) {
    let simple = |value: &Value| match value {
        Value::Array(items) => items.iter().all(|item| !item.is_object()),
        Value::Object(fields) => fields.is_empty(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    };
    let width =
        fields.iter().filter(|(_, value)| simple(value)).map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    for (name, value) in fields.iter().filter(|(_, value)| simple(value)) {
        let shown = match value {
            Value::Array(items) => items.iter().map(|item| cell("", Some(item))).collect::<Vec<_>>().join(", "),
            Value::Null => "-".to_owned(),
            Value::Object(_) => "-".to_owned(),
            Value::Bool(_) | Value::Number(_) | Value::String(_) => cell(name, Some(value)),
        };
        let shown = if shown.is_empty() { "-".to_owned() } else { shown };
        out.push_str(&format!("{indent}{name:width$}  {shown}\n"));
    }
    for (name, value) in fields.iter().filter(|(_, value)| !simple(value)) {
        out.push_str(&format!("{indent}{name}\n"));
        let deeper = format!("{indent}  ");
        match value {
            Value::Array(items) => things(items, &deeper, wide, out),
            Value::Object(fields) => object(fields, &deeper, wide, out),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
}

/// A list of things as a table of their fields.
fn things(items: &[Value], indent: &str, wide: bool, out: &mut String) {
    let mut names: Vec<&String> = Vec::new();
    for fields in items.iter().filter_map(Value::as_object) {
        for (name, value) in fields {
            if !names.contains(&name) && !value.is_null() {
                names.push(name);
            }
        }
    }
    let row = |item: &Value| names.iter().map(|name| short(name, item.get(name.as_str()), wide)).collect::<Vec<_>>();
    let table = columns_of(names.iter().map(|name| name.to_uppercase()).collect(), items.iter().map(row));
    for line in table.lines() {
        out.push_str(&format!("{indent}{line}\n"));
    }
}

/// A cell that does not push the table off the screen, unless asked for.
fn short(name: &str, value: Option<&Value>, wide: bool) -> String {
    let shown = cell(name, value).replace('\n', " ");
    if wide || plain(value).chars().count() <= CELL_CHARS_MAX {
        return shown;
    }
    let start: String = shown.chars().take(CELL_CHARS_MAX).collect();
    format!("{start}…")
}
