//! Coin that a contract passes on: what is asked for it, whose word counts, and what becomes of it when its block is gone.

use alloy_primitives::{Address, Bytes};

use super::*;
use crate::chain::proof::{self, bundle};
use crate::chain::{CallFrame, CallKind, METHOD_MISSING, NodeAnswer, NodeError, Proven};
use crate::ledger::ClaimedSlot;
use crate::model::TransferKey;

/// Passes coin on.
const SPLITTER: Address = Address::repeat_byte(0x44);
const COIN: u64 = 1_000;

fn chains_that_trace() -> BTreeMap<String, ActiveChain> {
    let mut chains = chains();
    chains.get_mut("base").unwrap().chain.trace = true;
    chains
}

/// Waits for coin at an address of its own.
fn coin_event() -> DueEvent {
    let mut stored = expectation();
    (stored.terms.key, stored.terms.rails) = (ExpectationKey::ProviderObject("pi_1".to_owned()), vec![Rail::Direct]);
    let way = &mut stored.terms.accept[0];
    (way.token, way.symbol, way.decimals, way.amount) = (None, "ETH".to_owned(), 18, U256::from(COIN));
    event(Some(charge()), Some(stored))
}

fn call(from: Address, to: Address, calls: Vec<CallFrame>) -> CallFrame {
    CallFrame { kind: CallKind::Call, from, to: Some(to), value: U256::from(COIN), failed: false, calls }
}

/// The transaction's own call, and the one inside it.
fn paying(to: Address) -> CallFrame {
    call(STRANGER, SPLITTER, vec![call(SPLITTER, to, vec![])])
}

/// The splitter was called with coin, in a proven block.
fn block() -> Observations {
    let receipt = receipt(vec![]);
    let mut seen = unanimous(&view(HEIGHT + 100, Some(HEIGHT + 50), receipt.clone()));
    let called = proof::Call { to: Some(SPLITTER), value: U256::from(COIN), input: Bytes::new() };
    let transaction = proof::Transaction { tx_hash: TX, tx_index: 4, nonce: Some(7), call: Some(called) };
    let shown = bundle::Evidence::Quorum {
        block_hash: BLOCK,
        block_number: HEIGHT,
        timestamp: BLOCK_TIME,
        tx_index: 4,
        status: 1,
        logs: Vec::new(),
    };
    let bundle =
        bundle::Bundle { version: bundle::VERSION, chain_id: 8453, tx_hash: TX, proof: shown, votes: Vec::new() };
    seen.proven =
        Some(Proven { receipt, sent_by: proof::SentBy::Signature(STRANGER), transaction: Some(transaction), bundle });
    seen
}

/// The same with what each of three nodes traces.
fn traced(calls: [Result<CallFrame, NodeError>; 3]) -> Observations {
    let names = [("a", "x"), ("b", "y"), ("c", "z")];
    let nodes = names.into_iter().zip(calls);
    let answers = nodes.map(|((node, owner), answer)| NodeAnswer { node: node.into(), owner: owner.into(), answer });
    Observations { calls: Some(answers.collect()), ..block() }
}

/// What is asked beyond the look, and what is decided with these observations.
fn decided(event: &DueEvent, seen: &Observations) -> (Option<Further>, Decision) {
    let (source, chains, verification) = (source(), chains_that_trace(), verification());
    let rules = rules(&source, &verification, &chains);
    match begin(event, &rules, &NOW) {
        Begun::Decided(decision) => (None, decision),
        Begun::Ask(question) => {
            let more = further(event, &question, &rules, seen, &NOW);
            (more, conclude(event, &question, &rules, seen, &NOW))
        }
    }
}

#[test]
fn calls_are_asked_for_only_where_nothing_else_pays() {
    assert_eq!(decided(&coin_event(), &block()).0, Some(Further::Calls(anchor())));
    let asked = traced([Ok(paying(PAYEE)), Ok(paying(PAYEE)), Ok(paying(PAYEE))]);
    assert_eq!(decided(&coin_event(), &asked).0, None, "once");
    assert_eq!(decided(&expected_event(), &final_block(vec![])).0, None, "a reference is in the logs");
    let mut paid = block();
    let transaction = paid.proven.as_mut().unwrap().transaction.as_mut().unwrap();
    transaction.call.as_mut().unwrap().to = Some(PAYEE);
    let (more, decision) = decided(&coin_event(), &paid);
    assert_eq!((more, confirmed(decision).slots[0].key.slot), (None, Slot::Value));
}

