//! Random blocks of a real chain are proven by the roots that the chain's own node computed, and none is with any byte
//! changed that they commit to.

use alloy_primitives::{Bytes, U256};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, TestRunner};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use tollgate::chain::proof::bundle::{Bundle, Evidence};
use tollgate::chain::proof::{self, ProofError, ProofRules};
use tollgate::demo::devnet::Devnet;

use crate::support::money::{proxy_call, reference, tokens};

/// Blocks that are made.
const BLOCKS: usize = 6;
/// Most transactions of one.
const TRANSACTIONS_MAX: usize = 24;
/// Changes that are tried of each kind.
const CASES: u32 = 600;

const NO_RULES: ProofRules = ProofRules { state_sync_until: None };

/// A block and its receipts, as the node shows them.
#[derive(Clone, Debug)]
struct Shown {
    block: Value,
    receipts: Value,
}

fn raw(value: &Value) -> Box<RawValue> {
    to_raw_value(value).unwrap()
}

impl Shown {
    fn proven(&self, receipts: &Value) -> Result<proof::ProvenBlock, ProofError> {
        let header = proof::header(&raw(&self.block)).unwrap().unwrap();
        proof::block_receipts(&raw(receipts), &header, &NO_RULES).map(Option::unwrap)
    }

    /// Pointers to every text of a receipt that its root commits to.
    fn committed(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (at, receipt) in self.receipts.as_array().unwrap().iter().enumerate() {
            found.extend(["status", "type", "cumulativeGasUsed"].map(|field| format!("/{at}/{field}")));
            for (log, shown) in receipt["logs"].as_array().unwrap().iter().enumerate() {
                found.push(format!("/{at}/logs/{log}/address"));
                let topics = shown["topics"].as_array().unwrap().len();
                found.extend((0..topics).map(|topic| format!("/{at}/logs/{log}/topics/{topic}")));
                if shown["data"] != "0x" {
                    found.push(format!("/{at}/logs/{log}/data"));
                }
            }
        }
        found
    }
}

/// A transaction of some kind: pays by reference, transfers, fails, carries coin; in three forms.
fn transaction(net: &Devnet, kind: u8, form: u8, number: u8) -> Value {
    let pay = |whole| Bytes::from(proxy_call(net.token, net.merchant, tokens(whole), &reference(number)));
    let (to, data, value) = match kind % 4 {
        0 => (net.erc20_fee_proxy, pay(u64::from(number) + 1), U256::ZERO),
        1 => (net.erc20_fee_proxy, pay(5_000_000), U256::ZERO),
        2 => (net.merchant, Bytes::new(), U256::from(number)),
        _ => (net.look_alike, pay(1), U256::ZERO),
    };
    let mut sent = json!({"from": net.payer, "to": to, "data": data, "value": value, "gas": "0x30d40"});
    let price = json!("0x2540be400");
    match form % 3 {
        0 => sent["gasPrice"] = price,
        1 => (sent["gasPrice"], sent["accessList"]) = (price, json!([])),
        _ => (sent["maxFeePerGas"], sent["maxPriorityFeePerGas"]) = (price.clone(), price),
    }
    sent
}

/// Random blocks, mined by the chain's node.
async fn random_blocks(runner: &mut TestRunner) -> Vec<Shown> {
    let net = Devnet::start().await.expect("a chain");
    let call = async |method, params| net.call(method, params).await.expect("an answer");
    call("evm_setAutomine", json!([false])).await;
    let mut blocks = Vec::new();
    for _ in 0..BLOCKS {
        let kinds = proptest::collection::vec(any::<(u8, u8)>(), 1..=TRANSACTIONS_MAX);
        let kinds = kinds.new_tree(runner).unwrap().current();
        for (number, (kind, form)) in (0_u8..).zip(&kinds) {
            call("eth_sendTransaction", json!([transaction(&net, *kind, *form, number)])).await;
        }
        call("evm_mine", json!([])).await;
        let block = call("eth_getBlockByNumber", json!(["latest", true])).await;
        let receipts = call("eth_getBlockReceipts", json!([block["hash"]])).await;
        assert_eq!(receipts.as_array().map(Vec::len), Some(kinds.len()));
        blocks.push(Shown { block, receipts });
    }
    blocks
}

/// The text with one of its hexadecimal digits another.
fn changed(text: &str, at: usize, by: u8) -> String {
    let mut digits = text.as_bytes().to_vec();
    let at = 2 + at % (digits.len() - 2);
    let digit = u8::try_from(char::from(digits[at]).to_digit(16).unwrap()).unwrap();
    digits[at] = char::from_digit(u32::from((digit + 1 + by % 15) % 16), 16).unwrap().try_into().unwrap();
    String::from_utf8(digits).unwrap()
}

/// A copy with one bit of one byte another.
fn flipped(bytes: &Bytes, at: usize, bit: u8) -> Bytes {
    let mut bytes = bytes.to_vec();
    let at = at % bytes.len();
    bytes[at] ^= 1 << (bit % 8);
    bytes.into()
}

#[tokio::test]
async fn random_blocks_are_proven_by_their_nodes_roots_and_refused_with_any_committed_byte_changed() {
    let mut runner = TestRunner::new(Config { cases: CASES, failure_persistence: None, ..Config::default() });
    let blocks = random_blocks(&mut runner).await;
    for shown in &blocks {
        let proven = shown.proven(&shown.receipts).expect("the node's own root");
        assert_eq!(json!(proven.header.receipts_root), shown.block["receiptsRoot"]);
        assert_eq!(json!(proven.header.hash), shown.block["hash"]);
    }
    // What a node shows: a changed digit of anything that is under the root. A type that is not known is refused before
    // anything is compared.
    let which = (any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<usize>(), any::<u8>());
    let shown_otherwise = runner.run(&which, |(block, field, at, by)| {
        let shown = block.get(&blocks);
        let committed = shown.committed();
        let pointer = field.get(&committed);
        let mut receipts = shown.receipts.clone();
        let text = receipts.pointer_mut(pointer).unwrap();
        *text = json!(changed(text.as_str().unwrap(), at, by));
        let refused = shown.proven(&receipts);
        prop_assert!(refused.is_err(), "{pointer} in {receipts:#}");
        Ok(())
    });
    shown_otherwise.unwrap();
    // What is under the root, byte by byte: the receipt as the trie holds it, bloom and all.
    let which = (any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<usize>(), any::<u8>());
    let encoded_otherwise = runner.run(&which, |(block, receipt, at, bit)| {
        let shown = block.get(&blocks);
        let proven = shown.proven(&shown.receipts).unwrap();
        let all: Vec<_> = proven.receipts().map(|receipt| receipt.tx_hash).collect();
        let bundle = proven.bundle(31_337, *receipt.get(&all), Vec::new()).unwrap();
        prop_assert!(bundle.verify().is_ok());
        let Evidence::Full { header, tx_index, receipt, nodes } = &bundle.proof else { panic!("a full proof") };
        for (header, receipt) in
            [(header.clone(), flipped(receipt, at, bit)), (flipped(header, at, bit), receipt.clone())]
        {
            let proof = Evidence::Full { header, tx_index: *tx_index, receipt, nodes: nodes.clone() };
            let verified = Bundle { proof, ..bundle.clone() }.verify();
            // Another header is another block: it is nobody's anchor.
            let same = verified.as_ref().is_ok_and(|verified| verified.block_hash == proven.header.hash);
            prop_assert!(!same, "{verified:?}");
        }
        Ok(())
    });
    encoded_otherwise.unwrap();
}
