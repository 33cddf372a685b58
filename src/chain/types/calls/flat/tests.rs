use alloy_primitives::U256;
use serde_json::{Value, json};

use super::*;
use crate::chain::types::calls;
use crate::chain::types::tests::raw;
use crate::verify::fixture::{BLOCK, OTHER_TOPIC, TX};

const A: &str = "0x00000000000000000000000000000000000a0000";
const B: &str = "0x00000000000000000000000000000000000b0000";
const SHA256: &str = "0x0000000000000000000000000000000000000002";

/// An entry as Erigon, Nethermind and reth write it.
fn entry(place: &[usize], value: &str) -> Value {
    json!({
        "action": {"callType": "call", "from": A, "to": B, "value": value, "gas": "0x5208", "input": "0x"},
        "result": {"gasUsed": "0x0", "output": "0x"}, "subtraces": 0, "traceAddress": place, "type": "call",
        "transactionHash": TX, "transactionPosition": 4, "blockHash": BLOCK, "blockNumber": 1000
    })
}

fn read(entries: &[Value]) -> Result<Option<CallFrame>, Malformed> {
    flat_calls(&raw(&json!(entries)), TX, BLOCK)
}

#[test]
fn a_list_and_a_tree_of_the_same_calls_are_one() {
    let mut undone = entry(&[1], "0x2");
    undone["error"] = json!("Reverted");
    let mut borrowed = entry(&[0, 0], "0x5");
    borrowed["action"]["callType"] = json!("delegatecall");
    let list = [entry(&[], "0x9"), entry(&[0], "0x1"), borrowed, entry(&[0, 1], "0x3"), undone];
    let call = |kind: &str, value: &str, inside: Vec<Value>| json!({"type": kind, "from": A, "to": B, "value": value, "calls": inside});
    let mut failed = call("CALL", "0x2", vec![]);
    failed["error"] = json!("execution reverted");
    // Only one of the two lists a read of a precompiled contract.
    let hash = json!({"type": "STATICCALL", "from": A, "to": SHA256, "input": "0x"});
    let inside = vec![call("DELEGATECALL", "0x5", vec![]), hash.clone(), call("CALL", "0x3", vec![])];
    let tree = call("CALL", "0x9", vec![hash, call("CALL", "0x1", inside), failed]);
    assert_eq!(read(&list).unwrap().unwrap(), calls(&raw(&tree)).unwrap());
}

#[test]
fn coin_to_a_precompiled_address_keeps_its_place() {
    let mut burnt = entry(&[0], "0x1");
    burnt["action"]["to"] = json!(SHA256);
    let found = read(&[entry(&[], "0x2"), burnt, entry(&[1], "0x1")]).unwrap().unwrap();
    assert_eq!((found.calls.len(), found.calls[0].value), (2, U256::from(1)));
}

#[test]
fn new_contracts_and_their_ends_pay_nobody() {
    let made = json!({"action": {"from": A, "value": "0x7", "init": "0x"}, "type": "create", "traceAddress": [0]});
    let ended = json!({"action": {"address": A, "refundAddress": B, "balance": "0x7"}, "type": "suicide",
        "traceAddress": [1]});
    let found = read(&[entry(&[], "0x0"), made, ended]).unwrap().unwrap();
    assert!(found.calls.iter().all(|call| call.kind == CallKind::Other), "{found:?}");
}

#[test]
fn a_list_of_something_else_is_refused() {
    assert_eq!(flat_calls(&raw(&Value::Null), TX, BLOCK), Ok(None));
    let with = |key: &str, value: Value| {
        let mut changed = entry(&[], "0x1");
        changed[key] = value;
        changed
    };
    assert_eq!(read(&[with("blockHash", json!(OTHER_TOPIC))]), Ok(None), "it has moved to another block");
    let mut callerless = entry(&[], "0x1");
    callerless["action"]["from"] = Value::Null;
    for list in [
        vec![with("transactionHash", json!(OTHER_TOPIC))],
        vec![callerless],
        vec![entry(&[0], "0x1")],
        vec![entry(&[], "0x1"), entry(&[], "0x1")],
        vec![entry(&[], "0x1"), entry(&[1], "0x1")],
        vec![entry(&[], "0x1"), entry(&[0, 0], "0x1")],
        vec![with("action", json!([]))],
    ] {
        assert!(read(&list).is_err(), "{list:?}");
    }
    let mut deep: Vec<Value> = (0..=TRACE_DEPTH_MAX).map(|depth| entry(&vec![0; depth], "0x0")).collect();
    assert!(read(&deep).is_ok());
    deep.push(entry(&vec![0; TRACE_DEPTH_MAX + 1], "0x0"));
    assert_eq!(read(&deep), Err(TOO_DEEP));
}
