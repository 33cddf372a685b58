//! Blocks of public chains, where they lie beside the project, and what chains do differently.

use std::path::PathBuf;

use alloy_primitives::b256;

use super::*;

/// Polygon's own (PIP-74).
const POLYGON: ProofRules = ProofRules { state_sync_until: Some(80_084_800) };

/// What becomes of a captured block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// Hash and receipts root match.
    Proven,
    /// Refused before anything is compared.
    NoStatus,
    /// Not provable, whatever the first reason is.
    NotProvable,
}

#[expect(clippy::print_stderr, reason = "a test that could not run has to say so")]
fn captured(name: &str) -> Option<(Value, Value)> {
    let read = |part: &str| {
        let file = PathBuf::from(concat!(".", "/../shared/facts/blocks")).join(format!("{name}.{part}.json"));
        match std::fs::read_to_string(&file) {
            Ok(text) => Some(serde_json::from_str(&text).unwrap()),
            Err(error) => {
                eprintln!("not compared with {}: {error}", file.display());
                None
            }
        }
    };
    Some((read("block")?, read("receipts")?))
}

#[test]
fn blocks_of_public_chains_make_their_own_roots() {
    let cases = [
        ("ethereum-21925176", NO_RULES, Outcome::Proven),
        ("ethereum-18500000", NO_RULES, Outcome::Proven),
        ("polygon-50000000", POLYGON, Outcome::Proven),
        ("arbitrum-150000000", NO_RULES, Outcome::Proven),
        ("ethereum-4369999", NO_RULES, Outcome::NoStatus),
        ("cronos-11446765", NO_RULES, Outcome::NotProvable),
    ];
    for (name, rules, expected) in cases {
        let Some((block, receipts)) = captured(name) else { continue };
        let result = header(&raw(&block)).and_then(|header| block_receipts(&raw(&receipts), &header.unwrap(), &rules));
        match (expected, result) {
            (Outcome::Proven, Ok(Some(proven))) => {
                assert_eq!(proven.header.hash, hash(&block["hash"]), "{name}");
                assert_eq!(proven.header.receipts_root, hash(&block["receiptsRoot"]), "{name}");
                assert_eq!(proven.receipts().len(), block["transactions"].as_array().unwrap().len(), "{name}");
                bundles_verify(name, &proven);
            }
            (Outcome::NoStatus, Err(ProofError::Unsupported(Unsupported::NoStatus))) => {}
            (
                Outcome::NotProvable,
                Err(
                    ProofError::HeaderMismatch { .. }
                    | ProofError::RootMismatch { .. }
                    | ProofError::Malformed(_)
                    | ProofError::Unsupported(_),
                ),
            ) => {}
            (expected, result) => panic!("{name}: {expected:?}, {:?}", result.map(|_| ())),
        }
    }
}

/// The evidence of some receipts of a real block.
fn bundles_verify(name: &str, block: &ProvenBlock) {
    for receipt in block.receipts().step_by(block.receipts().len().div_ceil(4)) {
        let bundle = block.bundle(1, receipt.tx_hash, Vec::new()).unwrap();
        let proven = bundle.verify().unwrap();
        assert_eq!((Some(proven.status), &proven.logs), (receipt.status, &receipt.logs), "{name}");
        assert_eq!((proven.block_hash, proven.tx_index), (block.header.hash, receipt.tx_index), "{name}");
    }
}

#[test]
fn transactions_of_public_chains_make_their_own_roots() {
    for (name, rules) in
        [("ethereum-18500000", NO_RULES), ("polygon-50000000", POLYGON), ("arbitrum-150000000", NO_RULES)]
    {
        let Some((block, _)) = captured(name) else { continue };
        let proven = transactions(&raw(&block), &proven_header(&block), &rules).unwrap().unwrap();
        for (transaction, stated) in proven.all().zip(block["transactions"].as_array().unwrap()) {
            assert_eq!(transaction.tx_hash, hash(&stated["hash"]), "{name}");
            // Whoever signed sent it; the rollup's own transactions are not signed.
            let from = stated["from"].as_str().unwrap().parse().unwrap();
            let sent_by = proven.sent_by(&transaction.tx_hash);
            let is_own = stated["type"].as_str().is_some_and(|kind| kind.starts_with("0x6"));
            assert!(sent_by == SentBy::Signature(from) || is_own, "{name} {}: {sent_by:?}", transaction.tx_hash);
        }
    }
}

