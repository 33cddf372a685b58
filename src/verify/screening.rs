//! Whether somebody in a payment is on a deny list, and what that means for its value. Pure.
//!
//! Three answers: nobody is, somebody is, nobody can say. Who is on a list is denied however old it is; that nobody is
//! can only be said by a fresh one. Direct matches only: where money came from before the payer is not traced.

use std::fmt;
use std::time::Duration;

use alloy_primitives::Address;
use chain_config::{FinalityPolicy, Tier};

use crate::model::Code;
use crate::screening::list::{DenyFile, DenyList};

/// The highest tiers of a chain, whose payments wait while nobody can say.
const HELD_TIERS: usize = 2;

/// What an address has to do with the payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// `from` of a token transfer that the payment uses up.
    TransferSender,
    /// Who sent the transaction: for a smart account, the key that moved it.
    TransactionSender,
    /// The payer that the provider names.
    ClaimedPayer,
    /// The token's contract.
    Token,
    /// Who received.
    Recipient,
}

/// Somebody in a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject {
    /// What it has to do with it.
    pub part: Part,
    /// Who.
    pub address: Address,
}

/// What there is to screen by.
#[derive(Debug, Clone, Copy)]
pub enum Lists<'a> {
    /// No file is configured.
    Off,
    /// Files are configured and no list is there.
    Missing,
    /// The list in force.
    Loaded(&'a DenyList),
}

/// Why nobody can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// The list is too old, or has a date that is still to come.
    Stale,
    /// There is no list.
    Unavailable,
}

/// What screening says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome<'a> {
    /// Nothing is screened, by configuration.
    Off,
    /// Nobody is on the list.
    Clean(&'a DenyList),
    /// Somebody is.
    Denied {
        /// Who, the first in the order asked.
        subject: Subject,
        /// The file that has it.
        by: &'a DenyFile,
    },
    /// Nobody that is on the list, and it may not have everybody.
    Unknown {
        /// Why.
        doubt: Doubt,
        /// The list; none when there is none.
        list: Option<&'a DenyList>,
    },
}

/// What the value of a payment asks of an unknown answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// It goes on with a note when the list is stale.
    Light,
    /// It waits.
    Heavy,
}

/// Screens. `max_age` is the oldest that a list may be to say that nobody is on it.
#[must_use]
pub fn screen<'a>(lists: Lists<'a>, subjects: &[Subject], max_age: Duration, now_us: i64) -> Outcome<'a> {
    let list = match lists {
        Lists::Off => return Outcome::Off,
        Lists::Missing => return Outcome::Unknown { doubt: Doubt::Unavailable, list: None },
        Lists::Loaded(list) => list,
    };
    for subject in subjects {
        if let Some(by) = list.find(&subject.address) {
            return Outcome::Denied { subject: *subject, by };
        }
    }
    if list.is_stale(max_age, now_us) {
        return Outcome::Unknown { doubt: Doubt::Stale, list: Some(list) };
    }
    Outcome::Clean(list)
}

impl Outcome<'_> {
    /// The code that stops a payment; `None` when it goes on.
    #[must_use]
    pub const fn stops(&self, weight: Weight) -> Option<Code> {
        match (self, weight) {
            (Self::Off | Self::Clean(_), Weight::Light | Weight::Heavy)
            | (Self::Unknown { doubt: Doubt::Stale, .. }, Weight::Light) => None,
            (Self::Denied { .. }, Weight::Light | Weight::Heavy) => Some(Code::Sanctioned),
            (Self::Unknown { doubt: Doubt::Stale, .. }, Weight::Heavy) => Some(Code::ScreeningStale),
            // Without any list nothing was compared: no value is small enough for that.
            (Self::Unknown { doubt: Doubt::Unavailable, .. }, Weight::Light | Weight::Heavy) => {
                Some(Code::ScreeningUnavailable)
            }
        }
    }
}

/// The weight of a tier: the two highest of a chain's are heavy, and so is one that the policy does not have.
#[must_use]
pub fn weight(policy: &FinalityPolicy, tier: &Tier) -> Weight {
    let from_the_top = policy.tiers().skip_while(|other| other.name != tier.name).count();
    if from_the_top <= HELD_TIERS { Weight::Heavy } else { Weight::Light }
}

/// The weight of a tier where only an oracle does not answer: the lowest of several is light, all others wait.
#[must_use]
pub fn weight_without_oracle(policy: &FinalityPolicy, tier: &Tier) -> Weight {
    let mut tiers = policy.tiers();
    let is_lowest = tiers.next().is_some_and(|lowest| lowest.name == tier.name);
    if is_lowest && tiers.next().is_some() { Weight::Light } else { Weight::Heavy }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TransferSender => "the sender of the transfer",
            Self::TransactionSender => "the sender of the transaction",
            Self::ClaimedPayer => "the payer named by the provider",
            Self::Token => "the token",
            Self::Recipient => "the recipient",
        })
    }
}

#[cfg(test)]
mod tests;
