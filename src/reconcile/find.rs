//! From a log to what it is about: which expectation, which slots, and the claim that is to be checked. Pure.
//!
//! Everything that may be our money becomes an event, and verification says whether it is: a proxy's event with a watched
//! reference always; a plain transfer unless the receipt shows that it is another rail's. Slots are positions in the
//! receipt, so the receipt is needed, as enough nodes have it.

use alloy_primitives::{Address, B256};
use chain_config::Chain;

use super::plan::Mark;
use crate::chain::{Log, NodeAnswer, PlacedLog, Receipt};
use crate::config::Source;
use crate::ledger::{EventFacts, ScanFind, ScanTarget, Sighting};
use crate::model::{Basis, Claim, Class, ExpectationKey, Origin, PaymentReference, Slot, TransferKey};
use crate::verify::matcher::{self, Evidence, Found, Outcome, Payer, Query, Rail, Reference, Wanted};
use crate::verify::quorum::Policy;

/// A transaction with the logs of one mark in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// What the logs are about.
    pub mark: Mark,
    /// The transaction.
    pub tx_hash: B256,
    /// The logs; at least one.
    pub logs: Vec<Log>,
}

/// What nodes say about a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// Enough of them say the same.
    Receipt(Box<Receipt>),
    /// Enough of them do not know it.
    Unknown,
    /// Neither.
    Unclear,
}

/// The watched logs, by transaction and mark, in the order of blocks.
#[must_use]
pub fn hits(logs: &[PlacedLog], mark: impl Fn(&Log) -> Option<Mark>) -> Vec<Hit> {
    let mut hits: Vec<Hit> = Vec::new();
    for placed in logs {
        let Some(mark) = mark(&placed.log) else { continue };
        match hits.iter_mut().rev().find(|hit| (hit.mark, hit.tx_hash) == (mark, placed.tx_hash)) {
            Some(hit) => hit.logs.push(placed.log.clone()),
            None => hits.push(Hit { mark, tx_hash: placed.tx_hash, logs: vec![placed.log.clone()] }),
        }
    }
    hits
}

/// What a hit may be for, the likeliest first: who has to be the payer and is, what is open, the first by its id.
#[must_use]
pub fn candidates<'a>(hit: &Hit, paid: impl Iterator<Item = &'a ScanTarget>) -> Vec<&'a ScanTarget> {
    let from: Vec<Address> = match hit.mark {
        Mark::Reference(_) | Mark::Escrow(_) => Vec::new(),
        Mark::Transfer { .. } => {
            hit.logs.iter().filter_map(|log| log.topics.get(1)).map(|from| Address::from_word(*from)).collect()
        }
    };
    let pays = |target: &&ScanTarget| match (hit.mark, target.payer) {
        (Mark::Reference(_) | Mark::Escrow(_), _) | (Mark::Transfer { .. }, None) => true,
        (Mark::Transfer { .. }, Some(payer)) => from.contains(&payer),
    };
    let mut found: Vec<&ScanTarget> = paid.filter(pays).collect();
    found.sort_by_key(|target| (target.payer.is_none(), !target.is_open, &target.expectation_id));
    found
}

/// A hit as one expectation's.
#[must_use]
pub fn sighting(chain: &Chain, hit: &Hit, target: &ScanTarget) -> Sighting {
    Sighting {
        chain_id: chain.chain_id,
        tx_hash: hit.tx_hash,
        expectation_id: target.expectation_id.clone(),
        realm: target.realm.clone(),
        key: target.key.clone(),
    }
}

/// The receipt that enough nodes give.
#[must_use]
pub fn known(policy: Policy, answers: &[NodeAnswer<Option<Receipt>>]) -> Known {
    let said: Vec<_> = answers.iter().filter_map(|node| Some((&node.owner, node.answer.as_ref().ok()?))).collect();
    let receipts = || said.iter().filter_map(|(owner, receipt)| Some((owner.as_str(), receipt.as_ref()?)));
    let agreed = receipts().find(|(_, receipt)| {
        policy.is_met_by(receipts().filter(|(_, other)| other.says_the_same(receipt)).map(|(owner, _)| owner))
    });
    if let Some((_, receipt)) = agreed {
        return Known::Receipt(Box::new(receipt.clone()));
    }
    let ignorant = said.iter().filter(|(_, receipt)| receipt.is_none()).map(|(owner, _)| owner.as_str());
    if policy.is_met_by(ignorant) { Known::Unknown } else { Known::Unclear }
}

