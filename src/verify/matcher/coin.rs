//! Coin that moved without a token: what goes along with the transaction (R6), and what its calls pass on (R7).
//!
//! Coin out of a registered contract is left out: its event speaks for that, and one payment must not be two.

use alloy_primitives::Address;
use chain_config::Contracts;

use super::reading::Move;
use super::{Evidence, Query};
use crate::chain::{CallFrame, CallKind};
use crate::model::{Slot, TracePath};

/// All of it, in the order of its slots.
pub(super) fn moves(query: &Query<'_>, evidence: &Evidence<'_>) -> Vec<Move> {
    let mut found = Vec::new();
    if let Some(transaction) = evidence.transaction
        && let Some(to) = transaction.to
        && !transaction.value.is_zero()
    {
        let (from, amount) = (transaction.from, transaction.value);
        found.push(Move { slot: Slot::Value, token: None, from, to, amount });
    }
    let Some(outermost) = evidence.calls.filter(|call| query.trace && !call.failed) else { return found };
    for (position, call) in outermost.calls.iter().enumerate() {
        inside(query.contracts, call, TracePath::outermost(position), &mut found);
    }
    found
}

/// A call and those it made; what failed was undone with everything inside it. Ends where a path does.
fn inside(contracts: &Contracts, call: &CallFrame, path: Option<TracePath>, found: &mut Vec<Move>) {
    let Some(path) = path.filter(|_| !call.failed) else { return };
    let pays = match call.kind {
        CallKind::Call => !call.value.is_zero() && !speaks_for_coin(contracts, call.from),
        CallKind::Other => false,
    };
    if let Some(to) = call.to.filter(|_| pays) {
        found.push(Move { slot: Slot::Trace(path), token: None, from: call.from, to, amount: call.value });
    }
    for (position, call) in call.calls.iter().enumerate() {
        inside(contracts, call, path.inside(position), found);
    }
}

fn speaks_for_coin(contracts: &Contracts, address: Address) -> bool {
    let kinds = [&contracts.eth_fee_proxy, &contracts.eth_proxy, &contracts.eth_conversion_proxy];
    kinds.into_iter().any(|kind| kind.contains(&address))
}
