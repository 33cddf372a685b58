//! What each outcome code means to a person, what frees it, and what an operator may do about it (rule 24). A closed set:
//! a new code has to be explained here.

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

/// What is said of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Advice {
    /// Why the event is where it is.
    pub because: &'static str,
    /// The single change that would let it pass; none where nothing can, or nothing has to.
    pub frees: Option<&'static str>,
    /// What an operator may do.
    pub operator: &'static [Verb],
}

/// What is said of a code.
#[must_use]
pub const fn advice(code: Code) -> Advice {
    let (because, frees, operator) = of_code(code);
    Advice { because, frees, operator }
}

#[rustfmt::skip]
const fn of_code(code: Code) -> (&'static str, Option<&'static str>, &'static [Verb]) {
    use Verb::{Accept, Attach, Close, Recheck};
    match code {
        Code::Verified => ("every check passed, deep enough, and the expectation is complete", None, &[]),
        Code::VerifiedOverpaid => ("every check passed, and more came than was expected", None, &[]),
        Code::VerifiedPartial => ("the money is verified, and the expectation is still incomplete", None, &[]),
        Code::VerifiedUnmatched => ("the money is proven to a configured recipient, and was compared with no expectation", None, &[]),
        Code::ProviderEvent => ("the provider signed it, and it claims no transfer", None, &[]),
        Code::ChargeConsistent => ("the chain bears the charge out as far as its data allows; the recipient is unknown", None, &[]),
        Code::Reinstated => ("a payment that was retracted was mined again", None, &[]),
        Code::ChargeUnverifiable => ("the charge carries nothing that a chain could answer", None, &[]),
        Code::WaitingInclusion => ("no node knows the transaction yet", Some("the transaction in a block"), &[Recheck]),
        Code::WaitingConfirmations => ("it is in a block that is not deep enough for its value", Some("more blocks, or the tag that its tier asks for"), &[Recheck]),
        Code::WaitingQuorum => ("too few nodes have its block yet", Some("the same block at enough nodes"), &[Recheck]),
        Code::WaitingTwin => ("a thin event waits for the snapshot with its data", Some("its snapshot, or the end of twin_grace"), &[]),
        Code::RpcUnavailable => ("too few nodes answer to say yes or no", Some("enough nodes that answer"), &[Recheck]),
        Code::RpcRateLimited => ("every usable node throttles", Some("the end of the nodes' windows, or one more node"), &[Recheck]),
        Code::RpcDisagreement => ("nodes contradict each other", Some("nodes that agree: look at the votes, and cordon the one that is wrong"), &[Recheck]),
        Code::ChainIdMismatch => ("nodes answer for another chain than the configured one", Some("the right url in rpc of its chain, and a restart"), &[Recheck]),
        Code::ChainFinalityStalled => ("the tag that its tier needs stands still", Some("a chain that finalizes again"), &[Recheck]),
        Code::ChainDeepReorg => ("more blocks were replaced than are remembered, so nothing on the chain is confirmed", Some("tollgate chains uncordon, once you know what happened"), &[Recheck]),
        Code::RpcFault => ("every answer of the nodes contradicts itself", Some("nodes whose answers hash to what they state"), &[Recheck]),
        Code::ExposureLimit => ("too much on its chain is forwarded and not final", Some("finality of its block, or a larger exposure_cap"), &[Recheck]),
        Code::Reorged => ("the block of the payment is gone and it is searched for", Some("the transaction in a new block"), &[Recheck]),
        Code::ExpectationUnknown => ("nobody said what ought to be paid", Some("an expectation with its request id or payment reference, put by the backend"), &[Attach, Recheck, Close]),
        Code::ScreeningStale => ("the deny list is too old to say that nobody in the payment is on it", Some("a deny list that was written anew"), &[Recheck, Accept]),
        Code::ScreeningUnavailable => ("deny lists are configured and there is none to screen by", Some("a deny list that can be read, and a restart"), &[Recheck, Accept]),
        Code::Internal => ("an error of the gateway's own", Some("the next try; the log says more"), &[Recheck]),
        Code::ChainUnsupported => ("its chain is not configured, or cannot be verified", Some("[chains.NAME] in the configuration, a restart, and a replay"), &[Recheck, Attach, Close]),
        Code::TxNotFound => ("nobody knew the transaction until the give-up time", Some("a delivery that names the right transaction"), &[Recheck, Attach, Close]),
        Code::ReceiptUnsupported => ("the receipt has no status, or a shape that is not understood", Some("a version that understands it, and a replay"), &[Recheck, Close]),
        Code::FeeOnTransfer => ("the recipient got less than the proxy's event says", Some("credit_received for the token, a restart and a replay"), &[Accept, Recheck, Close]),
        Code::Late => ("it was paid after the deadline and its grace", Some("an expectation with a later deadline, put by the backend"), &[Accept, Recheck, Close]),
        Code::TooEarly => ("it was paid before the expectation's not_before", Some("an expectation with an earlier not_before, put by the backend"), &[Accept, Recheck, Close]),
        Code::ProofUnsupported => ("it could be paid in coin, and what would show that cannot be proven on this chain", Some("a version that can prove it, and a replay"), &[Recheck, Close]),
        Code::ProofMismatch => ("the nodes agree, and none of their answers hashes to what it states", Some("a version that understands the chain's upgrade, and a replay"), &[Recheck, Close]),
        Code::AmbiguousMatch => ("several transfers or expectations fit a direct payment", Some("a payer in the expectation, or a recipient that no other one uses"), &[Attach, Accept, Recheck, Close]),
        Code::Sanctioned => ("somebody in the payment is on a deny list", Some("a list without that address, and a replay"), &[Accept, Recheck, Close]),
        Code::ClaimMismatch => ("the chain contradicts what the provider asserts", Some("a delivery whose claim the chain bears out"), &[Recheck, Close]),
        Code::FiatLeg => ("the payment goes to an off-ramp's partner and not to the merchant", None, &[Close]),
        Code::AmbiguousJson => ("the signed body holds a key twice, so two readers could read two things", None, &[Close]),
        Code::NotJson => ("the signed body is not UTF-8 JSON", None, &[Close]),
        Code::IdentityIncomplete => ("a field that makes the identity is missing or malformed", None, &[Close]),
        Code::EventTypeUnknown => ("the provider's catalogue has no such event", None, &[Close]),
        Code::Uninterpretable => ("the evidence could not be interpreted", None, &[Close]),
        Code::AssuranceTooLow => ("it is proven less surely than min_assurance asks", Some("an expectation that is keyed by the payment reference, put by the backend"), &[Recheck, Close]),
        Code::TxHashMalformed => ("the transaction's hash is not 32 bytes of hexadecimal", Some("a delivery with the transaction's real hash"), &[]),
        Code::TxReplaced => ("another transaction of the same account took its nonce, so it can never be mined", Some("a delivery with the hash of the transaction that was mined"), &[Recheck]),
        Code::WrongChain => ("the transaction is on another chain than the expectation takes", Some("an expectation that takes money on that chain, put by the backend"), &[Recheck, Attach]),
        Code::Retracted => ("a forwarded payment left the chain and was taken back", Some("the same transaction in a block again"), &[Recheck]),
        Code::TxReverted => ("the transaction failed on chain: no money moved", Some("a delivery with the hash of a transaction that succeeded"), &[Recheck]),
        Code::NoMatchingTransfer => ("nothing in the transaction pays you", Some("a delivery with the hash of the transaction that pays"), &[Recheck, Attach]),
        Code::WrongRecipient => ("the right token went to another recipient", Some("an expectation that names the recipient, if that is yours"), &[Recheck, Attach]),
        Code::WrongToken => ("another token than a registered one reached the right recipient", Some("the token in tokens of its chain, if its contract is genuine, and a replay"), &[Recheck, Attach]),
        Code::TokenNotAllowed => ("a known token reached you that this expectation does not accept", Some("an expectation that accepts the token, put by the backend"), &[Recheck, Attach]),
        Code::WrongReference => ("the payment carries another reference", Some("the expectation with the reference that was paid"), &[Recheck, Attach]),
        Code::UntrustedEmitter => ("an event like the proxy's came from a contract that is not registered", Some("the contract in contracts of its chain, if it is genuine, and a replay"), &[Recheck]),
        Code::ProxyEventWithoutTransfer => ("the proxy's event came without the token's own transfer", None, &[Recheck]),
        Code::AlreadyClaimed => ("the transfer belongs to another expectation or reference", None, &[Recheck]),
        Code::TestMode => ("a test event came where live ones are expected, or the reverse", None, &[]),
        Code::TestHeader => ("the delivery carried the provider's test header", None, &[]),
        Code::TypeIgnored => ("the source's types leave this type out", None, &[]),
        Code::Joined => ("another event of the same expectation has its transfers", None, &[]),
        Code::Closed => ("an operator closed it, with a reason in the audit", Some("tollgate events recheck, which opens it again"), &[Recheck]),
    }
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
