//! The loop on a real ledger, step by step; only the chain is scripted.

use std::collections::BTreeMap;
use std::sync::Mutex;

use alloy_primitives::B256;
use jiff::Timestamp;

use super::*;
use crate::chain::{Header, LogFilter, NodeError, PlacedLog, Receipt};
use crate::ledger::sqlite::Sqlite;
use crate::ledger::{EventView, Filter, PutExpectation, Who};
use crate::model::{EventState, Expectation, Origin};
use crate::reconcile::Asking;
use crate::verify::fixture::{self, HUNDRED, PAYEE, REFERENCE, TOPIC};

mod scenarios;

/// One node as it is now.
#[derive(Clone)]
struct Node {
    head: u64,
    finalized: Option<u64>,
    /// Blocks from this height on are of the other fork.
    fork_from: u64,
    /// Logs that it has.
    logs: Vec<PlacedLog>,
    /// Most blocks that it answers logs of.
    blocks_max: u64,
    is_down: bool,
}

/// A chain of three nodes of three owners.
struct Scripted {
    nodes: Mutex<[Node; 3]>,
    receipts: Mutex<BTreeMap<B256, Receipt>>,
    /// Stretches asked for, each once.
    asked: Mutex<Vec<Blocks>>,
}

fn hash(height: u64, is_fork: bool) -> B256 {
    let mut bytes = [if is_fork { 0xff } else { 0xb1 }; 32];
    bytes[24..].copy_from_slice(&height.to_be_bytes());
    B256::from(bytes)
}

impl Scripted {
    fn new(head: u64, finalized: u64) -> Self {
        let node = Node {
            head,
            finalized: Some(finalized),
            fork_from: u64::MAX,
            logs: Vec::new(),
            blocks_max: u64::MAX,
            is_down: false,
        };
        let nodes = Mutex::new([node.clone(), node.clone(), node]);
        Self { nodes, receipts: Mutex::default(), asked: Mutex::default() }
    }

    fn change(&self, change: impl Fn(&mut [Node; 3])) {
        change(&mut self.nodes.lock().unwrap());
    }

    /// A payment through the proxy in a block, as these nodes show it.
    fn pay(&self, tx: u8, height: u64, seen_by: &[usize]) {
        let tx_hash = B256::repeat_byte(tx);
        let logs = fixture::proxy_payment(PAYEE, HUNDRED, TOPIC);
        let block_hash = hash(height, false);
        let receipt = Receipt { tx_hash, block_hash, block_number: height, ..fixture::receipt(logs.clone()) };
        self.receipts.lock().unwrap().insert(tx_hash, receipt);
        for node in seen_by {
            let placed =
                logs.iter().map(|log| PlacedLog { log: log.clone(), tx_hash, block_number: height, block_hash });
            self.nodes.lock().unwrap()[*node].logs.extend(placed);
        }
    }

    fn asked(&self) -> Vec<(u64, u64)> {
        self.asked.lock().unwrap().drain(..).map(|blocks| (blocks.from, blocks.to)).collect()
    }

    fn answers<T: Send + 'static>(&self, answer: impl Fn(&Node) -> Result<T, NodeError>) -> Asking<'static, T> {
        let down = || Err(NodeError::Unavailable("deadline passed"));
        let nodes = self.nodes.lock().unwrap();
        let named = [("a", "x"), ("b", "y"), ("c", "z")].into_iter().zip(nodes.iter());
        let answers: Vec<NodeAnswer<T>> = named
            .map(|((node, owner), state)| NodeAnswer {
                node: node.to_owned(),
                owner: owner.to_owned(),
                answer: if state.is_down { down() } else { answer(state) },
            })
            .collect();
        Box::pin(std::future::ready(answers))
    }
}

fn header(node: &Node, number: u64) -> Header {
    Header { number, hash: hash(number, node.fork_from <= number), parent: B256::ZERO, timestamp: 0, is_sealed: false }
}

impl Look for Scripted {
    fn stands<'a>(&'a self, _: &'a str) -> Asking<'a, Stand> {
        self.answers(|node| {
            let finalized = node.finalized.map(|number| header(node, number));
            Ok(Stand { head: header(node, node.head), finalized })
        })
    }

