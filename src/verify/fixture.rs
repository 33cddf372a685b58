//! Test data of this stage: a chain, a payment on it, and what nodes say about them.

use std::collections::BTreeMap;
use std::time::Duration;

use alloy_primitives::{Address, B256, Bytes, U256, address, b256};
use chain_config::Registry;
use jiff::Timestamp;

use super::schedule::Moment;
use crate::chain::{Header, Log, NodeError, NodeHead, NodeObservation, NodeView, Observations, Receipt};
use crate::config::{ActiveChain, Node, Provider, Secret, Source, Verification};
use crate::ledger::{DueEvent, EventFacts, Progress, StoredExpectation};
use crate::model::{
    Accept, Anchor, Basis, Claim, EventId, EventState, Expectation, ExpectationKey, ExpectationState, Origin, Rail,
    Tolerance,
};

pub(crate) const PAYEE: Address = address!("0x6923831ACf5c327260D7ac7C9DfF5b1c3cB3C7D7");
pub(crate) const PAYER: Address = address!("0x92Fc3406Fc6BB7A76aC63b2E8b9d02b1B9C3e4d5");
pub(crate) const STRANGER: Address = address!("0x3333333333333333333333333333333333333333");
/// USDC on Base.
pub(crate) const USDC: Address = address!("0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913");
/// USDT on Base: registered, and not what is expected.
pub(crate) const USDT: Address = address!("0xfde4C96c8593536E31F229EA8f37b2ADa2699bb2");
pub(crate) const FAKE_TOKEN: Address = address!("0x2222222222222222222222222222222222222222");
/// ERC20FeeProxy on Base.
pub(crate) const PROXY: Address = address!("0x1892196E80C4c17ea5100Da765Ab48c1fE2Fb814");
/// EthereumFeeProxy on Base.
pub(crate) const ETH_PROXY: Address = address!("0xd9C3889eB8DA6ce449bfFE3cd194d08A436e96f2");
pub(crate) const REFERENCE: &str = "0x2c3366941274c34c";
/// keccak-256 of the reference's bytes, as published.
pub(crate) const TOPIC: B256 = b256!("0x0b70fce5f89d3c4a09056b36b5ea85fced2f385e7eacd1f90e7ba931a3f77c0d");
pub(crate) const OTHER_TOPIC: B256 = b256!("0x05c8ee1c9d79684c995657b7db5f528960fc0508ce55cf2ae2b70be0b1f329c2");
pub(crate) const TX: B256 = B256::repeat_byte(0xab);
pub(crate) const BLOCK: B256 = B256::repeat_byte(0xb1);
pub(crate) const HEIGHT: u64 = 1_000;
pub(crate) const BLOCK_TIME: u64 = 1_790_000_000;
/// 100 USDC.
pub(crate) const HUNDRED: u64 = 100_000_000;

const TRANSFER: B256 = b256!("0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef");
const TOKEN_EVENT: B256 = b256!("0x9f16cbcc523c67a60c450e5ffe4f3b7b6dbe772e7abcadb2686ce029a9a0a2b6");
const NATIVE_EVENT: B256 = b256!("0xa1c241e337c4610a9d0f881111e977e9dc8690c85fe2108897bb1483c66e6a96");

// === logs, word by word ===

pub(crate) fn word(address: Address) -> [u8; 32] {
    let mut word = [0; 32];
    word[12..].copy_from_slice(address.as_slice());
    word
}

fn number(value: u64) -> [u8; 32] {
    U256::from(value).to_be_bytes()
}

fn data(words: &[[u8; 32]]) -> Bytes {
    words.concat().into()
}

pub(crate) fn transfer(token: Address, from: Address, to: Address, value: u64) -> Log {
    let topics = vec![TRANSFER, B256::from(word(from)), B256::from(word(to))];
    Log { address: token, topics, data: data(&[number(value)]) }
}

pub(crate) fn token_event(emitter: Address, token: Address, to: Address, amount: u64, topic: B256) -> Log {
    let words = [word(token), word(to), number(amount), number(1_000_000), word(STRANGER)];
    Log { address: emitter, topics: vec![TOKEN_EVENT, topic], data: data(&words) }
}

