use std::sync::LazyLock;

use alloy_primitives::{address, keccak256};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::chain::proof::tests::{FIXTURES, proven};

fn vote(node: &str, owner: &str, hash: B256) -> Vote {
    Vote { node: node.to_owned(), owner: owner.to_owned(), hash, at: Timestamp::from_second(1_790_000_000).unwrap() }
}

static FULL: LazyLock<Bundle> = LazyLock::new(made);

/// The bundle of the first transaction of `prague`, which emitted two logs.
fn full() -> Bundle {
    FULL.clone()
}

fn made() -> Bundle {
    let block = proven("prague");
    let hash = block.header.hash;
    let votes = vec![
        vote("a", "one", hash),
        vote("b", "two", hash),
        vote("b", "two", hash),
        vote("c", "one", hash),
        vote("d", "three", B256::ZERO),
    ];
    block.bundle(31_337, block.receipts().next().unwrap().tx_hash, votes).unwrap()
}

fn quorum() -> Bundle {
    let shown = full().verify().unwrap();
    let proof = Evidence::Quorum {
        block_hash: shown.block_hash,
        block_number: shown.block_number,
        timestamp: shown.timestamp,
        tx_index: shown.tx_index,
        status: shown.status,
        logs: shown.logs,
    };
    Bundle { proof, ..full() }
}

/// The parts of a full bundle, to change them.
fn parts(bundle: &mut Bundle) -> (&mut Bytes, &mut u64, &mut Bytes, &mut Vec<Bytes>) {
    match &mut bundle.proof {
        Evidence::Full { header, tx_index, receipt, nodes } => (header, tx_index, receipt, nodes),
        Evidence::Quorum { .. } => panic!("no full bundle"),
    }
}

fn with_bit(bytes: &Bytes, at: usize, bit: u8) -> Bytes {
    let mut changed = bytes.to_vec();
    let at = at % changed.len();
    changed[at] ^= 1 << bit;
    changed.into()
}

#[test]
fn every_receipt_of_every_block_has_a_bundle_that_verifies() {
    for (name, ..) in FIXTURES {
        let block = proven(name);
        for receipt in block.receipts() {
            let bundle = block.bundle(1, receipt.tx_hash, Vec::new()).unwrap();
            let read = Bundle::from_json(&bundle.to_json().unwrap()).unwrap();
            assert_eq!(read, bundle, "{name}");
            let shown = read.verify().unwrap();
            assert_eq!((shown.block_hash, shown.block_number), (block.header.hash, block.header.number), "{name}");
            assert_eq!((shown.timestamp, shown.tx_index), (block.header.timestamp, receipt.tx_index), "{name}");
            assert_eq!((Some(shown.status), &shown.logs), (receipt.status, &receipt.logs), "{name}");
            assert_eq!(shown.by, ProvenBy::ReceiptsRoot, "{name}");
        }
        assert_eq!(block.bundle(1, B256::ZERO, Vec::new()), None, "{name}");
    }
}

#[test]
fn a_bundle_is_a_few_thousand_bytes() {
    let block = proven("crowded");
    for receipt in block.receipts() {
        let json = block.bundle(1, receipt.tx_hash, full().votes).unwrap().to_json().unwrap();
        assert!(json.len() < 8 * 1024, "{}", json.len());
    }
}

#[test]
fn votes_are_counted_once_a_node_and_an_owner_and_only_for_the_block() {
    let shown = full().verify().unwrap();
    assert_eq!((shown.nodes_for, shown.owners_for), (3, 2));
}

#[test]
fn a_bundle_of_votes_says_that_it_is_one() {
    let bundle = quorum();
    let read = Bundle::from_json(&bundle.to_json().unwrap()).unwrap();
    assert_eq!(read, bundle);
    let shown = read.verify().unwrap();
    assert_eq!((shown.by, shown.nodes_for, shown.owners_for), (ProvenBy::VotesOnly, 3, 2));
    assert_eq!(shown.logs, full().verify().unwrap().logs);
    let none = Bundle { votes: vec![vote("d", "three", B256::ZERO)], ..bundle };
    assert_eq!(none.verify(), Err(BundleError::NoVotes));
}

#[test]
fn another_index_is_refused() {
    for index in (1..7).chain([0x7f, 0x80, 19_999, 20_000, u64::MAX]) {
        let mut bundle = full();
        *parts(&mut bundle).1 = index;
        assert_eq!(bundle.verify(), Err(BundleError::Proof), "{index}");
    }
}

#[test]
fn a_missing_added_or_exchanged_node_is_refused() {
    let count = parts(&mut full()).3.len();
    assert!(2 <= count);
    for at in 0..count {
        let mut bundle = full();
        parts(&mut bundle).3.remove(at);
        assert_eq!(bundle.verify(), Err(BundleError::Proof), "{at}");
        let mut bundle = full();
        let nodes = parts(&mut bundle).3;
        nodes.push(nodes[at].clone());
        assert_eq!(bundle.verify(), Err(BundleError::Proof), "{at}");
    }
    let mut bundle = full();
    parts(&mut bundle).3.clear();
    assert_eq!(bundle.verify(), Err(BundleError::Proof));
}