#[test]
fn what_enough_traces_come_to_is_credited_and_rests_on_their_word() {
    let lie = || Ok(paying(STRANGER));
    for (calls, dissent) in [
        ([Ok(paying(PAYEE)), Ok(paying(PAYEE)), Ok(paying(PAYEE))], 0),
        ([Ok(paying(PAYEE)), Err(METHOD_MISSING), Ok(paying(PAYEE))], 0),
        ([lie(), Ok(paying(PAYEE)), Ok(paying(PAYEE))], 1),
    ] {
        let confirmation = confirmed(decided(&coin_event(), &traced(calls)).1);
        let slots: Vec<String> = confirmation.slots.iter().map(|slot| slot.key.slot.to_string()).collect();
        assert_eq!((slots, confirmation.amount), (vec!["trace:0".to_owned()], U256::from(COIN)));
        let Content::Payment(payment, proof) = &confirmation.content else { panic!("a payment") };
        assert_eq!((payment.payer, proof.method, proof.assurance), (Some(SPLITTER), "quorum", Assurance::A2));
        let votes = proof.votes.iter().filter(|vote| vote.vote == crate::model::VoteKind::Disagree).count();
        assert_eq!(votes, dissent);
    }
}

#[test]
fn traces_that_are_missing_or_contradict_each_other_are_no_verdict() {
    let down = || Err(NodeError::Unavailable("deadline passed"));
    // A trace of some other transaction does not count.
    let other = || Ok(call(PAYER, SPLITTER, vec![call(SPLITTER, PAYEE, vec![])]));
    for (calls, state, code) in [
        ([Ok(paying(PAYEE)), Ok(paying(STRANGER)), down()], EventState::Undetermined, Code::RpcDisagreement),
        ([Ok(paying(PAYEE)), down(), down()], EventState::Undetermined, Code::RpcUnavailable),
        ([Ok(paying(PAYEE)), other(), other()], EventState::Undetermined, Code::RpcUnavailable),
        ([Ok(paying(PAYEE)), Err(METHOD_MISSING), Err(METHOD_MISSING)], EventState::Held, Code::ProofUnsupported),
        ([Ok(paying(STRANGER)), Ok(paying(STRANGER)), down()], EventState::Refuted, Code::WrongRecipient),
    ] {
        let recorded = recorded(decided(&coin_event(), &traced(calls)).1);
        assert_eq!((recorded.state, recorded.code), (state, code));
        assert_eq!(recorded.anchor, Some(anchor()));
    }
}

#[test]
fn a_call_that_failed_inside_a_transaction_that_did_not_pays_nobody() {
    let mut undone = paying(PAYEE);
    undone.calls[0].failed = true;
    let recorded = recorded(decided(&coin_event(), &traced([Ok(undone.clone()), Ok(undone.clone()), Ok(undone)])).1);
    assert_eq!((recorded.state, recorded.code), (EventState::Refuted, Code::WrongRecipient));
}

#[test]
fn a_forwarded_one_whose_block_is_gone_is_traced_again_and_not_taken_back_for_want_of_a_trace() {
    let mut missed = coin_event();
    let lost = crate::model::Anchor { block_hash: B256::repeat_byte(0xd4), ..anchor() };
    (missed.state, missed.code, missed.anchor) = (EventState::Forwarded, Some(Code::Reorged), Some(lost));
    let key = TransferKey { chain_id: 8453, tx_hash: TX, slot: "trace:0".parse().unwrap() };
    missed.claimed = vec![ClaimedSlot { key, amount: U256::from(COIN), token: None, recipient: PAYEE }];
    (missed.sent, missed.progress.first_us) = (true, 0);
    let (more, waits) = decided(&missed, &block());
    assert_eq!((more, recorded(waits).state), (Some(Further::Calls(anchor())), EventState::Forwarded));
    let down = || Err(NodeError::Unavailable("deadline passed"));
    let unsure = recorded(decided(&missed, &traced([Ok(paying(PAYEE)), down(), down()])).1);
    assert_eq!((unsure.state, unsure.code), (EventState::Forwarded, Code::Reorged));
    let same = || Ok(paying(PAYEE));
    assert!(matches!(decided(&missed, &traced([same(), same(), same()])).1, Decision::Reanchor(_)));
    let other = || Ok(paying(STRANGER));
    assert!(matches!(decided(&missed, &traced([other(), other(), other()])).1, Decision::Retract(_)));
}
