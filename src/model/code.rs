//! Outcome codes: stable API, added, never renamed.

use std::fmt;
use std::str::FromStr;

mod meaning;

pub use meaning::Meaning;

/// What an outcome means for the event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Goes on to the backend.
    Ok,
    /// Waits and is tried again by itself.
    Wait,
    /// Waits for an operator, or for the fact that frees it.
    Hold,
    /// The claim is refuted.
    Terminal,
    /// Nothing to do, on purpose.
    Ignore,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $text:literal, $class:ident;)*) => {
        /// Why an event is where it is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code { $($(#[$doc])* $variant,)* }

        impl Code {
            /// Every code, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable text.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// What it means for the event.
            #[must_use]
            pub const fn class(self) -> Class {
                match self { $(Self::$variant => Class::$class,)* }
            }
        }
    };
}

codes! {
    /// All checks passed and the policy is satisfied.
    Verified = "VERIFIED", Ok;
    /// Verified, and more arrived than was expected.
    VerifiedOverpaid = "VERIFIED_OVERPAID", Ok;
    /// Verified money, the expectation is still incomplete.
    VerifiedPartial = "VERIFIED_PARTIAL", Ok;
    /// Proven money to a configured recipient, compared with no expectation.
    VerifiedUnmatched = "VERIFIED_UNMATCHED", Ok;
    /// A signed event that claims no transfer.
    ProviderEvent = "PROVIDER_EVENT", Ok;
    /// A charge whose chain data agrees as far as it goes; the recipient is unknown.
    ChargeConsistent = "CHARGE_CONSISTENT", Ok;
    /// A retracted payment was mined again.
    Reinstated = "REINSTATED", Ok;
    /// A charge that carries nothing a chain could answer.
    ChargeUnverifiable = "CHARGE_UNVERIFIABLE", Ok;
    /// Not in a block yet.
    WaitingInclusion = "WAITING_INCLUSION", Wait;
    /// Included; the depth or tag of the policy is not reached.
    WaitingConfirmations = "WAITING_CONFIRMATIONS", Wait;
    /// Too few nodes have the block yet.
    WaitingQuorum = "WAITING_QUORUM", Wait;
    /// A thin event waits for its snapshot twin.
    WaitingTwin = "WAITING_TWIN", Wait;
    /// Too few nodes answer.
    RpcUnavailable = "RPC_UNAVAILABLE", Wait;
    /// All usable nodes throttle.
    RpcRateLimited = "RPC_RATE_LIMITED", Wait;
    /// Nodes contradict each other.
    RpcDisagreement = "RPC_DISAGREEMENT", Wait;
    /// Nodes answer for another chain than configured.
    ChainIdMismatch = "CHAIN_ID_MISMATCH", Wait;
    /// The needed tag of the chain stands still: nothing is called final meanwhile.
    ChainFinalityStalled = "CHAIN_FINALITY_STALLED", Wait;
    /// The chain lost more blocks than are remembered: nothing on it is confirmed until an operator says so.
    ChainDeepReorg = "CHAIN_DEEP_REORG", Wait;
    /// Nodes answer, and every answer contradicts itself.
    RpcFault = "RPC_FAULT", Wait;
    /// Too much on the chain is forwarded and not final: this one waits until it is final.
    ExposureLimit = "EXPOSURE_LIMIT", Wait;
    /// The block of the payment is gone; it is searched for.
    Reorged = "REORGED", Wait;
    /// No expectation knows this payment yet.
    ExpectationUnknown = "EXPECTATION_UNKNOWN", Wait;
    /// The deny list is too old to say that nobody in the payment is on it.
    ScreeningStale = "SCREENING_STALE", Wait;
    /// Deny lists are configured and there is none to screen by.
    ScreeningUnavailable = "SCREENING_UNAVAILABLE", Wait;
    /// An error of our own; tried again.
    Internal = "INTERNAL", Wait;
    /// The chain is not configured or cannot be verified.
    ChainUnsupported = "CHAIN_UNSUPPORTED", Hold;
    /// Nobody knew the transaction until the give-up time.
    TxNotFound = "TX_NOT_FOUND", Hold;
    /// The receipt has no status, or a shape we do not know.
    ReceiptUnsupported = "RECEIPT_UNSUPPORTED", Hold;
    /// The recipient received less than the proxy's event says.
    FeeOnTransfer = "FEE_ON_TRANSFER", Hold;
    /// Block time after deadline and grace.
    Late = "LATE", Hold;
    /// Block time before the expectation's `not_before`.
    TooEarly = "TOO_EARLY", Hold;
    /// It could be paid in coin, and what would show that cannot be proven on this chain.
    ProofUnsupported = "PROOF_UNSUPPORTED", Hold;
    /// No node's answer hashes to what it states, although they agree: an upgrade of the chain, or a lie by all.
    ProofMismatch = "PROOF_MISMATCH", Hold;
    /// Several transfers or expectations fit a direct rail.
    AmbiguousMatch = "AMBIGUOUS_MATCH", Hold;
    /// Somebody in the payment is on a deny list.
    Sanctioned = "SANCTIONED", Hold;
    /// The chain contradicts what the provider asserts.
    ClaimMismatch = "CLAIM_MISMATCH", Hold;
    /// The off-ramp leg pays a partner, not the merchant.
    FiatLeg = "FIAT_LEG", Hold;
    /// Duplicate keys in the signed body.
    AmbiguousJson = "AMBIGUOUS_JSON", Hold;
    /// The signed body is not UTF-8 JSON.
    NotJson = "NOT_JSON", Hold;
    /// A field that identity needs is missing or malformed.
    IdentityIncomplete = "IDENTITY_INCOMPLETE", Hold;
    /// The provider's catalogue has no such event.
    EventTypeUnknown = "EVENT_TYPE_UNKNOWN", Hold;
    /// The evidence could not be interpreted.
    Uninterpretable = "UNINTERPRETABLE", Hold;
    /// The assurance reached is below the source's minimum.
    AssuranceTooLow = "ASSURANCE_TOO_LOW", Hold;
    /// Not 32 bytes of hexadecimal.
    TxHashMalformed = "TX_HASH_MALFORMED", Terminal;
    /// Another transaction of the same account took its nonce: it can never be mined.
    TxReplaced = "TX_REPLACED", Terminal;
    /// The transaction is on another configured chain than claimed.
    WrongChain = "WRONG_CHAIN", Terminal;
    /// A forwarded payment left the chain and was taken back.
    Retracted = "RETRACTED", Terminal;
    /// The transaction failed on chain.
    TxReverted = "TX_REVERTED", Terminal;
    /// Nothing in the transaction pays us.
    NoMatchingTransfer = "NO_MATCHING_TRANSFER", Terminal;
    /// Right token, another recipient.
    WrongRecipient = "WRONG_RECIPIENT", Terminal;
    /// Right recipient, another token.
    WrongToken = "WRONG_TOKEN", Terminal;
    /// A known token that is not accepted here.
    TokenNotAllowed = "TOKEN_NOT_ALLOWED", Terminal;
    /// A proxy event with another reference.
    WrongReference = "WRONG_REFERENCE", Terminal;
    /// A look-alike event from a contract that is not registered.
    UntrustedEmitter = "UNTRUSTED_EMITTER", Terminal;
    /// The proxy's event without the token's own transfer.
    ProxyEventWithoutTransfer = "PROXY_EVENT_WITHOUT_TRANSFER", Terminal;
    /// The transfer belongs to another expectation or reference.
    AlreadyClaimed = "ALREADY_CLAIMED", Terminal;
    /// A test event where live ones are expected, or the reverse.
    TestMode = "TEST_MODE", Ignore;
    /// The delivery carried the provider's test header.
    TestHeader = "TEST_HEADER", Ignore;
    /// The source's `types` ignore this event type.
    TypeIgnored = "TYPE_IGNORED", Ignore;
    /// Its transfers belong to another event of the same expectation; the identity points there now.
    Joined = "JOINED", Ignore;
    /// An operator ended it.
    Closed = "CLOSED", Ignore;
}

impl Code {
    /// Whether an operator's word may let a proven payment pass that is held for this (rule 24). Never past signature,
    /// status, emitter, token, recipient, finality or an existing claim: for those there is no such word.
    #[must_use]
    pub const fn may_be_accepted(self) -> bool {
        matches!(
            self,
            Self::Late
                | Self::TooEarly
                | Self::FeeOnTransfer
                | Self::AmbiguousMatch
                | Self::Sanctioned
                | Self::ScreeningStale
                | Self::ScreeningUnavailable
        )
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Text that is no code of this version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no outcome code of this version")]
pub struct UnknownCode(pub String);

impl FromStr for Code {
    type Err = UnknownCode;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.iter().copied().find(|code| code.as_str() == text).ok_or_else(|| UnknownCode(text.to_owned()))
    }
}

impl serde::Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> serde::Deserialize<'de> for Code {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
