//! What each outcome means to a person: what was asked, what was seen, and what would change it.

use serde::Serialize;

use super::Code;

/// An outcome in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Meaning {
    /// The question.
    pub asked: &'static str,
    /// What came of it.
    pub seen: &'static str,
    /// What would bring another outcome.
    pub changes: &'static str,
}

const fn meaning(asked: &'static str, seen: &'static str, changes: &'static str) -> Meaning {
    Meaning { asked, seen, changes }
}

macro_rules! meanings {
    ($($variant:ident: $asked:literal, $seen:literal, $changes:literal;)*) => {
        impl Code {
            /// What it means to a person.
            #[must_use]
            pub const fn meaning(self) -> Meaning {
                match self { $(Self::$variant => meaning($asked, $seen, $changes),)* }
            }
        }
    };
}

meanings! {
    Verified: "whether the money came",
        "every check passed, and the expectation is complete",
        "only a block that leaves the chain";
    VerifiedOverpaid: "whether the money came",
        "every check passed, and more came than was expected",
        "only a block that leaves the chain";
    VerifiedPartial: "whether the money came",
        "every check passed, and the sum is still below what is expected",
        "the next payment, which adds to it";
    VerifiedUnmatched: "whether a configured recipient was paid",
        "every check passed, and no expectation was there to compare it with",
        "nothing: match it by hand";
    ProviderEvent: "whether the sender signed it",
        "the signature is right, and the event claims no transfer",
        "nothing";
    ChargeConsistent: "whether the chain bears the charge out",
        "it does as far as its data goes; nobody recorded the recipient",
        "an expectation with the deposit address, for the next one";
    Reinstated: "whether a retracted payment is back",
        "it was mined again, deep enough",
        "only a block that leaves the chain";
    ChargeUnverifiable: "whether the chain bears the charge out",
        "the charge names no configured chain, or no transaction of one",
        "a table for that chain in the configuration, for the next one";
    WaitingInclusion: "in which block the transaction is",
        "no node has it in a block",
        "its block; after the time to give up it is held";
    WaitingConfirmations: "whether the block is deep enough for the value",
        "it has fewer blocks on it, or not the tag, that the tier asks for",
        "more blocks, or the chain's tag";
    WaitingQuorum: "whether enough nodes have the same block",
        "too few of them have it yet",
        "the slower nodes";
    WaitingTwin: "what a thin event is about",
        "its snapshot has not come",
        "the snapshot; after its grace the thin event goes out alone";
    RpcUnavailable: "what the nodes see",
        "too few of them answered",
        "nodes that answer";
    RpcRateLimited: "what the nodes see",
        "every usable node throttles",
        "the end of their windows, or one more node";
    RpcDisagreement: "whether enough nodes say the same",
        "they contradict each other",
        "agreement; the votes show who stands apart";
    ChainIdMismatch: "whether the nodes serve the configured chain",
        "they answer for another one",
        "the right URL in the chain's nodes";
    ChainFinalityStalled: "whether the block is final",
        "the chain's tag has not moved for too long",
        "the tag, once it moves";
    ChainDeepReorg: "whether the chain can be relied on",
        "more blocks were replaced than are remembered",
        "an operator who releases the chain";
    RpcFault: "what the nodes see",
        "their answers contradict themselves",
        "nodes whose answers hold";
    ExposureLimit: "whether one more payment may go out before it is final",
        "too much on this chain is forwarded and not final",
        "finality of its block, or a higher cap";
    Reorged: "whether the payment's block is still there",
        "another block took its place",
        "the transaction in a new block; else it is taken back";
    ExpectationUnknown: "what ought to be paid",
        "the backend has put no expectation that this event names",
        "the expectation; after the time to give up it is held";
    ScreeningStale: "whether somebody in it is on a deny list",
        "nobody is, and the list is too old to say so",
        "a fresh list";
    ScreeningUnavailable: "whether somebody in it is on a deny list",
        "there is no list, or the oracle does not answer",
        "a list that can be read, or an oracle that answers";
    Internal: "what to make of the event",
        "an error of our own",
        "the next try; the log says more";
    ChainUnsupported: "on which chain to look",
        "none that is configured, and it is on none that its expectation takes",
        "the chain in the configuration, then the expectation put anew";
    TxNotFound: "in which block the transaction is",
        "no node knew it until the time to give up",
        "a delivery with another hash, or the expectation put anew";
    ReceiptUnsupported: "whether the transaction succeeded",
        "its receipt has no status, or a shape that is not understood",
        "a version that understands it";
    FeeOnTransfer: "whether what was paid arrived",
        "the recipient got less than the contract says",
        "registering the token with credit_received, for the next one";
    Late: "whether it came in time",
        "its block is after the deadline and its grace",
        "a later deadline, or an operator who accepts it";
    TooEarly: "whether it came in time",
        "its block is before the expectation takes money",
        "an earlier not_before, or an operator who accepts it";
    ProofUnsupported: "whether the recipient was paid in coin",
        "no log says so, and what could show it cannot be proven here",
        "nodes that trace, or blocks that can be proven";
    ProofMismatch: "whether the receipt is under the block's own root",
        "no node's answer hashes to what it states, though they agree",
        "a version that understands the chain's upgrade";
    AmbiguousMatch: "which transfer pays this expectation",
        "several transfers or expectations fit",
        "a payer in the expectation, or a recipient of its own";
    Sanctioned: "whether somebody in it is on a deny list",
        "somebody is",
        "the expectation put anew once the list has let go, or whoever answers for compliance";
    ClaimMismatch: "whether the chain bears out what the provider says",
        "it contradicts it",
        "a delivery that claims what is so";
    FiatLeg: "whom the payment is for",
        "an off-ramp, which pays a partner and not you",
        "nothing yet";
    AmbiguousJson: "what the signed body says",
        "it has a key twice: two readers could read two things",
        "nothing";
    NotJson: "what the signed body says",
        "it is not JSON in UTF-8",
        "nothing";
    IdentityIncomplete: "which event the delivery belongs to",
        "a field that says so is missing or malformed",
        "nothing";
    EventTypeUnknown: "what kind of event it is",
        "one that the provider's catalogue does not have",
        "a version that knows it";
    Uninterpretable: "what the stored delivery says",
        "it could not be read",
        "a version that reads it";
    AssuranceTooLow: "how surely it is proven",
        "less surely than the source or the expectation asks",
        "an expectation keyed by the payment reference, or a lower minimum";
    TxHashMalformed: "in which block the transaction is",
        "what the provider names is no transaction's hash",
        "a delivery with a hash";
    TxReplaced: "in which block the transaction is",
        "another transaction of the same account took its nonce",
        "a delivery with another hash; this one can never be mined";
    WrongChain: "on which chain the transaction is",
        "on one where its expectation takes no money",
        "an expectation that takes money there";
    Retracted: "whether the payment's block is still there",
        "it is gone, and what was forwarded was taken back",
        "the transaction in a new block";
    TxReverted: "whether the transaction succeeded",
        "it failed: no money moved",
        "a delivery with another hash";
    NoMatchingTransfer: "whether the transaction pays the recipient",
        "nothing in it does",
        "a delivery with another hash";
    WrongRecipient: "whether the recipient was paid",
        "the money went to another address",
        "a delivery with another hash";
    WrongToken: "in which token it was paid",
        "in a contract that is not registered",
        "registering the token, if it is worth something";
    TokenNotAllowed: "in which token it was paid",
        "in one that the expectation does not take",
        "an expectation that takes it";
    WrongReference: "which reference was paid",
        "another one",
        "a delivery with another hash";
    UntrustedEmitter: "which contract says that it was paid",
        "one that only looks like a registered one",
        "registering the contract, if it is genuine";
    ProxyEventWithoutTransfer: "whether the token itself moved",
        "the contract says so and the token does not",
        "nothing: no money moved";
    AlreadyClaimed: "whether the transfer is free",
        "it settles another payment",
        "nothing: one transfer settles one payment";
    TestMode: "whether it is a live event",
        "it is of the other mode than its source takes",
        "the mode of the source";
    TestHeader: "whether the delivery is a test",
        "its header says so",
        "nothing";
    TypeIgnored: "whether the source takes this type",
        "it does not",
        "the types of the source";
    Joined: "whether an event is about these transfers already",
        "another one is: this is a second report of one payment",
        "nothing";
    Closed: "whether an operator waits for it still",
        "one ended it, for a reason in the audit",
        "a recheck, or a delivery with another claim";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_code_says_what_was_asked_what_was_seen_and_what_would_change_it() {
        let mut told = BTreeSet::new();
        for code in Code::ALL {
            let Meaning { asked, seen, changes } = code.meaning();
            for words in [asked, seen, changes] {
                assert!(words.len() > 2 && !words.ends_with('.') && words.is_ascii(), "{code}: {words:?}");
            }
            assert!(
                ["whether", "what", "which", "how", "in which", "on which", "whom"]
                    .iter()
                    .any(|word| asked.starts_with(word)),
                "{code}: {asked:?}"
            );
            assert!(told.insert((asked, seen)), "{code} says what another code says: {seen:?}");
        }
    }
}
