use serde_json::{Value, json};

use super::{Layout, Output, column, details, listed, printable, size, wide};

const LAYOUT: Layout = Layout {
    what: "things",
    id: "/id",
    columns: &[
        column("id", "/id"),
        column("at", "/made_at"),
        column("size", "/body_bytes"),
        wide("name", "/deep/name"),
    ],
};

fn items() -> [Value; 2] {
    [
        json!({"id": "a", "made_at": "2026-11-20T12:00:00.123456Z", "body_bytes": 2048, "deep": {"name": "x,\"y\"\nz"}}),
        json!({"id": "bb", "made_at": null, "body_bytes": 7}),
    ]
}

fn shown(output: Output) -> String {
    listed(&items(), &LAYOUT, output).unwrap()
}

#[test]
fn a_table_shows_what_matters_and_wide_all() {
    assert_eq!(
        shown(Output::Table),
        "ID  AT                    SIZE\na   2026-11-20T12:00:00Z  2.0 KiB\nbb                        7 B\n"
    );
    let wide = shown(Output::Wide);
    assert!(wide.starts_with("ID  AT                    SIZE     NAME\n"), "{wide}");
}

#[test]
fn csv_is_quoted_and_keeps_values_as_they_are() {
    assert_eq!(
        shown(Output::Csv),
        "id,made_at,body_bytes,deep.name\r\n\
         a,2026-11-20T12:00:00.123456Z,2048,\"x,\"\"y\"\"\nz\"\r\n\
         bb,,7,\r\n"
    );
}

#[test]
fn ids_are_only_ids_and_json_is_everything() {
    assert_eq!(shown(Output::Id), "a\nbb\n");
    assert_eq!(serde_json::from_str::<Value>(&shown(Output::Json)).unwrap(), Value::from(items().to_vec()));
    assert_eq!(listed(&[], &LAYOUT, Output::Json).unwrap(), "[]\n");
}

#[test]
fn nothing_reaches_the_terminal_that_could_steer_it() {
    assert_eq!(printable("a\u{1b}[2Jb\r\u{9b}\u{202e}c\nd"), "a\\u{1b}[2Jb\\u{d}\\u{9b}\\u{202e}c\nd");
    let item = json!({"id": "\u{1b}]0;", "made_at": "\u{7}", "body_bytes": "\u{8}", "deep": {"name": "\u{1b}"}});
    for output in [Output::Table, Output::Wide, Output::Id] {
        let told = listed(std::slice::from_ref(&item), &LAYOUT, output).unwrap();
        assert!(told.chars().all(|c| c == '\n' || !c.is_control()), "{told:?}");
    }
    let told =
        details::text(&json!({"a": "\u{1b}", "b": ["\u{1b}"], "c": [{"d": "\u{1b}"}], "e": {"f": "\u{1b}"}}), true);
    assert!(!told.contains('\u{1b}'), "{told:?}");
}

#[test]
fn details_show_fields_then_what_is_nested() {
    let item = json!({
        "event_id": "e", "none": null, "tags": ["a", "b"], "empty": [],
        "trace": [{"at": "x", "detail": {"k": "v".repeat(100)}}, {"at": "y", "to": "z"}],
        "claim": {"chain": "base"},
    });
    let told = details::text(&item, false);
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines[..4], ["empty     -", "event_id  e", "none      -", "tags      a, b"]);
    assert_eq!(lines[4..6], ["claim", "  chain  base"]);
    assert_eq!(lines[6], "trace");
    assert!(lines[7].starts_with("  AT  DETAIL"), "{told}");
    assert!(lines[8].ends_with('…') && lines[9].trim_end().ends_with('z'), "{told}");
    assert!(details::text(&item, true).contains(&"v".repeat(100)));
}

#[test]
fn sizes_are_short() {
    let shown = [0, 1023, 1024, 1536, 10 << 20, (3 << 30) + (1 << 29), 5 << 40].map(size);
    assert_eq!(shown, ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "10 MiB", "3.5 GiB", "5.0 TiB"]);
}
