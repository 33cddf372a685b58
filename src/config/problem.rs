//! What is wrong with a configuration, and where it came from. Never holds the text of a secret.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where a value was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nowhere: the default, or derived from another value.
    Default,
    /// In a file.
    File {
        /// As given on the command line, or inside the folder given there.
        path: Arc<Path>,
        /// Counted from 1.
        line: usize,
    },
    /// In an environment variable.
    Env(Arc<str>),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "file {}, line {line}", path.display()),
            Self::Env(name) => write!(f, "env {name}"),
        }
    }
}

impl Origin {
    /// The folder that relative references start from; none is the working directory.
    pub(super) fn folder(&self) -> Option<PathBuf> {
        match self {
            Self::File { path, .. } => path.parent().map(Path::to_path_buf),
            Self::Default | Self::Env(_) => None,
        }
    }
}

/// One thing to mend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Full path of the key, `sources.stripe-eu.path`; the name of a file or variable when there is no key.
    pub key: String,
    /// Where it was written; [`Origin::Default`] when it was not.
    pub origin: Origin,
    /// What was expected and what was found.
    pub message: String,
    /// The way out.
    pub help: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.key)?;
        if self.origin != Origin::Default {
            write!(f, " ({})", self.origin)?;
        }
        write!(f, "\n  {}\n  help: {}", self.message, self.help)
    }
}

/// All problems of a configuration; at least one.
#[derive(Clone, Debug, thiserror::Error)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.0 {
            writeln!(f, "{problem}")?;
        }
        match self.0.len() {
            1 => f.write_str("1 problem in the configuration"),
            many => write!(f, "{many} problems in the configuration"),
        }
    }
}