/// What a hit is, for the likeliest of the candidates that it pays; none when it is no money of theirs.
#[must_use]
pub fn find(
    chain: &Chain,
    receipt: &Receipt,
    hit: &Hit,
    candidates: &[&ScanTarget],
    facts: impl Fn(&ScanTarget) -> EventFacts,
) -> Option<ScanFind> {
    // What is not in the receipt that enough nodes have, one node made up.
    let position = (0_u32..).zip(&receipt.logs).find(|(_, log)| hit.logs.contains(log))?.0;
    if receipt.status != Some(1) {
        return None;
    }
    let judged: Vec<(&ScanTarget, Outcome)> =
        candidates.iter().map(|target| (*target, search(chain, receipt, target))).collect();
    let paid = judged.iter().find_map(|(target, outcome)| match outcome {
        Outcome::Found(found) => Some((*target, slots(chain, receipt, found))),
        Outcome::Doubt(_) => None,
    });
    let doubtful = || {
        let (target, _) = judged.iter().find(|(_, outcome)| match (outcome, hit.mark) {
            (Outcome::Doubt(_), Mark::Reference(_) | Mark::Escrow(_)) => true,
            (Outcome::Doubt(doubt), Mark::Transfer { .. }) => doubt.code.class() == Class::Hold,
            (Outcome::Found(_), _) => false,
        })?;
        Some((*target, vec![key(chain, receipt, Slot::Log(position))]))
    };
    let (target, slots) = paid.or_else(doubtful)?;
    Some(ScanFind {
        sighting: sighting(chain, hit, target),
        slots,
        block_hash: receipt.block_hash,
        tx_index: receipt.tx_index,
        facts: facts(target),
        claim: claim(chain, hit, target),
        is_bound: target.key == ExpectationKey::Direct,
    })
}

/// Looks for the money as verification will. Whether a direct payment is ambiguous is left to it.
fn search(chain: &Chain, receipt: &Receipt, target: &ScanTarget) -> Outcome {
    let is_registered = |token: Option<Address>| token.is_none_or(|token| chain.token(&token).is_some());
    let ways = target.accept.iter().enumerate().filter(|(_, accept)| is_registered(accept.token));
    let wanted: Vec<Wanted> =
        ways.map(|(way, accept)| Wanted { way, token: accept.token, recipients: accept.recipients.clone() }).collect();
    let rail = match &target.key {
        ExpectationKey::PaymentReference(reference) => Rail::Reference(Reference::of(reference)),
        ExpectationKey::RequestId(_) | ExpectationKey::ProviderObject(_) | ExpectationKey::Direct => {
            Rail::Direct(target.payer.map_or(Payer::Anyone, Payer::Is))
        }
    };
    // Found by a log, so it is looked for in logs: what else may be coin is verification's to ask for.
    let query = Query { contracts: &chain.contracts, tokens: &chain.tokens, wanted: &wanted, rail, trace: false };
    matcher::search(&query, &Evidence::of_logs(&receipt.logs))
}

fn slots(chain: &Chain, receipt: &Receipt, found: &Found) -> Vec<TransferKey> {
    found.consumed.iter().map(|consumed| key(chain, receipt, consumed.slot)).collect()
}

fn key(chain: &Chain, receipt: &Receipt, slot: Slot) -> TransferKey {
    TransferKey { chain_id: chain.chain_id, tx_hash: receipt.tx_hash, slot }
}

/// What a webhook would have claimed, as far as the expectation knows it. Nothing about the money: that is proven.
fn claim(chain: &Chain, hit: &Hit, target: &ScanTarget) -> Claim {
    let (mut reference, mut request_id, mut provider_objects) = (None::<PaymentReference>, None, Vec::new());
    match &target.key {
        ExpectationKey::PaymentReference(known) => reference = Some(known.clone()),
        ExpectationKey::RequestId(id) => request_id = Some(id.clone()),
        ExpectationKey::ProviderObject(id) => provider_objects.push(id.clone()),
        ExpectationKey::Direct => {}
    }
    Claim {
        basis: Basis::Reference,
        network: chain.name.clone(),
        tx_hash: hit.tx_hash.to_string(),
        payment_reference: reference,
        request_id,
        provider_objects,
        amount: None,
        currency: None,
        payer: None,
    }
}

/// What an event without a delivery starts with: the source of its realm speaks for it. A realm that no source has any more
/// is named as it is, so that the money is not lost; verification waits for its return.
#[must_use]
pub fn facts(sources: &[Source], target: &ScanTarget, now_us: i64) -> EventFacts {
    let source = sources.iter().find(|source| source.realm == target.realm);
    EventFacts {
        source: source.map_or_else(|| target.realm.clone(), |source| source.name.clone()),
        realm: target.realm.clone(),
        provider: source.map_or_else(|| "unknown".to_owned(), |source| source.provider.name().to_owned()),
        provider_type: String::new(),
        provider_event_id: None,
        account: None,
        client_id: None,
        api_version: None,
        livemode: true,
        lane: format!("expectation:{}", target.expectation_id),
        origin: Origin::Scan,
        delivery_id: uuid::Uuid::nil(),
        received_us: now_us,
    }
}

#[cfg(test)]
mod tests;
