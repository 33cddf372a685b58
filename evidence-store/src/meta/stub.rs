//! The meta of a stub.

use bytes::Bytes;
use prost::Message;
use uuid::Uuid;

use super::{MetaError, id};
use crate::stub::{Removal, Removed, Stub, StubEvent, StubTransfer};

#[derive(Clone, PartialEq, Message)]
struct StubMeta {
    #[prost(bytes = "bytes", tag = "1")]
    delivery_id: Bytes,
    #[prost(string, tag = "2")]
    source: String,
    #[prost(int64, tag = "3")]
    received_us: i64,
    #[prost(bytes = "bytes", tag = "4")]
    meta_sha256: Bytes,
    #[prost(bytes = "bytes", tag = "5")]
    body_sha256: Bytes,
    #[prost(uint64, tag = "6")]
    body_bytes: u64,
    #[prost(message, optional, tag = "7")]
    why: Option<Why>,
    #[prost(message, optional, tag = "8")]
    event: Option<Event>,
}

#[derive(Clone, PartialEq, Message)]
struct Why {
    /// 1 erased, 2 pruned.
    #[prost(uint32, tag = "1")]
    what: u32,
    #[prost(int64, tag = "2")]
    at_us: i64,
    #[prost(string, tag = "3")]
    by: String,
    #[prost(string, tag = "4")]
    reason: String,
    #[prost(uint64, tag = "5")]
    decision_seq: u64,
}

#[derive(Clone, PartialEq, Message)]
struct Event {
    #[prost(bytes = "bytes", tag = "1")]
    event_id: Bytes,
    #[prost(bytes = "bytes", repeated, tag = "2")]
    identities: Vec<Bytes>,
    #[prost(uint32, tag = "3")]
    state_version: u32,
    #[prost(string, tag = "4")]
    state: String,
    #[prost(string, optional, tag = "5")]
    code: Option<String>,
    #[prost(string, optional, tag = "6")]
    payment_id: Option<String>,
    #[prost(message, repeated, tag = "7")]
    transfers: Vec<Transfer>,
    #[prost(bytes = "bytes", optional, tag = "8")]
    facts: Option<Bytes>,
    #[prost(string, optional, tag = "9")]
    expectation_id: Option<String>,
    #[prost(message, optional, tag = "10")]
    join: Option<Join>,
}

#[derive(Clone, PartialEq, Message)]
struct Transfer {
    #[prost(uint64, tag = "1")]
    chain_id: u64,
    #[prost(bytes = "bytes", tag = "2")]
    tx_hash: Bytes,
    #[prost(string, tag = "3")]
    slot: String,
    #[prost(bytes = "bytes", tag = "4")]
    block_hash: Bytes,
    #[prost(uint64, tag = "5")]
    block_number: u64,
    #[prost(uint64, tag = "6")]
    tx_index: u64,
    #[prost(bytes = "bytes", tag = "7")]
    amount: Bytes,
    #[prost(bytes = "bytes", tag = "8")]
    token: Bytes,
    #[prost(bytes = "bytes", tag = "9")]
    recipient: Bytes,
    #[prost(bool, tag = "10")]
    claimed: bool,
}

#[derive(Clone, PartialEq, Message)]
struct Join {
    #[prost(string, tag = "1")]
    realm: String,
    #[prost(string, tag = "2")]
    reference: String,
}

const ERASED: u32 = 1;
const PRUNED: u32 = 2;

/// The meta of a stub, and what follows it: the original meta of an erased delivery, nothing of a pruned one.
pub(crate) fn of_stub(stub: &Stub) -> (Vec<u8>, Bytes) {
    let why = Why {
        what: match stub.why.what {
            Removed::Erased => ERASED,
            Removed::Pruned => PRUNED,
        },
        at_us: stub.why.at_us,
        by: stub.why.by.clone(),
        reason: stub.why.reason.clone(),
        decision_seq: stub.why.decision_seq,
    };
    let meta = StubMeta {
        delivery_id: Bytes::copy_from_slice(stub.delivery_id.as_bytes()),
        source: stub.source.clone(),
        received_us: stub.received_us,
        meta_sha256: Bytes::copy_from_slice(&stub.meta_sha256),
        body_sha256: Bytes::copy_from_slice(&stub.body_sha256),
        body_bytes: stub.body_bytes,
        why: Some(why),
        event: stub.event.as_ref().map(event_in),
    };
    (meta.encode_to_vec(), stub.meta.clone().unwrap_or_default())
}

