//! Which module may know which, and which may touch the outside: the table of `ARCHITECTURE.md`, enforced.
//!
//! A new edge is argued in the commit that adds it here.

use super::assert_clean;
use super::scan::{is_name, line_of, occurrences, without_tests};
use super::tree::{Source, sources};

/// What each top module of the gateway may import of the others. Stages (`ingress`, `intake`, `verify`, `forward`) stand
/// in no list: only the composition root, the commands and the demo know them. [`RULES`] says what else may be known of one.
const EDGES: &[(&str, &[&str])] = &[
    // Leaves.
    ("clock", &[]),
    ("digest", &[]),
    ("task", &[]),
    ("model", &["digest"]),
    // A message is rendered from what the ledger's transaction saw: it knows the entry types.
    ("message", &["ledger", "model"]),
    // Shared by the stages.
    ("config", &["digest", "message", "model"]),
    ("telemetry", &["clock", "config"]),
    ("provider", &["config", "digest", "model"]),
    ("ledger", &["clock", "digest", "message", "model", "task"]),
    ("chain", &["clock", "config", "digest", "model", "task", "telemetry"]),
    ("archive", &["config", "digest", "task"]),
    ("retention", &["archive", "clock", "config", "jobs", "ledger", "task", "telemetry"]),
    ("watermark", &["config", "task", "telemetry"]),
    ("net", &["clock", "config", "task", "telemetry"]),
    // Deny lists as they lie on disk: verification asks what it is handed, the commands check the files.
    ("screening", &["clock", "config", "digest", "task", "telemetry"]),
    // Beside the stages: copies decisions into the log and signs it.
    ("seal", &["clock", "config", "ledger", "task", "telemetry"]),
    // Stages.
    ("ingress", &["clock", "config", "digest", "model", "net", "provider", "task", "telemetry", "watermark"]),
    ("intake", &["clock", "config", "digest", "ledger", "message", "model", "provider", "task", "telemetry"]),
    ("verify", &["chain", "clock", "config", "digest", "ledger", "message", "model", "screening", "task", "telemetry"]),
    ("forward", &["clock", "config", "digest", "ledger", "message", "model", "provider", "task", "telemetry"]),
    // Beside the stages: what is final, what is a payment and what is in force is said once, by verification's rules.
    ("reconcile", &["chain", "clock", "config", "digest", "ledger", "model", "task", "telemetry", "verify"]),
    // The operators' and the backend's API: it reads records and knows no stage. An expectation's request id is
    // normalised as the provider's own claims are.
    ("jobs", &["clock", "task"]),
    // Work that outlives a restart. Verdicts come from a judge that the composition root hands in: it knows no stage.
    ("replay", &["clock", "ledger", "model", "task"]),
    ("explain", &["ledger", "model"]),
    // What the stores cannot say alone: both at one point.
    ("backup", &["config", "digest", "jobs", "ledger", "task"]),
    (
        "admin",
        &[
            "backup",
            "clock",
            "config",
            "digest",
            "explain",
            "jobs",
            "ledger",
            "message",
            "model",
            "net",
            "provider",
            "replay",
            "retention",
            "task",
            "telemetry",
            "watermark",
        ],
    ),
];

/// May import all of the gateway. A rebuild reads the log with intake's own interpretation, while no stage runs.
const ROOTS: &[&str] = &["app", "cli", "demo", "lib", "main", "rebuild"];

/// What a module may know of a stage: rules that it would otherwise have to say again. Never the stage's worker.
const RULES: &[(&str, &str, &[&str])] = &[("reconcile", "verify", &["events", "in_force", "matcher", "quorum"])];

/// Words that stand for the outside, and the only places that may say them.
const OUTSIDE: &[(&[&str], &[&str], &str)] = &[
    (&["rusqlite"], &["ledger"], "only the ledger holds SQL"),
    (&["rocksdb"], &["evidence-store"], "only the evidence log imports RocksDB"),
    (
        &["evidence_store"],
        &["admin", "app", "backup", "cli", "demo", "ingress", "intake", "rebuild", "retention", "seal", "verify"],
        "these append to the log, follow it or show it",
    ),
    (&["object_store", "zstd::"], &["archive"], "only the archive knows other stores and its own packing"),
    (&["reqwest"], &["chain", "cli", "config", "demo", "forward", "seal"], "only these need it; config for its URLs"),
    (
        &["reqwest::Client", "ClientBuilder"],
        &["chain", "cli", "demo", "forward", "seal"],
        "only these call others over HTTP",
    ),
    (&["tokio_tungstenite", "futures_util"], &["chain"], "only chain hears of blocks over sockets"),
    (&["axum"], &["admin", "demo"], "routing belongs to the admin listener and the demo's backend"),
    (&["TcpListener", "UnixListener", "UdpSocket"], &["net", "demo"], "only net accepts connections"),
    (
        &["sha2", "hmac::{", "hmac::Hmac", "hmac::Mac", "hmac::KeyInit"],
        &["digest", "evidence-store"],
        "only digest calls hash and MAC crates, and the log's own links",
    ),
    (
        &["env::var", "env::vars", "env::var_os", "env::vars_os", "env::set_var"],
        &["config"],
        "only config reads the environment",
    ),
    (&["tokio::spawn", "tokio::task::spawn", "tokio::task::spawn_blocking"], &["task"], "only task spawns"),
    (
        &["SystemTime::now", "Timestamp::now", "Zoned::now"],
        &["clock"],
        "only clock reads the wall clock: take the time as a value",
    ),
    (&["process::Command"], &["demo"], "the gateway starts no programs"),
];

