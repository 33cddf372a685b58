//! Checks, votes and what they add up to.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::event::{UnknownName, named};

named! {
    /// How much a verification proved.
    Assurance {
        /// Existence and success of the transaction only.
        A0 = "A0",
        /// Token, amount and payer; recipient unknown.
        A1 = "A1",
        /// Recipient, token and amount.
        A2 = "A2",
        /// Recipient, token, amount and payment reference.
        A3 = "A3",
    }
}

named! {
    /// How firm the block is.
    Finality {
        /// Depth only.
        Soft = "soft",
        /// The chain's `safe` tag covers it.
        Safe = "safe",
        /// The chain's `finalized` tag covers it.
        Final = "final",
    }
}

named! {
    /// One question put to a claim.
    CheckName {
        /// Is the chain the configured one?
        Chain = "chain",
        /// Did the transaction succeed?
        Status = "status",
        /// Is the emitting contract a registered one?
        Contract = "contract",
        /// Is the payment reference the expected one?
        Reference = "reference",
        /// Did an accepted recipient receive?
        Recipient = "recipient",
        /// Is it the accepted token?
        Token = "token",
        /// How much, against what was expected?
        Amount = "amount",
        /// Who paid, where that is asked?
        Payer = "payer",
        /// Does the transaction's signature show who sent it?
        Sender = "sender",
        /// Inside the expectation's window?
        Time = "time",
        /// Deep enough, by depth and tag?
        Finality = "finality",
        /// Not already claimed by another payment?
        Uniqueness = "uniqueness",
        /// Is nobody in it on a deny list?
        Sanctions = "sanctions",
        /// Does the provider's own statement agree with the chain?
        Claim = "claim",
    }
}

named! {
    /// Three values, and one that only informs.
    CheckOutcome {
        /// As expected.
        Pass = "pass",
        /// Contradicted.
        Fail = "fail",
        /// Cannot be said yet.
        Unknown = "unknown",
        /// Differs, but decides nothing.
        Note = "note",
    }
}

/// A check with what was expected and what was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// The question.
    pub name: CheckName,
    /// The answer.
    pub outcome: CheckOutcome,
    /// What would pass, as text.
    pub expected: String,
    /// What was seen, as text.
    pub actual: String,
}

named! {
    /// What one node says about one block.
    VoteKind {
        /// It has the block with this hash.
        Agree = "agree",
        /// It has another block there.
        Disagree = "disagree",
        /// It does not know.
        Abstain = "abstain",
        /// Its answer contradicts itself.
        Fault = "fault",
    }
}

/// One node's vote, kept as evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    /// Configured node name.
    pub node: String,
    /// Who runs it: two nodes of one owner are one opinion.
    pub owner: String,
    /// What it said.
    pub vote: VoteKind,
}
