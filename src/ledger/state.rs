//! Which event state may follow which: one pure table.
//!
//! Engines ask it inside their transaction, after the version was compared, so that two workers cannot both
//! move an event. It knows states only; what else a move needs is the command's business.

use crate::model::EventState;

/// The states an event may be made in.
pub const FIRST: &[EventState] =
    &[EventState::Received, EventState::Verifying, EventState::Forwarding, EventState::Held, EventState::Ignored];

/// The states that may follow `from`. A state that lists itself may be written again with another outcome.
#[must_use]
pub const fn followers(from: EventState) -> &'static [EventState] {
    use EventState::{
        AwaitingFinality, Dead, Forwarded, Forwarding, Held, Ignored, Received, Refuted, Retracted, Settled,
        Undetermined, Verifying,
    };
    match from {
        Received | Verifying | AwaitingFinality | Undetermined => {
            &[Verifying, AwaitingFinality, Undetermined, Forwarding, Refuted, Held, Ignored]
        }
        // A freeing fact sends it back to be judged; so may an operator, who may also accept or close it.
        Held => &[Verifying, Forwarding, Ignored],
        // New facts may prove what the old ones refuted.
        Refuted => &[Verifying, Forwarding],
        // Back to verifying: the anchor was lost before anything left, or a snapshot took a thin event over.
        // Retracted: an attempt was begun, so the backend may have it, and its block is gone.
        Forwarding => &[Forwarding, Forwarded, Settled, Verifying, Dead, Retracted],
        Forwarded => &[Forwarded, Settled, Forwarding, Retracted],
        // A thin event that went out already gets its snapshot as the next message or claim.
        Settled => &[Forwarding, Verifying, Retracted],
        Dead => &[Dead, Forwarding, Verifying, Retracted],
        // Searched for until it is mined again or can never be.
        Retracted => &[Retracted, Forwarding],
        // What a filter left out of one delivery may stand in another that passes it.
        Ignored => &[Verifying],
    }
}

/// Whether `to` may follow `from`.
#[must_use]
pub fn may_follow(from: EventState, to: EventState) -> bool {
    followers(from).contains(&to)
}

/// Whether something was, or is about to be, sent about the event.
#[must_use]
pub const fn is_confirmed(state: EventState) -> bool {
    match state {
        EventState::Forwarding
        | EventState::Forwarded
        | EventState::Settled
        | EventState::Dead
        | EventState::Retracted => true,
        EventState::Received
        | EventState::Verifying
        | EventState::AwaitingFinality
        | EventState::Refuted
        | EventState::Undetermined
        | EventState::Held
        | EventState::Ignored => false,
    }
}

/// Whether the event's money counts: its transfers are claimed and stand in the sum of its expectation.
#[must_use]
pub const fn has_money(state: EventState) -> bool {
    match state {
        EventState::Forwarding | EventState::Forwarded | EventState::Settled | EventState::Dead => true,
        EventState::Received
        | EventState::Verifying
        | EventState::AwaitingFinality
        | EventState::Refuted
        | EventState::Undetermined
        | EventState::Held
        | EventState::Ignored
        | EventState::Retracted => false,
    }
}

/// Whether verification may be due for an event in this state.
#[must_use]
pub const fn is_watched(state: EventState) -> bool {
    match state {
        EventState::Received
        | EventState::Verifying
        | EventState::AwaitingFinality
        | EventState::Undetermined
        | EventState::Forwarding
        | EventState::Forwarded
        | EventState::Dead
        | EventState::Retracted => true,
        EventState::Settled | EventState::Refuted | EventState::Held | EventState::Ignored => false,
    }
}

#[cfg(test)]
mod tests;
