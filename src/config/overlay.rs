//! Environment variables laid over the files.
//!
//! Only names with `__` override: `TOLLGATE_FORWARD__URL` is `forward.url`, `TOLLGATE__DATA_DIR` is `data_dir`, list
//! entries and named tables are found by name (`TOLLGATE_SOURCES__STRIPE_EU__SECRETS`). An override reaches what a
//! file names; it never makes a new source or table, so that a slip is an error and not a second source.

use std::sync::Arc;

use super::problem::{Origin, Problem};
use super::read::nearest;
use super::reference::Environment;
use super::shape::Shape;
use super::tree::{Item, Node, parse_value};

const PREFIX: &str = "TOLLGATE_";

/// Lays every override over the tree.
pub(super) fn apply(root: &mut Node, shape: &Shape, environment: &Environment, problems: &mut Vec<Problem>) {
    for (variable, text) in environment {
        let Some(rest) = variable.strip_prefix(PREFIX).filter(|_| variable.contains("__")) else { continue };
        let rest = rest.strip_prefix('_').unwrap_or(rest);
        let origin = Origin::Env(Arc::from(variable.as_str()));
        if let Err(slip) = set(root, shape, rest, text, &origin) {
            problems.push(Problem { key: variable.clone(), origin: Origin::Default, message: slip.0, help: slip.1 });
        }
    }
}

/// What was expected and found, and the way out.
struct Slip(String, String);

/// Goes one step down, or sets the value.
fn set(node: &mut Node, shape: &Shape, rest: &str, text: &str, origin: &Origin) -> Result<(), Slip> {
    if rest.is_empty() {
        *node = value(shape, text, origin)?;
        return Ok(());
    }
    match (shape, &mut node.item) {
        (Shape::Table(fields) | Shape::Either(_, fields), Item::Table(table)) => {
            let keys: Vec<&str> = fields.iter().map(|field| field.key).collect();
            let (key, rest) = step(rest, &keys)?;
            let field = fields.iter().find(|field| field.key == key).ok_or_else(|| unknown(rest, &keys))?;
            let below = table.entry(key.to_owned()).or_insert_with(|| Node { origin: origin.clone(), ..Node::empty() });
            set(below, &field.shape, rest, text, origin)
        }
        (Shape::Names(of), Item::Table(table)) => {
            let names: Vec<String> = table.keys().cloned().collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let (name, rest) = step(rest, &names)?;
            table.get_mut(name).map_or_else(|| Err(unknown(rest, &names)), |node| set(node, of, rest, text, origin))
        }
        (Shape::List(of), Item::List(list)) => {
            let names: Vec<String> = list.iter().filter_map(|node| node.name().map(str::to_owned)).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let (name, rest) = step(rest, &names)?;
            let found = list.iter_mut().find(|node| node.name() == Some(name));
            found.map_or_else(|| Err(unknown(rest, &names)), |node| set(node, of, rest, text, origin))
        }
        (Shape::Names(_) | Shape::List(_), _) => Err(unknown(rest, &[])),
        (Shape::Table(_) | Shape::Either(..), _) => {
            Err(Slip("expected a table in the file below this name".to_owned(), "mend the file first".to_owned()))
        }
        (Shape::Text(_) | Shape::Scalar(_), _) => {
            Err(Slip(format!("expected the name to end before {rest}"), format!("remove __{rest} from the name")))
        }
    }
}

/// The longest candidate that the rest begins with, and what comes behind it.
fn step<'c, 'r>(rest: &'r str, candidates: &[&'c str]) -> Result<(&'c str, &'r str), Slip> {
    let matches = candidates.iter().filter_map(|candidate| {
        let behind = rest.strip_prefix(variable(candidate).as_str())?;
        let behind = if behind.is_empty() { behind } else { behind.strip_prefix("__")? };
        Some((*candidate, behind))
    });
    matches.max_by_key(|(candidate, _)| candidate.len()).ok_or_else(|| unknown(rest, candidates))
}

fn unknown(rest: &str, candidates: &[&str]) -> Slip {
    let word = rest.split("__").next().unwrap_or(rest);
    let known: Vec<String> = candidates.iter().map(|candidate| variable(candidate)).collect();
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let help = match nearest(word, &known) {
        Some(near) => format!("did you mean {near}? Rename the variable, or unset it"),
        None => "unset it; overrides reach only keys and names that exist, entries are named in a file".to_owned(),
    };
    let known = if known.is_empty() { "a name that a file has, and it has none".to_owned() } else { known.join(", ") };
    Slip(format!("expected one of {known}; found {word}"), help)
}

/// As part of a variable's name: upper case, everything else than letters and digits is `_`.
fn variable(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect()
}

/// The variable's text as a value of the shape: texts as they are, everything else in TOML.
fn value(shape: &Shape, text: &str, origin: &Origin) -> Result<Node, Slip> {
    let as_text = || Node { item: Item::Text(text.to_owned()), origin: origin.clone() };
    match shape {
        Shape::Text(_) => Ok(as_text()),
        Shape::Scalar(_) => Ok(parse_value(origin, text.trim()).unwrap_or_else(as_text)),
        Shape::Either(..) if !text.trim_start().starts_with('{') => Ok(as_text()),
        Shape::List(_) | Shape::Names(_) | Shape::Table(_) | Shape::Either(..) => parse_value(origin, text.trim())
            .ok_or_else(|| {
                Slip(
                    "expected a list or table as TOML; it cannot be read".to_owned(),
                    "write it like [\"file:/run/secrets/a\"], texts in double quotes".to_owned(),
                )
            }),
    }
}
