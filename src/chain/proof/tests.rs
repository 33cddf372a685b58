//! What is expected is always the block's own hash and roots, as the node that made the block wrote them: never what the
//! encoder here says. `testdata` is from anvil 1.7.1, one chain a fork, mined on demand; `crowded` leaves out the
//! receipt fields that are not read.

use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

use super::*;

mod blocks;
mod tampering;

/// Every fixture: name, block with transactions, receipts.
pub(super) const FIXTURES: [(&str, &str, &str); 7] = [
    ("london", include_str!("testdata/london.block.json"), include_str!("testdata/london.receipts.json")),
    ("shanghai", include_str!("testdata/shanghai.block.json"), include_str!("testdata/shanghai.receipts.json")),
    ("cancun", include_str!("testdata/cancun.block.json"), include_str!("testdata/cancun.receipts.json")),
    ("prague", include_str!("testdata/prague.block.json"), include_str!("testdata/prague.receipts.json")),
    ("empty", include_str!("testdata/empty.block.json"), include_str!("testdata/empty.receipts.json")),
    ("crowded", include_str!("testdata/crowded.block.json"), include_str!("testdata/crowded.receipts.json")),
    ("optimism", include_str!("testdata/optimism.block.json"), include_str!("testdata/optimism.receipts.json")),
];

pub(super) const NO_RULES: ProofRules = ProofRules { state_sync_until: None };

pub(super) fn raw(value: &Value) -> Box<RawValue> {
    to_raw_value(value).unwrap()
}

/// Block and receipts of a fixture.
pub(super) fn fixture(name: &str) -> (Value, Value) {
    let (_, block, receipts) = FIXTURES.iter().find(|fixture| fixture.0 == name).unwrap();
    (serde_json::from_str(block).unwrap(), serde_json::from_str(receipts).unwrap())
}

pub(super) fn proven_header(block: &Value) -> ProvenHeader {
    header(&raw(block)).unwrap().unwrap()
}

pub(super) fn proven(name: &str) -> ProvenBlock {
    let (block, receipts) = fixture(name);
    block_receipts(&raw(&receipts), &proven_header(&block), &NO_RULES).unwrap().unwrap()
}

pub(super) fn hash(value: &Value) -> B256 {
    value.as_str().unwrap().parse().unwrap()
}

/// The receipts of `prague`, changed and proven anew.
fn changed(change: impl FnOnce(&mut Value)) -> Result<ProvenBlock, ProofError> {
    let (block, mut receipts) = fixture("prague");
    change(&mut receipts);
    block_receipts(&raw(&receipts), &proven_header(&block), &NO_RULES).map(Option::unwrap)
}

/// The header of `prague`, changed and proven anew.
fn changed_header(change: impl FnOnce(&mut Value)) -> Result<ProvenHeader, ProofError> {
    let (mut block, _) = fixture("prague");
    change(&mut block);
    header(&raw(&block)).map(Option::unwrap)
}

#[test]
fn a_header_is_proven_by_its_own_hash_and_receipts_by_its_root() {
    for (name, ..) in FIXTURES {
        let (block, receipts) = fixture(name);
        let header = proven_header(&block);
        assert_eq!(header.hash, hash(&block["hash"]), "{name}");
        assert_eq!(header.receipts_root, hash(&block["receiptsRoot"]), "{name}");
        assert_eq!(header.transactions_root, hash(&block["transactionsRoot"]), "{name}");
        assert_eq!(header.parent, hash(&block["parentHash"]), "{name}");
        assert_eq!((header.timestamp, keccak256(&header.rlp)), (1_790_000_000, header.hash), "{name}");
        let block = block_receipts(&raw(&receipts), &header, &NO_RULES).unwrap().unwrap();
        assert_eq!(block.receipts().len(), receipts.as_array().unwrap().len(), "{name}");
        for (receipt, stated) in block.receipts().zip(receipts.as_array().unwrap()) {
            let tx_hash = hash(&stated["transactionHash"]);
            assert_eq!(block.receipt(&tx_hash), Some(receipt), "{name}");
            assert_eq!(receipt.logs.len(), stated["logs"].as_array().unwrap().len(), "{name}");
        }
        assert_eq!(block.receipt(&B256::ZERO), None, "{name}");
    }
}

