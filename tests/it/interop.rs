//! Signatures against the packages that the other sides really use: `stripe` and `standardwebhooks` from npm, and the
//! latter from PyPI.
//!
//! Neither side's expected value comes from our own code: what they sign we must take, what we sign they must take, and
//! each must refuse what was changed on the way.

mod node;
mod python;
mod received;

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};
use jiff::Timestamp;
use serde_json::{Value, json};
use tollgate::clock::Clock;
use tollgate::config::{Encoding, HmacScheme, Provider, Secret, Source};
use tollgate::digest::Algorithm;
use tollgate::provider::standard_webhooks::Signer;
use tollgate::provider::{Rejection, Verifier, sign};

const SECRETS: [&str; 2] =
    ["whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "whsec_8f7t7Ovq6ejn5uXk4+Lh4N/e3dzb2tnY19bV1NPS0dA="];
const STRANGER: &str = "whsec_SVQgSVMgTk9UIFRIRSBTRUNSRVQgT0YgVEhJUyBTSE9Q";
const TOLERANCE_S: i64 = 300;

/// Bodies that differ in what a careless reader would normalise away.
const BODIES: [&str; 5] = [
    r#"{"id":"evt_1","object":"event","type":"charge.succeeded","data":{"object":{"amount":1999}}}"#,
    "{\n  \"id\" : \"evt_1\",\t\"object\":\"event\",\r\n  \"n\": 1.25E-1 }\n",
    r#"{"text":"Müller ✓ 支付 🦀","escaped":"\u00fc\/"}"#,
    r#"{"a":1,"a":2,"nothing":null,"empty":""}"#,
    "{}",
];

/// Puts questions to the other side.
type Ask = fn(&[Value]) -> Vec<Value>;

/// Both languages that the `standardwebhooks` packages are tried in.
const BOTH: [Ask; 2] = [node::ask, python::ask];

fn now() -> Timestamp {
    Clock::system().now()
}

fn after(at: Timestamp, seconds: i64) -> Timestamp {
    Timestamp::from_second(at.as_second() + seconds).unwrap()
}

fn verifier(provider: Provider, secrets: &[&str]) -> Verifier {
    Verifier::new(&Source::sample(provider, secrets)).unwrap()
}

/// Headers as the other side gave them.
fn header_map(answer: &Value) -> HeaderMap {
    let pair = |(name, value): (&String, &Value)| {
        (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value.as_str().unwrap()).unwrap())
    };
    answer.as_object().unwrap().iter().map(pair).collect()
}

/// Headers as we give them.
fn as_json(headers: Vec<(String, String)>) -> Value {
    headers.into_iter().map(|(name, value)| (name, Value::String(value))).collect::<serde_json::Map<_, _>>().into()
}

/// The body with one byte changed, still text.
fn tampered(body: &str) -> String {
    match body.rsplit_once('}') {
        Some((start, end)) => format!("{start} }}{end}"),
        None => format!("{body} "),
    }
}

/// What a signer of another make signed is accepted, under the right secret's name, and nothing else is.
fn assert_we_take_what_they_sign(ask: Ask, provider: &Provider, question: &Value, signs_time: bool) {
    let signed_at = now();
    let questions: Vec<Value> = BODIES
        .iter()
        .map(|body| {
            let mut question = question.clone();
            question["body"] = json!(body);
            question["secret"] = json!(SECRETS[1]);
            question["timestamp"] = json!(signed_at.as_second());
            question["id"] = json!("msg_2KWPBgLlAfxdpx2AI54pPJ85f4W");
            question
        })
        .collect();
    let ours = verifier(provider.clone(), &SECRETS);
    let stranger = verifier(provider.clone(), &[STRANGER]);
    for (body, answer) in BODIES.iter().zip(ask(&questions)) {
        let headers = header_map(&answer);
        let verify = |body: &str, at| ours.verify(&headers, body.as_bytes(), at);
        let verified = verify(body, signed_at).unwrap_or_else(|refusal| panic!("{answer} {body}: {refusal}"));
        assert_eq!(&*verified.secret_name, "secret-1");
        assert_eq!(verified.signed_at, signs_time.then(|| signed_at.as_second()));
        assert_eq!(verify(&tampered(body), signed_at), Err(Rejection::Mismatch), "{body}");
        assert_eq!(stranger.verify(&headers, body.as_bytes(), signed_at), Err(Rejection::Mismatch), "{body}");
        let late = verify(body, after(signed_at, TOLERANCE_S + 1));
        let expected = if signs_time { Err(Rejection::OutOfTolerance) } else { Ok(verified) };
        assert_eq!(late, expected, "{body}");
    }
}

/// A verifier of another make accepts what we signed, and refuses it changed, under another secret, or old.
fn assert_they_take_what_we_sign(ask: Ask, provider: &Provider, op: &Value) {
    let id = "019a9d3c-7f3a-7c11-8f5e-3d1f6a2b4c5d_1";
    let mut cases = Vec::new();
    for body in BODIES {
        let at = now();
        let signed = as_json(sign::headers(provider, SECRETS[0], body.as_bytes(), at, id));
        let old = as_json(sign::headers(provider, SECRETS[0], body.as_bytes(), after(at, -TOLERANCE_S - 30), id));
        cases.push((true, question(op, SECRETS[0], body, &signed)));
        cases.push((false, question(op, SECRETS[0], &tampered(body), &signed)));
        cases.push((false, question(op, STRANGER, body, &signed)));
        cases.push((false, question(op, SECRETS[0], body, &old)));
    }
    assert_judged(ask, &cases);
}

