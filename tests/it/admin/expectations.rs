//! What the backend may put, and what it is told when it may not.

use serde_json::{Value, json};
use tollgate::demo::devnet::Devnet;

use super::{STRIPE_BACKEND, get, refused, start};
use crate::support::gateway::{BACKEND_TOKEN, Gateway, Setup};
use crate::support::money::{Ways, World, confirmed, terms, with};

/// A chain in the configuration whose node nobody asks.
const CHAIN: &str = r#"
[chains.local]
chain_id = 31337
testnet = true
rpc = [{ name = "local", owner = "test", url = "http://127.0.0.1:9" }]
agree = 1
owners = 1
allow_single_node = true
finality = [{ confirmations = 1 }]
tokens = [{ symbol = "TST", address = "0x5FbDB2315678afecb367f032d93F642f64180aa3", decimals = 6, usd = "1" }]
names = { request_network = ["local"], stripe = ["local"] }
"#;
const MERCHANT: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
const STRANGER: &str = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC";

fn gateway() -> Gateway {
    start(&Setup { chain: Some(CHAIN.to_owned()), ..Setup::default() })
}

fn flat() -> Value {
    json!({
        "payment_reference": "0x6f72646572000001", "chain": "local", "token": "TST", "recipient": MERCHANT,
        "amount": "10.5",
    })
}

async fn delete(gateway: &Gateway, id: &str) -> crate::support::http::Reply {
    gateway.admin("DELETE", &format!("/api/v1/expectations/{id}"), BACKEND_TOKEN, None).await
}

#[tokio::test]
async fn new_is_201_the_same_is_200_and_other_terms_replace_what_nobody_paid() {
    let gateway = gateway();
    let created = gateway.expect("order-1", &flat()).await;
    assert_eq!(created.status, 201, "{:#}", created.json());
    let shown = created.json()["data"].clone();
    assert_eq!(
        (&shown["id"], &shown["status"], &shown["realm"]),
        (&json!("order-1"), &json!("open"), &json!("request-network"))
    );
    let accept = json!([{
        "chain": "local", "chain_id": 31337,
        "token": {"symbol": "TST", "address": "0x5FbDB2315678afecb367f032d93F642f64180aa3", "decimals": 6},
        "recipients": [MERCHANT], "amount": "10.5", "amount_base_units": "10500000", "received": "0",
        "received_base_units": "0",
    }]);
    assert_eq!(shown["accept"], accept);
    assert_eq!((&shown["payment_reference"], &shown["rails"]), (&json!("0x6f72646572000001"), &json!(["reference"])));

    assert_eq!(gateway.expect("order-1", &flat()).await.status, 200);
    // The same in other words.
    let way = json!({"chain": "local", "token": "0x5FbDB2315678afecb367f032d93F642f64180aa3", "recipients": [MERCHANT], "amount": "10.500000"});
    let long = json!({"source": "request-network", "payment_reference": "6F72646572000001", "accept": [way]});
    assert_eq!(gateway.expect("order-1", &long).await.status, 200);
    let replaced = gateway.expect("order-1", &with(&flat(), json!({"amount": "11", "metadata": {"a": 1}}))).await;
    assert_eq!((replaced.status, replaced.text("/data/accept/0/amount")), (200, "11".to_owned()));
    let shown = get(&gateway, "/api/v1/expectations/order-1", BACKEND_TOKEN).await;
    assert_eq!(
        (shown.text("/data/accept/0/amount"), shown.json()["data"]["metadata"].clone()),
        ("11".to_owned(), json!({"a": 1}))
    );

    // Durations take the units of the configuration; null is as good as left out.
    let nulls = json!({"grace": "2d", "deadline": "2030-01-01T00:00:00Z", "accept": null, "metadata": null});
    let patient = gateway.expect("order-1", &with(&flat(), nulls)).await;
    assert_eq!(patient.status, 200, "{:#}", patient.json());
    let shown = patient.json()["data"].clone();
    assert_eq!((&shown["grace_seconds"], &shown["metadata"]), (&json!(172_800), &json!({})));

    // The key is taken as long as this one is open.
    let conflict = gateway.expect("order-2", &flat()).await;
    let json = refused(&conflict, 409, "EXPECTATION_CONFLICT");
    assert_eq!(json["error"]["details"]["expectation"], "order-1");
    assert_eq!(delete(&gateway, "order-1").await.text("/data/status"), "cancelled");
    assert_eq!(gateway.expect("order-2", &flat()).await.status, 201);
    refused(&delete(&gateway, "order-9").await, 404, "NOT_FOUND");

    let list = get(&gateway, "/api/v1/expectations?limit=1", BACKEND_TOKEN).await.json();
    assert_eq!((&list["data"]["items"][0]["id"], &list["data"]["next"]), (&json!("order-1"), &json!("order-1")));
    let list = get(&gateway, "/api/v1/expectations?limit=1&after=order-1", BACKEND_TOKEN).await.json();
    assert_eq!(list["data"]["items"][0]["id"], "order-2");
}

