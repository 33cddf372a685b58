//! Looks for the money of one transaction: a registered contract's event gives the reference, the token's own
//! `Transfer` gives the money, and both are consumed. Pure; never a best effort: what does not fit exactly is not
//! a match.
//!
//! All registered contracts' events are paired first, ours or not, so that one transfer cannot stand for two
//! references, nor for a reference and a direct payment.

use alloy_primitives::{Address, B256, U256, keccak256};
use chain_config::{Contracts, Token, TokenClass};

use super::diagnosis::{self, Doubt};
use super::events::{Kind, ProxyEvent};
use crate::chain::{CallFrame, Log, Transaction};
use crate::model::{PaymentReference, Slot};

mod coin;
mod rails;
pub(crate) mod reading;

use reading::Reading;

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
    /// Events of Request Network's contracts with this reference (R1 to R4).
    Reference(Reference),
    /// A plain transfer of a token or of the coin (R5 to R7), from this payer or, without one, to a recipient that
    /// nobody else waits at.
    Direct(Payer),
}

/// A payment reference as topics carry it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reference {
    /// keccak-256 of its bytes.
    hashed: B256,
    /// The bytes themselves, left-aligned; only of 8 bytes, because an escrow knows no other.
    raw: Option<B256>,
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
    /// Whether calls inside the transaction count (R7): the chain's nodes are asked for traces.
    pub trace: bool,
}

/// What is known of a transaction that succeeded. Everything in it must be bound to one block by the caller.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// The receipt's logs, in order.
    pub logs: &'a [Log],
    /// The transaction itself; none when it was not asked for.
    pub transaction: Option<&'a Transaction>,
    /// Its own call with those inside it; none when it was not asked for.
    pub calls: Option<&'a CallFrame>,
}

/// What is not known yet and could hold the money.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// The transaction: no receipt says what coin goes along.
    Transaction,
    /// The calls inside it: coin that a contract passes on leaves no log.
    Trace,
}

/// One place of the transaction that a payment uses up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Consumed {
    /// Where.
    pub slot: Slot,
    /// The money it proves; zero for a proxy's event that goes with a transfer.
    pub amount: U256,
    /// Token, as the way names it; none is native.
    pub token: Option<Address>,
    /// Who received.
    pub recipient: Address,
}

/// The money of one transaction for one claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Which way to pay.
    pub way: usize,
    /// Token, as the way names it: a coin and its token are one money. None is native.
    pub token: Option<Address>,
    /// Who received; the first one, when one reference was paid to several accepted recipients.
    pub recipient: Address,
    /// Who paid, by the first transfer; unknown for coin that went through a proxy.
    pub payer: Option<Address>,
    /// The contract that spoke, on the reference rail.
    pub emitter: Option<Address>,
    /// Sum of what arrived, base units.
    pub amount: U256,
    /// Sum of what the events say; more than the amount where a token took a fee and what arrived is credited.
    pub stated: U256,
    /// Sum of the proxy's fees, base units; on top, never part of the amount.
    pub fee: U256,
    /// A conversion proxy spoke: what the money is worth in the request's currency is proven by nothing here.
    pub fiat_unverified: bool,
    /// Places used up, ascending.
    pub consumed: Vec<Consumed>,
}

/// What the transaction holds for the query.
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

/// Looks for the money. The receipt's status is the caller's to check first.
#[must_use]
pub fn search(query: &Query<'_>, evidence: &Evidence<'_>) -> Outcome {
    let reading = Reading::of(query, evidence);
    let found = match query.rail {
        Rail::Reference(reference) => rails::by_reference(query, &reading, &reference),
        Rail::Direct(payer) => rails::direct(query, &reading, payer),
    };
    match found {
        Ok(Some(found)) => Outcome::Found(found),
        Ok(None) => Outcome::Doubt(diagnosis::of(query, &reading)),
        Err(code) => Outcome::Doubt(Doubt::of(code)),
    }
}

// === impl Reference ===

impl Reference {
    /// The forms of a reference.
    #[must_use]
    pub fn of(reference: &PaymentReference) -> Self {
        let bytes: Option<[u8; 8]> = reference.as_bytes().try_into().ok();
        let raw = bytes.map(|bytes| {
            let mut word = B256::ZERO;
            word.iter_mut().zip(bytes).for_each(|(place, byte)| *place = byte);
            word
        });
        Self { hashed: reference_topic(reference), raw }
    }

    /// As most contracts emit it.
    #[must_use]
    pub const fn hashed(&self) -> B256 {
        self.hashed
    }

    /// As an escrow emits it: the bytes themselves; only of 8 bytes.
    #[must_use]
    pub const fn raw(&self) -> Option<B256> {
        self.raw
    }

    /// Whether the event carries it, in the form of its kind.
    pub(super) fn is_in(&self, event: &ProxyEvent) -> bool {
        match event.kind {
            Kind::Token | Kind::Native | Kind::PlainToken | Kind::PlainNative => event.reference == self.hashed,
            Kind::Escrow => self.is_raw(event.reference),
        }
    }

    /// Whether these are the bytes themselves.
    pub(super) fn is_raw(&self, topic: B256) -> bool {
        self.raw == Some(topic)
    }
}

impl<'a> Evidence<'a> {
    /// What a receipt shows, and nothing else.
    #[must_use]
    pub const fn of_logs(logs: &'a [Log]) -> Self {
        Self { logs, transaction: None, calls: None }
    }
}

impl Query<'_> {
    /// What has to be asked for before a no is one. Direct payments in the coin are in no receipt.
    #[must_use]
    pub fn needs(&self, evidence: &Evidence<'_>) -> Option<Needs> {
        match self.rail {
            Rail::Reference(_) => None,
            Rail::Direct(_) if !self.wanted.iter().any(|wanted| self.is_coin(wanted.token)) => None,
            Rail::Direct(_) if evidence.transaction.is_none() => Some(Needs::Transaction),
            Rail::Direct(_) if self.trace && evidence.calls.is_none() => Some(Needs::Trace),
            Rail::Direct(_) => None,
        }
    }

    /// The way to pay that takes this token at this recipient. A coin and its token are one money: the way that names
    /// what moved comes first, then one that names the other.
    pub(super) fn way(&self, token: Option<Address>, to: Address) -> Option<&Wanted> {
        let mut here = self.wanted.iter().filter(|wanted| wanted.recipients.contains(&to));
        here.clone().find(|wanted| wanted.token == token).or_else(|| here.find(|wanted| self.same(wanted.token, token)))
    }

    /// Whether these are one money.
    pub(super) fn same(&self, one: Option<Address>, other: Option<Address>) -> bool {
        one == other || (self.is_coin(one) && self.is_coin(other))
    }

    pub(super) fn token(&self, token: Address) -> Option<&Token> {
        self.tokens.iter().find(|known| known.address == token)
    }

    fn is_coin(&self, token: Option<Address>) -> bool {
        let Some(token) = token else { return true };
        self.token(token).is_some_and(|token| token.class == TokenClass::NativeDual)
    }
}

#[cfg(test)]
mod attacks;
#[cfg(test)]
mod built;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