/// A receipt as Bor shows it for a state sync: in the list, under no root.
fn state_sync(block: &Value, tx_hash: B256) -> Value {
    json!({
        "type": "0x0", "status": "0x1", "cumulativeGasUsed": "0x0", "logs": [], "transactionHash": tx_hash,
        "transactionIndex": "0x7", "blockHash": block["hash"], "blockNumber": block["number"],
        "from": "0x0000000000000000000000000000000000000000",
    })
}

#[test]
fn the_hash_of_a_state_sync_is_bors() {
    // A state sync of Polygon's block 74667488, which its own tools name by these two hashes.
    let mut header = proven_header(&fixture("prague").0);
    header.number = 74_667_488;
    header.hash = b256!("38623e33fa0f94dd9276b7d44ea589608085b56c8fc87950612562b09e18b896");
    let expected = b256!("c048ab4888a7d0c044b85e3371b775efbeb7a7b9d93a1d229ee1b039150c3289");
    assert_eq!(state_sync_hash(&header), expected);
    assert!(POLYGON.drops(&header, expected) && !NO_RULES.drops(&header, expected));
}

#[test]
fn a_state_sync_below_the_fork_is_dropped_and_above_it_is_a_leaf() {
    let (block, mut receipts) = fixture("prague");
    let header = proven_header(&block);
    let sync = state_sync_hash(&header);
    receipts.as_array_mut().unwrap().push(state_sync(&block, sync));
    let below = ProofRules { state_sync_until: Some(header.number + 1) };
    let proven = block_receipts(&raw(&receipts), &header, &below).unwrap().unwrap();
    assert_eq!((proven.receipts().len(), proven.receipt(&sync)), (7, None));
    // At the fork itself, on another chain, or under another hash it counts.
    let at = ProofRules { state_sync_until: Some(header.number) };
    for rules in [at, NO_RULES] {
        let result = block_receipts(&raw(&receipts), &header, &rules);
        assert!(matches!(result, Err(ProofError::RootMismatch { .. })), "{rules:?}");
    }
    receipts[7] = state_sync(&block, B256::repeat_byte(9));
    let result = block_receipts(&raw(&receipts), &header, &below);
    assert!(matches!(result, Err(ProofError::RootMismatch { .. })));
}

#[test]
fn a_deposit_needs_nonce_and_version_and_its_type_is_a_number() {
    let (block, original) = fixture("optimism");
    let header = proven_header(&block);
    let with = |change: &dyn Fn(&mut Value)| {
        let mut receipts = original.clone();
        change(&mut receipts[1]);
        block_receipts(&raw(&receipts), &header, &NO_RULES).map(|_| ())
    };
    assert_eq!(with(&|receipt| receipt["type"] = json!("0x7e")), Ok(()));
    assert_eq!(with(&|receipt| receipt["type"] = json!("0x07E")), Ok(()));
    for (field, value) in [("depositNonce", "0x2"), ("depositReceiptVersion", "0x2"), ("type", "0x7f")] {
        let result = with(&|receipt| receipt[field] = json!(value));
        assert!(matches!(result, Err(ProofError::RootMismatch { .. })), "{field}");
    }
    // Without a version it is one from before Canyon: the nonce is shown and not committed to.
    let result = with(&|receipt| receipt["depositReceiptVersion"] = Value::Null);
    assert!(matches!(result, Err(ProofError::RootMismatch { .. })));
    let result = with(&|receipt| receipt["depositNonce"] = Value::Null);
    assert_eq!(result, Err(ProofError::Malformed("deposit receipt without a nonce")));
}

#[test]
fn a_receipt_without_a_type_is_of_the_first() {
    let result = changed(|receipts| drop(receipts[0].as_object_mut().unwrap().remove("type")));
    assert!(result.is_ok());
    let result = changed(|receipts| drop(receipts[1].as_object_mut().unwrap().remove("type")));
    assert!(matches!(result, Err(ProofError::RootMismatch { .. })));
}
