//! The built-in data against tables written out here by hand: the policy table of the specification and the published
//! addresses. A number that changes in `data/` has to be changed here too, on purpose.
#![expect(clippy::unwrap_used, reason = "these are all tests, and data that does not load has to fail them")]

use chain_config::{Chain, ProofMode, Registry, Tag, TokenClass};

type Rung = (u64, Option<Tag>);

const F: Option<Tag> = Some(Tag::Finalized);
const S: Option<Tag> = Some(Tag::Safe);

/// Name, id, block time in ms, T0 to T3.
const POLICY: [(&str, u64, u64, [Rung; 4]); 11] = [
    ("ethereum", 1, 12_000, [(2, None), (12, None), (32, None), (64, F)]),
    ("polygon", 137, 2_000, [(3, None), (16, F), (128, F), (500, F)]),
    ("bnb", 56, 450, [(3, None), (3, F), (15, F), (240, F)]),
    ("base", 8_453, 2_000, [(1, None), (10, None), (10, S), (10, F)]),
    ("optimism", 10, 2_000, [(1, None), (10, None), (10, S), (10, F)]),
    ("arbitrum", 42_161, 250, [(4, None), (40, None), (40, S), (40, F)]),
    ("avalanche", 43_114, 1_500, [(1, None), (1, None), (1, F), (1, F)]),
    ("gnosis", 100, 5_000, [(2, None), (12, None), (16, F), (16, F)]),
    ("celo", 42_220, 1_000, [(1, None), (20, None), (20, S), (20, F)]),
    ("zksync", 324, 1_000, [(1, None), (20, None), (1_200, None), (1, F)]),
    ("sepolia", 11_155_111, 12_000, [(1, None), (2, None), (5, None), (5, F)]),
];

/// Name, ERC-20 fee proxies, coin fee proxies, current ones first.
const PROXIES: [(&str, &[&str], &[&str]); 11] = [
    ("ethereum", &["0x370DE27fdb7D1Ff1e1BaA7D11c5820a324Cf623C"], &[ETH_0_2, ETH_0_1]),
    ("polygon", &[ERC20_0_2, "0x2171a0dc12a9E5b1659feF2BB20E54c84Fa7dB0C"], &[ETH_0_2, ETH_0_1]),
    ("bnb", &[ERC20_0_2], &[ETH_0_2, ETH_0_1]),
    ("base", &["0x1892196E80C4c17ea5100Da765Ab48c1fE2Fb814"], &["0xd9C3889eB8DA6ce449bfFE3cd194d08A436e96f2"]),
    ("optimism", &["0x399F5EE127ce7432E4921a61b8CF52b0af52cbfE"], &["0xe11BF2fDA23bF0A98365e1A4c04A87C9339e8687"]),
    ("arbitrum", &[ERC20_0_2], &[ETH_0_2, ETH_0_1]),
    ("avalanche", &[ERC20_0_2], &[ETH_0_2, ETH_0_1]),
    ("gnosis", &[ERC20_0_2], &[ETH_0_2]),
    ("celo", &["0x2171a0dc12a9E5b1659feF2BB20E54c84Fa7dB0C"], &[ETH_0_2, ETH_0_1]),
    ("zksync", &["0x6e28Cc56C2E64c9250f39Cb134686C87dB196532"], &["0xE9A708db0D30409e39810C44cA240fd15cdA9b1a"]),
    ("sepolia", &["0x399F5EE127ce7432E4921a61b8CF52b0af52cbfE"], &["0xe11BF2fDA23bF0A98365e1A4c04A87C9339e8687"]),
];
const ERC20_0_2: &str = "0x0DfbEe143b42B41eFC5A6F87bFD1fFC78c2f0aC9";
const ETH_0_2: &str = "0xfCFBcfc4f5A421089e3Df45455F7f4985FE2D6a8";
const ETH_0_1: &str = "0xC6E23a20C0a1933ACC8E30247B5D1e2215796C1F";

/// Chain, symbol, decimals: the tokens whose decimals are got wrong.
const DECIMALS: [(&str, &str, u8); 15] = [
    ("ethereum", "USDC", 6),
    ("ethereum", "USDT", 6),
    ("ethereum", "DAI", 18),
    ("ethereum", "WBTC", 8),
    ("ethereum", "GUSD", 2),
    ("bnb", "USDC", 18),
    ("bnb", "USDT", 18),
    ("polygon", "USDC", 6),
    ("polygon", "USDC.e", 6),
    ("base", "USDC", 6),
    ("base", "USDbC", 6),
    ("optimism", "USDC.e", 6),
    ("arbitrum", "USDC.e", 6),
    ("celo", "USDC", 6),
    ("sepolia", "FAU", 18),
];

/// Name, how receipts are proven, blocks until a transaction counts as dropped.
const PROOFS: [(&str, ProofMode, u64); 11] = [
    ("ethereum", ProofMode::Full, 50),
    ("polygon", ProofMode::Full, 600),
    ("bnb", ProofMode::Full, 2_000),
    ("base", ProofMode::Full, 600),
    ("optimism", ProofMode::Full, 600),
    ("arbitrum", ProofMode::Full, 4_800),
    ("avalanche", ProofMode::Quorum, 400),
    ("gnosis", ProofMode::Full, 120),
    ("celo", ProofMode::Quorum, 1_200),
    ("zksync", ProofMode::Quorum, 1_200),
    ("sepolia", ProofMode::Full, 50),
];

fn chain(name: &str) -> Chain {
    Registry::builtin().unwrap().chain(name).unwrap().clone()
}

