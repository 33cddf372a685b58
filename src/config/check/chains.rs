//! Chains: nodes, quorum, and the data merged with the built-in.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chain_config::{Chain, ChainOverride, Problem, Registry, RegistryError, Tag};
use serde::Deserialize;

use super::{refuse_twice, size};
use crate::config::checked::{ActiveChain, Node};
use crate::config::raw::{File, chains};
use crate::config::read::{Reader, join, nearest};
use crate::config::secret::Secret;
use crate::config::value::shown;

/// `[chains.NAME]`
pub(super) fn active(file: &File, reader: &mut Reader<'_>) -> BTreeMap<String, ActiveChain> {
    let registry = match Registry::builtin() {
        Ok(registry) => registry,
        Err(error) => {
            reader.problem(
                "chains",
                format!("expected sound built-in data; {error}"),
                "this build is damaged: get another",
            );
            return BTreeMap::new();
        }
    };
    let mut active = BTreeMap::new();
    for (name, table) in &file.chains {
        let chain = merged(name, table, &registry, reader);
        let nodes = nodes(&table.reading, reader);
        let (agree, owners) = quorum(&table.reading, &nodes, reader);
        let Some(chain) = chain else { continue };
        let poll = table.reading.poll.map_or(Duration::from_millis(chain.head_poll_ms), |poll| poll.0);
        let at = &table.reading.at;
        reader.derives(&format!("{at}.poll"), format!("{:?}", shown(poll)));
        show(at, &chain, reader);
        active.insert(name.clone(), ActiveChain { chain, nodes, agree, owners, poll });
    }
    let chains: Vec<Chain> = active.values().map(|active| active.chain.clone()).collect();
    for error in chain_config::conflicts(&chains) {
        tell(&error, reader);
    }
    active
}

/// Notes what `chain_config` found. Its sentences end with the way out, behind the last semicolon.
fn tell(error: &RegistryError, reader: &mut Reader<'_>) {
    let text = error.problem.to_string();
    let (found, way_out) = text.rsplit_once("; ").unwrap_or((&text, "compare it with tollgate.example.toml"));
    reader.problem(&error.key, format!("expected sound chain data: {found}"), way_out);
}

/// The chain's data. Each key is read alone, so that a slip in one does not hide another.
fn merged(name: &str, table: &chains::ChainTable, registry: &Registry, reader: &mut Reader<'_>) -> Option<Chain> {
    let at = &table.reading.at;
    let keys = table.over.as_table().cloned().unwrap_or_default();
    let mut sound = toml::Table::new();
    for (key, value) in keys {
        let alone = toml::Table::from_iter([(key.clone(), value.clone())]);
        match ChainOverride::deserialize(toml::Value::Table(alone)) {
            Ok(_) => {
                sound.insert(key, value);
            }
            Err(error) => {
                let message = format!("expected what tollgate.example.toml shows for {key}; {}", error.message());
                reader.problem(&format!("{at}.{key}"), message, "compare it with the example");
            }
        }
    }
    let over = ChainOverride::deserialize(toml::Value::Table(sound)).ok()?;
    match registry.merge(name, &over) {
        Ok(chain) => Some(chain),
        Err(errors) => {
            let misnamed = errors.iter().any(|error| matches!(error.problem, Problem::ChainIdMissing { .. }));
            let known: Vec<&str> = registry.chains().map(|chain| chain.name.as_str()).collect();
            if let Some(near) = nearest(name, &known).filter(|_| misnamed) {
                // What a chain of that name would need as well is beside the point.
                let message = format!("expected a built-in chain, or chain_id and a new one's data; found {name:?}");
                reader.problem(at, message, format!("did you mean [chains.{near}]?"));
                return None;
            }
            // A key with a problem of its own was left out; that it is missing is no news.
            for error in errors {
                if is_told(at, &error.key, reader) {
                    continue;
                }
                tell(&error, reader);
            }
            None
        }
    }
}

/// Whether the key of the chain's table that an error is about has a problem already.
fn is_told(at: &str, key: &str, reader: &Reader<'_>) -> bool {
    let inside = key.strip_prefix(at).and_then(|rest| rest.strip_prefix('.'));
    let top = inside.and_then(|rest| rest.split(['.', '[']).next());
    top.is_some_and(|top| reader.is_broken(&join(at, top)))
}

