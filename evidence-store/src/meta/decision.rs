//! The meta of a decision.

use bytes::Bytes;
use prost::Message;
use uuid::Uuid;

use super::{MetaError, id};
use crate::decision::{Decision, DecisionId};

#[derive(Clone, PartialEq, Message)]
struct DecisionMeta {
    #[prost(bytes = "bytes", tag = "1")]
    ledger_id: Bytes,
    #[prost(uint32, tag = "2")]
    epoch: u32,
    #[prost(uint32, tag = "3")]
    table: u32,
    #[prost(uint64, tag = "4")]
    number: u64,
    #[prost(int64, tag = "5")]
    at_us: i64,
    #[prost(bytes = "bytes", optional, tag = "6")]
    event_id: Option<Bytes>,
    #[prost(string, tag = "7")]
    kind: String,
}

/// The meta of a decision; its body is handed back as it is.
pub(crate) fn of_decision(decision: Decision) -> (Vec<u8>, Bytes) {
    let bytes = |id: Uuid| Bytes::copy_from_slice(id.as_bytes());
    let meta = DecisionMeta {
        ledger_id: bytes(decision.id.ledger_id),
        epoch: decision.id.epoch,
        table: decision.id.table.into(),
        number: decision.id.number,
        at_us: decision.at_us,
        event_id: decision.event_id.map(bytes),
        kind: decision.kind,
    };
    (meta.encode_to_vec(), decision.body)
}

/// The decision of a stored meta and body.
pub(crate) fn decision(meta: Bytes, body: Bytes) -> Result<Decision, MetaError> {
    let meta = DecisionMeta::decode(meta).map_err(MetaError::Protobuf)?;
    Ok(Decision {
        id: DecisionId {
            ledger_id: id(&meta.ledger_id)?,
            epoch: meta.epoch,
            table: meta.table.try_into().map_err(|_| MetaError::Missing("table"))?,
            number: meta.number,
        },
        at_us: meta.at_us,
        event_id: meta.event_id.as_ref().map(id).transpose()?,
        kind: meta.kind,
        body,
    })
}
