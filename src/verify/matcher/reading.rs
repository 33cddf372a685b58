//! Everything in a transaction that has a known shape, with each event beside the transfer that it speaks for.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, B256, U256};
use chain_config::Contracts;

use super::{Evidence, Query, coin};
use crate::chain::Log;
use crate::model::Slot;
use crate::verify::events::{self, Kind, ProxyEvent, Transfer};

/// Events of one transaction for which a transfer of less is looked for. Request Network's batches end at 50.
const SHORT_EVENTS_MAX: usize = 64;

/// A registered contract's event and the transfer that goes with it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pair {
    pub(crate) event: ProxyEvent,
    /// None for native money, which leaves no log of its own, and where the transfer is missing. Its value is less than
    /// the event's where the token took a fee.
    pub(crate) transfer: Option<Transfer>,
}

/// Money that moved and that no registered contract speaks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Move {
    pub(crate) slot: Slot,
    /// None is native.
    pub(crate) token: Option<Address>,
    pub(crate) from: Address,
    pub(crate) to: Address,
    /// Base units, never zero.
    pub(crate) amount: U256,
}

/// What a transaction shows.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    pub(crate) pairs: Vec<Pair>,
    /// Events of the known shapes from contracts that are not registered.
    pub(crate) strangers: Vec<ProxyEvent>,
    /// Token transfers, as many as there are.
    pub(crate) transfers: usize,
    /// Tokens first, then the coin.
    pub(crate) moves: Vec<Move>,
    /// Registered escrows that hold money, with the reference's topic.
    pub(crate) authorized: Vec<(Address, B256)>,
}

/// Transfers not spoken for yet, by token, recipient and value; the last one on top.
#[derive(Default)]
struct Open {
    equal: BTreeMap<(Address, Address, U256), Vec<Transfer>>,
    paired: BTreeSet<u32>,
}

// === impl Reading ===

impl Reading {
    /// Reads the logs in order, then the coin.
    pub(super) fn of(query: &Query<'_>, evidence: &Evidence<'_>) -> Self {
        let (mut reading, mut open, mut transfers) = (Self::default(), Open::default(), Vec::new());
        // A receipt of 32 MiB has fewer logs than a u32 counts.
        for (position, log) in (0_u32..).zip(evidence.logs) {
            if let Some(transfer) = events::transfer(position, log) {
                open.equal.entry((transfer.token, transfer.to, transfer.value)).or_default().push(transfer);
                transfers.push(transfer);
            } else if let Some(event) = events::proxy_event(position, log) {
                reading.take(query.contracts, event, &mut open);
            } else {
                reading.note_authorization(query.contracts, log);
            }
        }
        reading.pair_short(&transfers, &mut open.paired);
        let free = transfers.iter().filter(|transfer| !open.paired.contains(&transfer.position));
        reading.moves = free.filter_map(Move::of_token).chain(coin::moves(query, evidence)).collect();
        reading.transfers = transfers.len();
        reading
    }

    /// The nearest preceding transfer of the token, not yet used, to the same recipient, of the same value.
    fn take(&mut self, contracts: &Contracts, event: ProxyEvent, open: &mut Open) {
        if !emitters(contracts, event.kind).any(|emitter| *emitter == event.emitter) {
            self.strangers.push(event);
            return;
        }
        let equal = event.token.and_then(|token| open.equal.get_mut(&(token, event.to, event.amount)));
        let transfer = equal.and_then(Vec::pop);
        open.paired.extend(transfer.map(|transfer| transfer.position));
        self.pairs.push(Pair { event, transfer });
    }

    /// Events without an equal transfer take the nearest preceding one of less, after all equal ones are taken, so that
    /// none of them loses its own.
    fn pair_short(&mut self, transfers: &[Transfer], paired: &mut BTreeSet<u32>) {
        let without = self.pairs.iter_mut().filter(|pair| pair.transfer.is_none() && pair.event.token.is_some());
        for Pair { event, transfer } in without.take(SHORT_EVENTS_MAX) {
            let less = transfers.iter().rev().find(|less| {
                less.position < event.position
                    && (Some(less.token), less.to) == (event.token, event.to)
                    && !less.value.is_zero()
                    && less.value < event.amount
                    && !paired.contains(&less.position)
            });
            paired.extend(less.map(|less| less.position));
            *transfer = less.copied();
        }
    }

    fn note_authorization(&mut self, contracts: &Contracts, log: &Log) {
        if let Some(topic) = events::authorization(log)
            && contracts.escrow.contains(&log.address)
        {
            self.authorized.push((log.address, topic));
        }
    }
}

impl Move {
    /// Nothing that moved is no move: anybody can make as many of these as he likes.
    fn of_token(transfer: &Transfer) -> Option<Self> {
        let Transfer { position, token, from, to, value } = *transfer;
        let moved = Self { slot: Slot::Log(position), token: Some(token), from, to, amount: value };
        (!value.is_zero()).then_some(moved)
    }
}

/// The registered contracts whose events of this kind are believed.
pub(crate) fn emitters(contracts: &Contracts, kind: Kind) -> impl Iterator<Item = &Address> {
    let lists: [&[Address]; 3] = match kind {
        Kind::Token => {
            [&contracts.erc20_fee_proxy, &contracts.erc20_conversion_proxy, &contracts.transferable_receivable]
        }
        Kind::Native => [&contracts.eth_fee_proxy, &contracts.eth_conversion_proxy, &[]],
        Kind::PlainToken => [&contracts.erc20_proxy, &[], &[]],
        Kind::PlainNative => [&contracts.eth_proxy, &[], &[]],
        Kind::Escrow => [&contracts.escrow, &[], &[]],
    };
    lists.into_iter().flatten()
}