pub(crate) fn native_event(emitter: Address, to: Address, amount: u64, topic: B256) -> Log {
    let words = [word(to), number(amount), number(0), word(Address::ZERO)];
    Log { address: emitter, topics: vec![NATIVE_EVENT, topic], data: data(&words) }
}

/// What the ERC20FeeProxy leaves: the payment, its fee, its event.
pub(crate) fn proxy_payment(to: Address, amount: u64, topic: B256) -> Vec<Log> {
    vec![
        transfer(USDC, PAYER, to, amount),
        transfer(USDC, PAYER, STRANGER, 1_000_000),
        token_event(PROXY, USDC, to, amount, topic),
    ]
}

// === chain and rules ===

pub(crate) fn base() -> ActiveChain {
    let chain = Registry::builtin().unwrap().chain("base").unwrap().clone();
    active(chain, &[("a", "x"), ("b", "y"), ("c", "z")])
}

pub(crate) fn active(chain: chain_config::Chain, nodes: &[(&str, &str)]) -> ActiveChain {
    let node = |(name, owner): &(&str, &str)| Node {
        name: (*name).to_owned(),
        owner: (*owner).to_owned(),
        url: Secret::new("http://127.0.0.1:1".to_owned()),
        ws: None,
        rate: None,
        tag: None,
    };
    ActiveChain { chain, nodes: nodes.iter().map(node).collect(), agree: 2, owners: 2, poll: Duration::from_secs(2) }
}

pub(crate) fn chains() -> BTreeMap<String, ActiveChain> {
    BTreeMap::from([("base".to_owned(), base())])
}

pub(crate) fn source() -> Source {
    Source { name: "rn".to_owned(), ..Source::sample(Provider::RequestNetwork, &[]) }
}

pub(crate) fn verification() -> Verification {
    Verification {
        require_expectation: true,
        recipients: Vec::new(),
        give_up: Duration::from_secs(86_400),
        tolerance_abs: "0".to_owned(),
        tolerance_bps: 0,
        twin_grace: Duration::from_secs(600),
        regrace: Duration::from_secs(60),
        exposure_cap_usd: None,
        screening: crate::config::Screening::default(),
        scan: true,
        late_watch: Duration::from_secs(2_592_000),
        scan_range_blocks: 1000,
    }
}

/// Noon of some day, and no jitter.
pub(crate) const NOW: Moment = Moment { now_us: 1_790_000_100_000_000, jitter: 0 };

// === events ===

pub(crate) fn claim() -> Claim {
    Claim {
        basis: Basis::Reference,
        network: "base".to_owned(),
        tx_hash: TX.to_string(),
        payment_reference: Some(REFERENCE.parse().unwrap()),
        request_id: Some("01aa".to_owned()),
        provider_objects: Vec::new(),
        amount: Some("100".to_owned()),
        currency: Some("USDC".to_owned()),
        payer: Some(PAYER.to_string()),
    }
}

pub(crate) fn charge() -> Claim {
    Claim {
        basis: Basis::Charge,
        payment_reference: None,
        request_id: None,
        provider_objects: vec!["ch_1".to_owned(), "pi_1".to_owned()],
        amount: None,
        currency: Some("usdc".to_owned()),
        ..claim()
    }
}

pub(crate) fn expectation() -> StoredExpectation {
    let accept = Accept {
        chain: "base".to_owned(),
        chain_id: 8453,
        token: Some(USDC),
        symbol: "USDC".to_owned(),
        decimals: 6,
        recipients: vec![PAYEE],
        amount: U256::from(HUNDRED),
    };
    StoredExpectation {
        terms: Expectation {
            id: "order-17".to_owned(),
            realm: "request-network".to_owned(),
            key: ExpectationKey::PaymentReference(REFERENCE.parse().unwrap()),
            accept: vec![accept],
            payer: None,
            not_before: None,
            deadline: None,
            grace_seconds: 0,
            tolerance: Tolerance::default(),
            rails: vec![Rail::Reference],
            min_assurance: None,
            metadata: serde_json::Map::new(),
        },
        version: 7,
        state: ExpectationState::Open,
        received: vec![U256::ZERO],
        payment_ids: Vec::new(),
    }
}

