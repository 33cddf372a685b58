//! `tollgate demo --once` tells every story as it ought to come out.

use std::path::Path;
use std::process::{Command, Stdio};

#[test]
fn the_demo_comes_out_right() {
    let output = Command::new(env!("CARGO_BIN_EXE_tollgate"))
        .args(["demo", "--once"])
        .current_dir(Path::new("."))
        .stdin(Stdio::null())
        .output()
        .expect("the program runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}\n{errors}");
    let stories: Vec<&str> = text.lines().filter(|line| line.starts_with("ok ") || line.starts_with("WRONG")).collect();
    assert!(stories.iter().all(|line| line.starts_with("ok ")), "{text}");
    for told in [
        "paid through ERC20FeeProxy",
        "the same body, another delivery id",
        "variant",
        "a forged signature",
        "underpaid",
        "paid to someone else",
        "look-alike contract",
        "Stripe charge",
    ] {
        assert!(stories.iter().any(|line| line.contains(told)), "{told:?} is not told:\n{text}");
    }
    assert!(!text.contains("VIOLATION") && text.contains("0 of them twice"), "{text}");
}
