//! The admin side: what is open to everyone, who may see and do what, and what answers look like.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::gateway::{ADMIN_TOKEN, BACKEND_TOKEN, Gateway, Setup, Site, VIEWER_TOKEN};
use crate::support::http::{self, Reply};
use crate::support::money::{World, card, confirmed, request_id};

mod expectations;
mod lists;
mod search;

/// Sees the source `stripe` only, with bodies.
pub(crate) const STRIPE_AUDITOR: &str = "auditor-test-token-7f00aa11";
/// Puts expectations of the source `stripe` only.
const STRIPE_BACKEND: &str = "backend-test-token-90cc12e4";
pub(crate) const OPERATOR: &str = "operator-test-token-51b1e0d2";

/// A gateway with more tokens than usual.
pub(crate) fn start(setup: &Setup) -> Gateway {
    let site = Site::new(setup);
    let folder = site.file().parent().map(Path::to_path_buf).unwrap();
    let mut more = String::new();
    for (name, role, secret, sources) in [
        ("stripe-auditor", "auditor", STRIPE_AUDITOR, "[\"stripe\"]"),
        ("stripe-backend", "backend", STRIPE_BACKEND, "[\"stripe\"]"),
        ("operator", "operator", OPERATOR, "[]"),
    ] {
        std::fs::write(folder.join(name), secret).unwrap();
        let file = folder.join(name).display().to_string();
        more +=
            &format!(",\n{{ name = \"{name}\", role = \"{role}\", secret = \"file:{file}\", sources = {sources} }}");
    }
    let configuration = std::fs::read_to_string(site.file()).unwrap();
    let (before, after) = configuration.split_once("\"env:IT_VIEWER\" }").unwrap();
    std::fs::write(site.file(), format!("{before}\"env:IT_VIEWER\" }}{more}{after}")).unwrap();
    site.start()
}

async fn get(gateway: &Gateway, path: &str, token: &str) -> Reply {
    gateway.admin("GET", path, token, None).await
}

async fn open(gateway: &Gateway, path: &str) -> Reply {
    http::send(gateway.client.get(format!("http://{}{path}", gateway.admin))).await.unwrap()
}

/// An error in the envelope, with its id in the header too.
fn refused(reply: &Reply, status: u16, code: &str) -> Value {
    let json = reply.json();
    assert_eq!((reply.status, reply.code().as_str()), (status, code), "{}", String::from_utf8_lossy(&reply.body));
    assert_eq!(json["success"], false);
    assert!(json["error"]["details"].is_object() && !reply.text("/error/message").is_empty(), "{json:#}");
    assert_eq!(reply.text("/request_id"), reply.headers["x-request-id"].to_str().unwrap());
    assert!(!reply.text("/request_id").is_empty());
    json
}

#[tokio::test]
async fn health_and_readiness_need_no_token_and_tell_the_components() {
    let gateway = start(&Setup::default());
    let health = open(&gateway, "/healthz").await;
    assert_eq!((health.status, health.text("/status")), (200, "ok".to_owned()));
    for path in ["/readyz", "/readyz?strict=1"] {
        let ready = open(&gateway, path).await;
        assert_eq!((ready.status, ready.text("/status")), (200, "ready".to_owned()), "{path}");
        assert_eq!(ready.text("/components/evidence/status"), "ok");
        assert_eq!(ready.text("/components/ledger/status"), "ok");
        assert_eq!(ready.json()["components"]["draining"], false);
    }
}

#[tokio::test]
async fn too_little_space_makes_it_unready_and_names_the_reserve() {
    let gateway = start(&Setup { lines: vec![("evidence", "reserve = \"64 TiB\"".to_owned())], ..Setup::default() });
    let ready = open(&gateway, "/readyz").await;
    assert_eq!((ready.status, ready.text("/components/evidence/status")), (503, "below_reserve".to_owned()));
    assert_eq!(ready.json()["components"]["evidence"]["reserve_bytes"], 64_u64 << 40);
    assert_eq!(open(&gateway, "/healthz").await.status, 200);
    let refused = gateway.stripe(card("1").to_string().as_bytes()).await;
    assert_eq!((refused.status, refused.code().as_str()), (503, "EVIDENCE_UNAVAILABLE"));
    assert!(refused.headers.contains_key("retry-after"));
}

