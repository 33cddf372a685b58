//! The files of the checkout that are the project's own.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::scan::{self, Scan};

/// Folders that hold what is built, installed or found.
const NOT_OURS: &[&str] = &["target", "node_modules", "corpus", "artifacts", "coverage", "data"];

/// One Rust source.
pub(super) struct Source {
    /// From the root, with `/`.
    pub(super) path: String,
    pub(super) text: String,
    pub(super) scan: Scan,
    /// Built for tests, benches or fuzzing only.
    pub(super) is_test: bool,
}

impl Source {
    /// The code that ships, comments and strings blanked.
    pub(super) fn shipped_code(&self) -> String {
        if self.is_test { String::new() } else { scan::without_tests(&self.scan.code) }
    }

    /// The place a rule speaks of: a module of the gateway, or the folder of another crate.
    pub(super) fn place(&self) -> &str {
        match self.path.strip_prefix("src/") {
            Some(rest) => rest.split(['/', '.']).next().unwrap_or(rest),
            None => self.path.split('/').next().unwrap_or(&self.path),
        }
    }
}

pub(super) fn root() -> &'static Path {
    Path::new(".")
}

/// Paths from the root of all files with one of the endings, in order.
pub(super) fn files(endings: &[&str]) -> Vec<String> {
    let (mut found, mut folders) = (BTreeSet::new(), vec![PathBuf::new()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(root().join(&folder)).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            let path = folder.join(&name);
            if entry.file_type().unwrap().is_dir() {
                if !name.starts_with('.') && !NOT_OURS.contains(&name.as_str()) {
                    folders.push(path);
                }
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                found.insert(path.to_str().unwrap().to_owned());
            }
        }
    }
    found.into_iter().collect()
}

pub(super) fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every Rust source of the workspace, its tests, benches and fuzz targets.
pub(super) fn sources() -> Vec<Source> {
    let mut sources: Vec<Source> = files(&[".rs"])
        .into_iter()
        .map(|path| {
            let text = read(&path);
            Source { scan: scan::scan(&text), is_test: is_test_path(&path), path, text }
        })
        .collect();
    let declared: Vec<String> = sources.iter().flat_map(declared_for_tests).collect();
    for source in &mut sources {
        let stem = source.path.trim_end_matches(".rs");
        source.is_test |= declared.iter().any(|test| stem == test || stem.starts_with(&format!("{test}/")));
    }
    assert!(sources.iter().any(|source| source.path == "src/lib.rs"), "the walk does not see the sources");
    sources
}

fn is_test_path(path: &str) -> bool {
    path.split('/').any(|part| matches!(part, "tests" | "tests.rs" | "benches" | "fuzz"))
}

/// The files, without their ending, of modules that this one declares for tests only.
fn declared_for_tests(source: &Source) -> Vec<String> {
    let stem = source.path.trim_end_matches(".rs");
    let folder = match stem.rsplit_once('/') {
        Some((folder, "lib" | "main")) => folder,
        _ => stem,
    };
    scan::test_modules(&source.scan.code).iter().map(|name| format!("{folder}/{name}")).collect()
}
