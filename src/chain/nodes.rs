//! All nodes of all chains, asked side by side.
//!
//! [`following`] polls heads and tags; [`looking`] answers a plan. Both ask every node by itself, so that hashes can be
//! compared. It must never fill in one node's answer from another's.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use alloy_primitives::B256;
use chain_config::{ProofMode, Tag};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::proof::{self, ProofRules};
use super::rpc::{Client, ClientError, Limits, Method, RpcError};
use super::types::{self, Header, Malformed};
use super::{NodeError, NodeHead, Observations, Observing, Plan, Polled, Polling, Reader};
use crate::config::ActiveChain;
use crate::telemetry::Metrics;
use crate::telemetry::metrics::{self, Chain as ChainLabel, Node as NodeLabel, Rpc as RpcLabel};

mod following;
mod looking;
mod proving;
mod side_by_side;

use following::Following;
use looking::Answer;
use proving::Blocks;

/// Calls in flight to one node; further ones wait in line.
const NODE_CALLS_MAX: usize = 16;
/// A node's chain id is asked again after this, and after every lost connection.
const IDENTITY_MAX_AGE: Duration = Duration::from_secs(3600);

/// A node that cannot be asked.
#[derive(Debug, thiserror::Error)]
#[error("chains.{chain}, node {node}: {error}")]
pub struct NodesError {
    /// Configured chain name.
    pub chain: String,
    /// Configured node name.
    pub node: String,
    /// Why.
    pub error: ClientError,
}

/// The nodes of every active chain.
pub struct Nodes {
    chains: BTreeMap<String, ChainNodes>,
}

struct ChainNodes {
    name: String,
    chain_id: u64,
    genesis: Option<B256>,
    /// Tags that the policy names beside `finalized`, which is always asked: settlement needs it.
    asks_safe: Option<Tag>,
    nodes: Vec<Node>,
    /// How receipts are proven.
    proof: ProofMode,
    rules: ProofRules,
    /// Nodes that must agree, and different owners among them.
    agree: usize,
    owners: usize,
    blocks: Blocks,
    /// Between polls of the heads.
    poll: Duration,
    /// One poll at a time.
    polling: tokio::sync::Mutex<()>,
    metrics: Metrics,
}

struct Node {
    name: String,
    owner: String,
    client: Client,
    calls: Semaphore,
    /// When the chain id was last seen to be right.
    identified: Mutex<Option<Instant>>,
    following: Following,
    /// One call for a block by its height at a time.
    looking: tokio::sync::Mutex<()>,
}

// === impl Nodes ===

impl Nodes {
    /// Clients for all nodes; connects to none.
    ///
    /// # Errors
    /// When a node's URL is unusable.
    pub fn new(chains: &BTreeMap<String, ActiveChain>, metrics: Metrics) -> Result<Self, NodesError> {
        Self::with_limits(chains, metrics, Limits::default())
    }

    /// As [`Nodes::new`], with other limits for each call.
    ///
    /// # Errors
    /// When a node's URL is unusable.
    pub fn with_limits(
        chains: &BTreeMap<String, ActiveChain>,
        metrics: Metrics,
        limits: Limits,
    ) -> Result<Self, NodesError> {
        let mut built = BTreeMap::new();
        for (name, active) in chains {
            built.insert(name.clone(), ChainNodes::new(name, active, &metrics, limits)?);
        }
        Ok(Self { chains: built })
    }
}

impl Reader for Nodes {
    fn observe(&self, plan: Plan) -> Observing<'_> {
        Box::pin(async move {
            match self.chains.get(&plan.chain) {
                Some(chain) => chain.observe(&plan).await,
                None => Observations::default(),
            }
        })
    }

    fn poll<'a>(&'a self, chain: &'a str) -> Polling<'a> {
        Box::pin(async move {
            match self.chains.get(chain) {
                Some(chain) => chain.poll_heads().await,
                None => Polled::default(),
            }
        })
    }

    fn heads(&self, chain: &str) -> Vec<NodeHead> {
        self.chains.get(chain).map_or_else(Vec::new, ChainNodes::last_heads)
    }
}

// === impl ChainNodes ===

impl ChainNodes {
    fn new(name: &str, active: &ActiveChain, metrics: &Metrics, limits: Limits) -> Result<Self, NodesError> {
        let mut nodes = Vec::with_capacity(active.nodes.len());
        for node in &active.nodes {
            let failed = |error| NodesError { chain: name.to_owned(), node: node.name.clone(), error };
            nodes.push(Node {
                name: node.name.clone(),
                owner: node.owner.clone(),
                client: Client::new(&node.url, limits).map_err(failed)?,
                calls: Semaphore::new(NODE_CALLS_MAX),
                identified: Mutex::new(None),
                following: Following::new(active.chain.reorg_window_blocks),
                looking: tokio::sync::Mutex::new(()),
            });
        }
        let asks_safe = active.chain.finality.tiers().find_map(|tier| match tier.tag {
            Some(Tag::Safe) => Some(Tag::Safe),
            Some(Tag::Finalized) | None => None,
        });
        Ok(Self {
            name: name.to_owned(),
            chain_id: active.chain.chain_id,
            genesis: active.chain.genesis,
            asks_safe,
            nodes,
            proof: active.chain.proof,
            rules: ProofRules::from(&active.chain),
            agree: active.agree,
            owners: active.owners,
            blocks: Blocks::default(),
            poll: active.poll,
            polling: tokio::sync::Mutex::new(()),
            metrics: metrics.clone(),
        })
    }

