//! What no root of a block proves and nodes have to be asked one by one: the calls inside a transaction, and what a
//! contract says. Each answers by itself; what their words are worth is counted elsewhere.

use alloy_primitives::{Address, B256};
use serde_json::json;

use super::side_by_side::all;
use super::{ChainNodes, Member};
use crate::chain::rpc::Method;
use crate::chain::types::{self, CallFrame, Malformed};
use crate::chain::{BEYOND_NAMING, Listing, METHOD_MISSING, NodeAnswer, NodeError, REFUSED};
use crate::model::Anchor;

/// How long a node may work on one trace.
const TRACE_TIMEOUT: &str = "5s";

impl ChainNodes {
    /// The calls inside a transaction, as each node traces them.
    pub(super) async fn calls(&self, of: Anchor) -> Vec<NodeAnswer<CallFrame>> {
        self.named(all(self.nodes.iter().map(|node| node.calls(of))).await)
    }

    /// What an oracle's contract says at a block about each of these, as each node runs it.
    pub(super) async fn listed(
        &self,
        oracle: Address,
        at: B256,
        subjects: &[Address],
    ) -> Vec<NodeAnswer<Vec<Listing>>> {
        self.named(all(self.nodes.iter().map(|node| node.listed(oracle, at, subjects))).await)
    }
}

impl Member {
    /// By whichever method the node has. What is odd about a trace does not keep a node from what other payments need
    /// of it.
    async fn calls(&self, of: Anchor) -> Result<CallFrame, NodeError> {
        let how = json!({"tracer": "callTracer", "tracerConfig": {"withLog": false}, "timeout": TRACE_TIMEOUT});
        match self.call(Method::Trace, json!([of.tx_hash, how])).await {
            Ok(raw) => types::calls(&raw).map_err(unread),
            Err(error) if error == METHOD_MISSING => {
                let raw = self.call(Method::FlatTrace, json!([of.tx_hash])).await?;
                let found = types::flat_calls(&raw, of.tx_hash, of.block_hash).map_err(unread)?;
                found.ok_or(NodeError::Unavailable("no trace of this block"))
            }
            Err(error) => Err(error),
        }
    }

    async fn listed(&self, oracle: Address, at: B256, subjects: &[Address]) -> Result<Vec<Listing>, NodeError> {
        let mut listed = Vec::with_capacity(subjects.len());
        for subject in subjects {
            let call = types::is_sanctioned(oracle, *subject);
            listed.push(match self.call(Method::Call, json!([call, {"blockHash": at}])).await {
                Ok(raw) => types::listing(&raw),
                // A refusal is the contract's failing, or the node's: nothing was said either way.
                Err(error) if error == REFUSED => Listing::Nothing,
                Err(error) => return Err(error),
            });
        }
        Ok(listed)
    }
}

fn unread(malformed: Malformed) -> NodeError {
    if types::is_beyond_naming(malformed) { BEYOND_NAMING } else { NodeError::Fault(malformed.0) }
}
