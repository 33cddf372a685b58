//! Event logs, decoded by exact shape or not at all: topic count, data length, zero padding of address words.
//!
//! Who emitted a log is not judged here. Signatures: facts of Request Network, section 4.1, and EIP-20.

use alloy_primitives::{Address, B256, U256, b256};

use crate::chain::Log;

/// `Transfer(address indexed, address indexed, uint256)` of EIP-20.
pub const TRANSFER: B256 = b256!("0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef");
/// `TransferWithReferenceAndFee(address,address,uint256,bytes,uint256,address)` of the ERC20FeeProxy.
pub const TOKEN_PROXY: B256 = b256!("0x9f16cbcc523c67a60c450e5ffe4f3b7b6dbe772e7abcadb2686ce029a9a0a2b6");
/// `TransferWithReferenceAndFee(address,uint256,bytes,uint256,address)` of the EthereumFeeProxy.
pub const NATIVE_PROXY: B256 = b256!("0xa1c241e337c4610a9d0f881111e977e9dc8690c85fe2108897bb1483c66e6a96");

const WORD: usize = 32;

/// A token's own word that money moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transfer {
    /// Position of the log in the receipt.
    pub position: u32,
    /// The emitting contract.
    pub token: Address,
    /// Who paid.
    pub from: Address,
    /// Who received.
    pub to: Address,
    /// Base units.
    pub value: U256,
}

/// A proxy's word about a transfer: says the reference, proves no money by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProxyEvent {
    /// Position of the log in the receipt.
    pub position: u32,
    /// The emitting contract.
    pub emitter: Address,
    /// keccak-256 of the raw reference.
    pub reference: B256,
    /// Token; none is the native coin.
    pub token: Option<Address>,
    /// Who is said to receive.
    pub to: Address,
    /// Base units, without the fee.
    pub amount: U256,
    /// Base units on top.
    pub fee: U256,
}

/// A token transfer: three topics (an NFT's has four), one word.
#[must_use]
pub fn transfer(position: u32, log: &Log) -> Option<Transfer> {
    let [TRANSFER, from, to] = log.topics.as_slice() else { return None };
    let [value] = words::<1>(&log.data)?;
    Some(Transfer { position, token: log.address, from: address(*from)?, to: address(*to)?, value: number(value) })
}

/// A proxy's event: two topics; five words for tokens, four for the native coin.
#[must_use]
pub fn proxy_event(position: u32, log: &Log) -> Option<ProxyEvent> {
    let [kind, reference] = log.topics.as_slice() else { return None };
    let (token, [to, amount, fee, fee_to]) = match *kind {
        TOKEN_PROXY => {
            let [token, rest @ ..] = words::<5>(&log.data)?;
            (Some(address(token)?), rest)
        }
        NATIVE_PROXY => (None, words::<4>(&log.data)?),
        _ => return None,
    };
    // Not used, but a word that is no address makes it no event.
    address(fee_to)?;
    Some(ProxyEvent {
        position,
        emitter: log.address,
        reference: *reference,
        token,
        to: address(to)?,
        amount: number(amount),
        fee: number(fee),
    })
}

fn words<const N: usize>(data: &[u8]) -> Option<[B256; N]> {
    let (words, rest) = data.as_chunks::<WORD>();
    if !rest.is_empty() {
        return None;
    }
    let words: &[[u8; WORD]; N] = words.try_into().ok()?;
    Some(words.map(B256::from))
}

fn address(word: B256) -> Option<Address> {
    let (padding, bytes) = word.split_at(12);
    padding.iter().all(|byte| *byte == 0).then(|| Address::from_slice(bytes))
}

fn number(word: B256) -> U256 {
    U256::from_be_bytes(word.0)
}
