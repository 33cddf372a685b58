//! All transactions of a block, held against the header's transactions root: what binds a transaction's hash to its
//! place, and the only proof of a payment in coin.
//!
//! A hash is computed from the encoding that is under the root; what the node calls it is compared afterwards. Only
//! what the encoding of a type holds is shown. The sender of a signed one is recovered from its signature; what its JSON
//! claims is only held against that.

use std::collections::HashMap;

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use alloy_trie::root::ordered_trie_root_encoded;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{ProofError, ProofRules, ProvenHeader, RECEIPTS_MAX, Root, Unsupported};
use crate::chain::types::Quantity;

mod encode;
mod sender;

use encode::{Encoded, RawTransaction, is_signed};
use sender::Seal;
pub use sender::SentBy;

/// The transactions of a block, which make its header's root.
#[derive(Debug, Clone)]
pub struct ProvenTransactions {
    list: Vec<Transaction>,
    /// What each holds of its sender, and whom its JSON claims; by its place.
    seals: Vec<(Seal, Address)>,
    by_hash: HashMap<B256, usize>,
}

/// What the root holds of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// Its hash, computed.
    pub tx_hash: B256,
    /// Position in the block: the receipt at this position is its receipt.
    pub tx_index: u64,
    /// The sender's counter; `None` for types that do not have one.
    pub nonce: Option<u64>,
    /// What it does; `None` for types of a rollup's own housekeeping.
    pub call: Option<Call>,
}

/// What a transaction does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The receiver; `None` when it makes a contract.
    pub to: Option<Address>,
    /// Coin that is moved, in base units.
    pub value: U256,
    /// Input of the call.
    pub input: Bytes,
}

/// A block with whole transactions, not only their hashes.
#[derive(Deserialize)]
struct RawBlock<'a> {
    hash: B256,
    #[serde(borrow)]
    transactions: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct RawKind {
    hash: B256,
    #[serde(rename = "type")]
    kind: Option<Quantity>,
}

/// Reads and proves the transactions of an `eth_getBlockByHash` answer with whole transactions. `None` when the node
/// does not have the block.
///
/// Ask it only of chains whose nodes show every transaction: not of Gnosis, zkSync and Avalanche, and not of Polygon from
/// the block on that `state_sync_until` names.
///
/// # Errors
/// `Malformed` when it is another block or a field has another form; `Unsupported` when a type is unknown or its JSON
/// does not hold all of it; `RootMismatch` when the transactions do not make the header's root.
pub fn transactions(
    raw: &RawValue,
    header: &ProvenHeader,
    rules: &ProofRules,
) -> Result<Option<ProvenTransactions>, ProofError> {
    let malformed = |_| ProofError::Malformed("block with transactions");
    let Some(block) = serde_json::from_str::<Option<RawBlock<'_>>>(raw.get()).map_err(malformed)? else {
        return Ok(None);
    };
    if block.hash != header.hash {
        return Err(ProofError::Malformed("transactions of another block"));
    }
    if RECEIPTS_MAX < block.transactions.len() {
        return Err(Unsupported::TooLarge("transactions of the block").into());
    }
    let mut read = Vec::with_capacity(block.transactions.len());
    for raw in block.transactions {
        let named = serde_json::from_str::<RawKind>(raw.get()).map_err(malformed)?;
        if rules.drops(header, named.hash) {
            continue;
        }
        let kind = encode::known(named.kind.map_or(0, |kind| kind.0))?;
        let raw = serde_json::from_str::<RawTransaction>(raw.get()).map_err(malformed)?;
        let from = raw.from;
        let encoded = raw.encode(kind)?;
        read.push(Read { kind, stated: named.hash, computed: keccak256(&encoded.bytes), encoded, from });
    }
    let computed = ordered_trie_root_encoded(&read);
    if computed != header.transactions_root {
        // Rollups' own types have changed their JSON before: one that does not hash to its name is not understood.
        return Err(match read.iter().find(|one| one.stated != one.computed && !is_signed(one.kind)) {
            Some(unknown) => Unsupported::Transaction(unknown.kind.into()).into(),
            None => ProofError::RootMismatch { what: Root::Transactions, stated: header.transactions_root, computed },
        });
    }
    named(read).map(Some)
}

/// The hashes of the transactions that a block lists, in their order and as the node names them, for asking more about
/// them; without those that the block does not commit to.
///
/// # Errors
/// `Malformed` when it is no such block; `Unsupported` when there are too many.
pub fn transaction_hashes(raw: &RawValue, header: &ProvenHeader, rules: &ProofRules) -> Result<Vec<B256>, ProofError> {
    let malformed = |_| ProofError::Malformed("block with transactions");
    let block = serde_json::from_str::<RawBlock<'_>>(raw.get()).map_err(malformed)?;
    if RECEIPTS_MAX < block.transactions.len() {
        return Err(Unsupported::TooLarge("transactions of the block").into());
    }
    let mut hashes = Vec::with_capacity(block.transactions.len());
    for raw in block.transactions {
        let named = serde_json::from_str::<RawKind>(raw.get()).map_err(malformed)?;
        if !rules.drops(header, named.hash) {
            hashes.push(named.hash);
        }
    }
    Ok(hashes)
}

/// One transaction, encoded.
struct Read {
    kind: u8,
    stated: B256,
    computed: B256,
    encoded: Encoded,
    /// The sender that its JSON claims.
    from: Address,
}

impl AsRef<[u8]> for Read {
    fn as_ref(&self) -> &[u8] {
        &self.encoded.bytes
    }
}

/// Puts the proven ones under their hashes, which must be what the node calls them.
fn named(read: Vec<Read>) -> Result<ProvenTransactions, ProofError> {
    let (list, seals) = (Vec::with_capacity(read.len()), Vec::with_capacity(read.len()));
    let mut proven = ProvenTransactions { list, seals, by_hash: HashMap::new() };
    for (tx_index, one) in (0_u64..).zip(read) {
        if one.stated != one.computed {
            return Err(ProofError::Malformed("transaction under another's hash"));
        }
        if proven.by_hash.insert(one.computed, proven.list.len()).is_some() {
            return Err(ProofError::Malformed("one transaction twice in a block"));
        }
        let Encoded { nonce, call, seal, bytes: _ } = one.encoded;
        proven.seals.push((seal, one.from));
        proven.list.push(Transaction { tx_hash: one.computed, tx_index, nonce, call });
    }
    Ok(proven)
}

// === impl ProvenTransactions ===

impl ProvenTransactions {
    /// The transaction of that hash.
    #[must_use]
    pub fn get(&self, tx_hash: &B256) -> Option<&Transaction> {
        self.by_hash.get(tx_hash).and_then(|index| self.list.get(*index))
    }

    /// Who sent the transaction of that hash, by its own bytes.
    #[must_use]
    pub fn sent_by(&self, tx_hash: &B256) -> SentBy {
        self.seal(tx_hash).map_or(SentBy::Unproven, |(seal, _)| seal.sent_by())
    }

    /// Who sent it in the words of the node that showed the block.
    #[must_use]
    pub fn claimed_sender(&self, tx_hash: &B256) -> Option<Address> {
        self.seal(tx_hash).map(|(_, claimed)| *claimed)
    }

    fn seal(&self, tx_hash: &B256) -> Option<&(Seal, Address)> {
        self.by_hash.get(tx_hash).and_then(|index| self.seals.get(*index))
    }

    /// All of them in their order.
    pub fn all(&self) -> impl ExactSizeIterator<Item = &Transaction> {
        self.list.iter()
    }
}

#[cfg(test)]
mod tests;
