//! The pure core: signatures by body size, interpretation, amounts, the search in a receipt by its size, and the proof of
//! a block by its receipts.
//!
//! Prints times and throughput; asserts none, because a time is a fact about a machine.

#![expect(clippy::unwrap_used, reason = "a bench that cannot set itself up stops")]

use std::hint::black_box;

use alloy_primitives::{Address, B256, U256};
use chain_config::{Registry, amount};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};
use jiff::Timestamp;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use tollgate::chain::Log;
use tollgate::chain::proof::{self, ProofError, ProofRules};
use tollgate::config::{Provider, Source};
use tollgate::model::PaymentReference;
use tollgate::provider::{Verifier, example, interpret, sign};
use tollgate::verify::events::{TOKEN_PROXY, TRANSFER};
use tollgate::verify::matcher::{Evidence, Outcome, Query, Rail, Reference, Wanted, reference_topic, search};

const SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const PROVIDERS: [Provider; 3] = [Provider::Stripe, Provider::RequestNetwork, Provider::StandardWebhooks];
const NOW_S: i64 = 1_790_000_000;

fn source(provider: &Provider) -> Source {
    Source::sample(provider.clone(), &[SECRET])
}

fn signature(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("signature");
    let now = Timestamp::from_second(NOW_S).unwrap();
    for provider in &PROVIDERS {
        let verifier = Verifier::new(&source(provider)).unwrap();
        for bytes in [256_usize, 4 * 1024, 64 * 1024, 1024 * 1024] {
            let body = vec![b'7'; bytes];
            let headers: HeaderMap = sign::headers(provider, SECRET, &body, now, "msg_1")
                .into_iter()
                .map(|(name, value)| {
                    (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(&value).unwrap())
                })
                .collect();
            assert!(verifier.verify(&headers, &body, now).is_ok());
            group.throughput(Throughput::Bytes(u64::try_from(bytes).unwrap()));
            group.bench_function(BenchmarkId::new(provider.name(), bytes), |bencher| {
                bencher.iter(|| verifier.verify(&headers, black_box(&body), now));
            });
        }
    }
    group.finish();
}

fn interpretation(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("interpret");
    for provider in &PROVIDERS {
        let source = source(provider);
        for name in example::types(provider).into_iter().take(3) {
            let body = example::example(provider, name).unwrap().to_string();
            group.throughput(Throughput::Bytes(u64::try_from(body.len()).unwrap()));
            group.bench_function(BenchmarkId::new(provider.name(), name), |bencher| {
                bencher.iter(|| interpret(&source, &[], black_box(body.as_bytes())));
            });
        }
    }
    group.finish();
}

fn amounts(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("amount");
    for text in ["5", "1234.567890", "123456789012345678901234567890.123456789012345678", "1,5"] {
        group.bench_with_input(text, text, |bencher, text| bencher.iter(|| amount::parse(black_box(text), 18)));
    }
    group.finish();
}

fn word(address: Address) -> B256 {
    address.into_word()
}

/// A receipt with `noise` transfers of others and one payment through the proxy in the middle.
fn receipt(noise: usize, token: Address, proxy: Address, to: Address, topic: B256) -> Vec<Log> {
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

fn matching(criterion: &mut Criterion) {
    let registry = Registry::builtin().unwrap();
    let chain = registry.chain("base").unwrap();
    let (token, proxy) = (chain.token_named("USDC").unwrap(), chain.contracts.erc20_fee_proxy.first().unwrap());
    let to = Address::repeat_byte(0x42);
    let reference: PaymentReference = "0x2c3366941274c34c".parse().unwrap();
    let (topic, rail) = (reference_topic(&reference), Rail::Reference(Reference::of(&reference)));
    let wanted = [Wanted { way: 0, token: Some(token.address), recipients: vec![to] }];
    let query = Query { contracts: &chain.contracts, tokens: &chain.tokens, wanted: &wanted, rail, trace: chain.trace };
    let mut group = criterion.benchmark_group("search");
    for noise in [0_usize, 8, 64, 512] {
        let logs = receipt(noise, token.address, *proxy, to, topic);
        assert!(
            matches!(search(&query, &Evidence::of_logs(&logs)), Outcome::Found(_)),
            "the payment is found among {noise}"
        );
        group.throughput(Throughput::Elements(u64::try_from(logs.len()).unwrap()));
        group.bench_function(BenchmarkId::from_parameter(logs.len()), |bencher| {
            bencher.iter(|| search(&query, &Evidence::of_logs(black_box(&logs))));
        });
    }
    group.finish();
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

fn proving(criterion: &mut Criterion) {
    let rules = ProofRules::default();
    let proven = |raw: &RawValue| proof::header(raw).unwrap().unwrap();
    let mut group = criterion.benchmark_group("prove");
    for count in [50_usize, 200, 1_000] {
        let blank = proven(&header(B256::ZERO));
        let Err(ProofError::RootMismatch { computed, .. }) =
            proof::block_receipts(&receipts(count, blank.hash), &blank, &rules)
        else {
            unreachable!("zero is no root")
        };
        let header = proven(&header(computed));
        let raw = receipts(count, header.hash);
        let block = proof::block_receipts(&raw, &header, &rules).unwrap().unwrap();
        let tx_hash = B256::from(U256::from(count / 2));
        assert!(block.receipt(&tx_hash).is_some());
        group.throughput(Throughput::Elements(u64::try_from(count).unwrap()));
        group.bench_function(BenchmarkId::new("receipts", count), |bencher| {
            bencher.iter(|| proof::block_receipts(black_box(&raw), &header, &rules));
        });
        group.bench_function(BenchmarkId::new("bundle", count), |bencher| {
            bencher.iter(|| block.bundle(1, black_box(tx_hash), Vec::new()));
        });
    }
    group.finish();
}

criterion_group!(pure, signature, interpretation, amounts, matching, proving);
criterion_main!(pure);
