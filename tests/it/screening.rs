//! Who is on a deny list pays, and nothing is sent; the list can be changed while the gateway serves.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use alloy_primitives::Address;
use serde_json::json;
use tollgate::demo::devnet::Devnet;

use crate::support::gateway::{Setup, Site};
use crate::support::money::{Ways, World, charge, confirmed, tokens};

mod oracle;

/// Addresses of nobody, enough that one may leave the list without force.
fn others() -> String {
    (0x5a00_u32..0x5a0a).map(|number| format!("0x{number:040X} # somebody\n")).collect()
}

fn write(path: &Path, text: &str) {
    let new = path.with_extension("new");
    std::fs::write(&new, text).unwrap();
    std::fs::rename(new, path).unwrap();
}

/// A world that screens by the file.
fn screening(net: Devnet, list: &Path) -> World {
    let files = ("verification", format!("screening = {{ files = [\"{}\"] }}", list.display()));
    World::on(net, Ways { lines: vec![files], ..Ways::default() })
}

fn sanctions(checks: &serde_json::Value) -> &serde_json::Value {
    checks.as_array().unwrap().iter().find(|check| check["name"] == "sanctions").unwrap()
}

fn deny_file(folder: &tempfile::TempDir) -> PathBuf {
    folder.path().join("deny.txt")
}

#[tokio::test]
async fn a_denied_payer_is_held_and_pays_again_once_the_list_lets_go_of_him() {
    let folder = tempfile::tempdir().unwrap();
    let (net, list) = (Devnet::start().await.unwrap(), deny_file(&folder));
    // In another case than the chain's own.
    let upper = |address: Address| format!("0x{}\n", alloy_primitives::hex::encode_upper(address));
    write(&list, &(others() + &upper(net.payer)));
    let world = screening(net, &list);
    world.expect("order-1", &world.terms(1, "12")).await;
    world.expect("order-2", &world.terms(2, "12")).await;

    let tx = world.pay(1, 12).await;
    let first = world.rn(&confirmed(1, tx, "12")).await;
    let event = world.silent(&first, "held", "SANCTIONED").await;
    let trace = event["trace"].as_array().unwrap();
    let checks = trace.iter().rev().map(|entry| &entry["detail"]["checks"]).find(|checks| checks.is_array()).unwrap();
    let check = sanctions(checks);
    assert_eq!(check["outcome"], "fail");
    let said = check["actual"].as_str().unwrap();
    assert!(
        said.starts_with(&format!("the sender of the transfer, {}, is on deny.txt of ", world.net.payer)),
        "{said}"
    );
    assert_eq!(world.expectation("order-1").await["status"], "open");

    // Half a list changes nothing.
    write(&list, "0x52908400098527886E0F7030069857D2E4169EE7\n");
    world.gateway.says("the new deny list is refused").await;
    write(&list, &others());
    world.gateway.says("deny list taken").await;
    let tx = world.pay(2, 12).await;
    let second = world.rn(&confirmed(2, tx, "12")).await;
    let message = world.message(&second, "payment.verified").await;
    let check = sanctions(&message["data"]["verification"]["checks"]);
    assert_eq!(check["outcome"], "pass");
    assert!(check["actual"].as_str().unwrap().contains("deny.txt of "), "{check}");
    world.silent(&first, "held", "SANCTIONED").await;
    assert_eq!(world.backend.received().len(), 1);
}

#[tokio::test]
async fn a_stale_list_keeps_a_payment_until_it_is_written_anew() {
    let folder = tempfile::tempdir().unwrap();
    let (net, list) = (Devnet::start().await.unwrap(), deny_file(&folder));
    write(&list, &others());
    let old = std::fs::metadata(&list).unwrap().modified().unwrap() - Duration::from_secs(49 * 3600);
    let set = |time: SystemTime| std::fs::File::options().write(true).open(&list).unwrap().set_modified(time).unwrap();
    set(old);
    // The chain has one tier, which is its highest.
    let world = screening(net, &list);
    world.gateway.says("the deny list is stale").await;
    world.expect("order-1", &world.terms(1, "12")).await;
    let tx = world.pay(1, 12).await;
    let delivery = world.rn(&confirmed(1, tx, "12")).await;
    world.silent(&delivery, "undetermined", "SCREENING_STALE").await;
    write(&list, &others());
    let message = world.message(&delivery, "payment.verified").await;
    assert_eq!(sanctions(&message["data"]["verification"]["checks"])["outcome"], "pass");
}