pub(crate) fn event(claim: Option<Claim>, expectation: Option<StoredExpectation>) -> DueEvent {
    let provider = match claim.as_ref().map(|claim| claim.basis) {
        Some(Basis::Charge) | None => "stripe",
        Some(Basis::Reference) => "request-network",
    };
    DueEvent {
        event_id: EventId(uuid::Uuid::from_u128(1)),
        version: 3,
        state: EventState::Verifying,
        code: None,
        facts: EventFacts {
            source: "rn".to_owned(),
            realm: "request-network".to_owned(),
            provider: provider.to_owned(),
            provider_type: "payment.confirmed".to_owned(),
            provider_event_id: None,
            account: None,
            client_id: None,
            api_version: None,
            livemode: true,
            lane: "lane".to_owned(),
            origin: Origin::Webhook,
            delivery_id: uuid::Uuid::from_u128(2),
            received_us: NOW.now_us,
        },
        networks: claim.iter().map(|claim| claim.network.clone()).collect(),
        claim,
        expectation,
        recipient_shared: false,
        progress: Progress { first_us: NOW.now_us, looks: 0 },
        anchor: None,
        anchor_check: false,
        wait: None,
        sent: false,
        claimed: Vec::new(),
        sender: None,
        accepted: None,
    }
}

pub(crate) fn anchor() -> Anchor {
    Anchor {
        chain_id: 8453,
        tx_hash: TX,
        block_number: HEIGHT,
        block_hash: BLOCK,
        tx_index: 4,
        block_timestamp: BLOCK_TIME,
    }
}

// === what nodes say ===

pub(crate) fn header(number: u64, hash: B256) -> Header {
    Header { number, hash, parent: B256::repeat_byte(0x0f), timestamp: BLOCK_TIME, is_sealed: true }
}

pub(crate) fn receipt(logs: Vec<Log>) -> Receipt {
    Receipt { status: Some(1), block_hash: BLOCK, block_number: HEIGHT, tx_hash: TX, tx_index: 4, from: STRANGER, logs }
}

/// A node with this head that has the transaction in its block; its tags cover the block when `tags` does.
pub(crate) fn view(head: u64, tags: Option<u64>, receipt: Receipt) -> NodeView {
    let tag = tags.map(|number| header(number, B256::repeat_byte(0x77)));
    NodeView {
        head: header(head, B256::repeat_byte(0x99)),
        safe: tag,
        finalized: tag,
        header_at: Some(header(receipt.block_number, receipt.block_hash)),
        is_asked: true,
        receipt: Some(receipt),
        nonce: None,
    }
}

/// Nodes a, b, c of the owners x, y, z.
pub(crate) fn seen(answers: Vec<Result<NodeView, NodeError>>) -> Observations {
    let names = [("a", "x"), ("b", "y"), ("c", "z"), ("d", "z")];
    let nodes = names.iter().zip(answers).map(|((node, owner), answer)| NodeObservation {
        node: (*node).to_owned(),
        owner: (*owner).to_owned(),
        answer,
    });
    Observations { nodes: nodes.collect(), ..Observations::default() }
}

/// The heads that these nodes show.
pub(crate) fn heads_of(seen: &Observations) -> Vec<NodeHead> {
    let head = |node: &NodeObservation| {
        let view = node.answer.as_ref().ok()?;
        Some(NodeHead {
            node: node.node.clone(),
            owner: node.owner.clone(),
            head: view.head,
            safe: view.safe,
            finalized: view.finalized,
        })
    };
    seen.nodes.iter().filter_map(head).collect()
}

/// Three nodes of one mind.
pub(crate) fn unanimous(view: &NodeView) -> Observations {
    seen(vec![Ok(view.clone()), Ok(view.clone()), Ok(view.clone())])
}

/// Everything final, as three nodes see it.
pub(crate) fn final_block(logs: Vec<Log>) -> Observations {
    unanimous(&view(HEIGHT + 100, Some(HEIGHT + 50), receipt(logs)))
}

pub(crate) fn at_seconds(seconds: u64) -> Timestamp {
    Timestamp::from_second(i64::try_from(seconds).unwrap()).unwrap()
}
