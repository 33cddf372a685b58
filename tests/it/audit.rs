//! Every change through the API has an entry of the audit: who, when, from where, before and after. The routes are read
//! from the router's own source, so that a new one cannot be forgotten.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::gateway::{ADMIN_TOKEN, BACKEND_TOKEN, Gateway};
use crate::support::money::{World, confirmed};

const ROUTER: &str = include_str!("../../src/admin.rs");

/// A route that changes nothing; the backend's word that it took messages, which stands in the trace of each event; and
/// those whose change needs more than a call: `payments/submitted.rs` and `rejected.rs` look at their entries.
const OTHERS: &[(&str, &str)] =
    &[("POST", "/rejected/recheck"), ("POST", "/feed/ack"), ("POST", "/payments/check"), ("POST", "/rejected/admit")];

/// `(METHOD, path)` of every route that may change something.
fn changing() -> BTreeSet<(&'static str, String)> {
    let mut found = BTreeSet::new();
    for line in ROUTER.lines().filter_map(|line| line.trim().strip_prefix(".route(\"")) {
        let (path, handlers) = line.split_once('"').expect("a path");
        for (call, method) in [("post(", "POST"), ("put(", "PUT"), ("delete(", "DELETE")] {
            if handlers.contains(call) {
                found.insert((method, path.to_owned()));
            }
        }
    }
    assert!(20 < found.len(), "the router is read: {found:?}");
    found
}

async fn entries(gateway: &Gateway) -> Vec<Value> {
    let reply = gateway.admin("GET", "/api/v1/audit?limit=500", ADMIN_TOKEN, None).await;
    reply.json()["data"]["items"].as_array().expect("items").clone()
}

/// Makes the call, and answers the entry that it left: exactly the newest, by this token, from this machine.
async fn left(gateway: &Gateway, call: (&str, &str, &Value)) -> Value {
    let (method, path, body) = call;
    let token = if path.starts_with("/expectations") { BACKEND_TOKEN } else { ADMIN_TOKEN };
    let before = entries(gateway).await.len();
    let reply = gateway.admin(method, &format!("/api/v1{path}"), token, Some(body)).await;
    assert!(reply.status < 300, "{method} {path}: {} {:#}", reply.status, reply.json());
    let after = entries(gateway).await;
    assert!(before < after.len(), "{method} {path} left no entry");
    let entry = after.first().expect("an entry").clone();
    let who = if token == BACKEND_TOKEN { "backend" } else { "admin" };
    assert_eq!((&entry["who"], &entry["from"]), (&json!(who), &json!("api 127.0.0.1")), "{method} {path}: {entry:#}");
    assert!(entry["at"].is_string() && entry["what"].is_string(), "{entry:#}");
    entry
}

#[tokio::test]
async fn whatever_is_changed_through_the_api_has_its_entry() {
    let world = World::start().await;
    let gateway = &world.gateway;
    let tx = world.pay(1, 12).await;
    let delivery = world.rn(&confirmed(1, tx, "12")).await;
    let event = world.silent(&delivery, "undetermined", "EXPECTATION_UNKNOWN").await;
    let event = event["event_id"].as_str().expect("an id");
    let chains = gateway.admin("GET", "/api/v1/chains", ADMIN_TOKEN, None).await.json();
    let node = chains["data"]["items"][0]["nodes"][0]["name"].as_str().unwrap_or("a").to_owned();
    let why = json!({"reason": "the audit's own test"});
    let tiers = json!({"tiers": [{"confirmations": 3}], "reason": "the audit's own test"});
    let cordon = format!("/chains/local/nodes/{node}");
    let resend = json!({"kind": "resend", "state": "dead"});
    let running = gateway.admin("POST", "/api/v1/jobs", ADMIN_TOKEN, Some(&json!({"kind": "verify"}))).await;
    let job = running.text("/data/job_id");
    let calls: Vec<(&str, &str, String, Value)> = vec![
        ("POST", "/jobs", "/jobs".to_owned(), resend),
        ("POST", "/jobs/{id}/cancel", format!("/jobs/{job}/cancel"), json!({})),
        ("POST", "/forwarding/pause", "/forwarding/pause".to_owned(), why.clone()),
        ("POST", "/forwarding/resume", "/forwarding/resume".to_owned(), why.clone()),
        ("POST", "/sources/{name}/pause", "/sources/stripe/pause".to_owned(), why.clone()),
        ("POST", "/sources/{name}/resume", "/sources/stripe/resume".to_owned(), why.clone()),
        ("POST", "/forward/test", "/forward/test".to_owned(), json!({})),
        ("PUT", "/chains/{name}/finality", "/chains/local/finality".to_owned(), tiers),
        ("DELETE", "/chains/{name}/finality", "/chains/local/finality".to_owned(), why.clone()),
        ("POST", "/chains/{name}/cordon", "/chains/local/cordon".to_owned(), why.clone()),
        ("POST", "/chains/{name}/uncordon", "/chains/local/uncordon".to_owned(), why.clone()),
        ("POST", "/chains/{name}/nodes/{node}/cordon", format!("{cordon}/cordon"), why.clone()),
        ("POST", "/chains/{name}/nodes/{node}/uncordon", format!("{cordon}/uncordon"), why.clone()),
        ("POST", "/events/{id}/{verb}", format!("/events/{event}/note"), why.clone()),
        ("PUT", "/expectations/{id}", "/expectations/order-9".to_owned(), world.terms(9, "12")),
        ("DELETE", "/expectations/{id}", "/expectations/order-9".to_owned(), json!({})),
        ("POST", "/evidence/hold", "/evidence/hold".to_owned(), json!({"id": event, "reason": "kept"})),
        ("POST", "/evidence/release", "/evidence/release".to_owned(), json!({"id": event, "reason": "let go"})),
        ("POST", "/evidence/erase", "/evidence/erase".to_owned(), json!({"delivery_id": delivery, "reason": "asked"})),
    ];
    let mut seen: BTreeSet<(&str, String)> =
        OTHERS.iter().map(|(method, path)| (*method, (*path).to_owned())).collect();
    for (method, route, path, body) in &calls {
        let entry = left(gateway, (method, path, body)).await;
        let says_what_changed = !entry["after"].is_null() || !entry["before"].is_null();
        let is_named = !entry["subject"].is_null();
        assert!(says_what_changed || is_named, "{route}: {entry:#}");
        seen.insert((method, (*route).to_owned()));
    }
    let forgotten: Vec<_> = changing().difference(&seen).cloned().collect();
    assert!(forgotten.is_empty(), "no entry of the audit is tested for {forgotten:?}");
    // Roles: whoever may not change leaves no entry.
    let before = entries(gateway).await.len();
    let refused = gateway.admin("POST", "/api/v1/forwarding/pause", BACKEND_TOKEN, Some(&why)).await;
    assert_eq!((refused.status, entries(gateway).await.len()), (403, before));
}
