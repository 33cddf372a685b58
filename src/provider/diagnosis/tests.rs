//! Every difference by vectors that another implementation signed, and what must never be found, shown or done.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::provider::testing::{WHSEC, at, every_provider, hmac_scheme, reference_payloads, secret, source};
use crate::provider::{example, sign};

const NOW: i64 = 1_790_000_000;
const REQUEST_NETWORK: &str = "f3c189a4b5e6d7f8a9b0c1d2e3f4a5b6c7d8e9f0a1b2c3d4e5f6a7b8c9d0e1f2";
const KEY: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

fn provider(name: &str) -> Provider {
    every_provider().into_iter().find(|provider| provider.name() == name).unwrap()
}

/// What the vectors are configured with: a live secret, one that ended, and another source.
fn configured(provider: &Provider) -> (Source, Vec<Source>) {
    let (current, older, theirs) = match provider {
        Provider::RequestNetwork => (REQUEST_NETWORK, "rn-older-secret-17", "rn-of-the-other"),
        Provider::Stripe | Provider::Hmac(_) => (KEY, "whsec_older", "whsec_theirs"),
        Provider::StandardWebhooks => (KEY, WHSEC, "whsec_qGWvMLJ74s2ocIjkUxA0XYBb+taEfXHGej3YO5PBeRY="),
    };
    let mut shop = source(provider.clone());
    shop.secrets = vec![secret("current", current), secret("older", older)];
    shop.secrets[1].not_after = Some(at(NOW - 86_400));
    let mut other = source(provider.clone());
    other.name = "other".into();
    other.secrets = vec![secret("theirs", theirs)];
    (shop.clone(), vec![shop, other])
}

fn headers(pairs: &[(String, String)]) -> Vec<(Bytes, Bytes)> {
    pairs.iter().map(|(name, value)| (Bytes::from(name.clone()), Bytes::from(value.clone()))).collect()
}

fn ask(provider: &Provider, headers: &[(Bytes, Bytes)], body: &[u8]) -> Diagnosis {
    let (shop, all) = configured(provider);
    let refused = Refused { headers, body, received: at(NOW) };
    diagnose(&shop, &all, &refused, at(NOW), &mut Budget::default())
}

#[test]
fn every_vector_is_told_apart() {
    let vectors: Vec<Value> = serde_json::from_str(include_str!("vectors.json")).unwrap();
    assert_eq!(vectors.len(), 59);
    for vector in &vectors {
        let name = vector["name"].as_str().unwrap();
        let pairs: Vec<(String, String)> = serde_json::from_value(vector["headers"].clone()).unwrap();
        let body = STANDARD.decode(vector["body_base64"].as_str().unwrap()).unwrap();
        let found = ask(&provider(vector["provider"].as_str().unwrap()), &headers(&pairs), &body);
        let Some(expected) = vector["secret"].as_str() else {
            assert_eq!(found.code(), "NO_MATCH", "{name}: {found:?}");
            continue;
        };
        let Diagnosis::Signed { source, secret, differences } = &found else { panic!("{name}: {found:?}") };
        assert_eq!((Some(source.as_str()), secret.as_str()), (vector["source"].as_str(), expected), "{name}");
        let codes: Vec<_> = differences.iter().map(Difference::code).collect();
        let wanted: Vec<String> = serde_json::from_value(vector["differences"].clone()).unwrap();
        assert_eq!(codes, wanted, "{name}: {found:?}");
        let said: String = differences.iter().map(|difference| format!("{difference}\n")).collect();
        assert!(said.contains(vector["says"].as_str().unwrap_or_default()), "{name}: {said}");
    }
}

#[test]
fn what_verification_takes_has_no_difference() {
    for provider in every_provider() {
        let (shop, _) = configured(&provider);
        for name in example::types(&provider) {
            let body = example::example(&provider, name).unwrap().to_string();
            let pairs = sign::headers(&provider, shop.secrets[0].secret.expose(), body.as_bytes(), at(NOW), "msg_1");
            let found = ask(&provider, &headers(&pairs), body.as_bytes());
            assert_eq!(found.code(), "SIGNED", "{name}: {found:?}");
        }
    }
}

