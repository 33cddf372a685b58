//! Looks for the money in a receipt: a registered proxy's event gives the reference, the token's
//! own `Transfer` gives the money, and both are consumed. Pure; never a best effort: what does not fit exactly is not
//! a match.
//!
//! All registered proxies' events are paired first, ours or not, so that one transfer cannot stand for two references.

use std::collections::BTreeSet;

use alloy_primitives::{Address, B256, U256, keccak256};
use chain_config::{Contracts, Token};

use super::diagnosis::{self, Doubt};
use super::events::{self, ProxyEvent, Transfer};
use crate::chain::Log;
use crate::model::{Code, PaymentReference};

/// One acceptable way to be paid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Which way to pay of the expectation; 0 where there is none.
    pub way: usize,
    /// Token; none is the native coin.
    pub token: Option<Address>,
    /// Who may receive.
    pub recipients: Vec<Address>,
}

/// What binds the money to the claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rail {
    /// Proxies' events with this topic (R1, R2).
    Reference(B256),
    /// A plain token transfer (R5), from this payer or, without one, to a recipient that nobody else waits at.
    Direct(Payer),
}

/// Who must have paid on a direct rail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payer {
    /// This address.
    Is(Address),
    /// Anyone: the recipient is this expectation's own.
    Anyone,
    /// Nobody is named and another open expectation waits at the same recipient.
    Undecidable,
}

/// What to look for.
#[derive(Debug, Clone, Copy)]
pub struct Query<'a> {
    /// Registered emitters of the chain.
    pub contracts: &'a Contracts,
    /// Registered tokens of the chain.
    pub tokens: &'a [Token],
    /// Acceptable ways.
    pub wanted: &'a [Wanted],
    /// What binds.
    pub rail: Rail,
}

/// One log position that a payment uses up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Consumed {
    /// Position of the log in the receipt.
    pub position: u32,
    /// The money it proves; zero for a proxy's event that goes with a transfer.
    pub amount: U256,
    /// Token; none is native.
    pub token: Option<Address>,
    /// Who received.
    pub recipient: Address,
}

/// The money of one transaction for one claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Which way to pay.
    pub way: usize,
    /// Token; none is native.
    pub token: Option<Address>,
    /// Who received; the first one, when one reference was paid to several accepted recipients.
    pub recipient: Address,
    /// Who paid, by the first transfer; unknown for native money.
    pub payer: Option<Address>,
    /// The proxy that spoke, on the reference rail.
    pub emitter: Option<Address>,
    /// Sum of the transfers, base units.
    pub amount: U256,
    /// Sum of the proxy's fees, base units; on top, never part of the amount.
    pub fee: U256,
    /// Positions used up, ascending.
    pub consumed: Vec<Consumed>,
}

/// What the receipt holds for the query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Money.
    Found(Found),
    /// No money that counts, and the most specific reason.
    Doubt(Doubt),
}

/// The topic that a proxy's event carries for a reference: keccak-256 of its raw bytes.
#[must_use]
pub fn reference_topic(reference: &PaymentReference) -> B256 {
    keccak256(reference.as_bytes())
}

/// A registered proxy's event and the transfer that goes with it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pair {
    pub(super) event: ProxyEvent,
    /// None for native money, which leaves no log of its own, and where the transfer is missing.
    pub(super) transfer: Option<Transfer>,
}

/// Everything in a receipt that has a known shape.
#[derive(Debug, Default)]
pub(super) struct Reading {
    pub(super) pairs: Vec<Pair>,
    /// Proxy-shaped events of contracts that are not registered.
    pub(super) strangers: Vec<ProxyEvent>,
    pub(super) transfers: Vec<Transfer>,
    /// Positions of transfers that go with an event.
    pub(super) paired: BTreeSet<u32>,
}

/// Looks for the money. The receipt's status is the caller's to check first.
#[must_use]
pub fn search(query: &Query<'_>, logs: &[Log]) -> Outcome {
    let reading = Reading::of(query.contracts, logs);
    let found = match query.rail {
        Rail::Reference(topic) => by_reference(query, &reading, topic),
        Rail::Direct(payer) => direct(query, &reading, payer),
    };
    match found {
        Ok(Some(found)) => Outcome::Found(found),
        Ok(None) => Outcome::Doubt(diagnosis::of(query, &reading)),
        Err(code) => Outcome::Doubt(Doubt::of(code)),
    }
}

// === impl Reading ===

