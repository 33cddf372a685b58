//! A claim that must be proven: status, match, deny lists, window, assurance, depth; in this order, each with its checks.

use std::borrow::Cow;

use alloy_primitives::{Address, U256};
use chain_config::{Chain, Token};

mod checks;
mod traced;

use checks::{chain_check, match_checks, same_symbol, seen, window};

use super::waiting::{self, at, deeper};
use super::{Confirmation, Content, Decision, Further, Ground, Seen, screened, shown};
use crate::chain::types::{Log, Transaction};
use crate::ledger::{ClaimedSlot, Exposure, JoinKey, Proof};
use crate::message::Payment;
use crate::model::{
    Assurance, Check, CheckName, CheckOutcome, Class, Code, EventState, ExpectationKey, Finality, PaymentReference,
    Rail, TransferKey,
};
use crate::verify::claim;
use crate::verify::diagnosis::{Doubt, check};
use crate::verify::finality::{self, Gap, Judged};
use crate::verify::matcher::{self, Evidence, Found, Needs, Outcome, Payer, Query, Rail as Bound, Wanted};
use crate::verify::quorum::{Anchored, Method, Policy};
use crate::verify::schedule::LONGEST;

/// Micro-dollars in a dollar.
const MICROS: u64 = 1_000_000;

/// Values up to this go on while a minority of nodes contradicts, or where what nodes show contradicts its own hash;
/// larger ones wait for the chain's own finality, or for a person.
const SMALL_UP_TO_USD: u64 = 1_000;

/// Judges a claim against the block that enough nodes agree on.
pub(super) fn judge(ground: &Ground<'_>, anchored: &Anchored) -> Decision {
    let mut checks = vec![chain_check(ground)];
    match anchored.receipt.status {
        Some(1) => checks.push(check(CheckName::Status, CheckOutcome::Pass, 1, 1)),
        Some(0) => {
            checks.push(check(CheckName::Status, CheckOutcome::Fail, 1, 0));
            return refuse(ground, anchored, Doubt { code: Code::TxReverted, checks });
        }
        other => {
            let actual = other.map_or_else(|| "none".to_owned(), |status| status.to_string());
            checks.push(check(CheckName::Status, CheckOutcome::Unknown, 1, actual));
            return refuse(ground, anchored, Doubt { code: Code::ReceiptUnsupported, checks });
        }
    }
    if is_elsewhere(ground) {
        return refuse(ground, anchored, Doubt { code: Code::WrongChain, checks });
    }
    match searched(ground, anchored) {
        Ok((found, anchored)) => matched(ground, &anchored, &found, checks),
        Err(mut doubt) => {
            checks.append(&mut doubt.checks);
            checks.extend(same_symbol(ground, doubt.code));
            refuse(ground, anchored, Doubt { code: doubt.code, checks })
        }
    }
}

/// What nodes have to be asked beyond the first look before this claim can be judged.
pub(super) fn further(ground: &Ground<'_>, anchored: &Anchored) -> Option<Further> {
    if anchored.receipt.status != Some(1) || is_elsewhere(ground) {
        return None;
    }
    if ground.seen.calls.is_none() && needs_calls(ground, anchored) {
        return Some(Further::Calls(anchored.anchor));
    }
    let oracle = screened::oracle(ground).filter(|_| ground.seen.oracle.is_none())?;
    let (found, anchored) = searched(ground, anchored).ok()?;
    let token = found.token.and_then(|address| ground.active.chain.token(&address));
    let value = token.and_then(|token| chain_config::usd_micros(found.amount, token));
    // Asked once, when the payment is deep enough: until then nothing goes out anyway.
    let is_deep = judge_depth(ground, &anchored, value).gap == Gap::None;
    let subjects = screened::addresses(&screened::of_payment(ground, &anchored, &found));
    is_deep.then_some(Further::Oracle { contract: oracle, at: anchored.anchor.block_hash, subjects })
}

/// A transaction on a chain on which its expectation takes no money.
fn is_elsewhere(ground: &Ground<'_>) -> bool {
    let here = ground.active.chain.chain_id;
    let expectation = ground.event.expectation.as_ref();
    expectation.is_some_and(|stored| stored.terms.accept.iter().all(|accept| accept.chain_id != here))
}

/// What is looked for, and where.
struct Search<'a> {
    chain: &'a Chain,
    tokens: Cow<'a, [Token]>,
    logs: &'a [Log],
    bound: Bound,
    wanted: Vec<Wanted>,
    transaction: Option<Transaction>,
}

