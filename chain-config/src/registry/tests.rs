//! Overrides: what they change, and that every mistake is named with its key.

use alloy_primitives::address;

use super::*;
use crate::{AddressError, NativeSpec, Tag, TokenClass, TokenLookupError};

fn registry() -> Registry {
    Registry::builtin().unwrap()
}

fn written(text: &str) -> ChainOverride {
    toml::from_str(text).unwrap()
}

/// The keys of all problems of an override.
fn keys(name: &str, text: &str) -> Vec<String> {
    let problems = registry().merge(name, &written(text)).unwrap_err();
    problems.into_iter().map(|error| error.key).collect()
}

/// The one problem of an override.
fn problem(name: &str, text: &str) -> Problem {
    let mut problems = registry().merge(name, &written(text)).unwrap_err();
    assert_eq!(problems.len(), 1, "{problems:?}");
    problems.remove(0).problem
}

#[test]
fn an_empty_override_changes_nothing() {
    let registry = registry();
    for chain in registry.chains() {
        assert_eq!(registry.merge(&chain.name, &ChainOverride::default()).as_ref(), Ok(chain));
    }
}

#[test]
fn finality_replaces_the_ladder() {
    let over = r#"finality = [{up_to_usd = 20, confirmations = 2}, {confirmations = 12, tag = "finalized"}]"#;
    let chain = registry().merge("base", &written(over)).unwrap();
    let tiers: Vec<_> = chain.finality.tiers().collect();
    assert_eq!(tiers.len(), 2);
    assert_eq!(
        (tiers[0].name.as_str(), tiers[0].up_to_usd, tiers[0].confirmations, tiers[0].tag),
        ("T0", Some(20), 2, None)
    );
    assert_eq!((tiers[1].name.as_str(), tiers[1].up_to_usd, tiers[1].confirmations), ("T1", None, 12));
    assert_eq!(tiers[1].tag, Some(Tag::Finalized));
    // Everything else is as built in.
    assert_eq!(chain.tokens, registry().chain("base").unwrap().tokens);
}

#[test]
fn tokens_contracts_and_names_are_added_and_a_known_token_is_replaced() {
    let over = r#"
        tokens = [
            {symbol = "PAY", address = "0x00000000000000000000000000000000000000aa", decimals = 4, usd = "0.25",
             class = "fee_on_transfer", credit_received = true},
            {symbol = "USDC", address = "0x833589fcd6edb6e08f4c7c32d4f71b54bda02913", decimals = 6},
        ]
        contracts = {erc20_fee_proxy = ["0x00000000000000000000000000000000000000bb"],
                     escrow = ["0x00000000000000000000000000000000000000cc"],
                     transferable_receivable = ["0x00000000000000000000000000000000000000dd"]}
        names = {request_network = ["base-mainnet", "base"]}
    "#;
    let before = registry().chain("base").unwrap().clone();
    let chain = registry().merge("base", &written(over)).unwrap();
    assert_eq!(chain.tokens.len(), before.tokens.len() + 1);
    let pay = chain.token_named("pay").unwrap();
    assert_eq!((pay.decimals, pay.class, pay.credit_received), (4, TokenClass::FeeOnTransfer, true));
    assert_eq!(pay.usd.unwrap().micros(), 250_000);
    let usdc = chain.token(&address!("833589fCD6eDb6E08f4c7C32D4f71b54bdA02913")).unwrap();
    assert_eq!((usdc.usd, usdc.class), (None, TokenClass::Plain));
    assert_eq!(
        chain.contracts.erc20_fee_proxy,
        [address!("1892196E80C4c17ea5100Da765Ab48c1fE2Fb814"), address!("00000000000000000000000000000000000000bb")]
    );
    assert_eq!(chain.contracts.eth_fee_proxy, before.contracts.eth_fee_proxy);
    assert_eq!(
        chain.contracts.escrow,
        [address!("9A73b3774183d07d4a2b585B04982F2Ec672B03b"), address!("00000000000000000000000000000000000000cc")]
    );
    assert_eq!(chain.contracts.transferable_receivable, [address!("00000000000000000000000000000000000000dd")]);
    assert_eq!(chain.names.request_network, ["base", "base-mainnet"]);
}

