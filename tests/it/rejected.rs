//! What was refused, what it would have matched, and the way back in after a forgotten rotation: over the real binary.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tollgate::config::Provider;

use crate::support::gateway::{
    ADMIN_TOKEN, FORWARD_SECRET, Gateway, PATIENCE, REQUEST_NETWORK_SECRET, STRIPE_SECRET, Setup, Site, VIEWER_TOKEN,
    text,
};
use crate::support::http::{self, Reply};
use crate::support::money::card;
use crate::support::receiver::Receiver;

/// What the provider signs with after its rotation.
const NEW_SECRET: &str = "whsec_after-the-rotation-71c04d";
const FORGER: &str = "whsec_nobody-knows-this-0000";
const ENDED_SECRET: &str = "whsec_ended-last-year-55a3";

/// What a command wrote.
struct Told {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Told {
    fn items(&self) -> Vec<Value> {
        assert_eq!(self.code, Some(0), "{}{}", self.out, self.err);
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error} in:\n{}", self.out))
    }
}

fn told(mut command: Command) -> Told {
    let ended = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Told { code: ended.status.code(), out: text(ended.stdout), err: text(ended.stderr) }
}

/// `tollgate rejected …` against the running gateway.
fn ask(site: &Site, gateway: &Gateway, token: &str, arguments: &[&str]) -> Told {
    let mut command = site.command();
    command.arg("rejected").args(arguments).args(["--admin", &format!("http://{}", gateway.admin)]);
    command.env("TOLLGATE_ADMIN_TOKEN", token);
    told(command)
}

/// The same against the stopped gateway's data.
fn open(site: &Site, arguments: &[&str]) -> Told {
    let mut command = site.command();
    command.arg("rejected").args(arguments);
    command.args(["--data", &text(&site.data()), "--config", &text(&site.file())]);
    told(command)
}

/// Puts other secrets into the configuration of the source `stripe`.
fn configure(site: &Site, secrets: &str) {
    let configuration = std::fs::read_to_string(site.file()).unwrap();
    let (before, rest) = configuration.split_once("path = \"/webhooks/stripe\"\nsecrets = ").unwrap();
    let (_, after) = rest.split_once('\n').unwrap();
    let changed = format!("{before}path = \"/webhooks/stripe\"\nsecrets = {secrets}\n{after}");
    std::fs::write(site.file(), changed).unwrap();
}

async fn post(gateway: &Gateway, secret: &str, body: &str) -> Reply {
    gateway.post("stripe", &Provider::Stripe, secret, body.as_bytes()).await
}

async fn get(gateway: &Gateway, path: &str, token: &str) -> Reply {
    gateway.admin("GET", path, token, None).await
}

/// The list, once it holds so many: the ring is written in the background.
async fn listed(gateway: &Gateway, query: &str, count: usize) -> Vec<Value> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let reply = get(gateway, &format!("/api/v1/rejected?{query}"), ADMIN_TOKEN).await;
        let items = reply.json()["data"]["items"].as_array().cloned().unwrap_or_default();
        if count <= items.len() || deadline < Instant::now() {
            assert_eq!(items.len(), count, "{}", String::from_utf8_lossy(&reply.body));
            return items;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn metric(gateway: &Gateway, series: &str) -> Option<String> {
    let reply = http::send(gateway.client.get(format!("http://{}/metrics", gateway.admin))).await.unwrap();
    let text = String::from_utf8(reply.body).unwrap();
    text.lines().find_map(|line| line.strip_prefix(series)).map(|value| value.trim().to_owned())
}

fn outcome<'a>(items: &'a [Value], rejected: &Value) -> &'a Value {
    items.iter().find(|item| item["rejected_id"] == *rejected).unwrap_or_else(|| panic!("{rejected} in {items:#?}"))
}