/// Beginnings of strings that only some places may hold.
const STRINGS: &[(&[&str], &[&str], &str)] = &[
    (
        &[
            "\"eth_get",
            "\"eth_call\"",
            "\"eth_chainId",
            "\"eth_blockNumber",
            "\"eth_send",
            "\"anvil_",
            "\"evm_",
            "\"net_v",
        ],
        &["chain", "demo"],
        "only chain speaks JSON-RPC, and the demo's local chain",
    ),
    (&["\"SELECT ", "\"INSERT ", "\"UPDATE ", "\"DELETE FROM", "\"CREATE "], &["ledger"], "only the ledger holds SQL"),
];

/// Files and folders (without ending) that decide and do no I/O.
const PURE: &[&str] = &[
    "chain-config/src",
    "src/archive/line",
    "src/archive/manifest",
    "src/archive/pack",
    "src/chain/proof",
    "src/explain",
    "src/forward/advice",
    "src/forward/classify",
    "src/forward/schedule",
    "src/ledger/state",
    "src/ledger/sums",
    "src/message",
    "src/model",
    "src/provider",
    "src/rebuild/compare",
    "src/reconcile/find",
    "src/reconcile/plan",
    "src/reconcile/sweep",
    "src/replay/params",
    "src/replay/plan",
    "src/replay/report",
    "src/screening/list",
    "src/verify/claim",
    "src/verify/decide",
    "src/verify/finality",
    "src/verify/matcher",
    "src/verify/quorum",
    "src/verify/schedule",
    "src/verify/screening",
];

/// What pure code cannot need.
const IMPURE: &[&str] = &[
    "Clock",
    "TcpStream",
    "async",
    "evidence_store",
    "reqwest",
    "rusqlite",
    "std::env",
    "std::fs",
    "std::process",
    "std::thread",
    "tokio",
];

/// The top modules that the code names by `crate::`, with their position.
fn imports(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for at in occurrences(code, "crate::") {
        let rest = code.get(at + "crate::".len()..).unwrap_or_default();
        match rest.strip_prefix('{') {
            None => found.push((at, first_name(rest))),
            Some(group) => found.extend(members(group).into_iter().map(|name| (at, name))),
        }
    }
    found
}

fn first_name(text: &str) -> String {
    text.trim_start().bytes().take_while(|byte| is_name(*byte)).map(char::from).collect()
}

/// The first names of the entries of `{a, b::{c, d}}`, given what follows the brace.
fn members(group: &str) -> Vec<String> {
    let (mut depth, mut entry, mut found) = (0_usize, String::new(), Vec::new());
    for c in group.chars() {
        match c {
            '}' if depth == 0 => break,
            ',' if depth == 0 => found.push(first_name(&std::mem::take(&mut entry))),
            _ => {
                depth = if c == '{' { depth + 1 } else { depth.saturating_sub(usize::from(c == '}')) };
                entry.push(c);
            }
        }
    }
    found.push(first_name(&entry));
    found.retain(|name| !name.is_empty());
    found
}

/// Positions where a chain of `super::` climbs out of the top module.
fn climbs(path: &str, code: &str) -> Vec<usize> {
    let depth = path.split('/').count() - 1;
    let chain = |at: &usize| {
        let rest = code.get(*at..).unwrap_or_default();
        let mut supers = 0;
        let mut left = rest;
        while let Some(shorter) = left.strip_prefix("super::") {
            (left, supers) = (shorter, supers + 1);
        }
        depth <= supers
    };
    occurrences(code, "super::").into_iter().filter(chain).collect()
}

fn breaches_of_edges(source: &Source, allowed: &[&str]) -> Vec<String> {
    let (path, place, code) = (&source.path, source.place(), source.shipped_code());
    let named = |(at, name): (usize, String)| {
        let known = name == place || allowed.contains(&name.as_str());
        (!known).then(|| format!("{path}:{} {place} must not import {name}", line_of(&code, at)))
    };
    let climbed = |at| format!("{path}:{} leaves {place} by `super::`: write `crate::`", line_of(&code, at));
    let mut breaches: Vec<_> = imports(&code).into_iter().filter_map(named).collect();
    breaches.extend(climbs(path, &code).into_iter().map(climbed));
    breaches
}

