//! A charge whose recipient nobody recorded: it goes out as the signed event it is, with how far the chain bears it
//! out, takes no transfer claim, and is held when the chain contradicts it.

use alloy_primitives::U256;
use chain_config::{Chain, Token};

use super::waiting::{self, at, deeper};
use super::{Content, Decision, Further, Ground, Rules, Seen, plain, screened, shown};
use crate::config::ActiveChain;
use crate::ledger::{DueEvent, Proof};
use crate::model::{Assurance, Check, CheckName, CheckOutcome, Claim, Class, Code, EventState, Finality};
use crate::verify::claim as words;
use crate::verify::diagnosis::check;
use crate::verify::events::{self, Transfer};
use crate::verify::finality::{self, Gap, Judged};
use crate::verify::quorum::Anchored;
use crate::verify::schedule::Moment;
use crate::verify::screening::{Part, Subject, Weight};

/// How far the chain bears a charge out.
struct Borne {
    assurance: Assurance,
    checks: Vec<Check>,
    /// The money, for the tier: known when token and payer are.
    money: Option<(U256, Token)>,
    verdict: Verdict,
}

#[derive(PartialEq, Eq)]
enum Verdict {
    Consistent,
    Contradicted,
}

/// Judges a charge against the block that enough nodes agree on. Who is denied is denied before anything else is said.
pub(super) fn judge(ground: &Ground<'_>, anchored: &Anchored) -> Decision {
    let borne = bear_out(ground.claim, &ground.active.chain, anchored);
    let judged = depth(ground, anchored, &borne);
    let mut checks = borne.checks;
    let stops = screened::judge(ground, anchored, &subjects(ground, anchored), &judged, &mut checks);
    let depth = Some((judged.tier.name.clone(), judged.confirmations));
    let seen = Seen { checks: checks.clone(), votes: anchored.votes.clone(), depth };
    let held = match borne.verdict {
        Verdict::Contradicted => Some(Code::ClaimMismatch),
        Verdict::Consistent => None,
    };
    let held = stops.filter(|code| code.class() == Class::Hold).or(held);
    if judged.gap != Gap::None {
        return deeper(ground, held.unwrap_or(Code::WaitingConfirmations), anchored, &judged, seen);
    }
    if let Some(code) = held {
        return at(Decision::record(EventState::Held, code, None, seen), anchored);
    }
    if let Some(code) = stops {
        return at(waiting::record(ground.event, code, seen, ground.moment), anchored);
    }
    let proof = Proof {
        assurance: borne.assurance,
        method: anchored.method.as_str(),
        tier: judged.tier.name.clone(),
        finality: judged.finality,
        confirmations: judged.confirmations,
        votes: anchored.votes.clone(),
        checks,
        accepted: None,
    };
    plain(Code::ChargeConsistent, Content::Checked(Box::new(proof)))
}

/// What nodes have to be asked beyond the first look before this charge can be judged.
pub(super) fn further(ground: &Ground<'_>, anchored: &Anchored) -> Option<Further> {
    let contract = screened::oracle(ground).filter(|_| ground.seen.oracle.is_none())?;
    let borne = bear_out(ground.claim, &ground.active.chain, anchored);
    let subjects = screened::addresses(&subjects(ground, anchored));
    let is_deep = depth(ground, anchored, &borne).gap == Gap::None;
    is_deep.then_some(Further::Oracle { contract, at: anchored.anchor.block_hash, subjects })
}

fn depth<'a>(ground: &Ground<'a>, anchored: &Anchored, borne: &Borne) -> Judged<'a> {
    let value = borne.money.as_ref().and_then(|(amount, token)| chain_config::usd_micros(*amount, token));
    finality::judge(&ground.active.chain.finality, value, anchored.anchor.block_number, &anchored.standing)
}

/// Everybody that a charge shows: whom it names as the buyer, and who sent its transaction.
fn subjects(ground: &Ground<'_>, anchored: &Anchored) -> Vec<Subject> {
    let named = screened::claimed_payer(ground.claim).map(|payer| (Part::ClaimedPayer, payer));
    screened::once(named.into_iter().chain([(Part::TransactionSender, anchored.receipt.from)]))
}

