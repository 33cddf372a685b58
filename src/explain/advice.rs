//! What frees an outcome, and what an operator may do about it (rule 24). A closed set: a new code has to be placed here.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::event::{UnknownName, named};
use crate::model::{Code, EventId, EventState};

use std::str::FromStr;

named! {
    /// What an operator may do.
    Verb {
        /// Have it looked at now.
        Recheck = "recheck",
        /// Say which expectation it is for.
        Attach = "attach",
        /// Let it pass although a rule holds it.
        Accept = "accept",
        /// End it: nothing is sent.
        Close = "close",
        /// Write something beside it.
        Note = "note",
        /// Send its messages again.
        Resend = "resend",
    }
}

impl Verb {
    /// The command that does it.
    #[must_use]
    pub fn command(self, event: EventId) -> String {
        match self {
            Self::Attach => format!("tollgate events attach {event} --expectation ID --reason '…'"),
            Self::Recheck | Self::Accept | Self::Close | Self::Note => {
                format!("tollgate events {self} {event} --reason '…'")
            }
            Self::Resend => format!("tollgate resend {event} --state dead"),
        }
    }

    /// What that does.
    #[must_use]
    pub const fn does(self) -> &'static str {
        match self {
            Self::Recheck => "has it judged again now, by today's chain and rules",
            Self::Attach => "judges it against that expectation; the chain still has to show every part of it",
            Self::Accept => "sends the proven amount although this rule holds it; the message says by whom and why",
            Self::Close => "ends it; nothing is sent, and a delivery that says something new opens it again",
            Self::Note => "writes a note into its trace and the audit; nothing else changes",
            Self::Resend => "sends the stored bytes again, under the same webhook-id",
        }
    }
}

/// What an operator may do about a code. What no verb is listed for needs nobody, or nobody can do anything about it.
#[must_use]
pub const fn verbs(code: Code) -> &'static [Verb] {
    use Verb::{Accept, Attach, Close, Recheck};
    match code {
        Code::Verified
        | Code::VerifiedOverpaid
        | Code::VerifiedPartial
        | Code::VerifiedUnmatched
        | Code::ProviderEvent
        | Code::ChargeConsistent
        | Code::Reinstated
        | Code::ChargeUnverifiable
        | Code::WaitingTwin
        | Code::TxHashMalformed
        | Code::TestMode
        | Code::TestHeader
        | Code::TypeIgnored
        | Code::Joined => &[],
        Code::WaitingInclusion
        | Code::WaitingConfirmations
        | Code::WaitingQuorum
        | Code::RpcUnavailable
        | Code::RpcRateLimited
        | Code::RpcDisagreement
        | Code::RpcFault
        | Code::ChainIdMismatch
        | Code::ChainFinalityStalled
        | Code::ChainDeepReorg
        | Code::ExposureLimit
        | Code::Reorged
        | Code::Internal
        | Code::TxReplaced
        | Code::Retracted
        | Code::TxReverted
        | Code::UntrustedEmitter
        | Code::ProxyEventWithoutTransfer
        | Code::AlreadyClaimed
        | Code::Closed => &[Recheck],
        Code::WrongChain
        | Code::NoMatchingTransfer
        | Code::WrongRecipient
        | Code::WrongToken
        | Code::TokenNotAllowed
        | Code::WrongReference => &[Recheck, Attach],
        Code::ScreeningStale | Code::ScreeningUnavailable => &[Recheck, Accept],
        Code::ExpectationUnknown | Code::ChainUnsupported | Code::TxNotFound => &[Recheck, Attach, Close],
        Code::ReceiptUnsupported
        | Code::ProofUnsupported
        | Code::ProofMismatch
        | Code::ClaimMismatch
        | Code::AssuranceTooLow => &[Recheck, Close],
        Code::FeeOnTransfer | Code::Late | Code::TooEarly | Code::Sanctioned => &[Accept, Recheck, Close],
        Code::AmbiguousMatch => &[Attach, Accept, Recheck, Close],
        Code::FiatLeg
        | Code::AmbiguousJson
        | Code::NotJson
        | Code::IdentityIncomplete
        | Code::EventTypeUnknown
        | Code::Uninterpretable => &[Close],
    }
}

/// The single change that would let it pass, in the words of [`Code::meaning`]; none where nothing can, or nothing has to.
#[must_use]
pub const fn frees(code: Code) -> Option<&'static str> {
    let stays = matches!(
        code,
        Code::Verified
            | Code::VerifiedOverpaid
            | Code::VerifiedPartial
            | Code::VerifiedUnmatched
            | Code::ProviderEvent
            | Code::ChargeConsistent
            | Code::Reinstated
            | Code::ChargeUnverifiable
            | Code::FiatLeg
            | Code::AmbiguousJson
            | Code::NotJson
            | Code::IdentityIncomplete
            | Code::EventTypeUnknown
            | Code::Uninterpretable
            | Code::ProxyEventWithoutTransfer
            | Code::AlreadyClaimed
            | Code::TestMode
            | Code::TestHeader
            | Code::TypeIgnored
            | Code::Joined
    );
    if stays { None } else { Some(code.meaning().changes) }
}

/// What a state means.
#[must_use]
pub const fn of_state(state: EventState) -> &'static str {
    match state {
        EventState::Received => "known, and not looked at yet",
        EventState::Verifying => "being checked",
        EventState::AwaitingFinality => "found on chain, and not deep enough yet",
        EventState::Forwarding => "confirmed; its message is due",
        EventState::Forwarded => "the backend took its message; its block is watched until it is final",
        EventState::Settled => "done; nothing is left to watch",
        EventState::Refuted => "the chain says no; nothing was sent",
        EventState::Undetermined => "neither yes nor no; it is tried again",
        EventState::Held => "kept for a person, or for the fact that frees it; nothing was sent",
        EventState::Ignored => "nothing to do, on purpose",
        EventState::Dead => "its message was given up at a destination",
        EventState::Retracted => "a forwarded payment was taken back",
    }
}
