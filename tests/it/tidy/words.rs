//! Words that no source may hold. They are put together here, so that this file does not break its own rule.

use super::assert_clean;
use super::scan::line_of;
use super::tree::{files, read};

/// What it is, and what to do instead.
const BANNED: &[(&str, &str)] = &[
    (concat!("TO", "DO"), "do it, or open an issue"),
    (concat!("FIX", "ME"), "fix it, or open an issue"),
    (concat!("XX", "X"), "say what is meant"),
    (concat!("to", "do!"), "leave out what is not built"),
    (concat!("unimple", "mented!"), "leave out what is not built"),
    (concat!("#[ig", "nore"), "a test that does not run is no test"),
    (concat!("should_", "panic"), "assert what is returned"),
    (concat!("db", "g!"), "use tracing"),
];

/// Folders of one machine, which mean nothing on another.
const MACHINE: &[&str] = &[concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/tmp/", "wt"), concat!("/wo", "rk/")];

#[test]
fn no_source_holds_a_banned_word() {
    let mut breaches = Vec::new();
    for path in files(&[".rs"]) {
        let text = read(&path);
        for (word, instead) in BANNED {
            let lines = text.match_indices(word).map(|(at, _)| line_of(&text, at));
            breaches.extend(lines.map(|line| format!("{path}:{line} {word}: {instead}")));
        }
    }
    assert_clean("banned words", &breaches);
}

#[test]
fn nothing_names_a_folder_of_one_machine() {
    let mut breaches = Vec::new();
    for path in files(&[".rs", ".md", ".toml", ".cjs", ".json", "Makefile", "Dockerfile", "bootstrap"]) {
        let text = read(&path);
        for folder in MACHINE {
            let lines = text.match_indices(folder).map(|(at, _)| line_of(&text, at));
            breaches
                .extend(lines.map(|line| format!("{path}:{line} {folder}: write a path that exists elsewhere too")));
        }
    }
    assert_clean("machine paths", &breaches);
}
