//! Who says where money belongs: expectations, configured recipients, rails, assurance, and the ways to wait.

use super::*;
use crate::chain::{NodeError, NodeView};

fn keyed(key: ExpectationKey, rails: Vec<Rail>) -> StoredExpectation {
    let mut stored = expectation();
    (stored.terms.key, stored.terms.rails) = (key, rails);
    stored
}

fn without_expectation() -> Verification {
    Verification { require_expectation: false, recipients: vec![PAYEE], ..verification() }
}

#[test]
fn without_an_expectation_nothing_is_asked_and_nothing_verified() {
    let unknown = event(Some(claim()), None);
    let paid = final_block(proxy_payment(PAYEE, HUNDRED, TOPIC));
    let waits = recorded(decide(&unknown, &paid));
    assert_eq!((waits.state, waits.code), (EventState::Undetermined, Code::ExpectationUnknown));
    assert_eq!(waits.due_us, Some(NOW.now_us + 86_400_000_000), "the PUT wakes it before");
    let mut old = unknown.clone();
    old.progress = crate::ledger::Progress { first_us: NOW.now_us - 86_400_000_000, looks: 4 };
    let given_up = recorded(decide(&old, &paid));
    assert_eq!((given_up.state, given_up.code, given_up.due_us), (EventState::Held, Code::ExpectationUnknown, None));
    // Not required, and nobody says who may receive: the same.
    let open = Verification { recipients: vec![], ..without_expectation() };
    assert_eq!(recorded(decide_by(&unknown, &paid, &open, NOW)).code, Code::ExpectationUnknown);
}

#[test]
fn proven_money_to_a_configured_recipient_is_unmatched_where_allowed() {
    let unknown = event(Some(claim()), None);
    let rules = without_expectation();
    let paid = final_block(proxy_payment(PAYEE, HUNDRED, TOPIC));
    let confirmation = confirmed(decide_by(&unknown, &paid, &rules, NOW));
    assert_eq!((confirmation.code, confirmation.expectation), (Code::VerifiedUnmatched, None));
    let Content::Payment(_, proof) = confirmation.content else { panic!("a payment") };
    assert_eq!(proof.assurance, Assurance::A2, "nobody of ours named the reference");
    let elsewhere = final_block(proxy_payment(STRANGER, HUNDRED, TOPIC));
    assert_eq!(recorded(decide_by(&unknown, &elsewhere, &rules, NOW)).code, Code::WrongRecipient);
    let native = final_block(vec![native_event(ETH_PROXY, PAYEE, HUNDRED, TOPIC)]);
    let Content::Payment(payment, proof) = confirmed(decide_by(&unknown, &native, &rules, NOW)).content else {
        panic!("a payment")
    };
    assert_eq!((payment.token_symbol.as_str(), payment.token_address), ("ETH", None));
    assert_eq!(proof.tier, "T3", "a coin without a price is judged by the strictest tier");
}

#[test]
fn configured_recipients_bound_expectations_too() {
    let bound = Verification { recipients: vec![STRANGER], ..verification() };
    let event = event(Some(claim()), Some(expectation()));
    let paid = final_block(proxy_payment(PAYEE, HUNDRED, TOPIC));
    assert_ne!(recorded(decide_by(&event, &paid, &bound, NOW)).state, EventState::Forwarding);
}

#[test]
fn the_expectations_reference_counts_and_not_the_webhooks() {
    let mut lying = claim();
    lying.payment_reference = Some("0xb3581f0b0f74cc61".parse().unwrap());
    let event = event(Some(lying), Some(expectation()));
    let others_money = final_block(proxy_payment(PAYEE, HUNDRED, OTHER_TOPIC));
    assert_eq!(recorded(decide(&event, &others_money)).code, Code::WrongReference);
    let ours = final_block(proxy_payment(PAYEE, HUNDRED, TOPIC));
    assert_eq!(confirmed(decide(&event, &ours)).joins_by.unwrap().reference, REFERENCE);
}

