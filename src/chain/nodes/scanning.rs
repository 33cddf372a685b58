//! Whole stretches of a chain: which logs a node has between two blocks, and what it takes to believe that.
//!
//! Every node is asked by itself and answers by itself, as everywhere here. It asks for heads of its own, because the polls
//! of a chain that nobody waits for are rare. A search may wait: its calls take the smallest share of a node's rate, and
//! what is odd about a list of logs does not keep a node from what payments need of it.

use alloy_primitives::B256;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::health::bucket::Purpose;
use super::side_by_side::all;
use super::{ChainNodes, Member, Nodes};
use crate::chain::rpc::Method;
use crate::chain::types::{self, Header, LogFilter, PlacedLog, Receipt};
use crate::chain::{NodeAnswer, NodeError, Stand};

impl Nodes {
    /// How far each node's chain goes, asked now. Empty, as all answers, when the chain is not configured.
    pub async fn stands(&self, chain: &str) -> Vec<NodeAnswer<Stand>> {
        let Some(chain) = self.chains.get(chain) else { return Vec::new() };
        chain.named(all(chain.nodes.iter().map(|node| chain.stand(node))).await)
    }

    /// What each node has of these logs in these blocks, both ends included.
    pub async fn logs(&self, chain: &str, filter: &LogFilter, from: u64, to: u64) -> Vec<NodeAnswer<Vec<PlacedLog>>> {
        let Some(chain) = self.chains.get(chain) else { return Vec::new() };
        chain.named(all(chain.nodes.iter().map(|node| node.logs(filter, from, to))).await)
    }

    /// Each node's block at a height; `None` when it has none there.
    pub async fn header_at(&self, chain: &str, number: u64) -> Vec<NodeAnswer<Option<Header>>> {
        let Some(chain) = self.chains.get(chain) else { return Vec::new() };
        chain.named(all(chain.nodes.iter().map(|node| chain.block_at(node, number))).await)
    }

    /// Each node's receipt of a transaction; `None` when it does not know it.
    pub async fn receipt(&self, chain: &str, tx_hash: B256) -> Vec<NodeAnswer<Option<Receipt>>> {
        let Some(chain) = self.chains.get(chain) else { return Vec::new() };
        chain.named(all(chain.nodes.iter().map(|node| node.receipt_of(tx_hash))).await)
    }
}

impl ChainNodes {
    pub(super) fn named<T>(&self, answers: Vec<Result<T, NodeError>>) -> Vec<NodeAnswer<T>> {
        let nodes = self.nodes.iter().zip(answers);
        nodes.map(|(node, answer)| NodeAnswer { node: node.name.clone(), owner: node.owner.clone(), answer }).collect()
    }

    async fn stand(&self, node: &Member) -> Result<Stand, NodeError> {
        let (head, finalized) =
            tokio::join!(self.block_named(node, json!("latest")), self.block_named(node, json!("finalized")));
        let head = head?.ok_or(NodeError::Unavailable("it has no latest block"))?;
        // A tag that the node does not know is no fault of it.
        Ok(Stand { head, finalized: finalized.unwrap_or_default() })
    }

    async fn block_at(&self, node: &Member, number: u64) -> Result<Option<Header>, NodeError> {
        if let Some(known) = node.following.at(number) {
            return Ok(Some(known));
        }
        match self.block_named(node, json!(format!("{number:#x}"))).await? {
            Some(header) if header.number != number => Err(NodeError::Fault("header of another height")),
            other => Ok(other),
        }
    }

    async fn block_named(&self, node: &Member, which: Value) -> Result<Option<Header>, NodeError> {
        self.header(node, &node.search(Method::Block, json!([which, false])).await?)
    }
}

impl Member {
    async fn search(&self, method: Method, params: Value) -> Result<Box<RawValue>, NodeError> {
        self.node.call_for(Purpose::Research, method, params).await
    }

    async fn logs(&self, filter: &LogFilter, from: u64, to: u64) -> Result<Vec<PlacedLog>, NodeError> {
        let topic = |any: &Vec<B256>| if any.is_empty() { json!(null) } else { json!(any) };
        let topics: Vec<_> = filter.topics.iter().map(topic).collect();
        let params = json!([{
            "fromBlock": format!("{from:#x}"),
            "toBlock": format!("{to:#x}"),
            "address": filter.addresses,
            "topics": topics,
        }]);
        let raw = self.search(Method::Logs, params).await?;
        let logs = types::logs(&raw, filter, from, to).map_err(|malformed| NodeError::Fault(malformed.0))?;
        // Null is no list: the node does not have these blocks, or not any more.
        logs.ok_or(NodeError::Unavailable("null instead of logs"))
    }

    async fn receipt_of(&self, tx_hash: B256) -> Result<Option<Receipt>, NodeError> {
        let raw = self.search(Method::Receipt, json!([tx_hash])).await?;
        types::receipt(&raw, tx_hash).map_err(|malformed| NodeError::Fault(malformed.0))
    }
}
