use proptest::prelude::*;

use super::*;
use crate::verify::fixture::*;

const TWO_OF_THREE: Policy = Policy { agree: 2, owners: 2, lag_blocks: 3 };

type Answer = Result<NodeView, NodeError>;

fn honest() -> NodeView {
    view(HEIGHT + 9, Some(HEIGHT + 1), receipt(proxy_payment(PAYEE, HUNDRED, TOPIC)))
}

fn ignorant(head: u64) -> NodeView {
    NodeView { receipt: None, header_at: None, ..view(head, None, receipt(vec![])) }
}

fn on_a_fork() -> NodeView {
    NodeView { receipt: None, header_at: Some(header(HEIGHT, B256::repeat_byte(0xee))), ..honest() }
}

fn forged_status() -> NodeView {
    let mut view = honest();
    view.receipt.as_mut().unwrap().status = Some(0);
    view
}

fn orphaned_receipt() -> NodeView {
    let mut view = honest();
    view.receipt.as_mut().unwrap().block_hash = B256::repeat_byte(0xdd);
    view
}

fn down() -> Answer {
    Err(NodeError::Unavailable("deadline passed"))
}

fn votes_of(located: &Located) -> Vec<VoteKind> {
    let votes = match located {
        Located::Anchored(anchored) => &anchored.votes,
        Located::Waiting { votes, .. } => votes,
    };
    votes.iter().map(|vote| vote.vote).collect()
}

#[test]
fn the_third_node_votes_as_the_table_of_3_2_says() {
    let header_only = NodeView { receipt: None, ..honest() };
    let cases: Vec<(&str, Answer, VoteKind)> = vec![
        ("the same", Ok(honest()), VoteKind::Agree),
        ("another block", Ok(on_a_fork()), VoteKind::Disagree),
        ("null, head below", Ok(ignorant(HEIGHT - 1)), VoteKind::Abstain),
        ("null, head just above", Ok(ignorant(HEIGHT + 2)), VoteKind::Abstain),
        ("null, head well above", Ok(ignorant(HEIGHT + 3)), VoteKind::Disagree),
        ("the block, but no receipt yet", Ok(header_only), VoteKind::Abstain),
        ("the block, but another receipt", Ok(forged_status()), VoteKind::Disagree),
        ("a receipt of a block that its own header denies", Ok(orphaned_receipt()), VoteKind::Fault),
        ("no answer", down(), VoteKind::Abstain),
        ("throttled", Err(NodeError::RateLimited), VoteKind::Abstain),
        ("another chain", Err(NodeError::WrongChain("1".to_owned())), VoteKind::Fault),
        ("malformed", Err(NodeError::Fault("receipt")), VoteKind::Fault),
    ];
    for (name, answer, expected) in cases {
        let located = locate(TWO_OF_THREE, 8453, &seen(vec![Ok(honest()), Ok(honest()), answer]));
        assert_eq!(votes_of(&located), [VoteKind::Agree, VoteKind::Agree, expected], "{name}");
        let Located::Anchored(anchored) = located else { panic!("{name}: two of three agree") };
        assert_eq!(anchored.anchor, anchor(), "{name}");
        assert_eq!(anchored.dissent, usize::from(expected == VoteKind::Disagree), "{name}");
    }
}

#[test]
fn too_few_voices_wait_under_the_code_that_names_the_cause() {
    let limited = || Err(NodeError::RateLimited);
    let wrong = || Err(NodeError::WrongChain("1".to_owned()));
    let not_yet = || Ok(NodeView { receipt: None, ..honest() });
    let cases: Vec<(&str, Vec<Answer>, Code)> = vec![
        ("nobody", vec![], Code::RpcUnavailable),
        ("all down", vec![down(), down(), down()], Code::RpcUnavailable),
        ("one left", vec![Ok(honest()), down(), down()], Code::RpcUnavailable),
        ("one left, one throttled", vec![Ok(honest()), limited(), down()], Code::RpcRateLimited),
        ("one left, one misconfigured", vec![Ok(honest()), wrong(), down()], Code::ChainIdMismatch),
        ("all misconfigured", vec![wrong(), wrong(), wrong()], Code::ChainIdMismatch),
        ("one has it, one has its block", vec![Ok(honest()), not_yet(), down()], Code::WaitingQuorum),
        ("one lags", vec![Ok(honest()), Ok(ignorant(HEIGHT - 5)), down()], Code::WaitingQuorum),
        ("one against one", vec![Ok(honest()), Ok(on_a_fork()), down()], Code::RpcDisagreement),
        ("one receipt against one", vec![Ok(honest()), Ok(forged_status()), down()], Code::RpcDisagreement),
        ("only faults", vec![Err(NodeError::Fault("x")), down(), down()], Code::RpcUnavailable),
    ];
    for (name, answers, expected) in cases {
        match locate(TWO_OF_THREE, 8453, &seen(answers)) {
            Located::Waiting { code, .. } => assert_eq!(code, expected, "{name}"),
            Located::Anchored(_) => panic!("{name}: anchored"),
        }
    }
}

