//! One declaration a table: its keys with documentation, type, default and range stand in one place, and reading,
//! unknown-key messages, `--print` and the JSON Schema all come from it.
//!
//! ```text
//! section! {
//!     /// What the table is.
//!     struct Shutdown {
//!         /// What the key is, with its unit.
//!         delay: default Span<0, 300_000> = "5s";   // absent: this
//!         url: optional HttpUrl;                    // absent: None
//!         name: required Name;                      // absent: a problem
//!         tokens: list Token;                       // absent: empty
//!         to: names Destination;                    // absent: empty; keys are the user's
//!         log: table Log;                           // absent: as if empty
//!     }
//! }
//! ```

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::problem::Origin;
use super::read::{Reader, Value, join};
use super::tree::{Item, Node, Table};

/// A default as it is declared.
pub(super) trait Literal {
    /// As a value of the tree.
    fn item(&self) -> Item;
    /// As JSON.
    fn json(&self) -> Json;
}

impl Literal for &str {
    fn item(&self) -> Item {
        Item::Text((*self).to_owned())
    }
    fn json(&self) -> Json {
        json!(self)
    }
}

impl Literal for i64 {
    fn item(&self) -> Item {
        Item::Integer(*self)
    }
    fn json(&self) -> Json {
        json!(self)
    }
}

impl Literal for bool {
    fn item(&self) -> Item {
        Item::Bool(*self)
    }
    fn json(&self) -> Json {
        json!(self)
    }
}

/// Reads a key that has a default. A bad value is noted and the default stands in, so that later checks can run.
pub(super) fn or_default<T: Value>(
    table: &Table,
    at: &str,
    key: &str,
    default: &dyn Literal,
    reader: &mut Reader<'_>,
) -> Option<T> {
    let full = join(at, key);
    let stand_in = Node { item: default.item(), origin: Origin::Default };
    match table.get(key) {
        Some(node) => T::read(node, &full, reader).or_else(|| T::read(&stand_in, &full, reader)),
        None => T::read(&stand_in, &full, reader),
    }
}

/// Reads a key that may be absent.
pub(super) fn or_none<T: Value>(table: &Table, at: &str, key: &str, reader: &mut Reader<'_>) -> Option<T> {
    let full = join(at, key);
    let Some(node) = table.get(key) else {
        reader.shows(&full, "(not set)".to_owned(), &Origin::Default);
        return None;
    };
    T::read(node, &full, reader)
}

/// Reads a key that must be there.
pub(super) fn or_refuse<T: Value>(table: &Table, at: &str, key: &str, reader: &mut Reader<'_>) -> Option<T> {
    let full = join(at, key);
    if let Some(node) = table.get(key) {
        return T::read(node, &full, reader);
    }
    let (message, help) = super::value::missing(&T::shape(), key);
    reader.problem(&full, message, help);
    None
}

/// Reads a list; absent is empty.
pub(super) fn or_empty<T: Value>(table: &Table, at: &str, key: &str, reader: &mut Reader<'_>) -> Vec<T> {
    let none = Node { item: Item::List(Vec::new()), origin: Origin::Default };
    Vec::read(table.get(key).unwrap_or(&none), &join(at, key), reader).unwrap_or_default()
}

/// Reads a table of names; absent is empty.
pub(super) fn or_no_names<T: Value>(
    table: &Table,
    at: &str,
    key: &str,
    reader: &mut Reader<'_>,
) -> BTreeMap<String, T> {
    table.get(key).and_then(|node| BTreeMap::read(node, &join(at, key), reader)).unwrap_or_default()
}

