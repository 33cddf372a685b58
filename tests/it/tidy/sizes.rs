//! How large files and functions may be, how files are named, and how they open.

use super::assert_clean;
use super::scan::functions;
use super::tree::sources;

/// Lines of one file, tests included.
const FILE_LINES_MAX: usize = 500;

/// Lines of one function, signature and braces included; test code may tell a longer story.
const FUNCTION_LINES_MAX: usize = 70;

#[test]
fn no_file_is_longer_than_five_hundred_lines() {
    let long = |path: &str, lines: usize| format!("{path} has {lines} lines, at most {FILE_LINES_MAX}: split it");
    let breaches: Vec<_> = sources()
        .iter()
        .map(|source| (&source.path, source.text.lines().count()))
        .filter(|(_, lines)| FILE_LINES_MAX < *lines)
        .map(|(path, lines)| long(path, lines))
        .collect();
    assert_clean("file size", &breaches);
}

#[test]
fn no_function_is_longer_than_seventy_lines() {
    let mut breaches = Vec::new();
    for source in sources().iter().filter(|source| !source.is_test) {
        for function in functions(&source.shipped_code()) {
            if FUNCTION_LINES_MAX < function.lines {
                let (name, line, lines) = (function.name, function.line, function.lines);
                breaches.push(format!("{}:{line} {name} has {lines} lines, at most {FUNCTION_LINES_MAX}", source.path));
            }
        }
    }
    assert_clean("function size", &breaches);
}

/// A file of unit tests belongs to the module above it, which says what it is.
#[test]
fn every_file_says_first_what_it_is() {
    let breaches: Vec<_> = sources()
        .iter()
        .filter(|source| !source.text.starts_with("//! ") && !source.path.ends_with("/tests.rs"))
        .map(|source| format!("{} does not open with `//!`: say what it is and what it must never do", source.path))
        .collect();
    assert_clean("opening comment", &breaches);
}

#[test]
fn module_files_stand_beside_their_folders() {
    let breaches: Vec<_> = sources()
        .iter()
        .filter(|source| source.path.ends_with("/mod.rs"))
        .map(|source| format!("{}: name it after its folder, beside it", source.path))
        .collect();
    assert_clean("module files", &breaches);
}
