//! Event logs, decoded by exact shape or not at all: topic count, data length, zero padding of address words.
//!
//! Who emitted a log is not judged here. Signatures: facts of Request Network, section 4.1, and EIP-20.

use alloy_primitives::{Address, B256, U256, b256};

use crate::chain::Log;

/// `Transfer(address indexed, address indexed, uint256)` of EIP-20.
pub const TRANSFER: B256 = b256!("0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef");
/// `TransferWithReferenceAndFee(address,address,uint256,bytes,uint256,address)` of the ERC20FeeProxy, and of what runs its
/// code.
pub const TOKEN_PROXY: B256 = b256!("0x9f16cbcc523c67a60c450e5ffe4f3b7b6dbe772e7abcadb2686ce029a9a0a2b6");
/// `TransferWithReferenceAndFee(address,uint256,bytes,uint256,address)` of the EthereumFeeProxy, and of what runs its code.
pub const NATIVE_PROXY: B256 = b256!("0xa1c241e337c4610a9d0f881111e977e9dc8690c85fe2108897bb1483c66e6a96");
/// `TransferWithReference(address,address,uint256,bytes)` of the ERC20Proxy.
pub const PLAIN_TOKEN_PROXY: B256 = b256!("0x4d4e9dbb7207a31cc25529ccb52e52ddba30ded7734e32691d13da66df7f81da");
/// `TransferWithReference(address,uint256,bytes)` of the EthereumProxy.
pub const PLAIN_NATIVE_PROXY: B256 = b256!("0xf20789bd5e67749fbe748d26a9ffacd11036adee6a64a8dbc70cc37a98b4e542");
/// `TransferWithReferenceAndFee(address,address,uint256,bytes8,uint256,address)` of the ERC20CommerceEscrowWrapper.
pub const ESCROW: B256 = b256!("0xe1053344c21e8cb5ec0f3598829437799aaa03490cb41ceeedbfc46a5b27bf86");
/// `PaymentAuthorized(bytes8,address,address,address,uint256,bytes32)` of the ERC20CommerceEscrowWrapper: the escrow holds
/// the money, and nobody is paid.
pub const AUTHORIZED: B256 = b256!("0xa7a365b0e54b5b8e75ddbd847f4b30831220ec9c11c01fba5d560180e78f8aef");

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

/// Which contract of Request Network's has such an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// [`TOKEN_PROXY`].
    Token,
    /// [`NATIVE_PROXY`].
    Native,
    /// [`PLAIN_TOKEN_PROXY`].
    PlainToken,
    /// [`PLAIN_NATIVE_PROXY`].
    PlainNative,
    /// [`ESCROW`].
    Escrow,
}

/// A proxy's word about a transfer: says the reference, proves no money by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProxyEvent {
    /// Position of the log in the receipt.
    pub position: u32,
    /// The emitting contract.
    pub emitter: Address,
    /// Which event.
    pub kind: Kind,
    /// The reference's topic: keccak-256 of the raw bytes; of [`Kind::Escrow`] the 8 bytes themselves, left-aligned.
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

/// A proxy's event: two topics; of a token its contract first; recipient and amount; with a fee two more words.
#[must_use]
pub fn proxy_event(position: u32, log: &Log) -> Option<ProxyEvent> {
    let [topic, reference] = log.topics.as_slice() else { return None };
    let (kind, token, [to, amount, fee, fee_to]) = match *topic {
        TOKEN_PROXY => {
            let [token, rest @ ..] = words::<5>(&log.data)?;
            (Kind::Token, Some(token), rest)
        }
        ESCROW => {
            let [token, rest @ ..] = words::<5>(&log.data)?;
            (Kind::Escrow, Some(token), rest)
        }
        NATIVE_PROXY => (Kind::Native, None, words::<4>(&log.data)?),
        PLAIN_TOKEN_PROXY => {
            let [token, to, amount] = words::<3>(&log.data)?;
            (Kind::PlainToken, Some(token), [to, amount, B256::ZERO, B256::ZERO])
        }
        PLAIN_NATIVE_PROXY => {
            let [to, amount] = words::<2>(&log.data)?;
            (Kind::PlainNative, None, [to, amount, B256::ZERO, B256::ZERO])
        }
        _ => return None,
    };
    if kind == Kind::Escrow && !is_bytes8(*reference) {
        return None;
    }
    // Not used, but a word that is no address makes it no event.
    address(fee_to)?;
    let token = match token {
        Some(token) => Some(address(token)?),
        None => None,
    };
    Some(ProxyEvent {
        position,
        emitter: log.address,
        kind,
        reference: *reference,
        token,
        to: address(to)?,
        amount: number(amount),
        fee: number(fee),
    })
}

/// The reference's topic of an escrow's authorization, whichever of its other fields are indexed.
#[must_use]
pub fn authorization(log: &Log) -> Option<B256> {
    match log.topics.as_slice() {
        [AUTHORIZED, reference, ..] if is_bytes8(*reference) => Some(*reference),
        _ => None,
    }
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

/// Whether only the first 8 bytes of a word are used.
fn is_bytes8(word: B256) -> bool {
    word.iter().skip(8).all(|byte| *byte == 0)
}

fn number(word: B256) -> U256 {
    U256::from_be_bytes(word.0)
}

#[cfg(test)]
mod tests;