#[tokio::test]
async fn terms_under_which_money_was_claimed_stand() {
    let world = World::start().await;
    world.expect("order-1", &world.terms(1, "40")).await;
    let tx = world.pay(1, 15).await;
    let delivery = world.rn(&confirmed(1, tx, "15")).await;
    world.message(&delivery, "payment.partial").await;
    let put = |amount: &str| {
        let (gateway, terms) = (&world.gateway, world.terms(1, amount));
        async move { gateway.expect("order-1", &terms).await }
    };
    assert_eq!(put("40").await.status, 200);
    let json = refused(&put("15").await, 409, "EXPECTATION_CONFLICT");
    assert_eq!(json["error"]["details"]["expectation"]["accept"][0]["received"], "15");
    refused(&delete(&world.gateway, "order-1").await, 409, "EXPECTATION_CONFLICT");
    let shown = world.expectation("order-1").await;
    assert_eq!((&shown["status"], &shown["accept"][0]["amount"]), (&json!("partial"), &json!("40")));
}

#[tokio::test]
async fn every_problem_of_the_terms_is_named_with_its_field() {
    let gateway = gateway();
    for (changes, fields) in [
        (json!({"amount": "0"}), vec!["accept[0].amount"]),
        (json!({"amount": "1.0000001"}), vec!["accept[0].amount"]),
        (json!({"amount": "1e3"}), vec!["accept[0].amount"]),
        (
            json!({"amount": "-1", "recipient": "0x70997970c51812dc3A010C7d01b50e0d17dc79C8"}),
            vec!["accept[0].amount", "accept[0].recipients"],
        ),
        (json!({"recipient": "0x0000000000000000000000000000000000000000"}), vec!["accept[0].recipients"]),
        (json!({"chain": "mars"}), vec!["accept[0].chain"]),
        (json!({"token": "USDC"}), vec!["accept[0].token"]),
        (json!({"token": STRANGER}), vec!["accept[0].token"]),
        (json!({"payment_reference": "0x12z4"}), vec!["payment_reference"]),
        (json!({"payment_reference": null}), vec!["request_id"]),
        (json!({"request_id": "01ab"}), vec!["request_id"]),
        (json!({"source": "nobody"}), vec!["source"]),
        (json!({"rails": ["direct"]}), vec!["rails"]),
        (json!({"grace": "long"}), vec!["grace"]),
        (json!({"grace": "5"}), vec!["grace"]),
        (json!({"tolerance": {"bps": 20_000}}), vec!["tolerance.bps"]),
        (json!({"payer": "nobody"}), vec!["payer"]),
        (json!({"not_before": "2030-01-01T00:00:00Z", "deadline": "2029-01-01T00:00:00Z"}), vec!["deadline"]),
        (json!({"metadata": {"text": "x".repeat(5000)}}), vec!["metadata"]),
        (
            json!({"accept": [{"chain": "local", "token": "TST", "recipients": [MERCHANT], "amount": "1"}]}),
            vec!["accept"],
        ),
        (json!({"colour": "red"}), vec![""]),
        (json!({"amount": 10}), vec![""]),
    ] {
        let reply = gateway.expect("order-1", &with(&flat(), changes.clone())).await;
        let json = refused(&reply, 422, "EXPECTATION_INVALID");
        let problems = json["error"]["details"]["problems"].as_array().unwrap();
        let mut named: Vec<&str> = problems.iter().map(|problem| problem["field"].as_str().unwrap()).collect();
        named.sort_unstable();
        assert_eq!(named, fields, "{changes}: {json:#}");
        assert!(problems.iter().all(|problem| !problem["problem"].as_str().unwrap().is_empty()));
    }
    refused(&get(&gateway, "/api/v1/expectations/order-1", BACKEND_TOKEN).await, 404, "NOT_FOUND");
    let bad_id = gateway.expect("order%201", &flat()).await;
    assert_eq!(refused(&bad_id, 422, "EXPECTATION_INVALID")["error"]["details"]["problems"][0]["field"], "id");
}

