//! Examples have to be what they are called, as the interpreter sees it.

use serde_json::json;

use super::*;
use crate::model::Code;
use crate::provider::Kind;
use crate::provider::testing::{every_provider, read, source};

#[test]
fn every_example_is_understood_and_of_its_type() {
    for provider in every_provider() {
        let source = source(provider.clone());
        for name in types(&provider) {
            let body = example(&provider, name).unwrap();
            if provider == Provider::StandardWebhooks {
                continue; // its identity is a header: see the round trip in the provider's tests
            }
            let event = read(&source, &body);
            assert!(name.starts_with(&event.provider_type), "{name}: {}", event.provider_type);
            let money = provider == Provider::RequestNetwork
                && (name.starts_with("payment.confirmed") || name.starts_with("payment.partial"));
            match event.kind {
                Kind::Claim(_) => assert!(money || name == "charge.succeeded.crypto", "{name}"),
                Kind::Thin => assert_eq!(name, "v1.payment_intent.succeeded"),
                Kind::Plain => assert!(!money, "{name}"),
                Kind::Ended(code) => panic!("{name}: {code}"),
            }
        }
        assert_eq!(example(&provider, "no.such.type"), None);
    }
}

#[test]
fn variants_and_twins_are_deliveries_of_one_event() {
    let rn = source(Provider::RequestNetwork);
    let identity = |name| read(&rn, example(&Provider::RequestNetwork, name).unwrap()).identity;
    assert_eq!(identity("payment.confirmed"), identity("payment.confirmed.client_id"));
    assert_eq!(identity("payment.partial"), identity("payment.partial.checkout"));
    let stripe = source(Provider::Stripe);
    let identity = |name| read(&stripe, example(&Provider::Stripe, name).unwrap()).identity;
    assert_eq!(identity("payment_intent.succeeded"), identity("v1.payment_intent.succeeded"));
}

#[test]
fn a_field_keeps_its_type_when_it_is_set() {
    let mut body = json!({"amount": "1.0", "n": 1, "on": true, "none": null, "list": [{"a": 1}], "object": {}});
    for (path, text) in
        [("amount", "2"), ("n", "2.50"), ("on", "false"), ("none", "{\"a\":1}"), ("list.0.a", "3"), ("object.new", "x")]
    {
        set(&mut body, path, text).unwrap();
    }
    let now =
        json!({"amount": "2", "n": 2.5, "on": false, "none": {"a": 1}, "list": [{"a": 3}], "object": {"new": "x"}});
    assert_eq!(body, now);

    let not_found = |path: &str, at: &str| Err(SetError::NotFound { path: path.into(), at: at.into() });
    assert_eq!(set(&mut body, "list.1", "x"), not_found("list.1", "1"));
    assert_eq!(set(&mut body, "amount.x", "x"), not_found("amount.x", "x"));
    for path in ["", ".", "a..b", &["a"; MAX_PATH + 1].join(".")] {
        assert_eq!(set(&mut body, path, "x"), Err(SetError::BadPath { path: path.into() }));
    }
    for (path, kind) in [("n", "number"), ("on", "boolean")] {
        let wrong = SetError::WrongType { path: path.into(), kind, text: "x".into() };
        assert_eq!(set(&mut body, path, "x"), Err(wrong));
    }
    assert_eq!(body, now, "a refused change changes nothing");
}

#[test]
fn a_changed_example_becomes_what_it_says() {
    let mut body = example(&Provider::RequestNetwork, "payment.confirmed").unwrap();
    set(&mut body, "isCryptoToFiat", "true").unwrap();
    assert_eq!(read(&source(Provider::RequestNetwork), &body).kind, Kind::Ended(Code::FiatLeg));
}