fn bear_out(claim: &Claim, chain: &Chain, anchored: &Anchored) -> Borne {
    let mut checks = Vec::new();
    let contradicted = |checks| Borne { assurance: Assurance::A0, checks, money: None, verdict: Verdict::Contradicted };
    if anchored.receipt.status != Some(1) {
        let actual = anchored.receipt.status.map_or_else(|| "none".to_owned(), |status| status.to_string());
        checks.push(check(CheckName::Status, CheckOutcome::Fail, 1, actual));
        return contradicted(checks);
    }
    checks.push(check(CheckName::Status, CheckOutcome::Pass, 1, 1));
    checks.push(shown::sender(anchored));
    checks.push(check(CheckName::Recipient, CheckOutcome::Unknown, "not recorded", "not compared"));
    let named = claim.currency.as_deref().and_then(|symbol| token_named(chain, symbol));
    let (Some(token), Some(payer)) = (named, claim.payer.as_deref().and_then(words::address)) else {
        let claimed = |text: &Option<String>| text.clone().unwrap_or_else(|| "not stated".to_owned());
        let expected = format!("{} of {}", claimed(&claim.currency), claimed(&claim.payer));
        checks.push(check(CheckName::Token, CheckOutcome::Unknown, expected, "not comparable"));
        return Borne { assurance: Assurance::A0, checks, money: None, verdict: Verdict::Consistent };
    };
    let transfers = (0_u32..).zip(&anchored.receipt.logs).filter_map(|(position, log)| events::transfer(position, log));
    let of_token: Vec<Transfer> =
        transfers.filter(|transfer| transfer.token == token.address && !transfer.value.is_zero()).collect();
    if of_token.is_empty() {
        checks.push(check(CheckName::Token, CheckOutcome::Fail, token.address, "no transfer of it"));
        return contradicted(checks);
    }
    checks.push(check(CheckName::Token, CheckOutcome::Pass, token.address, token.address));
    let by_payer = of_token.iter().filter(|transfer| transfer.from == payer);
    let sum = by_payer.fold(U256::ZERO, |sum, transfer| sum.saturating_add(transfer.value));
    if sum.is_zero() {
        let actual = of_token.first().map_or_else(String::new, |transfer| transfer.from.to_string());
        checks.push(check(CheckName::Payer, CheckOutcome::Fail, payer, actual));
        return contradicted(checks);
    }
    checks.push(check(CheckName::Payer, CheckOutcome::Pass, payer, payer));
    if let Some(amount) = &claim.amount {
        let same = chain_config::amount::parse(amount, token.decimals).is_ok_and(|amount| amount == sum);
        let outcome = if same { CheckOutcome::Pass } else { CheckOutcome::Note };
        checks.push(check(CheckName::Amount, outcome, amount, chain_config::amount::format(sum, token.decimals)));
    }
    Borne { assurance: Assurance::A1, checks, money: Some((sum, token.clone())), verdict: Verdict::Consistent }
}

/// One registered token of that symbol, or nothing: an ambiguous name proves nothing.
fn token_named<'a>(chain: &'a Chain, symbol: &str) -> Option<&'a Token> {
    let mut named = chain.tokens.iter().filter(|token| token.symbol.eq_ignore_ascii_case(symbol));
    named.next().filter(|_| named.next().is_none())
}

/// A charge that no chain can be asked about: it says how far it goes. Whom it names is screened all the same, for an
/// address is denied on every chain.
pub(super) fn unverifiable(
    event: &DueEvent,
    claim: &Claim,
    rules: &Rules<'_>,
    found: Option<(&str, &ActiveChain)>,
    moment: &Moment,
) -> Decision {
    let mut seen = seen(claim, found);
    if let Some(payer) = screened::claimed_payer(claim) {
        let subjects = [Subject { part: Part::ClaimedPayer, address: payer }];
        match screened::by_lists(rules, &subjects, Weight::Heavy, moment, &mut seen.checks) {
            Some(code) if code.class() == Class::Hold => return Decision::record(EventState::Held, code, None, seen),
            Some(code) => return waiting::record(event, code, seen, moment),
            None => {}
        }
    } else if let Some(payer) = &claim.payer {
        let actual = format!("not compared: {payer} is an address of another kind of chain");
        seen.checks.push(check(CheckName::Sanctions, CheckOutcome::Note, "nobody on a deny list", actual));
    }
    let proof = Proof {
        assurance: Assurance::A0,
        method: "none",
        tier: String::new(),
        finality: Finality::Soft,
        confirmations: 0,
        votes: Vec::new(),
        checks: seen.checks,
        accepted: None,
    };
    plain(Code::ChargeUnverifiable, Content::Checked(Box::new(proof)))
}

/// Why a claim cannot be looked up: its network, or its transaction hash.
pub(super) fn seen(claim: &Claim, found: Option<(&str, &ActiveChain)>) -> Seen {
    let one = match found {
        None => check(CheckName::Chain, CheckOutcome::Unknown, "a configured chain", &claim.network),
        Some(_) => check(CheckName::Status, CheckOutcome::Unknown, "32 bytes of hexadecimal", &claim.tx_hash),
    };
    Seen { checks: vec![one], ..Seen::default() }
}