/// The stub of a stored meta and what follows it. Digests are not checked here.
pub(crate) fn stub(meta: Bytes, rest: Bytes) -> Result<Stub, MetaError> {
    let meta = StubMeta::decode(meta).map_err(MetaError::Protobuf)?;
    let why = meta.why.ok_or(MetaError::Missing("reason"))?;
    let what = match why.what {
        ERASED => Removed::Erased,
        PRUNED => Removed::Pruned,
        _ => return Err(MetaError::Missing("way it was removed that is known here")),
    };
    Ok(Stub {
        delivery_id: id(&meta.delivery_id)?,
        source: meta.source,
        received_us: meta.received_us,
        meta_sha256: fixed(&meta.meta_sha256, "digest of the meta")?,
        body_sha256: fixed(&meta.body_sha256, "digest of the body")?,
        body_bytes: meta.body_bytes,
        why: Removal { what, at_us: why.at_us, by: why.by, reason: why.reason, decision_seq: why.decision_seq },
        event: meta.event.map(event_out).transpose()?,
        meta: match what {
            Removed::Erased => Some(rest),
            Removed::Pruned => None,
        },
    })
}

fn event_in(event: &StubEvent) -> Event {
    Event {
        event_id: Bytes::copy_from_slice(event.event_id.as_bytes()),
        identities: event.identities.iter().map(|identity| Bytes::copy_from_slice(identity)).collect(),
        state_version: event.state_version,
        state: event.state.clone(),
        code: event.code.clone(),
        payment_id: event.payment_id.clone(),
        transfers: event.transfers.iter().map(transfer_in).collect(),
        facts: event.facts.clone(),
        expectation_id: event.expectation_id.clone(),
        join: event.join.clone().map(|(realm, reference)| Join { realm, reference }),
    }
}

fn event_out(event: Event) -> Result<StubEvent, MetaError> {
    let identities = event.identities.iter().map(|identity| fixed(identity, "identity of 32 bytes"));
    Ok(StubEvent {
        event_id: Uuid::from_slice(&event.event_id).map_err(|_| MetaError::Missing("event id"))?,
        identities: identities.collect::<Result<_, _>>()?,
        state_version: event.state_version,
        state: event.state,
        code: event.code,
        payment_id: event.payment_id,
        transfers: event.transfers.into_iter().map(transfer_out).collect::<Result<_, _>>()?,
        facts: event.facts,
        expectation_id: event.expectation_id,
        join: event.join.map(|join| (join.realm, join.reference)),
    })
}

fn transfer_in(transfer: &StubTransfer) -> Transfer {
    Transfer {
        chain_id: transfer.chain_id,
        tx_hash: Bytes::copy_from_slice(&transfer.tx_hash),
        slot: transfer.slot.clone(),
        block_hash: Bytes::copy_from_slice(&transfer.block_hash),
        block_number: transfer.block_number,
        tx_index: transfer.tx_index,
        amount: Bytes::copy_from_slice(&transfer.amount),
        token: Bytes::copy_from_slice(&transfer.token),
        recipient: Bytes::copy_from_slice(&transfer.recipient),
        claimed: transfer.claimed,
    }
}

fn transfer_out(transfer: Transfer) -> Result<StubTransfer, MetaError> {
    Ok(StubTransfer {
        chain_id: transfer.chain_id,
        tx_hash: fixed(&transfer.tx_hash, "transaction hash")?,
        slot: transfer.slot,
        block_hash: fixed(&transfer.block_hash, "block hash")?,
        block_number: transfer.block_number,
        tx_index: transfer.tx_index,
        amount: fixed(&transfer.amount, "amount of 32 bytes")?,
        token: transfer.token.to_vec(),
        recipient: fixed(&transfer.recipient, "recipient of 20 bytes")?,
        claimed: transfer.claimed,
    })
}

fn fixed<const BYTES: usize>(bytes: &Bytes, what: &'static str) -> Result<[u8; BYTES], MetaError> {
    bytes.as_ref().try_into().map_err(|_| MetaError::Missing(what))
}