#[test]
fn by_request_id_the_webhooks_reference_only_finds_the_event() {
    let stored = keyed(ExpectationKey::RequestId("01aa".to_owned()), vec![Rail::Reference]);
    let paid = final_block(proxy_payment(PAYEE, HUNDRED, TOPIC));
    let confirmation = confirmed(decide(&event(Some(claim()), Some(stored.clone())), &paid));
    assert_eq!(outcome(&confirmation.seen, CheckName::Reference), Some(CheckOutcome::Note));
    let Content::Payment(_, proof) = confirmation.content else { panic!("a payment") };
    assert_eq!(proof.assurance, Assurance::A2);
    let mut strict = stored;
    strict.terms.min_assurance = Some(Assurance::A3);
    let held = recorded(decide(&event(Some(claim()), Some(strict)), &paid));
    assert_eq!((held.state, held.code), (EventState::Held, Code::AssuranceTooLow));
}

#[test]
fn a_payload_selects_no_rail() {
    let direct = keyed(ExpectationKey::RequestId("01aa".to_owned()), vec![Rail::Direct]);
    let plain = final_block(vec![transfer(USDC, PAYER, PAYEE, HUNDRED)]);
    // With a reference in play only the proxies count, and this expectation does not take them.
    let with_reference = event(Some(claim()), Some(direct.clone()));
    assert_eq!(recorded(decide(&with_reference, &plain)).code, Code::AmbiguousMatch);
    let bare = crate::model::Claim { payment_reference: None, ..claim() };
    assert_eq!(confirmed(decide(&event(Some(bare.clone()), Some(direct.clone())), &plain)).slots.len(), 1);
    let mut shared = event(Some(bare.clone()), Some(direct.clone()));
    shared.recipient_shared = true;
    assert_eq!(recorded(decide(&shared, &plain)).code, Code::AmbiguousMatch);
    shared.expectation.as_mut().unwrap().terms.payer = Some(PAYER);
    assert_eq!(confirmed(decide(&shared, &plain)).code, Code::Verified);
    // Nobody allowed the direct rail.
    let closed = keyed(ExpectationKey::RequestId("01aa".to_owned()), vec![Rail::Reference]);
    assert_eq!(recorded(decide(&event(Some(bare), Some(closed)), &plain)).code, Code::AmbiguousMatch);
}

#[test]
fn claims_that_cannot_be_looked_up_say_so_at_once() {
    let stored = || Some(expectation());
    let tron = crate::model::Claim { network: "tron".to_owned(), ..claim() };
    let ignorant = NodeView { receipt: None, header_at: None, ..view(HEIGHT + 9, None, receipt(vec![])) };
    let unsupported = recorded(decide(&event(Some(tron.clone()), stored()), &unanimous(&ignorant)));
    assert_eq!((unsupported.state, unsupported.code), (EventState::Held, Code::ChainUnsupported));
    let open = decide_by(&event(Some(tron), None), &Observations::default(), &without_expectation(), NOW);
    assert_eq!(recorded(open).code, Code::ChainUnsupported);
    let short = crate::model::Claim { tx_hash: "0xabcd".to_owned(), ..claim() };
    let malformed = recorded(decide(&event(Some(short), stored()), &Observations::default()));
    assert_eq!((malformed.state, malformed.code), (EventState::Refuted, Code::TxHashMalformed));
}

#[test]
fn rule_33_a_claimed_network_does_not_lead_away_from_the_money() {
    let paid = final_block(proxy_payment(PAYEE, HUNDRED, TOPIC));
    // Signed with a stolen secret, after the genuine delivery or before it.
    let tron = crate::model::Claim { network: "tron".to_owned(), ..claim() };
    let alone = event(Some(tron.clone()), Some(expectation()));
    assert_eq!(confirmed(decide(&alone, &paid)).code, Code::Verified, "the expectation says where");
    let mut unmatched = event(Some(tron), None);
    unmatched.networks.push("base".to_owned());
    let confirmation = confirmed(decide_by(&unmatched, &paid, &without_expectation(), NOW));
    assert_eq!(confirmation.code, Code::VerifiedUnmatched, "one of the claims says where");
}

