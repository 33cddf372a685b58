//! `gateway.test`: a message that stands for nothing, so that an operator sees whether messages arrive.

use jiff::Timestamp;
use serde::Serialize;

use super::render::{SCHEMA, millis};
use crate::model::WebhookId;

/// What receivers see as its type.
const TYPE: &str = "gateway.test";

/// What a person sees who finds it in the backend's log.
const NOTE: &str = "an operator of the gateway asked whether messages arrive; it stands for no payment and no event";

#[derive(Serialize)]
struct Message<'a> {
    #[serde(rename = "type")]
    message_type: &'static str,
    timestamp: String,
    schema: u32,
    data: Data<'a>,
}

/// The fields that a receiver reads of every message, and no money.
#[derive(Serialize)]
struct Data<'a> {
    event_id: String,
    state_version: u32,
    lane: String,
    origin: &'static str,
    livemode: bool,
    destination: &'a str,
    payment_id: Option<&'a str>,
    payment: Option<&'a str>,
    expectation: Option<&'a str>,
    note: &'static str,
}

/// Its bytes.
#[must_use]
pub fn gateway_test(id: WebhookId, destination: &str, at: Timestamp) -> Vec<u8> {
    let event_id = id.event.to_string();
    let data = Data {
        lane: event_id.clone(),
        event_id,
        state_version: id.state_version,
        origin: "operator",
        livemode: false,
        destination,
        payment_id: None,
        payment: None,
        expectation: None,
        note: NOTE,
    };
    let message = Message { message_type: TYPE, timestamp: millis(at), schema: SCHEMA, data };
    match serde_json::to_vec(&message) {
        Ok(bytes) => bytes,
        // Strings and integers: serde_json has no error for these.
        Err(_) => unreachable!("a message of strings and integers serializes"),
    }
}
