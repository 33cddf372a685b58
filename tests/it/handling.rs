//! Why an event is where it is, and what operators do about it (rule 24): with a reason, in the trace, in the audit, and
//! in the message where it let something pass.

use serde_json::{Value, json};
use tollgate::demo::devnet::Devnet;

use crate::operate::{ask, begin, open};
use crate::support::gateway::{ADMIN_TOKEN, Setup, Site, VIEWER_TOKEN};
use crate::support::money::{Ways, World, confirmed, request_id, terms};

/// A world that denies its payer, by a list of nobody else.
async fn denying(folder: &tempfile::TempDir) -> World {
    let net = Devnet::start().await.expect("a chain");
    let list = folder.path().join("deny.txt");
    std::fs::write(&list, format!("{}\n", net.payer)).expect("written");
    let lines = vec![("verification", format!("screening = {{ files = [\"{}\"] }}", list.display()))];
    World::on(net, Ways { lines, ..Ways::default() })
}

async fn explained(world: &World, event: &Value) -> Value {
    let path = format!("/api/v1/events/{}/explain", event["event_id"].as_str().expect("an id"));
    let reply = world.gateway.admin("GET", &path, VIEWER_TOKEN, None).await;
    assert_eq!(reply.status, 200, "{:#}", reply.json());
    reply.json()["data"].clone()
}

fn verbs(explained: &Value) -> Vec<&str> {
    let may = explained["operator_may"].as_array().expect("a list");
    may.iter().map(|step| step["verb"].as_str().expect("a verb")).collect()
}

#[tokio::test]
async fn rule_24_what_a_rule_holds_is_accepted_with_a_reason_that_the_message_carries() {
    let folder = tempfile::tempdir().expect("a folder");
    let world = denying(&folder).await;
    let site = Site::new(&Setup::default());
    world.expect("order-1", &world.terms(1, "12")).await;
    let tx = world.pay(1, 12).await;
    let delivery = world.rn(&confirmed(1, tx, "12")).await;
    let event = world.silent(&delivery, "held", "SANCTIONED").await;
    let id = event["event_id"].as_str().expect("an id");

    let why = explained(&world, &event).await;
    assert_eq!((&why["state"], &why["code"]), (&json!("held"), &json!("SANCTIONED")));
    assert_eq!(verbs(&why), ["accept", "recheck", "close"]);
    assert_eq!(why["in_the_way"][0]["name"], "sanctions");
    assert!(why["would_pass"].as_str().is_some_and(|text| text.contains("once the list has let go")), "{why:#}");
    assert_eq!(
        (&why["next_look_at"], why["next_look"].as_str()),
        (&Value::Null, Some("not by itself: what frees it makes it due"))
    );
    let last = why["steps"].as_array().and_then(|steps| steps.last().cloned()).expect("steps");
    assert!(last["votes"].as_array().is_some_and(|votes| !votes.is_empty()), "who said so: {last:#}");

    let cli = |arguments: &[&str]| ask(&site, &world.gateway, ADMIN_TOKEN, arguments, "");
    cli(&["events", "accept", id, "--yes"]).fails(2, "--reason");
    cli(&["events", "accept", id, "--reason", " ", "--yes"]).fails(2, "BAD_REQUEST");
    cli(&["events", "accept", id, "--reason", "agreed"]).fails(2, "sent although a rule holds them");
    let viewer = ["events", "accept", id, "--reason", "x", "--yes"];
    ask(&site, &world.gateway, VIEWER_TOKEN, &viewer, "").fails(1, "FORBIDDEN");
    world.silent(&delivery, "held", "SANCTIONED").await;

    let reason = "compliance cleared it, case 1734";
    cli(&["events", "note", &begin(id, 13), "--reason", "asked compliance"]);
    let done = cli(&["events", "accept", &begin(id, 13), "--reason", reason, "--yes", "-o", "json"]).json();
    assert_eq!(done[0]["event_id"], id);
    let message = world.message(&delivery, "payment.verified").await;
    let verification = &message["data"]["verification"];
    assert_eq!(verification["override"], json!({"by": "admin", "reason": reason}));
    let denied =
        verification["checks"].as_array().and_then(|all| all.iter().find(|check| check["name"] == "sanctions"));
    assert_eq!(denied.expect("shown")["outcome"], "fail", "what was passed over stays in sight");
    let audit = cli(&["audit", "list", "--event", id, "-o", "json"]).json();
    let did: Vec<_> =
        audit.as_array().expect("entries").iter().map(|entry| (&entry["what"], &entry["reason"])).collect();
    assert_eq!(did, [(&json!("event.accept"), &json!(reason)), (&json!("event.note"), &json!("asked compliance"))]);
    assert_eq!((&audit[0]["before"]["code"], &audit[0]["after"]["state"]), (&json!("SANCTIONED"), &json!("verifying")));
    cli(&["events", "accept", id, "--reason", "again", "--yes"]).fails(1, "NOT_POSSIBLE");
    cli(&["events", "watch", id, "-o", "id"]).lines();
}