#[tokio::test]
async fn metrics_carry_the_names_of_the_contract() {
    let world = World::start().await;
    world.expect("order-1", &world.terms(1, "5")).await;
    let paid = world.rn(&confirmed(1, world.pay(1, 5).await, "5")).await;
    world.message(&paid, "payment.verified").await;
    let delivery = world.stripe(&card("1")).await;
    let gateway = &world.gateway;
    gateway.event_in(&delivery, "settled", "PROVIDER_EVENT").await;
    let forged = gateway.post("stripe", &tollgate::config::Provider::Stripe, "whsec_other-secret-00", b"{}").await;
    assert_eq!(forged.status, 401);
    let reply = open(gateway, "/metrics").await;
    let text = String::from_utf8(reply.body.clone()).unwrap();
    assert_eq!(reply.status, 200);
    assert!(reply.headers["content-type"].to_str().unwrap().starts_with("application/openmetrics-text"));
    assert!(text.ends_with("# EOF\n"));
    for sample in [
        concat!("tollgate_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
        "tollgate_rejected_total{source=\"stripe\",code=\"SIGNATURE_MISMATCH\"} 1",
        "tollgate_verdicts_total{source=\"request-network\",code=\"VERIFIED\"} 1",
        "tollgate_outbox_due{destination=\"default\"} 0",
    ] {
        assert!(text.lines().any(|line| line == sample), "{sample} is missing in:\n{text}");
    }
    assert!(text.contains("tollgate_deliveries_total{source=\"stripe\""), "{text}");
    for name in [
        "unrouted_requests",
        "ack_duration_seconds",
        "fsync_duration_seconds",
        "batch_deliveries",
        "intake_lag_deliveries",
        "oldest_unforwarded_seconds",
        "oldest_held_seconds",
        "outbox_due",
        "forward_attempts",
        "forward_duration_seconds",
        "source_last_verified_timestamp_seconds",
        "rpc_requests",
        "rpc_duration_seconds",
        "node_head_lag_blocks",
        "finalized_age_seconds",
        "disk_free_bytes",
        "evidence_bytes",
    ] {
        assert!(text.contains(&format!("# TYPE tollgate_{name} ")), "{name} is missing in:\n{text}");
    }
}

#[tokio::test]
async fn every_call_needs_a_token_that_is_known() {
    let gateway = start(&Setup::default());
    let url = format!("http://{}/api/v1/events", gateway.admin);
    for header in [None, Some("Bearer "), Some("Bearer wrong"), Some("Basic YTpi"), Some(ADMIN_TOKEN), Some("Bearer")] {
        let request = gateway.client.get(&url);
        let request = if let Some(text) = header { request.header("authorization", text) } else { request };
        let reply = http::send(request).await.unwrap();
        refused(&reply, 401, "UNAUTHORIZED");
        assert_eq!(reply.headers["www-authenticate"], "Bearer");
    }
    let lower = gateway.client.get(&url).header("authorization", format!("bearer {ADMIN_TOKEN}"));
    assert_eq!(http::send(lower).await.unwrap().status, 200);
}

#[tokio::test]
async fn a_role_sees_and_does_what_it_needs() {
    let gateway = start(&Setup::default());
    let delivery = gateway.stripe(card("1").to_string().as_bytes()).await.delivery_id();
    let event = gateway.event_in(&delivery, "forwarding", "PROVIDER_EVENT").await;
    let event = format!("/api/v1/events/{}", event["event_id"].as_str().unwrap());
    let shown = format!("/api/v1/deliveries/{delivery}");
    let raw = format!("{shown}/raw");
    // Who, events, deliveries, bodies.
    for (token, of_events, of_deliveries, of_bodies) in [
        (ADMIN_TOKEN, 200, 200, 200),
        (OPERATOR, 200, 200, 200),
        (STRIPE_AUDITOR, 200, 200, 200),
        (VIEWER_TOKEN, 200, 200, 403),
        (BACKEND_TOKEN, 200, 403, 403),
    ] {
        for (path, status) in [
            ("/api/v1/events", of_events),
            (event.as_str(), of_events),
            ("/api/v1/expectations", of_events),
            ("/api/v1/deliveries", of_deliveries),
            (shown.as_str(), of_deliveries),
            (raw.as_str(), of_bodies),
        ] {
            let reply = get(&gateway, path, token).await;
            assert_eq!(reply.status, status, "{token} {path}");
            if status == 403 {
                refused(&reply, 403, "FORBIDDEN");
            }
        }
        if of_deliveries == 200 {
            let headers = get(&gateway, &shown, token).await.json()["data"]["headers"].clone();
            assert_eq!(headers.is_array(), of_bodies == 200, "{token}: headers hold signatures");
        }
        // Operators do not write expectations; the question of rights comes before the question of terms.
        let writes = token == ADMIN_TOKEN || token == BACKEND_TOKEN;
        let put = gateway.admin("PUT", "/api/v1/expectations/order-1", token, Some(&json!({}))).await;
        assert_eq!(put.status, if writes { 422 } else { 403 }, "{token}");
        let delete = gateway.admin("DELETE", "/api/v1/expectations/order-1", token, None).await;
        assert_eq!(delete.status, if writes { 404 } else { 403 }, "{token}");
    }
}

#[tokio::test]
async fn a_token_limited_to_sources_sees_nothing_of_the_others() {
    let gateway = start(&Setup::default());
    let own = gateway.stripe(card("1").to_string().as_bytes()).await.delivery_id();
    let body = json!({"event": "payment.processing", "requestId": request_id(1)}).to_string();
    let other = gateway.request_network(body.as_bytes()).await.delivery_id();
    let own_event = gateway.event_in(&own, "forwarding", "PROVIDER_EVENT").await;
    let other_event = gateway.event_in(&other, "forwarding", "PROVIDER_EVENT").await;
    let path = |event: &Value| format!("/api/v1/events/{}", event["event_id"].as_str().unwrap());
    assert_eq!(get(&gateway, &path(&own_event), STRIPE_AUDITOR).await.status, 200);
    assert_eq!(get(&gateway, &format!("/api/v1/deliveries/{own}/raw"), STRIPE_AUDITOR).await.status, 200);
    for path in [path(&other_event), format!("/api/v1/deliveries/{other}"), format!("/api/v1/deliveries/{other}/raw")] {
        refused(&get(&gateway, &path, STRIPE_AUDITOR).await, 404, "NOT_FOUND");
    }
    for list in ["deliveries", "events", "events?source=request-network", "deliveries?source=request-network"] {
        let items = get(&gateway, &format!("/api/v1/{list}"), STRIPE_AUDITOR).await.json();
        let sources: Vec<_> = items["data"]["items"].as_array().unwrap().iter().map(|item| &item["source"]).collect();
        let wanted = if list.contains('?') { vec![] } else { vec!["stripe"] };
        assert_eq!(sources, wanted, "{list}");
    }
}

#[tokio::test]
async fn what_cannot_be_answered_is_refused_in_the_envelope() {
    let gateway = start(&Setup::default());
    for path in ["/", "/api/v1", "/api/v1/nothing", "/api/v2/events", "/nothing"] {
        refused(&get(&gateway, path, ADMIN_TOKEN).await, 404, "NOT_FOUND");
    }
    let unknown = uuid::Uuid::nil();
    for path in [format!("events/{unknown}"), format!("deliveries/{unknown}"), "expectations/nobody".to_owned()] {
        refused(&get(&gateway, &format!("/api/v1/{path}"), ADMIN_TOKEN).await, 404, "NOT_FOUND");
    }
    for path in [
        "events/not-a-uuid",
        "deliveries/not-a-uuid/raw",
        "events?colour=red",
        "events?limit=many",
        "events?state=sleeping",
        "events?code=NONSENSE",
        "events?since=yesterday",
        "events?payment_reference=order",
        "events?after=%21",
        "deliveries?after=nonsense",
        "expectations?colour=red",
    ] {
        refused(&get(&gateway, &format!("/api/v1/{path}"), ADMIN_TOKEN).await, 400, "BAD_REQUEST");
    }
    for (method, path) in [("POST", "/api/v1/events"), ("DELETE", "/healthz"), ("PATCH", "/api/v1/expectations/a")] {
        let reply = gateway.admin(method, path, ADMIN_TOKEN, None).await;
        refused(&reply, 405, "METHOD_NOT_ALLOWED");
        assert!(reply.headers.contains_key("allow"), "{method} {path}");
    }
    let large = json!({"metadata": {"text": "x".repeat(70_000)}});
    let reply = gateway.admin("PUT", "/api/v1/expectations/a", ADMIN_TOKEN, Some(&large)).await;
    refused(&reply, 413, "BODY_TOO_LARGE");
}

#[tokio::test]
async fn a_request_id_is_the_callers_when_it_is_well_formed() {
    let gateway = start(&Setup::default());
    let url = format!("http://{}/api/v1/nothing", gateway.admin);
    let call = |id: &'static str| http::send(gateway.client.get(&url).header("x-request-id", id));
    let reply = call("order-17.try_2").await.unwrap();
    refused(&reply, 404, "NOT_FOUND");
    assert_eq!(reply.text("/request_id"), "order-17.try_2");
    let reply = call("two words").await.unwrap();
    refused(&reply, 404, "NOT_FOUND");
    assert_ne!(reply.text("/request_id"), "two words");
    assert!(open(&gateway, "/healthz").await.headers.contains_key("x-request-id"));
}
