//! The stories of the round, each a payment (or the lack of one), a webhook, and what ought to come of it.

use alloy_primitives::{Address, B256, U256};
use serde_json::{Value, json};

use super::bodies;
use super::devnet::{Devnet, TOKEN_DECIMALS};
use super::gateway::Sender;
use super::round::{Round, delivery_id};

/// A payment reference of a story: eight bytes that no other story uses.
fn reference(story: u8) -> [u8; 8] {
    [0x70, 0x61, 0x79, 0x6d, 0x65, 0x6e, 0x74, story]
}

/// A request id in Request Network's shape: `01` and 64 hexadecimal digits.
fn request_id(story: u8) -> String {
    format!("01{}", hex::encode([story; 32]))
}

/// What Request Network posts about a payment.
fn webhook(event: &str, story: u8, tx: B256, currency: &str, amount: &str) -> Value {
    bodies::request_network(event, &request_id(story), reference(story), tx, currency, amount)
}

/// What the backend registers before, or after, the webhook.
fn terms(net: &Devnet, story: u8, token: &str, amount: &str) -> Value {
    json!({
        "payment_reference": format!("0x{}", hex::encode(reference(story))),
        "chain": "local",
        "token": token,
        "recipient": net.merchant,
        "amount": amount,
    })
}

/// Whole test tokens as base units.
fn tokens(whole: u64) -> U256 {
    U256::from(whole) * U256::from(10).pow(U256::from(TOKEN_DECIMALS))
}

/// Every story, in order.
///
/// # Errors
/// When a part does not answer; a wrong outcome is no error here but a row of the report.
pub async fn tell(round: &mut Round) -> anyhow::Result<()> {
    verified_and_repeated(round).await?;
    in_two_parts(round).await?;
    wrong(round).await?;
    native(round).await?;
    early_webhook(round).await?;
    test_marked(round).await?;
    stripe(round).await
}

async fn pay(round: &Round, proxy: Address, to: Address, amount: U256, story: u8) -> anyhow::Result<B256> {
    Ok(round.net.pay_token(proxy, to, amount, &reference(story)).await?)
}

async fn verified_and_repeated(round: &mut Round) -> anyhow::Result<()> {
    round.expect("order-1", &terms(&round.net, 1, "TST", "25")).await?;
    let tx = pay(round, round.net.erc20_fee_proxy, round.net.merchant, tokens(25), 1).await?;
    let body = webhook("payment.confirmed", 1, tx, "TST", "25.0");
    let first = round.deliver(Sender::RequestNetwork, &body).await?;
    round.note_message("paid through ERC20FeeProxy", &first, "payment.verified", "VERIFIED").await?;

    let again = round.deliver(Sender::RequestNetwork, &body).await?;
    round.note_same("the same body, another delivery id", &again, &first).await?;

    let variant = webhook("payment.confirmed.client_id", 1, tx, "TST", "25.0");
    let variant = round.deliver(Sender::RequestNetwork, &variant).await?;
    round.note_same("its .client_id variant", &variant, &first).await?;

    let forged = webhook("payment.confirmed", 99, tx, "TST", "25.0");
    let reply = round.gateway.post(Sender::Forger, &forged, &[]).await?;
    round.note_reply("a forged signature", &reply, "401 SIGNATURE_MISMATCH", "no live secret signs these bytes");
    Ok(())
}

async fn in_two_parts(round: &mut Round) -> anyhow::Result<()> {
    round.expect("order-2", &terms(&round.net, 2, "TST", "40")).await?;
    let tx = pay(round, round.net.erc20_fee_proxy, round.net.merchant, tokens(15), 2).await?;
    let body = webhook("payment.partial", 2, tx, "TST", "15.0");
    let partial = round.deliver(Sender::RequestNetwork, &body).await?;
    round.note_message("underpaid: 15 of 40", &partial, "payment.partial", "VERIFIED_PARTIAL").await?;

    let tx = pay(round, round.net.erc20_fee_proxy, round.net.merchant, tokens(25), 2).await?;
    let body = webhook("payment.confirmed", 2, tx, "TST", "25.0");
    let rest = round.deliver(Sender::RequestNetwork, &body).await?;
    round.note_message("the other 25 arrive", &rest, "payment.verified", "VERIFIED").await
}