/// The vectors of the providers' own suites: what they accept is found, what they refuse is explained or not found.
#[test]
fn the_refused_vectors_of_the_schemes_are_explained() {
    let vectors: Vec<Value> = serde_json::from_str(include_str!("../stripe/vectors.json")).unwrap();
    let explained = [
        ("s09-reserialised", "BODY_REWRITTEN"),
        ("s10-trailing-newline-added", "BODY_REWRITTEN"),
        ("s11-lf-to-crlf", "BODY_REWRITTEN"),
        ("s15-age-301", "TIME"),
        ("s19-future-3600", "TIME"),
    ];
    for (id, code) in explained {
        let vector = vectors.iter().find(|vector| vector["id"] == id).unwrap();
        let mut shop = source(Provider::Stripe);
        shop.secrets = vec![secret("only", vector["secrets"][0].as_str().unwrap())];
        let header = vector["header"].as_str().unwrap().to_owned();
        let sent = headers(&[("Stripe-Signature".to_owned(), header)]);
        let body = STANDARD.decode(vector["body_base64"].as_str().unwrap()).unwrap();
        let received = at(vector["now"].as_i64().unwrap());
        let refused = Refused { headers: &sent, body: &body, received };
        match diagnose(&shop, &[], &refused, received, &mut Budget::default()) {
            Diagnosis::Signed { differences, .. } => assert_eq!(differences[0].code(), code, "{id}"),
            other => panic!("{id}: {other:?}"),
        }
    }
    for id in ["s07-wrong-secret", "s08-tampered-amount", "s13-timestamp-altered", "s16-old-and-bad-signature"] {
        let vector = vectors.iter().find(|vector| vector["id"] == id).unwrap();
        let mut shop = source(Provider::Stripe);
        shop.secrets = vec![secret("only", vector["secrets"][0].as_str().unwrap())];
        let sent = headers(&[("stripe-signature".to_owned(), vector["header"].as_str().unwrap().to_owned())]);
        let body = STANDARD.decode(vector["body_base64"].as_str().unwrap()).unwrap();
        let refused = Refused { headers: &sent, body: &body, received: at(NOW) };
        let found = diagnose(&shop, &[], &refused, at(NOW), &mut Budget::default());
        assert_eq!(found.code(), "NO_MATCH", "{id}: {found:?}");
    }
}

