//! Configuration: files and environment to one checked [`Config`]. Only this module reads the environment.
//!
//! Order: files merged (`files`, `tree`), environment laid over (`overlay`), read into typed values with every
//! problem noted (`read`, `raw`), then checked as a whole (`check`). A run shows all problems, never the first
//! only. Files that cannot be read as TOML are told alone: what would follow from them is guesses.

mod check;
pub mod checked;
mod files;
mod overlay;
mod print;
mod problem;
mod raw;
mod read;
mod reference;
pub mod secret;
mod section;
mod shape;
mod tree;
mod value;

use std::path::{Path, PathBuf};

pub use checked::*;
pub use print::effective;
pub use problem::{Origin, Problem, Problems};
pub use read::Effective;
pub use reference::Environment;
pub use secret::Secret;

use read::{Reader, Value};

/// A configuration that may be used, and how it came about.
pub struct Loaded {
    /// The values.
    pub config: Config,
    /// Every value as shown by `check --print`, in the order of the documentation.
    pub effective: Vec<Effective>,
}

/// Reads and checks files and folders, later ones over earlier ones, then the environment over all.
///
/// # Errors
/// Every problem, each with its key, its origin and the way out.
pub fn load(paths: &[PathBuf], environment: &Environment) -> Result<Loaded, Problems> {
    let mut problems = Vec::new();
    let mut root = files::read(paths, &mut problems);
    if !problems.is_empty() {
        return Err(Problems(problems));
    }
    overlay::apply(&mut root, &raw::File::shape(), environment, &mut problems);
    let mut reader = Reader::new(environment);
    let config = raw::File::read(&root, "", &mut reader).and_then(|file| check::config(file, &mut reader));
    problems.append(&mut reader.problems);
    match config {
        Some(mut config) if problems.is_empty() => {
            config.backup.settings = files::named(paths);
            Ok(Loaded { config, effective: reader.effective })
        }
        _ => Err(Problems(problems)),
    }
}

/// What holds for a gateway's data alone, where its configuration is not at hand: the defaults, and the folder. No
/// sources, chains or tokens.
///
/// # Errors
/// Only when the defaults contradict each other, which a test rules out.
pub fn of_folder(folder: &Path) -> Result<Config, Problems> {
    // A configuration needs a source. This one is taken out again: nothing is ever served from here.
    const TEXT: &str =
        "[[sources]]\nname = \"none\"\nprovider = \"stripe\"\npath = \"/none\"\nsecrets = [\"env:NONE\"]";
    let environment = Environment::from([("NONE".to_owned(), "never-used-to-sign-0000".to_owned())]);
    let mut problems = Vec::new();
    let root = tree::parse_file(Path::new("defaults"), TEXT, &mut problems);
    let mut reader = Reader::new(&environment);
    let config = raw::File::read(&root, "", &mut reader).and_then(|file| check::config(file, &mut reader));
    problems.append(&mut reader.problems);
    match config {
        Some(mut config) if problems.is_empty() => {
            config.sources.clear();
            config.evidence.path = folder.join("evidence");
            config.ledger.path = folder.join("ledger.db");
            config.backup.path = folder.join("backups");
            config.data_dir = folder.to_owned();
            Ok(config)
        }
        _ => Err(Problems(problems)),
    }
}

/// The process's environment. Names and values that are not UTF-8 are left out.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
pub fn environment() -> Environment {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// The JSON Schema (draft 2020-12) of a configuration file.
#[must_use]
pub fn schema() -> serde_json::Value {
    shape::document(&raw::File::fields())
}

/// A duration with its unit, as in the files (`500ms`, `30s`, `1h`), at most ten years: for command lines and requests.
///
/// # Errors
/// What is wrong with the text.
pub fn duration(text: &str) -> Result<std::time::Duration, String> {
    use read::Text;
    value::Span::<0, 315_360_000_000>::parse(text).map(|span| span.0)
}

#[cfg(test)]
mod tests;
