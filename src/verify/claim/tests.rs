use super::*;
use crate::verify::fixture::*;

#[test]
fn a_network_is_found_by_its_providers_name_in_any_case() {
    let registry = chain_config::Registry::builtin().unwrap();
    let mut chains = chains();
    chains.insert("eth-main".to_owned(), active(registry.by_id(1).unwrap().clone(), &[("a", "x")]));
    let id = |provider: &str, network: &str| {
        chain_of(&chains, provider, network).map(|(name, active)| (name.to_owned(), active.chain.chain_id))
    };
    assert_eq!(id("request-network", "mainnet"), Some(("eth-main".to_owned(), 1)));
    assert_eq!(id("request-network", "Base"), Some(("base".to_owned(), 8453)));
    assert_eq!(id("stripe", "ethereum"), Some(("eth-main".to_owned(), 1)));
    assert_eq!(id("shop", "eth-main"), Some(("eth-main".to_owned(), 1)));
    assert_eq!(id("stripe", "solana"), None);
    assert_eq!(id("stripe", "mainnet"), None, "Request Network's word, not Stripe's");
    assert_eq!(id("request-network", ""), None);
}

#[test]
fn a_transaction_hash_is_32_bytes_of_hexadecimal() {
    let digits = "ab".repeat(32);
    assert_eq!(tx_hash(&digits), Some(TX));
    assert_eq!(tx_hash(&format!("0x{}", digits.to_uppercase())), Some(TX));
    for bad in ["", "0x", "0xab", &"ab".repeat(31), &"ab".repeat(33), &"zz".repeat(32), &format!(" {digits}")] {
        assert_eq!(tx_hash(bad), None, "{bad:?}");
    }
}
