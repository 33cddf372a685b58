//! Forwarded payments whose block is gone.

use alloy_primitives::{Address, U256};

use super::*;
use crate::chain::NodeView;
use crate::ledger::ClaimedSlot;
use crate::model::{Sender, Slot, TransferKey};

const SECOND: i64 = 1_000_000;

fn slot(position: u32, amount: u64) -> ClaimedSlot {
    ClaimedSlot {
        key: TransferKey { chain_id: 8453, tx_hash: TX, slot: Slot::Log(position) },
        amount: U256::from(amount),
        token: Some(USDC),
        recipient: PAYEE,
    }
}

/// A payment that was forwarded and whose block has been missed for so many seconds.
fn missed_for(seconds: i64) -> DueEvent {
    let mut event = expected_event();
    (event.state, event.code, event.anchor) = (EventState::Forwarded, Some(Code::Reorged), Some(anchor()));
    (event.sent, event.claimed) = (true, vec![slot(0, HUNDRED), slot(2, 0)]);
    event.sender = Some(Sender { from: Address::ZERO, nonce: 7 });
    event.progress.first_us = NOW.now_us - seconds * SECOND;
    event
}

/// Nodes that know nothing of the transaction and have this block at its old height.
fn absent(block: B256, nonce: Option<u64>) -> Observations {
    let mut view = view(HEIGHT + 30, Some(HEIGHT - 9), receipt(vec![]));
    (view.receipt, view.header_at, view.nonce) = (None, Some(header(HEIGHT, block)), nonce);
    unanimous(&view)
}

/// Nodes that have the transaction in another block, with these logs.
fn elsewhere(logs: Vec<crate::chain::Log>, status: u64) -> Observations {
    let mut moved = receipt(logs);
    (moved.block_hash, moved.block_number, moved.status) = (B256::repeat_byte(0xd4), HEIGHT + 2, Some(status));
    unanimous(&view(HEIGHT + 30, Some(HEIGHT - 9), moved))
}

fn retracted(decision: Decision) -> Retracting {
    match decision {
        Decision::Retract(retracting) => *retracting,
        other @ (Decision::Record(_) | Decision::Confirm(_) | Decision::Reanchor(_)) => panic!("{other:?}"),
    }
}

#[test]
fn it_is_searched_for_before_anything_is_taken_back() {
    let gone = absent(B256::repeat_byte(0xee), None);
    for (seconds, is_over) in [(0, false), (59, false), (60, true), (6_000, true)] {
        let decision = decide(&missed_for(seconds), &gone);
        match (is_over, decision) {
            (false, Decision::Record(recorded)) => {
                assert_eq!((recorded.state, recorded.code), (EventState::Forwarded, Code::Reorged));
                assert_eq!(recorded.anchor, Some(anchor()), "what was told stays on record");
            }
            (true, Decision::Retract(retracting)) => {
                let retraction = retracting.retraction;
                assert_eq!((retraction.reason, retraction.permanent), (Code::Reorged, false));
                assert_eq!((retraction.previous, retraction.now), (anchor(), None));
                assert!(retracting.due_us.is_some(), "it may come back");
            }
            (_, other) => panic!("after {seconds} s: {other:?}"),
        }
    }
}

#[test]
fn a_slow_chain_is_searched_for_ten_blocks() {
    let mut chains = chains();
    chains.get_mut("base").unwrap().chain.block_time_ms = 12_000;
    let (source, verification) = (source(), verification());
    let rules = rules(&source, &verification, &chains);
    for (seconds, is_over) in [(119, false), (120, true)] {
        let event = missed_for(seconds);
        let Begun::Ask(question) = begin(&event, &rules, &NOW) else { panic!("not asked") };
        let decision = conclude(&event, &question, &rules, &absent(B256::ZERO, None), &NOW);
        assert_eq!(matches!(decision, Decision::Retract(_)), is_over, "{seconds} s");
    }
}

#[test]
fn a_nonce_that_another_transaction_took_ends_the_search() {
    let gone = |nonce| absent(B256::repeat_byte(0xee), nonce);
    let replaced = retracted(decide(&missed_for(60), &gone(Some(8))));
    assert_eq!((replaced.retraction.reason, replaced.retraction.permanent), (Code::TxReplaced, true));
    assert_eq!(replaced.due_us, None);
    let unused = retracted(decide(&missed_for(60), &gone(Some(7))));
    assert_eq!((unused.retraction.reason, unused.retraction.permanent), (Code::Reorged, false));
}

