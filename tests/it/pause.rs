//! Pausing what is sent: everything, a destination, a source. Receiving and judging go on, and nothing is lost.

use std::time::Duration;

use serde_json::{Value, json};

use crate::operate::{ask, open};
use crate::support::gateway::{ADMIN_TOKEN, FORWARD_SECRET, Gateway, Setup, Site, VIEWER_TOKEN, text};
use crate::support::invoice;
use crate::support::receiver::Receiver;

/// Long enough for a gateway that would send to have sent.
const QUIET: Duration = Duration::from_millis(1000);

async fn metric(gateway: &Gateway, line: &str) -> bool {
    let body = gateway.admin("GET", "/metrics", ADMIN_TOKEN, None).await.body;
    String::from_utf8(body).expect("text").lines().any(|shown| shown == line)
}

async fn call(gateway: &Gateway, path: &str, body: &Value) -> Value {
    let reply = gateway.admin("POST", &format!("/api/v1{path}"), ADMIN_TOKEN, Some(body)).await;
    assert_eq!(reply.status, 200, "{path}: {}", reply.json());
    reply.json()["data"].clone()
}

#[tokio::test]
async fn a_paused_source_is_stored_judged_and_kept_and_others_flow() {
    let backend = Receiver::start(&[FORWARD_SECRET]);
    let site = Site::new(&Setup { backend: Some(backend.address()), ..Setup::default() });
    let gateway = site.start();
    let said = call(&gateway, "/sources/stripe/pause", &json!({"reason": "they send nonsense"})).await;
    assert_eq!((&said["changed"], &said["target"]), (&json!(true), &json!("source stripe")));
    assert_eq!(
        (&said["pauses"][0]["by"], &said["pauses"][0]["reason"]),
        (&json!("admin"), &json!("they send nonsense"))
    );
    let again = call(&gateway, "/sources/stripe/pause", &json!({"reason": "again"})).await;
    assert_eq!((&again["changed"], &again["pauses"][0]["reason"]), (&json!(false), &json!("they send nonsense")));
    let held = gateway.stripe(&invoice::card(1)).await.delivery_id();
    gateway.event_in(&held, "forwarding", "PROVIDER_EVENT").await;
    let flows = gateway.request_network(&invoice::processing(1, 1)).await.delivery_id();
    gateway.event_in(&flows, "settled", "PROVIDER_EVENT").await;
    tokio::time::sleep(QUIET).await;
    assert_eq!(backend.received().len(), 1);
    assert!(metric(&gateway, "tollgate_source_paused{source=\"stripe\"} 1").await);
    assert!(metric(&gateway, "tollgate_source_paused{source=\"request-network\"} 0").await);
    assert!(metric(&gateway, "tollgate_forwarding_paused 0").await);

    // It lasts over a kill, and a stopped gateway's data can be told too.
    let site = gateway.kill();
    let config = text(&site.file());
    let resumed =
        open(&site, &["resume", "--source", "stripe", "--reason", "mended", "--config", &config, "-o", "json"]);
    assert_eq!(resumed.json()["changed"], true);
    open(&site, &["pause", "--reason", "the backend moves"]);
    let gateway = site.start();
    tokio::time::sleep(QUIET).await;
    assert_eq!(backend.received().len(), 1, "now everything is paused");
    assert!(metric(&gateway, "tollgate_forwarding_paused 1").await);
    assert!(metric(&gateway, "tollgate_source_paused{source=\"stripe\"} 0").await);
    let status = ask(&site, &gateway, VIEWER_TOKEN, &["status", "-o", "json"], "").json();
    assert_eq!((&status["pauses"][0]["what"], &status["pauses"][0]["from"]), (&json!("forwarding"), &json!("cli")));
    assert_eq!(ask(&site, &gateway, ADMIN_TOKEN, &["resume"], "").code, Some(0));
    gateway.event_in(&held, "settled", "PROVIDER_EVENT").await;
    assert_eq!(backend.received().len(), 2, "what was kept is sent once");
}

#[tokio::test]
async fn a_pause_needs_a_reason_a_right_and_something_that_exists() {
    let site = Site::new(&Setup::default());
    let gateway = site.start();
    let post = |path: &str, token: &'static str, body: Value| {
        let (gateway, path) = (&gateway, format!("/api/v1{path}"));
        async move { gateway.admin("POST", &path, token, Some(&body)).await }
    };
    assert_eq!(post("/forwarding/pause", VIEWER_TOKEN, json!({"reason": "x"})).await.code(), "FORBIDDEN");
    assert_eq!(post("/forwarding/pause", ADMIN_TOKEN, json!({})).await.code(), "BAD_REQUEST");
    assert_eq!(post("/forwarding/pause", ADMIN_TOKEN, json!({"reason": " "})).await.code(), "BAD_REQUEST");
    assert_eq!(post("/forwarding/pause", ADMIN_TOKEN, json!({"reason": "x", "why": 1})).await.code(), "BAD_REQUEST");
    let unknown = post("/sources/strip/pause", ADMIN_TOKEN, json!({"reason": "x"})).await;
    assert_eq!((unknown.status, unknown.code().as_str()), (404, "NOT_FOUND"));
    assert_eq!(unknown.json()["error"]["details"]["known"], json!(["request-network", "stripe"]));
    let nowhere = post("/forwarding/pause", ADMIN_TOKEN, json!({"reason": "x", "destination": "books"})).await;
    assert_eq!(nowhere.status, 404);
    let paused = post("/forwarding/pause", ADMIN_TOKEN, json!({"reason": "x", "destination": "default"})).await;
    assert_eq!(paused.text("/data/target"), "destination default");
    ask(&site, &gateway, ADMIN_TOKEN, &["pause"], "").fails(2, "--reason");
    assert!(metric(&gateway, "tollgate_forwarding_paused 0").await, "only one destination is");
}