#[test]
fn single_values_replace() {
    let over = ChainOverride {
        testnet: Some(true),
        native: Some(NativeSpec { symbol: "XYZ".to_owned(), decimals: 9 }),
        explorer: Some("https://explorer.example/".to_owned()),
        block_time_ms: Some(700),
        head_poll_ms: Some(900),
        tag_stall_alert_s: Some(60),
        trace: Some(true),
        genesis: Some(format!("0x{}", "11".repeat(32))),
        proof: Some(ProofMode::Quorum),
        state_sync_until: Some(7),
        drop_after_blocks: Some(8),
        ..ChainOverride::default()
    };
    let chain = registry().merge("base", &over).unwrap();
    assert!(chain.testnet && chain.trace);
    assert_eq!((chain.native.symbol.as_str(), chain.native.decimals), ("XYZ", 9));
    assert_eq!((chain.block_time_ms, chain.head_poll_ms, chain.tag_stall_alert_s), (700, 900, 60));
    assert_eq!(chain.genesis, Some(alloy_primitives::B256::repeat_byte(0x11)));
    assert_eq!((chain.proof, chain.state_sync_until, chain.drop_after_blocks), (ProofMode::Quorum, Some(7), 8));
    let hash = alloy_primitives::B256::repeat_byte(0xab);
    assert_eq!(chain.tx_url(&hash).unwrap(), format!("https://explorer.example/tx/0x{}", "ab".repeat(32)));
}

#[test]
fn a_new_chain_needs_an_id_and_a_ladder_and_gets_defaults() {
    let chain = registry().merge("local", &written("chain_id = 31337\nfinality = [{confirmations = 1}]")).unwrap();
    assert_eq!((chain.name.as_str(), chain.chain_id, chain.testnet), ("local", 31_337, false));
    assert_eq!((chain.native.symbol.as_str(), chain.native.decimals), ("ETH", 18));
    assert_eq!((chain.block_time_ms, chain.head_poll_ms), (2_000, 2_000));
    assert_eq!((chain.reorg_window_blocks, chain.tag_stall_alert_s), (256, 3_600));
    assert_eq!((chain.genesis, chain.explorer, chain.tokens.len()), (None, None, 0));
    assert_eq!((chain.proof, chain.state_sync_until, chain.drop_after_blocks), (ProofMode::Full, None, 50));
    assert_eq!(keys("local", ""), ["chains.local.chain_id", "chains.local.finality"]);
    assert!(matches!(problem("local", "chain_id = 5"), Problem::NoFinality));
}

#[test]
fn blocks_are_remembered_as_deep_as_the_deepest_tier() {
    let chain = registry().merge("ethereum", &written("finality = [{confirmations = 300}]")).unwrap();
    assert_eq!(chain.reorg_window_blocks, 312);
}

#[test]
fn an_id_belongs_to_one_chain() {
    let taken = problem("base-fork", "chain_id = 8453\nfinality = [{confirmations = 1}]");
    assert_eq!(taken, Problem::ChainIdTaken { chain_id: 8453, by: "base".to_owned() });
    let differs = problem("base", "chain_id = 10");
    assert_eq!(differs, Problem::ChainIdDiffers { found: 10, builtin: 8453 });
    assert_eq!(problem("x", "chain_id = 0\nfinality = [{confirmations = 1}]"), Problem::ChainIdZero);
    assert!(registry().merge("base", &written("chain_id = 8453")).is_ok());
}