#[tokio::test]
async fn whoever_a_charge_names_is_screened_on_every_chain() {
    let folder = tempfile::tempdir().unwrap();
    let (net, list) = (Devnet::start().await.unwrap(), deny_file(&folder));
    write(&list, &(others() + &net.payer.to_string()));
    let world = screening(net, &list);
    // The buyer who paid, a buyer on a chain that nobody is asked about, and a sender whom the charge does not name.
    let tx = world.net.transfer(world.net.merchant, tokens(7)).await.unwrap();
    let paid = world.stripe(&charge("1", world.net.payer, tx)).await;
    let elsewhere = |id: &str, buyer: &str| {
        let mut body = charge(id, world.net.payer, tx);
        let crypto = &mut body["data"]["object"]["payment_method_details"]["crypto"];
        (crypto["network"], crypto["buyer_address"]) = (json!("solana"), json!(buyer));
        body
    };
    let unasked = world.stripe(&elsewhere("2", &world.net.payer.to_string().to_lowercase())).await;
    for delivery in [&paid, &unasked] {
        let event = world.silent(delivery, "held", "SANCTIONED").await;
        let seen = event["trace"].as_array().unwrap().last().unwrap()["detail"]["checks"].clone();
        let said = sanctions(&seen)["actual"].as_str().unwrap().to_owned();
        assert!(said.starts_with(&format!("the payer named by the provider, {}, is on", world.net.payer)), "{said}");
    }
    // Others go out as what they are, and say what was compared.
    let other = world.stripe(&elsewhere("3", &world.net.stranger.to_string())).await;
    let message = world.message(&other, "provider.event").await;
    assert_eq!(sanctions(&message["data"]["verification"]["checks"])["outcome"], "pass");
    let foreign = world.stripe(&elsewhere("4", "7xKXtg2CW87d97TXJSDpbD5jBkheTqA83TZRuJosgAsU")).await;
    let message = world.message(&foreign, "provider.event").await;
    let check = sanctions(&message["data"]["verification"]["checks"]).clone();
    assert_eq!(check["outcome"], "note", "{check}");
    assert!(check["actual"].as_str().unwrap().starts_with("not compared: 7xKX"), "{check}");
}

#[tokio::test]
async fn the_sender_of_a_charges_transaction_is_screened_whomever_it_names() {
    let folder = tempfile::tempdir().unwrap();
    let (net, list) = (Devnet::start().await.unwrap(), deny_file(&folder));
    write(&list, &(others() + &net.payer.to_string()));
    let world = screening(net, &list);
    let tx = world.net.transfer(world.net.merchant, tokens(7)).await.unwrap();
    // The chain contradicts it as well: that somebody is denied is told first.
    let delivery = world.stripe(&charge("1", world.net.stranger, tx)).await;
    let event = world.silent(&delivery, "held", "SANCTIONED").await;
    let seen = event["trace"].as_array().unwrap().last().unwrap()["detail"]["checks"].clone();
    let said = sanctions(&seen)["actual"].as_str().unwrap().to_owned();
    assert!(said.starts_with("the sender of the transaction, "), "{said}");
}

#[test]
fn a_bad_list_refuses_the_start_and_the_check_with_file_and_line() {
    let folder = tempfile::tempdir().unwrap();
    let list = deny_file(&folder);
    write(&list, &(others() + "0x1234\n"));
    let files = ("verification", format!("screening = {{ files = [\"{}\"] }}", list.display()));
    let site = Site::new(&Setup { lines: vec![files], ..Setup::default() });
    let said = ["deny.txt: line 11: expected an address", "put # in front of it"];
    site.fails_to_start(&[]).assert(2, &said);
    let file = site.file();
    site.ends(&["check", "--config", file.to_str().unwrap()]).assert(2, &said);
}