impl<'a> Search<'a> {
    fn of(ground: &Ground<'a>, anchored: &'a Anchored) -> Result<Self, Doubt> {
        let (bound, wanted, transaction) = (binding(ground)?, wanted(ground), transaction(anchored));
        let tokens = tokens(ground);
        Ok(Self { chain: &ground.active.chain, tokens, logs: &anchored.receipt.logs, bound, wanted, transaction })
    }

    fn query(&self) -> Query<'_> {
        let (contracts, tokens) = (&self.chain.contracts, &self.tokens);
        Query { contracts, tokens, wanted: &self.wanted, rail: self.bound, trace: self.chain.trace }
    }

    fn evidence(&self) -> Evidence<'_> {
        Evidence { logs: self.logs, transaction: self.transaction.as_ref(), calls: None }
    }

    /// The money in the receipt and the transaction; or why there is none, with what could still show it.
    fn first(&self) -> Result<Found, (Doubt, Option<Needs>)> {
        let (query, evidence) = (self.query(), self.evidence());
        match matcher::search(&query, &evidence) {
            Outcome::Found(found) => Ok(found),
            // More of it would not make it clearer.
            Outcome::Doubt(doubt) if doubt.code == Code::AmbiguousMatch => Err((doubt, None)),
            Outcome::Doubt(doubt) => Err((doubt, query.needs(&evidence))),
        }
    }
}

/// The money in the receipt or in the transaction, or why there is none; with the block as those vote on it who say so.
fn searched<'a>(ground: &Ground<'_>, anchored: &'a Anchored) -> Result<(Found, Cow<'a, Anchored>), Doubt> {
    let search = Search::of(ground, anchored)?;
    match (search.first(), &ground.seen.calls) {
        (Ok(found), _) => Ok((found, Cow::Borrowed(anchored))),
        (Err((doubt, None)), _) => Err(doubt),
        (Err((_, Some(Needs::Trace))), Some(calls)) => {
            let told = (Policy::of(ground.active), anchored);
            let (found, anchored) = traced::search(&search.query(), &search.evidence(), told, calls)?;
            Ok((found, Cow::Owned(anchored)))
        }
        // It could be coin that cannot be shown here: that is no refusal.
        (Err((doubt, Some(Needs::Trace | Needs::Transaction))), _) => {
            Err(Doubt { code: Code::ProofUnsupported, ..doubt })
        }
    }
}

/// Whether the receipt and the transaction hold no money for the claim, and calls inside it could.
fn needs_calls(ground: &Ground<'_>, anchored: &Anchored) -> bool {
    Search::of(ground, anchored).is_ok_and(|search| matches!(search.first(), Err((_, Some(Needs::Trace)))))
}

/// Whether an operator's word lets the payment pass although it would be held for this (rule 24).
fn lets_pass(ground: &Ground<'_>, code: Code) -> bool {
    ground.event.accepted.as_ref().is_some_and(|accepted| accepted.code == code && code.may_be_accepted())
}

/// The chain's tokens. Where an operator accepted that a token took its fee, what arrived is credited.
fn tokens<'a>(ground: &Ground<'a>) -> Cow<'a, [Token]> {
    let tokens = &ground.active.chain.tokens;
    if !lets_pass(ground, Code::FeeOnTransfer) {
        return Cow::Borrowed(tokens);
    }
    tokens.iter().map(|token| Token { credit_received: true, ..token.clone() }).collect()
}

/// The transaction itself, where the block's transactions were proven: only then is its coin anybody's proof.
fn transaction(anchored: &Anchored) -> Option<Transaction> {
    let proven = anchored.transaction.as_ref()?;
    let call = proven.call.as_ref()?;
    Some(Transaction {
        hash: proven.tx_hash,
        from: anchored.receipt.from,
        to: call.to,
        value: call.value,
        nonce: proven.nonce?,
        block_hash: Some(anchored.anchor.block_hash),
        tx_index: Some(proven.tx_index),
    })
}

/// What a forwarded payment is in the block that it was found in again.
pub(super) enum Again {
    /// The same money to the same recipient.
    Same {
        /// Where it is now.
        slots: Vec<ClaimedSlot>,
        /// As when it was confirmed.
        joins_by: Option<JoinKey>,
        /// For the trace.
        seen: Seen,
    },
    /// Something else: it failed there, or pays otherwise.
    Different {
        /// What it is.
        code: Code,
        /// For the message and the trace.
        seen: Seen,
    },
    /// Too few nodes say what it is.
    Unclear(Seen),
}