#[test]
fn what_a_bundle_cannot_bind_is_not_detected() {
    // Which transaction, which chain and who voted is what the nodes said.
    let other = Bundle { chain_id: 2, tx_hash: B256::ZERO, votes: Vec::new(), ..full() };
    let (shown, before) = (other.verify().unwrap(), full().verify().unwrap());
    assert_eq!((shown.block_hash, shown.logs), (before.block_hash, before.logs));
    assert_eq!((shown.nodes_for, shown.owners_for), (0, 0));
}

#[test]
fn json_of_another_form_version_or_size_is_refused() {
    let good: Value = serde_json::from_str(&full().to_json().unwrap()).unwrap();
    let read = |change: &dyn Fn(&mut Value)| {
        let mut value = good.clone();
        change(&mut value);
        Bundle::from_json(&value.to_string())
    };
    assert!(read(&|_| {}).is_ok());
    assert_eq!(read(&|value| *value = json!({"version": 2, "new": true})), Err(BundleError::Version(2)));
    assert_eq!(read(&|value| value["more"] = json!(1)), Err(BundleError::Unreadable));
    assert_eq!(read(&|value| value["proof"]["more"] = json!(1)), Err(BundleError::Unreadable));
    assert_eq!(read(&|value| value["proof"]["mode"] = json!("trust")), Err(BundleError::Unreadable));
    assert_eq!(read(&|value| value["votes"] = Value::Null), Err(BundleError::Unreadable));
    let many = |value: &mut Value| value["votes"] = json!(vec![value["votes"][0].clone(); VOTES_MAX + 1]);
    assert_eq!(read(&many), Err(BundleError::TooLarge("votes")));
    let deep = |value: &mut Value| value["proof"]["nodes"] = json!(vec!["0x80"; NODES_MAX + 1]);
    assert_eq!(read(&deep), Err(BundleError::TooLarge("trie nodes")));
    assert_eq!(Bundle::from_json(&" ".repeat(BUNDLE_MAX + 1)), Err(BundleError::TooLarge("bytes")));
    assert_eq!(Bundle { version: 2, ..full() }.verify(), Err(BundleError::Version(2)));
    let address = address!("833589fCD6eDb6E08f4c7C32D4f71b54bdA02913");
    let log = Log { address, topics: vec![B256::ZERO; TOPICS_MAX + 1], data: Bytes::new() };
    let mut wide = quorum();
    if let Evidence::Quorum { logs, .. } = &mut wide.proof {
        logs.push(log);
    }
    assert_eq!(wide.to_json(), Err(BundleError::TooLarge("topics of a log")));
    assert_eq!(wide.verify(), Err(BundleError::TooLarge("topics of a log")));
}

/// A header can be made up to fit any nodes; these would walk out of what the trie's library holds.
#[test]
fn nodes_that_lead_nowhere_are_refused_without_a_panic() {
    // An extension of 60 half-bytes to a child, twice.
    let extension = |child: B256| {
        let mut node = vec![0xf8, 0x40, 0x9f, 0x00];
        node.extend([0x11; 30]);
        node.push(0xa0);
        node.extend(child.as_slice());
        Bytes::from(node)
    };
    let last = extension(B256::ZERO);
    let first = extension(keccak256(&last));
    for nodes in [vec![first.clone(), last], vec![first], vec![Bytes::from_static(&[0x80])], vec![Bytes::new()]] {
        let root = keccak256(&nodes[0]);
        assert_eq!(under(root, 0, &Bytes::from_static(b"receipt"), &nodes), None);
    }
}

proptest! {
    #[test]
    fn any_changed_bit_of_the_proof_is_refused(at in any::<usize>(), bit in 0_u8..8, node in any::<usize>()) {
        let mut bundle = full();
        let (_, _, receipt, _) = parts(&mut bundle);
        *receipt = with_bit(receipt, at, bit);
        prop_assert_eq!(bundle.verify(), Err(BundleError::Proof));

        let mut bundle = full();
        let nodes = parts(&mut bundle).3;
        let node = node % nodes.len();
        nodes[node] = with_bit(&nodes[node], at, bit);
        prop_assert_eq!(bundle.verify(), Err(BundleError::Proof));

        // A changed header is another block: refused, or one that no vote is for.
        let mut bundle = full();
        let header = parts(&mut bundle).0;
        *header = with_bit(header, at, bit);
        match bundle.verify() {
            Err(error) => prop_assert!(matches!(error, BundleError::Header | BundleError::Proof)),
            Ok(shown) => {
                prop_assert_ne!(shown.block_hash, full().verify().unwrap().block_hash);
                prop_assert_eq!((shown.nodes_for, shown.owners_for), (0, 0));
            }
        }
    }

    #[test]
    fn nodes_from_anywhere_do_not_panic(nodes in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..90), 0..5)) {
        let nodes: Vec<Bytes> = nodes.into_iter().map(Bytes::from).collect();
        let root = nodes.first().map_or(B256::ZERO, keccak256);
        prop_assert_eq!(under(root, 0, &Bytes::from_static(b"receipt"), &nodes), None);
    }

    #[test]
    fn text_from_anywhere_does_not_panic(text in ".{0,200}") {
        prop_assert!(Bundle::from_json(&text).is_err());
    }
}
