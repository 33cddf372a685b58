//! `tollgate check --rpc`: asks each configured node what verification will ask it, side by side.
//!
//! It judges no payment. It must never show a node's URL, nor a text that a node sent.

use alloy_primitives::{Address, B256};
use chain_config::{ProofMode, Tag};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::chain::rpc::{Client, Limits, Method, RpcError};
use crate::chain::{Header, Listing, proof, types};
use crate::cli::table::{Layout, column, wide};
use crate::config::{ActiveChain, Config, Node};
use crate::task;
use crate::verify::quorum::Policy;

pub(super) const LAYOUT: Layout = Layout {
    what: "nodes",
    id: "/node",
    columns: &[
        column("chain", "/chain"),
        column("node", "/node"),
        column("owner", "/owner"),
        column("id", "/chain_id"),
        column("head", "/head"),
        column("safe", "/safe"),
        column("finalized", "/finalized"),
        column("proof", "/proof"),
        column("missing", "/missing"),
        column("ms", "/latency_ms"),
        column("verdict", "/verdict"),
        wide("usable", "/usable"),
        wide("traces", "/traces"),
        wide("oracle", "/oracle"),
    ],
};

/// What the nodes said, a row each, and the chains that cannot reach their agreement.
pub(super) struct Asked {
    pub(super) rows: Vec<Value>,
    pub(super) failing: Vec<String>,
}

/// One node's answers.
#[derive(Default)]
struct Heard {
    chain_id: Option<u64>,
    head: Option<Header>,
    safe: Option<Header>,
    finalized: Option<Header>,
    /// Whether its latest header hashes to its hash.
    is_sealed: bool,
    missing: Vec<Method>,
    /// By which method it shows the calls inside a transaction.
    traces: Option<Method>,
    /// Whether the chain's sanctions oracle answers here; none where none is configured.
    oracle: Option<bool>,
    latency_ms: Option<u64>,
    /// Why it does not count.
    wrong: Option<String>,
}

/// Asks all nodes of all chains.
pub(super) async fn ask(config: &Config) -> Asked {
    let mut asked = Asked { rows: Vec::new(), failing: Vec::new() };
    // All are asked before the first is waited for.
    let oracles = &config.verification.screening.oracle;
    let asking: Vec<_> =
        config.chains.iter().map(|(name, active)| (name, active, start(active, oracles.get(name).copied()))).collect();
    for (name, active, nodes) in asking {
        let mut heard = Vec::with_capacity(nodes.len());
        for node in nodes {
            heard.push(node.await.unwrap_or_else(|_| Heard::wrong("asking it failed")));
        }
        judge(name, active, heard, &mut asked);
    }
    asked
}

fn start(active: &ActiveChain, oracle: Option<Address>) -> Vec<tokio::task::JoinHandle<Heard>> {
    let nodes = active.nodes.iter();
    nodes.map(|node| task::spawn("check.rpc", hear(active.clone(), node.clone(), oracle))).collect()
}

/// Adds a row for each node, and the chain when too few of them can be used.
fn judge(name: &str, active: &ActiveChain, heard: Vec<Heard>, asked: &mut Asked) {
    let policy = Policy::of(active);
    let best =
        heard.iter().filter(|heard| heard.wrong.is_none()).filter_map(|heard| heard.head).map(|head| head.number);
    let best = best.max().unwrap_or(0);
    let (mut owners, mut tracing, mut screening) = (Vec::new(), Vec::new(), Vec::new());
    for (node, heard) in active.nodes.iter().zip(heard) {
        let head = heard.head.map(|head| head.number);
        let behind = head.map_or(0, |head| best.saturating_sub(head));
        let proof = heard.proof(active);
        let missing: Vec<&str> = heard.missing.iter().map(|method| method.as_str()).collect();
        let wrong = heard.wrong.or_else(|| (policy.lag_blocks < behind).then(|| format!("{behind} blocks behind")));
        if wrong.is_none() {
            owners.push(node.owner.as_str());
            tracing.extend(heard.traces.map(|_| node.owner.as_str()));
            screening.extend(heard.oracle.map(|answers| (node.owner.as_str(), answers)));
        }
        asked.rows.push(json!({
            "chain": name,
            "node": node.name,
            "owner": node.owner,
            "chain_id": heard.chain_id,
            "head": head,
            "safe": heard.safe.map(|safe| safe.number),
            "finalized": heard.finalized.map(|finalized| finalized.number),
            "proof": proof,
            "missing": missing.join(" "),
            "traces": heard.traces.map(Method::as_str),
            "oracle": heard.oracle.map(|answers| if answers { "answers" } else { "no answer" }),
            "latency_ms": heard.latency_ms,
            "usable": wrong.is_none(),
            "verdict": wrong.unwrap_or_else(|| "ok".to_owned()),
        }));
    }
    if !policy.is_met_by(owners.iter().copied()) {
        asked.failing.push(format!(
            "{name}: {} of {} nodes can be used, {} of {} owners have to agree",
            owners.len(),
            active.nodes.len(),
            active.agree,
            active.owners
        ));
        return;
    }
    let agreement = format!("{} of {} owners have to agree", active.agree, active.owners);
    let of = active.nodes.len();
    if active.chain.trace && !policy.is_met_by(tracing.iter().copied()) {
        asked.failing.push(format!("{name}: trace is on and {} of {of} nodes can trace, {agreement}", tracing.len()));
    }
    let answering = || screening.iter().filter(|(_, answers)| *answers).map(|(owner, _)| *owner);
    if !screening.is_empty() && !policy.is_met_by(answering()) {
        let count = answering().count();
        asked.failing.push(format!("{name}: the oracle answers at {count} of {of} nodes, {agreement}"));
    }
}

