//! A charge whose recipient nobody recorded: it goes out as the signed event it is, with how far the chain bears it
//! out, takes no transfer claim, and is held when the chain contradicts it.

use alloy_primitives::U256;
use chain_config::{Chain, Token};

use super::waiting::{at, deeper};
use super::{Content, Decision, Ground, Seen, plain};
use crate::config::ActiveChain;
use crate::ledger::Proof;
use crate::model::{Assurance, Check, CheckName, CheckOutcome, Claim, Code, EventState, Finality};
use crate::verify::claim as words;
use crate::verify::diagnosis::check;
use crate::verify::events::{self, Transfer};
use crate::verify::finality::{self, Gap};
use crate::verify::quorum::Anchored;

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

/// Judges a charge against the block that enough nodes agree on.
pub(super) fn judge(ground: &Ground<'_>, anchored: &Anchored) -> Decision {
    let borne = bear_out(ground.claim, &ground.active.chain, anchored);
    let value = borne.money.as_ref().and_then(|(amount, token)| chain_config::usd_micros(*amount, token));
    let judged =
        finality::judge(&ground.active.chain.finality, value, anchored.anchor.block_number, &anchored.standing);
    let depth = Some((judged.tier.name.clone(), judged.confirmations));
    let seen = Seen { checks: borne.checks.clone(), votes: anchored.votes.clone(), depth };
    let code = match borne.verdict {
        Verdict::Contradicted => Code::ClaimMismatch,
        Verdict::Consistent => Code::ChargeConsistent,
    };
    if judged.gap != Gap::None {
        let code = if code == Code::ChargeConsistent { Code::WaitingConfirmations } else { code };
        return deeper(ground, code, anchored, &judged, seen);
    }
    if code == Code::ClaimMismatch {
        return at(Decision::record(EventState::Held, code, None, seen), anchored);
    }
    let proof = Proof {
        assurance: borne.assurance,
        method: anchored.method.as_str(),
        tier: judged.tier.name.clone(),
        finality: judged.finality,
        confirmations: judged.confirmations,
        votes: anchored.votes.clone(),
        checks: borne.checks,
    };
    plain(code, Content::Checked(Box::new(proof)))
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

/// The proof of a charge that no chain can be asked about: says how far it goes.
pub(super) fn nothing(claim: &Claim, found: Option<(&str, &ActiveChain)>) -> Proof {
    Proof {
        assurance: Assurance::A0,
        method: "none",
        tier: String::new(),
        finality: Finality::Soft,
        confirmations: 0,
        votes: Vec::new(),
        checks: seen(claim, found).checks,
    }
}

/// Why a claim cannot be looked up: its network, or its transaction hash.
pub(super) fn seen(claim: &Claim, found: Option<(&str, &ActiveChain)>) -> Seen {
    let one = match found {
        None => check(CheckName::Chain, CheckOutcome::Unknown, "a configured chain", &claim.network),
        Some(_) => check(CheckName::Status, CheckOutcome::Unknown, "32 bytes of hexadecimal", &claim.tx_hash),
    };
    Seen { checks: vec![one], ..Seen::default() }
}
