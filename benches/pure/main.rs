//! The pure core: signatures by body size, interpretation, amounts, the search in a receipt by its size, and the proof of
//! a block by its receipts.
//!
//! Prints times and throughput; asserts none, because a time is a fact about a machine.

#![expect(clippy::unwrap_used, reason = "a bench that cannot set itself up stops")]

use std::hint::black_box;

use alloy_primitives::{Address, B256, U256};
use chain_config::{Registry, amount};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tollgate::chain::proof::{self, ProofRules};
use tollgate::model::PaymentReference;
use tollgate::provider::{example, interpret};
use tollgate::verify::matcher::{Evidence, Outcome, Query, Rail, Reference, Wanted, reference_topic, search};

use subjects::{PROVIDERS, block, now, receipt, signed, source};

mod subjects;

fn signature(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("signature");
    for provider in &PROVIDERS {
        for bytes in [256_usize, 4 * 1024, 64 * 1024, 1024 * 1024] {
            let (verifier, headers, body) = signed(provider, bytes);
            group.throughput(Throughput::Bytes(u64::try_from(bytes).unwrap()));
            group.bench_function(BenchmarkId::new(provider.name(), bytes), |bencher| {
                bencher.iter(|| verifier.verify(&headers, black_box(&body), now()));
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

fn proving(criterion: &mut Criterion) {
    let rules = ProofRules::default();
    let mut group = criterion.benchmark_group("prove");
    for count in [50_usize, 200, 1_000] {
        let (raw, header) = block(count);
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
