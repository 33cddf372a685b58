//! `[forward.tls]`: certificates and keys are read, held against each other, and never shown.

use super::{printed, problems, sound};
use crate::config::Loaded;

/// A certificate and its key, in PEM.
pub(super) fn pair() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(vec!["core.example.com".to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

fn with(tls: &str) -> String {
    format!("{}\n{tls}\n", super::SOUND)
}

const ALL: &str = "tls = { ca = \"env:CA\", cert = \"env:CERT\", key = \"env:KEY_OF_CERT\" }";

#[test]
fn a_destination_has_authorities_and_a_certificate_of_its_own() {
    let (ca, _) = pair();
    let (cert, key) = pair();
    let two = format!("text around is left out\n{ca}\n{cert}");
    let loaded = sound(&with(ALL), &[("CA", &two), ("CERT", &cert), ("KEY_OF_CERT", &key)]);
    let tls = |loaded: &Loaded, name: &str| {
        let tls = &loaded.config.destinations[name].tls;
        (tls.ca.len(), tls.identity.is_some())
    };
    assert_eq!(tls(&loaded, "default"), (2, true));
    let text = printed(&loaded);
    for line in ["tls.ca = (2 certificates) from env:CA", "tls.cert = (1 certificate) from env:CERT"] {
        assert!(text.contains(line), "{line} in:\n{text}");
    }
    assert!(text.contains("(secret from env:KEY_OF_CERT)"), "{text}");
    let secret_line = key.lines().nth(1).unwrap();
    assert!(!text.contains(secret_line), "{text}");

    let named = "[forward.to.second]\nurl = \"https://b.example\"\n[forward.to.second.tls]\nca = \"env:CERT\"";
    let loaded = sound(&with(&format!("{ALL}\n{named}")), &[("CA", &two), ("CERT", &cert), ("KEY_OF_CERT", &key)]);
    assert_eq!((tls(&loaded, "default"), tls(&loaded, "second")), ((2, true), (1, true)), "laid over [forward]");
}

#[test]
fn without_it_the_machine_decides_and_nothing_of_ours_is_shown() {
    let loaded = sound(super::SOUND, &[]);
    let tls = &loaded.config.destinations["default"].tls;
    assert_eq!((tls.ca.len(), tls.identity.is_some()), (0, false));
}

/// The key, words of the problem, and what is behind the three references.
#[test]
fn what_does_not_fit_together_is_refused_with_the_way_out() {
    let (cert, key) = pair();
    let (_, other) = pair();
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----";
    let open = "-----BEGIN CERTIFICATE-----\nAAAA\n";
    let cases: [(&str, &str, [&str; 3], &[&str]); 9] = [
        (ALL, "forward.tls.key", [&cert, &cert, &other], &["first certificate in tls.cert", "found another"]),
        (ALL, "forward.tls.key", [&cert, &cert, "none"], &["private key in PEM", "PKCS#8", "passphrase"]),
        (ALL, "forward.tls.key", [&cert, &cert, &cert], &["private key in PEM"]),
        (ALL, "forward.tls.ca", [broken, &cert, &key], &["env:CA", "certificate 1", "no X.509"]),
        (ALL, "forward.tls.ca", [open, &cert, &key], &["PEM is damaged"]),
        (ALL, "forward.tls.cert", [&cert, &key, &key], &["BEGIN CERTIFICATE"]),
        ("tls = { cert = \"env:CERT\" }", "forward.tls.key", [&cert, &cert, &key], &["key = \"file:PATH\""]),
        ("tls = { key = \"env:KEY_OF_CERT\" }", "forward.tls.cert", [&cert, &cert, &key], &["cert = \"file:PATH\""]),
        ("tls = { ca = \"/etc/ca.pem\" }", "forward.tls.ca", [&cert, &cert, &key], &["/etc/ca.pem", "file:"]),
    ];
    for (tls, at, [ca, cert, key], words) in cases {
        let found = problems(&with(tls), &[("CA", ca), ("CERT", cert), ("KEY_OF_CERT", key)]);
        let text = found.to_string();
        assert!(text.contains(at), "{at} in:\n{text}");
        for word in words {
            assert!(text.contains(word), "{word} in:\n{text}");
        }
        assert!(!text.contains(key.lines().nth(1).unwrap_or("PRIVATE KEY")), "{text}");
    }
}

#[test]
fn a_destination_in_the_open_cannot_have_it() {
    let (cert, _) = pair();
    let text = with("tls = { ca = \"env:CA\" }")
        .replace("https://core.example.com/in?token=hidden-in-query", "http://127.0.0.1:8000/in");
    let found = problems(&text, &[("CA", &cert)]).to_string();
    for word in ["forward.url", "expected https", "nothing would be encrypted"] {
        assert!(found.contains(word), "{word} in:\n{found}");
    }
}