#[tokio::test]
async fn rule_24_nothing_is_accepted_past_recipient_status_or_a_claim() {
    let world = World::start().await;
    let site = Site::new(&Setup::default());
    let cli = |arguments: &[&str]| ask(&site, &world.gateway, ADMIN_TOKEN, arguments, "");
    // To somebody else, with the order's own reference.
    world.expect("order-1", &world.terms(1, "12")).await;
    let net = &world.net;
    let amount = crate::support::money::tokens(12);
    let reference = crate::support::money::reference(1);
    let tx = net.pay_token(net.erc20_fee_proxy, net.payer, amount, &reference).await.expect("a payment");
    let delivery = world.rn(&confirmed(1, tx, "12")).await;
    let event = world.gateway.event_when(&delivery, |event| event["state"] == "refuted").await;
    let why = explained(&world, &event).await;
    assert!(!verbs(&why).contains(&"accept"), "{why:#}");
    let id = event["event_id"].as_str().expect("an id");
    cli(&["events", "accept", id, "--reason", "please", "--yes"]).fails(1, "NOT_POSSIBLE");
    cli(&["events", "close", id, "--reason", "please", "--yes"]).fails(1, "NOT_POSSIBLE");
    let again = cli(&["events", "recheck", id, "--reason", "look again", "-o", "json"]).json();
    assert_eq!(again[0]["event_id"], id);
    let event = world.gateway.event_when(&delivery, |event| event["state"] == "refuted").await;
    assert_eq!(event["messages"], json!([]), "today's chain says the same");
    for (verb, body) in [
        ("recheck", json!({})),
        ("recheck", json!({"reason": "x", "expectation": "order-1"})),
        ("attach", json!({"reason": "x"})),
        ("bless", json!({"reason": "x"})),
    ] {
        let reply = world.gateway.admin("POST", &format!("/api/v1/events/{id}/{verb}"), ADMIN_TOKEN, Some(&body)).await;
        assert!(matches!(reply.status, 400 | 404), "{verb} {body}: {}", reply.status);
    }
}

#[tokio::test]
async fn rule_24_an_event_is_attached_to_an_expectation_and_the_chain_still_decides() {
    let world = World::start().await;
    let site = Site::new(&Setup::default());
    let cli = |arguments: &[&str]| ask(&site, &world.gateway, ADMIN_TOKEN, arguments, "");
    // The backend knows the order under another request than the webhook says.
    let mut by_request = terms(&world.net, 1, "12");
    by_request["payment_reference"] = Value::Null;
    by_request["request_id"] = json!(request_id(7));
    world.expect("order-1", &by_request).await;
    let tx = world.pay(1, 12).await;
    let delivery = world.rn(&confirmed(1, tx, "12")).await;
    let event = world.silent(&delivery, "undetermined", "EXPECTATION_UNKNOWN").await;
    let id = event["event_id"].as_str().expect("an id");
    assert!(verbs(&explained(&world, &event).await).contains(&"attach"));
    let attach = |order: &'static str| ["events", "attach", id, "--expectation", order, "--reason", "told by mail"];
    cli(&attach("order-9")).fails(1, "NOT_FOUND");
    cli(&attach("order-1")).lines();
    let message = world.message(&delivery, "payment.verified").await;
    assert_eq!(message["data"]["expectation"]["id"], "order-1");
    assert_eq!(message["data"]["verification"]["override"], Value::Null);

    // One that nobody expects is closed, and opened again by a recheck.
    let tx = world.pay(2, 12).await;
    let delivery = world.rn(&confirmed(2, tx, "12")).await;
    let event = world.silent(&delivery, "undetermined", "EXPECTATION_UNKNOWN").await;
    let id = event["event_id"].as_str().expect("an id").to_owned();
    cli(&["events", "close", &id, "--reason", "a gift", "--yes"]).lines();
    let event = world.silent(&delivery, "ignored", "CLOSED").await;
    assert_eq!(verbs(&explained(&world, &event).await), ["recheck"]);
    cli(&["events", "recheck", &id, "--reason", "no gift after all"]).lines();
    world.silent(&delivery, "undetermined", "EXPECTATION_UNKNOWN").await;
    // On a stopped gateway's data too, by the same function.
    let stopped = world.gateway.kill();
    let shown = open(&stopped, &["events", "explain", &id, "-o", "json"]).json();
    assert_eq!(
        (&shown["code"], shown["operator_may"].as_array().map(Vec::len)),
        (&json!("EXPECTATION_UNKNOWN"), Some(3))
    );
}
