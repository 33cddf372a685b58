//! `tollgate.example.toml` is the documentation: complete, true and usable.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value as Json;

use super::KEY;
use crate::config::{Environment, load, schema};

const EXAMPLE: &str = include_str!("../../../tollgate.example.toml");

fn variables() -> Environment {
    let names = ["TOLLGATE_BACKEND_TOKEN", "STRIPE_EU_SECRET", "PROVIDER_A_KEY", "ARCHIVE_ACCESS_KEY"];
    let mut all: Environment = names.iter().map(|name| ((*name).to_owned(), format!("value-of-{name}"))).collect();
    all.insert("PROVIDER_B_URL".to_owned(), "https://b.example/key".to_owned());
    all
}

fn loads(text: &str) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("secrets")).unwrap();
    std::fs::write(folder.path().join("secrets/request-network"), "rn\n").unwrap();
    std::fs::write(folder.path().join("secrets/forward"), KEY).unwrap();
    std::fs::write(folder.path().join("secrets/archive"), "sk\n").unwrap();
    let (certificate, key) = super::tls::pair();
    std::fs::write(folder.path().join("secrets/core-ca.pem"), &certificate).unwrap();
    std::fs::write(folder.path().join("secrets/client.pem"), &certificate).unwrap();
    std::fs::write(folder.path().join("secrets/client.key"), &key).unwrap();
    let text = text.replace("file:/run/secrets/erp", "env:STRIPE_EU_SECRET");
    let path = folder.path().join("gate.toml");
    std::fs::write(&path, &text).unwrap();
    if let Err(problems) = load(&[path], &variables()) {
        panic!("{problems}\nin:\n{text}");
    }
}

/// The file with every commented key switched on. Prose comments have no ` = ` behind their first word.
fn switched_on() -> String {
    let is_key = |rest: &str| {
        let word = rest.split(" = ").next().unwrap_or_default();
        let plain =
            |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b"_-.".contains(&b));
        rest.starts_with('[') || (rest.contains(" = ") && plain(word))
    };
    let line = |line: &str| match line.strip_prefix("# ") {
        Some(rest) if is_key(rest) => rest.to_owned(),
        _ => line.to_owned(),
    };
    EXAMPLE.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_example_works_as_it_stands() {
    loads(EXAMPLE);
}

#[test]
fn the_example_works_with_every_key_switched_on() {
    loads(&switched_on());
}

/// Every leaf of the schema: its path without list and name levels, and its schema.
fn leaves(schema: &Json, path: &str, out: &mut BTreeMap<String, Json>) {
    let inner = schema.get("anyOf").and_then(|either| either.get(1)).unwrap_or(schema);
    if let Some(Json::Object(properties)) = inner.get("properties") {
        for (key, schema) in properties {
            leaves(schema, &format!("{path}.{key}"), out);
        }
    } else if let Some(items) = schema.get("items").filter(|items| has_keys(items)) {
        leaves(items, path, out);
        return;
    } else if let Some(of) = schema.get("additionalProperties").filter(|of| of.is_object()) {
        leaves(of, path, out);
        return;
    }
    if !has_keys(schema) {
        out.insert(path.to_owned(), schema.clone());
    }
}

fn has_keys(schema: &Json) -> bool {
    schema.get("properties").is_some()
        || schema.get("anyOf").is_some_and(|either| either[1].get("properties").is_some())
}

/// Every leaf of the switched-on example, with the same paths; of what stands twice, all values.
fn written(value: &toml::Value, path: &str, free: &[&str], out: &mut BTreeMap<String, Vec<toml::Value>>) {
    match value {
        toml::Value::Table(table) => {
            for (key, value) in table {
                let here = if free.contains(&path) { path.to_owned() } else { format!("{path}.{key}") };
                written(value, &here, if free.contains(&path) { &[] } else { free }, out);
            }
        }
        toml::Value::Array(list) if list.iter().any(toml::Value::is_table) => {
            for value in list {
                written(value, path, free, out);
            }
        }
        leaf => out.entry(path.to_owned()).or_default().push(leaf.clone()),
    }
}

fn both() -> (BTreeMap<String, Json>, BTreeMap<String, Vec<toml::Value>>) {
    let mut known = BTreeMap::new();
    leaves(&schema(), "", &mut known);
    let mut shown = BTreeMap::new();
    let root: toml::Value = toml::from_str(&switched_on()).unwrap();
    written(&root, "", &[".chains", ".forward.to", ".verification.screening.oracle"], &mut shown);
    (known, shown)
}

#[test]
fn every_key_of_the_schema_is_in_the_example() {
    let (known, shown) = both();
    assert!(60 < known.len(), "{}", known.len());
    for key in known.keys().filter(|key| !key.starts_with(".forward.to.")) {
        assert!(shown.contains_key(key), "{key} is missing in tollgate.example.toml");
    }
}

#[test]
fn every_stated_default_is_the_default() {
    let (known, shown) = both();
    let mut compared = 0;
    for (key, schema) in &known {
        let (Some(default), Some(values)) = (schema.get("default"), shown.get(key)) else { continue };
        // Keys that the sound example or the devnet sets on purpose.
        if key == ".chains.allow_single_node" {
            continue;
        }
        for value in values {
            assert_eq!(&serde_json::to_value(value).unwrap(), default, "{key}");
            compared += 1;
        }
    }
    assert!(25 < compared, "{compared}");
}

#[test]
fn every_range_is_told_beside_its_key() {
    let (known, _) = both();
    let words = EXAMPLE.lines().map(|line| line.trim_start_matches("# ")).collect::<Vec<_>>().join(" ");
    let mut told = 0;
    for (key, schema) in &known {
        let Some(about) = schema.get("description").and_then(Json::as_str) else { continue };
        let Some((_, range)) = about.rsplit_once("from ").filter(|(_, range)| range.contains(" to ")) else { continue };
        let (range, name) = (range.trim_end_matches('.'), key.rsplit('.').next().unwrap());
        let near = words.match_indices(range).any(|(at, _)| {
            let start = words.floor_char_boundary(at.saturating_sub(400));
            let end = words.ceil_char_boundary((at + 400).min(words.len()));
            words.get(start..end).unwrap().contains(name)
        });
        assert!(near, "{key}: {range:?} is not told near {name}");
        told += 1;
    }
    assert!(25 < told, "{told}");
}

#[test]
fn the_schema_is_strict_and_tells_units() {
    let schema = schema();
    assert_eq!(schema["additionalProperties"], Json::Bool(false));
    let timeout = &schema["properties"]["forward"]["properties"]["timeout"];
    assert_eq!(timeout["default"], "15s");
    assert!(timeout["description"].as_str().unwrap().contains("from 100ms to 5m"));
    let source = &schema["properties"]["sources"]["items"];
    assert_eq!(source["required"], serde_json::json!(["name", "provider", "path"]));
    assert!(Path::new(".").join("tollgate.example.toml").exists());
}
