//! TOML as a tree in which every value knows where it was written, and how a later tree is laid over an earlier one.
//!
//! Why not `toml::Value`: it forgets lines and files, and messages must name them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::problem::{Origin, Problem};

/// A value and where it was written.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub(super) item: Item,
    pub(super) origin: Origin,
}

/// A TOML value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Item {
    Text(String),
    Integer(i64),
    /// A number that no key takes, as written.
    Number(String),
    Bool(bool),
    /// A date or time, as written.
    Time(String),
    List(Vec<Node>),
    Table(Table),
}

/// Keys and their values.
pub(super) type Table = BTreeMap<String, Node>;

impl Item {
    /// What it is, for "found …". Tells nothing of a text: it may be secret.
    pub(super) fn kind(&self) -> String {
        match self {
            Self::Text(_) => "a text".to_owned(),
            Self::Integer(number) => format!("the number {number}"),
            Self::Number(number) => format!("the number {number}"),
            Self::Bool(value) => format!("{value}"),
            Self::Time(time) => format!("the time {time}"),
            Self::List(_) => "a list".to_owned(),
            Self::Table(_) => "a table".to_owned(),
        }
    }
}

impl Node {
    /// An empty table that nobody wrote.
    pub(super) fn empty() -> Self {
        Self { item: Item::Table(Table::new()), origin: Origin::Default }
    }

    /// The `name` inside a table, which tells list entries apart.
    pub(super) fn name(&self) -> Option<&str> {
        match &self.item {
            Item::Table(table) => match &table.get("name")?.item {
                Item::Text(name) => Some(name),
                _ => None,
            },
            _ => None,
        }
    }

    /// Lays `over` on top: tables key by key, the list `sources` by name, everything else replaced whole.
    pub(super) fn lay(&mut self, over: Self) {
        match (&mut self.item, over) {
            (Item::Table(below), Self { item: Item::Table(above), .. }) => {
                for (key, node) in above {
                    match below.get_mut(&key) {
                        Some(old) if key == "sources" => old.lay_by_name(node),
                        Some(old) => old.lay(node),
                        None => {
                            below.insert(key, node);
                        }
                    }
                }
            }
            (_, over) => *self = over,
        }
    }

    fn lay_by_name(&mut self, over: Self) {
        match (&mut self.item, over) {
            (Item::List(below), Self { item: Item::List(above), .. }) => {
                // Only earlier entries are looked at: two of one name in one file are left for the check to refuse.
                let earlier = below.len();
                for node in above {
                    let found =
                        below.iter_mut().take(earlier).find(|old| old.name().is_some() && old.name() == node.name());
                    match found {
                        Some(old) => old.lay(node),
                        None => below.push(node),
                    }
                }
            }
            (_, over) => *self = over,
        }
    }

    /// Without origins, for a reader of its own.
    pub(super) fn plain(&self) -> toml::Value {
        match &self.item {
            Item::Text(text) | Item::Number(text) | Item::Time(text) => toml::Value::String(text.clone()),
            Item::Integer(number) => toml::Value::Integer(*number),
            Item::Bool(value) => toml::Value::Boolean(*value),
            Item::List(list) => toml::Value::Array(list.iter().map(Self::plain).collect()),
            Item::Table(table) => {
                toml::Value::Table(table.iter().map(|(key, node)| (key.clone(), node.plain())).collect())
            }
        }
    }
}

/// Reads a file's text; what could be read comes back even beside errors.
pub(super) fn parse_file(path: &Path, text: &str, problems: &mut Vec<Problem>) -> Node {
    let path: Arc<Path> = Arc::from(path);
    let origin = |at: usize| Origin::File { path: Arc::clone(&path), line: line_of(text, at) };
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut told = None;
    for error in errors {
        let origin = origin(error.span().map_or(0, |span| span.start));
        // One slip makes several messages; the first of a line says it.
        if told.as_ref() == Some(&origin) {
            continue;
        }
        told = Some(origin.clone());
        problems.push(Problem {
            key: path.display().to_string(),
            origin,
            message: format!("expected TOML; {}", error.message()),
            help: "texts stand in double quotes, tables begin with [name], entries of a list of tables with [[name]]"
                .to_owned(),
        });
    }
    convert_table(table.get_ref(), &origin, table.span().start)
}

/// Reads one TOML value, such as `["a", "b"]`, written in an environment variable.
pub(super) fn parse_value(origin: &Origin, text: &str) -> Option<Node> {
    let value = DeValue::parse(text).ok()?;
    Some(convert(value.get_ref(), &|_| origin.clone(), 0))
}

fn convert_table(table: &DeTable<'_>, origin: &dyn Fn(usize) -> Origin, at: usize) -> Node {
    let entries = table
        .iter()
        .map(|(key, value)| (key.get_ref().clone().into_owned(), convert(value.get_ref(), origin, key.span().start)));
    Node { item: Item::Table(entries.collect()), origin: origin(at) }
}

fn convert(value: &DeValue<'_>, origin: &dyn Fn(usize) -> Origin, at: usize) -> Node {
    let item = match value {
        DeValue::Table(table) => return convert_table(table, origin, at),
        DeValue::String(text) => Item::Text(text.clone().into_owned()),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(integer) => Item::Integer(integer),
            Err(_) => Item::Number(number.to_string()),
        },
        DeValue::Float(number) => Item::Number(number.to_string()),
        DeValue::Boolean(value) => Item::Bool(*value),
        DeValue::Datetime(time) => Item::Time(time.to_string()),
        DeValue::Array(list) => {
            Item::List(list.iter().map(|value| convert(value.get_ref(), origin, value.span().start)).collect())
        }
    };
    Node { item, origin: origin(at) }
}

fn line_of(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count()
}
