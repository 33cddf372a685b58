//! The built-in data against what was collected from public sources: `collected` has the parts that are compared, each
//! file with where it is from.
#![expect(clippy::unwrap_used, reason = "these are all tests, and a fact that does not read has to fail them")]

use std::collections::BTreeSet;
use std::path::Path;

use alloy_primitives::Address;
use chain_config::{Chain, ProofMode, Registry, Tag};
use serde_json::Value;

/// Symbols that differ from Request Network's on purpose: chain id, theirs, ours. The data files say why.
const RENAMED: [(u64, &str, &str); 6] = [
    (137, "USDC", "USDC.e"),
    (10, "USDC", "USDC.e"),
    (43_114, "USDCe", "USDC.e"),
    (43_114, "USDTe", "USDT.e"),
    (43_114, "DAIe", "DAI.e"),
    (42_220, "cGLD", "CELO"),
];

/// Tokens that Request Network does not list: chain id and symbol.
const NOT_LISTED: [(u64, &str); 8] = [
    (1, "EURC"),
    (8_453, "USDbC"),
    (8_453, "EURC"),
    (42_161, "USDC.e"),
    (100, "USDC.e"),
    (42_220, "USDC"),
    (42_220, "USDT"),
    (324, "USDC"),
];

fn facts(name: &str) -> Value {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/collected").join(name);
    serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

fn texts(value: &Value, key: &str) -> BTreeSet<String> {
    list(value, key).iter().map(|item| item.as_str().unwrap().to_owned()).collect()
}

fn set(names: &[String]) -> BTreeSet<String> {
    names.iter().cloned().collect()
}

/// The chains of a list, each with ours of that id.
fn ours<'a>(registry: &'a Registry, facts: &'a Value, id: &str) -> Vec<(&'a Chain, &'a Value)> {
    let known = |fact: &'a Value| Some((registry.by_id(fact[id].as_u64()?)?, fact));
    let found: Vec<_> = list(facts, "chains").iter().filter_map(known).collect();
    assert_eq!(found.len(), registry.chains().count(), "a built-in chain is not in the facts");
    found
}

#[test]
fn finality_is_the_collected() {
    let facts = facts("finality.json");
    let registry = Registry::builtin().unwrap();
    // No chain of the policy is missing here.
    assert_eq!(list(&facts, "chains").len(), registry.chains().count());
    for (chain, fact) in ours(&registry, &facts, "chain_id") {
        assert_eq!(Some(chain.block_time_ms), fact["block_time_ms"].as_u64(), "{}", chain.name);
        assert_eq!(Some(chain.head_poll_ms), fact["head_poll_ms"].as_u64(), "{}", chain.name);
        assert_eq!(Some(chain.reorg_window_blocks), fact["reorg_window_blocks"].as_u64(), "{}", chain.name);
        assert_eq!(Some(chain.tag_stall_alert_s), fact["tag_stall_alert_s"].as_u64(), "{}", chain.name);
        assert_eq!(Some(chain.drop_after_blocks), fact["drop_after_blocks"].as_u64(), "{}", chain.name);
        // What has not been tried on a block yet is not trusted either.
        let full = fact["receipts_proof"]["mode"] == "full";
        assert_eq!(chain.proof == ProofMode::Full, full, "{}", chain.name);
        assert_eq!(chain.testnet, fact["testnet"].as_bool().unwrap_or(false), "{}", chain.name);
        assert_eq!(set(&chain.names.stripe), texts(&fact["names"], "stripe"), "{}", chain.name);
        assert!(set(&chain.names.request_network).is_superset(&texts(&fact["names"], "request_network")));
        assert_eq!(chain.finality.tiers().count(), 4);
        for tier in chain.finality.tiers() {
            let key = tier.name.to_ascii_lowercase();
            let expected = &fact["tiers"][&key];
            assert_eq!(Some(tier.confirmations), expected["min_conf"].as_u64(), "{} {key}", chain.name);
            let tag = tier.tag.map(|tag| if tag == Tag::Safe { "safe" } else { "finalized" });
            assert_eq!(tag, expected["tag"].as_str(), "{} {key}", chain.name);
            assert_eq!(tier.up_to_usd, facts["definitions"]["tiers_usd"][&key]["max"].as_u64(), "{} {key}", chain.name);
        }
    }
}

