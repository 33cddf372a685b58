use alloy_primitives::address;
use serde_json::{Value, json};

use super::*;
use crate::chain::proof::tests::{FIXTURES, NO_RULES, fixture, hash, proven, proven_header, raw};

/// The block of a fixture with its transactions changed, under its own header.
fn changed(name: &str, change: impl FnOnce(&mut Value)) -> Result<ProvenTransactions, ProofError> {
    let (mut block, _) = fixture(name);
    let header = proven_header(&block);
    change(&mut block["transactions"]);
    transactions(&raw(&block), &header, &NO_RULES).map(Option::unwrap)
}

#[test]
fn a_transactions_hash_is_bound_to_its_place() {
    for (name, ..) in FIXTURES {
        let (block, _) = fixture(name);
        if block.get("transactions").is_none() {
            continue;
        }
        let transactions = changed(name, |_| {}).unwrap();
        let receipts = proven(name);
        assert_eq!(transactions.all().len(), receipts.receipts().len(), "{name}");
        for (transaction, receipt) in transactions.all().zip(receipts.receipts()) {
            assert_eq!(transaction.tx_index, receipt.tx_index, "{name}");
            assert_eq!(transactions.get(&receipt.tx_hash), Some(transaction), "{name}");
        }
        assert_eq!(transactions.get(&B256::ZERO), None, "{name}");
    }
}

#[test]
fn receiver_value_counter_and_input_are_shown() {
    let transactions = changed("prague", |_| {}).unwrap();
    let all: Vec<_> = transactions.all().collect();
    let call = |at: usize| all[at].call.clone().unwrap();
    assert_eq!(call(2).to, Some(address!("70997970c51812dc3a010c7d01b50e0d17dc79c8")));
    assert_eq!((call(2).value, all[2].nonce), (U256::from(10).pow(U256::from(18)), Some(3)));
    assert_eq!(call(5).input.as_ref(), [0, 0]);
    assert_eq!(call(6).to, None);
    let deposit = changed("optimism", |_| {}).unwrap();
    let deposit = deposit.all().last().unwrap();
    assert_eq!((deposit.nonce, deposit.call.as_ref().unwrap().value), (None, U256::ZERO));
}

#[test]
fn any_change_of_what_is_signed_is_detected() {
    for (pointer, value) in [
        ("/2/to", json!("0xeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee")),
        ("/2/to", Value::Null),
        ("/2/value", json!("0x1")),
        ("/2/nonce", json!("0x9")),
        ("/2/gas", json!("0x9")),
        ("/2/chainId", json!("0x1")),
        ("/2/input", json!("0x00")),
        ("/2/yParity", json!("0x1")),
        ("/2/r", json!("0x1")),
        ("/2/s", json!("0x1")),
        ("/2/maxFeePerGas", json!("0x1")),
        ("/2/maxPriorityFeePerGas", json!("0x1")),
        ("/0/gasPrice", json!("0x1")),
        ("/0/v", json!("0x1b")),
        ("/1/accessList/0/storageKeys", json!([])),
        ("/1/accessList", json!([])),
        ("/4/authorizationList/0/nonce", json!("0x1")),
        ("/4/authorizationList", json!([])),
    ] {
        let result = changed("prague", |list| *list.pointer_mut(pointer).unwrap() = value.clone());
        let mismatch = matches!(result, Err(ProofError::RootMismatch { what: Root::Transactions, .. }));
        assert!(mismatch, "{pointer} {value}: {result:?}");
    }
    let swapped = changed("prague", |list| list.as_array_mut().unwrap().swap(1, 2));
    assert!(matches!(swapped, Err(ProofError::RootMismatch { .. })));
    let dropped = changed("prague", |list| drop(list.as_array_mut().unwrap().pop()));
    assert!(matches!(dropped, Err(ProofError::RootMismatch { .. })));
}

