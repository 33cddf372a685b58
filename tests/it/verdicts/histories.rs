//! Random histories of one payment on a real chain: it is lost, fails, comes back, and the gateway is killed between any
//! of these. What the backend believes in the end is what the chain says in the end, and it heard of one event only.
//!
//! `TOLLGATE_IT_HISTORIES=50` makes it long.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

use super::retracted::{self, Announced, announced, heard, pay, world};
use crate::support::gateway::PATIENCE;
use crate::support::money::World;

/// Histories when nobody asks for more.
const HISTORIES: u64 = 2;
/// Says how many.
const HISTORIES_VARIABLE: &str = "TOLLGATE_IT_HISTORIES";
/// Reorganisations of one history.
const STEPS: usize = 5;
/// How long a world lasts before the next one, milliseconds: shorter and longer than it takes to notice.
const LASTS_MS: std::ops::Range<u64> = 0..2_500;

/// Where the payment is after a reorganisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// In a block, and paid.
    Paid,
    /// In a block, and failed there.
    Failed,
    /// Nowhere.
    Lost,
}

#[expect(clippy::disallowed_methods, reason = "a test's own length is no configuration of the gateway")]
fn histories() -> u64 {
    std::env::var(HISTORIES_VARIABLE).map_or(HISTORIES, |text| text.parse().expect(HISTORIES_VARIABLE))
}

#[expect(clippy::print_stderr, reason = "what failed has to be run again")]
fn report(line: &str) {
    eprintln!("{line}");
}

/// The chain as a history changes it.
struct History {
    /// The last state before the payment; one use is all it has.
    before: Value,
    /// The highest block that there ever was: a reorganisation makes a longer chain.
    height: u64,
}

impl History {
    async fn begins(world: &World, before: Value) -> Self {
        let mut history = Self { before, height: 0 };
        history.height = history.head(world).await;
        history
    }

    async fn head(&self, world: &World) -> u64 {
        let head = retracted::call(world, "eth_blockNumber", json!([])).await;
        u64::from_str_radix(head.as_str().unwrap().trim_start_matches("0x"), 16).unwrap()
    }

    /// Another history, a block longer than any before; the hash of the block that the payment is in.
    async fn becomes(&mut self, world: &World, fate: Fate) -> Option<Value> {
        retracted::revert(world, &self.before).await;
        self.before = retracted::call(world, "evm_snapshot", json!([])).await;
        let behind = self.height - self.head(world).await;
        self.height += 1;
        // Blocks under the payment, never on it: it must not become final, for then it cannot be lost.
        match fate {
            Fate::Lost => {
                world.net.mine(behind + 1).await.expect("mined");
                None
            }
            Fate::Paid | Fate::Failed => {
                if 0 < behind {
                    world.net.mine(behind).await.expect("mined");
                }
                if fate == Fate::Failed {
                    retracted::call(world, "anvil_setCode", json!([world.net.token, "0x60006000fd"])).await;
                }
                let receipt = pay(world, 1, 12).await;
                assert_eq!(receipt["status"], if fate == Fate::Paid { "0x1" } else { "0x0" });
                Some(receipt["blockHash"].clone())
            }
        }
    }
}

/// What the backend heard about money so far, repeats apart: a kill may repeat a message under its own id.
fn told(world: &World) -> Vec<Value> {
    let mut seen = BTreeSet::new();
    let all = world.backend.received().into_iter();
    all.filter(|one| seen.insert(one.webhook_id.clone())).map(|one| one.message).collect()
}

/// Waits until what was told last is what the chain says.
async fn ends_in_truth(world: &World, delivery: &str, fate: Fate, block: Option<&Value>, history: &str) {
    let began = Instant::now();
    loop {
        let messages = told(world);
        let last = messages.last().expect("it was verified at first")["type"].clone();
        let event = world.gateway.event_when(delivery, |event| event["event_id"].is_string()).await;
        let believes = last == "payment.verified" || last == "payment.reinstated";
        let is_true = match fate {
            Fate::Paid => believes && Some(&event["anchor"]["block_hash"]) == block,
            Fate::Failed | Fate::Lost => !believes,
        };
        if is_true {
            return;
        }
        let types = retracted::types(&messages);
        assert!(began.elapsed() < PATIENCE, "{history}: the chain says {fate:?}, told was {types:?}, {event:#}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn happens(seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    let mut world = world().await;
    let Announced { snapshot, paid, delivery } = announced(&world, 12).await;
    let verified = heard(&world, &delivery, "payment.verified").await.remove(0);
    let mut history = History::begins(&world, snapshot).await;
    let (mut fate, mut block) = (Fate::Paid, Some(paid["blockHash"].clone()));
    let mut story = format!("seed {seed}");
    for _ in 0..STEPS {
        fate = [Fate::Paid, Fate::Failed, Fate::Lost][random.random_range(0..3)];
        block = history.becomes(&world, fate).await;
        let lasts = random.random_range(LASTS_MS);
        let is_killed = random.random_bool(0.5);
        story.push_str(&format!(", {fate:?} {lasts} ms{}", if is_killed { " killed" } else { "" }));
        tokio::time::sleep(Duration::from_millis(lasts)).await;
        if is_killed {
            world = world.killed();
        }
    }
    report(&story);
    ends_in_truth(&world, &delivery, fate, block.as_ref(), &story).await;
    let messages = told(&world);
    let types = retracted::types(&messages);
    for (at, message) in messages.iter().enumerate() {
        let expected = match at {
            0 => "payment.verified",
            odd if odd % 2 == 1 => "payment.retracted",
            _ => "payment.reinstated",
        };
        assert_eq!(message["type"], expected, "{story}: they take turns: {types:?}");
        assert_eq!(message["data"]["state_version"], at + 1, "{story}: {types:?}");
        for field in ["event_id", "payment_id"] {
            assert_eq!(message["data"][field], verified["data"][field], "{story}: one event, one payment");
        }
    }
    let status = if fate == Fate::Paid { "paid" } else { "open" };
    assert_eq!(world.expectation("order-1").await["status"], status, "{story}");
}

#[tokio::test]
async fn whatever_becomes_of_a_payment_and_of_the_gateway_the_backend_ends_up_with_the_truth() {
    for _ in 0..histories() {
        happens(rand::rng().random()).await;
    }
}
