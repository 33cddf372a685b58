//! What holds for every provider, whatever is posted.

use bytes::Bytes;
use hyper::HeaderMap;
use hyper::header::HeaderValue;
use proptest::prelude::*;

use super::testing::{WHSEC, at, every_provider, header_map, hmac_scheme, secret, source, stored};
use super::*;
use crate::config::HmacScheme;

const NOW: i64 = 1_790_000_000;

/// The header that carries the tag.
fn signature_header(provider: &Provider) -> &'static str {
    match provider {
        Provider::Stripe => stripe::SIGNATURE_HEADER,
        Provider::RequestNetwork => request_network::SIGNATURE_HEADER,
        Provider::Hmac(_) => "x-signature",
        Provider::StandardWebhooks => standard_webhooks::SIGNATURE_HEADER,
    }
}

fn signed(provider: &Provider, body: &[u8]) -> HeaderMap {
    header_map(&sign::headers(provider, WHSEC, body, at(NOW), "msg_1"))
}

#[test]
fn what_is_signed_as_a_provider_verifies_as_that_provider() {
    for provider in every_provider() {
        let mut source = source(provider.clone());
        source.secrets.insert(0, secret("older", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"));
        let verifier = Verifier::new(&source).unwrap();
        for name in example::types(&provider) {
            let body = example::example(&provider, name).unwrap().to_string();
            let verified = verifier.verify(&signed(&provider, body.as_bytes()), body.as_bytes(), at(NOW)).unwrap();
            assert_eq!(&*verified.secret_name, "current", "{name}");
        }
    }
}

#[test]
fn a_header_that_is_absent_twice_or_no_text_is_refused_before_any_key_is_used() {
    for provider in every_provider() {
        let verifier = Verifier::new(&source(provider.clone())).unwrap();
        let name = signature_header(&provider);
        assert_eq!(verifier.verify(&HeaderMap::new(), b"{}", at(NOW)), Err(Rejection::Missing));
        for (value, rejection) in [
            (b"\xff\xfe".as_slice(), Rejection::Malformed),
            (b"t=1,v1=\xc3\xa9", Rejection::Malformed),
            (&[b'a'; 9000], Rejection::Malformed),
            (b"", Rejection::Missing),
            (b"  ", Rejection::Missing),
        ] {
            let mut headers = signed(&provider, b"{}");
            headers.insert(name, HeaderValue::from_bytes(value).unwrap());
            assert_eq!(verifier.verify(&headers, b"{}", at(NOW)), Err(rejection), "{}: {value:?}", provider.name());
        }
        let mut twice = signed(&provider, b"{}");
        twice.append(name, twice[name].clone());
        assert_eq!(verifier.verify(&twice, b"{}", at(NOW)), Err(Rejection::Malformed), "{}", provider.name());
    }
}

#[test]
fn rejections_carry_the_documented_codes() {
    let codes =
        [Rejection::Missing, Rejection::Malformed, Rejection::Mismatch, Rejection::OutOfTolerance].map(Rejection::code);
    let documented = ["SIGNATURE_MISSING", "SIGNATURE_MALFORMED", "SIGNATURE_MISMATCH", "TIMESTAMP_OUT_OF_TOLERANCE"];
    assert_eq!(codes, documented);
}

#[test]
fn rule_1_equal_ids_of_different_providers_and_realms_stay_apart() {
    let mut seen = Vec::new();
    for provider in every_provider() {
        for realm in ["a", "b"] {
            let mut source = source(provider.clone());
            source.realm = realm.into();
            let headers = [(Bytes::from("webhook-id"), Bytes::from("x"))];
            seen.push(interpret(&source, &headers, b"{}").unwrap().identity);
        }
    }
    let count = seen.len();
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), count);
}

