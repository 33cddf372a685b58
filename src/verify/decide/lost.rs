//! A payment that the backend was told of and whose block is gone: found again, taken back, or back after that.
//!
//! Nothing is said before it was searched for as long as `regrace`, because a block that was replaced mostly comes back
//! in another one. Only what enough nodes say counts: while they cannot say, it is searched for.

use std::time::Duration;

use super::payment::{self, Again};
use super::shown;
use super::watch::held;
use super::{Decision, Ground, Moved, Retracting, Seen};
use crate::chain::Observations;
use crate::message::Retraction;
use crate::model::{Anchor, Code, EventState};
use crate::verify::quorum::{self, Anchored, Located, Policy};
use crate::verify::schedule::{GIVE_UP_LOST, IN_ANY_CASE};

/// A lost payment is searched for at least so many blocks.
const REGRACE_BLOCKS: u32 = 10;

/// A forwarded payment whose block was not the one at its height.
pub(super) fn missed(ground: &Ground<'_>, anchor: &Anchor, observations: &Observations) -> Decision {
    let policy = Policy::of(ground.active);
    match quorum::locate(policy, ground.active.chain.chain_id, observations) {
        Located::Anchored(anchored) if anchored.anchor.block_hash == anchor.block_hash => {
            back_where_it_was(ground, &anchored)
        }
        Located::Anchored(anchored) => match payment::again(ground, &anchored) {
            Again::Same { slots, joins_by, seen } => {
                let evidence = shown::bundle(&anchored, ground.moment);
                let due_us = ground.moment.after(IN_ANY_CASE);
                Decision::Reanchor(Box::new(Moved { anchor: anchored.anchor, slots, joins_by, evidence, due_us, seen }))
            }
            Again::Different { code, seen } => {
                let now = Some(anchored.anchor);
                take_back(ground, Retraction { reason: code, previous: *anchor, now, permanent: false }, seen)
            }
            Again::Unclear(seen) => search_on(ground, *anchor, seen),
        },
        Located::Waiting { code: Code::WaitingInclusion, votes } => {
            let is_replaced = is_replaced(ground, policy, observations);
            let reason = if is_replaced { Code::TxReplaced } else { Code::Reorged };
            let seen = Seen { votes, ..Seen::default() };
            take_back(ground, Retraction { reason, previous: *anchor, now: None, permanent: is_replaced }, seen)
        }
        // That nobody can say is no reason to take money back.
        Located::Waiting { votes, .. } => search_on(ground, *anchor, Seen { votes, ..Seen::default() }),
    }
}

/// The nodes went back to the block that the payment stood on.
fn back_where_it_was(ground: &Ground<'_>, anchored: &Anchored) -> Decision {
    let seen = Seen { checks: vec![held(&anchored.anchor)], votes: anchored.votes.clone(), depth: None };
    let now = Some(ground.moment.now_us);
    let due_us = if ground.event.state == EventState::Forwarding { None } else { now };
    Decision::record(ground.event.state, Code::Verified, due_us, seen).on(anchored.anchor, None)
}

/// Retracts once it was searched for long enough; until then it is searched for.
fn take_back(ground: &Ground<'_>, retraction: Retraction, seen: Seen) -> Decision {
    let missed_us = ground.moment.now_us.saturating_sub(ground.event.progress.first_us);
    let block = Duration::from_millis(ground.active.chain.block_time_ms);
    let grace = ground.rules.verification.regrace.max(block.saturating_mul(REGRACE_BLOCKS));
    if missed_us < i64::try_from(grace.as_micros()).unwrap_or(i64::MAX) {
        return search_on(ground, retraction.previous, seen);
    }
    let due_us = (!retraction.permanent).then(|| ground.moment.slow_backoff(0));
    Decision::Retract(Box::new(Retracting { retraction, due_us, seen }))
}

fn search_on(ground: &Ground<'_>, anchor: Anchor, seen: Seen) -> Decision {
    let due_us = Some(ground.moment.backoff(ground.event.progress.looks));
    Decision::record(ground.event.state, Code::Reorged, due_us, seen).on(anchor, None)
}

fn is_replaced(ground: &Ground<'_>, policy: Policy, observations: &Observations) -> bool {
    ground.event.sender.is_some_and(|sender| quorum::is_nonce_used(policy, sender.nonce, observations))
}

/// A retracted payment: confirmed anew when it was mined again and is as deep as its policy asks.
pub(super) fn returned(ground: &Ground<'_>, previous: &Anchor, observations: &Observations) -> Decision {
    let policy = Policy::of(ground.active);
    let stay = |code, due_us, seen| Decision::record(EventState::Retracted, code, due_us, seen);
    let later = Some(ground.moment.slow_backoff(ground.event.progress.looks));
    match quorum::locate(policy, ground.active.chain.chain_id, observations) {
        Located::Anchored(anchored) => match payment::judge(ground, &anchored) {
            Decision::Confirm(mut confirmation) => {
                let now = Some(anchored.anchor);
                let retraction = Retraction { reason: Code::Reinstated, previous: *previous, now, permanent: false };
                confirmation.back = Some(retraction);
                if ground.event.expectation.is_none() {
                    confirmation.code = Code::Reinstated;
                }
                Decision::Confirm(confirmation)
            }
            // Whatever it waits for, it stays taken back meanwhile; the block that it lost stays on record.
            Decision::Record(recorded) => {
                let due_us = recorded.due_us.or(later);
                stay(Code::Retracted, due_us, recorded.seen).on(*previous, recorded.wait)
            }
            other @ (Decision::Retract(_) | Decision::Reanchor(_)) => other,
        },
        Located::Waiting { code: Code::WaitingInclusion, votes } => {
            let seen = Seen { votes, ..Seen::default() };
            let since_us = ground.moment.now_us.saturating_sub(ground.event.progress.first_us);
            let is_old = i64::try_from(GIVE_UP_LOST.as_micros()).unwrap_or(i64::MAX) <= since_us;
            if is_replaced(ground, policy, observations) {
                stay(Code::TxReplaced, None, seen).on(*previous, None)
            } else if is_old {
                stay(Code::TxNotFound, None, seen).on(*previous, None)
            } else {
                stay(Code::Retracted, later, seen).on(*previous, None)
            }
        }
        Located::Waiting { votes, .. } => {
            stay(Code::Retracted, later, Seen { votes, ..Seen::default() }).on(*previous, None)
        }
    }
}
