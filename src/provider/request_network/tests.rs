//! Request Network: the signature vectors, identities and variants, and the catalogue.

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::testing::{at, header_map, read, reference_payloads, secret, source, stored};
use super::super::{Verifier, interpret, retry_count};
use super::*;
use crate::config::Provider;

#[derive(Deserialize)]
struct Vector {
    name: String,
    secret: String,
    body: String,
    signature: String,
    valid: bool,
}

fn verifier(secrets: &[&str]) -> Verifier {
    let mut source = source(Provider::RequestNetwork);
    source.secrets = secrets.iter().enumerate().map(|(n, text)| secret(&format!("s{n}"), text)).collect();
    Verifier::new(&source).unwrap()
}

fn signed(value: &str) -> HeaderMap {
    header_map(&[(SIGNATURE_HEADER.into(), value.into())])
}

#[test]
fn every_signature_vector_is_judged_as_documented() {
    let vectors: Vec<Vector> = serde_json::from_str(include_str!("vectors.json")).unwrap();
    assert_eq!(vectors.iter().filter(|vector| vector.valid).count(), 3);
    assert_eq!(vectors.len(), 7);
    for Vector { name, secret, body, signature, valid } in &vectors {
        let verdict = verifier(&[secret]).verify(&signed(signature), body.as_bytes(), at(0));
        assert_eq!(verdict.is_ok(), *valid, "{name}");
        assert!(*valid || verdict == Err(Rejection::Mismatch), "{name}");
        let upper =
            verifier(&["other", secret]).verify(&signed(&signature.to_uppercase()), body.as_bytes(), at(1 << 33));
        assert_eq!(upper.is_ok(), *valid, "{name}: either case, any age");
        if let Ok(verified) = upper {
            assert_eq!((&*verified.secret_name, verified.signed_at), ("s1", None));
        }
    }
}

#[test]
fn a_signature_in_any_other_form_is_malformed() {
    let tag = "0240837a2f38391a2785dda2ab0edc837c5a6f0dae0eca63a9da91961f9b480c";
    for value in [
        tag.trim_start_matches('0'),
        &format!("{tag}00"),
        &format!("sha256={tag}"),
        &format!(" {tag}"),
        "zz",
        &"g".repeat(64),
    ] {
        assert_eq!(verifier(&["k"]).verify(&signed(value), b"", at(0)), Err(Rejection::Malformed), "{value}");
    }
    assert_eq!(verifier(&["k"]).verify(&HeaderMap::new(), b"", at(0)), Err(Rejection::Missing));
    assert_eq!(verifier(&["k"]).verify(&signed(""), b"", at(0)), Err(Rejection::Missing));
}

fn confirmed() -> Value {
    json!({"event": "payment.confirmed", "requestId": format!("01{}", "ab".repeat(32)),
           "paymentReference": "0x2c3366941274c34c", "txHash": format!("0x{}", "cd".repeat(32)), "network": "base",
           "amount": "100.0", "currency": "USD", "paymentCurrency": "USDC", "payerAddress": "0x11", "isCryptoToFiat": false})
}

fn with(changes: &[(&str, Value)]) -> Value {
    let mut body = confirmed();
    for (key, value) in changes {
        body[*key] = value.clone();
    }
    body
}

fn event(changes: &[(&str, Value)]) -> Interpretation {
    read(&source(Provider::RequestNetwork), with(changes))
}

#[test]
fn rule_2_one_payment_is_one_identity_in_every_dress() {
    let id = format!("01{}", "AB".repeat(32));
    let first = event(&[]).identity;
    for dress in [
        vec![("event", json!("payment.partial"))],
        vec![("event", json!("payment.confirmed.client_id")), ("clientId", json!("cli_1"))],
        vec![("event", json!("payment.confirmed.checkout"))],
        vec![("event", json!("payment.partial.client_id"))],
        vec![("event", json!("payment.partial.checkout"))],
        vec![("requestId", json!(id))],
        vec![("requestId", json!(null)), ("requestID", json!(id))],
        vec![("requestID", json!(id))],
        vec![("requestId", json!(format!("0x{id}")))],
        vec![("paymentReference", json!("2C3366941274C34C"))],
        vec![("txHash", json!("CD".repeat(32)))],
        vec![("amount", json!("1.0")), ("network", json!("mainnet")), ("payerAddress", json!(null))],
        vec![("isCryptoToFiat", json!(true))],
    ] {
        assert_eq!(event(&dress).identity, first, "{dress:?}");
    }
    for other in [
        ("txHash", json!("ce".repeat(32))),
        ("paymentReference", json!("0x2c3366941274c34d")),
        ("requestId", json!(format!("02{}", "ab".repeat(32)))),
    ] {
        assert_ne!(event(std::slice::from_ref(&other)).identity, first, "{other:?}");
    }
}