async fn wrong(round: &mut Round) -> anyhow::Result<()> {
    round.expect("order-3", &terms(&round.net, 3, "TST", "30")).await?;
    let tx = pay(round, round.net.erc20_fee_proxy, round.net.stranger, tokens(30), 3).await?;
    let body = webhook("payment.confirmed", 3, tx, "TST", "30.0");
    let delivery = round.deliver(Sender::RequestNetwork, &body).await?;
    round.note_event("paid to someone else", &delivery, &["refuted"], "WRONG_RECIPIENT").await?;

    round.expect("order-4", &terms(&round.net, 4, "TST", "30")).await?;
    let tx = pay(round, round.net.look_alike, round.net.merchant, tokens(30), 4).await?;
    let body = webhook("payment.confirmed", 4, tx, "TST", "30.0");
    let delivery = round.deliver(Sender::RequestNetwork, &body).await?;
    round.note_event("the right event from a look-alike contract", &delivery, &["refuted"], "UNTRUSTED_EMITTER").await
}

async fn native(round: &mut Round) -> anyhow::Result<()> {
    round.expect("order-5", &terms(&round.net, 5, "ETH", "0.5")).await?;
    let half = U256::from(500_000_000_000_000_000_u64);
    let tx = round.net.pay_native(round.net.merchant, half, &reference(5)).await?;
    let body = webhook("payment.confirmed", 5, tx, "ETH", "0.5");
    let delivery = round.deliver(Sender::RequestNetwork, &body).await?;
    round.note_message("paid through EthereumFeeProxy", &delivery, "payment.verified", "VERIFIED").await
}

async fn early_webhook(round: &mut Round) -> anyhow::Result<()> {
    let tx = pay(round, round.net.erc20_fee_proxy, round.net.merchant, tokens(12), 6).await?;
    let body = webhook("payment.confirmed", 6, tx, "TST", "12.0");
    let delivery = round.deliver(Sender::RequestNetwork, &body).await?;
    let waiting = ["undetermined"];
    round.note_event("a webhook before its expectation", &delivery, &waiting, "EXPECTATION_UNKNOWN").await?;
    round.expect("order-6", &terms(&round.net, 6, "TST", "12")).await?;
    round.note_message("then the expectation", &delivery, "payment.verified", "VERIFIED").await
}

async fn test_marked(round: &mut Round) -> anyhow::Result<()> {
    let body = webhook("payment.confirmed", 7, B256::repeat_byte(7), "TST", "1.0");
    let reply = round.gateway.post(Sender::RequestNetwork, &body, &[("x-request-network-test", "true")]).await?;
    delivery_id(&reply)?;
    round.note_reply("a test delivery", &reply, "200", "stored and acknowledged; makes no event");
    Ok(())
}

async fn stripe(round: &mut Round) -> anyhow::Result<()> {
    let card = bodies::stripe_card("1DemoCard");
    let delivery = round.deliver(Sender::Stripe, &card).await?;
    round.note_message("a card payment at Stripe", &delivery, "provider.event", "PROVIDER_EVENT").await?;

    let mut expected = terms(&round.net, 8, "TST", "50");
    if let Some(fields) = expected.as_object_mut() {
        fields.remove("payment_reference");
        fields.insert("provider_object".into(), json!("pi_1DemoDeposit"));
        fields.insert("recipient".into(), json!(round.net.stranger));
    }
    round.expect("order-8", &expected).await?;
    let tx = round.net.transfer(round.net.stranger, tokens(50)).await?;
    let delivery = round.deliver(Sender::Stripe, &bodies::stripe_charge("1DemoDeposit", round.net.payer, tx)).await?;
    round.note_message("a Stripe charge to a known deposit address", &delivery, "payment.verified", "VERIFIED").await?;

    let tx = round.net.transfer(round.net.merchant, tokens(7)).await?;
    let delivery = round.deliver(Sender::Stripe, &bodies::stripe_charge("1DemoHosted", round.net.payer, tx)).await?;
    round.note_message("a Stripe charge, recipient unknown", &delivery, "provider.event", "CHARGE_CONSISTENT").await
}
