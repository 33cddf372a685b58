//! A transfer is claimed once: by however many at the same time, under whatever hash, wherever a reorganisation puts it,
//! and whenever the gateway dies.

use alloy_primitives::{B256, U256};
use serde_json::{Value, json};
use tollgate::config::Provider;
use tollgate::demo::devnet::Devnet;

use super::retracted::{self, Announced, announced, revert};
use crate::support::gateway::STRIPE_SECRET;
use crate::support::http;
use crate::support::money::{Ways, World, approval, charge, confirmed, hash_of, request_id, sent, terms, tokens, with};
use crate::support::node::{Asked, Node};
use crate::support::receiver::{Answer, Gate};

/// Payments that claim one transfer at the same time.
const AT_ONCE: usize = 100;
/// Posts in flight.
const SENDERS: usize = 20;

/// Terms of a charge's intent that the payer pays directly.
fn direct(net: &Devnet, intent: &str, amount: &str) -> Value {
    let changes = json!({"provider_object": intent, "payer": net.payer, "not_before": "2020-01-01T00:00:00Z"});
    let mut terms = with(&terms(net, 0, amount), changes);
    terms.as_object_mut().unwrap().remove("payment_reference");
    terms
}

#[tokio::test]
async fn a_transfer_that_a_hundred_payments_claim_at_once_settles_exactly_one() {
    let world = World::start().await;
    for number in 0..AT_ONCE {
        world.expect(&format!("order-{number}"), &direct(&world.net, &format!("pi_{number}"), "20")).await;
    }
    let tx = world.net.transfer(world.net.merchant, tokens(20)).await.unwrap();
    let url = format!("http://{}/webhooks/stripe", world.gateway.public);
    let mut posts = tokio::task::JoinSet::new();
    for sender in 0..SENDERS {
        let (client, url, payer) = (world.gateway.client.clone(), url.clone(), world.net.payer);
        posts.spawn(async move {
            let mut deliveries = Vec::new();
            for number in (sender..AT_ONCE).step_by(SENDERS) {
                let body = charge(&number.to_string(), payer, tx).to_string();
                let post = http::signed(&client, &url, &Provider::Stripe, STRIPE_SECRET, body.as_bytes());
                deliveries.push(http::send(post).await.unwrap().delivery_id());
            }
            deliveries
        });
    }
    let deliveries: Vec<String> = posts.join_all().await.into_iter().flatten().collect();
    assert_eq!(deliveries.len(), AT_ONCE);
    let (mut verified, mut refused) = (0, 0);
    for delivery in &deliveries {
        let is_judged = |event: &Value| ["VERIFIED", "ALREADY_CLAIMED"].iter().any(|code| event["code"] == *code);
        let event = world.gateway.event_when(delivery, is_judged).await;
        if event["code"] == "VERIFIED" {
            verified += 1;
        } else {
            assert_eq!((&event["state"], &event["messages"]), (&json!("refuted"), &json!([])), "{event:#}");
            refused += 1;
        }
    }
    assert_eq!((verified, refused), (1, AT_ONCE - 1));
    let told = world.backend.wait_for_taken(1).await;
    assert_eq!((told.len(), told[0].message_type()), (1, "payment.verified"));
    let mut paid = 0;
    for number in 0..AT_ONCE {
        paid += usize::from(world.expectation(&format!("order-{number}")).await["status"] == "paid");
    }
    assert_eq!(paid, 1);
}

/// A node that shows the receipt of `real` as that of `invented` too.
async fn two_faced(net: &Devnet, real: B256, invented: B256) -> Node {
    let (real, invented) = (real.to_string(), invented.to_string());
    let (asked_for, shown) = (invented.clone(), real.clone());
    let question = move |call: &mut Value| {
        if call["params"][0] == json!(asked_for) {
            call["params"][0] = json!(shown);
        }
    };
    let script = move |asked: &Asked, answer: &mut Value| {
        if asked.first() == invented {
            *answer = serde_json::from_str(&answer.to_string().replace(&real, &invented)).unwrap();
        }
        200
    };
    Node::scripted(net.url(), question, script).await
}

/// A world whose only node is two-faced about a transfer; its hash, and the one that is invented.
async fn two_faced_world(proof: &str) -> (World, Node, B256, B256) {
    let net = Devnet::start().await.unwrap();
    let real = net.transfer(net.merchant, tokens(20)).await.unwrap();
    let invented = B256::repeat_byte(0x5e);
    let node = two_faced(&net, real, invented).await;
    let rpc = format!("[{{ name = \"one\", owner = \"one\", url = \"{}\" }}]", node.url(""));
    let chain = vec![("rpc", rpc), ("proof", format!("\"{proof}\""))];
    let world = World::on(net, Ways { chain, ..Ways::default() });
    for intent in ["A", "B"] {
        world.expect(&format!("order-{intent}"), &direct(&world.net, &format!("pi_{intent}"), "20")).await;
    }
    (world, node, real, invented)
}

/// Where a node's word is all there is, the place in the block gives it away.
#[tokio::test]
async fn one_receipt_under_two_hashes_settles_one_payment() {
    let (world, _node, real, invented) = two_faced_world("quorum").await;
    let first = world.stripe(&charge("A", world.net.payer, real)).await;
    world.message(&first, "payment.verified").await;
    let second = world.stripe(&charge("B", world.net.payer, invented)).await;
    world.silent(&second, "refuted", "ALREADY_CLAIMED").await;
    assert_eq!(world.expectation("order-B").await["status"], "open");
    assert_eq!(world.backend.received().len(), 1);
}