#[test]
fn a_money_event_is_a_claim_with_the_fields_as_sent() {
    let Kind::Claim(claim) = event(&[]).kind else { panic!("no claim") };
    assert_eq!(claim.basis, Basis::Reference);
    assert_eq!(claim.tx_hash, format!("0x{}", "cd".repeat(32)));
    assert_eq!(claim.payment_reference.unwrap().as_bytes(), [0x2c, 0x33, 0x66, 0x94, 0x12, 0x74, 0xc3, 0x4c]);
    assert_eq!(claim.request_id.unwrap(), format!("01{}", "ab".repeat(32)));
    assert_eq!((claim.network.as_str(), claim.currency.as_deref()), ("base", Some("USDC")));
    assert_eq!((claim.amount.as_deref(), claim.payer.as_deref()), (Some("100.0"), Some("0x11")));
    let number = read(&source(Provider::RequestNetwork), confirmed().to_string().replace("\"100.0\"", "100.00"));
    assert!(matches!(number.kind, Kind::Claim(Claim { amount: Some(text), .. }) if text == "100.00"));
}

/// Rule 9: the type decides; the one flag that is read can only hold.
#[test]
fn rule_9_the_fiat_leg_is_held_under_the_payments_identity() {
    for flag in [json!(true), json!("true"), json!(1), json!("false")] {
        assert_eq!(event(&[("isCryptoToFiat", flag)]).kind, Kind::Ended(Code::FiatLeg));
    }
    for flag in [json!(false), json!(null)] {
        assert!(matches!(event(&[("isCryptoToFiat", flag)]).kind, Kind::Claim(_)));
    }
    for stray in [("subStatus", json!("failed")), ("network", json!(null)), ("livemode", json!(false))] {
        assert!(matches!(event(&[stray]).kind, Kind::Claim(_)), "no other field changes what a type claims");
    }
}

#[test]
fn a_missing_part_of_the_identity_holds_the_event() {
    let held = Kind::Ended(Code::IdentityIncomplete);
    for changes in [
        vec![("requestId", json!(null))],
        vec![("requestId", json!(17))],
        vec![("requestID", json!(format!("02{}", "ab".repeat(32))))],
        vec![("paymentReference", json!(null))],
        vec![("paymentReference", json!("0x"))],
        vec![("paymentReference", json!("not hex"))],
        vec![("paymentReference", json!("00".repeat(33)))],
        vec![("txHash", json!(null))],
        vec![("txHash", json!(""))],
        vec![("txHash", json!(["0x00"]))],
    ] {
        let event = event(&changes);
        assert_eq!(event.kind, held, "{changes:?}");
        assert_eq!(event.provider_type, "payment.confirmed");
    }
    assert_eq!(read(&source(Provider::RequestNetwork), "{}").kind, held);
}

#[test]
fn a_malformed_hash_stays_a_claim_of_its_own_that_verification_refutes() {
    let texts = ["0x1234", "zz", &format!("0x{}", "cd".repeat(33))];
    let events = texts.map(|text| event(&[("txHash", json!(text))]));
    for (event, text) in events.iter().zip(texts) {
        assert!(matches!(&event.kind, Kind::Claim(claim) if claim.tx_hash == text));
    }
    assert_ne!(events[0].identity, events[1].identity);
    assert_ne!(events[2].identity, event(&[]).identity);
}

#[test]
fn the_rest_of_the_catalogue_is_plain_and_the_unknown_is_held() {
    let source = source(Provider::RequestNetwork);
    for event_type in OTHERS {
        let body = json!({"event": event_type, "requestId": "01AB", "isCryptoToFiat": true});
        assert_eq!(read(&source, &body).kind, Kind::Plain, "{event_type}");
        assert_ne!(read(&source, &body).identity, read(&source, format!("{body} ")).identity, "{event_type}");
    }
    for event_type in
        ["payment.complete", "payment.confirmed.other", "payment.confirmedX", "PAYMENT.CONFIRMED", "settlement.failed"]
    {
        assert_eq!(event(&[("event", json!(event_type))]).kind, Kind::Ended(Code::EventTypeUnknown), "{event_type}");
    }
}

