//! The money on each rail: by reference (R1 to R4), or direct (R5 to R7).

use alloy_primitives::U256;

use super::reading::{Move, Pair, Reading};
use super::{Consumed, Found, Payer, Query, Reference, Wanted};
use crate::model::{Code, Slot};

/// The sum of what was paid with this reference.
pub(super) fn by_reference(query: &Query<'_>, reading: &Reading, reference: &Reference) -> Result<Option<Found>, Code> {
    let mut sum = None;
    for pair in reading.pairs.iter().filter(|pair| reference.is_in(&pair.event)) {
        let wanted = query.way(pair.event.token, pair.event.to);
        if let Some(one) = wanted.and_then(|wanted| credited(query, wanted, pair)) {
            sum = Some(add(sum, one)?);
        }
    }
    Ok(sum)
}

/// What one event and its transfer are worth; none when nothing moved, or less than the event says and nobody allowed
/// that.
fn credited(query: &Query<'_>, wanted: &Wanted, pair: &Pair) -> Option<Found> {
    let event = &pair.event;
    let amount = match (event.token, pair.transfer) {
        (None, _) => event.amount,
        (Some(_), Some(transfer)) if transfer.value == event.amount => transfer.value,
        (Some(token), Some(transfer)) => {
            query.token(token).filter(|token| token.credit_received).map(|_| transfer.value)?
        }
        (Some(_), None) => return None,
    };
    // Nothing moved: a stranger can make as many of these as he likes.
    if amount.is_zero() {
        return None;
    }
    let used =
        |position, amount| Consumed { slot: Slot::Log(position), amount, token: wanted.token, recipient: event.to };
    let event_money = if pair.transfer.is_some() { U256::ZERO } else { amount };
    let mut consumed = vec![used(event.position, event_money)];
    consumed.extend(pair.transfer.map(|transfer| used(transfer.position, transfer.value)));
    let contracts = query.contracts;
    let converts = [&contracts.erc20_conversion_proxy, &contracts.eth_conversion_proxy];
    Some(Found {
        way: wanted.way,
        token: wanted.token,
        recipient: event.to,
        payer: pair.transfer.map(|transfer| transfer.from),
        emitter: Some(event.emitter),
        amount,
        stated: event.amount,
        fee: event.fee,
        fiat_unverified: converts.into_iter().any(|kind| kind.contains(&event.emitter)),
        consumed,
    })
}

/// One claim is one event with one sum: money in two tokens cannot be one.
fn add(sum: Option<Found>, one: Found) -> Result<Found, Code> {
    let Some(mut sum) = sum else { return Ok(sorted(one)) };
    if (sum.way, sum.token) != (one.way, one.token) {
        return Err(Code::AmbiguousMatch);
    }
    sum.amount = sum.amount.checked_add(one.amount).ok_or(Code::ReceiptUnsupported)?;
    sum.stated = sum.stated.checked_add(one.stated).ok_or(Code::ReceiptUnsupported)?;
    sum.fee = sum.fee.checked_add(one.fee).ok_or(Code::ReceiptUnsupported)?;
    sum.fiat_unverified |= one.fiat_unverified;
    sum.consumed.extend(one.consumed);
    Ok(sorted(sum))
}

fn sorted(mut found: Found) -> Found {
    found.consumed.sort_by_key(|consumed| consumed.slot);
    found
}

/// The only move that fits. Several are for a person, and so is one that another expectation may wait for.
pub(super) fn direct(query: &Query<'_>, reading: &Reading, payer: Payer) -> Result<Option<Found>, Code> {
    let is_from_payer = |one: &&Move| match payer {
        Payer::Is(payer) => one.from == payer,
        Payer::Anyone | Payer::Undecidable => true,
    };
    let candidates = reading.moves.iter().filter(|one| one.from != one.to).filter(is_from_payer);
    let mut candidates = candidates.filter_map(|one| Some((one, query.way(one.token, one.to)?)));
    let Some((one, wanted)) = candidates.next() else { return Ok(None) };
    if candidates.next().is_some() || payer == Payer::Undecidable {
        return Err(Code::AmbiguousMatch);
    }
    let Move { slot, from, to, amount, .. } = *one;
    let token = wanted.token;
    Ok(Some(Found {
        way: wanted.way,
        token,
        recipient: to,
        payer: Some(from),
        emitter: None,
        amount,
        stated: amount,
        fee: U256::ZERO,
        fiat_unverified: false,
        consumed: vec![Consumed { slot, amount, token, recipient: to }],
    }))
}