#[test]
fn every_problem_of_a_file_is_reported_at_once() {
    let over = r#"
        explorer = "etherscan.io"
        block_time_ms = 0
        genesis = "0x12"
        state_sync_until = 0
        drop_after_blocks = 100001
        native = {symbol = "", decimals = 99}
        finality = [{up_to_usd = 20, confirmations = 0}, {up_to_usd = 20, confirmations = 1}, {confirmations = 2},
                    {up_to_usd = 30, confirmations = 3}]
        contracts = {eth_fee_proxy = ["0x0000000000000000000000000000000000000000", "0xzz"]}
        names = {request_network = ["a b"], stripe = ["x", "X"]}
        [[tokens]]
        symbol = "0xA"
        address = "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02914"
        decimals = 37
        usd = "one"
    "#;
    assert_eq!(
        keys("ethereum", over),
        [
            "chains.ethereum.native.symbol",
            "chains.ethereum.native.decimals",
            "chains.ethereum.explorer",
            "chains.ethereum.finality[0].confirmations",
            "chains.ethereum.finality[1].up_to_usd",
            "chains.ethereum.finality[2]",
            "chains.ethereum.finality[3].up_to_usd",
            "chains.ethereum.tokens[0].symbol",
            "chains.ethereum.tokens[0].decimals",
            "chains.ethereum.tokens[0].usd",
            "chains.ethereum.tokens[0].address",
            "chains.ethereum.contracts.eth_fee_proxy[0]",
            "chains.ethereum.contracts.eth_fee_proxy[1]",
            "chains.ethereum.names.request_network[0]",
            "chains.ethereum.names.stripe[1]",
            "chains.ethereum.block_time_ms",
            "chains.ethereum.genesis",
            "chains.ethereum.state_sync_until",
            "chains.ethereum.drop_after_blocks",
        ]
    );
}

#[test]
fn a_bad_checksum_is_refused_and_lower_case_is_taken() {
    let token = |address: &str| format!(r#"tokens = [{{symbol = "T", address = "{address}", decimals = 6}}]"#);
    // The last letter pair of a genuine address exchanged.
    let found = "0xdAC17F958D2ee523a2206206994597C13D831eC7";
    let wrong = Problem::Address { found: found.to_owned(), why: AddressError::Checksum };
    assert_eq!(problem("ethereum", &token(found)), wrong);
    assert!(registry().merge("ethereum", &written(&token("0xdac17f958d2ee523a2206206994597c13d831ec7"))).is_ok());
}

#[test]
fn a_token_or_contract_listed_twice_is_a_mistake() {
    let twice = r#"tokens = [{symbol = "A", address = "0x00000000000000000000000000000000000000aa", decimals = 6},
                             {symbol = "B", address = "0x00000000000000000000000000000000000000AA", decimals = 18}]"#;
    assert_eq!(keys("base", twice), ["chains.base.tokens[1].address"]);
    let contracts = r#"contracts = {erc20_fee_proxy = ["0x00000000000000000000000000000000000000aa",
                                                       "0x00000000000000000000000000000000000000aa"]}"#;
    assert_eq!(keys("base", contracts), ["chains.base.contracts.erc20_fee_proxy[1]"]);
}

#[test]
fn every_kind_of_contract_is_added_and_checked_under_its_key() {
    let kinds = [
        "erc20_fee_proxy",
        "eth_fee_proxy",
        "erc20_proxy",
        "eth_proxy",
        "erc20_conversion_proxy",
        "eth_conversion_proxy",
        "escrow",
        "transferable_receivable",
    ];
    for kind in kinds {
        let over = format!(r#"contracts = {{{kind} = ["0x00000000000000000000000000000000000000aa"]}}"#);
        let contracts = serde_json::to_value(registry().merge("base", &written(&over)).unwrap().contracts).unwrap();
        let last = contracts[kind].as_array().and_then(|all| all.last()).unwrap();
        assert_eq!(last, "0x00000000000000000000000000000000000000aa", "{kind}");
        let zero = format!(r#"contracts = {{{kind} = ["0x0000000000000000000000000000000000000000"]}}"#);
        assert_eq!(keys("base", &zero), [format!("chains.base.contracts.{kind}[0]")]);
    }
}

#[test]
fn only_a_token_that_takes_a_fee_can_be_credited_short() {
    let token = |class: &str| {
        format!(
            r#"tokens = [{{symbol = "T", address = "0x00000000000000000000000000000000000000aa", decimals = 6,
               class = "{class}", credit_received = true}}]"#
        )
    };
    assert!(registry().merge("base", &written(&token("fee_on_transfer"))).is_ok());
    assert_eq!(keys("base", &token("plain")), ["chains.base.tokens[0].credit_received"]);
    assert_eq!(problem("base", &token("rebasing")), Problem::CreditReceived);
}