/// Rule 8.
#[test]
fn a_test_header_makes_no_event_whatever_the_body() {
    let source = source(Provider::RequestNetwork);
    let body = confirmed().to_string();
    for value in ["true", "TRUE", "1", "", "no"] {
        for name in ["x-request-network-test", "X-Request-Network-Test"] {
            let headers: Vec<_> = stored(&[("content-type", "application/json")])
                .into_iter()
                .chain([(Bytes::from(name), Bytes::from(value))])
                .collect();
            assert_eq!(interpret(&source, &headers, body.as_bytes()), Err(Code::TestHeader), "{name}: {value}");
            assert_eq!(interpret(&source, &headers, b"\xff"), Err(Code::TestHeader));
        }
    }
    let headers = stored(&[("x-request-network-test", "False "), ("x-request-network-retry-count", "2")]);
    assert_eq!(interpret(&source, &headers, body.as_bytes()).unwrap(), read(&source, &body));
    let both = stored(&[("x-request-network-test", "false"), ("x-request-network-test", "true")]);
    assert_eq!(interpret(&source, &both, body.as_bytes()), Err(Code::TestHeader));
}

#[test]
fn filters_decide_by_the_base_type_so_that_variants_share_one_fate() {
    let mut source = source(Provider::RequestNetwork);
    source.types.ignore = vec!["payment.confirmed.client_id".into()];
    assert!(matches!(read(&source, with(&[("event", json!("payment.confirmed.client_id"))])).kind, Kind::Claim(_)));
    source.types.ignore = vec!["payment.confirmed".into()];
    for event_type in ["payment.confirmed", "payment.confirmed.checkout"] {
        assert_eq!(read(&source, with(&[("event", json!(event_type))])).kind, Kind::Ended(Code::TypeIgnored));
    }
    assert!(matches!(read(&source, with(&[("event", json!("payment.partial"))])).kind, Kind::Claim(_)));

    source.types = crate::config::TypeFilter::default();
    source.client_ids = vec!["cli_1".into()];
    assert!(matches!(read(&source, confirmed()).kind, Kind::Claim(_)), "the field is optional");
    assert!(matches!(read(&source, with(&[("clientId", json!("cli_1"))])).kind, Kind::Claim(_)));
    assert_eq!(read(&source, with(&[("clientId", json!("cli_2"))])).kind, Kind::Ended(Code::TypeIgnored));
}

#[test]
fn request_ids_have_one_form_where_they_are_hexadecimal() {
    for (text, normal) in
        [("01AB", "01ab"), ("0x01aB", "01ab"), ("01J8XKULID", "01J8XKULID"), ("0x", "0x"), ("abc", "abc")]
    {
        assert_eq!(normal_request_id(text), normal);
    }
}

/// Rule 21.
#[test]
fn the_lane_is_realm_and_request() {
    let lane = |changes: &[(&str, Value)]| event(changes).lane;
    assert_eq!(lane(&[]), format!("request-network:01{}", "ab".repeat(32)));
    assert_eq!(lane(&[("event", json!("payment.failed")), ("requestId", json!("01AB"))]), "request-network:01ab");
    let none = event(&[("event", json!("compliance.updated")), ("requestId", json!(null))]);
    assert_eq!(none.lane, crate::model::EventId::of_identity(&none.identity).to_string());
}

#[test]
fn retries_are_counted_only_when_they_are_a_number() {
    let count = |value| retry_count(&Provider::RequestNetwork, &stored(&[("X-Request-Network-Retry-Count", value)]));
    assert_eq!((count("0"), count("3")), (Some(0), Some(3)));
    assert_eq!((count("-1"), count("many"), count("99999999999"), count("")), (None, None, None, None));
    assert_eq!(retry_count(&Provider::RequestNetwork, &[]), None);
    assert_eq!(retry_count(&Provider::Stripe, &stored(&[(RETRY_HEADER, "1")])), None);
}

#[test]
fn reference_payloads_mean_what_the_catalogue_says() {
    let source = source(Provider::RequestNetwork);
    for (name, body) in reference_payloads("request-network").iter().filter(|(name, _)| name != "_index") {
        let kind = interpret(&source, &[], body).unwrap().kind;
        let money = name.contains("payment.confirmed") || name.contains("payment.partial");
        assert_eq!(matches!(kind, Kind::Claim(_)), money, "{name}: {kind:?}");
        assert!(money || kind == Kind::Plain, "{name}: {kind:?}");
    }
}
