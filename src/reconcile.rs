//! Money that came without a webhook: searches the chains for it and makes events of what it finds.
//!
//! Beside the flow, one loop a chain ([`worker`]). What is asked ([`plan`]), what answers are worth ([`sweep`]) and what a
//! log is about ([`find`]) is pure. It judges nothing: a find is an event to be verified like any other. It must never
//! pass over a block that too few nodes answered for.

use std::future::Future;
use std::pin::Pin;

use alloy_primitives::B256;

use crate::chain::{Header, LogFilter, NodeAnswer, Nodes, PlacedLog, Receipt, Stand};

pub mod find;
pub mod plan;
pub mod sweep;
pub mod worker;

pub use worker::Worker;

/// What a question answers with: an entry a node.
pub type Asking<'a, T> = Pin<Box<dyn Future<Output = Vec<NodeAnswer<T>>> + Send + 'a>>;

/// Reads stretches of chains. A trait so that a test can script one without a network.
pub trait Look: Send + Sync + 'static {
    /// How far each node's chain goes.
    fn stands<'a>(&'a self, chain: &'a str) -> Asking<'a, Stand>;

    /// Each node's logs in these blocks, both ends included.
    fn logs<'a>(&'a self, chain: &'a str, filter: &'a LogFilter, blocks: plan::Blocks) -> Asking<'a, Vec<PlacedLog>>;

    /// Each node's block at a height.
    fn header_at<'a>(&'a self, chain: &'a str, number: u64) -> Asking<'a, Option<Header>>;

    /// Each node's receipt of a transaction.
    fn receipt<'a>(&'a self, chain: &'a str, tx_hash: B256) -> Asking<'a, Option<Receipt>>;
}

impl Look for Nodes {
    fn stands<'a>(&'a self, chain: &'a str) -> Asking<'a, Stand> {
        Box::pin(self.stands(chain))
    }

    fn logs<'a>(&'a self, chain: &'a str, filter: &'a LogFilter, blocks: plan::Blocks) -> Asking<'a, Vec<PlacedLog>> {
        Box::pin(self.logs(chain, filter, blocks.from, blocks.to))
    }

    fn header_at<'a>(&'a self, chain: &'a str, number: u64) -> Asking<'a, Option<Header>> {
        Box::pin(self.header_at(chain, number))
    }

    fn receipt<'a>(&'a self, chain: &'a str, tx_hash: B256) -> Asking<'a, Option<Receipt>> {
        Box::pin(self.receipt(chain, tx_hash))
    }
}
