//! Who is in a found payment, and whether one of them is on a deny list. Money that is on chain cannot be refused, so
//! a denied payment is held and nothing is sent: what is found here stands in the trace, for operators.

use alloy_primitives::Address;
use chain_config::Tier;

use crate::model::{Check, CheckName, CheckOutcome, Code, Slot};
use crate::verify::claim;
use crate::verify::decide::Ground;
use crate::verify::diagnosis::check;
use crate::verify::events;
use crate::verify::matcher::Found;
use crate::verify::quorum::Anchored;
use crate::verify::screening::{self, Doubt, Lists, Outcome, Part, Subject};

/// Screens and notes the check. The code stops the payment: what holds it stays, what waits is looked at again.
pub(super) fn judge(
    ground: &Ground<'_>,
    anchored: &Anchored,
    found: &Found,
    tier: &Tier,
    checks: &mut Vec<Check>,
) -> Option<Code> {
    let settings = &ground.rules.verification.screening;
    let lists = match ground.rules.deny {
        Some(list) => Lists::Loaded(list),
        None if settings.files.is_empty() => Lists::Off,
        None => Lists::Missing,
    };
    let subjects = subjects(ground, anchored, found);
    let outcome = screening::screen(lists, &subjects, settings.max_age, ground.moment.now_us);
    let code = outcome.stops(screening::weight(&ground.active.chain.finality, tier));
    checks.push(shown(&outcome, code, subjects.len()));
    code
}

/// Everybody whose address is known: each transfer that is used up counts, not the first alone.
fn subjects(ground: &Ground<'_>, anchored: &Anchored, found: &Found) -> Vec<Subject> {
    let transfers = (0_u32..).zip(&anchored.receipt.logs).filter_map(|(position, log)| events::transfer(position, log));
    let used = transfers.filter(|transfer| found.consumed.iter().any(|used| used.slot == Slot::Log(transfer.position)));
    let senders = used.map(|transfer| (Part::TransferSender, transfer.from)).chain(
        // Native money leaves no transfer; a rail may know its payer all the same.
        found.payer.map(|payer| (Part::TransferSender, payer)),
    );
    let claimed = ground.claim.payer.as_deref().map(str::trim);
    let claimed = claimed.and_then(|text| claim::address(text.strip_prefix("0X").unwrap_or(text)));
    let recipients = found.consumed.iter().map(|used| used.recipient).chain([found.recipient]);
    let all = senders
        .chain([(Part::TransactionSender, anchored.receipt.from)])
        .chain(claimed.map(|payer| (Part::ClaimedPayer, payer)))
        .chain(found.token.map(|token| (Part::Token, token)))
        .chain(recipients.map(|recipient| (Part::Recipient, recipient)));
    let mut subjects: Vec<Subject> = Vec::new();
    for (part, address) in all {
        if !subjects.iter().any(|other| is_same(other, part, address)) {
            subjects.push(Subject { part, address });
        }
    }
    subjects
}

fn is_same(subject: &Subject, part: Part, address: Address) -> bool {
    (subject.part, subject.address) == (part, address)
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