impl Reading {
    pub(super) fn of(contracts: &Contracts, logs: &[Log]) -> Self {
        let mut reading = Self::default();
        let mut events = Vec::new();
        // A receipt of 32 MiB has fewer logs than a u32 counts.
        for (position, log) in (0_u32..).zip(logs) {
            reading.transfers.extend(events::transfer(position, log));
            events.extend(events::proxy_event(position, log));
        }
        for event in events {
            if is_registered(contracts, &event) {
                let transfer = reading.take_transfer(&event);
                reading.pairs.push(Pair { event, transfer });
            } else {
                reading.strangers.push(event);
            }
        }
        reading
    }

    /// The nearest preceding transfer of the token, not yet used, to the same recipient, of the same value.
    fn take_transfer(&mut self, event: &ProxyEvent) -> Option<Transfer> {
        let token = event.token?;
        let nearest = self.transfers.iter().rev().find(|transfer| {
            transfer.position < event.position
                && !self.paired.contains(&transfer.position)
                && (transfer.token, transfer.to, transfer.value) == (token, event.to, event.amount)
        });
        let nearest = *nearest?;
        self.paired.insert(nearest.position);
        Some(nearest)
    }
}

fn is_registered(contracts: &Contracts, event: &ProxyEvent) -> bool {
    let emitters = match event.token {
        Some(_) => &contracts.erc20_fee_proxy,
        None => &contracts.eth_fee_proxy,
    };
    emitters.contains(&event.emitter)
}

impl Query<'_> {
    /// The way to pay that takes this token at this recipient.
    pub(super) fn way(&self, token: Option<Address>, to: Address) -> Option<&Wanted> {
        self.wanted.iter().find(|wanted| wanted.token == token && wanted.recipients.contains(&to))
    }
}

// === the rails ===

fn by_reference(query: &Query<'_>, reading: &Reading, topic: B256) -> Result<Option<Found>, Code> {
    let mut sum = None;
    for pair in reading.pairs.iter().filter(|pair| pair.event.reference == topic) {
        let event = &pair.event;
        let Some(wanted) = query.way(event.token, event.to) else { continue };
        let (event_money, payer) = match (event.token, pair.transfer) {
            (None, _) => (event.amount, None),
            (Some(_), Some(transfer)) => (U256::ZERO, Some(transfer.from)),
            (Some(_), None) => continue,
        };
        // Nothing moved: a stranger can make as many of these as he likes.
        if event.amount.is_zero() {
            continue;
        }
        let slot = |position, amount| Consumed { position, amount, token: event.token, recipient: event.to };
        let mut consumed = vec![slot(event.position, event_money)];
        consumed.extend(pair.transfer.map(|transfer| slot(transfer.position, transfer.value)));
        let one = Found {
            way: wanted.way,
            token: event.token,
            recipient: event.to,
            payer,
            emitter: Some(event.emitter),
            amount: event.amount,
            fee: event.fee,
            consumed,
        };
        sum = Some(add(sum, one)?);
    }
    Ok(sum)
}

/// One claim is one event with one sum: money in two tokens cannot be one.
fn add(sum: Option<Found>, one: Found) -> Result<Found, Code> {
    let Some(mut sum) = sum else { return Ok(sorted(one)) };
    if (sum.way, sum.token) != (one.way, one.token) {
        return Err(Code::AmbiguousMatch);
    }
    sum.amount = sum.amount.checked_add(one.amount).ok_or(Code::ReceiptUnsupported)?;
    sum.fee = sum.fee.checked_add(one.fee).ok_or(Code::ReceiptUnsupported)?;
    sum.consumed.extend(one.consumed);
    Ok(sorted(sum))
}

fn sorted(mut found: Found) -> Found {
    found.consumed.sort_by_key(|consumed| consumed.position);
    found
}

fn direct(query: &Query<'_>, reading: &Reading, payer: Payer) -> Result<Option<Found>, Code> {
    let candidates = reading.transfers.iter().filter(|transfer| {
        !reading.paired.contains(&transfer.position)
            && !transfer.value.is_zero()
            && transfer.from != transfer.to
            && match payer {
                Payer::Is(payer) => transfer.from == payer,
                Payer::Anyone | Payer::Undecidable => true,
            }
    });
    let mut candidates =
        candidates.filter_map(|transfer| Some((transfer, query.way(Some(transfer.token), transfer.to)?)));
    let Some((transfer, wanted)) = candidates.next() else { return Ok(None) };
    if candidates.next().is_some() || payer == Payer::Undecidable {
        return Err(Code::AmbiguousMatch);
    }
    let (token, recipient, amount) = (Some(transfer.token), transfer.to, transfer.value);
    Ok(Some(Found {
        way: wanted.way,
        token,
        recipient,
        payer: Some(transfer.from),
        emitter: None,
        amount,
        fee: U256::ZERO,
        consumed: vec![Consumed { position: transfer.position, amount, token, recipient }],
    }))
}

#[cfg(test)]
mod attacks;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