#[test]
fn null_is_absence_only_from_enough_nodes_with_fresh_heads() {
    let code = |answers| match locate(TWO_OF_THREE, 8453, &seen(answers)) {
        Located::Waiting { code, .. } => code,
        Located::Anchored(_) => panic!("nobody has it"),
    };
    let fresh = || Ok(ignorant(HEIGHT + 9));
    let stale = || Ok(ignorant(HEIGHT - 500));
    assert_eq!(code(vec![fresh(), fresh(), fresh()]), Code::WaitingInclusion);
    assert_eq!(code(vec![fresh(), fresh(), down()]), Code::WaitingInclusion);
    assert_eq!(code(vec![fresh(), stale(), stale()]), Code::WaitingQuorum);
    assert_eq!(code(vec![fresh(), down(), down()]), Code::RpcUnavailable);
}

#[test]
fn a_receipt_of_an_orphaned_block_at_one_node_is_not_inclusion() {
    // go-ethereum issue 29261: the node still returns the receipt; the others know neither it nor its block.
    let elsewhere = || Ok(on_a_fork());
    let located = locate(TWO_OF_THREE, 8453, &seen(vec![Ok(honest()), elsewhere(), elsewhere()]));
    assert!(matches!(located, Located::Waiting { code: Code::WaitingInclusion, .. }), "{located:?}");
}

#[test]
fn a_sender_that_no_block_shows_is_whom_most_owners_name() {
    let liar = || {
        let mut view = honest();
        view.receipt.as_mut().unwrap().from = Address::repeat_byte(0x66);
        Ok(view)
    };
    for answers in [vec![liar(), Ok(honest()), Ok(honest())], vec![Ok(honest()), liar(), Ok(honest())]] {
        let Located::Anchored(anchored) = locate(TWO_OF_THREE, 8453, &seen(answers)) else { panic!("all agree") };
        assert_eq!((anchored.receipt.from, anchored.sent_by), (STRANGER, SentBy::Unproven));
    }
}

#[test]
fn two_nodes_of_one_owner_are_one_opinion() {
    let mut both = seen(vec![Ok(honest()), Ok(honest())]);
    both.nodes[1].owner = "x".to_owned();
    assert!(matches!(locate(TWO_OF_THREE, 8453, &both), Located::Waiting { code: Code::RpcUnavailable, .. }));
    let mut liars = seen(vec![Ok(honest()), Ok(forged_status()), Ok(honest())]);
    liars.nodes[2].owner = "x".to_owned();
    assert!(matches!(locate(TWO_OF_THREE, 8453, &liars), Located::Waiting { .. }));
}

#[test]
fn an_even_split_is_a_disagreement_though_each_side_is_enough() {
    let split = vec![Ok(honest()), Ok(honest()), Ok(forged_status()), Ok(forged_status())];
    let located = locate(TWO_OF_THREE, 8453, &seen(split));
    assert!(matches!(located, Located::Waiting { code: Code::RpcDisagreement, .. }), "{located:?}");
}

#[test]
fn one_lying_node_of_three_changes_neither_receipt_nor_time() {
    let mut late = honest();
    late.header_at.as_mut().unwrap().timestamp += 3_600;
    for lie in [forged_status(), late, on_a_fork(), orphaned_receipt()] {
        let located = locate(TWO_OF_THREE, 8453, &seen(vec![Ok(lie), Ok(honest()), Ok(honest())]));
        let Located::Anchored(anchored) = located else { panic!("two honest nodes are enough") };
        assert_eq!((anchored.receipt.status, anchored.anchor.block_timestamp), (Some(1), BLOCK_TIME));
    }
}

#[test]
fn depth_is_the_lowest_head_and_a_tag_counts_where_enough_reached_it() {
    let at = |head, tag| Ok(view(head, tag, receipt(vec![])));
    let standing = |answers| match locate(TWO_OF_THREE, 8453, &seen(answers)) {
        Located::Anchored(anchored) => anchored.standing,
        Located::Waiting { code, .. } => panic!("{code}"),
    };
    let three = standing(vec![at(1_010, Some(1_005)), at(1_008, Some(1_003)), at(1_009, Some(990))]);
    assert_eq!(
        three,
        Standing {
            head: 1_008,
            safe: Some(1_003),
            finalized: Some(1_003),
            safe_lag_s: Some(0),
            finalized_lag_s: Some(0)
        }
    );
    let lonely = standing(vec![at(1_010, Some(1_005)), at(1_008, None), at(1_009, None)]);
    assert_eq!(lonely.finalized, None, "one node's word for finality is not enough");
}