/// Identities are stored for ever. The hashes were computed outside this program, from the layout documented in
/// `model::identity`: when one changes, every known payment would come back as a new one.
#[test]
fn identities_never_change() {
    let rn = format!(
        r#"{{"event":"payment.partial","requestId":"01{}","paymentReference":"0x2C3366941274c34c","txHash":"0x{}"}}"#,
        "ab".repeat(32),
        "CD".repeat(32)
    );
    let stripe = r#"{"object":"event","id":"evt_1","type":"x","livemode":true}"#;
    let connected = r#"{"object":"event","id":"evt_1","type":"x","livemode":true,"account":"acct_1"}"#;
    let pointers = HmacScheme { identity: vec!["/n".into(), "/on".into()], ..hmac_scheme() };
    for (provider, body, hash) in [
        (Provider::RequestNetwork, rn.as_str(), "4b9f19ad9322425d664dd1840c01a06631b0b6cc4360e8d2ef1e7d4f204d5b06"),
        (Provider::Stripe, stripe, "be9d25d8d5c0ed1e1d55140c7f43ba54deb0499a576d087125f74bb27c2e00ae"),
        (Provider::Stripe, connected, "6031a93b06b59c3ef896f7274191f914dfab2dd1f0f9121f27afaccba2e6c228"),
        (
            Provider::RequestNetwork,
            r#"{"event":"payment.failed"}"#,
            "6f267e0ca2fdd98a570a03f9083b76bacaf1d435e57ea57221e056a0112d820c",
        ),
        (Provider::StandardWebhooks, "{}", "48e7764fdfb721b96d13bec637bc9b5f24fc689c37bc67445481da80fea20351"),
        (
            Provider::Hmac(pointers),
            r#"{"n":7,"on":false}"#,
            "5da2f03350e8f0200c6354efd4aa1436e123c932bce4ea0b03f86df719016e64",
        ),
    ] {
        let mut source = source(provider);
        source.realm = "eu".into();
        let event = interpret(&source, &stored(&[("webhook-id", "msg_1")]), body.as_bytes()).unwrap();
        assert_eq!(hex::encode(event.identity.as_bytes()), hash, "{body}");
    }
}

/// Bytes that look enough like headers and bodies to get past the first check.
fn texts() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        "(t|v1|v0|V1| v1)?(=|,|;| )?[0-9a-fA-F]{0,70}(,(t|v1)=[-+0-9a-f]{0,80}){0,4}".prop_map(String::into_bytes),
        "(v1,|v1a,|v2,)?[A-Za-z0-9+/]{0,48}=?( (v1,)?[A-Za-z0-9+/]{0,48}=?){0,3}".prop_map(String::into_bytes),
        "\\{(\"(event|type|id|object|livemode|txHash|requestId|data)\":(\"[a-z.0-9\\\\]{0,20}\"|[0-9e.-]{0,5}|true|null|\\{\\}|\\[\\]),?){0,5}\\}"
            .prop_map(String::into_bytes),
    ]
}

