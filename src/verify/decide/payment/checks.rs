//! What is shown of a judgement: each check with what was expected and what was seen.

use super::{Named, reference, traced};
use crate::ledger::StoredExpectation;
use crate::model::{Check, CheckName, CheckOutcome, Code};
use crate::verify::claim;
use crate::verify::decide::{Ground, Seen};
use crate::verify::diagnosis::{check, name};
use crate::verify::finality::{Gap, Judged};
use crate::verify::matcher::{self, Found};
use crate::verify::quorum::Anchored;

/// A conversion's rate is proven by nothing in the receipt: the amount that counts is the token's.
const FIAT_UNVERIFIED: &str = "fiat_unverified";

/// What a token of another contract is called by the provider, when that is what ours is called: a symbol is no proof.
pub(super) fn same_symbol(ground: &Ground<'_>, code: Code) -> Option<Check> {
    let currency = ground.claim.currency.as_deref().filter(|_| code == Code::WrongToken)?;
    let accept = ground.event.expectation.as_ref().map(|stored| stored.terms.accept.as_slice()).unwrap_or_default();
    let ours = accept.iter().find(|way| claim::is_symbol(currency, &way.symbol))?;
    let expected = format!("{} at {}", ours.symbol, name(ours.token));
    Some(check(CheckName::Claim, CheckOutcome::Note, expected, format!("{currency} at another contract")))
}

/// Inside the expectation's window, by the block's own time.
pub(super) fn window(stored: &StoredExpectation, block_seconds: u64, checks: &mut Vec<Check>) -> Option<Code> {
    let block = i64::try_from(block_seconds).unwrap_or(i64::MAX);
    let terms = &stored.terms;
    let grace = i64::try_from(terms.grace_seconds).unwrap_or(i64::MAX);
    let latest = terms.deadline.map(|deadline| deadline.as_second().saturating_add(grace));
    let earliest = terms.not_before.map(|time| time.as_second());
    let code = if earliest.is_some_and(|earliest| block < earliest) {
        Some(Code::TooEarly)
    } else if latest.is_some_and(|latest| latest < block) {
        Some(Code::Late)
    } else {
        None
    };
    if earliest.is_some() || latest.is_some() {
        let bound = |time: Option<i64>| time.map_or_else(|| "any".to_owned(), |time| time.to_string());
        let outcome = if code.is_some() { CheckOutcome::Fail } else { CheckOutcome::Pass };
        checks.push(check(CheckName::Time, outcome, format!("{} to {}", bound(earliest), bound(latest)), block));
    }
    code
}

pub(super) fn chain_check(ground: &Ground<'_>) -> Check {
    let here = &ground.active.chain;
    let Some(stored) = &ground.event.expectation else {
        return check(CheckName::Chain, CheckOutcome::Pass, here.chain_id, here.chain_id);
    };
    let accepted: Vec<String> = stored.terms.accept.iter().map(|accept| accept.chain_id.to_string()).collect();
    let fits = stored.terms.accept.iter().any(|accept| accept.chain_id == here.chain_id);
    let outcome = if fits { CheckOutcome::Pass } else { CheckOutcome::Fail };
    check(CheckName::Chain, outcome, accepted.join(", "), here.chain_id)
}

pub(super) fn match_checks(ground: &Ground<'_>, found: &Found) -> Vec<Check> {
    let pass = CheckOutcome::Pass;
    let mut checks = Vec::new();
    checks.extend(found.emitter.map(|emitter| check(CheckName::Contract, pass, "a registered proxy", emitter)));
    if let Some((reference, named)) = reference(ground) {
        let topic = matcher::reference_topic(reference);
        // Found by it, but nobody of ours said that it is the right one.
        let outcome = match named {
            Named::ByBackend => pass,
            Named::ByProvider => CheckOutcome::Note,
        };
        checks.push(check(CheckName::Reference, outcome, reference, topic));
    }
    checks.push(check(CheckName::Recipient, pass, found.recipient, found.recipient));
    checks.push(check(CheckName::Token, pass, name(found.token), name(found.token)));
    let expectation = ground.event.expectation.as_ref();
    if let Some(accept) = expectation.and_then(|stored| stored.terms.accept.get(found.way)) {
        // The sum decides, not the single transfer: a part is a part.
        let outcome = if accept.amount == found.amount { pass } else { CheckOutcome::Note };
        checks.push(check(CheckName::Amount, outcome, accept.amount, found.amount));
    }
    if found.stated != found.amount {
        let stated = format!("{} as the proxy says", found.stated);
        checks.push(check(CheckName::Amount, CheckOutcome::Note, stated, format!("{} arrived", found.amount)));
    }
    if found.fiat_unverified {
        let expected = "what the request's currency comes to";
        checks.push(check(CheckName::Amount, CheckOutcome::Note, expected, FIAT_UNVERIFIED));
    }
    if traced::is_traced(found) {
        let expected = "money that the block's roots commit to";
        checks.push(check(CheckName::Contract, CheckOutcome::Note, expected, "a call inside it, by the nodes' traces"));
    }
    if let (Some(payer), Some(from)) = (expectation.and_then(|stored| stored.terms.payer), found.payer) {
        let outcome = if payer == from { pass } else { CheckOutcome::Note };
        checks.push(check(CheckName::Payer, outcome, payer, from));
    }
    checks
}

pub(super) fn seen(anchored: &Anchored, judged: &Judged<'_>, mut checks: Vec<Check>) -> Seen {
    let outcome = if judged.gap == Gap::None { CheckOutcome::Pass } else { CheckOutcome::Unknown };
    let tag = judged.tier.tag.map_or("", |tag| match tag {
        chain_config::Tag::Safe => " and safe",
        chain_config::Tag::Finalized => " and finalized",
    });
    let expected = format!("{} confirmations{tag}", judged.tier.confirmations.max(1));
    let actual = format!("{} confirmations, {}", judged.confirmations, judged.finality);
    checks.push(check(CheckName::Finality, outcome, expected, actual));
    let depth = Some((judged.tier.name.clone(), judged.confirmations));
    Seen { checks, votes: anchored.votes.clone(), depth }
}