#[test]
fn modules_import_only_what_the_map_allows() {
    let mut breaches = Vec::new();
    for source in sources().iter().filter(|source| source.path.starts_with("src/") && !source.is_test) {
        let place = source.place();
        match EDGES.iter().find(|(module, _)| *module == place) {
            Some((_, allowed)) => breaches.extend(breaches_of_edges(source, allowed)),
            None if ROOTS.contains(&place) => {}
            None => breaches.push(format!("{}: {place} is in no row of the table of edges: add one", source.path)),
        }
    }
    assert_clean("edges between modules", &breaches);
}

#[test]
fn of_a_stage_only_its_rules_are_known() {
    let mut breaches = Vec::new();
    for (module, stage, rules) in RULES {
        let from = format!("crate::{stage}::");
        for source in sources().iter().filter(|source| source.place() == *module && !source.is_test) {
            let code = source.shipped_code();
            for at in occurrences(&code, &from) {
                let name = first_name(code.get(at + from.len()..).unwrap_or_default());
                if !rules.contains(&name.as_str()) {
                    let (path, line) = (&source.path, line_of(&code, at));
                    breaches.push(format!("{path}:{line} {module} must not know {stage}::{name}"));
                }
            }
        }
    }
    assert_clean("what is known of stages", &breaches);
}

#[test]
fn only_the_named_places_touch_the_outside() {
    let mut breaches = Vec::new();
    for source in sources().iter().filter(|source| !source.is_test) {
        let code = source.shipped_code();
        let strings = without_tests(&source.scan.with_strings);
        for (words, places, why) in OUTSIDE.iter().filter(|(_, places, _)| !places.contains(&source.place())) {
            for (word, at) in
                words.iter().flat_map(|word| occurrences(&code, word).into_iter().map(move |at| (word, at)))
            {
                breaches.push(format!("{}:{} {word}: {why} ({})", source.path, line_of(&code, at), places.join(", ")));
            }
        }
        for (starts, places, why) in STRINGS.iter().filter(|(_, places, _)| !places.contains(&source.place())) {
            for (start, at) in
                starts.iter().flat_map(|start| strings.match_indices(start).map(move |(at, _)| (start, at)))
            {
                breaches.push(format!(
                    "{}:{} {start}: {why} ({})",
                    source.path,
                    line_of(&strings, at),
                    places.join(", ")
                ));
            }
        }
    }
    assert_clean("what touches the outside", &breaches);
}

#[test]
fn what_decides_does_no_input_or_output() {
    let sources = sources();
    let mut breaches = Vec::new();
    for part in PURE {
        let own =
            |source: &&Source| source.path == format!("{part}.rs") || source.path.starts_with(&format!("{part}/"));
        let mut files = sources.iter().filter(own).peekable();
        if files.peek().is_none() {
            breaches.push(format!("{part} is not there: move it in the table of pure parts too"));
        }
        for source in files {
            let code = source.shipped_code();
            for (word, at) in
                IMPURE.iter().flat_map(|word| occurrences(&code, word).into_iter().map(move |at| (word, at)))
            {
                breaches.push(format!("{}:{} {word}: {part} is pure", source.path, line_of(&code, at)));
            }
        }
    }
    assert_clean("pure parts", &breaches);
}

#[test]
fn the_scan_finds_imports_in_every_form() {
    let code = "use crate::model::Code;\nuse crate::{forward::{self, worker}, digest};\nfn f() { crate::verify::g(); mycrate::no() }";
    let names: Vec<_> = imports(code).into_iter().map(|(_, name)| name).collect();
    assert_eq!(names, ["model", "forward", "digest", "verify"]);
    assert_eq!(climbs("src/a/b.rs", "use super::x; use super::super::y;").len(), 1);
    assert_eq!(climbs("src/a.rs", "use super::x;").len(), 1);
}

#[test]
fn no_row_lets_a_module_know_a_stage() {
    let stages = ["ingress", "intake", "verify", "forward"];
    let breaches: Vec<_> = EDGES
        .iter()
        .flat_map(|(module, allowed)| allowed.iter().map(move |import| (module, import)))
        .filter(|(_, import)| stages.contains(*import) || ROOTS.contains(*import))
        .filter(|(module, import)| !RULES.iter().any(|(by, stage, _)| by == *module && stage == *import))
        .map(|(module, import)| format!("{module} -> {import}"))
        .collect();
    assert_clean("stages are known to the composition root only", &breaches);
}
