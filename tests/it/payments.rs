//! Payments by hand: what was proven and by which transfers, and a transaction that is judged because somebody asks.

use alloy_primitives::B256;
use serde_json::{Value, json};

use crate::operate::{ask, begin};
use crate::support::gateway::{ADMIN_TOKEN, BACKEND_TOKEN, PATIENCE, Setup, Site, VIEWER_TOKEN};
use crate::support::money::{World, card, confirmed, reference, tokens};

mod submitted;

/// What is said of it once the gateway has seen the block: heads are as old as their last poll.
async fn check(world: &World, body: &Value) -> Value {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let reply = world.gateway.admin("POST", "/api/v1/payments/check", VIEWER_TOKEN, Some(body)).await;
        assert_eq!(reply.status, 200, "{:#}", reply.json());
        let judged = reply.json()["data"].clone();
        if judged["code"] != "WAITING_CONFIRMATIONS" && judged["confirmations"] != 0 {
            return judged;
        }
        assert!(tokio::time::Instant::now() < deadline, "{judged:#}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_payment_is_found_by_each_of_its_names() {
    let world = World::start().await;
    world.expect("order-1", &world.terms(1, "12")).await;
    world.expect("order-2", &world.terms(2, "12")).await;
    let tx = world.pay(1, 12).await;
    let delivery = world.rn(&confirmed(1, tx, "12")).await;
    let message = world.message(&delivery, "payment.verified").await;
    let other = world.stripe(&card("1")).await;
    world.message(&other, "provider.event").await;
    let (event, payment) = (&message["data"]["event_id"], &message["data"]["payment_id"]);
    let (event, payment) = (event.as_str().unwrap(), payment.as_str().unwrap());
    let get = async |path: &str, token| world.gateway.admin("GET", &format!("/api/v1{path}"), token, None).await;

    let list = get("/payments", BACKEND_TOKEN).await.json();
    let ids: Vec<&Value> = list["data"]["items"].as_array().unwrap().iter().map(|row| &row["event_id"]).collect();
    assert_eq!(ids, [event], "a card payment proves no money");
    for (query, found) in [("chain=local", 1), ("expectation=order-1", 1), ("expectation=order-2", 0), ("q=evt_1", 0)] {
        let list = get(&format!("/payments?{query}"), BACKEND_TOKEN).await.json();
        assert_eq!(list["data"]["items"].as_array().unwrap().len(), found, "{query}");
    }
    let hash = tx.to_string();
    let upper = hash.to_uppercase().replace("0X", "0x");
    for name in [
        payment,
        &begin(payment, 14),
        event,
        &begin(event, 9),
        &hash,
        &begin(&hash, 12),
        &upper,
        hash.trim_start_matches("0x"),
    ] {
        let shown = get(&format!("/payments/{name}"), BACKEND_TOKEN).await;
        assert_eq!(shown.text("/data/event_id"), event, "{name}");
    }
    let shown = get(&format!("/payments/{payment}"), VIEWER_TOKEN).await.json()["data"].clone();
    assert_eq!(shown["messages"][0]["type"], "payment.verified");
    assert!(shown["meaning"]["seen"].as_str().unwrap().starts_with("every check passed"), "{:#}", shown["meaning"]);
    let slots: Vec<&Value> = shown["claims"].as_array().unwrap().iter().map(|claim| &claim["slot"]).collect();
    let sent = message["data"]["payment"]["slots"].as_array().unwrap();
    assert_eq!((slots.len(), sent.iter().all(|slot| slots.contains(&slot))), (sent.len(), true));
    let money = shown["claims"].as_array().unwrap().iter().find(|claim| claim["amount_base_units"] != "0").unwrap();
    assert_eq!((&money["state"], &money["tx_hash"]), (&json!("claimed"), &json!(tx)));
    assert_eq!(money["amount_base_units"], message["data"]["payment"]["amount_base_units"]);
    assert!(shown["evidence"].is_array());
    let unpaid = world.gateway.event_when(&other, |event| event["event_id"].is_string()).await;
    for name in [unpaid["event_id"].as_str().unwrap(), "pay_00000000000000000000000000000000", "0x1717"] {
        assert_ne!(get(&format!("/payments/{name}"), VIEWER_TOKEN).await.status, 200, "{name}");
    }
    let site = Site::new(&Setup::default());
    let cli = |arguments: &[&str]| ask(&site, &world.gateway, ADMIN_TOKEN, arguments, "");
    assert_eq!(cli(&["payments", "list", "-o", "id"]).lines(), [payment]);
    assert_eq!(cli(&["payments", "show", &begin(payment, 14), "-o", "json"]).json()["event_id"], event);
    cli(&["payments", "show", "0x1717"]).fails(1, "NOT_FOUND");
    let people = cli(&["payments", "show", &hash]);
    assert!(people.out.contains("claims") && people.out.contains("log:"), "{}", people.out);
}

#[tokio::test]
async fn a_transaction_is_judged_by_hand_and_nothing_is_written() {
    let world = World::start().await;
    let net = &world.net;
    for order in 1..=2 {
        world.expect(&format!("order-{order}"), &world.terms(order, "30")).await;
    }
    let paid = world.pay(1, 30).await;
    let astray = net.pay_token(net.erc20_fee_proxy, net.stranger, tokens(30), &reference(2)).await.unwrap();
    let asked = |tx: B256, expectation: &str| json!({"chain": "local", "tx": tx, "expectation": expectation});
    let judged = check(&world, &asked(paid, "order-1")).await;
    assert_eq!((&judged["verdict"], &judged["code"]), (&json!("confirmed"), &json!("VERIFIED")), "{judged:#}");
    let would = judged["would_send"].clone();
    assert_eq!((&would["type"], &would["destinations"]), (&json!("payment.verified"), &json!(["default"])));
    assert_eq!((&would["payment"]["amount"], &would["expectation"]["status"]), (&json!("30"), &json!("paid")));
    assert_eq!((&judged["votes"][0]["vote"], &judged["claimed_by"]), (&json!("agree"), &Value::Null));
    let wrong = check(&world, &asked(astray, "order-2")).await;
    assert_eq!((&wrong["verdict"], &wrong["code"]), (&json!("refuted"), &json!("WRONG_RECIPIENT")), "{wrong:#}");
    assert_eq!(wrong["would_send"], Value::Null);
    for (words, of) in [("asked", "recipient"), ("seen", "another address"), ("changes", "another hash")] {
        assert!(wrong["meaning"][words].as_str().unwrap().contains(of), "{:#}", wrong["meaning"]);
    }
    let failed = wrong["checks"].as_array().unwrap().iter().find(|check| check["outcome"] == "fail").unwrap();
    assert_eq!(failed["name"], "recipient");
    let unknown = check(&world, &asked(B256::repeat_byte(0x17), "order-1")).await;
    assert_eq!((&unknown["verdict"], &unknown["code"]), (&json!("undetermined"), &json!("WAITING_INCLUSION")));
    // Nobody was told, and nothing is stored.
    assert_eq!(world.expectation("order-1").await["status"], "open");
    let events = world.gateway.admin("GET", "/api/v1/events", ADMIN_TOKEN, None).await.json();
    assert_eq!(events["data"]["items"], json!([]));
    assert!(world.backend.received().is_empty());

    // What verification then does is what was said; afterwards the transfers are taken.
    let delivery = world.rn(&confirmed(1, paid, "30")).await;
    let message = world.message(&delivery, "payment.verified").await;
    for part in ["payment_id", "payment", "expectation"] {
        let mut sent = message["data"][part].clone();
        if part == "payment" {
            // Only the provider's webhook names the request.
            sent["request_id"] = Value::Null;
        }
        assert_eq!(would[part], sent, "{part}");
    }
    let again = check(&world, &asked(paid, "order-1")).await;
    assert_eq!((&again["code"], &again["would_send"]), (&json!("JOINED"), &Value::Null), "{again:#}");
    assert_eq!(again["claimed_by"]["event_id"], message["data"]["event_id"]);
    let other = check(&world, &asked(paid, "order-2")).await;
    assert_eq!((&other["verdict"], &other["code"]), (&json!("refuted"), &json!("WRONG_REFERENCE")));
    assert_eq!(other["events"][0]["payment_id"], message["data"]["payment_id"]);
}

#[tokio::test]
async fn a_check_by_hand_needs_a_chain_a_hash_and_a_right() {
    let world = World::start().await;
    let tx = world.pay(1, 12).await;
    let hash = json!(tx);
    for (token, body, status) in [
        (BACKEND_TOKEN, json!({"chain": "local", "tx": hash}), 403),
        (VIEWER_TOKEN, json!({"chain": "base", "tx": hash}), 404),
        (VIEWER_TOKEN, json!({"chain": "local", "tx": hash, "expectation": "nobody"}), 404),
        (VIEWER_TOKEN, json!({"chain": "local", "tx": "0x1234"}), 400),
        (VIEWER_TOKEN, json!({"chain": "local"}), 400),
        (VIEWER_TOKEN, json!({"chain": "local", "tx": hash, "submit": true}), 403),
        (ADMIN_TOKEN, json!({"chain": "local", "tx": hash, "submit": true}), 400),
        (VIEWER_TOKEN, json!({"chain": "local", "tx": hash, "payment_reference": "order"}), 400),
        (VIEWER_TOKEN, json!({"chain": 31337, "tx": hash}), 400),
        (VIEWER_TOKEN, json!({"chain": "31337", "tx": hash}), 200),
    ] {
        let reply = world.gateway.admin("POST", "/api/v1/payments/check", token, Some(&body)).await;
        assert_eq!(reply.status, status, "{body}: {:#}", reply.json());
    }
    let body = json!({"chain": "31337", "tx": hash});
    assert_eq!(check(&world, &body).await["confirmations"], 1);
    let site = Site::new(&Setup::default());
    let cli = |more: &[&str]| {
        let check = ["payments", "check", "--chain", "local", "--tx", hash.as_str().unwrap(), "-o", "json"];
        ask(&site, &world.gateway, ADMIN_TOKEN, &[&check[..], more].concat(), "")
    };
    let unbound = cli(&[]).json();
    assert!(unbound["hint"].as_str().unwrap().contains("expectation"), "{unbound:#}");
    assert_eq!((&unbound["chain"], &unbound["would_send"]), (&json!("local"), &Value::Null));
    world.expect("order-1", &world.terms(1, "20")).await;
    let partial = cli(&["--expectation", "order-1"]).json();
    assert_eq!(
        (&partial["code"], &partial["would_send"]["type"]),
        (&json!("VERIFIED_PARTIAL"), &json!("payment.partial"))
    );
}
