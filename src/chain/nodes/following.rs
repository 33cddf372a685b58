//! Following the heads of one chain: each node's newest block and tags, and its blocks by hash as far as they were seen.
//!
//! A poll asks for headers only, shared by everything that waits: its cost does not grow with the number of payments.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use alloy_primitives::B256;
use serde_json::json;
use tokio::time::Instant;

use super::side_by_side::all;
use super::{ChainNodes, Member};
use crate::chain::heads::{Ring, Step, Why};
use crate::chain::rpc::Method;
use crate::chain::types::Header;
use crate::chain::{NodeError, NodeHead, Polled};

/// Parents asked for in one poll of one node; a deeper reorganisation goes on with the next poll.
const PARENTS_MAX: usize = 256;

/// Heads are fresh for so many polls.
const FRESH_POLLS: u32 = 2;

/// And at least for this long.
const FRESH_MIN: Duration = Duration::from_secs(1);

/// Blocks asked for by height that are remembered.
const LOOKED_MAX: usize = 256;

/// What is known of one node's chain.
pub(super) struct Following {
    ring: Mutex<Ring>,
    /// The last poll's outcome and when it was.
    last: Mutex<Option<(Instant, Result<Tags, NodeError>)>>,
    /// Blocks that were asked for by their height, each with the hash of the head that was known before it was asked for.
    looked: Mutex<BTreeMap<u64, (B256, Header)>>,
}

/// A node's head with its tags.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tags {
    pub(super) head: Header,
    pub(super) safe: Option<Header>,
    pub(super) finalized: Option<Header>,
}

impl Following {
    pub(super) fn new(window_blocks: u64) -> Self {
        let window = usize::try_from(window_blocks).unwrap_or(usize::MAX);
        Self { ring: Mutex::new(Ring::new(window)), last: Mutex::new(None), looked: Mutex::default() }
    }

    /// What the last poll saw, if that is not too long ago.
    pub(super) fn tags(&self, fresh: Duration) -> Option<Result<Tags, NodeError>> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_ref().filter(|(at, _)| at.elapsed() < fresh).map(|(_, tags)| tags.clone())
    }

    /// The node's block at a height, where its blocks are known without a gap from there to the head of the last poll:
    /// a block that is not under that head says nothing about depth.
    pub(super) fn at(&self, number: u64) -> Option<Header> {
        let polled = self.polled()?;
        let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        ring.head().filter(|head| head.hash == polled)?;
        ring.at(number).copied()
    }

    /// The hash of the head that the last poll saw.
    pub(super) fn polled(&self) -> Option<B256> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_ref().and_then(|(_, tags)| tags.as_ref().ok()).map(|tags| tags.head.hash)
    }

    /// The block that the node was asked for at a height, while its head is the one it had then: under another head it
    /// may have been replaced.
    pub(super) fn looked(&self, number: u64) -> Option<Header> {
        let polled = self.polled()?;
        let looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        looked.get(&number).filter(|(head, _)| *head == polled).map(|(_, header)| *header)
    }

    /// Keeps the block that the node was asked for; `head` was known before it was.
    pub(super) fn keep_looked(&self, head: Option<B256>, header: Header) {
        let Some(head) = head else { return };
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        if LOOKED_MAX <= looked.len() {
            // The oldest height is the one that is asked for least.
            looked.pop_first();
        }
        looked.insert(header.number, (head, header));
    }

    pub(super) fn keep(&self, tags: Result<Tags, NodeError>) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), tags));
    }

    fn see(&self, header: &Header) -> Step {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner).see(header)
    }
}

/// Lost blocks that a look saw by the way: whoever follows the chain hears of them with its next poll.
#[derive(Default)]
pub(super) struct Untold {
    from: Option<u64>,
    deep: Vec<String>,
}

/// What one node's poll saw of lost blocks.
#[derive(Default)]
struct Lost {
    from: Option<u64>,
    is_deep: bool,
}

impl ChainNodes {
    /// How long heads count as fresh.
    pub(super) fn fresh(&self) -> Duration {
        self.poll.saturating_mul(FRESH_POLLS).max(FRESH_MIN)
    }

    /// Polls for whoever follows the chain: with all that was lost since it was told the last time.
    pub(super) async fn poll_and_tell(&self) -> Polled {
        let heads = self.poll_heads().await;
        let untold = std::mem::take(&mut *self.untold.lock().unwrap_or_else(PoisonError::into_inner));
        Polled { heads, lost_from: untold.from, deep: untold.deep }
    }