/// Whether a transaction still is the payment that was forwarded. Depth does not matter here: it is followed on.
pub(super) fn again(ground: &Ground<'_>, anchored: &Anchored) -> Again {
    let different = |code, checks| {
        let seen = Seen { checks, votes: anchored.votes.clone(), depth: None };
        Again::Different { code, seen }
    };
    if anchored.receipt.status != Some(1) {
        let actual = anchored.receipt.status.map_or_else(|| "none".to_owned(), |status| status.to_string());
        return different(Code::TxReverted, vec![check(CheckName::Status, CheckOutcome::Fail, 1, actual)]);
    }
    let (found, anchored) = match searched(ground, anchored) {
        Ok(found) => found,
        Err(doubt) if doubt.code.class() == Class::Wait || doubt.code == Code::ProofUnsupported => {
            return Again::Unclear(Seen { checks: doubt.checks, votes: anchored.votes.clone(), depth: None });
        }
        Err(doubt) => return different(doubt.code, doubt.checks),
    };
    let claimed = &ground.event.claimed;
    let before = claimed.iter().fold(U256::ZERO, |sum, slot| sum.saturating_add(slot.amount));
    let is_same = before == found.amount
        && claimed.iter().all(|slot| (slot.token, slot.recipient) == (found.token, found.recipient));
    let checks = vec![check(
        CheckName::Amount,
        if is_same { CheckOutcome::Pass } else { CheckOutcome::Fail },
        before,
        found.amount,
    )];
    if !is_same {
        return different(Code::ClaimMismatch, checks);
    }
    let seen = Seen { checks, votes: anchored.votes.clone(), depth: None };
    Again::Same { slots: slots(&anchored, &found), joins_by: join(ground), seen }
}

fn slots(anchored: &Anchored, found: &Found) -> Vec<ClaimedSlot> {
    let anchor = &anchored.anchor;
    let key = |slot| TransferKey { chain_id: anchor.chain_id, tx_hash: anchor.tx_hash, slot };
    let slots = found.consumed.iter().map(|consumed| ClaimedSlot {
        key: key(consumed.slot),
        amount: consumed.amount,
        token: consumed.token,
        recipient: consumed.recipient,
    });
    slots.collect()
}

/// What joins a late identity to this event.
fn join(ground: &Ground<'_>) -> Option<JoinKey> {
    let (reference, _) = reference(ground)?;
    Some(JoinKey { realm: ground.event.facts.realm.clone(), reference: reference.to_string() })
}

/// Which rail, by the expectation and never by the payload.
fn binding(ground: &Ground<'_>) -> Result<Bound, Doubt> {
    let expectation = ground.event.expectation.as_ref();
    let rails = expectation.map(|stored| stored.terms.rails.as_slice()).unwrap_or_default();
    let allows = |rail: Rail| rails.is_empty() || rails.contains(&rail);
    let closed = |wanted: Rail| {
        let open = rails.iter().map(|rail| rail.as_str()).collect::<Vec<_>>().join(", ");
        let checks = vec![check(CheckName::Reference, CheckOutcome::Fail, format!("rails {open}"), wanted)];
        Doubt { code: Code::AmbiguousMatch, checks }
    };
    if let Some((reference, _)) = reference(ground) {
        return if allows(Rail::Reference) {
            Ok(Bound::Reference(matcher::Reference::of(reference)))
        } else {
            Err(closed(Rail::Reference))
        };
    }
    if !rails.contains(&Rail::Direct) {
        return Err(closed(Rail::Direct));
    }
    let payer = expectation.and_then(|stored| stored.terms.payer);
    Ok(Bound::Direct(match payer {
        Some(payer) => Payer::Is(payer),
        None if ground.event.recipient_shared && !lets_pass(ground, Code::AmbiguousMatch) => Payer::Undecidable,
        None => Payer::Anyone,
    }))
}