/// Where blocks are proven it is seen that the block holds no such transaction, before anybody claimed the transfer.
#[tokio::test]
async fn a_receipt_in_a_proven_block_that_does_not_hold_its_transaction_is_a_fault() {
    let (world, _node, _, invented) = two_faced_world("full").await;
    let delivery = world.stripe(&charge("B", world.net.payer, invented)).await;
    let has =
        |event: &Value| event["trace"].as_array().is_some_and(|all| all.iter().any(|one| one["code"] == "RPC_FAULT"));
    let event = world.gateway.event_when(&delivery, has).await;
    assert_eq!((&event["state"], &event["messages"]), (&json!("undetermined"), &json!([])), "{event:#}");
    assert_eq!(world.expectation("order-B").await["status"], "open");
    assert!(world.backend.received().is_empty());
}

#[tokio::test]
async fn a_payment_that_is_mined_again_at_another_place_is_the_same_claim_there() {
    let world = retracted::world().await;
    let Announced { snapshot, paid, delivery } = announced(&world, 12).await;
    let verified = retracted::heard(&world, &delivery, "payment.verified").await.remove(0);
    revert(&world, &snapshot).await;
    // Behind another transaction, which has a log too: other index, other position of its logs in the block.
    retracted::call(&world, "evm_setAutomine", json!([false])).await;
    let data = alloy_primitives::Bytes::from(approval(world.net.merchant, tokens(1)));
    let (from, to) = (world.net.stranger, world.net.token);
    let before = json!({"from": from, "to": to, "data": data, "gas": "0x186a0", "gasPrice": "0x4a817c800"});
    retracted::call(&world, "eth_sendTransaction", json!([before])).await;
    let proxy = Some(world.net.erc20_fee_proxy);
    let sent = sent(&world.net, proxy, retracted::payment(&world, 1, 12), U256::ZERO).await;
    retracted::call(&world, "evm_mine", json!([])).await;
    let again = retracted::call(&world, "eth_getTransactionReceipt", json!([sent])).await;
    retracted::call(&world, "evm_setAutomine", json!([true])).await;
    assert_eq!(again["transactionHash"], paid["transactionHash"]);
    assert_eq!((&paid["transactionIndex"], &again["transactionIndex"]), (&json!("0x0"), &json!("0x1")));
    assert_ne!(again["logs"][0]["logIndex"], paid["logs"][0]["logIndex"]);

    let new: B256 = serde_json::from_value(again["blockHash"].clone()).unwrap();
    let event = world.gateway.event_when(&delivery, |event| event["anchor"]["block_hash"] == json!(new)).await;
    assert_eq!((&event["state"], &event["payment_id"]), (&json!("forwarded"), &verified["data"]["payment_id"]));
    let moved = event["trace"].as_array().unwrap().last().unwrap();
    assert_eq!(moved["detail"]["claimed"]["anchor"]["tx_index"], 1, "{event:#}");
    // The claim went along: another request that is told to be paid by the same transfer, as it stands now, meets it.
    let other = json!({"requestId": request_id(2), "requestID": request_id(2)});
    let other = world.rn(&with(&confirmed(1, hash_of(&again), "12"), other)).await;
    let is_met = |event: &Value| event["code"] == "JOINED" || event["event_id"] == verified["data"]["event_id"];
    let met = world.gateway.event_when(&other, is_met).await;
    assert_eq!(world.about(&met["event_id"]).len(), usize::from(met["code"] != "JOINED"), "{met:#}");
    assert_eq!(world.backend.received().len(), 1);
}

/// The claim is written and the backend has not heard of it, or has heard and its answer is lost: the gateway dies there.
#[tokio::test]
async fn a_kill_between_the_claim_and_the_answer_claims_once_and_tells_until_it_is_heard() {
    let world = World::start().await;
    world.expect("order-1", &direct(&world.net, "pi_1", "20")).await;
    world.expect("order-2", &direct(&world.net, "pi_2", "20")).await;
    let tx = world.net.transfer(world.net.merchant, tokens(20)).await.unwrap();
    // Nobody listens to what is sent.
    world.backend.always(Answer::Status(503));
    let first = world.stripe(&charge("1", world.net.payer, tx)).await;
    let claimed = world.gateway.event_in(&first, "forwarding", "VERIFIED").await;
    let world = world.killed();
    let second = world.stripe(&charge("2", world.net.payer, tx)).await;
    world.silent(&second, "refuted", "ALREADY_CLAIMED").await;
    assert_eq!(world.gateway.event_in(&first, "forwarding", "VERIFIED").await["payment_id"], claimed["payment_id"]);

    // It is heard, and before it is answered the gateway is gone.
    let (gate, stalled) = Gate::closed();
    world.backend.always(stalled);
    let count = world.backend.received().len();
    world.backend.wait_for(count + 1).await;
    let world = world.killed();
    gate.open();
    world.backend.always(Answer::Status(200));
    world.gateway.event_when(&first, |event| event["state"] == "settled" || event["state"] == "forwarded").await;
    let all = world.backend.received();
    assert!(2 <= all.len(), "told again");
    let same = |one: &crate::support::receiver::Received| {
        (one.webhook_id.clone(), one.payment_id().map(str::to_owned), one.body.clone())
    };
    assert!(all.iter().all(|one| same(one) == same(&all[0])), "one message, whatever happened");
    assert_eq!(all[0].payment_id(), claimed["payment_id"].as_str());
    assert_eq!(world.expectation("order-1").await["status"], "paid");
    assert_eq!(world.expectation("order-2").await["status"], "open");
}
