//! What a broken or hostile node answers is read or refused, never a panic.

#![no_main]

use alloy_primitives::B256;
use libfuzzer_sys::fuzz_target;
use serde_json::value::RawValue;
use tollgate::chain::types;

fuzz_target!(|text: &str| {
    let Ok(raw) = RawValue::from_string(text.to_owned()) else { return };
    let _ = types::receipt(&raw, B256::ZERO);
    let _ = types::header(&raw);
    let _ = types::chain_id(&raw);
});