/// Shows what the built-in data gave where the file says nothing.
fn show(at: &str, chain: &Chain, reader: &mut Reader<'_>) {
    let tier = |tier: &chain_config::Tier| {
        let bound = tier.up_to_usd.map_or_else(String::new, |usd| format!("up_to_usd = {usd}, "));
        let tag = tier.tag.map_or_else(String::new, |tag| format!(", tag = \"{}\"", tag_name(tag)));
        format!("{{ {bound}confirmations = {}{tag} }}", tier.confirmations)
    };
    let tiers: Vec<String> = chain.finality.tiers().map(tier).collect();
    let tokens: Vec<&str> = chain.tokens.iter().map(|token| token.symbol.as_str()).collect();
    for (key, value) in [
        ("chain_id", chain.chain_id.to_string()),
        ("finality", format!("[{}]", tiers.join(", "))),
        ("tokens", tokens.join(", ")),
    ] {
        let key = join(at, key);
        if !reader.is_shown(&key) {
            reader.derives(&key, value);
        }
    }
}

const fn tag_name(tag: Tag) -> &'static str {
    match tag {
        Tag::Safe => "safe",
        Tag::Finalized => "finalized",
    }
}

fn nodes(raw: &chains::Reading, reader: &mut Reader<'_>) -> Vec<Node> {
    let names = raw.rpc.iter().filter_map(|node| Some((node.name.as_ref()?.0.as_str(), format!("{}.name", node.at))));
    refuse_twice(names, "a name of a node", reader);
    let mut nodes: Vec<Node> = Vec::new();
    for node in &raw.rpc {
        let (Some(name), Some(owner), Some(url)) = (&node.name, &node.owner, &node.url) else { continue };
        let url = url.0.to_string();
        if let Some(other) = nodes.iter().find(|other| other.url.expose() == url) {
            // One node under two names would agree with itself.
            let message = format!("expected an endpoint of its own; found that of {:?}", other.name);
            reader.problem(&format!("{}.url", node.at), message, "name another node");
        }
        nodes.push(Node {
            name: name.0.clone(),
            owner: owner.0.clone(),
            url: Secret::new(url),
            ws: node.ws.as_ref().map(|ws| Secret::new(ws.0.to_string())),
            rate: node.rate.map(|rate| u32::try_from(rate.0).unwrap_or(u32::MAX)),
            tag: node.tag.as_ref().map(|tag| tag.0.clone()),
        });
    }
    nodes
}

/// How many nodes and owners must agree.
fn quorum(raw: &chains::Reading, nodes: &[Node], reader: &mut Reader<'_>) -> (usize, usize) {
    let (at, agree, owners) = (&raw.at, size(raw.agree.0), size(raw.owners.0));
    let distinct = nodes.iter().map(|node| node.owner.as_str()).collect::<BTreeSet<_>>().len();
    if reader.is_broken(&format!("{at}.rpc")) {
        return (agree, owners);
    }
    let single = "or allow_single_node = true, which believes a single node";
    if nodes.is_empty() {
        let help = "write rpc = [{ name = \"a\", owner = \"provider-a\", url = \"https://…\" }, …]";
        reader.problem(&format!("{at}.rpc"), "expected JSON-RPC nodes; found none", help);
        return (agree, owners);
    }
    if raw.allow_single_node {
        let (agree, owners) = (agree.min(nodes.len()), owners.min(distinct));
        reader.derives(&format!("{at}.agree"), agree.to_string());
        reader.derives(&format!("{at}.owners"), owners.to_string());
        return (agree, owners);
    }
    if agree < 2 {
        let message = "expected at least 2; found 1: one node would simply be believed";
        reader.problem(&format!("{at}.agree"), message, format!("write agree = 2, {single}"));
    }
    if nodes.len() < agree {
        let message = format!("expected at least {agree} nodes, as agree says; found {}", nodes.len());
        reader.problem(&format!("{at}.rpc"), message, format!("add nodes, {single}"));
    }
    if agree <= nodes.len() && distinct < owners {
        let message = format!("expected nodes of at least {owners} owners, as owners says; found {distinct}");
        reader.problem(&format!("{at}.owners"), message, format!("add a node of another owner, {single}"));
    }
    if agree < owners {
        let message = format!("expected at most agree, {agree}; found {owners}");
        reader.problem(&format!("{at}.owners"), message, "raise agree, or lower owners");
    }
    (agree, owners)
}
