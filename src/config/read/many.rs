//! Lists, and tables whose names are the user's. Entries are called by name where they have one.

use std::collections::BTreeMap;

use super::{Reader, Value, join};
use crate::config::shape::Shape;
use crate::config::tree::{Item, Node};

impl<T: Value> Value for Vec<T> {
    fn shape() -> Shape {
        Shape::List(Box::new(T::shape()))
    }

    fn read(node: &Node, key: &str, reader: &mut Reader<'_>) -> Option<Self> {
        reader.seen(key, node);
        let Item::List(list) = &node.item else {
            let message = format!("expected a list; found {}", node.item.kind());
            let help = match T::shape() {
                Shape::Table(_) => format!("write [[{key}]] and its keys on lines of their own, once per entry"),
                _ => format!("put it in brackets, also when it is one: {key} = [ … ]"),
            };
            reader.problem(key, message, help);
            return None;
        };
        if list.is_empty() {
            reader.shows(key, "[]".to_owned(), &node.origin);
        }
        let items = list.iter().enumerate().map(|(index, node)| {
            // By name, but by number where the name is odd or an earlier entry has it.
            let named = node.name().filter(|name| !name.contains(['.', '[']));
            let first = list.iter().position(|other| other.name() == named);
            let key = match named.filter(|_| first == Some(index)) {
                Some(name) => format!("{key}.{name}"),
                None => format!("{key}[{index}]"),
            };
            T::read(node, &key, reader)
        });
        Some(items.collect::<Vec<_>>().into_iter().flatten().collect())
    }
}

impl<T: Value> Value for BTreeMap<String, T> {
    fn shape() -> Shape {
        Shape::Names(Box::new(T::shape()))
    }

    fn read(node: &Node, key: &str, reader: &mut Reader<'_>) -> Option<Self> {
        let table = reader.table(node, key)?;
        let mut map = Self::new();
        for (name, node) in table {
            let full = join(key, name);
            if let Err(why) = crate::config::value::name(name) {
                reader.seen(&full, node);
                let message = format!("expected a name of 1 to 64 of a-z, 0-9 and -; {why}");
                reader.problem(&full, message, format!("rename the table, such as [{}]", join(key, "name-1")));
            }
            if let Some(value) = T::read(node, &full, reader) {
                map.insert(name.clone(), value);
            }
        }
        Some(map)
    }
}
