//! The calls inside a transaction, as `debug_traceTransaction` of the `callTracer` or `trace_transaction` lists them.
//!
//! Coin that a contract passes on leaves no log; only a trace shows it. A trace is proven by nothing in the block, so it
//! is a node's word and must never be believed of one node alone. Both lists come to the same tree, so that nodes of
//! different kinds can agree on a call's place: reads of precompiled contracts, which one of them leaves out, are none.

use alloy_primitives::{Address, U256};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::{Coin, Malformed};
use crate::model::transfer::TRACE_DEPTH_MAX;

mod flat;

pub use flat::flat_calls;

/// Calls of one transaction. A block's gas pays for some ten thousand.
const CALLS_MAX: usize = 65_536;
/// Addresses up to this are the chain's own precompiled contracts.
const PRECOMPILED_MAX: U256 = U256::from_limbs([0xffff, 0, 0, 0]);

/// What a transaction did is more than can be named here: nobody's fault.
const TOO_DEEP: Malformed = Malformed("call trace that is too deep");
const TOO_MANY: Malformed = Malformed("call trace of too many calls");

/// One call and those it made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallFrame {
    /// How it was called.
    pub kind: CallKind,
    /// Who calls; in borrowed code, the account that runs it.
    pub from: Address,
    /// Who is called; none where a contract could not be made.
    pub to: Option<Address>,
    /// Coin that goes along, base units; for kinds that move none, whatever the node writes there.
    pub value: U256,
    /// It was undone, and everything inside it.
    pub failed: bool,
    /// The calls it made, in order.
    pub calls: Vec<CallFrame>,
}

/// Kinds of calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallKind {
    /// `CALL`: moves its value from caller to called.
    Call,
    /// Borrowed code, reading calls, new contracts and their ends: none of them pays somebody who is there.
    Other,
}

#[derive(Deserialize)]
struct RawFrame {
    #[serde(rename = "type")]
    kind: String,
    from: Address,
    to: Option<Address>,
    value: Option<Coin>,
    error: Option<IgnoredAny>,
    calls: Option<Vec<RawFrame>>,
}

/// Reads a `callTracer` result: the transaction's own call, with those inside it.
///
/// # Errors
/// When a used field is missing or malformed, and when the calls are too many or too deep to be named.
pub fn calls(raw: &RawValue) -> Result<CallFrame, Malformed> {
    let raw = serde_json::from_str::<RawFrame>(raw.get()).map_err(|error| {
        // It is JSON, or it would not be here: what breaks its grammar now is only its depth.
        if error.is_syntax() { TOO_DEEP } else { Malformed("call trace") }
    })?;
    Ok(frame(raw, 0, &mut 0)?.without_reads())
}

/// Whether a trace is refused for what the transaction did, and not for how the node shows it.
#[must_use]
pub fn is_beyond_naming(malformed: Malformed) -> bool {
    malformed == TOO_DEEP || malformed == TOO_MANY
}

impl CallFrame {
    /// Without calls of precompiled contracts that move nothing and call nobody.
    fn without_reads(mut self) -> Self {
        self.calls = self.calls.into_iter().map(Self::without_reads).collect();
        self.calls.retain(|call| !call.is_read());
        self
    }

    fn is_read(&self) -> bool {
        let is_precompiled = self.to.is_some_and(|to| U256::from_be_slice(to.as_slice()) <= PRECOMPILED_MAX);
        let pays = match self.kind {
            CallKind::Call => !self.value.is_zero(),
            CallKind::Other => false,
        };
        is_precompiled && !pays && self.calls.is_empty()
    }
}

fn frame(raw: RawFrame, depth: usize, count: &mut usize) -> Result<CallFrame, Malformed> {
    *count = count.saturating_add(1);
    if TRACE_DEPTH_MAX < depth {
        return Err(TOO_DEEP);
    }
    if CALLS_MAX < *count {
        return Err(TOO_MANY);
    }
    let kind = if raw.kind == "CALL" { CallKind::Call } else { CallKind::Other };
    let value = match (raw.value, kind) {
        (Some(coin), _) => coin.0,
        (None, CallKind::Other) => U256::ZERO,
        (None, CallKind::Call) => return Err(Malformed("call without a value")),
    };
    let inside = raw.calls.unwrap_or_default().into_iter();
    let calls = inside.map(|call| frame(call, depth.saturating_add(1), count)).collect::<Result<_, _>>()?;
    Ok(CallFrame { kind, from: raw.from, to: raw.to, value, failed: raw.error.is_some(), calls })
}

#[cfg(test)]
mod tests;
