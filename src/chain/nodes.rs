//! All nodes of all chains, asked side by side.
//!
//! `following` polls heads and tags; `looking` answers a plan. Both ask every node by itself, so that hashes can be
//! compared. It must never fill in one node's answer from another's.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use alloy_primitives::{Address, B256};
use chain_config::{ProofMode, Tag};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::proof::{self, ProofRules};
use super::rpc::socket::Patience;
use super::rpc::{ClientError, Limits, Method};
use super::types::{self, CallFrame, Header};
use super::{Listening, Listing, NodeError, NodeHead, Observations, Observing, Plan, Polled, Polling, Reader, Telling};
use crate::clock::Clock;
use crate::config::{ActiveChain, Secret};
use crate::model::Anchor;
use crate::task::Wake;
use crate::telemetry::Metrics;
use crate::telemetry::metrics::{Chain as ChainLabel, Node as NodeLabel};

mod asking;
mod following;
pub mod health;
pub mod hedge;
mod hedging;
mod listening;
mod looking;
pub mod node;
mod proving;
mod receipts;
mod scanning;
mod side_by_side;

use following::{Following, Untold};
use health::Moment;
use hedging::Hedging;
use looking::Answer;
pub use node::Node;
use proving::Blocks;

/// Answer of a node that an operator took out of use.
const CORDONED: NodeError = NodeError::Unavailable("cordoned");

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
    /// Tags that the policy names beside `finalized`, which is always asked: settlement needs it.
    asks_safe: Option<Tag>,
    nodes: Vec<Member>,
    /// Lost blocks that were seen and not told to whoever follows the chain.
    untold: Mutex<Untold>,
    /// How receipts are proven.
    proof: ProofMode,
    rules: ProofRules,
    /// Nodes that must agree, and different owners among them.
    agree: usize,
    owners: usize,
    blocks: Blocks,
    hedging: Hedging,
    clock: Clock,
    /// Between polls of the heads.
    poll: Duration,
    /// How long a socket that announces blocks is waited for.
    patience: Patience,
    /// One poll at a time.
    polling: tokio::sync::Mutex<()>,
    metrics: Metrics,
}

/// A node of the chain, and what was seen of its blocks.
struct Member {
    node: Node,
    /// Where it announces blocks.
    ws: Option<Secret>,
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
    pub fn new(chains: &BTreeMap<String, ActiveChain>, clock: &Clock, metrics: &Metrics) -> Result<Self, NodesError> {
        Self::with_limits(chains, clock, metrics, Limits::default())
    }

    /// As [`Nodes::new`], with other limits for each call.
    ///
    /// # Errors
    /// When a node's URL is unusable.
    pub fn with_limits(
        chains: &BTreeMap<String, ActiveChain>,
        clock: &Clock,
        metrics: &Metrics,
        limits: Limits,
    ) -> Result<Self, NodesError> {
        let mut built = BTreeMap::new();
        for (name, active) in chains {
            built.insert(name.clone(), ChainNodes::new(name, active, clock, metrics, limits)?);
        }
        Ok(Self { chains: built })
    }

    /// The nodes of a chain, in configured order; none when the chain is not configured.
    pub fn of(&self, chain: &str) -> impl Iterator<Item = &Node> {
        self.chains.get(chain).into_iter().flat_map(|chain| chain.nodes.iter().map(|member| &member.node))
    }

    /// Takes a node out of use, or back; nothing for one that is not configured. What it said before does not count
    /// either.
    pub fn set_cordoned(&self, chain: &str, node: &str, out: bool) {
        let members = self.chains.get(chain).into_iter().flat_map(|chain| chain.nodes.iter());
        for member in members.filter(|known| known.name == node) {
            member.node.set_cordoned(out);
            if out {
                member.following.keep(Err(CORDONED));
            }
        }
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

    fn calls<'a>(&'a self, chain: &'a str, of: Anchor) -> Telling<'a, CallFrame> {
        Box::pin(async move {
            match self.chains.get(chain) {
                Some(chain) => chain.calls(of).await,
                None => Vec::new(),
            }
        })
    }

    fn listed<'a>(
        &'a self,
        chain: &'a str,
        oracle: Address,
        at: B256,
        subjects: &'a [Address],
    ) -> Telling<'a, Vec<Listing>> {
        Box::pin(async move {
            match self.chains.get(chain) {
                Some(chain) => chain.listed(oracle, at, subjects).await,
                None => Vec::new(),
            }
        })
    }

    fn poll<'a>(&'a self, chain: &'a str) -> Polling<'a> {
        Box::pin(async move {
            match self.chains.get(chain) {
                Some(chain) => chain.poll_and_tell().await,
                None => Polled::default(),
            }
        })
    }

    fn listen<'a>(&'a self, chain: &'a str, announced: Wake) -> Listening<'a> {
        Box::pin(async move {
            if let Some(chain) = self.chains.get(chain) {
                chain.listen(&announced).await;
            }
            std::future::pending().await
        })
    }

    fn heads(&self, chain: &str) -> Vec<NodeHead> {
        self.chains.get(chain).map_or_else(Vec::new, ChainNodes::last_heads)
    }

    fn cordon(&self, chain: &str, node: &str, out: bool) {
        self.set_cordoned(chain, node, out);
    }
}

// === impl ChainNodes ===

impl ChainNodes {
    fn new(
        name: &str,
        active: &ActiveChain,
        clock: &Clock,
        metrics: &Metrics,
        limits: Limits,
    ) -> Result<Self, NodesError> {
        let mut nodes = Vec::with_capacity(active.nodes.len());
        for node in &active.nodes {
            let failed = |error| NodesError { chain: name.to_owned(), node: node.name.clone(), error };
            nodes.push(Member {
                node: Node::new(name, active, node, limits, clock.clone(), metrics.clone()).map_err(failed)?,
                ws: node.ws.clone(),
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
            asks_safe,
            nodes,
            untold: Mutex::default(),
            proof: active.chain.proof,
            rules: ProofRules::from(&active.chain),
            agree: active.agree,
            owners: active.owners,
            blocks: Blocks::default(),
            hedging: Hedging::default(),
            clock: clock.clone(),
            poll: active.poll,
            patience: listening::patience(active.chain.block_time_ms),
            polling: tokio::sync::Mutex::new(()),
            metrics: metrics.clone(),
        })
    }

    async fn block(&self, node: &Node, which: Value) -> Result<Option<Header>, NodeError> {
        let raw = self.call(node, Method::Block, json!([which, false])).await?;
        self.header(node, &raw)
    }

    /// Reads a header, and holds it against its hash where the chain's headers can be.
    fn header(&self, node: &Node, raw: &RawValue) -> Result<Option<Header>, NodeError> {
        let header = types::header(raw).map_err(|malformed| node.fault(malformed.0))?;
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

    /// Whether a node would be called now.
    fn is_usable(&self, at: usize) -> bool {
        self.nodes.get(at).is_some_and(|node| node.is_usable(Moment::of(&self.clock)))
    }

    async fn call(&self, node: &Node, method: Method, params: Value) -> Result<Box<RawValue>, NodeError> {
        node.call(method, params).await
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

impl std::ops::Deref for Member {
    type Target = Node;

    fn deref(&self) -> &Node {
        &self.node
    }
}

/// The block that most owners, then most nodes, put the transaction in; the higher one when they are even.
fn candidate<'a>(answers: impl Iterator<Item = (&'a Member, &'a Result<Answer, NodeError>)>) -> Option<(u64, B256)> {
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
