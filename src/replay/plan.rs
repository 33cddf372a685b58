//! Verdict now against verdict then, and what follows: pure.
//!
//! Rule 23: what was forwarded, settled or retracted is never lowered. And no doubt is turned into a yes or a no: that
//! nodes cannot say now takes nothing back and frees nothing.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ledger::state;
use crate::model::{Code, EventState};

/// How an event stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Then {
    /// Its state.
    pub state: EventState,
    /// Why.
    pub code: Option<Code>,
    /// Whether it claims money; what does not is not judged by any chain.
    pub has_claim: bool,
}

/// What verification says, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Proven; a message would be due.
    Confirmed,
    /// The chain says no.
    Refuted,
    /// A person should look.
    Held,
    /// No yes and no no.
    Undetermined,
}

impl Verdict {
    /// The stable text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Refuted => "refuted",
            Self::Held => "held",
            Self::Undetermined => "undetermined",
        }
    }
}

/// What verification would say now.
#[derive(Debug, Clone, PartialEq)]
pub struct Now {
    /// In a word.
    pub verdict: Verdict,
    /// Why.
    pub code: Code,
    /// Type of the message that would be due, had nothing been sent yet.
    pub would_send: Option<String>,
    /// Checks and votes.
    pub seen: Value,
    /// No node has the block any more, and the evidence that was kept says it.
    pub by_evidence: bool,
}

/// What a replay does with an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// It would be judged as it was.
    Same,
    /// It is judged again by verification, which may send.
    JudgedAgain,
    /// It was forwarded, and would not be now: stored beside it, and an alert.
    Differs,
    /// The same, and it is taken back, because that was asked for.
    Retracted,
    /// Nodes cannot say now: nothing is done.
    Unclear,
    /// Verification is at work on it by itself.
    UnderWay,
    /// It claims no money, or nothing of it is to be judged.
    NothingToJudge,
}

impl Effect {
    /// The stable text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::JudgedAgain => "judged_again",
            Self::Differs => "differs",
            Self::Retracted => "retracted",
            Self::Unclear => "unclear",
            Self::UnderWay => "under_way",
            Self::NothingToJudge => "nothing_to_judge",
        }
    }
}

/// What stands before anything is asked: events that need no look.
#[must_use]
pub fn without_looking(then: &Then) -> Option<Effect> {
    if !then.has_claim {
        return Some(Effect::NothingToJudge);
    }
    match then.state {
        EventState::Received | EventState::Verifying | EventState::AwaitingFinality | EventState::Undetermined => {
            Some(Effect::UnderWay)
        }
        EventState::Ignored => Some(Effect::NothingToJudge),
        EventState::Forwarding
        | EventState::Forwarded
        | EventState::Settled
        | EventState::Dead
        | EventState::Retracted
        | EventState::Refuted
        | EventState::Held => None,
    }
}

/// What follows from both verdicts. `may_retract` is the operator's word, with a reason on record.
#[must_use]
pub fn effect(then: &Then, now: &Now, may_retract: bool) -> Effect {
    if let Some(effect) = without_looking(then) {
        return effect;
    }
    if state::has_money(then.state) {
        return match now.verdict {
            Verdict::Confirmed => Effect::Same,
            Verdict::Undetermined => Effect::Unclear,
            Verdict::Refuted if may_retract => Effect::Retracted,
            Verdict::Refuted | Verdict::Held => Effect::Differs,
        };
    }
    if now.verdict == Verdict::Undetermined && is_about_nodes(now.code) {
        return Effect::Unclear;
    }
    match then.state {
        // Verification looks for it by itself while it may come back; a yes now is worth a look at once.
        EventState::Retracted if now.verdict == Verdict::Confirmed => Effect::JudgedAgain,
        EventState::Retracted => Effect::Same,
        EventState::Refuted | EventState::Held if then.code == Some(now.code) => Effect::Same,
        EventState::Refuted | EventState::Held => Effect::JudgedAgain,
        EventState::Received
        | EventState::Verifying
        | EventState::AwaitingFinality
        | EventState::Forwarding
        | EventState::Forwarded
        | EventState::Settled
        | EventState::Undetermined
        | EventState::Ignored
        | EventState::Dead => Effect::Same,
    }
}

/// Says something of the nodes, and nothing of the payment.
const fn is_about_nodes(code: Code) -> bool {
    matches!(
        code,
        Code::RpcUnavailable
            | Code::RpcRateLimited
            | Code::RpcDisagreement
            | Code::RpcFault
            | Code::ChainIdMismatch
            | Code::ChainDeepReorg
            | Code::WaitingQuorum
            | Code::Internal
    )
}

#[cfg(test)]
mod tests;
