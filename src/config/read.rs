//! Reading the tree into typed values: every problem is noted and reading goes on, so that one run shows them all.

mod many;
mod scalar;

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::problem::{Origin, Problem};
use super::reference::{Environment, Hidden, Resolved, resolve};
use super::shape::{Field, Shape};
use super::tree::{Item, Node, Table};

pub(super) use scalar::Count;

/// Something a key can hold.
pub(super) trait Value: Sized {
    /// What it takes.
    fn shape() -> Shape;
    /// Reads it, or notes what is wrong with it.
    fn read(node: &Node, key: &str, reader: &mut Reader<'_>) -> Option<Self>;
}

/// A value written as text.
pub(super) trait Text: Sized {
    /// What it takes, as in "expected …", with the range.
    fn expected() -> String;
    /// A good one, as it stands in TOML.
    fn example() -> &'static str;
    /// From the text; the error says what is wrong, without repeating the text.
    fn parse(text: &str) -> Result<Self, String>;
    /// How the effective value is shown.
    fn show(&self, text: &str) -> String {
        format!("{text:?}")
    }
    /// How a refused text is shown in the message.
    fn found(text: &str) -> String {
        super::print::refused(text)
    }
    /// More of the schema than the sentence.
    fn schema() -> Json {
        json!({"type": "string", "description": Self::expected()})
    }
}

/// One effective value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effective {
    /// Full path of the key.
    pub key: String,
    /// As shown: no secrets, URLs without userinfo, path and query.
    pub value: String,
    /// Where it was written.
    pub origin: Origin,
}

/// What is collected while reading.
pub(super) struct Reader<'a> {
    pub(super) environment: &'a Environment,
    pub(super) problems: Vec<Problem>,
    pub(super) effective: Vec<Effective>,
    origins: BTreeMap<String, Origin>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(environment: &'a Environment) -> Self {
        Self { environment, problems: Vec::new(), effective: Vec::new(), origins: BTreeMap::new() }
    }

    /// Notes a problem; the origin is that of the key, or of the nearest table around it.
    pub(super) fn problem(&mut self, key: &str, message: impl Into<String>, help: impl Into<String>) {
        let mut at = key;
        let origin = loop {
            match (self.origins.get(at), at.rfind(['.', '['])) {
                (Some(origin), _) if *origin != Origin::Default || at == key => break origin.clone(),
                (_, Some(dot)) => at = at.get(..dot).unwrap_or_default(),
                (_, None) => break Origin::Default,
            }
        };
        self.problems.push(Problem { key: key.to_owned(), origin, message: message.into(), help: help.into() });
    }

    /// Remembers where a key was written.
    pub(super) fn seen(&mut self, key: &str, node: &Node) {
        self.origins.insert(key.to_owned(), node.origin.clone());
    }

    /// Notes an effective value for `check --print`.
    pub(super) fn shows(&mut self, key: &str, value: String, origin: &Origin) {
        self.effective.push(Effective { key: key.to_owned(), value, origin: origin.clone() });
    }

    /// Puts a derived value where "(not set)" or an empty list stood, or behind its neighbours.
    pub(super) fn derives(&mut self, key: &str, value: String) {
        if let Some(entry) = self.effective.iter_mut().find(|entry| entry.key == key) {
            entry.value = value;
            return;
        }
        let table = key.rfind('.').and_then(|dot| key.get(..=dot)).unwrap_or_default();
        let neighbour = self.effective.iter().rposition(|entry| entry.key.starts_with(table));
        let entry = Effective { key: key.to_owned(), value, origin: Origin::Default };
        self.effective.insert(neighbour.map_or(self.effective.len(), |at| at + 1), entry);
    }

    /// Whether a key, or a part of it, is shown.
    pub(super) fn is_shown(&self, key: &str) -> bool {
        self.effective.iter().any(|entry| is_at_or_in(&entry.key, key))
    }

    /// Whether a key already has a problem, itself or in a part of it.
    pub(super) fn is_broken(&self, key: &str) -> bool {
        self.problems.iter().any(|problem| is_at_or_in(&problem.key, key))
    }

    /// The entries of a table.
    pub(super) fn table<'n>(&mut self, node: &'n Node, key: &str) -> Option<&'n Table> {
        self.seen(key, node);
        match &node.item {
            Item::Table(table) => Some(table),
            other => {
                let message = format!("expected a table; found {}", other.kind());
                self.problem(key, message, format!("write [{key}] and its keys on lines of their own"));
                None
            }
        }
    }

    /// Refuses keys that are not known, with the nearest that is.
    pub(super) fn refuse_unknown(&mut self, table: &Table, key: &str, fields: &[Field]) {
        let known: Vec<&str> = fields.iter().map(|field| field.key).collect();
        for (name, node) in table.iter().filter(|(name, _)| !known.contains(&name.as_str())) {
            let full = join(key, name);
            self.seen(&full, node);
            let message = format!("expected one of the known keys {}; found {name:?}", known.join(", "));
            let help = match nearest(name, &known) {
                Some(near) => format!("did you mean {:?}? Rename it, or remove it", join(key, near)),
                None => "remove it; tollgate.example.toml explains every key of this version".to_owned(),
            };
            self.problem(&full, message, help);
        }
    }

    /// A text with its references followed.
    pub(super) fn text(&mut self, node: &Node, key: &str, expected: &str, example: &str) -> Option<Resolved> {
        self.seen(key, node);
        let Item::Text(text) = &node.item else {
            self.problem(key, format!("expected {expected}; found {}", node.item.kind()), write_it(key, example));
            return None;
        };
        match resolve(text, &node.origin, self.environment) {
            Ok(resolved) => Some(resolved),
            Err(broken) => {
                self.problem(key, broken.message, broken.help);
                None
            }
        }
    }
}