#[test]
fn an_anchor_is_looked_at_again_by_hash() {
    let same = || Ok(NodeView { receipt: None, ..honest() });
    let other = |byte| Ok(NodeView { header_at: Some(header(HEIGHT, B256::repeat_byte(byte))), ..honest() });
    let look = |answers| still_canonical(TWO_OF_THREE, &anchor(), &seen(answers));
    let Canonical::Same { standing, .. } = look(vec![same(), same(), down()]) else { panic!("same") };
    assert_eq!(standing.finalized, Some(HEIGHT + 1));
    let Canonical::Lost { hash, .. } = look(vec![other(0xee), other(0xee), same()]) else { panic!("lost") };
    assert_eq!(hash, B256::repeat_byte(0xee));
    let unclear = [
        (vec![same(), other(0xee), down()], Code::RpcDisagreement),
        (vec![other(0xe1), other(0xe2), down()], Code::RpcDisagreement),
        (vec![same(), Ok(ignorant(HEIGHT - 1)), down()], Code::WaitingQuorum),
        (vec![same(), down(), down()], Code::RpcUnavailable),
    ];
    for (answers, expected) in unclear {
        let Canonical::Unclear { code, .. } = look(answers) else { panic!("{expected}") };
        assert_eq!(code, expected);
    }
}

/// What a node may say, and whether it says that the payment is in the fixture's block.
fn any_answer() -> impl Strategy<Value = (Answer, bool)> {
    prop_oneof![
        4 => Just((Ok(honest()), true)),
        1 => Just((Ok(NodeView { receipt: None, ..honest() }), false)),
        2 => (0_u64..2_000).prop_map(|head| (Ok(ignorant(head)), false)),
        2 => Just((Ok(on_a_fork()), false)),
        2 => Just((Ok(forged_status()), false)),
        1 => Just((Ok(orphaned_receipt()), false)),
        1 => Just((down(), false)),
        1 => Just((Err(NodeError::RateLimited), false)),
        1 => Just((Err(NodeError::Fault("receipt")), false)),
        1 => Just((Err(NodeError::WrongChain("1".to_owned())), false)),
    ]
}

proptest! {
    /// Whoever is silent, behind, at fault or of another chain makes no verdict, in whatever company.
    #[test]
    fn no_verdict_comes_from_an_abstention(
        nodes in proptest::collection::vec((any_answer(), 0_usize..3), 0..=4),
        agree in 1_usize..4,
        owners in 1_usize..4,
    ) {
        let policy = Policy { agree, owners, lag_blocks: 3 };
        let mut all = seen(nodes.iter().map(|((answer, _), _)| answer.clone()).collect());
        for (node, (_, owner)) in all.nodes.iter_mut().zip(&nodes) {
            node.owner = format!("owner-{owner}");
        }
        let enough = |is_one: &dyn Fn(&Answer, bool) -> bool| {
            let of_them = nodes.iter().filter(|((answer, says), _)| is_one(answer, *says));
            let owners_of: Vec<usize> = of_them.map(|(_, owner)| *owner).collect();
            agree <= owners_of.len() && owners <= owners_of.iter().collect::<BTreeSet<_>>().len()
        };
        let stands = |located: &Anchored| located.anchor == anchor() && located.receipt.status == Some(1);
        match locate(policy, 8453, &all) {
            Located::Anchored(located) if stands(&located) => {
                prop_assert!(enough(&|_, says| says), "too few said so: {:?}", located.votes);
                let cast = located.votes.iter().filter(|vote| vote.vote == VoteKind::Agree).count();
                prop_assert!(agree <= cast && located.dissent < cast);
            }
            // Liars may be enough among themselves; silence never is.
            Located::Anchored(located) => {
                let lies = |answer: &Answer, says: bool| {
                    !says && answer.as_ref().is_ok_and(|view| view.receipt.as_ref() == Some(&located.receipt))
                };
                prop_assert!(enough(&lies), "{:?}", located.votes);
            }
            Located::Waiting { code: Code::WaitingInclusion, .. } => {
                let denies = |answer: &Answer, says: bool| {
                    !says && answer.as_ref().is_ok_and(|view| view.receipt.is_none())
                };
                prop_assert!(enough(&denies), "absent by the word of too few");
            }
            Located::Waiting { .. } => {}
        }
    }
}
