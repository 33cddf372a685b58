//! A chain as JSON: what it is, how it is judged and by whose word, where it stands, and who is asked about it.

use alloy_primitives::U256;
use chain_config::{Chain, FinalityPolicy, Token};
use serde_json::{Value, json};

use super::Set;
use crate::admin::verification::{ChainNow, NodeNow};
use crate::admin::view;
use crate::config::ActiveChain;
use crate::ledger::{Cordon, Who};

/// Decimals of a price in dollars, as it is kept.
const PRICE_DECIMALS: u8 = 6;

pub(super) fn chain(name: &str, active: &ActiveChain, now: Option<&ChainNow>, set: &Set, watched: bool) -> Value {
    let chain = &active.chain;
    let standing = now.and_then(|now| now.standing);
    let cordon = |node: &str| set.cordons.iter().find(|cordon| cordon.chain == name && cordon.node == node);
    let in_use: Vec<&str> =
        active.nodes.iter().filter(|node| cordon(&node.name).is_none()).map(|node| node.owner.as_str()).collect();
    let owners: std::collections::BTreeSet<&str> = in_use.iter().copied().collect();
    json!({
        "name": name,
        "chain_id": chain.chain_id,
        "testnet": chain.testnet,
        "proof": chain.proof,
        "head": standing.map(|standing| standing.head),
        "safe": standing.and_then(|standing| standing.safe),
        "finalized": standing.and_then(|standing| standing.finalized),
        "safe_lag_seconds": standing.and_then(|standing| standing.safe_lag_s),
        "finalized_lag_seconds": standing.and_then(|standing| standing.finalized_lag_s),
        "watched": watched,
        "agree": active.agree,
        "owners": active.owners,
        "nodes_in_use": in_use.len(),
        "can_agree": active.agree <= in_use.len() && active.owners <= owners.len(),
        "poll_ms": u64::try_from(active.poll.as_millis()).unwrap_or(u64::MAX),
        "stopped": cordon("").map(|cordon| set_by(&cordon.by, cordon.since_us)),
        "finality": finality(name, chain, now, set),
        "nodes": nodes(active, now, watched, cordon),
        "tokens": chain.tokens.iter().map(token).collect::<Vec<_>>(),
        "contracts": {
            "erc20_fee_proxy": checksummed(&chain.contracts.erc20_fee_proxy),
            "eth_fee_proxy": checksummed(&chain.contracts.eth_fee_proxy),
        },
    })
}

fn nodes<'a>(
    active: &ActiveChain,
    now: Option<&ChainNow>,
    watched: bool,
    cordon: impl Fn(&str) -> Option<&'a Cordon>,
) -> Vec<Value> {
    let seen: &[NodeNow] = now.map(|now| now.nodes.as_slice()).unwrap_or_default();
    let best = seen.iter().map(|node| node.head).max();
    let node = |node: &crate::config::Node| {
        let last = seen.iter().find(|last| last.name == node.name);
        let cordon = cordon(&node.name);
        let state = match (cordon, last) {
            (Some(_), _) => "cordoned",
            (None, Some(_)) => "in_use",
            (None, None) if watched => "silent",
            // Nothing waits for the chain: its heads are polled now and then only.
            (None, None) => "idle",
        };
        json!({
            "name": node.name,
            "owner": node.owner,
            "state": state,
            "head": last.map(|last| last.head),
            "lag_blocks": last.zip(best).map(|(last, best)| best.saturating_sub(last.head)),
            "safe": last.and_then(|last| last.safe),
            "finalized": last.and_then(|last| last.finalized),
            "cordon": cordon.map(|cordon| set_by(&cordon.by, cordon.since_us)),
        })
    };
    active.nodes.iter().map(node).collect()
}

/// The tiers in force, and where they come from. What was set and does not fit any more is named, and not in force.
fn finality(name: &str, chain: &Chain, now: Option<&ChainNow>, set: &Set) -> Value {
    let in_force = now.map_or(&chain.finality, |now| &now.finality);
    let Some(stored) = set.overrides.iter().find(|set| set.chain == name) else {
        return json!({"origin": "config", "tiers": tiers(in_force)});
    };
    let mut shown = set_by(&stored.by, stored.since_us);
    if let Value::Object(fields) = &mut shown {
        let problems = chain_config::with_finality(chain, &stored.tiers).err();
        fields.insert("origin".into(), if problems.is_some() { "config" } else { "run time" }.into());
        fields.insert("tiers".into(), tiers(in_force));
        fields.insert("configured".into(), tiers(&chain.finality));
        if let Some(problems) = problems {
            let why: Vec<String> = problems.iter().map(ToString::to_string).collect();
            fields.insert("not_in_force".into(), why.join("; ").into());
        }
    }
    shown
}

fn tiers(policy: &FinalityPolicy) -> Value {
    policy.tiers().map(|tier| json!(tier)).collect()
}

fn set_by(by: &Who, since_us: i64) -> Value {
    json!({"by": by.name, "from": by.from, "reason": by.reason, "since_at": view::time(since_us)})
}

fn token(token: &Token) -> Value {
    json!({
        "symbol": token.symbol,
        "address": token.address.to_checksum(None),
        "decimals": token.decimals,
        "usd": token.usd.map(|usd| chain_config::amount::format(U256::from(usd.micros()), PRICE_DECIMALS)),
        "class": token.class,
    })
}

fn checksummed(addresses: &[alloy_primitives::Address]) -> Vec<String> {
    addresses.iter().map(|address| address.to_checksum(None)).collect()
}
