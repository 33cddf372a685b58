//! The same calls as `trace_transaction` lists them: one after the other, each with its place.

use alloy_primitives::{Address, B256};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::{CALLS_MAX, CallFrame, CallKind, Coin, Malformed, TOO_DEEP, TOO_MANY};
use crate::model::transfer::TRACE_DEPTH_MAX;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawEntry {
    #[serde(rename = "type")]
    kind: String,
    action: RawAction,
    error: Option<IgnoredAny>,
    trace_address: Vec<usize>,
    transaction_hash: Option<B256>,
    block_hash: Option<B256>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawAction {
    call_type: Option<String>,
    from: Option<Address>,
    /// Of a contract that ends.
    address: Option<Address>,
    to: Option<Address>,
    value: Option<Coin>,
}

/// Reads a `trace_transaction` result: the transaction's own call, with those inside it. `None` when the node does not
/// have it, or has it in another block.
///
/// # Errors
/// When a used field is missing or malformed, when it is of another transaction, when a call stands before its caller,
/// and when the calls are too many or too deep to be named.
pub fn flat_calls(raw: &RawValue, tx_hash: B256, block_hash: B256) -> Result<Option<CallFrame>, Malformed> {
    let entries = serde_json::from_str::<Option<Vec<RawEntry>>>(raw.get()).map_err(|_| Malformed("call trace"))?;
    let entries = entries.unwrap_or_default();
    if CALLS_MAX < entries.len() {
        return Err(TOO_MANY);
    }
    let mut outermost: Option<CallFrame> = None;
    for entry in entries {
        if entry.transaction_hash.is_some_and(|hash| hash != tx_hash) {
            return Err(Malformed("call trace of another transaction"));
        }
        if entry.block_hash.is_some_and(|hash| hash != block_hash) {
            return Ok(None);
        }
        let path = entry.trace_address.clone();
        let call = entry.call()?;
        match (&mut outermost, path.split_last()) {
            (place @ None, None) => *place = Some(call),
            (Some(outermost), Some((position, callers))) => put(outermost, callers, *position, call)?,
            (None, Some(_)) | (Some(_), None) => return Err(Malformed("call trace out of order")),
        }
    }
    Ok(outermost.map(CallFrame::without_reads))
}

/// Puts a call where it belongs: behind those that its caller made before.
fn put(outermost: &mut CallFrame, callers: &[usize], position: usize, call: CallFrame) -> Result<(), Malformed> {
    if TRACE_DEPTH_MAX <= callers.len() {
        return Err(TOO_DEEP);
    }
    let mut caller = outermost;
    for at in callers {
        caller = caller.calls.get_mut(*at).ok_or(Malformed("call trace out of order"))?;
    }
    if caller.calls.len() != position {
        return Err(Malformed("call trace out of order"));
    }
    caller.calls.push(call);
    Ok(())
}

impl RawEntry {
    fn call(self) -> Result<CallFrame, Malformed> {
        let RawAction { call_type, from, address, to, value } = self.action;
        let kind = match (self.kind.as_str(), call_type.as_deref()) {
            ("call", Some("call")) => CallKind::Call,
            _ => CallKind::Other,
        };
        let from = from.or(address).ok_or(Malformed("call without a caller"))?;
        let value = match (value, kind) {
            (Some(coin), _) => coin.0,
            (None, CallKind::Other) => alloy_primitives::U256::ZERO,
            (None, CallKind::Call) => return Err(Malformed("call without a value")),
        };
        Ok(CallFrame { kind, from, to, value, failed: self.error.is_some(), calls: Vec::new() })
    }
}

#[cfg(test)]
mod tests;
