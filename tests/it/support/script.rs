//! Runs a script of the tests with the npm or Python packages of the checkout.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde::de::DeserializeOwned;
use tollgate::demo::parts::Parts;

/// What a node script (its path under `tests/it`) writes after it has read the input.
pub(crate) fn run<T: DeserializeOwned>(script: &str, packages: &[&str], input: &[u8]) -> T {
    let parts = Parts::find().unwrap_or_else(|missing| panic!("{missing}"));
    for package in packages {
        let there = parts.folder().join(package).join("package.json").is_file();
        assert!(there, "the npm package {package} is missing: run `scripts/bootstrap parts` in the checkout");
    }
    let mut command = Command::new("node");
    command.env("NODE_PATH", parts.folder());
    answer(command, script, input)
}

/// What a Python script (its path under `tests/it`) writes after it has read the input.
pub(crate) fn run_python<T: DeserializeOwned>(script: &str, input: &[u8]) -> T {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join(".python/bin/python");
    assert!(
        Path::new(env!("CARGO_MANIFEST_DIR")).join(".python/requirements.txt").is_file(),
        "the Python packages are missing: run `scripts/bootstrap parts` in the checkout"
    );
    let mut command = Command::new(python);
    // Nothing of the machine's own packages.
    command.arg("-I");
    answer(command, script, input)
}

fn answer<T: DeserializeOwned>(mut command: Command, script: &str, input: &[u8]) -> T {
    let script = format!("./tests/it/{script}");
    let mut child = command
        .arg(&script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{script} does not start ({error}): run `scripts/bootstrap parts`"));
    // The scripts read all of their input before they write, so that this cannot block on a full pipe.
    child.stdin.take().expect("its input").write_all(input).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("it writes JSON")
}
