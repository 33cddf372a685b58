use super::*;
use crate::chain::{METHOD_MISSING, TOO_LARGE};

const POLICY: Policy = Policy { agree: 2, owners: 2, lag_blocks: 2 };
const DOWN: NodeError = NodeError::Unavailable("deadline passed");

/// Nodes a, b, c of the owners x, y, z; each with its vote on the block and what it says.
fn said(nodes: &[(VoteKind, Result<u8, NodeError>)]) -> Word<u8> {
    let names = [("a", "x"), ("b", "y"), ("c", "z")];
    let named = || names.iter().zip(nodes);
    let vote = |((node, owner), (vote, _)): (&(&str, &str), &(VoteKind, _))| Vote {
        node: (*node).to_owned(),
        owner: (*owner).to_owned(),
        vote: *vote,
    };
    let block: Vec<Vote> = named().map(vote).collect();
    let answers = named().map(|((node, owner), (_, answer))| NodeAnswer {
        node: (*node).to_owned(),
        owner: (*owner).to_owned(),
        answer: answer.clone(),
    });
    word(POLICY, &block, &answers.collect::<Vec<_>>())
}

fn all(answers: [Result<u8, NodeError>; 3]) -> Word<u8> {
    said(&answers.map(|answer| (VoteKind::Agree, answer)))
}

#[test]
fn enough_nodes_of_different_owners_have_to_say_the_same() {
    for (answers, expected) in [
        ([Ok(7), Ok(7), Ok(7)], Ok(7)),
        ([Ok(7), Ok(7), Ok(8)], Ok(7)),
        ([Ok(8), Ok(7), Ok(7)], Ok(7)),
        ([Ok(7), Ok(7), Err(DOWN)], Ok(7)),
        ([Ok(7), Ok(7), Err(METHOD_MISSING)], Ok(7)),
        ([Ok(7), Ok(8), Ok(9)], Err(Code::RpcDisagreement)),
        ([Ok(7), Ok(8), Err(DOWN)], Err(Code::RpcDisagreement)),
        ([Ok(7), Err(DOWN), Err(DOWN)], Err(Code::RpcUnavailable)),
        ([Ok(7), Err(NodeError::Fault("odd")), Err(TOO_LARGE)], Err(Code::RpcUnavailable)),
        ([Ok(7), Err(METHOD_MISSING), Err(TOO_LARGE)], Err(Code::ProofUnsupported)),
        ([Err(METHOD_MISSING), Err(METHOD_MISSING), Err(METHOD_MISSING)], Err(Code::ProofUnsupported)),
    ] {
        assert_eq!(all(answers.clone()).said, expected, "{answers:?}");
    }
}

#[test]
fn two_nodes_of_one_owner_are_one_opinion() {
    let answers = [("a", "x", 7), ("b", "x", 7), ("c", "z", 8)];
    let block: Vec<Vote> = answers
        .iter()
        .map(|(node, owner, _)| Vote { node: (*node).into(), owner: (*owner).into(), vote: VoteKind::Agree })
        .collect();
    let answers =
        answers.map(|(node, owner, value)| NodeAnswer { node: node.into(), owner: owner.into(), answer: Ok(value) });
    assert_eq!(word(POLICY, &block, &answers).said, Err(Code::RpcDisagreement));
}

#[test]
fn whoever_does_not_have_the_block_is_not_heard_about_it() {
    let elsewhere = said(&[(VoteKind::Agree, Ok(7)), (VoteKind::Disagree, Ok(7)), (VoteKind::Abstain, Ok(7))]);
    assert_eq!(elsewhere.said, Err(Code::RpcUnavailable));
    let kinds: Vec<VoteKind> = elsewhere.votes.iter().map(|vote| vote.vote).collect();
    assert_eq!(kinds, [VoteKind::Agree, VoteKind::Disagree, VoteKind::Abstain]);
}

#[test]
fn votes_tell_who_contradicts_and_who_is_silent() {
    let word = all([Ok(7), Ok(8), Ok(7)]);
    let kinds: Vec<VoteKind> = word.votes.iter().map(|vote| vote.vote).collect();
    assert_eq!((kinds, word.dissent), (vec![VoteKind::Agree, VoteKind::Disagree, VoteKind::Agree], 1));
    let word = all([Ok(7), Err(NodeError::Fault("odd")), Err(DOWN)]);
    let kinds: Vec<VoteKind> = word.votes.iter().map(|vote| vote.vote).collect();
    assert_eq!((kinds, word.dissent), (vec![VoteKind::Agree, VoteKind::Fault, VoteKind::Abstain], 0));
}
