//! Coin that a contract passes on (R7). It leaves no log and no root commits to it: what is credited is what the traces
//! of enough nodes come to, each read by itself, and the payment says that it rests on their word.

use crate::chain::{CallFrame, NodeAnswer, NodeError};
use crate::model::{CheckName, CheckOutcome, Code, Slot};
use crate::verify::diagnosis::{Doubt, check};
use crate::verify::matcher::{self, Evidence, Found, Outcome, Query};
use crate::verify::quorum::word::word;
use crate::verify::quorum::{Anchored, Method, Policy};

/// The money in the calls that enough nodes trace alike, or why there is none; with the block as they vote on it.
pub(super) fn search(
    query: &Query<'_>,
    evidence: &Evidence<'_>,
    (policy, anchored): (Policy, &Anchored),
    calls: &[NodeAnswer<CallFrame>],
) -> Result<(Found, Anchored), Doubt> {
    let read = |node: &NodeAnswer<CallFrame>| NodeAnswer {
        node: node.node.clone(),
        owner: node.owner.clone(),
        answer: node.answer.clone().and_then(|outermost| come_to(query, evidence, &outermost)),
    };
    let read: Vec<NodeAnswer<Outcome>> = calls.iter().map(read).collect();
    let word = word(policy, &anchored.votes, &read);
    let told = word.votes.iter().filter(|vote| vote.vote == crate::model::VoteKind::Agree).count();
    match word.said {
        Ok(Outcome::Found(found)) => {
            let dissent = anchored.dissent.max(word.dissent);
            let method = Method::Quorum;
            Ok((found, Anchored { votes: word.votes, dissent, method, ..anchored.clone() }))
        }
        Ok(Outcome::Doubt(doubt)) => Err(doubt),
        Err(code) => {
            let expected = format!("the same calls by {} nodes of {} owners", policy.agree, policy.owners);
            let seen = match code {
                Code::RpcDisagreement => "their traces contradict each other".to_owned(),
                Code::ProofUnsupported => "too few of them can trace it".to_owned(),
                _ => format!("{told} traced it so far"),
            };
            Err(Doubt { code, checks: vec![check(CheckName::Recipient, CheckOutcome::Unknown, expected, seen)] })
        }
    }
}

/// What one node's trace comes to. One of something else than the block shows is that node's fault.
fn come_to(query: &Query<'_>, evidence: &Evidence<'_>, outermost: &CallFrame) -> Result<Outcome, NodeError> {
    let is_ours = evidence.transaction.is_some_and(|transaction| {
        let pays = transaction.to.is_none_or(|to| outermost.to == Some(to));
        pays && outermost.from == transaction.from && outermost.value == transaction.value
    });
    if !is_ours || outermost.failed {
        return Err(NodeError::Fault("its trace is not of the transaction in the block"));
    }
    let traced = Evidence { calls: Some(outermost), ..*evidence };
    Ok(matcher::search(query, &traced))
}

/// Whether what was found lies in calls alone.
pub(super) fn is_traced(found: &Found) -> bool {
    found.consumed.iter().any(|used| matches!(used.slot, Slot::Trace(_)))
}
