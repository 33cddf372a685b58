//! What the gateway asks of nodes beside what a program asks that polls for each payment.
//!
//! `TOLLGATE_IT_COST=1,10,50` prints a row for each number of payments in a block; `make bench-cost` does.

use alloy_primitives::B256;
use serde_json::{Value, json};

use super::crowd::{announce, are, expect, pay};
use super::{A_WHILE, calls, world};
use crate::support::http;
use crate::support::invoice::Invoice;
use crate::support::node::Node;

/// Payments in one block, when nobody asks for others.
const TOGETHER: &str = "5";
/// Says how many, behind each other.
const TOGETHER_VARIABLE: &str = "TOLLGATE_IT_COST";
/// Confirmations that both wait for.
const DEEP: u64 = 12;
/// Blocks that are looked at while payments wait.
const WAITED: u64 = 5;

/// Calls of the gateway for so many payments of one block.
struct Measured {
    /// From the webhook to the message and the last look at its block.
    all: usize,
    /// In the blocks that were waited.
    waiting: usize,
    /// Calls that follow the heads, whoever pays, in the same time.
    following: usize,
    seconds: u64,
}

async fn gateway(together: usize) -> Measured {
    let began = std::time::Instant::now();
    let (world, nodes) = world().await;
    let many = 1..=u64::try_from(together).expect("few");
    expect(&world, many.clone().map(Invoice)).await;
    let paid = pay(&world, many.map(Invoice)).await;
    announce(&world, &paid).await;
    are(&world, "awaiting_finality", together).await;
    let included = calls(&nodes).len();
    for _ in 0..WAITED {
        world.net.mine(1).await.expect("mined");
        tokio::time::sleep(A_WHILE).await;
    }
    let waiting = calls(&nodes).len() - included;
    world.net.mine(DEEP).await.expect("mined");
    world.backend.wait_for_taken(together).await;
    world.net.mine(100).await.expect("mined");
    are(&world, "settled", together).await;
    let all = calls(&nodes).len();
    let following = nodes.iter().map(Node::calls).sum::<usize>() - all;
    Measured { all, waiting, following, seconds: began.elapsed().as_secs() }
}

/// A program that has a list of transactions and, at every block, asks for each one's receipt and for the height, until
/// it is deep enough.
struct Naive {
    client: reqwest::Client,
    nodes: Vec<Node>,
    left: Vec<B256>,
}

impl Naive {
    async fn ask(&self, node: &Node, method: &str, params: Value) -> Value {
        let call = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string();
        let request = self.client.post(node.url("")).header("content-type", "application/json").body(call);
        http::send(request).await.expect("an answer").json()["result"].clone()
    }

    /// One round: each transaction that is not deep enough yet, at each node.
    async fn polls(&mut self) {
        let mut left = Vec::new();
        for tx in &self.left {
            let mut is_deep = true;
            for node in &self.nodes {
                let receipt = self.ask(node, "eth_getTransactionReceipt", json!([tx])).await;
                let head = self.ask(node, "eth_blockNumber", json!([])).await;
                let depth = number(&head) + 1 - number(&receipt["blockNumber"]);
                is_deep &= receipt["status"] == "0x1" && DEEP <= depth;
            }
            if !is_deep {
                left.push(*tx);
            }
        }
        self.left = left;
    }

    fn calls(&self) -> usize {
        self.nodes.iter().map(Node::calls).sum()
    }
}

fn number(quantity: &Value) -> u64 {
    u64::from_str_radix(quantity.as_str().expect("a quantity").trim_start_matches("0x"), 16).expect("a number")
}

/// Calls of such a program with so many nodes: in all, and in one block while it waits.
async fn naive(together: usize, nodes: usize) -> (usize, usize) {
    let (world, _) = world().await;
    let many = 1..=u64::try_from(together).expect("few");
    let paid = pay(&world, many.map(Invoice)).await;
    let mut asked = Vec::new();
    for _ in 0..nodes {
        asked.push(Node::honest(world.net.url()).await);
    }
    let left = paid.into_iter().map(|(_, tx)| tx).collect();
    let mut program = Naive { client: http::client(), nodes: asked, left };
    program.polls().await;
    let a_block = program.calls();
    while !program.left.is_empty() {
        world.net.mine(1).await.expect("mined");
        program.polls().await;
    }
    (program.calls(), a_block)
}

/// A number of calls for each of so many, with two digits.
fn each(calls: usize, together: usize) -> String {
    let hundredths = calls * 100 / together;
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

#[expect(clippy::disallowed_methods, reason = "a test's own size is no configuration of the gateway")]
fn together() -> Vec<usize> {
    let text = std::env::var(TOGETHER_VARIABLE).unwrap_or_else(|_| TOGETHER.to_owned());
    text.split(',').map(|number| number.trim().parse().expect(TOGETHER_VARIABLE)).collect()
}

#[expect(clippy::print_stderr, reason = "the table is what a long run is for")]
fn report(line: &str) {
    eprintln!("{line}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_costs_less_than_polling_for_it_and_nothing_while_it_waits() {
    report(
        "\n| payments in a block | gateway, 3 nodes | polling, 1 node | polling, 3 nodes | gateway, a waiting block | \
         polling, a waiting block, 1 node | 3 nodes |\n|--:|--:|--:|--:|--:|--:|--:|",
    );
    let mut heads = String::new();
    for together in together() {
        let own = gateway(together).await;
        let (one, one_waits) = naive(together, 1).await;
        let (three, three_wait) = naive(together, 3).await;
        let [of_own, of_one, of_three] = [own.all, one, three].map(|calls| each(calls, together));
        let waits = own.waiting;
        report(&format!("| {together} | {of_own} | {of_one} | {of_three} | {waits} | {one_waits} | {three_wait} |"));
        heads.push_str(&format!(" {} in {} s with {together};", own.following, own.seconds));
        assert!(own.all < one && one < three, "{} calls of the gateway, {one} of polling", own.all);
        assert_eq!(own.waiting, 0);
    }
    report(&format!("\nCalls that follow the heads of three nodes, whoever pays:{heads}"));
}