    /// Polls every node, one poll at a time.
    async fn poll_heads(&self) -> Vec<NodeHead> {
        let _one = self.polling.lock().await;
        let seen = all(self.nodes.iter().map(|node| self.poll_node(node))).await;
        let shown = self.nodes.iter().zip(seen).filter_map(|(node, tags)| Some(node.shown(&tags.ok()?)));
        let heads: Vec<NodeHead> = shown.collect();
        self.report(&heads);
        heads
    }

    /// Heads and tags of every node; polls when the last poll is too old.
    pub(super) async fn fresh_heads(&self) -> Vec<Result<Tags, NodeError>> {
        let known = || self.nodes.iter().map(|node| node.following.tags(self.fresh())).collect::<Option<Vec<_>>>();
        if let Some(known) = known() {
            return known;
        }
        self.poll_heads().await;
        let gone = || Err(NodeError::Unavailable("no poll of its head"));
        self.nodes.iter().map(|node| node.following.tags(Duration::MAX).unwrap_or_else(gone)).collect()
    }

    /// Heads and tags of the nodes that answered the last poll, while they are fresh.
    pub(super) fn last_heads(&self) -> Vec<NodeHead> {
        let shown = |node: &Member| Some(node.shown(&node.following.tags(self.fresh())?.ok()?));
        self.nodes.iter().filter_map(shown).collect()
    }

    async fn poll_node(&self, node: &Member) -> Result<Tags, NodeError> {
        let (tags, lost) = self.heads_of(node).await;
        // Kept before anything else is waited for: a poll that is given up must not lose what it saw.
        node.following.keep(tags.clone());
        if let Some(from) = lost.from {
            tracing::info!(chain = self.name, node = node.name, from, "blocks were replaced");
            let mut untold = self.untold.lock().unwrap_or_else(PoisonError::into_inner);
            untold.from = Some(untold.from.map_or(from, |lowest| lowest.min(from)));
            if lost.is_deep {
                untold.deep.push(node.owner.clone());
            }
        }
        tags
    }

    async fn heads_of(&self, node: &Member) -> (Result<Tags, NodeError>, Lost) {
        let safe = async {
            match self.asks_safe {
                Some(_) => self.tagged(node, "safe").await,
                None => None,
            }
        };
        let (head, finalized, safe) =
            tokio::join!(self.block(node, json!("latest")), self.tagged(node, "finalized"), safe);
        let head = match head {
            Ok(Some(head)) => head,
            Ok(None) => return (Err(NodeError::Unavailable("it has no latest block")), Lost::default()),
            Err(error) => return (Err(error), Lost::default()),
        };
        let lost = self.follow(node, head).await;
        (Ok(Tags { head, safe, finalized }), lost)
    }

    /// Attaches the head to what is known of the node's chain; asks for the parents that are missing between.
    async fn follow(&self, node: &Member, head: Header) -> Lost {
        let mut next = head;
        for _ in 0..PARENTS_MAX {
            match node.following.see(&next) {
                Step::NeedsParent { hash } => match self.block_by_hash(node, hash).await {
                    Ok(Some(parent)) if parent.hash == hash => next = parent,
                    // Asked again with the next poll, from its head on.
                    Ok(_) | Err(_) => return Lost::default(),
                },
                Step::Known | Step::Grown | Step::Anew(Why::Far) => return Lost::default(),
                Step::Lost { from } => return Lost { from: Some(from), is_deep: false },
                Step::Anew(Why::Lost) => return Lost { from: Some(0), is_deep: false },
                Step::Anew(Why::Deep) => return Lost { from: Some(0), is_deep: true },
            }
        }
        Lost::default()
    }

    async fn block_by_hash(&self, node: &Member, hash: B256) -> Result<Option<Header>, NodeError> {
        let raw = self.call(node, Method::BlockByHash, json!([hash, false])).await?;
        self.header(node, &raw)
    }
}

impl Member {
    fn shown(&self, tags: &Tags) -> NodeHead {
        NodeHead {
            node: self.name.clone(),
            owner: self.owner.clone(),
            head: tags.head,
            safe: tags.safe,
            finalized: tags.finalized,
        }
    }
}