    /// Chain id, and the genesis block where one is pinned, once an hour and after every lost connection. A node
    /// that has pruned its genesis is believed by its chain id.
    async fn identify(&self, node: &Node) -> Result<(), NodeError> {
        if node.is_identified() {
            return Ok(());
        }
        let raw = self.call(node, Method::ChainId, json!([])).await?;
        let chain_id = types::chain_id(&raw).map_err(fault)?;
        if chain_id != self.chain_id {
            return Err(NodeError::WrongChain(format!("chain id {chain_id}, configured {}", self.chain_id)));
        }
        if let Some(pinned) = self.genesis
            && let Some(genesis) = self.block(node, json!("0x0")).await?
            && genesis.hash != pinned
        {
            return Err(NodeError::WrongChain(format!("genesis {}, configured {pinned}", genesis.hash)));
        }
        node.set_identified(Some(Instant::now()));
        Ok(())
    }

    async fn block(&self, node: &Node, which: Value) -> Result<Option<Header>, NodeError> {
        let raw = self.call(node, Method::Block, json!([which, false])).await?;
        self.header(&raw)
    }

    /// Reads a header, and holds it against its hash where the chain's headers can be.
    fn header(&self, raw: &RawValue) -> Result<Option<Header>, NodeError> {
        let header = types::header(raw).map_err(fault)?;
        let is_sealed = match self.proof {
            ProofMode::Full => matches!(proof::header(raw), Ok(Some(_))),
            ProofMode::Quorum => false,
        };
        Ok(header.map(|header| Header { is_sealed, ..header }))
    }

    /// A tag that the node does not know is no answer to the tag, and no fault of the node.
    async fn tagged(&self, node: &Node, tag: &'static str) -> Option<Header> {
        self.block(node, json!(tag)).await.unwrap_or_default()
    }

    async fn call(&self, node: &Node, method: Method, params: Value) -> Result<Box<RawValue>, NodeError> {
        let _permit = node.calls.acquire().await.map_err(|_| NodeError::Unavailable("closed"))?;
        let started = Instant::now();
        let answer = node.client.call(method, params).await;
        metrics::observe(&self.metrics.rpc, started.elapsed());
        let outcome = answer.as_ref().err().map_or("ok", |error| error.outcome());
        let label = RpcLabel::of(&self.name, &node.name, method.as_str(), outcome);
        self.metrics.rpc_requests.get_or_create(&label).inc();
        answer.map_err(|error| {
            if error.lost_the_connection() {
                node.set_identified(None);
            }
            tracing::debug!(chain = self.name, node = node.name, method = method.as_str(), %error, "rpc call failed");
            match error {
                RpcError::RateLimited => NodeError::RateLimited,
                RpcError::Malformed => NodeError::Unavailable("not a JSON-RPC answer"),
                RpcError::Timeout => NodeError::Unavailable("deadline passed"),
                RpcError::Connect => NodeError::Unavailable("cannot connect"),
                RpcError::Io => NodeError::Unavailable("connection broke"),
                RpcError::Status(_) => NodeError::Unavailable("unexpected HTTP status"),
                RpcError::TooLarge => NodeError::Unavailable("answer too large"),
                RpcError::MethodMissing => NodeError::Unavailable("method missing"),
                RpcError::Refused(_) => NodeError::Unavailable("refused"),
            }
        })
    }

    /// Head lags against the best head, and how far `finalized` trails it. Ages are taken against the head's own
    /// time, so that no clock is needed here.
    fn report(&self, heads: &[NodeHead]) {
        let Some(best) = heads.iter().map(|node| node.head).max_by_key(|head| head.number) else {
            return;
        };
        for node in heads {
            let lag = i64::try_from(best.number.saturating_sub(node.head.number)).unwrap_or(i64::MAX);
            self.metrics.node_head_lag.get_or_create(&NodeLabel::of(&self.name, &node.node)).set(lag);
        }
        if let Some(finalized) = heads.iter().filter_map(|node| node.finalized).max_by_key(|header| header.number) {
            let age = i64::try_from(best.timestamp.saturating_sub(finalized.timestamp)).unwrap_or(i64::MAX);
            self.metrics.finalized_age.get_or_create(&ChainLabel::of(&self.name)).set(age);
        }
    }

    fn warn_of(&self, seen: &Observations) {
        for node in &seen.nodes {
            if let Err(error @ (NodeError::WrongChain(_) | NodeError::Fault(_))) = &node.answer {
                tracing::warn!(chain = self.name, node = node.node, %error, "node does not count");
            }
        }
    }
}

// === impl Node ===

impl Node {
    fn is_identified(&self) -> bool {
        let at = *self.identified.lock().unwrap_or_else(PoisonError::into_inner);
        at.is_some_and(|at| at.elapsed() < IDENTITY_MAX_AGE)
    }

    fn set_identified(&self, at: Option<Instant>) {
        *self.identified.lock().unwrap_or_else(PoisonError::into_inner) = at;
    }
}

fn fault(malformed: Malformed) -> NodeError {
    NodeError::Fault(malformed.0)
}

/// The block that most owners, then most nodes, put the transaction in; the higher one when they are even.
fn candidate<'a>(answers: impl Iterator<Item = (&'a Node, &'a Result<Answer, NodeError>)>) -> Option<(u64, B256)> {
    let mut blocks: BTreeMap<(u64, B256), Vec<&str>> = BTreeMap::new();
    for (node, answer) in answers {
        if let Ok(Answer { receipt: Some(Some(receipt)), .. }) = answer {
            blocks.entry((receipt.block_number, receipt.block_hash)).or_default().push(&node.owner);
        }
    }
    let support = |owners: &Vec<&str>| {
        let distinct: std::collections::BTreeSet<_> = owners.iter().collect();
        (distinct.len(), owners.len())
    };
    blocks.into_iter().max_by_key(|((number, _), owners)| (support(owners), *number)).map(|(block, _)| block)
}

#[cfg(test)]
mod tests;