#[test]
fn whoever_signed_a_transaction_sent_it_whatever_its_json_claims() {
    let mut signed = 0;
    for (name, ..) in FIXTURES {
        let (block, _) = fixture(name);
        let Some(stated) = block.get("transactions") else { continue };
        let transactions = changed(name, |_| {}).unwrap();
        for (transaction, stated) in transactions.all().zip(stated.as_array().unwrap()) {
            // What the node that signed them for its accounts says.
            let from: Address = stated["from"].as_str().unwrap().parse().unwrap();
            let sent_by = transactions.sent_by(&transaction.tx_hash);
            let is_deposit = stated["type"] == json!("0x7e");
            assert_eq!(sent_by, if is_deposit { SentBy::Bytes(from) } else { SentBy::Signature(from) }, "{name}");
            assert!(!sent_by.is_signed_by_another_than(from), "{name}");
            signed += usize::from(!is_deposit);
        }
    }
    assert!(10 < signed, "all kinds of transactions: {signed}");
    for at in 0..5 {
        let transactions = changed("prague", |list| list[at]["from"] = json!(Address::ZERO)).unwrap();
        let tx_hash = transactions.all().nth(at).unwrap().tx_hash;
        assert_eq!(transactions.claimed_sender(&tx_hash), Some(Address::ZERO));
        let signer = address!("f39fd6e51aad88f6f4ce6ab8827279cfffb92266");
        assert_eq!(transactions.sent_by(&tx_hash), SentBy::Signature(signer));
        assert!(transactions.sent_by(&tx_hash).is_signed_by_another_than(Address::ZERO), "{at}");
    }
    // A deposit is not signed: its sender is in its encoding.
    assert!(changed("optimism", |list| list[1]["from"] = json!(Address::ZERO)).is_err());
    assert_eq!(changed("prague", |_| {}).unwrap().sent_by(&B256::ZERO), SentBy::Unproven);
}

#[test]
fn a_transaction_under_another_hash_is_the_nodes_fault() {
    let result = changed("prague", |list| list[2]["hash"] = json!(B256::repeat_byte(9)));
    assert_eq!(result.map(|_| ()), Err(ProofError::Malformed("transaction under another's hash")));
    let (block, _) = fixture("prague");
    let (other, _) = fixture("empty");
    let result = transactions(&raw(&other), &proven_header(&block), &NO_RULES);
    assert_eq!(result.map(|_| ()), Err(ProofError::Malformed("transactions of another block")));
    let result = changed("prague", |list| list[2] = list[2]["hash"].clone());
    assert_eq!(result.map(|_| ()), Err(ProofError::Malformed("block with transactions")));
}

#[test]
fn a_type_that_is_not_known_or_not_wholly_shown_is_unsupported() {
    let unsupported = |name, change: &dyn Fn(&mut Value)| match changed(name, change) {
        Err(ProofError::Unsupported(what)) => what,
        other => panic!("{other:?}"),
    };
    for kind in [5_u64, 0x67, 0x7b, 0x7f, 0x102] {
        let what = unsupported("prague", &|list| list[2]["type"] = json!(format!("{kind:#x}")));
        assert_eq!(what, Unsupported::Transaction(kind));
    }
    let missing: [(&str, usize, u64, &str); 6] = [
        ("prague", 0, 0, "gasPrice"),
        ("prague", 1, 1, "accessList"),
        ("prague", 2, 2, "chainId"),
        ("prague", 2, 2, "r"),
        ("prague", 4, 4, "authorizationList"),
        ("optimism", 1, 0x7e, "sourceHash"),
    ];
    for (name, at, kind, field) in missing {
        let what = unsupported(name, &|list| drop(list[at].as_object_mut().unwrap().remove(field)));
        assert_eq!(what, Unsupported::Transaction(kind), "{field}");
    }
    // A rollup's type that does not hash to its name is not understood: no lie is told from it.
    let what = unsupported("optimism", &|list| list[1]["mint"] = json!("0x9"));
    assert_eq!(what, Unsupported::Transaction(0x7e));
    let what = unsupported("prague", &|list| *list = Value::Array(vec![json!({}); RECEIPTS_MAX + 1]));
    assert_eq!(what, Unsupported::TooLarge("transactions of the block"));
}

#[test]
fn nodes_older_than_the_parity_field_write_it_as_v() {
    let result = changed("prague", |list| drop(list[2].as_object_mut().unwrap().remove("yParity")));
    assert_eq!(result.unwrap().all().nth(2).unwrap().tx_hash, hash(&fixture("prague").0["transactions"][2]["hash"]));
}
