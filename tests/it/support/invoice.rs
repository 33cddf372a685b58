//! A thing to be paid: its expectation, its payment through Request Network's own proxy, its webhooks.

use alloy_primitives::{B256, U256};
use serde_json::{Value, json};
use tollgate::demo::bodies;
use tollgate::demo::devnet::{Devnet, TOKEN_DECIMALS};

/// Whole tokens of every invoice.
pub(crate) const AMOUNT: u64 = 3;

/// One invoice; the number makes everything about it its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Invoice(pub(crate) u64);

impl Invoice {
    /// The expectation's id.
    pub(crate) fn id(self) -> String {
        format!("order-{}", self.0)
    }

    /// Eight bytes that no other invoice has.
    pub(crate) fn reference(self) -> [u8; 8] {
        (0x7061_0000_0000_0000 | self.0).to_be_bytes()
    }

    fn request_id(self) -> String {
        format!("01{:064x}", self.0)
    }

    /// What the backend registers.
    pub(crate) fn terms(self, net: &Devnet) -> Value {
        json!({
            "payment_reference": format!("0x{}", hex::encode(self.reference())),
            "chain": "local",
            "token": "TST",
            "recipient": net.merchant,
            "amount": AMOUNT.to_string(),
        })
    }

    /// Pays it in full.
    pub(crate) async fn pay(self, net: &Devnet) -> B256 {
        self.pay_to(net, net.merchant, AMOUNT).await
    }

    /// Pays so many whole tokens to whomever.
    pub(crate) async fn pay_to(self, net: &Devnet, to: alloy_primitives::Address, whole: u64) -> B256 {
        let amount = U256::from(whole) * U256::from(10).pow(U256::from(TOKEN_DECIMALS));
        net.pay_token(net.erc20_fee_proxy, to, amount, &self.reference()).await.expect("a payment")
    }

    /// What Request Network posts about a payment of it.
    pub(crate) fn webhook(self, event: &str, tx: B256) -> Vec<u8> {
        let amount = AMOUNT.to_string();
        let body = bodies::request_network(event, &self.request_id(), self.reference(), tx, "TST", &amount);
        body.to_string().into_bytes()
    }
}

/// An event of Request Network that claims no money. `request` makes the lane, `step` the event.
pub(crate) fn processing(request: u64, step: u64) -> Vec<u8> {
    let body = json!({
        "event": "payment.processing", "requestId": format!("02{request:064x}"), "subStatus": "initiated",
        "rawPayload": {"step": step},
    });
    body.to_string().into_bytes()
}

/// A card payment at Stripe.
pub(crate) fn card(number: u64) -> Vec<u8> {
    bodies::stripe_card(&number.to_string()).to_string().into_bytes()
}
