//! Who is in a payment, and whether one of them is on a deny list or named by a sanctions oracle. Money that is on chain
//! cannot be refused, so a denied payment is held and nothing is sent: what is found here stands in the trace, for
//! operators.

use alloy_primitives::Address;

use super::{Ground, Rules};
use crate::chain::{Listing, NodeAnswer};
use crate::model::{Check, CheckName, CheckOutcome, Class, Code, Slot};
use crate::verify::claim;
use crate::verify::diagnosis::check;
use crate::verify::events;
use crate::verify::finality::{Gap, Judged};
use crate::verify::matcher::Found;
use crate::verify::quorum::word::word;
use crate::verify::quorum::{Anchored, Policy};
use crate::verify::schedule::Moment;
use crate::verify::screening::{self, Doubt, Lists, Outcome, Part, Subject, Weight};

/// Subjects that an oracle is asked about; of more, nobody can say.
const ORACLE_SUBJECTS_MAX: usize = 64;

/// Screens and notes the checks. The code stops the payment: what holds it stays, what waits is looked at again.
pub(super) fn judge(
    ground: &Ground<'_>,
    anchored: &Anchored,
    subjects: &[Subject],
    judged: &Judged<'_>,
    checks: &mut Vec<Check>,
) -> Option<Code> {
    let weight = screening::weight(&ground.active.chain.finality, judged.tier);
    let listed = by_lists(ground.rules, subjects, weight, ground.moment, checks);
    let named = match oracle(ground) {
        Some(contract) => by_oracle(ground, anchored, (contract, subjects), judged, checks),
        None => None,
    };
    // What holds a payment comes before what it waits for.
    let stops = [listed, named].into_iter().flatten();
    stops.clone().find(|code| code.class() == Class::Hold).or_else(|| stops.clone().next())
}

/// Screens by the deny lists alone.
pub(super) fn by_lists(
    rules: &Rules<'_>,
    subjects: &[Subject],
    weight: Weight,
    moment: &Moment,
    checks: &mut Vec<Check>,
) -> Option<Code> {
    let settings = &rules.verification.screening;
    let lists = match rules.deny {
        Some(list) => Lists::Loaded(list),
        None if settings.files.is_empty() => Lists::Off,
        None => Lists::Missing,
    };
    let outcome = screening::screen(lists, subjects, settings.max_age, moment.now_us);
    let code = outcome.stops(weight);
    checks.push(shown(&outcome, code, subjects.len()));
    code
}

/// The contract that is asked on this chain.
pub(super) fn oracle(ground: &Ground<'_>) -> Option<Address> {
    ground.rules.verification.screening.oracle.get(ground.name).copied()
}

/// Each address once.
pub(super) fn addresses(subjects: &[Subject]) -> Vec<Address> {
    let mut addresses: Vec<Address> = Vec::new();
    for subject in subjects {
        if !addresses.contains(&subject.address) {
            addresses.push(subject.address);
        }
    }
    addresses.truncate(ORACLE_SUBJECTS_MAX);
    addresses
}

/// What the oracle says, as enough nodes run it at the payment's own block. No answer, an answer that is none and a split
/// are all the same: nobody can say.
fn by_oracle(
    ground: &Ground<'_>,
    anchored: &Anchored,
    (contract, subjects): (Address, &[Subject]),
    judged: &Judged<'_>,
    checks: &mut Vec<Check>,
) -> Option<Code> {
    let (expected, weight) =
        ("nobody named by the oracle", screening::weight_without_oracle(&ground.active.chain.finality, judged.tier));
    let Some(said) = &ground.seen.oracle else {
        if judged.gap != Gap::None {
            let actual = format!("{contract} is asked when the payment is deep enough");
            checks.push(check(CheckName::Sanctions, CheckOutcome::Note, expected, actual));
            return None;
        }
        return unknown(weight, format!("{contract} was not asked"), checks);
    };
    let mut verdict = None;
    for subject in subjects {
        let Some(at) = said.subjects.iter().position(|address| *address == subject.address) else {
            verdict = verdict.or_else(|| Some(format!("{contract} was not asked about all of them")));
            continue;
        };
        let one = |node: &NodeAnswer<Vec<Listing>>| NodeAnswer {
            node: node.node.clone(),
            owner: node.owner.clone(),
            answer: node.answer.as_ref().map(|all| all.get(at).copied()).map_err(Clone::clone),
        };
        let one: Vec<_> = said.answers.iter().map(one).collect();
        match word(Policy::of(ground.active), &anchored.votes, &one).said {
            Ok(Some(Listing::Clean)) => {}
            Ok(Some(Listing::Denied)) => {
                let actual = format!("{}, {}, is named by {contract}", subject.part, subject.address);
                checks.push(check(CheckName::Sanctions, CheckOutcome::Fail, expected, actual));
                return Some(Code::Sanctioned);
            }
            Ok(Some(Listing::Nothing) | None) => {
                verdict = Some(format!("{contract} gives no answer: it fails, or is no such contract on this chain"));
            }
            Err(code) => verdict = Some(format!("too few nodes say the same of {contract}: {code}")),
        }
    }
    match verdict {
        None => {
            let actual = format!("none of {} is named by {contract}", said.subjects.len());
            checks.push(check(CheckName::Sanctions, CheckOutcome::Pass, expected, actual));
            None
        }
        Some(why) => unknown(weight, why, checks),
    }
}

