//! A chain that says what a test wants, when it wants it.

use super::*;
use crate::chain::{NodeError, NodeHead, Polled, Polling};

/// What the chain is like now.
#[derive(Clone)]
pub(super) enum Mood {
    /// All nodes see this.
    Sees(Box<NodeView>),
    /// No node answers.
    Down,
    /// No look ever ends.
    Hangs,
}

/// The reader, with the plans it was given.
pub(super) struct Scripted {
    mood: Mutex<Mood>,
    plans: Mutex<Vec<Plan>>,
}

impl Scripted {
    pub(super) fn new(mood: Mood) -> Self {
        Self { mood: Mutex::new(mood), plans: Mutex::default() }
    }

    /// Three nodes that have the fixture's proxy payment in a final block.
    pub(super) fn paid() -> Self {
        Self::new(Mood::paid(BLOCK))
    }

    pub(super) fn turns(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    pub(super) fn looks(&self) -> usize {
        self.plans.lock().unwrap().len()
    }
}

impl Mood {
    /// A proxy payment in that block, final.
    pub(super) fn paid(block: B256) -> Self {
        let mut receipt = receipt(proxy_payment(PAYEE, HUNDRED, TOPIC));
        receipt.block_hash = block;
        Self::Sees(Box::new(view(HEIGHT + 100, Some(HEIGHT + 50), receipt)))
    }
}

impl Reader for Scripted {
    fn observe(&self, plan: Plan) -> Observing<'_> {
        self.plans.lock().unwrap().push(plan);
        let mood = self.mood.lock().unwrap().clone();
        Box::pin(async move {
            match mood {
                Mood::Sees(view) => unanimous(&view),
                Mood::Down => {
                    let down = || Err(NodeError::Unavailable("deadline passed"));
                    seen(vec![down(), down(), down()])
                }
                Mood::Hangs => std::future::pending::<Observations>().await,
            }
        })
    }

    fn poll<'a>(&'a self, chain: &'a str) -> Polling<'a> {
        Box::pin(async move { Polled { heads: self.heads(chain), ..Polled::default() } })
    }

    fn heads(&self, _: &str) -> Vec<NodeHead> {
        match &*self.mood.lock().unwrap() {
            Mood::Sees(view) => heads_of(&unanimous(view)),
            Mood::Down | Mood::Hangs => Vec::new(),
        }
    }
}
