//! Test data of the matcher: what each of Request Network's contracts leaves behind, and what attackers do.

use alloy_primitives::{Address, B256, Bytes, U256, address};

use super::*;
use crate::chain::CallKind;
use crate::model::Code;
use crate::verify::events::{AUTHORIZED, ESCROW, PLAIN_NATIVE_PROXY, PLAIN_TOKEN_PROXY};
use crate::verify::fixture::*;

/// Contracts on Base, as registered.
pub(super) const CONVERSION: Address = address!("0x8296D56321cf207925a7804E5A8E3F579838e6Ad");
pub(super) const ETH_CONVERSION: Address = address!("0xEdfD8386d5DE52072B4Ad8dC69BBD0bB89f9A1fb");
pub(super) const PLAIN: Address = address!("0xc31323ea7513799e1e112Dc15a05d5b600Cc357e");
pub(super) const ETH_PLAIN: Address = address!("0x090D3583e3f5953e2CC758b146f4Ae11f8224ad7");
pub(super) const WRAPPER: Address = address!("0x9A73b3774183d07d4a2b585B04982F2Ec672B03b");
/// `TransferWithConversionAndReference`, beside the event that counts.
const CONVERTED: B256 = alloy_primitives::b256!("0x96d0d1d75923f40b50f6fe74613b2c23239149607848fbca3941fee7ac041cdc");

/// The fixture's reference.
pub(super) fn ours() -> Reference {
    Reference::of(&REFERENCE.parse().unwrap())
}

/// The reference of [`OTHER_TOPIC`].
pub(super) fn other() -> Reference {
    Reference::of(&"0xb3581f0b0f74cc61".parse().unwrap())
}

/// The fixture's reference as an escrow has it.
pub(super) fn raw_topic() -> B256 {
    ours().raw.unwrap()
}

pub(super) fn log(emitter: Address, topics: &[B256], words: &[[u8; 32]]) -> Log {
    Log { address: emitter, topics: topics.to_vec(), data: Bytes::from(words.concat()) }
}

fn number(value: u64) -> [u8; 32] {
    U256::from(value).to_be_bytes()
}

pub(super) fn plain_token_event(emitter: Address, token: Address, to: Address, amount: u64, topic: B256) -> Log {
    log(emitter, &[PLAIN_TOKEN_PROXY, topic], &[word(token), word(to), number(amount)])
}

pub(super) fn plain_native_event(emitter: Address, to: Address, amount: u64, topic: B256) -> Log {
    log(emitter, &[PLAIN_NATIVE_PROXY, topic], &[word(to), number(amount)])
}

pub(super) fn escrow_event(emitter: Address, token: Address, to: Address, amount: u64, topic: B256) -> Log {
    log(emitter, &[ESCROW, topic], &[word(token), word(to), number(amount), number(0), word(Address::ZERO)])
}

/// What an authorization leaves: the money is with the escrow.
pub(super) fn authorized() -> Vec<Log> {
    let store = STRANGER;
    let data = [word(PAYER), word(PAYEE), word(USDC), number(HUNDRED), [0x11; 32]];
    vec![transfer(USDC, PAYER, store, HUNDRED), log(WRAPPER, &[AUTHORIZED, raw_topic()], &data)]
}

/// The conversion proxy's second event, in the request's currency.
pub(super) fn converted(emitter: Address, topic: B256) -> Log {
    let words = [number(10_000_000_000), word(STRANGER), number(0), number(1_800)];
    log(emitter, &[CONVERTED, topic], &words)
}

/// A transaction that sends coin.
pub(super) fn sends(from: Address, to: Address, value: u64) -> Transaction {
    let (block_hash, tx_index) = (Some(BLOCK), Some(4));
    Transaction { hash: TX, from, to: Some(to), value: U256::from(value), nonce: 7, block_hash, tx_index }
}

pub(super) fn call(from: Address, to: Address, value: u64, calls: Vec<CallFrame>) -> CallFrame {
    CallFrame { kind: CallKind::Call, from, to: Some(to), value: U256::from(value), failed: false, calls }
}

/// What to look for on Base.
pub(super) struct Search {
    pub(super) chain: chain_config::Chain,
    pub(super) wanted: Vec<Wanted>,
    pub(super) rail: Rail,
}

impl Search {
    pub(super) fn of(rail: Rail, wanted: &[Option<Address>]) -> Self {
        let way = |(way, token): (usize, &Option<Address>)| Wanted { way, token: *token, recipients: vec![PAYEE] };
        Self { chain: base().chain, wanted: wanted.iter().enumerate().map(way).collect(), rail }
    }

    pub(super) fn query(&self) -> Query<'_> {
        Query {
            contracts: &self.chain.contracts,
            tokens: &self.chain.tokens,
            wanted: &self.wanted,
            rail: self.rail,
            trace: self.chain.trace,
        }
    }

    pub(super) fn in_logs(&self, logs: &[Log]) -> Outcome {
        search(&self.query(), &Evidence::of_logs(logs))
    }

    pub(super) fn in_all(&self, evidence: &Evidence<'_>) -> Outcome {
        search(&self.query(), evidence)
    }
}

pub(super) fn found(outcome: Outcome) -> Found {
    match outcome {
        Outcome::Found(found) => found,
        Outcome::Doubt(doubt) => panic!("{doubt:?}"),
    }
}

pub(super) fn doubt(outcome: Outcome) -> Doubt {
    match outcome {
        Outcome::Found(found) => panic!("{found:?}"),
        Outcome::Doubt(doubt) => doubt,
    }
}

pub(super) fn code(outcome: &Outcome) -> Code {
    doubt(outcome.clone()).code
}

/// The slots used up, as text.
pub(super) fn slots(found: &Found) -> Vec<String> {
    found.consumed.iter().map(|consumed| consumed.slot.to_string()).collect()
}
