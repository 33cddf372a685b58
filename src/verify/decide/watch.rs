//! Looking again at the block under a message: before the first attempt, and until it is final.

use super::{Decision, SETTLEMENT_POLL, Seen};
use crate::chain::Observations;
use crate::config::ActiveChain;
use crate::ledger::{DueEvent, Reach, Wait};
use crate::model::{Anchor, Check, CheckName, CheckOutcome, Code, EventState, Finality};
use crate::verify::diagnosis::check;
use crate::verify::finality::{self, Gap};
use crate::verify::quorum::{self, Canonical, Policy, Standing};
use crate::verify::schedule::{FIRST, IN_ANY_CASE, Moment};

/// The last look before the first attempt: the same block frees the message, another one takes it back.
pub(super) fn before_sending(
    event: &DueEvent,
    anchor: &Anchor,
    active: &ActiveChain,
    observations: &Observations,
    moment: &Moment,
) -> Decision {
    let soon = Some(moment.after(FIRST));
    match quorum::still_canonical(Policy::of(active), anchor, observations) {
        Canonical::Same { votes, .. } => {
            let seen = Seen { checks: vec![held(anchor)], votes, depth: None };
            let code = event.code.unwrap_or(Code::Verified);
            Decision::record(EventState::Forwarding, code, None, seen).on(*anchor, None)
        }
        // An attempt was begun: the backend may have it, so it is searched for before anything is said.
        Canonical::Lost { hash, votes } if event.sent => {
            let seen = Seen { checks: vec![lost(anchor, hash)], votes, depth: None };
            Decision::record(EventState::Forwarding, Code::Reorged, soon, seen).on(*anchor, None)
        }
        Canonical::Lost { hash, votes } => {
            let seen = Seen { checks: vec![lost(anchor, hash)], votes, depth: None };
            Decision::record(EventState::Verifying, Code::Reorged, soon, seen)
        }
        // No anchor is recorded: the message stays where it is until the block has been seen.
        Canonical::Unclear { code, votes } => {
            Decision::record(EventState::Forwarding, code, soon, Seen { votes, ..Seen::default() })
        }
    }
}

/// A forwarded payment is settled when its block is final. One whose message is dead stays so: it is watched all the
/// same, for an attempt may have reached the backend.
pub(super) fn settlement(
    event: &DueEvent,
    anchor: &Anchor,
    active: &ActiveChain,
    observations: &Observations,
    moment: &Moment,
) -> Decision {
    let later_us = moment.after(SETTLEMENT_POLL);
    let code = event.code.unwrap_or(Code::Verified);
    match quorum::still_canonical(Policy::of(active), anchor, observations) {
        Canonical::Same { standing, votes } => {
            let seen = Seen { checks: vec![held(anchor)], votes, depth: None };
            match is_final(anchor, active, &standing) {
                Gap::None => {
                    let to = if event.state == EventState::Dead { EventState::Dead } else { EventState::Settled };
                    Decision::record(to, code, None, seen).on(*anchor, None)
                }
                gap => {
                    let wait = until_final(gap, anchor, &standing);
                    let due_us = match wait {
                        Some(_) => moment.after(IN_ANY_CASE),
                        None => moment.when_deeper(gap, &active.chain).max(later_us),
                    };
                    Decision::record(event.state, code, Some(due_us), seen).on(*anchor, wait)
                }
            }
        }
        // The backend has it: what was forwarded stays so until it was searched for.
        Canonical::Lost { hash, votes } => {
            let seen = Seen { checks: vec![lost(anchor, hash)], votes, depth: None };
            Decision::record(event.state, Code::Reorged, Some(moment.after(FIRST)), seen).on(*anchor, None)
        }
        Canonical::Unclear { votes, .. } => {
            let seen = Seen { votes, ..Seen::default() };
            Decision::record(event.state, code, Some(later_us), seen).on(*anchor, None)
        }
    }
}

/// Final by the chain's tag; where the policy names no tag at all, by its strictest depth.
fn is_final(anchor: &Anchor, active: &ActiveChain, standing: &Standing) -> Gap {
    let judged = finality::judge(&active.chain.finality, None, anchor.block_number, standing);
    match (judged.finality, judged.gap, judged.tier.tag) {
        (Finality::Final, _, _) => Gap::None,
        (_, Gap::None, None) => Gap::None,
        (_, Gap::None, Some(_)) => Gap::Tag(chain_config::Tag::Finalized),
        (_, gap @ (Gap::Blocks(_) | Gap::Tag(_)), _) => gap,
    }
}

/// What the payment waits for. A chain whose nodes show no `finalized` is followed by its depth alone.
fn until_final(gap: Gap, anchor: &Anchor, standing: &Standing) -> Option<Wait> {
    let wait = |reach, height| Wait { chain_id: anchor.chain_id, reach, height };
    match (gap, standing.finalized) {
        (Gap::None, _) => None,
        (Gap::Blocks(_) | Gap::Tag(_), Some(_)) => Some(wait(Reach::Finalized, anchor.block_number)),
        (Gap::Blocks(missing), None) => Some(wait(Reach::Head, standing.head.saturating_add(missing))),
        (Gap::Tag(_), None) => None,
    }
}

pub(super) fn held(anchor: &Anchor) -> Check {
    check(CheckName::Finality, CheckOutcome::Pass, anchor.block_hash, anchor.block_hash)
}

pub(super) fn lost(anchor: &Anchor, hash: alloy_primitives::B256) -> Check {
    check(CheckName::Finality, CheckOutcome::Fail, anchor.block_hash, hash)
}
