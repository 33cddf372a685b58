//! Who sent a transaction: recovered from the signature that its bytes bear, or read where its type writes it down.
//!
//! Nothing here takes a node's word. A signature that nothing can be recovered from names nobody: some chains put
//! transactions of their own into blocks in that way, and it must never be called a lie.

use alloy_primitives::{Address, B256, Signature, U256, keccak256};

/// The first `v` that names a chain (EIP-155).
const V_WITH_CHAIN: u64 = 35;
/// `v` of the even parity, before EIP-155.
const V_WITHOUT_CHAIN: u64 = 27;

/// Who sent a transaction, as far as a block shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SentBy {
    /// Whoever signed it.
    Signature(Address),
    /// A type without a signature: its bytes name the sender.
    Bytes(Address),
    /// No root shows it: the sender is what nodes say.
    Unproven,
}

/// What a transaction's bytes hold of its sender. Recovering costs more than all else about a transaction, so it is left
/// to whoever wants to know.
#[derive(Debug, Clone, Copy)]
pub(super) enum Seal {
    /// A signature, and the hash that was signed.
    Signed {
        /// The hash.
        prehash: B256,
        /// The signature.
        signature: Signature,
    },
    /// The address itself.
    Written(Address),
    /// Nothing.
    Nothing,
}

/// What `v` of a first-type transaction says: the parity, and the chain that was signed for.
pub(super) fn legacy_v(v: U256) -> Option<(bool, Option<U256>)> {
    if let Some(above) = v.checked_sub(U256::from(V_WITH_CHAIN)) {
        return Some((above.bit(0), Some(above >> 1)));
    }
    parity(v.checked_sub(U256::from(V_WITHOUT_CHAIN))?).map(|parity| (parity, None))
}

/// A parity is 0 or 1.
pub(super) fn parity(value: U256) -> Option<bool> {
    (value <= U256::ONE).then_some(value == U256::ONE)
}

// === impl SentBy ===

impl SentBy {
    /// The sender, where the block shows it.
    #[must_use]
    pub const fn address(self) -> Option<Address> {
        match self {
            Self::Signature(address) | Self::Bytes(address) => Some(address),
            Self::Unproven => None,
        }
    }

    /// Whether somebody else signed than is claimed: no honest node claims that. Of what is not signed it says nothing.
    #[must_use]
    pub fn is_signed_by_another_than(self, claimed: Address) -> bool {
        match self {
            Self::Signature(signer) => signer != claimed,
            Self::Bytes(_) | Self::Unproven => false,
        }
    }
}

// === impl Seal ===

impl Seal {
    /// A signature over these bytes.
    pub(super) fn over(unsigned: &[u8], parity: bool, r: U256, s: U256) -> Self {
        Self::Signed { prehash: keccak256(unsigned), signature: Signature::new(r, s, parity) }
    }

    pub(super) fn sent_by(&self) -> SentBy {
        match self {
            Self::Signed { prehash, signature } => {
                signature.recover_address_from_prehash(prehash).map_or(SentBy::Unproven, SentBy::Signature)
            }
            Self::Written(address) => SentBy::Bytes(*address),
            Self::Nothing => SentBy::Unproven,
        }
    }
}

#[cfg(test)]
mod tests;