    fn logs<'a>(&'a self, _: &'a str, filter: &'a LogFilter, blocks: Blocks) -> Asking<'a, Vec<PlacedLog>> {
        let mut asked = self.asked.lock().unwrap();
        if asked.last() != Some(&blocks) {
            asked.push(blocks);
        }
        self.answers(|node| {
            if node.blocks_max < blocks.to - blocks.from + 1 {
                return Err(NodeError::Unavailable("answer too large"));
            }
            let within = |placed: &&PlacedLog| (blocks.from..=blocks.to).contains(&placed.block_number);
            let found = node.logs.iter().filter(within).filter(|placed| filter.takes(&placed.log));
            Ok(found.cloned().collect())
        })
    }

    fn header_at<'a>(&'a self, _: &'a str, number: u64) -> Asking<'a, Option<Header>> {
        self.answers(|node| Ok((number <= node.head).then(|| header(node, number))))
    }

    fn receipt<'a>(&'a self, _: &'a str, tx_hash: B256) -> Asking<'a, Option<Receipt>> {
        let receipt = self.receipts.lock().unwrap().get(&tx_hash).cloned();
        self.answers(|_| Ok(receipt.clone()))
    }
}

/// A loop that a test steps through, and everything around it.
struct Bench {
    chain: Chain,
    memory: Memory,
    reader: Arc<Scripted>,
    ledger: Arc<dyn Ledger>,
    folder: tempfile::TempDir,
}

const CONFIGURATION: &str = r#"
[[sources]]
name = "rn"
provider = "request-network"
path = "/rn"
secrets = ["env:SECRET"]

[chains.base]
rpc = [
    { name = "a", owner = "x", url = "https://a.example" },
    { name = "b", owner = "y", url = "https://b.example" },
    { name = "c", owner = "z", url = "https://c.example" },
]
"#;

impl Bench {
    fn start(reader: Scripted) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("gate.toml"), CONFIGURATION).unwrap();
        Self::on(Arc::new(reader), folder)
    }

    fn on(reader: Arc<Scripted>, folder: tempfile::TempDir) -> Self {
        let environment = BTreeMap::from([("SECRET".to_owned(), "s".repeat(20))]);
        let loaded = crate::config::load(&[folder.path().join("gate.toml")], &environment);
        let config = Arc::new(loaded.unwrap_or_else(|problems| panic!("{problems}")).config);
        let clock = Clock::manual(Timestamp::from_microsecond(fixture::NOW.now_us).unwrap());
        let ledger: Arc<dyn Ledger> = Arc::new(Sqlite::open(&folder.path().join("ledger.db"), &clock).unwrap());
        let (look, in_force): (Arc<dyn Look>, _) = (Arc::<Scripted>::clone(&reader), InForce::new(&config.chains));
        let (held, metrics, wakes) = (Arc::clone(&ledger), Metrics::new(), Wakes::default());
        let shared = Arc::new(Worker::new(held, look, config, in_force, clock, metrics, wakes));
        let chain = Chain { name: "base".to_owned(), poll: Duration::from_secs(1), shared };
        let memory = Memory::new(1_000);
        Self { chain, memory, reader, ledger, folder }
    }

    /// The same data and chain in a new process.
    fn restart(self) -> Self {
        let Self { chain, reader, ledger, folder, .. } = self;
        drop((chain, ledger));
        Self::on(reader, folder)
    }

    async fn step(&mut self) -> Step {
        self.chain.step(&mut self.memory).await.unwrap()
    }

    /// Steps until nothing is left to do; the last step.
    async fn run(&mut self) -> Step {
        for _ in 0..1_000 {
            match self.step().await {
                Step::More | Step::Again => {}
                end @ (Step::Done | Step::Stuck(_)) => return end,
            }
        }
        panic!("it goes on and on");
    }

    async fn expects(&self, id: &str) {
        let mut terms: Expectation = fixture::expectation().terms;
        terms.id = id.to_owned();
        let by = Who { name: "shop".to_owned(), from: "test".to_owned(), reason: None };
        let now_us = self.chain.shared.clock.now().as_microsecond();
        self.ledger.put_expectation(PutExpectation { terms, by, now_us }).await.unwrap();
    }

    async fn cursor(&self) -> (u64, B256) {
        let cursor = self.ledger.scan_cursor(8453).await.unwrap().unwrap();
        (cursor.height, cursor.block_hash)
    }

    async fn events(&self) -> Vec<EventView> {
        self.ledger.events(Filter { limit: 100, ..Filter::default() }).await.unwrap().items
    }

    fn metrics(&self) -> String {
        self.chain.shared.metrics.encode().unwrap()
    }
}