#[tokio::test]
async fn configured_recipients_bound_expectations() {
    let lines = vec![("verification", format!("recipients = [\"{MERCHANT}\"]"))];
    let gateway = start(&Setup { chain: Some(CHAIN.to_owned()), lines, ..Setup::default() });
    assert_eq!(gateway.expect("order-1", &flat()).await.status, 201);
    let elsewhere = gateway.expect("order-2", &with(&flat(), json!({"recipient": STRANGER}))).await;
    let json = refused(&elsewhere, 422, "RECIPIENT_NOT_ALLOWED");
    assert_eq!(json["error"]["details"]["problems"][0]["field"], "accept[0].recipients");
}

#[tokio::test]
async fn a_token_limited_to_sources_puts_and_sees_theirs_only() {
    let gateway = gateway();
    assert_eq!(gateway.expect("order-1", &flat()).await.status, 201);
    let put = |id: &'static str, terms: Value| {
        let gateway = &gateway;
        async move { gateway.admin("PUT", &format!("/api/v1/expectations/{id}"), STRIPE_BACKEND, Some(&terms)).await }
    };
    refused(&put("order-2", flat()).await, 422, "EXPECTATION_INVALID");
    let mut own = with(&flat(), json!({"provider_object": "pi_1"}));
    own.as_object_mut().unwrap().remove("payment_reference");
    assert_eq!(put("order-3", own.clone()).await.status, 201);
    // Another's id is not a way to replace or to cancel what is another's.
    let stolen = put("order-1", with(&own, json!({"provider_object": "pi_2"}))).await;
    assert_ne!(stolen.status, 200, "{:#}", stolen.json());
    let shown = get(&gateway, "/api/v1/expectations/order-1", BACKEND_TOKEN).await;
    assert_eq!(shown.text("/data/payment_reference"), "0x6f72646572000001");
    refused(&get(&gateway, "/api/v1/expectations/order-1", STRIPE_BACKEND).await, 404, "NOT_FOUND");
    let cancelled = gateway.admin("DELETE", "/api/v1/expectations/order-1", STRIPE_BACKEND, None).await;
    refused(&cancelled, 404, "NOT_FOUND");
    let list = get(&gateway, "/api/v1/expectations", STRIPE_BACKEND).await.json();
    assert_eq!(list["data"]["items"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn a_payment_found_by_request_id_needs_the_assurance_that_was_asked_for() {
    let world = World::on(Devnet::start().await.unwrap(), Ways::default());
    let by_request = |order: u8, more: Value| {
        let mut terms =
            with(&terms(&world.net, order, "5"), json!({"request_id": crate::support::money::request_id(order)}));
        terms.as_object_mut().unwrap().remove("payment_reference");
        with(&terms, more)
    };
    world.expect("order-1", &by_request(1, json!({}))).await;
    world.expect("order-2", &by_request(2, json!({"min_assurance": "A3"}))).await;
    let tx = world.pay(1, 5).await;
    let delivery = world.rn(&confirmed(1, tx, "5")).await;
    let message = world.message(&delivery, "payment.verified").await;
    assert_eq!(message["data"]["verification"]["assurance"], "A2");
    let tx = world.pay(2, 5).await;
    let delivery = world.rn(&confirmed(2, tx, "5")).await;
    world.silent(&delivery, "held", "ASSURANCE_TOO_LOW").await;
}
