//! The contract's JSON as types. Field order is the order on the wire; every field is always there, null where it does
//! not apply, but for `thin` and what `claimed` brings (see [`super::claimed`]), which ends `data`.
//!
//! Stored messages are bytes; only a retraction reads one back, to repeat what it said (see [`super::retracted`]).

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::model::{Check, Vote};

/// The whole message, `claimed` still missing.
#[derive(Serialize)]
pub(super) struct Message<'a> {
    #[serde(rename = "type")]
    pub(super) message_type: &'static str,
    pub(super) timestamp: String,
    pub(super) schema: u32,
    pub(super) data: Data<'a>,
}

#[derive(Serialize)]
pub(super) struct Data<'a> {
    pub(super) event_id: String,
    pub(super) state_version: u32,
    pub(super) lane: &'a str,
    pub(super) source: &'a str,
    pub(super) origin: &'static str,
    pub(super) livemode: bool,
    /// Only on a thin event, and then true: its snapshot did not come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) thin: Option<bool>,
    pub(super) provider: ProviderBlock<'a>,
    pub(super) payment_id: Option<&'a str>,
    pub(super) payment: Option<Shown<'a>>,
    pub(super) expectation: Option<ExpectationBlock<'a>>,
    pub(super) verification: VerificationBlock<'a>,
    /// Only in `payment.retracted` and `payment.reinstated`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) retraction: Option<RetractionBlock>,
}

/// A payment as it is rendered now, or as an earlier message said it, byte for byte.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Shown<'a> {
    Now(Box<PaymentBlock<'a>>),
    Said(&'a RawValue),
}

#[derive(Serialize)]
pub(super) struct RetractionBlock {
    pub(super) reason: &'static str,
    pub(super) previous_anchor: AnchorBlock,
    pub(super) new_anchor: Option<AnchorBlock>,
    pub(super) permanent: bool,
    /// What has to be taken back, base units; nothing when the payment is back.
    pub(super) debit_base_units: String,
}

#[derive(Serialize)]
pub(super) struct AnchorBlock {
    pub(super) block_number: u64,
    pub(super) block_hash: String,
    pub(super) block_timestamp: Option<String>,
}

#[derive(Serialize)]
pub(super) struct ProviderBlock<'a> {
    pub(super) name: &'a str,
    pub(super) event_type: &'a str,
    pub(super) event_id: Option<&'a str>,
    pub(super) account: Option<&'a str>,
    pub(super) client_id: Option<&'a str>,
    pub(super) api_version: Option<&'a str>,
    /// Null, as the time, where no delivery began the event.
    pub(super) delivery_id: Option<String>,
    pub(super) received_at: Option<String>,
}

#[derive(Serialize)]
pub(super) struct PaymentBlock<'a> {
    pub(super) chain: &'a str,
    pub(super) chain_id: u64,
    pub(super) testnet: bool,
    pub(super) tx_hash: String,
    pub(super) slots: Vec<String>,
    pub(super) block_number: u64,
    pub(super) block_hash: String,
    pub(super) block_timestamp: Option<String>,
    pub(super) explorer_url: Option<&'a str>,
    pub(super) token: TokenBlock<'a>,
    pub(super) recipient: String,
    pub(super) payer: Option<String>,
    pub(super) tx_from: Option<String>,
    pub(super) amount: String,
    pub(super) amount_base_units: String,
    pub(super) fee_base_units: String,
    pub(super) payment_reference: Option<String>,
    pub(super) request_id: Option<&'a str>,
}

#[derive(Serialize)]
pub(super) struct TokenBlock<'a> {
    pub(super) symbol: &'a str,
    pub(super) address: Option<String>,
    pub(super) decimals: u8,
}

#[derive(Serialize)]
pub(super) struct ExpectationBlock<'a> {
    pub(super) id: &'a str,
    pub(super) status: &'static str,
    pub(super) complete: bool,
    pub(super) expected: String,
    pub(super) received: String,
    pub(super) remaining: String,
    pub(super) excess: String,
    pub(super) expected_base_units: String,
    pub(super) received_base_units: String,
    pub(super) remaining_base_units: String,
    pub(super) excess_base_units: String,
    pub(super) payment_ids: Vec<&'a str>,
    pub(super) deadline: Option<String>,
    pub(super) metadata: &'a Map<String, Value>,
}

/// An operator let it pass although a rule would have held it.
#[derive(Serialize)]
pub(super) struct OverrideBlock<'a> {
    pub(super) by: &'a str,
    pub(super) reason: &'a str,
}

#[derive(Serialize)]
pub(super) struct VerificationBlock<'a> {
    /// `confirmed`, `undetermined`, or null where nothing was judged.
    pub(super) verdict: Option<&'static str>,
    pub(super) code: &'static str,
    /// `A0` to `A3`, or `signature`: only the sender is known.
    pub(super) assurance: &'static str,
    pub(super) proof: Option<&'a str>,
    pub(super) tier: Option<&'a str>,
    pub(super) finality: Option<&'static str>,
    pub(super) confirmations: Option<u64>,
    #[serde(rename = "override")]
    pub(super) overridden: Option<OverrideBlock<'a>>,
    pub(super) votes: &'a [Vote],
    pub(super) checks: &'a [Check],
}