#[test]
fn network_names_are_the_collected() {
    let (chains, finality) = (facts("chains.json"), facts("finality.json"));
    let registry = Registry::builtin().unwrap();
    for (chain, fact) in ours(&registry, &chains, "chainId") {
        let mut names = texts(fact, "webhookNetworkNamesToAccept");
        let other = ours(&registry, &finality, "chain_id").into_iter().find(|(other, _)| *other == chain).unwrap().1;
        names.extend(texts(&other["names"], "request_network"));
        assert_eq!(set(&chain.names.request_network), names, "{}", chain.name);
        assert_eq!(Some(u64::from(chain.native.decimals)), fact["native"]["decimals"].as_u64());
        assert_eq!(Some(chain.testnet), fact["testnet"].as_bool());
    }
}

#[test]
fn contracts_are_the_collected() {
    let facts = facts("contracts.json");
    for chain in Registry::builtin().unwrap().chains() {
        let contracts = &chain.contracts;
        for (name, ours) in [
            ("ERC20FeeProxy", &contracts.erc20_fee_proxy),
            ("EthereumFeeProxy", &contracts.eth_fee_proxy),
            ("ERC20Proxy", &contracts.erc20_proxy),
            ("EthereumProxy", &contracts.eth_proxy),
            ("ERC20ConversionProxy", &contracts.erc20_conversion_proxy),
            ("EthConversionProxy", &contracts.eth_conversion_proxy),
            ("ERC20CommerceEscrowWrapper", &contracts.escrow),
            ("ERC20TransferableReceivable", &contracts.transferable_receivable),
        ] {
            let deployments = list(&facts["contracts"][name], "deployments");
            let here = deployments.iter().filter(|fact| fact["chainId"].as_u64() == Some(chain.chain_id));
            let mut expected = BTreeSet::new();
            for fact in here {
                let address: Address = fact["address"].as_str().unwrap().parse().unwrap();
                if fact["defaultVersion"] == true {
                    assert_eq!(ours.first(), Some(&address), "the current {name} is first on {}", chain.name);
                }
                expected.insert(address);
            }
            assert_eq!(ours.iter().copied().collect::<BTreeSet<_>>(), expected, "{name} on {}", chain.name);
        }
    }
}

/// Chain id, address, symbol and decimals of every token row of both files.
fn listed(tokens: &Value, chains: &Value) -> Vec<(u64, Address, String, u64)> {
    let row = |chain: Option<u64>, fact: &Value| {
        let address = fact["address"].as_str()?.parse().ok()?;
        let symbol = fact["symbol"].as_str()?.to_owned();
        (fact["type"] == "ERC20").then_some((chain?, address, symbol, fact["decimals"].as_u64()?))
    };
    let mut rows: Vec<_> =
        list(tokens, "tokens").iter().filter_map(|fact| row(fact["chainId"].as_u64(), fact)).collect();
    for chain in list(chains, "chains") {
        rows.extend(list(chain, "tokens").iter().filter_map(|fact| row(chain["chainId"].as_u64(), fact)));
    }
    rows
}

#[test]
fn tokens_are_the_collected() {
    let rows = listed(&facts("tokens.json"), &facts("chains.json"));
    let mut not_listed = Vec::new();
    for chain in Registry::builtin().unwrap().chains() {
        for token in &chain.tokens {
            let mut known = rows.iter().filter(|row| (row.0, row.1) == (chain.chain_id, token.address)).peekable();
            if known.peek().is_none() {
                not_listed.push((chain.chain_id, token.symbol.clone()));
            }
            for (id, _, symbol, decimals) in known {
                assert_eq!(u64::from(token.decimals), *decimals, "{} on {}", token.symbol, chain.name);
                let renamed = RENAMED.contains(&(*id, symbol.as_str(), token.symbol.as_str()));
                assert!(renamed || *symbol == token.symbol, "{symbol} is {} on {}", token.symbol, chain.name);
            }
        }
    }
    let expected: BTreeSet<_> = NOT_LISTED.iter().map(|(id, symbol)| (*id, (*symbol).to_owned())).collect();
    assert_eq!(not_listed.into_iter().collect::<BTreeSet<_>>(), expected);
}
