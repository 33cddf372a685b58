use super::*;
use crate::verify::fixture::{PAYEE, PAYER, USDC, transfer};

const TWO_OF_THREE: Policy = Policy { agree: 2, owners: 2, lag_blocks: 3 };
const CURSOR: (u64, B256) = (100, B256::repeat_byte(0xc0));
const END: u64 = 110;

fn log(tx: u8) -> PlacedLog {
    PlacedLog {
        log: transfer(USDC, PAYER, PAYEE, u64::from(tx)),
        tx_hash: B256::repeat_byte(tx),
        block_number: 105,
        block_hash: B256::repeat_byte(0x05),
    }
}

fn said(node: &str, owner: &str, logs: &[u8]) -> Said {
    Said {
        node: node.to_owned(),
        owner: owner.to_owned(),
        covers: Some(200),
        at_cursor: Some(CURSOR.1),
        at_end: Some(B256::repeat_byte(0xe0)),
        logs: Some(logs.iter().map(|tx| log(*tx)).collect()),
    }
}

/// Three nodes of three owners, after this was done to them.
fn judged(change: impl Fn(&mut [Said; 3])) -> Swept {
    let mut nodes = [said("a", "x", &[1]), said("b", "y", &[1, 2]), said("c", "z", &[])];
    change(&mut nodes);
    judge(TWO_OF_THREE, CURSOR, END, nodes.into())
}

fn counted(swept: Swept) -> (Vec<PlacedLog>, Vec<String>) {
    match swept {
        Swept::Counted { logs, nodes, .. } => (logs, nodes.into_iter().collect()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_any_of_enough_nodes_saw_is_taken_once() {
    let (logs, nodes) = counted(judged(|_| {}));
    assert_eq!((logs, nodes), (vec![log(1), log(2)], vec!["a".to_owned(), "b".to_owned(), "c".to_owned()]));
}

#[test]
fn a_node_that_is_behind_says_nothing_however_empty_its_answer_is() {
    let (logs, nodes) = counted(judged(|[_, _, c]| c.covers = Some(END - 1)));
    assert_eq!((logs.len(), nodes.len()), (2, 2));
    for behind in [Some(END - 1), Some(0), None] {
        let swept = judged(|[_, b, c]| (b.covers, c.covers) = (behind, behind));
        assert_eq!(swept, Swept::TooFew, "{behind:?}");
    }
    // It claims to be there, and has no block at the end.
    assert_eq!(judged(|[_, b, c]| (b.at_end, c.at_end) = (None, None)), Swept::TooFew);
    assert_eq!(judged(|[_, b, c]| (b.at_cursor, c.at_cursor) = (None, None)), Swept::TooFew);
}

#[test]
fn nodes_of_one_owner_are_one_opinion() {
    let swept = judged(|[a, b, c]| {
        (b.owner, c.owner) = (a.owner.clone(), a.owner.clone());
    });
    assert_eq!(swept, Swept::TooFew);
}

#[test]
fn the_end_has_to_be_the_same_block() {
    let end = B256::repeat_byte(0xef);
    let fork = Some(end);
    let (logs, nodes) = counted(judged(|[_, b, _]| b.at_end = fork));
    assert_eq!((logs, nodes), (vec![log(1)], vec!["a".to_owned(), "c".to_owned()]), "the fork's logs are left out");
    assert_eq!(judged(|[a, b, c]| (a.at_end, b.at_end, c.logs) = (fork, fork, None)), {
        // The two on the other block are enough by themselves.
        let nodes = ["a".to_owned(), "b".to_owned()].into();
        Swept::Counted { end, logs: vec![log(1), log(2)], nodes }
    });
}

#[test]
fn too_few_answers_about_logs_ask_for_less_and_skip_nothing() {
    let (logs, nodes) = counted(judged(|[a, _, _]| a.logs = None));
    assert_eq!((logs.len(), nodes.len()), (2, 2));
    assert_eq!(judged(|[a, b, _]| (a.logs, b.logs) = (None, None)), Swept::TooMuch);
}

#[test]
fn another_block_at_the_cursor_is_noticed_when_enough_nodes_have_it() {
    let other = Some(B256::repeat_byte(0xcc));
    assert_eq!(judged(|[a, b, _]| (a.at_cursor, b.at_cursor) = (other, other)), Swept::Replaced);
    // One of them is a lie or a fork: the other two are enough.
    let (_, nodes) = counted(judged(|[a, _, _]| a.at_cursor = other));
    assert_eq!(nodes, ["b", "c"]);
    // What is not final for a node is not its last word.
    let swept = judged(|[a, b, _]| {
        (a.at_cursor, b.at_cursor) = (other, other);
        (a.covers, b.covers) = (Some(99), Some(99));
    });
    assert_eq!(swept, Swept::TooFew);
}
