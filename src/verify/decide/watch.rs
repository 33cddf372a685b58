//! Looking again at the block under a message: before the first attempt, and until it is final.

use super::{Decision, SETTLEMENT_POLL, Seen};
use crate::chain::Observations;
use crate::config::ActiveChain;
use crate::ledger::DueEvent;
use crate::model::{Anchor, Check, CheckName, CheckOutcome, Code, EventState, Finality};
use crate::verify::diagnosis::check;
use crate::verify::finality::{self, Gap};
use crate::verify::quorum::{self, Canonical, Policy, Standing};
use crate::verify::schedule::{FIRST, Moment};

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
            on(anchor, EventState::Forwarding, event.code.unwrap_or(Code::Verified), None, seen)
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

/// A forwarded payment is settled when its block is final.
pub(super) fn settlement(
    event: &DueEvent,
    anchor: &Anchor,
    active: &ActiveChain,
    observations: &Observations,
    moment: &Moment,
) -> Decision {
    let later_us = moment.after(SETTLEMENT_POLL);
    // A block that came back is as good as one that never left.
    let code = event.code.filter(|code| *code != Code::Reorged).unwrap_or(Code::Verified);
    match quorum::still_canonical(Policy::of(active), anchor, observations) {
        Canonical::Same { standing, votes } => {
            let seen = Seen { checks: vec![held(anchor)], votes, depth: None };
            match is_final(anchor, active, &standing) {
                Gap::None => on(anchor, EventState::Settled, code, None, seen),
                gap => {
                    let due_us = moment.when_deeper(gap, &active.chain).max(later_us);
                    on(anchor, EventState::Forwarded, code, Some(due_us), seen)
                }
            }
        }
        // The backend has it: what was forwarded stays so until a retraction says otherwise.
        Canonical::Lost { hash, votes } => {
            let seen = Seen { checks: vec![lost(anchor, hash)], votes, depth: None };
            on(anchor, EventState::Forwarded, Code::Reorged, Some(later_us), seen)
        }
        Canonical::Unclear { votes, .. } => {
            on(anchor, EventState::Forwarded, code, Some(later_us), Seen { votes, ..Seen::default() })
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

fn on(anchor: &Anchor, state: EventState, code: Code, due_us: Option<i64>, seen: Seen) -> Decision {
    match Decision::record(state, code, due_us, seen) {
        Decision::Record(mut recorded) => {
            recorded.anchor = Some(*anchor);
            Decision::Record(recorded)
        }
        confirm @ Decision::Confirm(_) => confirm,
    }
}

fn held(anchor: &Anchor) -> Check {
    check(CheckName::Finality, CheckOutcome::Pass, anchor.block_hash, anchor.block_hash)
}

fn lost(anchor: &Anchor, hash: alloy_primitives::B256) -> Check {
    check(CheckName::Finality, CheckOutcome::Fail, anchor.block_hash, hash)
}