fn question(op: &Value, secret: &str, body: &str, headers: &Value) -> Value {
    let mut question = op.clone();
    question["secret"] = json!(secret);
    question["body"] = json!(body);
    question["headers"] = headers.clone();
    question
}

fn assert_judged(ask: Ask, cases: &[(bool, Value)]) {
    let questions: Vec<Value> = cases.iter().map(|(_, question)| question.clone()).collect();
    for ((accepted, question), answer) in cases.iter().zip(ask(&questions)) {
        assert_eq!(answer["accepted"], *accepted, "{question}: {answer}");
        if *accepted {
            let body: Value = serde_json::from_str(question["body"].as_str().unwrap()).unwrap();
            assert_eq!(answer["event"], body, "what they read is what was signed");
        }
    }
}

#[test]
fn what_stripes_package_signs_is_accepted_and_nothing_else() {
    assert_we_take_what_they_sign(node::ask, &Provider::Stripe, &json!({"op": "stripe.sign"}), true);
}

#[test]
fn stripes_package_accepts_what_we_sign_and_nothing_else() {
    assert_they_take_what_we_sign(node::ask, &Provider::Stripe, &json!({"op": "stripe.verify"}));
}

#[test]
fn what_the_standardwebhooks_packages_sign_is_accepted_and_nothing_else() {
    for ask in BOTH {
        let op = json!({"op": "standardwebhooks.sign"});
        assert_we_take_what_they_sign(ask, &Provider::StandardWebhooks, &op, true);
    }
}

#[test]
fn the_standardwebhooks_packages_accept_what_we_sign_and_nothing_else() {
    for ask in BOTH {
        assert_they_take_what_we_sign(ask, &Provider::StandardWebhooks, &json!({"op": "standardwebhooks.verify"}));
    }
}

#[test]
fn the_receivers_in_the_readme_accept_what_we_sign_and_nothing_else() {
    let readme = include_str!("../../README.md");
    for (language, ask) in [("js", BOTH[0]), ("python", BOTH[1])] {
        let (_, rest) = readme.split_once(&format!("```{language}\n")).expect("a receiver in this language");
        let (code, _) = rest.split_once("```").expect("its end");
        let op = json!({"op": "readme.receive", "code": code});
        assert_they_take_what_we_sign(ask, &Provider::StandardWebhooks, &op);
    }
}

/// During a rotation a destination has two secrets, and the backend knows one of them, whichever.
#[test]
fn messages_signed_with_two_secrets_verify_with_either() {
    let signer = Signer::new(&SECRETS.map(|text| Secret::new(text.to_owned()))).unwrap();
    let verify = json!({"op": "standardwebhooks.verify"});
    let mut cases = Vec::new();
    for body in BODIES {
        let (id, timestamp_s) = ("019a9d3c-7f3a-7c11-8f5e-3d1f6a2b4c5d_2", now().as_second());
        let headers = json!({
            "webhook-id": id,
            "webhook-timestamp": timestamp_s.to_string(),
            "webhook-signature": signer.sign(id, timestamp_s, body.as_bytes()),
        });
        let mut renamed = headers.clone();
        renamed["webhook-id"] = json!("019a9d3c-7f3a-7c11-8f5e-3d1f6a2b4c5d_3");
        for secret in SECRETS {
            cases.push((true, question(&verify, secret, body, &headers)));
            cases.push((false, question(&verify, secret, body, &renamed)));
        }
        cases.push((false, question(&verify, STRANGER, body, &headers)));
    }
    for ask in BOTH {
        assert_judged(ask, &cases);
    }
}

/// Request Network publishes no package for receivers; its documentation computes the tag with node's HMAC.
#[test]
fn what_request_networks_documentation_computes_is_accepted_and_nothing_else() {
    let question = json!({
        "op": "hmac.sign", "header": "x-request-network-signature", "algorithm": "sha256", "encoding": "hex", "prefix": "",
    });
    assert_we_take_what_they_sign(node::ask, &Provider::RequestNetwork, &question, false);
}

#[test]
fn what_other_senders_compute_is_accepted_in_every_form_and_nothing_else() {
    let forms = [
        (Algorithm::Sha256, "sha256", Encoding::Hex, "hex", "sha256="),
        (Algorithm::Sha256, "sha256", Encoding::Base64, "base64", ""),
        (Algorithm::Sha512, "sha512", Encoding::Hex, "hex", ""),
        (Algorithm::Sha512, "sha512", Encoding::Base64, "base64", "v1="),
    ];
    for (algorithm, their_algorithm, encoding, their_encoding, prefix) in forms {
        let provider = Provider::Hmac(HmacScheme {
            header: "x-shop-signature".into(),
            algorithm,
            encoding,
            prefix: prefix.into(),
            identity: Vec::new(),
        });
        let question = json!({
            "op": "hmac.sign", "header": "x-shop-signature", "algorithm": their_algorithm, "encoding": their_encoding,
            "prefix": prefix,
        });
        assert_we_take_what_they_sign(node::ask, &provider, &question, false);
    }
}
