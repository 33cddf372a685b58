//! References, secrets, and what messages may tell of them.

use super::{SOUND, environment, folder, problems, sound};
use crate::config::load;

#[test]
fn a_file_loses_one_newline_and_starts_from_the_configuration() {
    for (written, wanted) in
        [("abc", "abc"), ("abc\n", "abc"), ("abc\r\n", "abc"), ("abc\n\n", "abc\n"), (" abc ", " abc ")]
    {
        let text = SOUND.replace("env:S\"", "file:secrets/s\"");
        let (folder, paths) = folder(&[("gate.toml", &text)]);
        std::fs::create_dir(folder.path().join("secrets")).unwrap();
        std::fs::write(folder.path().join("secrets/s"), written).unwrap();
        let loaded = load(&paths, &environment(&[])).unwrap_or_else(|problems| panic!("{problems}"));
        assert_eq!(loaded.config.sources[0].secrets[0].secret.expose(), wanted);
    }
}

#[test]
fn any_text_may_be_or_contain_a_reference() {
    let text = SOUND.to_owned()
        + "concurrency = \"env:N\"\n[ingress]\nlisten = \"${env:HOST}:${env:PORT}\"\n[verification]\nrequire_expectation = \"env:T\"\n";
    let config = sound(&text, &[("N", "7"), ("HOST", "127.0.0.1"), ("PORT", "81"), ("T", "true")]).config;
    assert_eq!(config.destinations["default"].concurrency, 7);
    assert_eq!(config.ingress.listen, "127.0.0.1:81".parse().unwrap());
    assert_eq!(config.chains["base"].nodes[0].url.expose(), "https://a.example/v2/node-key-text");
}

#[test]
fn a_reference_that_leads_nowhere_is_named() {
    for (reference, words) in [("env:NOPE", ["variable NOPE", "set NOPE"]), ("file:/nope/x", ["/nope/x", "create it"])]
    {
        let all = problems(&SOUND.replace("env:S", reference), &[]);
        assert_eq!(all.0.len(), 1, "{all}");
        assert_eq!(all.0[0].key, "sources.stripe-eu.secrets[0]");
        for word in words {
            assert!(all.to_string().contains(word), "{all}");
        }
    }
    let all = problems(&(SOUND.to_owned() + "[ingress]\nlisten = \"${PORT}\"\n"), &[]);
    assert!(all.to_string().contains("write ${env:NAME}"), "{all}");
}

#[test]
fn secrets_in_the_file_are_refused_without_repeating_them() {
    let all = problems(&SOUND.replace("env:S", "plain-secret-text"), &[]);
    let shown = all.to_string();
    assert!(shown.contains("sources.stripe-eu.secrets[0]") && shown.contains("\"file:/run/secrets/NAME\""), "{shown}");
    assert!(!shown.contains("plain-secret-text"), "{shown}");
}

#[test]
fn a_secret_may_be_a_reference_in_braces() {
    let config = sound(&SOUND.replace("env:S\"", "${env:S}\""), &[("S", "the secret")]).config;
    let entry = &config.sources[0].secrets[0];
    assert_eq!((entry.secret.expose(), entry.name.as_str()), ("the secret", "s"));
}

#[test]
fn a_secret_may_not_be_put_together_from_parts() {
    for parts in ["x${env:S}", "${env:S}x", "${env:S}${env:S}", "${S}"] {
        let all = problems(&SOUND.replace("env:S\"", &format!("{parts}\"")), &[]);
        assert!(all.to_string().contains("reference to a secret"), "{parts}: {all}");
    }
}

#[test]
fn blank_secrets_are_refused() {
    for blank in ["", " ", "\n", "\t\n"] {
        let all = problems(SOUND, &[("S", blank)]);
        assert_eq!(all.0.len(), 1, "{all}");
        assert!(all.to_string().contains("nothing but blanks"), "{all}");
    }
}

#[test]
fn a_file_that_is_too_large_or_not_text_is_refused() {
    let text = SOUND.replace("env:S\"", "file:s\"");
    let large = "a".repeat(65 * 1024);
    for bytes in [large.as_bytes(), &[0xff, 0xfe]] {
        let (folder, paths) = folder(&[("gate.toml", &text)]);
        std::fs::write(folder.path().join("s"), bytes).unwrap();
        let all = load(&paths, &environment(&[])).err().unwrap();
        assert!(all.to_string().contains("expected a readable text file"), "{all}");
    }
}

#[test]
fn messages_hide_what_references_hold_and_what_urls_carry() {
    let text = SOUND.to_owned() + "[ingress]\nlisten = \"env:SECRETIVE\"\nbody_timeout = \"${env:SECRETIVE}s\"\n";
    let shown = problems(&text, &[("SECRETIVE", "do-not-tell")]).to_string();
    assert!(shown.contains("the value of env:SECRETIVE") && shown.contains("a text with references"), "{shown}");
    assert!(!shown.contains("do-not-tell"), "{shown}");

    for url in ["ftp://user:pass@host.example/key-1", "https://host.example/key-1#x", "http//key-1", "https://:key-1"] {
        let shown = problems(&SOUND.replace("https://b.example", url), &[]).to_string();
        assert!(shown.contains("chains.base.rpc.b.url"), "{shown}");
        assert!(!shown.contains("key-1") && !shown.contains("pass"), "{shown}");
    }
}
