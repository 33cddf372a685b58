//! The message about a verified payment, field by field, against what the chain itself says.

use std::collections::BTreeSet;

use alloy_primitives::{U256, hex};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tollgate::demo::devnet::CHAIN_ID;

use crate::support::money::{World, confirmed, reference, request_id, with};

const TRANSFER: &str = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef";
const PROXY: &str = "0x9f16cbcc523c67a60c450e5ffe4f3b7b6dbe772e7abcadb2686ce029a9a0a2b6";

fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

fn names(text: &str) -> BTreeSet<&str> {
    text.split_whitespace().collect()
}

/// Positions of the logs with this first topic.
fn positions(receipt: &Value, topic: &str) -> Vec<usize> {
    let logs = receipt["logs"].as_array().unwrap();
    (0..logs.len()).filter(|&at| logs[at]["topics"][0] == topic).collect()
}

/// RFC 3339, UTC, milliseconds.
fn is_time(value: &Value) -> bool {
    let text = value.as_str().unwrap_or_default();
    text.len() == "2026-11-20T12:00:00.123Z".len() && text.ends_with('Z') && text.parse::<jiff::Timestamp>().is_ok()
}

#[tokio::test]
async fn a_verified_payment_is_told_with_every_field_of_the_contract() {
    let world = World::start().await;
    let net = &world.net;
    let more = json!({"deadline": "2100-01-01T00:00:00Z", "metadata": {"cart": [1, "two"]}});
    world.expect("order-1", &with(&world.terms(1, "25.50"), more)).await;
    let amount = U256::from(25_500_000_000_000_000_000_u128);
    let tx = net.pay_token(net.erc20_fee_proxy, net.merchant, amount, &reference(1)).await.unwrap();
    let receipt = net.call("eth_getTransactionReceipt", json!([tx])).await.unwrap();
    let block = net.call("eth_getBlockByHash", json!([receipt["blockHash"], false])).await.unwrap();
    let body = with(&confirmed(1, tx, "25.5"), json!({"clientId": "cli_1", "payerAddress": net.payer}));
    let bytes = body.to_string();
    let delivery = world.gateway.request_network(bytes.as_bytes()).await.delivery_id();
    let message = world.message(&delivery, "payment.verified").await;

    assert_eq!(keys(&message), names("type timestamp schema data"));
    assert!(is_time(&message["timestamp"]), "{}", message["timestamp"]);
    assert_eq!(message["schema"], 1);
    let data = &message["data"];
    let wanted = "event_id state_version lane source origin livemode provider payment_id payment expectation \
                  verification claimed";
    assert_eq!(keys(data), names(wanted));
    assert_eq!(data["state_version"], 1);
    assert_eq!((&data["source"], &data["origin"]), (&json!("request-network"), &json!("webhook")));
    assert_eq!((&data["livemode"], &data["lane"]), (&json!(true), &json!("expectation:order-1")));
    assert_eq!(data["claimed"], body);
    let raw = world.backend.received()[0].body.clone();
    assert!(raw.windows(bytes.len()).any(|window| window == bytes.as_bytes()), "claimed is not the body as it came");

    let provider = json!({
        "name": "request-network", "event_type": "payment.confirmed", "event_id": null, "account": null,
        "client_id": "cli_1", "api_version": null, "delivery_id": delivery,
        "received_at": data["provider"]["received_at"],
    });
    assert_eq!(data["provider"], provider);
    assert!(is_time(&data["provider"]["received_at"]));

    let transfer = positions(&receipt, TRANSFER)[0];
    let event = positions(&receipt, PROXY)[0];
    let block_seconds = number(&block["timestamp"]);
    let payment = json!({
        "chain": "local", "chain_id": CHAIN_ID, "testnet": true, "tx_hash": tx,
        "slots": [format!("log:{transfer}"), format!("log:{event}")],
        "block_number": number(&receipt["blockNumber"]), "block_hash": receipt["blockHash"],
        "block_timestamp": format!("{:.3}", jiff::Timestamp::from_second(block_seconds).unwrap()),
        "explorer_url": null,
        "token": {"symbol": "TST", "address": net.token.to_checksum(None), "decimals": 18},
        "recipient": net.merchant.to_checksum(None), "payer": net.payer.to_checksum(None),
        "tx_from": net.payer.to_checksum(None),
        "amount": "25.5", "amount_base_units": "25500000000000000000", "fee_base_units": "0",
        "payment_reference": format!("0x{}", hex::encode(reference(1))), "request_id": request_id(1),
    });
    assert_eq!(data["payment"], payment);
    let shown = world.gateway.event_when(&delivery, |_| true).await;
    assert_eq!(shown["anchor"]["block_timestamp"], jiff::Timestamp::from_second(block_seconds).unwrap().to_string());

    // Recomputed from its definition: chain id as eight bytes, the hash, the lowest slot as text.
    let digest = Sha256::new()
        .chain_update(CHAIN_ID.to_be_bytes())
        .chain_update(tx.as_slice())
        .chain_update(format!("log:{transfer}"))
        .finalize();
    let payment_id = format!("pay_{}", hex::encode(&digest[..16]));
    assert_eq!(data["payment_id"], payment_id);

    let expectation = json!({
        "id": "order-1", "status": "paid", "complete": true,
        "expected": "25.5", "received": "25.5", "remaining": "0", "excess": "0",
        "expected_base_units": "25500000000000000000", "received_base_units": "25500000000000000000",
        "remaining_base_units": "0", "excess_base_units": "0",
        "payment_ids": [payment_id], "deadline": "2100-01-01T00:00:00.000Z", "metadata": {"cart": [1, "two"]},
    });
    assert_eq!(data["expectation"], expectation);
    verification(&data["verification"]);

    let event_id: uuid::Uuid = data["event_id"].as_str().unwrap().parse().unwrap();
    assert_eq!(event_id.get_version_num(), 8);
}

