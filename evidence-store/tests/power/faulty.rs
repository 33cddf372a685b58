//! A disk that can lose power and fail, below real RocksDB and real SQLite: `faulty.c` records every change that a
//! program makes to a folder and every fsync, and [`Model`] says what a power cut leaves at any moment of the record.
//!
//! Rust forbids `unsafe` here, so the part that stands between the program and libc is C, compiled with `cc` when a
//! test runs. It is never part of the product.

#[path = "faulty/model.rs"]
pub(crate) mod model;
#[path = "faulty/trace.rs"]
pub(crate) mod trace;

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

pub(crate) use model::{Model, Random, Survivors};

/// The compiled library.
pub(crate) struct Shim {
    folder: TempDir,
}

impl Shim {
    /// Compiles it.
    pub(crate) fn build() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let source = folder.path().join("faulty.c");
        std::fs::write(&source, include_str!("faulty/faulty.c")).expect("the source is written");
        let output = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-pthread", "-o"])
            .arg(folder.path().join("faulty.so"))
            .arg(&source)
            .output()
            .unwrap_or_else(|error| panic!("cc does not run ({error}): apt-get install -y gcc libc6-dev"));
        assert!(output.status.success(), "cc failed:\n{}", String::from_utf8_lossy(&output.stderr));
        Self { folder }
    }

    /// What a program's environment needs so that `root` lies on the disk.
    pub(crate) fn environment(&self, root: &Path, trace: &Path, rules: &str) -> [(&'static str, PathBuf); 4] {
        [
            ("LD_PRELOAD", self.folder.path().join("faulty.so")),
            ("FAULTY_ROOT", root.to_owned()),
            ("FAULTY_TRACE", trace.to_owned()),
            ("FAULTY_RULES", rules.into()),
        ]
    }
}
