//! What the pure core is given when it is measured: webhooks, receipts, blocks.

#![allow(clippy::unwrap_used, reason = "a bench that cannot set itself up stops")]

use alloy_primitives::{Address, B256, U256};
use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};
use jiff::Timestamp;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use tollgate::chain::Log;
use tollgate::chain::proof::{self, ProofError, ProofRules, ProvenHeader};
use tollgate::config::{Provider, Source};
use tollgate::provider::{Verifier, sign};
use tollgate::verify::events::{TOKEN_PROXY, TRANSFER};

pub(crate) const SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
pub(crate) const PROVIDERS: [Provider; 3] = [Provider::Stripe, Provider::RequestNetwork, Provider::StandardWebhooks];
const NOW_S: i64 = 1_790_000_000;

pub(crate) fn now() -> Timestamp {
    Timestamp::from_second(NOW_S).unwrap()
}

pub(crate) fn source(provider: &Provider) -> Source {
    Source::sample(provider.clone(), &[SECRET])
}

/// A verifier and a body with the headers that it takes.
pub(crate) fn signed(provider: &Provider, bytes: usize) -> (Verifier, HeaderMap, Vec<u8>) {
    let verifier = Verifier::new(&source(provider)).unwrap();
    let body = vec![b'7'; bytes];
    let headers: HeaderMap = sign::headers(provider, SECRET, &body, now(), "msg_1")
        .into_iter()
        .map(|(name, value)| (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(&value).unwrap()))
        .collect();
    assert!(verifier.verify(&headers, &body, now()).is_ok(), "what is measured is the way of a right signature");
    (verifier, headers, body)
}

fn word(address: Address) -> B256 {
    address.into_word()
}

/// A receipt with `noise` transfers of others and one payment through the proxy in the middle.
pub(crate) fn receipt(noise: usize, token: Address, proxy: Address, to: Address, topic: B256) -> Vec<Log> {
    let value = B256::from(U256::from(1_000_000_u64));
    let payer = Address::repeat_byte(0x77);
    let transfer = |to: Address| Log {
        address: token,
        topics: vec![TRANSFER, word(payer), word(to)],
        data: value.to_vec().into(),
    };
    let event = [word(token), word(to), value, B256::ZERO, B256::ZERO].concat();
    let mut logs = vec![transfer(Address::repeat_byte(0x99)); noise];
    logs.splice(
        noise / 2..noise / 2,
        [transfer(to), Log { address: proxy, topics: vec![TOKEN_PROXY, topic], data: event.into() }],
    );
    logs
}

/// A header over that root, with the hash that it has.
fn header(receipts_root: B256) -> Box<RawValue> {
    let (word, zero) = (B256::repeat_byte(1), "0x0");
    let named = |hash: B256| {
        let block = json!({
            "hash": hash, "parentHash": word, "sha3Uncles": word, "miner": Address::ZERO, "stateRoot": word,
            "transactionsRoot": word, "receiptsRoot": receipts_root, "logsBloom": format!("0x{}", "0".repeat(512)),
            "difficulty": zero, "number": "0x14", "gasLimit": zero, "gasUsed": zero, "timestamp": zero,
            "extraData": "0x", "mixHash": word, "nonce": "0x0000000000000000", "baseFeePerGas": "0x7",
        });
        to_raw_value(&block).unwrap()
    };
    let Err(ProofError::HeaderMismatch { computed, .. }) = proof::header(&named(word)) else {
        unreachable!("it does not hash to that")
    };
    named(computed)
}

/// Receipts of that block with four logs each, as nodes write them.
fn receipts(count: usize, block: B256) -> Box<RawValue> {
    let logs = receipt(2, Address::repeat_byte(2), Address::repeat_byte(3), Address::repeat_byte(4), B256::ZERO);
    let one = |index: usize| {
        let tx = B256::from(U256::from(index));
        let logs: Vec<Value> = logs
            .iter()
            .map(|log| {
                json!({
                    "address": log.address, "topics": log.topics, "data": log.data, "transactionHash": tx,
                    "blockHash": block, "blockNumber": "0x14", "logIndex": "0x0", "removed": false,
                })
            })
            .collect();
        json!({
            "type": "0x2", "status": "0x1", "cumulativeGasUsed": format!("{:#x}", 21_000 * (index + 1)), "logs": logs,
            "logsBloom": format!("0x{}", "0".repeat(512)), "transactionHash": tx, "from": Address::ZERO,
            "transactionIndex": format!("{index:#x}"), "blockHash": block, "blockNumber": "0x14",
        })
    };
    to_raw_value(&(0..count).map(one).collect::<Vec<_>>()).unwrap()
}

/// A block of that many receipts: what a node says of them, and the header that they prove.
pub(crate) fn block(count: usize) -> (Box<RawValue>, ProvenHeader) {
    let rules = ProofRules::default();
    let proven = |raw: &RawValue| proof::header(raw).unwrap().unwrap();
    let blank = proven(&header(B256::ZERO));
    let Err(ProofError::RootMismatch { computed, .. }) =
        proof::block_receipts(&receipts(count, blank.hash), &blank, &rules)
    else {
        unreachable!("zero is no root")
    };
    let header = proven(&header(computed));
    (receipts(count, header.hash), header)
}
