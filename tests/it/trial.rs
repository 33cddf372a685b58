//! `tollgate forward test`: whether messages arrive, asked before money depends on it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::operate::{ask, open};
use crate::support::gateway::{ADMIN_TOKEN, FORWARD_SECRET, Gateway, Setup, Site, VIEWER_TOKEN};
use crate::support::invoice;
use crate::support::receiver::{Answer, Receiver};

const TEST: &str = "/api/v1/forward/test";

/// A gateway that leaves the backend alone after one lane that failed.
fn site(backend: &Receiver) -> Site {
    let lines = vec![("forward", "breaker = { failures = 1 }".to_owned())];
    Site::new(&Setup { backend: Some(backend.address()), lines, ..Setup::default() })
}

async fn get(gateway: &Gateway, path: &str) -> Value {
    gateway.admin("GET", &format!("/api/v1{path}"), ADMIN_TOKEN, None).await.json()["data"].clone()
}

#[tokio::test]
async fn a_test_arrives_signed_under_a_fresh_id_and_is_no_event() {
    let backend = Receiver::start(&[FORWARD_SECRET]);
    let site = site(&backend);
    let gateway = site.start();
    backend.always(Answer::Full(200, Vec::new(), "stored".to_owned()));
    let shown = ask(&site, &gateway, ADMIN_TOKEN, &["forward", "test", "-o", "json"], "").json();
    let again = ask(&site, &gateway, ADMIN_TOKEN, &["forward", "test", "-o", "id"], "");
    assert_eq!(again.code, Some(0), "{}", again.err);

    let received = backend.wait_for_taken(2).await;
    let ids: BTreeSet<String> = received.iter().map(|one| one.webhook_id.clone()).collect();
    assert_eq!(
        ids,
        BTreeSet::from([shown["webhook_id"].as_str().expect("an id").to_owned(), again.lines()[0].to_owned()])
    );
    assert_eq!(ids.len(), 2, "a backend that drops what it knows takes each");
    assert!(received.iter().all(|one| one.message_type() == "gateway.test"));
    assert!(received.iter().all(|one| one.message["data"]["payment"].is_null()), "it is no money");
    assert_eq!((&shown["taken"], &shown["status"], &shown["outcome"]), (&json!(true), &json!(200), &json!("ok")));
    assert_eq!(
        (&shown["response"], &shown["to_check"], &shown["paused"]),
        (&json!("stored"), &Value::Null, &Value::Null)
    );
    assert!(shown["latency_ms"].is_u64(), "{shown}");

    for path in ["/events", "/attempts"] {
        assert_eq!(get(&gateway, path).await["items"], json!([]), "{path}");
    }
    let audit = get(&gateway, "/audit?what=forward.test").await;
    let noted: BTreeSet<String> = audit["items"]
        .as_array()
        .expect("entries")
        .iter()
        .map(|entry| {
            assert_eq!(entry["subject"], "default");
            entry["after"]["webhook_id"].as_str().expect("an id").to_owned()
        })
        .collect();
    assert_eq!(noted, ids, "both are in the audit");
}

#[tokio::test]
async fn a_test_that_fails_says_what_to_check_and_counts_for_nothing() {
    let backend = Receiver::start(&[FORWARD_SECRET]);
    let site = site(&backend);
    let gateway = site.start();
    let long = "no ".repeat(4096);
    for (answer, words) in [
        (Answer::Full(401, Vec::new(), long), "its secret has to be one of"),
        (Answer::Status(404), "path of url"),
        (Answer::Full(302, vec![("location", "/elsewhere".to_owned())], String::new()), "redirects are never followed"),
        (Answer::Status(503), "refuses for load"),
        (Answer::Close, "broke before an answer"),
    ] {
        backend.script([answer]);
        let told = ask(&site, &gateway, ADMIN_TOKEN, &["forward", "test", "-o", "json"], "");
        told.fails(1, words);
        let shown: Value = serde_json::from_str(&told.out).expect("JSON");
        assert_eq!(shown["taken"], false);
        assert!(shown["response"].as_str().expect("text").len() <= 1024, "bounded");
    }
    // One failed lane would have opened the breaker, and each failed attempt would be on record.
    gateway.request_network(&invoice::processing(0, 0)).await.delivery_id();
    backend.wait_until("the message", |all| all.iter().any(|one| one.message_type() == "provider.event")).await;
    assert!(!gateway.log().contains("left alone but for single probes"));
    assert_eq!(get(&gateway, "/attempts").await["items"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn a_test_goes_out_while_its_destination_is_paused_and_says_so() {
    let backend = Receiver::start(&[FORWARD_SECRET]);
    let site = site(&backend);
    let gateway = site.start();
    let pause = ["pause", "--destination", "default", "--reason", "it is moved"];
    assert_eq!(ask(&site, &gateway, ADMIN_TOKEN, &pause, "").code, Some(0));
    let told = ask(&site, &gateway, ADMIN_TOKEN, &["forward", "test", "--destination", "default"], "");
    assert_eq!(told.code, Some(0), "{}", told.err);
    assert!(told.err.contains("it is paused"), "{}", told.err);
    assert_eq!(backend.wait_for_taken(1).await.len(), 1);
}

#[tokio::test]
async fn a_test_is_refused_where_nothing_can_be_sent_and_to_whom_may_not() {
    let gateway = Site::new(&Setup::default()).start();
    let post = async |token: &str, body: Value| gateway.admin("POST", TEST, token, Some(&body)).await;
    let refused = post(ADMIN_TOKEN, json!({})).await;
    assert_eq!((refused.status, refused.code()), (409, "PULL_ONLY".to_owned()));
    let refused = post(ADMIN_TOKEN, json!({"destination": "nowhere"})).await;
    assert_eq!((refused.status, refused.text("/error/details/known/0")), (404, "default".to_owned()));
    assert_eq!(post(VIEWER_TOKEN, json!({})).await.status, 403);
    assert_eq!(post(ADMIN_TOKEN, json!({"to": "default"})).await.status, 400);
}

#[tokio::test]
async fn a_stopped_gateway_tests_nothing() {
    let backend = Receiver::start(&[FORWARD_SECRET]);
    let site = site(&backend);
    let (status, log) = site.start().terminate();
    assert!(status.success(), "{log}");
    open(&site, &["forward", "test"]).fails(2, "--data");
}