#[test]
fn real_bodies_that_were_rewritten_are_recognised() {
    let mut payloads = reference_payloads("request-network");
    payloads.push(("fixture".to_owned(), br#"{"b": [1.50, 2e3], "a": {"z": "\u00e9", "y": []}}"#.to_vec()));
    for (name, signed) in payloads {
        let Ok(text) = std::str::from_utf8(&signed) else { continue };
        let pairs = sign::headers(&Provider::RequestNetwork, REQUEST_NETWORK, text.trim_end().as_bytes(), at(NOW), "1");
        let came = format!("{}\r\n", text.trim_end());
        let found = ask(&Provider::RequestNetwork, &headers(&pairs), came.as_bytes());
        assert_eq!(found.code(), "SIGNED_DIFFERENTLY", "{name}: {found:?}");
    }
}

#[test]
fn a_header_of_another_provider_is_pointed_at() {
    let stripe = headers(&[("Stripe-Signature".to_owned(), "t=1,v1=00".to_owned())]);
    let found = ask(&Provider::RequestNetwork, &stripe, b"{}");
    assert_eq!(found, Diagnosis::NoSignature { looks_like: Some("stripe") });
    let found = ask(&Provider::Stripe, &stripe, b"{}");
    assert_eq!(found, Diagnosis::NoSignature { looks_like: None }, "there is no tag in it");
    assert_eq!(ask(&Provider::Stripe, &[], b"{}"), Diagnosis::NoSignature { looks_like: None });
}

#[test]
fn other_providers_secrets_are_not_tried() {
    let (shop, _) = configured(&Provider::RequestNetwork);
    let (_, others) = configured(&Provider::Stripe);
    let tag = HmacKey::new(Algorithm::Sha256, KEY.as_bytes()).sign(&[b"{}"]);
    let sent = headers(&[(request_network::SIGNATURE_HEADER.to_owned(), hex::encode(tag))]);
    let refused = Refused { headers: &sent, body: b"{}", received: at(NOW) };
    assert_eq!(diagnose(&shop, &others, &refused, at(NOW), &mut Budget::default()).code(), "NO_MATCH");
}

#[test]
fn work_is_bounded_whatever_is_posted() {
    let sent = headers(&[(request_network::SIGNATURE_HEADER.to_owned(), "00".repeat(32))]);
    let large = vec![b'x'; BODY_BYTES_MAX + 1];
    assert_eq!(ask(&Provider::RequestNetwork, &sent, &large), Diagnosis::TooLarge);

    // Nested as deep as is read, and as wide as fits: indented it would be many times as large.
    let bomb = format!("{}{}{}", "[".repeat(60), "0,".repeat(120_000) + "0", "]".repeat(60));
    let (shop, all) = configured(&Provider::RequestNetwork);
    let refused = Refused { headers: &sent, body: bomb.as_bytes(), received: at(NOW) };
    let mut budget = Budget::default();
    assert_eq!(diagnose(&shop, &all, &refused, at(NOW), &mut budget).code(), "NO_MATCH");
    assert!(budget.0 < HASHED_BYTES_MAX && HASHED_BYTES_MAX / 4 < budget.0, "{}", budget.0);

    let mut small = Budget(3 * 240_000 + 4 * MAC_BYTES);
    assert_eq!(diagnose(&shop, &all, &refused, at(NOW), &mut small), Diagnosis::OutOfBudget);
    assert_eq!(diagnose(&shop, &all, &refused, at(NOW), &mut small), Diagnosis::OutOfBudget, "shared by a list");

    let tags = vec!["00".repeat(32); 100].join(",");
    let many = headers(&[(stripe::SIGNATURE_HEADER.to_owned(), format!("t=1,{tags}"))]);
    let sent = Sent::read(&Provider::Stripe, &many);
    assert_eq!(sent.tags.len(), 16);
}

#[test]
fn a_diagnosis_never_holds_a_secret_or_a_right_signature() {
    let vectors: Vec<Value> = serde_json::from_str(include_str!("vectors.json")).unwrap();
    for vector in &vectors {
        let pairs: Vec<(String, String)> = serde_json::from_value(vector["headers"].clone()).unwrap();
        let body = STANDARD.decode(vector["body_base64"].as_str().unwrap()).unwrap();
        let provider = provider(vector["provider"].as_str().unwrap());
        let found = ask(&provider, &headers(&pairs), &body);
        let mut said = format!("{found:?}");
        if let Diagnosis::Signed { differences, .. } = &found {
            said.extend(differences.iter().map(|difference| format!("{difference}")));
        }
        let (_, all) = configured(&provider);
        for entry in all.iter().flat_map(|source| &source.secrets) {
            let text = entry.secret.expose();
            assert!(!said.contains(text), "{said}");
            let bare = text.trim_start_matches("whsec_");
            assert!(bare.len() < 16 || !said.contains(bare), "{said}");
        }
        let tag = HmacKey::new(Algorithm::Sha256, REQUEST_NETWORK.as_bytes()).sign(&[&body]);
        assert!(!said.contains(&hex::encode(&tag)), "{said}");
    }
}

proptest! {
    #[test]
    fn nothing_that_is_posted_panics_or_matches(
        value in "(t=[0-9]{0,12},)?(v1|v1,|sha256|)?=?[0-9a-fA-F+/_=-]{0,90}[, ;]?[0-9a-f]{0,70}", body: Vec<u8>, time in "[0-9a-z.]{0,14}",
    ) {
        for provider in every_provider() {
            let names = [stripe::SIGNATURE_HEADER, request_network::SIGNATURE_HEADER, "x-signature", standard_webhooks::SIGNATURE_HEADER];
            let mut pairs: Vec<_> = names.map(|name| (name.to_owned(), value.clone())).to_vec();
            pairs.push((standard_webhooks::TIMESTAMP_HEADER.to_owned(), time.clone()));
            pairs.push((standard_webhooks::ID_HEADER.to_owned(), time.clone()));
            let found = ask(&provider, &headers(&pairs), &body);
            prop_assert!(!matches!(found, Diagnosis::Signed { .. }), "{found:?}");
        }
    }

    /// Whatever style JSON is signed in, it is recognised in whatever style it comes.
    #[test]
    fn restyled_json_is_recognised(keys in prop::collection::btree_map("[a-z\"\\\\{}:,é/]{0,6}", "[ -~é\u{1f600}]{0,8}", 0..6), signed_as in 0..3usize, came_as in 0..3usize) {
        let value = serde_json::json!({"list": [1, 2.5, {}], "empty": [], "of": keys});
        let styles = [value.to_string(), serde_json::to_string_pretty(&value).unwrap(), value.to_string() + "\n"];
        let (signed, came) = (&styles[signed_as], &styles[came_as]);
        let scheme = Provider::Hmac(hmac_scheme());
        let pairs = sign::headers(&scheme, KEY, signed.as_bytes(), at(NOW), "1");
        let found = ask(&scheme, &headers(&pairs), came.as_bytes());
        let expected = if signed == came { "SIGNED" } else { "SIGNED_DIFFERENTLY" };
        let reached = signed_as < 2 || came_as != 1;
        prop_assert!(!reached || found.code() == expected, "{found:?}\n{signed}\n{came}");
    }
}
