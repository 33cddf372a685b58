//! The generic sender, with the published HMAC vectors of RFC 4231 where a tag is needed.

use serde_json::json;

use super::super::testing::{at, header_map, hmac_scheme, read, secret, source};
use super::super::{SecretError, Verifier};
use super::*;
use crate::config::Provider;

/// RFC 4231 test case 2: key "Jefe", data "what do ya want for nothing?".
const KEY: &str = "Jefe";
const DATA: &[u8] = b"what do ya want for nothing?";
const SHA256: &str = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
const SHA512: &str = "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737";

fn verify_with(scheme: HmacScheme, value: &str) -> Result<Verified, Rejection> {
    let header = scheme.header.clone();
    let mut source = source(Provider::Hmac(scheme));
    source.secrets = vec![secret("old", "another"), secret("jefe", KEY)];
    Verifier::new(&source).unwrap().verify(&header_map(&[(header, value.into())]), DATA, at(1_790_000_000))
}

#[test]
fn algorithm_encoding_and_prefix_are_as_configured() {
    let base64 = |tag: &str| STANDARD.encode(hex::decode(tag).unwrap());
    let scheme =
        |algorithm, encoding, prefix: &str| HmacScheme { algorithm, encoding, prefix: prefix.into(), ..hmac_scheme() };
    for (scheme, value, name) in [
        (scheme(Algorithm::Sha256, Encoding::Hex, "sha256="), format!("sha256={SHA256}"), "hmac-sha256"),
        (scheme(Algorithm::Sha256, Encoding::Hex, ""), SHA256.to_uppercase(), "hmac-sha256"),
        (scheme(Algorithm::Sha256, Encoding::Base64, ""), base64(SHA256), "hmac-sha256"),
        (scheme(Algorithm::Sha512, Encoding::Hex, ""), SHA512.into(), "hmac-sha512"),
        (scheme(Algorithm::Sha512, Encoding::Base64, "v1:"), format!("v1:{}", base64(SHA512)), "hmac-sha512"),
    ] {
        let verified = verify_with(scheme, &value).unwrap();
        assert_eq!((verified.scheme, &*verified.secret_name, verified.signed_at), (name, "jefe", None));
    }
    for value in [
        SHA256,
        &format!("sha256={SHA512}"),
        &format!("SHA256={SHA256}"),
        &format!("sha256={}", base64(SHA256)),
        "sha256=",
    ] {
        assert_eq!(verify_with(hmac_scheme(), value), Err(Rejection::Malformed), "{value}");
    }
    assert_eq!(verify_with(hmac_scheme(), &format!("sha256={}", "0".repeat(64))), Err(Rejection::Mismatch));
}

#[test]
fn secrets_end_at_their_time_of_arrival_and_blank_ones_never_start() {
    let mut source = source(Provider::Hmac(hmac_scheme()));
    source.secrets = vec![secret("jefe", KEY)];
    source.secrets[0].not_after = Some(at(1000));
    let verifier = Verifier::new(&source).unwrap();
    let headers = header_map(&[("x-signature".into(), format!("sha256={SHA256}"))]);
    assert!(verifier.verify(&headers, DATA, at(1000)).is_ok(), "its last second still counts");
    assert_eq!(
        verifier.verify(&headers, DATA, at(1001)),
        Err(Rejection::Mismatch),
        "and nothing says that it was live"
    );

    for blank in ["", " ", "\t\n"] {
        source.secrets = vec![secret("good", KEY), secret("bad", blank)];
        assert_eq!(Verifier::new(&source).err(), Some(SecretError::Blank { name: "bad".into() }));
    }
    source.secrets.clear();
    assert_eq!(Verifier::new(&source).err(), Some(SecretError::None));
}

#[test]
fn identity_is_what_the_pointers_name_else_the_body() {
    let body =
        json!({"type": "order.paid", "id": "o-1", "n": 7, "final": true, "empty": "", "data": {"list": ["a"]}, "x": 1});
    let with = |pointers: &[&str]| {
        let identity = pointers.iter().map(ToString::to_string).collect();
        source(Provider::Hmac(HmacScheme { identity, ..hmac_scheme() }))
    };
    let mut touched = body.clone();
    touched["x"] = json!(2);
    assert_ne!(read(&with(&[]), &body).identity, read(&with(&[]), &touched).identity);
    for pointers in [vec!["/id"], vec!["/n"], vec!["/final"], vec!["/id", "/data/list/0"]] {
        let source = with(&pointers);
        let event = read(&source, &body);
        assert_eq!(event.identity, read(&source, &touched).identity, "{pointers:?}");
        assert_eq!((event.kind, event.provider_type.as_str()), (Kind::Plain, "order.paid"));
    }
    assert_eq!(read(&with(&["/id"]), &body).provider_event_id.as_deref(), Some("o-1"));
    touched["id"] = json!("o-2");
    assert_ne!(read(&with(&["/id"]), &body).identity, read(&with(&["/id"]), &touched).identity);
    assert_ne!(read(&with(&["/id", "/n"]), &body).identity, read(&with(&["/n", "/id"]), &body).identity);
    for missing in ["/nope", "/data", "/data/list", "/empty", "/data/list/1"] {
        assert_eq!(read(&with(&["/id", missing]), &body).kind, Kind::Ended(Code::IdentityIncomplete), "{missing}");
    }
}

#[test]
fn types_are_filtered_and_unreadable_bodies_held() {
    let mut source = source(Provider::Hmac(hmac_scheme()));
    source.types.forward = vec!["order.*".into()];
    assert_eq!(read(&source, r#"{"event":"order.paid"}"#).kind, Kind::Plain);
    assert_eq!(read(&source, r#"{"type":"cart.left"}"#).kind, Kind::Ended(Code::TypeIgnored));
    assert_eq!(read(&source, "plain text").kind, Kind::Ended(Code::NotJson));
    assert_eq!(read(&source, r#"{"type":"order.paid","type":"order.paid"}"#).kind, Kind::Ended(Code::AmbiguousJson));
}