/// Whether `key` is `table` or stands inside it.
fn is_at_or_in(key: &str, table: &str) -> bool {
    key.strip_prefix(table).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// "write it like `timeout = "15s"`".
pub(super) fn write_it(key: &str, example: &str) -> String {
    let last = key.rsplit('.').next().unwrap_or(key);
    match last.split_once('[') {
        Some((list, _)) => format!("write it like {list} = [{example}]"),
        None => format!("write it like {last} = {example}"),
    }
}

/// `table.key`, or the key alone at the top.
pub(super) fn join(key: &str, name: &str) -> String {
    if key.is_empty() { name.to_owned() } else { format!("{key}.{name}") }
}

/// The known word a typing error most likely meant.
pub(super) fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let near = known.iter().map(|candidate| (strsim::damerau_levenshtein(word, candidate), *candidate)).min()?;
    let same_start = || known.iter().find(|candidate| candidate.starts_with(word) || word.starts_with(**candidate));
    if near.0 <= (word.len() / 3).max(1) { Some(near.1) } else { same_start().copied() }
}

impl<T: Text> Value for T {
    fn shape() -> Shape {
        Shape::Text(T::schema())
    }

    fn read(node: &Node, key: &str, reader: &mut Reader<'_>) -> Option<Self> {
        let resolved = reader.text(node, key, &T::expected(), T::example())?;
        match T::parse(&resolved.text) {
            Ok(value) => {
                let via = resolved.whole.map_or_else(String::new, |whole| format!(" from {}", whole.written()));
                reader.shows(key, format!("{}{via}", value.show(&resolved.text)), &node.origin);
                Some(value)
            }
            Err(why) => {
                let found = match (resolved.hidden, &resolved.whole) {
                    (Hidden::No, _) => T::found(&resolved.text),
                    (Hidden::Yes, Some(whole)) => format!("the value of {}", whole.written()),
                    (Hidden::Yes, None) => "a text with references".to_owned(),
                };
                reader.problem(
                    key,
                    format!("expected {}; found {found}: {why}", T::expected()),
                    write_it(key, T::example()),
                );
                None
            }
        }
    }
}