#[test]
fn doubt_takes_nothing_back_however_long_it_lasts() {
    let down = || Err(crate::chain::NodeError::Unavailable("deadline passed"));
    let one_left = {
        let NodeView { .. } = view(HEIGHT + 30, None, receipt(vec![]));
        let mut lonely = absent(B256::repeat_byte(0xee), None);
        lonely.nodes[1].answer = down();
        lonely.nodes[2].answer = down();
        lonely
    };
    for observations in [Observations::default(), seen(vec![down(), down(), down()]), one_left] {
        let still = recorded(decide(&missed_for(1_000_000), &observations));
        assert_eq!((still.state, still.code, still.anchor), (EventState::Forwarded, Code::Reorged, Some(anchor())));
    }
}

#[test]
fn the_same_money_in_another_block_moves_silently() {
    let Decision::Reanchor(moved) = decide(&missed_for(0), &elsewhere(proxy_payment(PAYEE, HUNDRED, TOPIC), 1)) else {
        panic!("not moved")
    };
    assert_eq!((moved.anchor.block_number, moved.anchor.block_hash), (HEIGHT + 2, B256::repeat_byte(0xd4)));
    assert_eq!(moved.slots, vec![slot(0, HUNDRED), slot(2, 0)]);
}

#[test]
fn other_money_or_a_failure_in_another_block_is_taken_back() {
    let proxy = |to, amount, topic| proxy_payment(to, amount, topic);
    for (observations, reason) in [
        (elsewhere(proxy(PAYEE, HUNDRED, TOPIC), 0), Code::TxReverted),
        (elsewhere(proxy(PAYEE, HUNDRED / 2, TOPIC), 1), Code::ClaimMismatch),
        (elsewhere(proxy(STRANGER, HUNDRED, TOPIC), 1), Code::WrongRecipient),
    ] {
        assert!(matches!(decide(&missed_for(0), &observations), Decision::Record(_)), "it may change once more");
        let taken = retracted(decide(&missed_for(60), &observations)).retraction;
        assert_eq!(taken.reason, reason);
        assert_eq!(taken.now.map(|now| now.block_hash), Some(B256::repeat_byte(0xd4)));
    }
}

#[test]
fn the_old_block_that_comes_back_ends_the_search() {
    let back = recorded(decide(&missed_for(30), &final_block(proxy_payment(PAYEE, HUNDRED, TOPIC))));
    assert_eq!((back.state, back.code, back.anchor), (EventState::Forwarded, Code::Verified, Some(anchor())));
}

fn retracted_event() -> DueEvent {
    let mut event = missed_for(100);
    (event.state, event.code, event.sent) = (EventState::Retracted, Some(Code::Retracted), false);
    event.claimed.clear();
    event
}

#[test]
fn a_retracted_payment_is_reinstated_when_it_is_as_deep_as_its_policy_asks() {
    let back = confirmed(decide(&retracted_event(), &elsewhere(proxy_payment(PAYEE, HUNDRED, TOPIC), 1)));
    let retraction = back.back.expect("it says that it is back");
    assert_eq!((retraction.reason, retraction.previous), (Code::Reinstated, anchor()));
    assert_eq!(retraction.now, back.anchor);
    let mut shallow = elsewhere(proxy_payment(PAYEE, HUNDRED, TOPIC), 1);
    for node in &mut shallow.nodes {
        node.answer.as_mut().unwrap().head.number = HEIGHT + 3;
    }
    let waits = recorded(decide(&retracted_event(), &shallow));
    assert_eq!((waits.state, waits.code, waits.anchor), (EventState::Retracted, Code::Retracted, Some(anchor())));
    assert!(waits.wait.is_some());
}

#[test]
fn a_retracted_payment_is_given_up_when_it_can_never_come_back() {
    let gone = |nonce| absent(B256::repeat_byte(0xee), nonce);
    let mut old = retracted_event();
    old.progress.first_us = NOW.now_us - 86_400 * SECOND;
    for (event, nonce, code, is_over) in [
        (retracted_event(), Some(7), Code::Retracted, false),
        (retracted_event(), Some(8), Code::TxReplaced, true),
        (old, None, Code::TxNotFound, true),
    ] {
        let stays = recorded(decide(&event, &gone(nonce)));
        assert_eq!((stays.state, stays.code, stays.due_us.is_none()), (EventState::Retracted, code, is_over));
    }
}
