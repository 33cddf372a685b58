use super::{Args, OutputArgs, report};
use crate::cli::Exit;
use crate::config::Environment;

const SMALL: &str = "[[sources]]\nname = \"a\"\nprovider = \"stripe\"\npath = \"/a\"\nsecrets = [\"env:S\"]\n";

fn args(config: Vec<std::path::PathBuf>, print: bool, schema: bool) -> Args {
    Args { config, print, schema, rpc: false, output: OutputArgs::default() }
}

fn run(text: &str, print: bool) -> Result<String, crate::cli::Failure> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gate.toml");
    std::fs::write(&path, text).unwrap();
    let environment: Environment = [("S".to_owned(), "top-secret-text".to_owned())].into();
    report(&args(vec![path], print, false), &environment)
}

#[test]
fn a_sound_configuration_is_summed_up() {
    let text = run(SMALL, false).unwrap();
    assert!(text.starts_with("configuration ok\n"), "{text}");
    assert!(text.contains("a (stripe) at /a → default"), "{text}");
    assert!(text.contains("default waits to be pulled"), "{text}");
}

#[test]
fn print_tells_values_and_hides_secrets() {
    let text = run(SMALL, true).unwrap();
    assert!(text.contains("sources.a.secrets[0] = (secret from env:S)"), "{text}");
    assert!(!text.contains("top-secret-text"), "{text}");
}

#[test]
fn deny_lists_are_read_and_summed_up() {
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("deny.txt");
    let with_list = format!("{SMALL}[verification.screening]\nfiles = [\"{}\"]\n", list.display());
    std::fs::write(&list, "0x52908400098527886E0F7030069857D2E4169EE7\n").unwrap();
    let text = run(&with_list, false).unwrap();
    assert!(text.contains("deny list    deny.txt of ") && text.contains(" with 1 addresses, sha256 "), "{text}");
    std::fs::write(&list, "\n\n0x5290\n").unwrap();
    let failure = run(&with_list, true).unwrap_err();
    assert_eq!(failure.exit, Exit::Usage);
    assert!(failure.message.contains("deny.txt: line 3: expected an address"), "{failure}");
}

#[test]
fn problems_end_with_exit_code_2() {
    let failure = run("[ingress]\nmax_body = 1\n", false).unwrap_err();
    assert_eq!(failure.exit, Exit::Usage);
    assert!(failure.message.contains("ingress.max_body") && failure.message.contains("sources"), "{failure}");
}

#[test]
fn the_schema_needs_no_file() {
    let args = args(Vec::new(), false, true);
    let schema: serde_json::Value = serde_json::from_str(&report(&args, &Environment::new()).unwrap()).unwrap();
    assert!(schema["properties"]["ingress"]["properties"]["listen"].is_object());
}