/// Nobody can say: the smallest payments of a chain go on with a note.
fn unknown(weight: Weight, why: String, checks: &mut Vec<Check>) -> Option<Code> {
    let (outcome, code) = match weight {
        Weight::Light => (CheckOutcome::Note, None),
        Weight::Heavy => (CheckOutcome::Unknown, Some(Code::ScreeningUnavailable)),
    };
    checks.push(check(CheckName::Sanctions, outcome, "nobody named by the oracle", why));
    code
}

/// Everybody in a payment whose address is known: each transfer that is used up counts, not the first alone.
pub(super) fn of_payment(ground: &Ground<'_>, anchored: &Anchored, found: &Found) -> Vec<Subject> {
    let transfers = (0_u32..).zip(&anchored.receipt.logs).filter_map(|(position, log)| events::transfer(position, log));
    let used = transfers.filter(|transfer| found.consumed.iter().any(|used| used.slot == Slot::Log(transfer.position)));
    let senders = used.map(|transfer| (Part::TransferSender, transfer.from)).chain(
        // Native money leaves no transfer; a rail may know its payer all the same.
        found.payer.map(|payer| (Part::TransferSender, payer)),
    );
    let recipients = found.consumed.iter().map(|used| used.recipient).chain([found.recipient]);
    let all = senders
        .chain([(Part::TransactionSender, anchored.receipt.from)])
        .chain(claimed_payer(ground.claim).map(|payer| (Part::ClaimedPayer, payer)))
        .chain(found.token.map(|token| (Part::Token, token)))
        .chain(recipients.map(|recipient| (Part::Recipient, recipient)));
    once(all)
}

/// The payer that the provider names, where that is an address of this kind of chain.
pub(super) fn claimed_payer(claim: &crate::model::Claim) -> Option<Address> {
    let text = claim.payer.as_deref().map(str::trim)?;
    claim::address(text.strip_prefix("0X").unwrap_or(text))
}

/// Each part of each address once, in order.
pub(super) fn once(all: impl Iterator<Item = (Part, Address)>) -> Vec<Subject> {
    let mut subjects: Vec<Subject> = Vec::new();
    for (part, address) in all {
        if !subjects.iter().any(|other| (other.part, other.address) == (part, address)) {
            subjects.push(Subject { part, address });
        }
    }
    subjects
}

fn shown(outcome: &Outcome<'_>, code: Option<Code>, asked: usize) -> Check {
    let (seen, actual) = match outcome {
        Outcome::Off => (CheckOutcome::Note, "not asked: no deny list is configured".to_owned()),
        Outcome::Clean(list) => (CheckOutcome::Pass, format!("none of {asked} is on {list}")),
        Outcome::Denied { subject, by } => {
            (CheckOutcome::Fail, format!("{}, {}, is on {by}", subject.part, subject.address))
        }
        Outcome::Unknown { doubt, list } => {
            let why = match doubt {
                Doubt::Stale => "the deny list is stale",
                Doubt::Unavailable => "there is no deny list",
            };
            let list = list.map_or_else(String::new, |list| format!(": {list}"));
            let seen = if code.is_some() { CheckOutcome::Unknown } else { CheckOutcome::Note };
            (seen, format!("{why}{list}"))
        }
    };
    check(CheckName::Sanctions, seen, "nobody on a deny list", actual)
}
