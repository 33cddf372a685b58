//! Files over files, the environment over files.

use super::{SOUND, environment, folder, printed, problems, sound};
use crate::config::load;

#[test]
fn later_files_override_and_sources_merge_by_name() {
    let second = r#"
[[sources]]
name = "erp"
provider = "hmac"
path = "/erp"
header = "x-signature"
secrets = ["env:S"]
[[sources]]
name = "stripe-eu"
path = "/moved"
[forward]
timeout = "1s"
"#;
    // In name order, whatever the order of writing; what is not *.toml is left alone.
    let (folder, _) = folder(&[("20.toml", second), ("10.toml", SOUND), ("notes.txt", "[")]);
    let loaded =
        load(&[folder.path().to_path_buf()], &environment(&[])).unwrap_or_else(|problems| panic!("{problems}"));
    let sources = &loaded.config.sources;
    assert_eq!((sources[0].name.as_str(), sources[0].path.as_str()), ("stripe-eu", "/moved"));
    assert_eq!(sources[0].secrets.len(), 1);
    assert_eq!((sources[1].name.as_str(), sources[1].realm.as_str()), ("erp", "erp"));
    assert!(printed(&loaded).contains("20.toml, line 10\n"), "{}", printed(&loaded));
    assert_eq!(loaded.config.destinations["default"].timeout.as_secs(), 1);
    assert!(loaded.config.destinations["default"].url.is_some());
}

#[test]
fn a_missing_file_and_an_empty_folder_are_named() {
    let empty = tempfile::tempdir().unwrap();
    let nowhere = empty.path().join("none.toml");
    let all = load(&[nowhere, empty.path().to_path_buf()], &environment(&[])).err().unwrap();
    assert_eq!(all.0.len(), 2, "{all}");
    assert!(all.to_string().contains("holds no *.toml"), "{all}");
}

#[test]
fn variables_override_keys_names_and_lists() {
    let loaded = sound(
        SOUND,
        &[
            ("TOLLGATE__DATA_DIR", "/var/lib/gate"),
            ("TOLLGATE_FORWARD__URL", "https://other.example/x"),
            ("TOLLGATE_FORWARD__RATE", "9"),
            ("TOLLGATE_FORWARD__BACKOFF__FIRST", "3s"),
            ("TOLLGATE_SOURCES__STRIPE_EU__SECRETS", r#"["env:NEW", { ref = "env:S", name = "old" }]"#),
            ("TOLLGATE_CHAINS__BASE__RPC__B__URL", "https://c.example"),
            ("TOLLGATE_VERIFICATION__REQUIRE_EXPECTATION", "true"),
            ("TOLLGATE_ADMIN_TOKEN", "no override: it holds no double underscore"),
            ("NEW", "new-secret"),
        ],
    );
    let config = &loaded.config;
    assert_eq!(config.evidence.path.to_str(), Some("/var/lib/gate/evidence"));
    let to = &config.destinations["default"];
    assert_eq!((to.url.as_deref(), to.rate, to.backoff_first.as_secs()), (Some("https://other.example/x"), Some(9), 3));
    assert_eq!(config.sources[0].secrets[0].secret.expose(), "new-secret");
    assert_eq!(config.sources[0].secrets[1].name, "old");
    assert_eq!(config.chains["base"].nodes[1].url.expose(), "https://c.example/");
    assert!(printed(&loaded).contains("forward.rate = 9  # env TOLLGATE_FORWARD__RATE\n"));
}

#[test]
fn variables_that_reach_nothing_are_errors() {
    for (variable, value, words) in [
        ("TOLLGATE_FORWARD__URI", "x", ["URL, SECRETS", "did you mean URL"]),
        ("TOLLGATE_FORWRD__URL", "x", ["found FORWRD", "did you mean FORWARD"]),
        ("TOLLGATE_SOURCES__STRIPE_US__PATH", "/x", ["found STRIPE_US", "did you mean STRIPE_EU"]),
        ("TOLLGATE_CHAINS__POLYGON__AGREE", "2", ["found POLYGON", "named in a file"]),
        ("TOLLGATE_FORWARD__URL__HOST", "x", ["to end before HOST", "remove __HOST"]),
        ("TOLLGATE_SOURCES__STRIPE_EU__SECRETS", "env:S", ["list or table as TOML", "[\"file:/run/secrets/a\"]"]),
    ] {
        let all = problems(SOUND, &[(variable, value)]);
        assert_eq!(all.0.len(), 1, "{all}");
        assert_eq!(all.0[0].key, variable);
        for word in words {
            assert!(all.to_string().contains(word), "{word:?} not in\n{all}");
        }
    }
}

#[test]
fn a_bad_value_from_a_variable_names_the_variable_and_the_key() {
    let all = problems(SOUND, &[("TOLLGATE_INGRESS__MAX_CONNECTIONS", "many")]);
    let shown = all.to_string();
    assert!(shown.contains("ingress.max_connections (env TOLLGATE_INGRESS__MAX_CONNECTIONS)"), "{shown}");
    assert!(shown.contains("from 1 to 65536"), "{shown}");
}
