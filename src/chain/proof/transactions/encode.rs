//! One transaction's JSON as the bytes that the chain hashes: EIP-2718, and the types that rollups add.
//!
//! The fields of a type stand here in the order of its list. A field that its JSON leaves out makes the type unsupported;
//! it must never be filled in, but for the few that a chain defines as absent.

use alloy_primitives::{Address, B256, Bytes, U256};
use serde::Deserialize;

use super::Call;
use super::sender::{self, Seal};
use crate::chain::proof::rlp::{Big, List};
use crate::chain::proof::{ProofError, Unsupported};
use crate::chain::types::Quantity;

const LEGACY: u8 = 0;
const ACCESS_LIST: u8 = 1;
const DYNAMIC_FEE: u8 = 2;
const BLOB: u8 = 3;
const SET_CODE: u8 = 4;
/// OP Stack: a deposit from the chain below.
const DEPOSIT: u8 = 0x7e;
// Arbitrum's own: go-ethereum of Offchain Labs, core/types/arb_types.go.
const ARBITRUM_DEPOSIT: u8 = 0x64;
const ARBITRUM_UNSIGNED: u8 = 0x65;
const ARBITRUM_CONTRACT: u8 = 0x66;
const ARBITRUM_RETRY: u8 = 0x68;
const ARBITRUM_SUBMIT_RETRYABLE: u8 = 0x69;
const ARBITRUM_INTERNAL: u8 = 0x6a;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RawTransaction {
    /// Under the root in types without a signature alone.
    pub(super) from: Address,
    nonce: Quantity,
    gas: Quantity,
    to: Option<Address>,
    value: Big,
    input: Bytes,
    chain_id: Option<Big>,
    gas_price: Option<Big>,
    max_fee_per_gas: Option<Big>,
    max_priority_fee_per_gas: Option<Big>,
    access_list: Option<Vec<RawAccess>>,
    max_fee_per_blob_gas: Option<Big>,
    blob_versioned_hashes: Option<Vec<B256>>,
    authorization_list: Option<Vec<RawAuthorization>>,
    y_parity: Option<Big>,
    v: Option<Big>,
    r: Option<Big>,
    s: Option<Big>,
    source_hash: Option<B256>,
    mint: Option<Big>,
    is_system_tx: Option<bool>,
    request_id: Option<B256>,
    ticket_id: Option<B256>,
    refund_to: Option<Address>,
    max_refund: Option<Big>,
    submission_fee_refund: Option<Big>,
    l1_base_fee: Option<Big>,
    deposit_value: Option<Big>,
    retry_to: Option<Address>,
    retry_value: Option<Big>,
    retry_data: Option<Bytes>,
    beneficiary: Option<Address>,
    max_submission_fee: Option<Big>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawAccess {
    address: Address,
    storage_keys: Vec<B256>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawAuthorization {
    chain_id: Big,
    address: Address,
    nonce: Quantity,
    y_parity: Quantity,
    r: Big,
    s: Big,
}

/// A transaction as bytes.
pub(super) struct Encoded {
    pub(super) bytes: Vec<u8>,
    pub(super) nonce: Option<u64>,
    pub(super) call: Option<Call>,
    pub(super) seal: Seal,
}

/// The type, when its encoding is known.
pub(super) fn known(kind: u64) -> Result<u8, Unsupported> {
    match u8::try_from(kind) {
        Ok(
            kind @ (LEGACY
            | ACCESS_LIST
            | DYNAMIC_FEE
            | BLOB
            | SET_CODE
            | DEPOSIT
            | ARBITRUM_DEPOSIT
            | ARBITRUM_UNSIGNED
            | ARBITRUM_CONTRACT
            | ARBITRUM_RETRY
            | ARBITRUM_SUBMIT_RETRYABLE
            | ARBITRUM_INTERNAL),
        ) => Ok(kind),
        Ok(_) | Err(_) => Err(Unsupported::Transaction(kind)),
    }
}

/// Whether it is one of Ethereum's, whose JSON is specified.
pub(super) fn is_signed(kind: u8) -> bool {
    kind <= SET_CODE
}

/// The list with its type before it; the first type has none.
fn enveloped(kind: u8, list: &List) -> Vec<u8> {
    let mut bytes = Vec::new();
    if kind != LEGACY {
        bytes.push(kind);
    }
    list.finish(&mut bytes);
    bytes
}

// === impl RawTransaction ===

impl RawTransaction {
    /// Its bytes, and what of its counter and its call they hold.
    pub(super) fn encode(self, kind: u8) -> Result<Encoded, ProofError> {
        let mut list = List::default();
        let written = Seal::Written(self.from);
        let seal = match kind {
            LEGACY => self.legacy(&mut list),
            ACCESS_LIST | DYNAMIC_FEE | BLOB | SET_CODE => self.signed(kind, &mut list),
            DEPOSIT => self.deposit(&mut list).map(|()| written),
            ARBITRUM_INTERNAL => self.arbitrum(kind, &mut list).map(|()| Seal::Nothing),
            _ => self.arbitrum(kind, &mut list).map(|()| written),
        };
        let seal = seal.ok_or(Unsupported::Transaction(kind.into()))?;
        let bytes = enveloped(kind, &list);
        let nonce = match kind {
            LEGACY..=SET_CODE | ARBITRUM_UNSIGNED | ARBITRUM_RETRY => Some(self.nonce.0),
            _ => None,
        };
        let input = if kind == ARBITRUM_DEPOSIT { Bytes::new() } else { self.input };
        let call = match kind {
            ARBITRUM_SUBMIT_RETRYABLE | ARBITRUM_INTERNAL => None,
            _ => Some(Call { to: self.to, value: self.value.0, input }),
        };
        Ok(Encoded { bytes, nonce, call, seal })
    }

    fn legacy(&self, list: &mut List) -> Option<Seal> {
        list.item(&self.nonce.0);
        list.item(&self.gas_price?.0);
        self.call(list);
        let (v, r, s) = (self.v?.0, self.r?.0, self.s?.0);
        let seal = sender::legacy_v(v).map_or(Seal::Nothing, |(parity, chain_id)| {
            let mut unsigned = list.clone();
            if let Some(chain_id) = chain_id {
                unsigned.item(&chain_id);
                unsigned.item(&0_u8);
                unsigned.item(&0_u8);
            }
            Seal::over(&enveloped(LEGACY, &unsigned), parity, r, s)
        });
        list.item(&v);
        list.item(&r);
        list.item(&s);
        Some(seal)
    }

    /// Gas, receiver, value and input stand together in every type that has them.
    fn call(&self, list: &mut List) {
        list.item(&self.gas.0);
        list.receiver(self.to);
        list.item(&self.value.0);
        list.item(&self.input);
    }

    fn signed(&self, kind: u8, list: &mut List) -> Option<Seal> {
        list.item(&self.chain_id?.0);
        list.item(&self.nonce.0);
        if kind == ACCESS_LIST {
            list.item(&self.gas_price?.0);
        } else {
            list.item(&self.max_priority_fee_per_gas?.0);
            list.item(&self.max_fee_per_gas?.0);
        }
        self.call(list);
        let mut accesses = List::default();
        for access in self.access_list.as_ref()? {
            let mut one = List::default();
            one.item(&access.address);
            one.item(&access.storage_keys);
            accesses.list(&one);
        }
        list.list(&accesses);
        if kind == BLOB {
            list.item(&self.max_fee_per_blob_gas?.0);
            list.item(self.blob_versioned_hashes.as_ref()?);
        }
        if kind == SET_CODE {
            let mut authorizations = List::default();
            for authorization in self.authorization_list.as_ref()? {
                authorizations.list(&authorization.list());
            }
            list.list(&authorizations);
        }
        // Nodes older than `yParity` write it as `v`.
        let (y_parity, r, s) = (self.y_parity.or(self.v)?.0, self.r?.0, self.s?.0);
        let over = |parity| Seal::over(&enveloped(kind, list), parity, r, s);
        let seal = sender::parity(y_parity).map_or(Seal::Nothing, over);
        list.item(&y_parity);
        list.item(&r);
        list.item(&s);
        Some(seal)
    }

    fn deposit(&self, list: &mut List) -> Option<()> {
        list.item(&self.source_hash?);
        list.item(&self.from);
        list.receiver(self.to);
        list.item(&self.mint.map_or(U256::ZERO, |mint| mint.0));
        list.item(&self.value.0);
        list.item(&self.gas.0);
        // Since Regolith it is always false, and nodes leave it out.
        list.item(&self.is_system_tx.unwrap_or(false));
        list.item(&self.input);
        Some(())
    }

    fn arbitrum(&self, kind: u8, list: &mut List) -> Option<()> {
        list.item(&self.chain_id?.0);
        match kind {
            ARBITRUM_DEPOSIT => {
                list.item(&self.request_id?);
                list.item(&self.from);
                list.receiver(self.to);
                list.item(&self.value.0);
            }
            ARBITRUM_UNSIGNED => {
                list.item(&self.from);
                list.item(&self.nonce.0);
                list.item(&self.gas_price?.0);
                self.call(list);
            }
            ARBITRUM_CONTRACT => {
                list.item(&self.request_id?);
                list.item(&self.from);
                list.item(&self.gas_price?.0);
                self.call(list);
            }
            ARBITRUM_RETRY => {
                list.item(&self.nonce.0);
                list.item(&self.from);
                list.item(&self.gas_price?.0);
                self.call(list);
                list.item(&self.ticket_id?);
                list.item(&self.refund_to?);
                list.item(&self.max_refund?.0);
                list.item(&self.submission_fee_refund?.0);
            }
            ARBITRUM_SUBMIT_RETRYABLE => {
                list.item(&self.request_id?);
                list.item(&self.from);
                list.item(&self.l1_base_fee?.0);
                list.item(&self.deposit_value?.0);
                list.item(&self.gas_price?.0);
                list.item(&self.gas.0);
                list.receiver(self.retry_to);
                list.item(&self.retry_value?.0);
                list.item(&self.beneficiary?);
                list.item(&self.max_submission_fee?.0);
                list.item(&self.refund_to?);
                list.item(self.retry_data.as_ref()?);
            }
            ARBITRUM_INTERNAL => list.item(&self.input),
            _ => return None,
        }
        Some(())
    }
}

// === impl RawAuthorization ===

impl RawAuthorization {
    fn list(&self) -> List {
        let mut list = List::default();
        list.item(&self.chain_id.0);
        list.item(&self.address);
        list.item(&self.nonce.0);
        list.item(&self.y_parity.0);
        list.item(&self.r.0);
        list.item(&self.s.0);
        list
    }
}
