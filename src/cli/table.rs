//! How operators' commands show what they got: tables for people, JSON and CSV for programs, ids for pipes.
//!
//! Values may come from strangers (a refused request's headers), so nothing reaches a terminal that could steer it.

use comfy_table::{ContentArrangement, Table, presets};
use serde_json::Value;

use super::output::{note, print};
use super::{Exit, Failure};

mod details;

/// The forms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    /// For people: what matters.
    #[default]
    Table,
    /// For people: all columns.
    Wide,
    /// Everything, as the API answers it.
    Json,
    /// All columns, RFC 4180.
    Csv,
    /// Ids only, one a line; other commands read them with `-`.
    Id,
}

/// `-o`.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub struct OutputArgs {
    /// How to show it.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM", global = true)]
    pub output: Output,
}

/// One column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    title: &'static str,
    at: &'static str,
    wide: bool,
}

/// A column with its heading and the JSON pointer of its value. Pointers that end in `_at` are times, in `bytes` sizes.
#[must_use]
pub const fn column(title: &'static str, at: &'static str) -> Column {
    Column { title, at, wide: false }
}

/// A column that only `wide` shows (and CSV).
#[must_use]
pub const fn wide(title: &'static str, at: &'static str) -> Column {
    Column { title, at, wide: true }
}

/// How things of one kind are listed.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// What they are called, in the plural.
    pub what: &'static str,
    /// JSON pointer of the id.
    pub id: &'static str,
    /// Left to right.
    pub columns: &'static [Column],
}

/// Prints a list.
///
/// # Errors
/// When it cannot be written.
pub fn list(items: &[Value], layout: &Layout, output: Output) -> Result<(), Failure> {
    if items.is_empty() && matches!(output, Output::Table | Output::Wide) {
        note(&format!("no {}", layout.what));
        return Ok(());
    }
    Ok(print(&listed(items, layout, output)?)?)
}

/// Prints a further part of a list that goes on: the heading once, JSON one object a line.
///
/// # Errors
/// When it cannot be written.
pub fn append(items: &[Value], layout: &Layout, output: Output, heading: bool) -> Result<(), Failure> {
    let told = match output {
        Output::Json => items.iter().map(|item| format!("{item}\n")).collect(),
        Output::Id => listed(items, layout, output)?,
        Output::Table | Output::Wide | Output::Csv => {
            let told = listed(items, layout, output)?;
            let rows = told.split_once('\n').map_or("", |(_, rows)| rows);
            if heading { told } else { rows.to_owned() }
        }
    };
    Ok(print(&told)?)
}

fn listed(items: &[Value], layout: &Layout, output: Output) -> Result<String, Failure> {
    Ok(match output {
        Output::Table => table(items, layout, |column| !column.wide),
        Output::Wide => table(items, layout, |_| true),
        Output::Csv => csv(items, layout),
        Output::Id => items.iter().map(|item| format!("{}\n", printable(&text(item.pointer(layout.id))))).collect(),
        Output::Json => pretty(&Value::Array(items.to_vec()))?,
    })
}

/// Prints one thing, or several that were asked for by their ids.
///
/// # Errors
/// When it cannot be written.
pub fn show(items: &[Value], layout: &Layout, output: Output) -> Result<(), Failure> {
    let told = match (output, items) {
        (Output::Json, [one]) => pretty(one)?,
        (Output::Table | Output::Wide, _) => {
            let all: Vec<String> = items.iter().map(|item| details::text(item, output == Output::Wide)).collect();
            all.join("\n")
        }
        (Output::Json | Output::Csv | Output::Id, _) => listed(items, layout, output)?,
    };
    Ok(print(&told)?)
}

fn pretty(value: &Value) -> Result<String, Failure> {
    let text = serde_json::to_string_pretty(value).map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
    Ok(format!("{text}\n"))
}

/// Columns without borders, as operators' tools do it: copying a row copies no decoration.
fn table(items: &[Value], layout: &Layout, shows: impl Fn(&Column) -> bool) -> String {
    let columns: Vec<&Column> = layout.columns.iter().filter(|column| shows(column)).collect();
    let header = columns.iter().map(|column| column.title.to_uppercase()).collect();
    let rows = items.iter().map(|item| columns.iter().map(|column| cell(column.at, item.pointer(column.at))).collect());
    columns_of(header, rows)
}

/// Rows under a heading, padded.
fn columns_of(header: Vec<String>, rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled).set_header(header);
    table.add_rows(rows);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let lines: String = table.lines().map(|line| format!("{}\n", line.trim_end())).collect();
    lines
}

/// A value for people, by what its pointer says it is.
fn cell(at: &str, value: Option<&Value>) -> String {
    let plain = printable(&text(value));
    if at.ends_with("_at") {
        return seconds(&plain);
    }
    match value.and_then(Value::as_u64) {
        Some(bytes) if at.ends_with("bytes") => size(bytes),
        _ => plain,
    }
}

/// A time without its fraction.
fn seconds(time: &str) -> String {
    match time.split_once('.') {
        Some((whole, rest)) if rest.ends_with('Z') => format!("{whole}Z"),
        _ => time.to_owned(),
    }
}

/// A size in the unit that keeps it short.
#[must_use]
pub fn size(bytes: u64) -> String {
    const UNITS: [(&str, u32); 4] = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
    for (unit, shift) in UNITS {
        let whole = bytes >> shift;
        if whole != 0 {
            let tenth = (bytes - (whole << shift)).saturating_mul(10) >> shift;
            return if whole < 10 { format!("{whole}.{tenth} {unit}") } else { format!("{whole} {unit}") };
        }
    }
    format!("{bytes} B")
}

fn text(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// Text that cannot steer a terminal: control and direction characters are spelled out, but for line ends.
#[must_use]
pub fn printable(text: &str) -> String {
    let steers = |c: char| {
        c.is_control() && c != '\n'
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if steers(c) { c.escape_unicode().to_string() } else { c.to_string() }).collect()
}

/// RFC 4180 with all columns; the heading names the fields of the JSON.
fn csv(items: &[Value], layout: &Layout) -> String {
    let line = |fields: Vec<String>| fields.iter().map(|field| quoted(field)).collect::<Vec<_>>().join(",") + "\r\n";
    let names = layout.columns.iter().map(|column| column.at.trim_start_matches('/').replace('/', ".")).collect();
    let rows =
        items.iter().map(|item| line(layout.columns.iter().map(|column| text(item.pointer(column.at))).collect()));
    std::iter::once(line(names)).chain(rows).collect()
}

fn quoted(field: &str) -> String {
    let plain = !field.contains(['"', ',', '\n', '\r']) && field.trim() == field;
    if plain { field.to_owned() } else { format!("\"{}\"", field.replace('"', "\"\"")) }
}

#[cfg(test)]
mod tests;
