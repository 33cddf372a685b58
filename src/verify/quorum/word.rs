//! What enough nodes say of something that no root of a block proves: the calls inside a transaction, what a contract
//! answers. Pure. Only those who have the block at its height are heard about what is in it.

use super::{Policy, most_said};
use crate::chain::{NodeAnswer, NodeError};
use crate::model::{Code, Vote, VoteKind};

/// What came of asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word<T> {
    /// What enough of them say; else why it cannot be said: it waits, or, where too few of them can answer at all, it is
    /// for a person.
    pub said: Result<T, Code>,
    /// Everyone's vote on it.
    pub votes: Vec<Vote>,
    /// Nodes that say something else.
    pub dissent: usize,
}

/// Counts. `block` holds everyone's vote on the block.
#[must_use]
pub fn word<T: PartialEq + Clone>(policy: Policy, block: &[Vote], answers: &[NodeAnswer<T>]) -> Word<T> {
    let on_block = |name: &str| block.iter().find(|vote| vote.node == name).map_or(VoteKind::Abstain, |vote| vote.vote);
    let heard = answers.iter().filter(|node| on_block(&node.node) == VoteKind::Agree);
    let spoken: Vec<(&str, &T)> =
        heard.filter_map(|node| Some((node.owner.as_str(), node.answer.as_ref().ok()?))).collect();
    let best = most_said(&spoken, |one, other| one == other);
    let kind = |node: &NodeAnswer<T>| match (on_block(&node.node), &node.answer) {
        (VoteKind::Agree, Ok(value)) if best == Some(value) => VoteKind::Agree,
        (VoteKind::Agree, Ok(_)) => VoteKind::Disagree,
        (VoteKind::Agree, Err(NodeError::Unavailable(_) | NodeError::RateLimited)) => VoteKind::Abstain,
        (VoteKind::Agree, Err(NodeError::WrongChain(_) | NodeError::Fault(_))) => VoteKind::Fault,
        (other @ (VoteKind::Disagree | VoteKind::Abstain | VoteKind::Fault), _) => other,
    };
    let vote = |node: &NodeAnswer<T>| Vote { node: node.node.clone(), owner: node.owner.clone(), vote: kind(node) };
    let votes: Vec<Vote> = answers.iter().map(vote).collect();
    let owners =
        |wanted: VoteKind| votes.iter().filter(move |vote| vote.vote == wanted).map(|vote| vote.owner.as_str());
    let (agree, dissent) = (owners(VoteKind::Agree).count(), owners(VoteKind::Disagree).count());
    // Whoever does not have the block yet, or does not answer now, may speak later.
    let can = answers.iter().filter(|node| node.answer.as_ref().err().is_none_or(|error| !error.is_lasting()));
    let is_heard = policy.is_met_by(spoken.iter().map(|(owner, _)| *owner));
    let may_be = policy.is_met_by(can.map(|node| node.owner.as_str()));
    let said = match best {
        Some(value) if policy.is_met_by(owners(VoteKind::Agree)) && dissent < agree => Ok(value.clone()),
        Some(_) | None if is_heard => Err(Code::RpcDisagreement),
        Some(_) | None if may_be => Err(Code::RpcUnavailable),
        Some(_) | None => Err(Code::ProofUnsupported),
    };
    Word { said, votes, dissent }
}

#[cfg(test)]
mod tests;