fn verification(block: &Value) {
    let wanted = "verdict code assurance proof tier finality confirmations override votes checks";
    assert_eq!(keys(block), names(wanted));
    assert_eq!((&block["verdict"], &block["code"]), (&json!("confirmed"), &json!("VERIFIED")));
    assert_eq!((&block["assurance"], &block["proof"]), (&json!("A3"), &json!("receipts_root")));
    assert_eq!((&block["override"], &block["tier"]), (&json!(null), &json!("T0")));
    assert!(["soft", "safe", "final"].map(Value::from).contains(&block["finality"]), "{block:#}");
    assert!(1 <= block["confirmations"].as_u64().unwrap());
    assert_eq!(block["votes"], json!([{"node": "local", "owner": "test", "vote": "agree"}]));
    let checks = block["checks"].as_array().unwrap();
    assert!(checks.iter().all(|check| keys(check) == names("name outcome expected actual")));
    let (screened, matched): (Vec<&Value>, Vec<&Value>) = checks.iter().partition(|check| check["name"] == "sanctions");
    assert!(
        matches!(screened.as_slice(), [one] if one["outcome"] == "note"),
        "no deny list is configured: {checks:#?}"
    );
    assert!(matched.iter().all(|check| check["outcome"] == "pass"), "{checks:#?}");
    let named: BTreeSet<&str> = checks.iter().map(|check| check["name"].as_str().unwrap()).collect();
    for name in ["chain", "status", "contract", "reference", "recipient", "token", "amount", "finality"] {
        assert!(named.contains(name), "{name} is missing in {named:?}");
    }
}

fn number(hexadecimal: &Value) -> i64 {
    i64::from_str_radix(hexadecimal.as_str().unwrap().trim_start_matches("0x"), 16).unwrap()
}

#[tokio::test]
async fn native_coin_is_told_without_a_token_contract() {
    let world = World::start().await;
    world.expect("order-1", &with(&world.terms(1, "0.5"), json!({"token": "ETH"}))).await;
    let half = U256::from(500_000_000_000_000_000_u64);
    let tx = world.net.pay_native(world.net.merchant, half, &reference(1)).await.unwrap();
    let body = with(&confirmed(1, tx, "0.5"), json!({"currency": "ETH", "paymentCurrency": "ETH"}));
    let delivery = world.rn(&body).await;
    let message = world.message(&delivery, "payment.verified").await;
    let payment = &message["data"]["payment"];
    assert_eq!(payment["token"], json!({"symbol": "ETH", "address": null, "decimals": 18}));
    assert_eq!((&payment["slots"], &payment["amount"]), (&json!(["log:0"]), &json!("0.5")));
    assert_eq!(payment["tx_from"], world.net.payer.to_checksum(None));
}
