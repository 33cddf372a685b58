//! Many orders that are paid in a few blocks, and what their payments cost together.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use alloy_primitives::{B256, Bytes};
use serde_json::json;
use tokio::task::JoinSet;
use tollgate::config::Provider;

use super::{A_WHILE, calls, world_of};
use crate::support::gateway::{ADMIN_TOKEN, BACKEND_TOKEN, REQUEST_NETWORK_SECRET};
use crate::support::http;
use crate::support::invoice::{AMOUNT, Invoice};
use crate::support::money::{World, proxy_call, tokens};

/// Payments that wait at the same time.
const WAITING: u64 = 2_000;
/// Blocks that they are in.
const BLOCKS: usize = 12;
/// Calls that the payments of one block share, with three nodes: the block from each, all of it from one, and the block
/// from each when it is looked at last.
const OF_A_BLOCK: usize = 7;
/// So deep that none of them is confirmed before all of them wait.
const CONFIRMATIONS: u64 = 24;
/// Requests in flight.
const SENDERS: usize = 8;
/// So many orders are a lot for a machine that does other things.
const PATIENCE: Duration = Duration::from_secs(1200);

/// Sends requests that are made in the loop, so many at a time; all succeed.
async fn send_all(requests: Vec<reqwest::RequestBuilder>) {
    let mut left = VecDeque::from(requests);
    let mut sending = JoinSet::new();
    while let Some(request) = left.pop_front() {
        if SENDERS <= sending.len() {
            is_good(sending.join_next().await);
        }
        sending.spawn(http::send(request));
    }
    while !sending.is_empty() {
        is_good(sending.join_next().await);
    }
}

fn is_good(reply: Option<Result<Result<http::Reply, reqwest::Error>, tokio::task::JoinError>>) {
    let reply = reply.expect("one").expect("no panic").expect("an answer");
    assert!(reply.status < 300, "{}: {}", reply.status, reply.json());
}

/// The backend registers all of them.
pub(super) async fn expect(world: &World, invoices: impl Iterator<Item = Invoice>) {
    let put = |invoice: Invoice| {
        let url = format!("http://{}/api/v1/expectations/{}", world.gateway.admin, invoice.id());
        let request = world.gateway.client.put(url).bearer_auth(BACKEND_TOKEN);
        request.header("content-type", "application/json").body(invoice.terms(&world.net).to_string())
    };
    send_all(invoices.map(put).collect()).await;
}

/// Pays all of them in one block.
pub(super) async fn pay(world: &World, invoices: impl Iterator<Item = Invoice>) -> Vec<(Invoice, B256)> {
    let net = &world.net;
    net.call("evm_setAutomine", json!([false])).await.expect("answered");
    let mut paid = Vec::new();
    for invoice in invoices {
        let data = Bytes::from(proxy_call(net.token, net.merchant, tokens(AMOUNT), &invoice.reference()));
        let call = json!({"from": net.payer, "to": net.erc20_fee_proxy, "data": data, "gas": "0x1d4c0"});
        let hash = net.call("eth_sendTransaction", json!([call])).await.expect("a hash");
        paid.push((invoice, serde_json::from_value(hash).expect("a hash")));
    }
    net.call("evm_mine", json!([])).await.expect("mined");
    let block = net.call("eth_getBlockByNumber", json!(["latest", false])).await.expect("a block");
    assert_eq!(block["transactions"].as_array().map(Vec::len), Some(paid.len()), "all of them in one block");
    paid
}

/// Request Network says so of each.
pub(super) async fn announce(world: &World, paid: &[(Invoice, B256)]) {
    let url = format!("http://{}/webhooks/request-network", world.gateway.public);
    let post = |(invoice, tx): &(Invoice, B256)| {
        let body = invoice.webhook("payment.confirmed", *tx);
        http::signed(&world.gateway.client, &url, &Provider::RequestNetwork, REQUEST_NETWORK_SECRET, &body)
    };
    send_all(paid.iter().map(post).collect()).await;
}

/// Waits until so many events are in a state.
pub(super) async fn are(world: &World, state: &str, count: usize) {
    let began = Instant::now();
    let line = format!("tollgate_events{{state=\"{state}\"}} {count}\n");
    loop {
        let reply = world.gateway.admin("GET", "/metrics", ADMIN_TOKEN, None).await;
        let text = String::from_utf8_lossy(&reply.body).into_owned();
        if text.contains(&line) {
            return;
        }
        let shown: Vec<&str> = text.lines().filter(|line| line.starts_with("tollgate_events{")).collect();
        assert!(began.elapsed() < PATIENCE, "never {count} are {state}: {shown:#?}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// Calls at most that were made beside those of slow nodes: a busy machine has slow ones. Each such race leaves one call
/// that nobody waits for, and takes two calls more at most.
async fn beside_slow_ones(world: &World) -> usize {
    let reply = world.gateway.admin("GET", "/metrics", ADMIN_TOKEN, None).await;
    let text = String::from_utf8_lossy(&reply.body).into_owned();
    let abandoned = text.lines().filter(|line| line.contains("outcome=\"abandoned\""));
    let races: usize = abandoned.map(|line| line.rsplit(' ').next().unwrap().parse::<usize>().unwrap()).sum();
    2 * races
}

#[tokio::test]
async fn two_thousand_that_wait_in_twelve_blocks_cost_a_call_each_and_seven_a_block() {
    let (world, nodes) = world_of(CONFIRMATIONS).await;
    expect(&world, (1..=WAITING).map(Invoice)).await;
    let mut paid = Vec::new();
    for block in 0..BLOCKS {
        let number = u64::try_from(block).expect("few");
        let of_it = (1..=WAITING).filter(|invoice| invoice % 12 == number).map(Invoice);
        paid.extend(pay(&world, of_it).await);
    }
    announce(&world, &paid).await;
    are(&world, "awaiting_finality", paid.len()).await;
    let included = calls(&nodes).len();
    let most = paid.len() + BLOCKS * OF_A_BLOCK + beside_slow_ones(&world).await;
    assert!(included <= most, "{included} calls until all of them wait, not {most}");
    for _ in 0..3 {
        world.net.mine(1).await.expect("mined");
        tokio::time::sleep(A_WHILE).await;
    }
    assert_eq!(calls(&nodes).len(), included, "nothing is asked while they wait");
    assert!(world.backend.received().is_empty());
    world.net.mine(CONFIRMATIONS).await.expect("mined");
    world.net.mine(100).await.expect("mined");
    are(&world, "settled", paid.len()).await;
    let told = world.backend.received();
    assert_eq!(told.len(), paid.len(), "one message each");
    assert!(told.iter().all(|one| one.message_type() == "payment.verified"));
    let all = calls(&nodes).len();
    let most = paid.len() + BLOCKS * OF_A_BLOCK + beside_slow_ones(&world).await;
    assert!(all <= most, "{all} calls for {} payments, not {most}", paid.len());
}
