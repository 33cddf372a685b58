//! Why a receipt holds no money that counts: the most specific reason, with what was expected and what was seen.
//!
//! Pure, and only for people: it is asked after the matcher found nothing, and cannot turn a no into a yes.

use std::fmt::Display;

use alloy_primitives::{Address, B256};

use super::events::{ProxyEvent, Transfer};
use super::matcher::{Pair, Payer, Query, Rail, Reading};
use crate::model::{Check, CheckName, CheckOutcome, Code};

/// A reason and the checks that show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    /// The reason.
    pub code: Code,
    /// What was expected and seen.
    pub checks: Vec<Check>,
}

impl Doubt {
    /// A reason without more to show.
    #[must_use]
    pub const fn of(code: Code) -> Self {
        Self { code, checks: Vec::new() }
    }

    fn because(code: Code, name: CheckName, expected: impl Display, actual: impl Display) -> Self {
        Self { code, checks: vec![check(name, CheckOutcome::Fail, expected, actual)] }
    }
}

/// A check from displayable values.
pub fn check(name: CheckName, outcome: CheckOutcome, expected: impl Display, actual: impl Display) -> Check {
    Check { name, outcome, expected: expected.to_string(), actual: actual.to_string() }
}

/// The most specific reason, in this order: what a registered proxy says with our reference, what a stranger says
/// with it, what a registered proxy says to us with another reference, and what plain transfers show.
pub(super) fn of(query: &Query<'_>, reading: &Reading) -> Doubt {
    let doubt = match query.rail {
        Rail::Reference(topic) => by_reference(query, reading, topic),
        Rail::Direct(payer) => direct(query, reading, payer),
    };
    doubt.unwrap_or_else(|| {
        let seen = format!("{} token transfers, none that counts", reading.transfers.len());
        Doubt::because(Code::NoMatchingTransfer, CheckName::Recipient, recipients(query), seen)
    })
}

fn by_reference(query: &Query<'_>, reading: &Reading, topic: B256) -> Option<Doubt> {
    let ours = || reading.pairs.iter().filter(|pair| pair.event.reference == topic);
    ours()
        .find_map(|pair| unpaired(query, reading, pair))
        .or_else(|| ours().find_map(|pair| misdirected(query, &pair.event)))
        .or_else(|| {
            let stranger = reading.strangers.iter().find(|event| event.reference == topic)?;
            let registered = list(emitters(query, stranger));
            Some(Doubt::because(Code::UntrustedEmitter, CheckName::Contract, registered, stranger.emitter))
        })
        .or_else(|| {
            let other = reading.pairs.iter().map(|pair| &pair.event);
            let mut other = other.filter(|event| event.reference != topic && !event.amount.is_zero());
            let other = other.find(|event| query.way(event.token, event.to).is_some())?;
            Some(Doubt::because(Code::WrongReference, CheckName::Reference, topic, other.reference))
        })
}

/// Our reference, our recipient, our token, and no transfer of that value.
fn unpaired(query: &Query<'_>, reading: &Reading, pair: &Pair) -> Option<Doubt> {
    let event = &pair.event;
    let token = event.token?;
    if pair.transfer.is_some() || query.way(event.token, event.to).is_none() {
        return None;
    }
    let less = |transfer: &&Transfer| {
        transfer.position < event.position
            && !reading.paired.contains(&transfer.position)
            && (transfer.token, transfer.to) == (token, event.to)
            && !transfer.value.is_zero()
            && transfer.value < event.amount
    };
    Some(match reading.transfers.iter().rev().find(less) {
        Some(transfer) => Doubt::because(Code::FeeOnTransfer, CheckName::Amount, event.amount, transfer.value),
        None => Doubt::because(
            Code::ProxyEventWithoutTransfer,
            CheckName::Amount,
            format!("a transfer of {} by the token itself", event.amount),
            "none",
        ),
    })
}

/// Our reference, and the recipient or the token is another.
fn misdirected(query: &Query<'_>, event: &ProxyEvent) -> Option<Doubt> {
    let token_fits = query.wanted.iter().any(|wanted| wanted.token == event.token);
    let recipient_fits = query.wanted.iter().any(|wanted| wanted.recipients.contains(&event.to));
    match (token_fits, recipient_fits) {
        (true, false) => Some(Doubt::because(Code::WrongRecipient, CheckName::Recipient, recipients(query), event.to)),
        (false, true) => Some(other_token(query, event.token)),
        // Both fit, but not the same way to pay.
        (true, true) if query.way(event.token, event.to).is_none() => Some(other_token(query, event.token)),
        (true, true) | (false, false) => None,
    }
}

fn direct(query: &Query<'_>, reading: &Reading, payer: Payer) -> Option<Doubt> {
    let free = || reading.transfers.iter().filter(|t| !t.value.is_zero() && !reading.paired.contains(&t.position));
    let wants = |token: Address| query.wanted.iter().any(|wanted| wanted.token == Some(token));
    let receives = |to: &Address| query.wanted.iter().any(|wanted| wanted.recipients.contains(to));
    let stranger_paid = free().find(|t| query.way(Some(t.token), t.to).is_some());
    if let (Payer::Is(payer), Some(transfer)) = (payer, stranger_paid) {
        return Some(Doubt::because(Code::NoMatchingTransfer, CheckName::Payer, payer, transfer.from));
    }
    if let Some(transfer) = free().find(|t| receives(&t.to) && !wants(t.token)) {
        return Some(other_token(query, Some(transfer.token)));
    }
    let elsewhere = free().find(|t| wants(t.token))?;
    Some(Doubt::because(Code::WrongRecipient, CheckName::Recipient, recipients(query), elsewhere.to))
}

/// A registered token that is not accepted here, or one that nobody knows.
fn other_token(query: &Query<'_>, token: Option<Address>) -> Doubt {
    let is_known = token.is_none_or(|token| query.tokens.iter().any(|known| known.address == token));
    let code = if is_known { Code::TokenNotAllowed } else { Code::WrongToken };
    let accepted = list(query.wanted.iter().map(|wanted| name(wanted.token)));
    Doubt::because(code, CheckName::Token, accepted, name(token))
}

fn emitters<'a>(query: &Query<'a>, event: &ProxyEvent) -> impl Iterator<Item = &'a Address> {
    match event.token {
        Some(_) => query.contracts.erc20_fee_proxy.iter(),
        None => query.contracts.eth_fee_proxy.iter(),
    }
}

fn recipients(query: &Query<'_>) -> String {
    list(query.wanted.iter().flat_map(|wanted| &wanted.recipients))
}

/// A token for people: its contract, or the word for the chain's own coin.
#[must_use]
pub fn name(token: Option<Address>) -> String {
    token.map_or_else(|| "native".to_owned(), |token| token.to_string())
}

/// Each once, in order.
fn list<T: Display>(items: impl Iterator<Item = T>) -> String {
    let mut texts: Vec<String> = Vec::new();
    for item in items {
        let text = item.to_string();
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    if texts.is_empty() { "none".to_owned() } else { texts.join(", ") }
}
