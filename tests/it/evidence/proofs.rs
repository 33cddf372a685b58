//! A payment is proven by each name it goes by: its id, its expectation, its transaction; offline, with the public key alone.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tollgate::demo::devnet::Devnet;

use super::{evidence, get, says};
use crate::operate::ask;
use crate::support::gateway::{ADMIN_TOKEN, FORWARD_SECRET, Gateway, PATIENCE, Setup, Site, chain, text};
use crate::support::money::{confirmed, reference, terms, tokens};
use crate::support::receiver::Receiver;

/// An order that is expected, paid and announced; its delivery and the message about it.
async fn paid(net: &Devnet, gateway: &Gateway, backend: &Receiver, order: u8) -> (String, Value) {
    let reply = gateway.expect(&format!("order-{order}"), &terms(net, order, "12")).await;
    assert_eq!(reply.status, 201, "{}", reply.json());
    let tx = net.pay_token(net.erc20_fee_proxy, net.merchant, tokens(12), &reference(order)).await.expect("paid");
    let delivery = gateway.request_network(confirmed(order, tx, "12").to_string().as_bytes()).await.delivery_id();
    // Settled comes with more blocks, and none has to come here.
    let is_sent = |event: &Value| event["state"] == "forwarded" || event["state"] == "settled";
    let event = gateway.event_when(&delivery, is_sent).await["event_id"].clone();
    let about = |message: &Value| message["data"]["event_id"] == event;
    let taken = backend.taken().into_iter().map(|one| one.message).find(about);
    (delivery, taken.expect("the backend has it"))
}

/// `evidence prove`, as soon as a checkpoint covers all of it.
async fn prove(site: &Site, gateway: &Gateway, name: &str, file: &Path) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let told = ask(site, gateway, ADMIN_TOKEN, &["evidence", "prove", name, "--out", &text(file)], "");
        if told.code == Some(0) {
            return;
        }
        assert!(told.err.contains("NOT_SEALED") && Instant::now() < deadline, "{name}: {}", told.err);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn a_payment_is_proven_by_its_id_its_expectation_and_its_transaction() {
    let net = Devnet::start().await.expect("a chain");
    let backend = Receiver::start(&[FORWARD_SECRET]);
    let lines = vec![("evidence", "seal = { every = \"1s\" }".to_owned())];
    let setup = Setup { backend: Some(backend.address()), chain: Some(chain(&net, 1)), lines, ..Setup::default() };
    let site = Site::new(&setup);
    let gateway = site.start();
    let (delivery, message) = paid(&net, &gateway, &backend, 1).await;
    let (other, _) = paid(&net, &gateway, &backend, 2).await;
    let payment = message["data"]["payment_id"].as_str().expect("a payment id").to_owned();
    let tx = message["data"]["payment"]["tx_hash"].as_str().expect("a hash").to_owned();
    let mut bundles: Vec<(String, PathBuf)> = Vec::new();
    for name in [payment.as_str(), "order-1", &tx] {
        let file = site.folder().join(format!("{name}.json"));
        prove(&site, &gateway, name, &file).await;
        bundles.push((name.to_owned(), file));
    }
    let nobody = ask(&site, &gateway, ADMIN_TOKEN, &["evidence", "prove", "order-3"], "");
    nobody.fails(1, "NOT_FOUND");
    let status = get(&gateway, "/status").await;
    let key = status["integrity"]["public_key"].as_str().expect("a key").to_owned();
    let (ended, log) = gateway.terminate();
    assert_eq!(ended.code(), Some(0), "{log}");

    // From here on: the files and the key.
    drop((net, backend));
    std::fs::remove_dir_all(site.data()).expect("everything else is gone");
    let check = |file: &Path, key: &str, more: &[&str]| {
        evidence(&site, &[&["verify-bundle", &text(file), "--key", key], more].concat())
    };
    for (name, file) in &bundles {
        says(&check(file, &key, &[]), 0, &["proven", name, &delivery, "decision "]);
        let shown = check(file, &key, &["--json"]);
        let shown: Value = serde_json::from_slice(&shown.stdout).expect("JSON");
        assert_eq!(shown["about"], json!(name));
        let evidence = shown["chain_evidence"].to_string();
        assert!(evidence.contains(&tx), "what the chain said is in it: {shown:#}");
        assert!(!shown.to_string().contains(&other), "and nothing of another order");
        let stranger = "tollgate/somebody+00000000+AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        assert_ne!(check(file, stranger, &[]).status.code(), Some(0), "another's key proves nothing");
    }
}
