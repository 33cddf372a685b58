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

/// Name; ERC-20 and coin proxies without a fee; ERC-20 and coin conversion proxies; escrow; receivables. Current ones
/// first.
const OTHERS: [(&str, [&[&str]; 6]); 11] = [
    (
        "ethereum",
        [
            &["0x5F821c20947Ff9BE22E823edC5B3c709b33121b3"],
            &[PLAIN_0_3, PLAIN_0_2, "0x37A8f5F64f2a84f2377481537F04D2A59C9f59B6"],
            &["0xe72Ecea44b6d8B2b3cf5171214D9730E86213cA2", "0x1550A8C4F4E5afC67Ea07e8ac590fdcAdB4bBfb1"],
            &[CONVERSION_0_2, CONVERSION_0_1],
            &[],
            &["0xcE80D17d38cfee8E5E6c682F7712bfb5A04Ae912", "0x6278949d3b4C10569BEB696Ff8864B5c772c740d"],
        ],
    ),
    (
        "polygon",
        [
            &[],
            &[PLAIN_0_3, PLAIN_0_2],
            &["0xf0f49873C50765239F6f9534Ba13c4fe16eD5f2E"],
            &[CONVERSION_0_2, CONVERSION_0_1],
            &[],
            &["0xd6C04C5d0e561D94B15622e770045776D4ce3739", "0xA9930c8e4638D9a96a3B73e7ABe73a636F986323"],
        ],
    ),
    (
        "bnb",
        [&[], &[PLAIN_0_3, PLAIN_0_2], &["0xbbd9c5D112343A4Aa2bc194245760CaeeaF118Be"], &[CONVERSION_0_2], &[], &[]],
    ),
    (
        "base",
        [
            &["0xc31323ea7513799e1e112Dc15a05d5b600Cc357e"],
            &["0x090D3583e3f5953e2CC758b146f4Ae11f8224ad7"],
            &["0x8296D56321cf207925a7804E5A8E3F579838e6Ad"],
            &["0xEdfD8386d5DE52072B4Ad8dC69BBD0bB89f9A1fb"],
            &["0x9A73b3774183d07d4a2b585B04982F2Ec672B03b"],
            &[],
        ],
    ),
    (
        "optimism",
        [
            &[],
            &["0x171Ee0881407d4c0C11eA1a2FB7D5b4cdED71e6e"],
            &["0x1550A8C4F4E5afC67Ea07e8ac590fdcAdB4bBfb1"],
            &[CONVERSION_0_2],
            &[],
            &[],
        ],
    ),
    (
        "arbitrum",
        [&[], &[PLAIN_0_3, PLAIN_0_2], &["0xA5186dec7dC1ec85B42A3cd2Dc8289e248530B07"], &[CONVERSION_0_2], &[], &[]],
    ),
    (
        "avalanche",
        [&[], &[PLAIN_0_3, PLAIN_0_2], &["0xA5186dec7dC1ec85B42A3cd2Dc8289e248530B07"], &[CONVERSION_0_2], &[], &[]],
    ),
    (
        "gnosis",
        [
            &[],
            &[PLAIN_0_3, PLAIN_0_2],
            &["0xf0f49873C50765239F6f9534Ba13c4fe16eD5f2E"],
            &["0x3E3B04e1bF170522a5c5DDE628C4d365c0342239"],
            &[],
            &[],
        ],
    ),
    (
        "celo",
        [
            &[],
            &[PLAIN_0_3, PLAIN_0_2],
            &["0xf0f49873C50765239F6f9534Ba13c4fe16eD5f2E"],
            &[CONVERSION_0_2, CONVERSION_0_1],
            &[],
            &[],
        ],
    ),
    ("zksync", [&[], &[], &[], &[], &[], &[]]),
    (
        "sepolia",
        [
            &["0x88Ecc15fDC2985A7926171B938BB2Cd808A5ba40"],
            &["0x171Ee0881407d4c0C11eA1a2FB7D5b4cdED71e6e"],
            &["0xaD61121DAfAAe495095Cd466022b519Cb7503a4E"],
            &["0xc861aE0Cd70b73b0C8F1D62Fa669E6D1d7D7e0aB"],
            &["0xc9b2eCBc2bfb38908f0Ee59729875959A09E6Ea5"],
            &["0xB5E53C3d145Cbaa61C7028736A1fF0bC6817A4c5"],
        ],
    ),
];
const PLAIN_0_3: &str = "0x322F0037d272E980984F89E94Aae43BD0FC065E6";
const PLAIN_0_2: &str = "0x27c60BE17e853c47A9F1d280B05365f483c2dFAF";
const CONVERSION_0_2: &str = "0x7Ebf48a26253810629C191b56C3212Fd0D211c26";
const CONVERSION_0_1: &str = "0xCa3353a15fCb5C83a1Ff64BFf055781aC5c4d2F4";
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
fn the_other_contracts_are_request_networks() {
    for (name, expected) in OTHERS {
        let contracts = chain(name).contracts;
        let kinds = [
            contracts.erc20_proxy,
            contracts.eth_proxy,
            contracts.erc20_conversion_proxy,
            contracts.eth_conversion_proxy,
            contracts.escrow,
            contracts.transferable_receivable,
        ];
        let text = kinds.map(|kind| kind.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(text, expected, "{name}");
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
        assert!(!chain.trace, "traces are asked for by whoever has a node that gives them");
        assert!(chain.tokens.iter().all(|token| !token.credit_received), "{}", chain.name);
        // The one chain whose first block no second source confirmed.
        assert_eq!(chain.genesis.is_none(), chain.name == "zksync");
    }
    assert_eq!(chain("celo").token_named("CELO").unwrap().class, TokenClass::NativeDual);
}