proptest! {
    #[test]
    fn nothing_that_is_posted_panics_or_verifies(values in prop::collection::vec(texts(), 4), body in texts(), now in 0..i64::from(u32::MAX)) {
        for provider in every_provider() {
            let source = source(provider.clone());
            let names = ["stripe-signature", "x-request-network-signature", "x-signature", "webhook-signature"];
            let mut headers = HeaderMap::new();
            for (name, value) in names.iter().zip(&values) {
                if let Ok(value) = HeaderValue::from_bytes(value) {
                    headers.append(*name, value);
                }
            }
            for (name, value) in [("webhook-id", &values[1]), ("webhook-timestamp", &values[2])] {
                if let Ok(value) = HeaderValue::from_bytes(value) {
                    headers.append(name, value);
                }
            }
            prop_assert!(Verifier::new(&source).unwrap().verify(&headers, &body, at(now)).is_err());
            let stored: Vec<_> = headers.iter().map(|(name, value)| {
                (Bytes::copy_from_slice(name.as_ref()), Bytes::copy_from_slice(value.as_bytes()))
            }).collect();
            let first = interpret(&source, &stored, &body);
            prop_assert_eq!(&first, &interpret(&source, &stored, &body), "the same bytes say the same");
            let claims = first.is_ok_and(|event| matches!(event.kind, Kind::Claim(_)));
            prop_assert!(!claims, "such a body has no reference");
        }
    }

    #[test]
    fn one_flipped_bit_of_the_body_or_the_signature_never_verifies(
        body in prop::collection::vec(any::<u8>(), 1..300), at_byte in any::<prop::sample::Index>(), bit in 0..8u8,
    ) {
        for provider in every_provider() {
            let verifier = Verifier::new(&source(provider.clone())).unwrap();
            let headers = signed(&provider, &body);
            prop_assert!(verifier.verify(&headers, &body, at(NOW)).is_ok());

            let mut other = body.clone();
            other[at_byte.index(body.len())] ^= 1 << bit;
            prop_assert_eq!(verifier.verify(&headers, &other, at(NOW)), Err(Rejection::Mismatch));

            let name = signature_header(&provider);
            let mut value = headers[name].as_bytes().to_vec();
            let index = at_byte.index(value.len());
            let was = value[index];
            value[index] ^= 1 << bit;
            // Bit 5 of a hexadecimal letter is its case, which Request Network and generic senders leave open.
            let same_hex = bit == 5 && was.is_ascii_hexdigit() && was.is_ascii_alphabetic();
            if let (Ok(value), false) = (HeaderValue::from_bytes(&value), same_hex) {
                let mut headers = headers.clone();
                headers.insert(name, value);
                prop_assert!(verifier.verify(&headers, &body, at(NOW)).is_err());
            }
        }
    }

    #[test]
    fn an_empty_or_longer_body_never_verifies_for_another(body in prop::collection::vec(any::<u8>(), 1..100), more in any::<u8>()) {
        for provider in every_provider() {
            let verifier = Verifier::new(&source(provider.clone())).unwrap();
            let headers = signed(&provider, &body);
            prop_assert!(verifier.verify(&headers, b"", at(NOW)).is_err());
            prop_assert!(verifier.verify(&headers, &[body.clone(), vec![more]].concat(), at(NOW)).is_err());
        }
    }

    #[test]
    fn a_payment_keeps_its_identity_in_every_spelling_and_no_other_has_it(
        request in "01[0-9a-f]{64}", reference in "[0-9a-f]{16}", tx in "[0-9a-f]{64}", other in "[0-9a-f]{64}",
        amount in "[0-9]{1,9}\\.[0-9]{1,6}", variant in 0..6usize, upper in any::<[bool; 3]>(), prefix in any::<[bool; 3]>(), old in any::<bool>(),
    ) {
        let source = source(Provider::RequestNetwork);
        let types = ["payment.confirmed", "payment.partial", "payment.confirmed.client_id", "payment.partial.client_id",
                     "payment.confirmed.checkout", "payment.partial.checkout"];
        let spell = |text: &str, n: usize| {
            let text = if upper[n] { text.to_uppercase() } else { text.to_owned() };
            if prefix[n] { format!("0x{text}") } else { text }
        };
        let read = |event: &str, key: &str, request: &str, reference: &str, tx: &str, amount: &str| {
            let body = serde_json::json!({"event": event, key: request, "paymentReference": reference, "txHash": tx, "amount": amount});
            interpret(&source, &[], body.to_string().as_bytes()).unwrap().identity
        };
        let plain = read("payment.confirmed", "requestId", &request, &reference, &tx, "1.0");
        let key = if old { "requestID" } else { "requestId" };
        let dressed = read(types[variant], key, &spell(&request, 0), &spell(&reference, 1), &spell(&tx, 2), &amount);
        prop_assert_eq!(plain, dressed);
        prop_assume!(other != tx);
        prop_assert_ne!(plain, read(types[variant], key, &request, &reference, &other, "1.0"));
    }
}
