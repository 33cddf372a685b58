//! What nodes have to be asked beyond the first look: it costs calls and is seldom needed, so it is asked only when the
//! look has shown that it decides.

use alloy_primitives::{Address, B256};

use super::{Ground, Purpose, Question, Rules, charge, payment};
use crate::chain::Observations;
use crate::ledger::DueEvent;
use crate::model::Anchor;
use crate::verify::quorum::{self, Located, Policy};
use crate::verify::schedule::Moment;

/// A question beyond the first look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Further {
    /// The calls inside the transaction in this block: coin that a contract passes on leaves no log.
    Calls(Anchor),
    /// What a sanctions oracle says.
    Oracle {
        /// Its contract.
        contract: Address,
        /// At this block.
        at: B256,
        /// About these.
        subjects: Vec<Address>,
    },
}

/// What is still missing; `None` when the observations are all that [`super::conclude`] needs.
#[must_use]
pub fn further(
    event: &DueEvent,
    question: &Question,
    rules: &Rules<'_>,
    seen: &Observations,
    moment: &Moment,
) -> Option<Further> {
    let (active, claim) = (rules.chains.get(&question.plan.chain)?, event.claim.as_ref()?);
    let name = &question.plan.chain;
    if !active.chain.trace && !rules.verification.screening.oracle.contains_key(name) {
        return None;
    }
    let ask = match question.purpose {
        Purpose::Payment | Purpose::Lost(_) | Purpose::Return(_) => payment::further,
        Purpose::Charge => charge::further,
        Purpose::BeforeSending(_) | Purpose::Settlement(_) => return None,
    };
    match quorum::locate(Policy::of(active), active.chain.chain_id, seen) {
        Located::Anchored(anchored) => ask(&Ground { event, claim, rules, name, active, moment, seen }, &anchored),
        Located::Waiting { .. } => None,
    }
}
