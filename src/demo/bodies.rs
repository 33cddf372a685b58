//! What the providers post about a payment on the local chain, for the demo and the tests.

use alloy_primitives::{Address, B256};
use serde_json::{Value, json};

/// Request Network about one payment: `event` such as `payment.confirmed`, `request_id` as it names requests.
#[must_use]
pub fn request_network(
    event: &str,
    request_id: &str,
    reference: [u8; 8],
    tx: B256,
    currency: &str,
    amount: &str,
) -> Value {
    json!({
        "event": event,
        "requestId": request_id,
        "requestID": request_id,
        "paymentReference": format!("0x{}", hex::encode(reference)),
        "explorer": format!("https://scan.request.network/request/{request_id}"),
        "amount": amount,
        "totalAmountPaid": amount,
        "expectedAmount": amount,
        "timestamp": "2026-11-20T12:00:00Z",
        "txHash": tx,
        "network": "local",
        "currency": currency,
        "paymentCurrency": currency,
        "isCryptoToFiat": false,
        "subStatus": "",
        "paymentProcessor": "request-network",
        "fees": [],
    })
}

/// A card payment at Stripe: claims no transfer.
#[must_use]
pub fn stripe_card(id: &str) -> Value {
    json!({
        "id": format!("evt_{id}"), "object": "event", "api_version": "2026-10-28.endive", "created": 1_795_000_000,
        "livemode": true, "pending_webhooks": 1, "request": null, "type": "payment_intent.succeeded",
        "data": {"object": {"id": format!("pi_{id}"), "object": "payment_intent", "amount": 4200, "currency": "usd"}},
    })
}

/// A crypto charge as Stripe describes it: no recipient, no token contract, no amount in token units.
#[must_use]
pub fn stripe_charge(id: &str, payer: Address, tx: B256) -> Value {
    json!({
        "id": format!("evt_{id}"), "object": "event", "api_version": "2026-10-28.endive", "created": 1_795_000_001,
        "livemode": true, "pending_webhooks": 1, "request": null, "type": "charge.succeeded",
        "data": {"object": {
            "id": format!("ch_{id}"), "object": "charge", "amount": 5000, "currency": "usd", "paid": true,
            "payment_intent": format!("pi_{id}"), "status": "succeeded", "livemode": true,
            "payment_method_details": {"type": "crypto", "crypto": {
                "buyer_address": payer, "network": "local", "token_currency": "tst", "transaction_hash": tx,
            }},
        }},
    })
}