#[test]
fn the_fixtures_hold_what_they_are_for() {
    let kinds = |name| -> Vec<String> {
        let list = fixture(name).1;
        list.as_array().unwrap().iter().map(|receipt| receipt["type"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(kinds("prague"), ["0x0", "0x1", "0x2", "0x2", "0x4", "0x2", "0x2"]);
    assert_eq!(kinds("optimism"), ["0x2", "0x7E"]);
    // Indices on both sides of 0x7f, where the trie's order of keys is not the order of indices.
    assert!(0x80 < proven("crowded").receipts().len());
    let statuses: Vec<_> = proven("prague").receipts().map(|receipt| receipt.status.unwrap()).collect();
    assert_eq!(statuses, [1, 1, 1, 0, 1, 1, 1]);
    assert_eq!(proven("prague").receipts().map(|receipt| receipt.logs.len()).sum::<usize>(), 6);
}

#[test]
fn a_block_that_the_node_does_not_have_is_no_fault() {
    let header = proven_header(&fixture("prague").0);
    assert_eq!(super::header(&raw(&Value::Null)), Ok(None));
    assert!(matches!(block_receipts(&raw(&Value::Null), &header, &NO_RULES), Ok(None)));
    assert!(matches!(transactions(&raw(&Value::Null), &header, &NO_RULES), Ok(None)));
}

#[test]
fn a_header_without_one_of_its_forks_fields_mismatches() {
    let (block, _) = fixture("prague");
    let stated = hash(&block["hash"]);
    for field in
        ["baseFeePerGas", "withdrawalsRoot", "blobGasUsed", "excessBlobGas", "parentBeaconBlockRoot", "requestsHash"]
    {
        for missing in [None, Some(Value::Null)] {
            let error = changed_header(|block| match missing.clone() {
                None => drop(block.as_object_mut().unwrap().remove(field)),
                Some(null) => block[field] = null,
            });
            assert!(matches!(error, Err(ProofError::HeaderMismatch { stated: s, .. }) if s == stated), "{field}");
        }
    }
}

#[test]
fn a_field_of_a_later_fork_mismatches_and_a_field_of_json_alone_does_not_count() {
    for (field, value) in [("blockAccessListHash", json!(B256::ZERO)), ("slotNumber", json!("0x0"))] {
        let error = changed_header(|block| block[field] = value);
        assert!(matches!(error, Err(ProofError::HeaderMismatch { .. })), "{field}");
    }
    for field in ["l1BlockNumber", "sendCount", "sendRoot", "milliTimestamp", "totalDifficulty"] {
        assert!(changed_header(|block| block[field] = json!("0x5")).is_ok(), "{field}");
    }
}

#[test]
fn a_changed_header_mismatches_whatever_is_changed() {
    let (block, _) = fixture("prague");
    for field in ["parentHash", "sha3Uncles", "stateRoot", "transactionsRoot", "receiptsRoot", "mixHash", "hash"] {
        let error = changed_header(|block| block[field] = json!(B256::repeat_byte(1)));
        assert!(matches!(error, Err(ProofError::HeaderMismatch { .. })), "{field}");
    }
    for field in ["difficulty", "number", "gasLimit", "gasUsed", "timestamp", "extraData"] {
        assert_ne!(block[field], json!("0x77"));
        let error = changed_header(|block| block[field] = json!("0x77"));
        assert!(matches!(error, Err(ProofError::HeaderMismatch { .. })), "{field}");
    }
    let error = changed_header(|block| block["logsBloom"] = json!(alloy_primitives::Bloom::ZERO));
    assert!(matches!(error, Err(ProofError::HeaderMismatch { .. })));
}

#[test]
fn a_header_of_another_form_is_malformed() {
    for (field, value) in [
        ("hash", Value::Null),
        ("number", json!(2)),
        ("number", json!("2")),
        ("number", json!("0x10000000000000000")),
        ("difficulty", json!("0x")),
        ("difficulty", json!("0x+1")),
        ("difficulty", json!(format!("0x{}", "1".repeat(65)))),
        ("nonce", json!("0x0")),
        ("receiptsRoot", json!("0x12")),
        ("extraData", json!("0x123")),
    ] {
        let error = changed_header(|block| block[field] = value.clone());
        assert_eq!(error, Err(ProofError::Malformed("block header")), "{field} {value}");
    }
    for field in ["mixHash", "nonce", "miner", "logsBloom"] {
        let error = changed_header(|block| drop(block.as_object_mut().unwrap().remove(field)));
        assert_eq!(error, Err(ProofError::Malformed("block header")), "{field}");
    }
    assert_eq!(header(&raw(&json!([]))), Err(ProofError::Malformed("block header")));
}

#[test]
fn a_header_over_the_limit_is_not_provable() {
    let extra = format!("0x{}", "00".repeat(HEADER_MAX));
    let error = changed_header(|block| block["extraData"] = json!(extra));
    assert_eq!(error, Err(ProofError::Unsupported(Unsupported::TooLarge("the header"))));
}
