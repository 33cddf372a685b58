//! Why a transaction holds no money that counts: the most specific reason, with what was expected and what was seen.
//!
//! Pure, and only for people: it is asked after the matcher found nothing, and cannot turn a no into a yes.

use std::fmt::Display;

use alloy_primitives::Address;

use super::events::ProxyEvent;
use super::matcher::reading::{Move, Pair, Reading, emitters};
use super::matcher::{Payer, Query, Rail, Reference};
use crate::model::{Check, CheckName, CheckOutcome, Code};

/// Hexadecimal digits at either end that people compare, and that address poisoning copies.
const LOOK_ALIKE_DIGITS: usize = 3;

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

/// The most specific reason, in this order: what a registered contract says with our reference, what a stranger says
/// with it, what a registered contract says to us with another reference, and what plain transfers show.
pub(super) fn of(query: &Query<'_>, reading: &Reading) -> Doubt {
    let doubt = match query.rail {
        Rail::Reference(reference) => by_reference(query, reading, &reference),
        Rail::Direct(payer) => direct(query, reading, payer),
    };
    doubt.unwrap_or_else(|| {
        let seen = format!("{} token transfers, none that counts", reading.transfers);
        Doubt::because(Code::NoMatchingTransfer, CheckName::Recipient, recipients(query), seen)
    })
}

fn by_reference(query: &Query<'_>, reading: &Reading, reference: &Reference) -> Option<Doubt> {
    let ours = || reading.pairs.iter().filter(|pair| reference.is_in(&pair.event));
    ours()
        .find_map(|pair| unpaired(query, pair))
        .or_else(|| ours().find_map(|pair| misdirected(query, &pair.event)))
        .or_else(|| {
            let (escrow, _) = reading.authorized.iter().find(|(_, topic)| reference.is_raw(*topic))?;
            let held = format!("authorized only: {escrow} holds it");
            Some(Doubt::because(Code::NoMatchingTransfer, CheckName::Contract, "captured by the escrow", held))
        })
        .or_else(|| {
            let stranger = reading.strangers.iter().find(|event| reference.is_in(event))?;
            let registered = list(emitters(query.contracts, stranger.kind));
            Some(Doubt::because(Code::UntrustedEmitter, CheckName::Contract, registered, stranger.emitter))
        })
        .or_else(|| {
            let other = reading.pairs.iter().map(|pair| &pair.event);
            let mut other = other.filter(|event| !reference.is_in(event) && !event.amount.is_zero());
            let other = other.find(|event| query.way(event.token, event.to).is_some())?;
            Some(Doubt::because(Code::WrongReference, CheckName::Reference, reference.hashed(), other.reference))
        })
}

/// Our reference, our recipient, our token, and no transfer of that value.
fn unpaired(query: &Query<'_>, pair: &Pair) -> Option<Doubt> {
    let event = &pair.event;
    if event.token.is_none() || query.way(event.token, event.to).is_none() {
        return None;
    }
    match pair.transfer {
        Some(transfer) if transfer.value == event.amount => None,
        Some(transfer) => Some(Doubt::because(Code::FeeOnTransfer, CheckName::Amount, event.amount, transfer.value)),
        None => {
            let expected = format!("a transfer of {} by the token itself", event.amount);
            Some(Doubt::because(Code::ProxyEventWithoutTransfer, CheckName::Amount, expected, "none"))
        }
    }
}

/// Our reference, and the recipient or the token is another.
fn misdirected(query: &Query<'_>, event: &ProxyEvent) -> Option<Doubt> {
    let token_fits = query.wanted.iter().any(|wanted| query.same(wanted.token, event.token));
    let recipient_fits = query.wanted.iter().any(|wanted| wanted.recipients.contains(&event.to));
    match (token_fits, recipient_fits) {
        (true, false) => Some(other_recipient(query, event.to)),
        (false, true) => Some(other_token(query, event.token)),
        // Both fit, but not the same way to pay.
        (true, true) if query.way(event.token, event.to).is_none() => Some(other_token(query, event.token)),
        (true, true) | (false, false) => None,
    }
}

fn direct(query: &Query<'_>, reading: &Reading, payer: Payer) -> Option<Doubt> {
    let wants = |one: &Move| query.wanted.iter().any(|wanted| query.same(wanted.token, one.token));
    let receives = |one: &Move| query.wanted.iter().any(|wanted| wanted.recipients.contains(&one.to));
    let stranger_paid = reading.moves.iter().find(|one| query.way(one.token, one.to).is_some());
    if let (Payer::Is(payer), Some(one)) = (payer, stranger_paid) {
        return Some(Doubt::because(Code::NoMatchingTransfer, CheckName::Payer, payer, one.from));
    }
    if let Some(one) = reading.moves.iter().find(|one| receives(one) && !wants(one)) {
        return Some(other_token(query, one.token));
    }
    let elsewhere = || reading.moves.iter().filter(|one| wants(one) && !receives(one));
    let named = elsewhere().find(|one| looks_like(query, one.to).is_some()).or_else(|| elsewhere().next())?;
    Some(other_recipient(query, named.to))
}

/// Right token, another recipient; one that was made to be taken for ours is named as such.
fn other_recipient(query: &Query<'_>, to: Address) -> Doubt {
    let actual = match looks_like(query, to) {
        Some(ours) => format!("{to}, which only looks like {ours}"),
        None => to.to_string(),
    };
    Doubt::because(Code::WrongRecipient, CheckName::Recipient, recipients(query), actual)
}

/// The accepted recipient that this address could be taken for: the same digits at both ends.
fn looks_like(query: &Query<'_>, to: Address) -> Option<Address> {
    let ends = |address: Address| {
        let digits = hex::encode(address);
        let first: String = digits.chars().take(LOOK_ALIKE_DIGITS).collect();
        let last: String = digits.chars().rev().take(LOOK_ALIKE_DIGITS).collect();
        (first, last)
    };
    let mut ours = query.wanted.iter().flat_map(|wanted| &wanted.recipients);
    ours.find(|ours| **ours != to && ends(**ours) == ends(to)).copied()
}

/// A registered token that is not accepted here, or one that nobody knows.
fn other_token(query: &Query<'_>, token: Option<Address>) -> Doubt {
    let is_known = token.is_none_or(|token| query.token(token).is_some());
    let code = if is_known { Code::TokenNotAllowed } else { Code::WrongToken };
    let accepted = list(query.wanted.iter().map(|wanted| symbol_and_name(query, wanted.token)));
    Doubt::because(code, CheckName::Token, accepted, symbol_and_name(query, token))
}

fn recipients(query: &Query<'_>) -> String {
    list(query.wanted.iter().flat_map(|wanted| &wanted.recipients))
}

/// A token with the symbol it is registered under: several contracts share one.
fn symbol_and_name(query: &Query<'_>, token: Option<Address>) -> String {
    match token.map(|address| (address, query.token(address))) {
        Some((address, Some(token))) => format!("{} {address}", token.symbol),
        Some((address, None)) => format!("{address}, not registered"),
        None => name(None),
    }
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
