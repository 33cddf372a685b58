//! What log and ledger make of each other. Pure.

use crate::ledger::{Case, Stand, state};
use crate::model::{Code, EventId, EventState};

/// What a delivery's identity comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Target {
    /// What the identity finds from now on.
    pub(super) owner: EventId,
    /// The delivery's own event.
    pub(super) event: EventId,
}

/// Which event an identity finds. `own` is the event that it derives; `chain` that one and those that it joined, one
/// after the other, by the decisions; `owner` what the ledger has it find; `row` the event in the delivery's row; and
/// `says_joined` whether the own event's row says that it joined another.
///
/// A ledger may point an identity elsewhere for one reason only: its event joined another. Where no decision says so
/// and not even the event's row does, the identity goes back to its own event.
pub(super) fn identity(
    own: EventId,
    chain: &[EventId],
    owner: Option<EventId>,
    row: Option<EventId>,
    says_joined: bool,
) -> Target {
    let last = chain.last().copied().unwrap_or(own);
    let owner = match owner {
        // The last of the chain, and not its first: a join is never taken back.
        Some(found) if chain.contains(&found) && last == own => found,
        Some(found) if says_joined && chain.len() <= 1 => found,
        _ => last,
    };
    // A delivery stays with the event that it was taken in under, on the way from its own to the owner.
    let event = row.filter(|row| chain.contains(row) || *row == owner).unwrap_or(owner);
    Target { owner, event }
}

/// Where an event stands by its trace, when its row says another thing of the same moment. A ledger writes the two
/// together and never changes an entry's outcome, so somebody else wrote the row.
pub(super) fn contradiction(case: &Case) -> Option<Stand> {
    let differs = |traced: &Stand| (traced.state, traced.code) != (case.row.state, case.row.code);
    case.traced.filter(|traced| !case.made && traced.at_us == case.row.at_us && differs(traced))
}

/// Where an event stands by the log, when that is not where its row stands.
///
/// The log is right where it is newer, and so is the trace where the row contradicts it. An event that was made anew
/// stands where the log left it. A delivery that came after the last decision and says something new sends back what is
/// not confirmed, as intake would.
pub(super) fn stand(case: &Case) -> Option<Stand> {
    let contradiction = contradiction(case);
    let row = contradiction.unwrap_or(case.row);
    let is_newer = |told: &Stand| case.made || row.at_us < told.at_us;
    let told = case.told.filter(is_newer);
    let base = told.unwrap_or(row);
    if let Some(at_us) = case.claim_us.filter(|at_us| base.at_us < *at_us) {
        let closed = base.state == EventState::Ignored && base.code != Some(Code::TypeIgnored);
        if !state::is_confirmed(base.state) && !closed {
            return Some(Stand { state: EventState::Verifying, code: None, at_us });
        }
    }
    told.filter(|told| case.made || (told.state, told.code) != (case.row.state, case.row.code)).or(contradiction)
}

#[cfg(test)]
mod tests;
