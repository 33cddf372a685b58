use serde_json::{Value, json};

use super::*;
use crate::chain::types::tests::raw;

const TX: B256 = B256::repeat_byte(0xab);
const BLOCK: B256 = B256::repeat_byte(0xb1);

fn good() -> Value {
    json!({
        "hash": TX, "from": "0x92fc3406fc6bb7a76ac63b2e8b9d02b1b9c3e4d5",
        "to": "0x6923831ACf5c327260D7ac7C9DfF5b1c3cB3C7D7", "value": "0xde0b6b3a7640000", "nonce": "0x7",
        "blockHash": BLOCK, "blockNumber": "0x3e8", "transactionIndex": "0x4", "type": "0x2", "input": "0x",
        "v": "0x1", "vendor": {"x": 1}
    })
}

fn with(key: &str, value: Value) -> Value {
    let mut changed = good();
    changed[key] = value;
    changed
}

fn read(value: &Value) -> Result<Option<Transaction>, Malformed> {
    transaction(&raw(value), TX)
}

#[test]
fn a_transaction_is_read_with_what_goes_along() {
    let one = read(&good()).unwrap().unwrap();
    assert_eq!((one.hash, one.nonce, one.tx_index, one.block_hash), (TX, 7, Some(4), Some(BLOCK)));
    assert_eq!(one.value, U256::from(1_000_000_000_000_000_000_u64));
    let most = read(&with("value", json!(format!("0x{}", "f".repeat(64))))).unwrap().unwrap();
    assert_eq!(most.value, U256::MAX);
    assert_eq!(read(&with("to", Value::Null)).unwrap().unwrap().to, None, "it makes a contract");
}

#[test]
fn one_that_waits_is_in_no_block_and_an_unknown_one_is_none() {
    let mut waiting = with("blockHash", Value::Null);
    waiting["transactionIndex"] = Value::Null;
    let one = read(&waiting).unwrap().unwrap();
    assert_eq!((one.block_hash, one.tx_index, one.nonce), (None, None, 7));
    assert_eq!(read(&Value::Null), Ok(None));
}

#[test]
fn what_does_not_fit_exactly_is_malformed() {
    let cases = [
        with("hash", json!(BLOCK)),
        with("from", Value::Null),
        with("from", json!("0x12")),
        with("to", json!("0x12")),
        with("value", Value::Null),
        with("value", json!(1)),
        with("value", json!("0x")),
        with("value", json!("1")),
        with("value", json!("0x1_0")),
        with("value", json!("0x-1")),
        with("value", json!(format!("0x1{}", "0".repeat(64)))),
        with("nonce", json!("7")),
        with("blockHash", Value::Null),
        with("transactionIndex", Value::Null),
        json!([]),
    ];
    for case in cases {
        assert!(read(&case).is_err(), "{case}");
    }
}

#[test]
fn it_belongs_to_the_receipt_at_its_place_only() {
    let one = read(&good()).unwrap().unwrap();
    let receipt = Receipt {
        status: Some(1),
        block_hash: BLOCK,
        block_number: 1_000,
        tx_hash: TX,
        tx_index: 4,
        from: one.from,
        logs: vec![],
    };
    assert!(one.is_of(&receipt));
    assert!(!one.is_of(&Receipt { tx_index: 5, ..receipt.clone() }));
    assert!(!one.is_of(&Receipt { block_hash: TX, ..receipt.clone() }));
    assert!(!one.is_of(&Receipt { tx_hash: BLOCK, ..receipt.clone() }));
    assert!(!Transaction { block_hash: None, tx_index: None, ..one }.is_of(&receipt));
}
