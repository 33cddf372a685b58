//! Which files are read: `--config` repeats, a folder stands for its `*.toml` in name order, later ones override.

use std::path::{Path, PathBuf};

use super::problem::{Origin, Problem};
use super::tree::{Node, parse_file};

/// Largest configuration file, bytes.
const FILE_MAX: u64 = 4 * 1024 * 1024;

/// Reads and merges all files.
pub(super) fn read(paths: &[PathBuf], problems: &mut Vec<Problem>) -> Node {
    let mut root = Node::empty();
    for path in paths {
        match expand(path) {
            Ok(files) => {
                for file in files {
                    match text(&file) {
                        Ok(text) => root.lay(parse_file(&file, &text, problems)),
                        Err(why) => problems.push(unreadable(&file, &why)),
                    }
                }
            }
            Err(why) => problems.push(unreadable(path, &why)),
        }
    }
    root
}

/// The files that were read, for what copies them.
pub(super) fn named(paths: &[PathBuf]) -> Vec<PathBuf> {
    paths.iter().filter_map(|path| expand(path).ok()).flatten().collect()
}

fn expand(path: &Path) -> Result<Vec<PathBuf>, String> {
    if !path.is_dir() {
        return Ok(vec![path.to_path_buf()]);
    }
    let entries = std::fs::read_dir(path).map_err(|error| error.to_string())?;
    let mut files = Vec::new();
    for entry in entries {
        let file = entry.map_err(|error| error.to_string())?.path();
        if file.extension().is_some_and(|ending| ending == "toml") && file.is_file() {
            files.push(file);
        }
    }
    files.sort();
    if files.is_empty() { Err("the folder holds no *.toml".to_owned()) } else { Ok(files) }
}

fn text(path: &Path) -> Result<String, String> {
    let size = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
    if FILE_MAX < size {
        return Err(format!("it is larger than {} MiB", FILE_MAX >> 20));
    }
    std::fs::read_to_string(path).map_err(|error| error.to_string())
}

fn unreadable(path: &Path, why: &str) -> Problem {
    Problem {
        key: path.display().to_string(),
        origin: Origin::Default,
        message: format!("expected a readable TOML file, or a folder with *.toml; {why}"),
        help: "name it with --config, readable by this user; start from tollgate.example.toml".to_owned(),
    }
}