#[test]
fn rule_33_every_chain_in_question_gets_its_turn_until_one_has_the_transaction() {
    let mut chains = chains();
    let polygon = chain_config::Registry::builtin().unwrap().chain("polygon").unwrap().clone();
    chains.insert("polygon".to_owned(), active(polygon, &[("p", "x"), ("q", "y")]));
    let (source, verification) = (source(), verification());
    let rules = rules(&source, &verification, &chains);
    let lied = crate::model::Claim { network: "matic".to_owned(), ..claim() };
    let mut looked_for = event(Some(lied), Some(expectation()));
    let place = |event: &DueEvent| match begin(event, &rules, &NOW) {
        Begun::Ask(question) => question.plan.chain,
        Begun::Decided(decision) => panic!("{decision:?}"),
    };
    let mut seen = Vec::new();
    for looks in 0..4 {
        looked_for.progress.looks = looks;
        seen.push(place(&looked_for));
    }
    assert_eq!(seen, ["base", "polygon", "base", "polygon"]);
    looked_for.anchor = Some(anchor());
    assert_eq!(place(&looked_for), "base", "found there");
}

#[test]
fn a_claim_on_a_chain_that_is_not_accepted_is_shown_as_that() {
    let mut elsewhere = expectation();
    elsewhere.terms.accept[0].chain_id = 1;
    let paid = final_block(proxy_payment(PAYEE, HUNDRED, TOPIC));
    let refused = recorded(decide(&event(Some(claim()), Some(elsewhere)), &paid));
    assert_eq!(refused.state, EventState::Refuted);
    assert_eq!(outcome(&refused.seen, CheckName::Chain), Some(CheckOutcome::Fail));
}

#[test]
fn only_a_transaction_nobody_knows_is_ever_given_up() {
    let ignorant = NodeView { receipt: None, header_at: None, ..view(HEIGHT + 9, None, receipt(vec![])) };
    let limited = || Err(NodeError::RateLimited);
    let down = || Err(NodeError::Unavailable("deadline passed"));
    let wrong = || Err(NodeError::WrongChain("1".to_owned()));
    let (stale, paid) = (NodeView { head: header(1, BLOCK), ..ignorant.clone() }, proxy_payment(PAYEE, HUNDRED, TOPIC));
    let knows = view(HEIGHT + 9, None, receipt(paid));
    let forks = NodeView { header_at: Some(header(HEIGHT, B256::ZERO)), receipt: None, ..knows.clone() };
    let cases = [
        (unanimous(&ignorant), EventState::Verifying, Code::WaitingInclusion, Some(Code::TxNotFound)),
        (seen(vec![Ok(ignorant), Ok(stale.clone()), Ok(stale)]), EventState::Undetermined, Code::WaitingQuorum, None),
        (seen(vec![limited(), limited(), limited()]), EventState::Undetermined, Code::RpcRateLimited, None),
        (seen(vec![down(), down(), down()]), EventState::Undetermined, Code::RpcUnavailable, None),
        (seen(vec![wrong(), wrong(), down()]), EventState::Undetermined, Code::ChainIdMismatch, None),
        (seen(vec![Ok(knows), Ok(forks), down()]), EventState::Undetermined, Code::RpcDisagreement, None),
    ];
    for (observations, state, code, end) in cases {
        let mut young = event(Some(claim()), Some(expectation()));
        young.progress.looks = 3;
        let waits = recorded(decide(&young, &observations));
        assert_eq!((waits.state, waits.code), (state, code));
        assert_eq!(waits.due_us, Some(NOW.now_us + 4_000_000), "half of 1 s · 2³ without jitter");
        let mut old = young;
        old.progress.first_us = NOW.now_us - 90_000_000_000;
        let after = recorded(decide(&old, &observations));
        match end {
            Some(end) => assert_eq!((after.state, after.code, after.due_us), (EventState::Held, end, None)),
            None => assert_eq!((after.state, after.code), (state, code), "waits as long as its cause lasts"),
        }
    }
}
