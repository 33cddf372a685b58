//! One look at a transaction or a block: what is asked of which node.
//!
//! Heads and tags come from the last poll. Where a node's own blocks are known by hash up to its head, its block at a
//! height is known too and is not asked for again. It must never fill in one node's answer from another's.

use alloy_primitives::{Address, B256};
use serde_json::json;

use super::following::Tags;
use super::side_by_side::all;
use super::{ChainNodes, Node, candidate, fault};
use crate::chain::rpc::Method;
use crate::chain::types::{self, Header, Receipt};
use crate::chain::{Look, NodeError, NodeObservation, NodeView, Observations, Plan};
use crate::model::Sender;

impl ChainNodes {
    pub(super) async fn observe(&self, plan: &Plan) -> Observations {
        let heads = self.fresh_heads().await;
        let receipts = all(self.nodes.iter().zip(heads).map(|(node, tags)| async move {
            let tags = tags?;
            let receipt = match plan.look {
                Look::Anchor(_) => None,
                Look::Locate | Look::Receipt(_) | Look::Search { .. } => self.receipt(node, plan.tx_hash).await?,
            };
            Ok((tags, receipt))
        }))
        .await;
        let height = match plan.look {
            Look::Anchor(anchor) | Look::Receipt(anchor) => Some(anchor.block_number),
            Look::Locate => candidate(self.nodes.iter().zip(&receipts)),
            Look::Search { anchor, .. } => candidate(self.nodes.iter().zip(&receipts)).or(Some(anchor.block_number)),
        };
        let views = all(self.nodes.iter().zip(receipts).map(|(node, answer)| async move {
            let (tags, receipt) = answer?;
            self.view(node, plan, tags, receipt, height).await
        }))
        .await;
        let nodes = self.nodes.iter().zip(views);
        let nodes = nodes
            .map(|(node, answer)| NodeObservation { node: node.name.clone(), owner: node.owner.clone(), answer })
            .collect();
        let seen = Observations { nodes };
        self.warn_of(&seen);
        seen
    }

    async fn view(
        &self,
        node: &Node,
        plan: &Plan,
        tags: Tags,
        receipt: Option<Receipt>,
        height: Option<u64>,
    ) -> Result<NodeView, NodeError> {
        let header_at = match height {
            None => None,
            Some(height) => self.header_at(node, height).await?,
        };
        let nonce = match plan.look {
            Look::Search { sender: Some(Sender { from, .. }), .. } => self.nonce(node, from).await,
            Look::Search { sender: None, .. } | Look::Locate | Look::Receipt(_) | Look::Anchor(_) => None,
        };
        Ok(NodeView { head: tags.head, safe: tags.safe, finalized: tags.finalized, receipt, header_at, nonce })
    }

    /// The node's block at a height.
    async fn header_at(&self, node: &Node, height: u64) -> Result<Option<Header>, NodeError> {
        if let Some(known) = node.following.at(height) {
            return Ok(Some(known));
        }
        let header = self.block(node, json!(format!("{height:#x}"))).await?;
        match header {
            Some(header) if header.number != height => Err(NodeError::Fault("header of another height")),
            other => Ok(other),
        }
    }

    async fn receipt(&self, node: &Node, tx_hash: B256) -> Result<Option<Receipt>, NodeError> {
        let raw = self.call(node, Method::Receipt, json!([tx_hash])).await?;
        types::receipt(&raw, tx_hash).map_err(fault)
    }

    /// How many transactions of an account are in final blocks; a node that cannot say leaves it open.
    async fn nonce(&self, node: &Node, account: Address) -> Option<u64> {
        let raw = self.call(node, Method::TransactionCount, json!([account, "finalized"])).await.ok()?;
        types::quantity_of(&raw).ok()
    }
}
