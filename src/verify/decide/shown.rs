//! What shows a payment to somebody who asks no node: who sent it and how far that is proven, and the evidence bundle that
//! is kept with it.

use jiff::Timestamp;

use crate::chain::proof::SentBy;
use crate::chain::proof::bundle::{Bundle, Evidence, VERSION, Vote};
use crate::model::{Check, CheckName, CheckOutcome, VoteKind};
use crate::verify::diagnosis::check;
use crate::verify::quorum::Anchored;
use crate::verify::schedule::Moment;

/// Who sent the transaction. Where that is not signed, or not proven, it decides nothing and is said.
pub(super) fn sender(anchored: &Anchored) -> Check {
    let from = anchored.receipt.from;
    let (outcome, actual) = match anchored.sent_by {
        SentBy::Signature(signer) => (CheckOutcome::Pass, signer.to_string()),
        SentBy::Bytes(_) => (CheckOutcome::Note, format!("{from}, by a transaction of a type that nobody signs")),
        SentBy::Unproven => (CheckOutcome::Note, format!("{from}, as nodes say")),
    };
    check(CheckName::Sender, outcome, "whoever signed the transaction", actual)
}

/// The bundle as JSON; none when it is too large to be one, or the receipt says nothing of success.
pub(super) fn bundle(anchored: &Anchored, moment: &Moment) -> Option<String> {
    let anchor = &anchored.anchor;
    let at = Timestamp::from_microsecond(moment.now_us).ok()?;
    // Those who disagree are in the trace: a bundle is about this block.
    let agreeing = anchored.votes.iter().filter(|vote| vote.vote == VoteKind::Agree);
    let votes =
        agreeing.map(|vote| Vote { node: vote.node.clone(), owner: vote.owner.clone(), hash: anchor.block_hash, at });
    let votes = votes.collect();
    let bundle = match &anchored.bundle {
        Some(proven) => Bundle { votes, ..proven.clone() },
        None => Bundle {
            version: VERSION,
            chain_id: anchor.chain_id,
            tx_hash: anchor.tx_hash,
            proof: Evidence::Quorum {
                block_hash: anchor.block_hash,
                block_number: anchor.block_number,
                timestamp: anchor.block_timestamp,
                tx_index: anchor.tx_index,
                status: anchored.receipt.status?,
                logs: anchored.receipt.logs.clone(),
            },
            votes,
        },
    };
    bundle.to_json().ok()
}