/// The reference that binds, and whether the backend itself named it. Ours counts where both are known; an expectation
/// found by request id alone has none, so the webhook's finds the proxy's event, and recipient and token are ours.
fn reference<'a>(ground: &Ground<'a>) -> Option<(&'a PaymentReference, Named)> {
    match ground.event.expectation.as_ref().map(|stored| &stored.terms.key) {
        Some(ExpectationKey::PaymentReference(reference)) => Some((reference, Named::ByBackend)),
        Some(ExpectationKey::RequestId(_) | ExpectationKey::ProviderObject(_) | ExpectationKey::Direct) | None => {
            ground.claim.payment_reference.as_ref().map(|reference| (reference, Named::ByProvider))
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Named {
    ByBackend,
    ByProvider,
}

/// Acceptable ways on this chain: the expectation's, bounded by the configured recipients; or, without one, any
/// registered token to a configured recipient. A token without a registry entry is never acceptable.
fn wanted(ground: &Ground<'_>) -> Vec<Wanted> {
    let (chain, bound) = (&ground.active.chain, &ground.rules.verification.recipients);
    let is_registered = |token: Option<Address>| token.is_none_or(|token| chain.token(&token).is_some());
    match &ground.event.expectation {
        Some(stored) => {
            let ways = stored.terms.accept.iter().enumerate();
            let ways = ways.filter(|(_, accept)| accept.chain_id == chain.chain_id && is_registered(accept.token));
            ways.map(|(way, accept)| Wanted {
                way,
                token: accept.token,
                recipients: accept
                    .recipients
                    .iter()
                    .filter(|to| bound.is_empty() || bound.contains(to))
                    .copied()
                    .collect(),
            })
            .collect()
        }
        None => {
            let tokens = chain.tokens.iter().map(|token| Some(token.address)).chain([None]);
            tokens.map(|token| Wanted { way: 0, token, recipients: bound.clone() }).collect()
        }
    }
}

/// Not the money: final says so, anything less waits under the same code. What too few nodes say is no refusal.
fn refuse(ground: &Ground<'_>, anchored: &Anchored, doubt: Doubt) -> Decision {
    let judged = judge_depth(ground, anchored, None);
    let seen = seen(anchored, &judged, doubt.checks);
    if doubt.code.class() == Class::Wait {
        return at(waiting::record(ground.event, doubt.code, seen, ground.moment), anchored);
    }
    if judged.gap != Gap::None {
        return deeper(ground, doubt.code, anchored, &judged, seen);
    }
    let state = match doubt.code.class() {
        Class::Terminal => EventState::Refuted,
        Class::Hold | Class::Ok | Class::Wait | Class::Ignore => EventState::Held,
    };
    at(Decision::record(state, doubt.code, None, seen), anchored)
}

fn matched(ground: &Ground<'_>, anchored: &Anchored, found: &Found, mut checks: Vec<Check>) -> Decision {
    let chain = &ground.active.chain;
    let accept = ground.event.expectation.as_ref().and_then(|stored| stored.terms.accept.get(found.way));
    let token = found.token.and_then(|address| chain.token(&address));
    let (symbol, decimals) = match (token, accept) {
        (Some(token), _) => (token.symbol.as_str(), token.decimals),
        (None, Some(accept)) => (accept.symbol.as_str(), accept.decimals),
        (None, None) => (chain.native.symbol.as_str(), chain.native.decimals),
    };
    checks.push(shown::sender(anchored));
    checks.extend(match_checks(ground, found));
    checks.extend(claim::compare(ground.claim, found, symbol, decimals));
    let value = token.and_then(|token| chain_config::usd_micros(found.amount, token));
    let judged = judge_depth(ground, anchored, value);
    let subjects = screened::of_payment(ground, anchored, found);
    let screened = screened::judge(ground, anchored, &subjects, &judged, &mut checks);
    let screened = screened.filter(|code| !lets_pass(ground, *code));
    let mut code = screened.filter(|code| code.class() == Class::Hold);
    if let Some(stored) = &ground.event.expectation {
        let outside = window(stored, anchored.anchor.block_timestamp, &mut checks);
        code = code.or(outside.filter(|code| !lets_pass(ground, *code)));
    }
    let assurance = assurance(ground);
    let least = least_assurance(ground);
    if assurance < least {
        checks.push(check(CheckName::Contract, CheckOutcome::Fail, format!("assurance {least}"), assurance));
        code = code.or(Some(Code::AssuranceTooLow));
    }
    if judged.gap == Gap::None && is_contested(anchored, &judged) {
        let due_us = Some(ground.moment.when_deeper(Gap::Tag(chain_config::Tag::Finalized), chain));
        let seen = seen(anchored, &judged, checks);
        return at(Decision::record(EventState::Undetermined, Code::RpcDisagreement, due_us, seen), anchored);
    }
    if judged.gap != Gap::None {
        let seen = seen(anchored, &judged, checks);
        return deeper(ground, code.unwrap_or(Code::WaitingConfirmations), anchored, &judged, seen);
    }
    if ground.rules.stopped.contains(ground.name) {
        let due_us = Some(ground.moment.after(LONGEST));
        let seen = seen(anchored, &judged, checks);
        return at(Decision::record(EventState::Undetermined, Code::ChainDeepReorg, due_us, seen), anchored);
    }
    // A small sum goes on by the word of enough nodes; for a large one it is an upgrade to look at, or an attack.
    if anchored.method == Method::QuorumForMismatch && is_large(&judged) {
        code = Some(Code::ProofMismatch);
    }
    if let Some(code) = code {
        let seen = seen(anchored, &judged, checks);
        return at(Decision::record(EventState::Held, code, None, seen), anchored);
    }
    let seen = seen(anchored, &judged, checks);
    if let Some(code) = screened {
        // Nobody can say whether it may go out: a fresh list will.
        return at(waiting::record(ground.event, code, seen, ground.moment), anchored);
    }
    let proof = Proof {
        assurance,
        method: anchored.method.as_str(),
        tier: judged.tier.name.clone(),
        finality: judged.finality,
        confirmations: judged.confirmations,
        votes: seen.votes.clone(),
        checks: seen.checks.clone(),
        accepted: ground.event.accepted.clone(),
    };
    let exposure = exposure(ground, value, &judged);
    Decision::Confirm(Box::new(confirmation(ground, anchored, found, (symbol, decimals), exposure, proof, seen)))
}

/// What is at risk until the block is final. What has no price takes the strictest tier and is final when it goes out;
/// where it is not, it counts as nothing that could be limited.
fn exposure(ground: &Ground<'_>, value: Option<U256>, judged: &Judged<'_>) -> Option<Exposure> {
    let usd_micros = value.map(|value| u64::try_from(value).unwrap_or(u64::MAX))?;
    let cap = ground.rules.verification.exposure_cap_usd.map(|usd| usd.saturating_mul(MICROS));
    (judged.finality != Finality::Final).then_some(Exposure { usd_micros, cap_usd_micros: cap })
}

fn judge_depth<'a>(ground: &Ground<'a>, anchored: &Anchored, value: Option<U256>) -> Judged<'a> {
    finality::judge(&ground.active.chain.finality, value, anchored.anchor.block_number, &anchored.standing)
}

/// Deep enough by the policy, and yet a minority shows another chain: only small amounts go on.
fn is_contested(anchored: &Anchored, judged: &Judged<'_>) -> bool {
    0 < anchored.dissent && is_large(judged) && judged.finality != crate::model::Finality::Final
}

/// Of the tiers above small sums.
fn is_large(judged: &Judged<'_>) -> bool {
    judged.tier.up_to_usd.is_none_or(|most| SMALL_UP_TO_USD < most)
}

/// A3 needs a reference that the backend named: a provider's word for it is not proof of what it pays.
fn assurance(ground: &Ground<'_>) -> Assurance {
    match reference(ground) {
        Some((_, Named::ByBackend)) => Assurance::A3,
        Some((_, Named::ByProvider)) | None => Assurance::A2,
    }
}

fn least_assurance(ground: &Ground<'_>) -> Assurance {
    let own = ground.event.expectation.as_ref().and_then(|stored| stored.terms.min_assurance);
    // Less than a proven recipient is never a verified payment.
    let source = ground.rules.source.map(|source| source.min_assurance);
    own.or(source).unwrap_or(Assurance::A2).max(Assurance::A2)
}

fn confirmation(
    ground: &Ground<'_>,
    anchored: &Anchored,
    found: &Found,
    (symbol, decimals): (&str, u8),
    exposure: Option<Exposure>,
    proof: Proof,
    seen: Seen,
) -> Confirmation {
    let (anchor, chain) = (anchored.anchor, &ground.active.chain);
    let bound = reference(ground).map(|(reference, _)| reference.clone());
    let payment = Payment {
        chain: ground.name.to_owned(),
        chain_id: anchor.chain_id,
        testnet: chain.testnet,
        tx_hash: anchor.tx_hash,
        slots: found.consumed.iter().map(|consumed| consumed.slot).collect(),
        block_number: anchor.block_number,
        block_hash: anchor.block_hash,
        block_timestamp: anchor.block_timestamp,
        explorer_url: chain.tx_url(&anchor.tx_hash),
        token_symbol: symbol.to_owned(),
        token_address: found.token,
        token_decimals: decimals,
        recipient: found.recipient,
        payer: found.payer,
        tx_from: Some(anchored.receipt.from),
        amount: found.amount,
        fee: found.fee,
        payment_reference: bound,
        request_id: ground.claim.request_id.clone(),
    };
    let expectation = ground.event.expectation.as_ref();
    Confirmation {
        code: if expectation.is_some() { Code::Verified } else { Code::VerifiedUnmatched },
        anchor: Some(anchor),
        slots: slots(anchored, found),
        amount: found.amount,
        expectation: expectation.map(|stored| (stored.terms.id.clone(), stored.version, found.way)),
        joins_by: join(ground),
        sender: anchored.sender,
        evidence: shown::bundle(anchored, ground.moment),
        exposure,
        back: None,
        content: Content::Payment(Box::new(payment), Box::new(proof)),
        seen,
    }
}
