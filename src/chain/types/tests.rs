use serde_json::{Value, json};

use super::*;

const TX: B256 = B256::repeat_byte(0xab);

pub(super) fn raw(value: &Value) -> Box<RawValue> {
    serde_json::value::to_raw_value(value).unwrap()
}

fn good() -> Value {
    json!({
        "transactionHash": TX, "transactionIndex": "0x1", "blockHash": B256::repeat_byte(0xb1), "blockNumber": "0x3e8",
        "from": "0x92fc3406fc6bb7a76ac63b2e8b9d02b1b9c3e4d5", "status": "0x1", "type": "0x2", "l1Fee": "0x5",
        "logs": [
            {"address": "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913", "topics": [TX], "data": "0x01ff",
             "transactionHash": TX, "logIndex": "0x17", "removed": false, "vendor": {"x": 1}},
            {"address": "0x833589fcd6edb6e08f4c7c32d4f71b54bda02913", "topics": [], "data": "0x", "logIndex": "0x2"}
        ]
    })
}

fn with(path: &str, value: Value) -> Value {
    let mut changed = good();
    *changed.pointer_mut(path).unwrap() = value;
    changed
}

#[test]
fn a_receipt_is_read_and_a_logs_position_is_its_place() {
    let receipt = receipt(&raw(&good()), TX).unwrap().unwrap();
    assert_eq!((receipt.status, receipt.block_number, receipt.tx_index), (Some(1), 1000, 1));
    assert_eq!(receipt.logs.len(), 2);
    assert_eq!(receipt.logs[0].data.as_ref(), [1, 255]);
    assert_eq!(receipt.logs[0].address, receipt.logs[1].address, "case does not matter");
}

#[test]
fn no_receipt_and_no_block_are_no_inclusion() {
    assert_eq!(receipt(&raw(&Value::Null), TX), Ok(None));
    assert_eq!(receipt(&raw(&with("/blockHash", Value::Null)), TX), Ok(None));
    assert_eq!(header(&raw(&Value::Null)), Ok(None));
}

#[test]
fn a_receipt_before_byzantium_has_no_status_and_no_other_number_is_success() {
    assert_eq!(receipt(&raw(&with("/status", Value::Null)), TX).unwrap().unwrap().status, None);
    assert_eq!(receipt(&raw(&with("/status", json!("0x0"))), TX).unwrap().unwrap().status, Some(0));
    assert_eq!(receipt(&raw(&with("/status", json!("0x2"))), TX).unwrap().unwrap().status, Some(2));
}

#[test]
fn what_does_not_fit_exactly_is_malformed() {
    let cases = [
        with("/transactionHash", json!(B256::ZERO)),
        with("/blockNumber", json!("1000")),
        with("/blockNumber", json!("0x")),
        with("/blockNumber", json!("0x+3")),
        with("/blockNumber", json!("0x10000000000000000")),
        with("/blockNumber", json!(1000)),
        with("/blockHash", json!("0x1234")),
        with("/status", json!(true)),
        with("/logs", json!({})),
        with("/logs/0/data", json!("0x123")),
        with("/logs/0/topics", json!(["0x12"])),
        with("/logs/0/topics", json!([TX, TX, TX, TX, TX])),
        with("/logs/0/transactionHash", json!(B256::ZERO)),
        with("/logs/0/removed", json!(true)),
        json!("0x1"),
        json!([]),
    ];
    for case in cases {
        assert!(receipt(&raw(&case), TX).is_err(), "{case}");
    }
}

#[test]
fn headers_and_chain_ids_are_read_strictly() {
    let good = json!({"number": "0x3e8", "hash": TX, "parentHash": B256::ZERO, "timestamp": "0x6ab13b80", "extra": 1});
    let read = header(&raw(&good)).unwrap().unwrap();
    assert_eq!((read.number, read.hash, read.timestamp), (1000, TX, 1_790_000_000));
    // A pending block has no hash.
    let pending = json!({"number": "0x3e8", "hash": null, "parentHash": B256::ZERO, "timestamp": "0x1"});
    assert!(header(&raw(&pending)).is_err());
    assert_eq!(chain_id(&raw(&json!("0x2105"))), Ok(8453));
    assert!(chain_id(&raw(&json!(8453))).is_err());
}

#[test]
fn two_nodes_say_the_same_whatever_they_say_of_the_sender() {
    let one = receipt(&raw(&good()), TX).unwrap().unwrap();
    let sender = with("/from", json!("0x0000000000000000000000000000000000000001"));
    assert!(one.says_the_same(&receipt(&raw(&sender), TX).unwrap().unwrap()));
    for (path, value) in [
        ("/status", json!("0x0")),
        ("/transactionIndex", json!("0x2")),
        ("/blockHash", json!(B256::ZERO)),
        ("/logs/0/data", json!("0x01fe")),
        ("/logs", json!([])),
    ] {
        assert!(!one.says_the_same(&receipt(&raw(&with(path, value)), TX).unwrap().unwrap()), "{path}");
    }
}

fn asked() -> LogFilter {
    LogFilter {
        addresses: vec!["0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913".parse().unwrap()],
        topics: vec![vec![TX], Vec::new(), vec![B256::repeat_byte(2), B256::repeat_byte(3)]],
    }
}

fn placed() -> Value {
    json!({
        "address": "0x833589fcd6edb6e08f4c7c32d4f71b54bda02913", "data": "0x01ff", "logIndex": "0x17", "removed": false,
        "topics": [TX, B256::ZERO, B256::repeat_byte(3)], "blockNumber": "0x3e8", "blockHash": B256::repeat_byte(0xb1),
        "transactionHash": TX, "transactionIndex": "0x1", "blockTimestamp": "0x6ab13b80",
    })
}

#[test]
fn logs_that_were_asked_for_are_read_with_their_place() {
    let found = logs(&raw(&json!([placed()])), &asked(), 1_000, 1_000).unwrap().unwrap();
    assert_eq!((found[0].tx_hash, found[0].block_number, found[0].block_hash), (TX, 1_000, B256::repeat_byte(0xb1)));
    assert_eq!(found[0].log.data.as_ref(), [1, 255]);
    assert_eq!(logs(&raw(&json!([])), &asked(), 1, 2), Ok(Some(Vec::new())));
    assert_eq!(logs(&raw(&Value::Null), &asked(), 1, 2), Ok(None), "null is no empty list");
}

#[test]
fn a_log_that_was_not_asked_for_makes_the_answer_worthless() {
    let with = |path: &str, value: Value| {
        let mut changed = placed();
        *changed.pointer_mut(path).unwrap() = value;
        changed
    };
    let cases = [
        with("/address", json!("0x2222222222222222222222222222222222222222")),
        with("/topics/0", json!(B256::ZERO)),
        with("/topics/2", json!(B256::ZERO)),
        with("/topics", json!([TX, B256::ZERO])),
        with("/blockNumber", json!("0x3e7")),
        with("/blockNumber", json!("0x3eb")),
        with("/blockNumber", Value::Null),
        with("/blockHash", Value::Null),
        with("/transactionHash", Value::Null),
        with("/removed", json!(true)),
        with("/data", json!("0x1")),
    ];
    for case in cases {
        assert!(logs(&raw(&json!([placed(), case])), &asked(), 1_000, 1_002).is_err(), "{case}");
    }
    assert!(logs(&raw(&json!({"logs": []})), &asked(), 1, 2).is_err());
}