async fn hear(active: ActiveChain, node: Node, oracle: Option<Address>) -> Heard {
    let client = match Client::new(&node.url, Limits::default()) {
        Ok(client) => client,
        Err(error) => return Heard::wrong(&error.to_string()),
    };
    match Heard::of(&active, &client, oracle).await {
        Ok(heard) => heard,
        Err(heard) => *heard,
    }
}

// === impl Heard ===

impl Heard {
    fn wrong(why: &str) -> Self {
        Self { wrong: Some(why.to_owned()), ..Self::default() }
    }

    fn with(mut self, why: String) -> Box<Self> {
        self.wrong = Some(why);
        Box::new(self)
    }

    /// How receipts of this node can be proven: without what that takes, agreement alone has to do.
    fn proof(&self, active: &ActiveChain) -> Option<ProofMode> {
        self.head?;
        let is_provable = self.is_sealed && !self.missing.contains(&Method::BlockReceipts);
        Some(match active.chain.proof {
            ProofMode::Full if is_provable => ProofMode::Full,
            ProofMode::Full | ProofMode::Quorum => ProofMode::Quorum,
        })
    }

    /// Asks in the order in which answers matter; the first that is wrong ends it.
    async fn of(active: &ActiveChain, client: &Client, oracle: Option<Address>) -> Result<Self, Box<Self>> {
        let mut heard = Self::default();
        match client.call(Method::ChainId, json!([])).await.map(|raw| types::chain_id(&raw)) {
            Ok(Ok(id)) => heard.chain_id = Some(id),
            Ok(Err(_)) => return Err(heard.with("no chain id".to_owned())),
            Err(error) => return Err(heard.with(error.to_string())),
        }
        let configured = active.chain.chain_id;
        if heard.chain_id != Some(configured) {
            return Err(heard.with(format!("another chain: {configured} is configured")));
        }
        if let Some(pinned) = active.chain.genesis
            && let Ok(Some(genesis)) = block(client, "0x0").await
            && genesis.hash != pinned
        {
            return Err(heard.with("another chain: its first block is not the pinned one".to_owned()));
        }
        let started = Instant::now();
        match client.call(Method::Block, json!(["latest", false])).await {
            Ok(raw) => {
                heard.head = types::header(&raw).ok().flatten();
                heard.is_sealed = matches!(proof::header(&raw), Ok(Some(_)));
            }
            Err(error) => return Err(heard.with(error.to_string())),
        }
        if heard.head.is_none() {
            return Err(heard.with("no latest block".to_owned()));
        }
        heard.latency_ms = u64::try_from(started.elapsed().as_millis()).ok();
        heard.safe = block(client, "safe").await.ok().flatten();
        heard.finalized = block(client, "finalized").await.ok().flatten();
        heard.missing = missing(client, heard.head.map(|head| head.hash).unwrap_or_default()).await;
        heard.traces = traces(client).await;
        heard.oracle = match oracle {
            Some(contract) => Some(answers(client, contract).await),
            None => None,
        };
        if heard.missing.iter().any(|method| *method != Method::BlockReceipts) {
            return Err(heard.with("methods are missing".to_owned()));
        }
        let needs = |tag| active.chain.finality.tiers().any(|tier| tier.tag == Some(tag));
        if needs(Tag::Safe) && heard.safe.is_none() {
            return Err(heard.with("no safe block, which a tier waits for".to_owned()));
        }
        if needs(Tag::Finalized) && heard.finalized.is_none() {
            return Err(heard.with("no finalized block, which a tier waits for".to_owned()));
        }
        Ok(heard)
    }
}

async fn block(client: &Client, which: &str) -> Result<Option<Header>, String> {
    let raw: Box<RawValue> =
        client.call(Method::Block, json!([which, false])).await.map_err(|error| error.to_string())?;
    types::header(&raw).map_err(|_| "its block is malformed".to_owned())
}

/// Methods that verification uses and the node does not have. What they answer does not matter here.
async fn missing(client: &Client, head: B256) -> Vec<Method> {
    let nobody = Address::ZERO;
    let calls = [
        (Method::Receipt, json!([B256::ZERO])),
        (Method::BlockByHash, json!([head, false])),
        (Method::BlockReceipts, json!([head])),
        (Method::TransactionCount, json!([nobody, "latest"])),
    ];
    let mut missing = Vec::new();
    for (method, params) in calls {
        if client.call(method, params).await.err() == Some(RpcError::MethodMissing) {
            missing.push(method);
        }
    }
    missing
}

/// How the node shows the calls inside a transaction, if it does.
async fn traces(client: &Client) -> Option<Method> {
    for method in [Method::Trace, Method::FlatTrace] {
        let how = json!({"tracer": "callTracer"});
        let params = if method == Method::Trace { json!([B256::ZERO, how]) } else { json!([B256::ZERO]) };
        // That it does not know such a transaction is an answer.
        if matches!(client.call(method, params).await, Ok(_) | Err(RpcError::Refused(_))) {
            return Some(method);
        }
    }
    None
}

/// Whether the oracle's contract says anything of somebody, here and now.
async fn answers(client: &Client, contract: Address) -> bool {
    let call = types::is_sanctioned(contract, Address::ZERO);
    match client.call(Method::Call, json!([call, "latest"])).await {
        Ok(raw) => types::listing(&raw) != Listing::Nothing,
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests;