#[test]
fn a_view_of_the_coin_has_the_coins_decimals() {
    let token = |decimals: u8| {
        format!(
            r#"tokens = [{{symbol = "WETH", address = "0x00000000000000000000000000000000000000aa", decimals = {decimals},
               class = "native_dual"}}]"#
        )
    };
    assert!(registry().merge("base", &written(&token(18))).is_ok());
    let address = address!("00000000000000000000000000000000000000aa");
    assert_eq!(problem("base", &token(6)), Problem::NativeDualDecimals { address, found: 6, native: 18 });
    assert_eq!(keys("celo", r#"native = {symbol = "CELO", decimals = 9}"#), ["chains.celo.tokens"]);
}

#[test]
fn names_of_chains_are_plain_words() {
    let over = written("chain_id = 5\nfinality = [{confirmations = 1}]");
    for name in ["", "Local", "a b", "-a", "a.b", &"a".repeat(33)] {
        let problems = registry().merge(name, &over).unwrap_err();
        assert!(matches!(problems[0].problem, Problem::ChainName { .. }), "{name:?}: {problems:?}");
    }
}

#[test]
fn unknown_keys_are_refused() {
    for text in ["finalty = []", "finality = [{confirmation = 1}]", "names = {paypal = []}", "contracts = {proxy = []}"]
    {
        assert!(toml::from_str::<ChainOverride>(text).is_err(), "{text}");
    }
    assert!(
        toml::from_str::<ChainOverride>("tokens = [{symbol = \"A\", address = \"\", decimals = 6, usd = 1.0}]")
            .is_err()
    );
    assert!(toml::from_str::<ChainOverride>("finality = [{confirmations = 1, tag = \"latest\"}]").is_err());
    assert!(toml::from_str::<ChainOverride>("proof = \"none\"").is_err());
}

#[test]
fn two_chains_share_no_id_and_no_network_name() {
    let registry = registry();
    let base = registry.chain("base").unwrap().clone();
    let over = written("chain_id = 9\nfinality = [{confirmations = 1}]\nnames = {request_network = [\"BASE\"]}");
    let other = registry.merge("other", &over).unwrap();
    let found = conflicts(&[base.clone(), other]);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].key, "chains.other.names.request_network");
    assert_eq!(found[0].problem, Problem::NameTaken { found: "BASE".to_owned(), by: "base".to_owned() });
    let same = conflicts(&[base.clone(), base]);
    assert!(same.iter().any(|error| error.problem == Problem::ChainTwice));
    assert!(same.iter().any(|error| matches!(error.problem, Problem::ChainIdTaken { chain_id: 8453, .. })));
}

#[test]
fn a_symbol_of_several_contracts_is_not_guessed() {
    let over = r#"tokens = [{symbol = "usdc", address = "0x00000000000000000000000000000000000000aa", decimals = 6}]"#;
    let chain = registry().merge("base", &written(over)).unwrap();
    let Err(TokenLookupError::Ambiguous { addresses, .. }) = chain.token_named("USDC") else { panic!("not ambiguous") };
    assert!(addresses.contains("0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913"), "{addresses}");
    let Err(TokenLookupError::Unknown { known, .. }) = chain.token_named("PEPE") else { panic!("not unknown") };
    assert!(known.contains("DAI"), "{known}");
}

#[test]
fn a_broken_built_in_file_is_never_skipped() {
    let good = ("good", "chain_id = 5\nfinality = [{confirmations = 1}]");
    for bad in ["", "chain_id = 6", "chain_id = \"6\"", "chain_id = 5\nfinality = [{confirmations = 1}]"] {
        assert!(Registry::from_files(&[good, ("bad", bad)]).is_err(), "{bad}");
    }
}

#[test]
fn messages_say_where_what_and_what_to_do() {
    let problems = registry().merge("bsc", &written("tokens = []")).unwrap_err();
    let message = problems[0].to_string();
    assert!(message.starts_with("chains.bsc.chain_id: "), "{message}");
    assert!(message.contains("bnb"), "{message}");
    let problems = registry().merge("base", &written("finality = [{up_to_usd = 5, confirmations = 1}]")).unwrap_err();
    assert!(problems[0].to_string().contains("remove up_to_usd = 5"), "{}", problems[0]);
}