#[test]
fn the_policy_is_the_specifications() {
    let registry = Registry::builtin().unwrap();
    assert_eq!(registry.chains().count(), POLICY.len());
    for (name, id, block_time_ms, expected) in POLICY {
        let chain = registry.chain(name).unwrap();
        assert_eq!(registry.by_id(id), Some(chain));
        assert_eq!((chain.chain_id, chain.block_time_ms), (id, block_time_ms), "{name}");
        let tiers: Vec<_> = chain.finality.tiers().collect();
        let rungs: Vec<Rung> = tiers.iter().map(|tier| (tier.confirmations, tier.tag)).collect();
        assert_eq!(rungs, expected, "{name}");
        let limits: Vec<_> = tiers.iter().map(|tier| tier.up_to_usd).collect();
        assert_eq!(limits, [Some(20), Some(1_000), Some(10_000), None], "{name}");
        let names: Vec<_> = tiers.iter().map(|tier| tier.name.as_str()).collect();
        assert_eq!(names, ["T0", "T1", "T2", "T3"], "{name}");
    }
}

#[test]
fn receipts_are_proven_where_a_chain_shows_what_its_roots_cover() {
    for (name, proof, drop_after_blocks) in PROOFS {
        let chain = chain(name);
        assert_eq!((chain.proof, chain.drop_after_blocks), (proof, drop_after_blocks), "{name}");
        // PIP-74's block.
        assert_eq!(chain.state_sync_until, (name == "polygon").then_some(80_084_800), "{name}");
    }
}

#[test]
fn safe_is_not_trusted_where_its_meaning_differs_between_nodes() {
    for name in ["ethereum", "gnosis", "sepolia"] {
        assert!(chain(name).finality.tiers().all(|tier| tier.tag != S), "{name}");
    }
}

#[test]
fn the_proxies_are_request_networks() {
    for (name, erc20, eth) in PROXIES {
        let contracts = chain(name).contracts;
        let text = |list: &[alloy_primitives::Address]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(text(&contracts.erc20_fee_proxy), erc20, "{name}");
        assert_eq!(text(&contracts.eth_fee_proxy), eth, "{name}");
    }
}

#[test]
fn decimals_are_per_contract() {
    for (name, symbol, decimals) in DECIMALS {
        assert_eq!(chain(name).token_named(symbol).unwrap().decimals, decimals, "{symbol} on {name}");
    }
}

#[test]
fn every_symbol_of_a_chain_names_one_contract() {
    for chain in Registry::builtin().unwrap().chains() {
        for token in &chain.tokens {
            assert_eq!(chain.token_named(&token.symbol), Ok(token), "{}", chain.name);
        }
    }
}

#[test]
fn only_dollars_are_worth_a_dollar() {
    for chain in Registry::builtin().unwrap().chains() {
        for token in &chain.tokens {
            let dollar = ["USD", "DAI"].iter().any(|part| token.symbol.contains(part));
            let expected = dollar.then_some(1_000_000);
            assert_eq!(token.usd.map(chain_config::UsdPrice::micros), expected, "{} on {}", token.symbol, chain.name);
        }
    }
}

#[test]
fn network_names_of_providers_find_one_chain() {
    let registry = Registry::builtin().unwrap();
    let called = |network: &str| -> Vec<String> {
        let is = |chain: &&Chain| chain.names.request_network.iter().any(|name| name == network);
        registry.chains().filter(is).map(|chain| chain.name.clone()).collect()
    };
    for (network, name) in [
        ("mainnet", "ethereum"),
        ("ethereum", "ethereum"),
        ("matic", "polygon"),
        ("polygon", "polygon"),
        ("bsc", "bnb"),
        ("xdai", "gnosis"),
        ("gnosis", "gnosis"),
        ("arbitrum-one", "arbitrum"),
        ("zksyncera", "zksync"),
        ("optimism", "optimism"),
        ("avalanche", "avalanche"),
        ("celo", "celo"),
        ("base", "base"),
        ("sepolia", "sepolia"),
    ] {
        assert_eq!(called(network), [name], "{network}");
    }
    assert!(called("tron").is_empty());
    for (network, name) in [("ethereum", "ethereum"), ("polygon", "polygon"), ("base", "base")] {
        assert_eq!(registry.chain(name).unwrap().names.stripe, [network]);
    }
    assert_eq!(registry.chains().filter(|chain| !chain.names.stripe.is_empty()).count(), 3);
}

#[test]
fn one_address_is_two_things_on_two_chains() {
    // FAU on Sepolia is, on Ethereum, the fee proxy.
    let fau = chain("sepolia").token_named("FAU").unwrap().address;
    assert!(chain("ethereum").contracts.erc20_fee_proxy.contains(&fau));
    assert_eq!(chain("ethereum").token(&fau), None);
}

#[test]
fn built_in_chains_are_complete() {
    for chain in Registry::builtin().unwrap().chains() {
        assert!(chain.explorer.as_ref().is_some_and(|url| url.starts_with("https://") && !url.ends_with('/')));
        assert!(!chain.names.request_network.is_empty(), "{}", chain.name);
        assert!(!chain.tokens.is_empty(), "{}", chain.name);
        assert_eq!(chain.native.decimals, 18, "{}", chain.name);
        assert_eq!(chain.testnet, chain.name == "sepolia");
        // The one chain whose first block no second source confirmed.
        assert_eq!(chain.genesis.is_none(), chain.name == "zksync");
    }
    assert_eq!(chain("celo").token_named("CELO").unwrap().class, TokenClass::NativeDual);
}