#[tokio::test]
async fn rule_31_a_forgotten_rotation_is_seen_and_put_right_once() {
    let backend = Receiver::start(&[FORWARD_SECRET]);
    let mut site = Site::new(&Setup { backend: Some(backend.address()), ..Setup::default() });
    site.set("IT_STRIPE_NEW", NEW_SECRET);
    let gateway = site.start();
    post(&gateway, STRIPE_SECRET, &card("1").to_string()).await.delivery_id();
    // The provider rotates, nobody here does.
    let lost = card("2").to_string();
    for body in [&lost, &card("3").to_string()] {
        let refused = post(&gateway, NEW_SECRET, body).await;
        assert_eq!((refused.status, refused.code().as_str()), (401, "SIGNATURE_MISMATCH"));
        // The list orders by millisecond.
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert_eq!(post(&gateway, FORGER, &card("666").to_string()).await.status, 401);
    let alarm = "tollgate_source_signature_failures_since_verified{source=\"stripe\"}";
    assert_eq!(metric(&gateway, alarm).await.as_deref(), Some("3"));
    let refused = listed(&gateway, "source=stripe", 3).await;
    assert!(refused.iter().all(|item| item["diagnosis"]["code"] == "NO_MATCH"), "{refused:#?}");
    let (forged, second, first) = (&refused[0]["rejected_id"], &refused[1]["rejected_id"], &refused[2]["rejected_id"]);
    let raw = get(&gateway, &format!("/api/v1/rejected/{}/raw", first.as_str().unwrap()), ADMIN_TOKEN).await;
    assert_eq!(raw.body, lost.as_bytes());
    let nothing =
        ask(&site, &gateway, ADMIN_TOKEN, &["admit", "--source", "stripe", "--reason", "try", "-y", "-o", "json"]);
    assert!(nothing.items().iter().all(|item| item["outcome"] == "refused"), "{}", nothing.out);
    let (status, _) = gateway.terminate();
    assert_eq!(status.code(), Some(0));

    // The new secret arrives; a stopped gateway's data already says whom it lets in.
    configure(&site, "[{ ref = \"env:IT_STRIPE_NEW\", name = \"spring\" }, \"env:IT_STRIPE\"]");
    let checked = open(&site, &["recheck", "--source", "stripe", "--since", "1h", "-o", "json"]).items();
    assert_eq!(outcome(&checked, first)["outcome"], "verifies");
    assert_eq!(outcome(&checked, forged)["code"], "SIGNATURE_MISMATCH");
    let gateway = site.start();
    assert_eq!(metric(&gateway, alarm).await.as_deref(), Some("0"));
    let shown = get(&gateway, &format!("/api/v1/rejected/{}", first.as_str().unwrap()), ADMIN_TOKEN).await.json();
    assert_eq!(
        (&shown["data"]["verifies_today"], &shown["data"]["diagnosis"]["code"]),
        (&json!(true), &json!("SIGNED"))
    );

    let admit = |arguments: &[&str]| ask(&site, &gateway, ADMIN_TOKEN, &[&["admit"], arguments].concat());
    let unsure = admit(&["--source", "stripe", "--reason", "forgotten rotation"]);
    assert!(unsure.code == Some(2) && unsure.err.contains("2 of 3"), "{}{}", unsure.out, unsure.err);
    let one = admit(&[first.as_str().unwrap(), "--reason", "forgotten rotation", "-o", "json"]).items();
    let delivery = outcome(&one, first)["admitted_as"].as_str().unwrap().to_owned();
    assert_eq!((&one[0]["outcome"], &one[0]["secret"]), (&json!("admitted"), &json!("spring")));
    let all = ["--source", "stripe", "--reason", "forgotten rotation", "--yes", "-o", "json"];
    let rest = admit(&all).items();
    assert_eq!(outcome(&rest, first)["outcome"], "already_admitted");
    assert_eq!(outcome(&rest, first)["admitted_as"], delivery.as_str());
    assert_eq!(outcome(&rest, second)["outcome"], "admitted");
    assert_eq!(outcome(&rest, forged)["outcome"], "refused");
    let event = gateway.event_when(&delivery, |event| event["code"] == "PROVIDER_EVENT").await;
    backend.wait_until("three messages", |received| 3 <= received.len()).await;
    let stored = get(&gateway, &format!("/api/v1/deliveries/{delivery}"), ADMIN_TOKEN).await.json();
    assert_eq!(stored["data"]["admitted_from"], *first);
    assert_eq!(stored["data"]["received_at"], refused[2]["received_at"], "it came when it came");

    // Again, by hand and by the provider: the same delivery, the same event, nothing sent.
    assert!(admit(&all).items().iter().all(|item| item["outcome"] != "admitted"));
    let by_itself = post(&gateway, NEW_SECRET, &lost).await.delivery_id();
    let again = gateway.event_when(&by_itself, |event| event["code"] == "PROVIDER_EVENT").await;
    assert_eq!(again["event_id"], event["event_id"]);
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(backend.received().len(), 3, "one message an event");
    let seen: Vec<_> =
        listed(&gateway, "source=stripe", 3).await.iter().map(|item| item["admitted_as"].clone()).collect();
    assert_eq!(seen[0], Value::Null, "the forged one never");
    assert_eq!(seen[2], delivery.as_str());
    let (_, log) = gateway.terminate();
    assert!(log.contains("a rejected request was admitted"), "{log}");
    audited(&site, first, &delivery);
}

/// The audit of the stopped gateway names both that were let in, once each, and why.
fn audited(site: &Site, rejected: &Value, delivery: &str) {
    let ledger = rusqlite::Connection::open(site.data().join("ledger.db")).unwrap();
    let count = "SELECT count(*) FROM audit WHERE what = 'rejected.admit'";
    assert_eq!(ledger.query_row(count, [], |row| row.get::<_, i64>(0)).unwrap(), 2);
    let one = "SELECT by_name, reason, after FROM audit WHERE subject = ?1";
    let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
    let (by, reason, after): (String, String, String) =
        ledger.query_row(one, [rejected.as_str().unwrap()], read).unwrap();
    assert_eq!((by.as_str(), reason.as_str()), ("admin", "forgotten rotation"));
    assert!(after.contains(delivery) && after.contains("spring"), "{after}");
}

#[tokio::test]
async fn admitting_at_the_same_time_makes_one_delivery() {
    let mut site = Site::new(&Setup::default());
    site.set("IT_STRIPE_NEW", NEW_SECRET);
    let gateway = site.start();
    post(&gateway, NEW_SECRET, &card("1").to_string()).await;
    let id = listed(&gateway, "", 1).await[0]["rejected_id"].clone();
    gateway.terminate();
    configure(&site, "[\"env:IT_STRIPE_NEW\"]");
    let gateway = site.start();
    let body = json!({"ids": [id], "reason": "twice"});
    let admit = || gateway.admin("POST", "/api/v1/rejected/admit", ADMIN_TOKEN, Some(&body));
    let (a, b, c, d) = tokio::join!(admit(), admit(), admit(), admit());
    let outcomes: Vec<String> = [&a, &b, &c, &d].map(|reply| reply.text("/data/items/0/outcome")).to_vec();
    assert_eq!(outcomes.iter().filter(|outcome| *outcome == "admitted").count(), 1, "{outcomes:?}");
    let deliveries: Vec<String> = [&a, &b, &c, &d].map(|reply| reply.text("/data/items/0/admitted_as")).to_vec();
    assert!(
        !deliveries[0].is_empty() && deliveries.iter().all(|delivery| *delivery == deliveries[0]),
        "{deliveries:?}"
    );
    gateway.event_when(&deliveries[0], |event| event["code"] == "PROVIDER_EVENT").await;
    let all = get(&gateway, "/api/v1/deliveries", ADMIN_TOKEN).await.json();
    assert_eq!(all["data"]["items"].as_array().unwrap().len(), 1, "{all:#}");
}

#[tokio::test]
async fn the_diagnosis_names_what_would_have_matched_and_no_secret_is_shown_anywhere() {
    let mut site = Site::new(&Setup::default());
    site.set("IT_STRIPE_ENDED", ENDED_SECRET);
    configure(
        &site,
        "[\"env:IT_STRIPE\", { ref = \"env:IT_STRIPE_ENDED\", name = \"winter\", not_after = \"2026-01-31T00:00:00Z\" }]",
    );
    let gateway = site.start();
    let body = card("1").to_string();
    let url = format!("http://{}/webhooks/stripe", gateway.public);
    assert_eq!(post(&gateway, ENDED_SECRET, &body).await.code(), "SIGNATURE_MISMATCH");
    let pretty = serde_json::to_string_pretty(&card("1")).unwrap();
    let rewritten = http::signed(&gateway.client, &url, &Provider::Stripe, STRIPE_SECRET, body.as_bytes()).body(pretty);
    assert_eq!(http::send(rewritten).await.unwrap().code(), "SIGNATURE_MISMATCH");
    let other = gateway.post("stripe", &Provider::RequestNetwork, REQUEST_NETWORK_SECRET, body.as_bytes()).await;
    assert_eq!(other.code(), "SIGNATURE_MISSING");
    assert_eq!(post(&gateway, FORGER, &body).await.code(), "SIGNATURE_MISMATCH");

    let items = listed(&gateway, "", 4).await;
    let found = |code: &str| -> &Value {
        items.iter().map(|item| &item["diagnosis"]).find(|found| found["differences"][0] == code).unwrap()
    };
    assert_eq!(found("SECRET_EXPIRED")["secret"], "winter");
    assert_eq!(found("BODY_REWRITTEN")["secret"], "it_stripe");
    assert!(found("BODY_REWRITTEN")["says"].as_str().unwrap().contains("as compact JSON"));
    assert!(items.iter().any(|item| item["diagnosis"]["says"].as_str().unwrap().contains("header of request-network")));
    assert!(items.iter().any(|item| item["diagnosis"]["code"] == "NO_MATCH"));
    assert_eq!(listed(&gateway, "code=SIGNATURE_MISSING", 1).await[0]["source"], "stripe");
    assert!(listed(&gateway, "source=request-network", 0).await.is_empty());

    let mut said = vec![format!("{items:#?}")];
    let ids: Vec<&str> = items.iter().map(|item| item["rejected_id"].as_str().unwrap()).collect();
    for arguments in [
        vec!["list", "-o", "wide"],
        [vec!["show", "-o", "wide"], ids.clone()].concat(),
        vec!["recheck", "--source", "stripe", "-o", "wide"],
        vec!["admit", "--source", "stripe", "--reason", "x", "-y", "-o", "wide"],
    ] {
        let told = ask(&site, &gateway, ADMIN_TOKEN, &arguments);
        assert_eq!(told.code, Some(0), "{}{}", told.out, told.err);
        said.extend([told.out, told.err]);
    }
    assert!(said.iter().any(|text| text.contains("winter")));
    let (_, log) = gateway.terminate();
    said.push(log);
    for secret in [STRIPE_SECRET, ENDED_SECRET, FORGER, REQUEST_NETWORK_SECRET, ADMIN_TOKEN] {
        let bare = secret.trim_start_matches("whsec_");
        assert!(said.iter().all(|text| !text.contains(bare)), "{secret} is shown");
    }
}

#[tokio::test]
async fn who_may_look_and_who_may_let_in() {
    let site = Site::new(&Setup::default());
    let gateway = site.start();
    post(&gateway, FORGER, "{}").await;
    let id = listed(&gateway, "", 1).await[0]["rejected_id"].as_str().unwrap().to_owned();
    let shown = get(&gateway, &format!("/api/v1/rejected/{}", id.split_at(34).0), VIEWER_TOKEN).await;
    assert_eq!((shown.status, &shown.json()["data"]["headers"]), (200, &Value::Null), "a viewer sees no headers");
    let raw = get(&gateway, &format!("/api/v1/rejected/{id}/raw"), VIEWER_TOKEN).await;
    assert_eq!(raw.status, 403);
    let body = json!({"ids": [id], "reason": "x"});
    for (path, token) in [("recheck", VIEWER_TOKEN), ("admit", VIEWER_TOKEN)] {
        let reply = gateway.admin("POST", &format!("/api/v1/rejected/{path}"), token, Some(&body)).await;
        assert_eq!((reply.status, reply.code().as_str()), (403, "FORBIDDEN"), "{path}");
    }
    for body in [json!({"ids": [id]}), json!({"ids": [id], "reason": " "}), json!({"reason": "x"}), json!({"id": 1})] {
        let reply = gateway.admin("POST", "/api/v1/rejected/admit", ADMIN_TOKEN, Some(&body)).await;
        assert_eq!(reply.code(), "BAD_REQUEST", "{body}");
    }
    let unknown = json!({"ids": ["0192ab4f-0000-7000-8000-000000000000"], "reason": "x"});
    let reply = gateway.admin("POST", "/api/v1/rejected/admit", ADMIN_TOKEN, Some(&unknown)).await;
    assert_eq!(reply.text("/data/items/0/outcome"), "unknown");
    assert_eq!(get(&gateway, "/api/v1/rejected?peers=1", ADMIN_TOKEN).await.code(), "BAD_REQUEST");
}

#[tokio::test]
async fn a_flood_from_one_peer_does_not_push_out_what_another_sent() {
    let lines = vec![
        ("ingress", "trusted_proxies = [\"127.0.0.0/8\"]".to_owned()),
        ("evidence", "rejected_max = \"1 MiB\"".to_owned()),
    ];
    let site = Site::new(&Setup { lines, ..Setup::default() });
    let gateway = site.start();
    let url = format!("http://{}/webhooks/stripe", gateway.public);
    let send = async |peer: &str, body: String| {
        let request = http::signed(&gateway.client, &url, &Provider::Stripe, NEW_SECRET, body.as_bytes());
        http::send(request.header("x-forwarded-for", peer)).await.unwrap().status
    };
    let lost = card("1").to_string();
    assert_eq!(send("198.51.100.1", lost.clone()).await, 401);
    for n in 0..120 {
        // One customer's addresses: a /64 is one peer.
        let status = send(&format!("2001:db8:0:1::{n:x}"), "x".repeat(30_000)).await;
        assert!(matches!(status, 401 | 429), "{status}");
    }
    let kept = listed(&gateway, "peer=198.51.100.1", 1).await;
    let id = kept[0]["rejected_id"].as_str().unwrap();
    assert_eq!(get(&gateway, &format!("/api/v1/rejected/{id}/raw"), ADMIN_TOKEN).await.body, lost.as_bytes());
    // The ring is written in the background: more of the flood may still come, and never more than half.
    let deadline = Instant::now() + PATIENCE;
    loop {
        let flood = paged(&gateway).await - 1;
        assert!(flood <= 17, "{flood}");
        if 15 <= flood {
            break;
        }
        assert!(Instant::now() < deadline, "half of the ring is the flood's: {flood}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// How many there are, by small pages.
async fn paged(gateway: &Gateway) -> usize {
    let (mut count, mut after) = (0, String::new());
    loop {
        let reply = get(gateway, &format!("/api/v1/rejected?limit=7{after}"), ADMIN_TOKEN).await;
        count += reply.json()["data"]["items"].as_array().unwrap().len();
        match reply.text("/data/next") {
            next if next.is_empty() => return count,
            next => after = format!("&after={next}"),
        }
    }
}