macro_rules! section {
    ($($(#[doc = $about:literal])+ struct $name:ident {
        $($(#[doc = $doc:literal])+ $key:ident : $mode:ident $ty:ty $(= $default:expr)?;)*
    })+) => { $(
        $(#[doc = $about])+
        #[derive(Clone)]
        #[allow(dead_code, reason = "some tables are read only to be checked and shown")]
        pub(in crate::config) struct $name {
            /// Full path of the table.
            pub(in crate::config) at: String,
            $($(#[doc = $doc])+ pub(in crate::config) $key: $crate::config::section::section!(@type $mode $ty),)*
        }

        impl $name {
            /// Its keys.
            pub(in crate::config) fn fields() -> Vec<$crate::config::shape::Field> {
                vec![$($crate::config::shape::Field {
                    key: $crate::config::section::section!(@key $key),
                    about: [$($doc),+].concat().trim().to_owned(),
                    shape: $crate::config::section::section!(@shape $mode $ty),
                    presence: $crate::config::section::section!(@presence $mode $($default)?),
                },)*]
            }

            /// Reads its keys and leaves the others of the table alone.
            pub(in crate::config) fn read_keys(
                table: &$crate::config::tree::Table,
                at: &str,
                reader: &mut $crate::config::read::Reader<'_>,
            ) -> Option<Self> {
                $(let $key = $crate::config::section::section!(
                    @read $mode $ty, table, at, $crate::config::section::section!(@key $key), reader $(, $default)?
                );)*
                Some(Self { at: at.to_owned(), $($key: $crate::config::section::section!(@unwrap $mode $key),)* })
            }
        }

        impl $crate::config::read::Value for $name {
            fn shape() -> $crate::config::shape::Shape {
                $crate::config::shape::Shape::Table(Self::fields())
            }

            fn read(
                node: &$crate::config::tree::Node,
                key: &str,
                reader: &mut $crate::config::read::Reader<'_>,
            ) -> Option<Self> {
                let table = reader.table(node, key)?;
                reader.refuse_unknown(table, key, &Self::fields());
                Self::read_keys(table, key, reader)
            }
        }
    )+ };

    // `ref` is a word of Rust.
    (@key reference) => { "ref" };
    (@key $key:ident) => { stringify!($key) };

    (@type default $ty:ty) => { $ty };
    (@type table $ty:ty) => { $ty };
    (@type optional $ty:ty) => { Option<$ty> };
    (@type required $ty:ty) => { Option<$ty> };
    (@type list $ty:ty) => { Vec<$ty> };
    (@type names $ty:ty) => { std::collections::BTreeMap<String, $ty> };

    (@shape list $ty:ty) => { <Vec<$ty> as $crate::config::read::Value>::shape() };
    (@shape names $ty:ty) => { <std::collections::BTreeMap<String, $ty> as $crate::config::read::Value>::shape() };
    (@shape $mode:ident $ty:ty) => { <$ty as $crate::config::read::Value>::shape() };

    (@presence default $default:expr) => {
        $crate::config::shape::Presence::Default($crate::config::section::Literal::json(&$default))
    };
    (@presence required) => { $crate::config::shape::Presence::Required };
    (@presence $mode:ident) => { $crate::config::shape::Presence::Optional };

    (@read default $ty:ty, $table:ident, $at:ident, $key:expr, $reader:ident, $default:expr) => {
        $crate::config::section::or_default::<$ty>($table, $at, $key, &$default, $reader)
    };
    (@read table $ty:ty, $table:ident, $at:ident, $key:expr, $reader:ident) => {{
        let empty = $crate::config::tree::Node::empty();
        let full = $crate::config::read::join($at, $key);
        <$ty as $crate::config::read::Value>::read($table.get($key).unwrap_or(&empty), &full, $reader)
            .or_else(|| <$ty as $crate::config::read::Value>::read(&empty, &full, $reader))
    }};
    (@read optional $ty:ty, $table:ident, $at:ident, $key:expr, $reader:ident) => {
        $crate::config::section::or_none::<$ty>($table, $at, $key, $reader)
    };
    (@read required $ty:ty, $table:ident, $at:ident, $key:expr, $reader:ident) => {
        $crate::config::section::or_refuse::<$ty>($table, $at, $key, $reader)
    };
    (@read list $ty:ty, $table:ident, $at:ident, $key:expr, $reader:ident) => {
        $crate::config::section::or_empty::<$ty>($table, $at, $key, $reader)
    };
    (@read names $ty:ty, $table:ident, $at:ident, $key:expr, $reader:ident) => {
        $crate::config::section::or_no_names::<$ty>($table, $at, $key, $reader)
    };

    // Only a declared default that is itself wrong leaves these empty; a test reads them all.
    (@unwrap default $key:ident) => { $key? };
    (@unwrap table $key:ident) => { $key? };
    (@unwrap $mode:ident $key:ident) => { $key };
}
pub(super) use section;
