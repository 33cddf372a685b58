//! The protobuf part of a record; `README.md` has the `.proto`.
//!
//! Tags are never reused and fields never change their type; whatever is added later is `optional`. There are no
//! maps: the same values give the same bytes. The bytes as stored are what the link covers; nothing here is ever
//! encoded again.

use bytes::Bytes;
use prost::Message;
use uuid::Uuid;

use crate::delivery::{BodyComplete, Delivery, NewRejected, SignatureRecord};

mod decision;
mod stub;

pub(crate) use decision::{decision, of_decision};
pub(crate) use stub::{of_stub, stub};

/// What a stored meta may be missing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MetaError {
    #[error("its meta does not decode: {0}")]
    Protobuf(prost::DecodeError),
    #[error("its meta has no {0}")]
    Missing(&'static str),
}

#[derive(Clone, PartialEq, Message)]
struct DeliveryMeta {
    #[prost(bytes = "bytes", tag = "1")]
    id: Bytes,
    #[prost(string, tag = "2")]
    source: String,
    #[prost(string, tag = "3")]
    request_id: String,
    #[prost(string, tag = "4")]
    peer: String,
    #[prost(string, tag = "5")]
    method: String,
    #[prost(string, tag = "6")]
    target: String,
    #[prost(string, tag = "7")]
    http_version: String,
    #[prost(int64, tag = "8")]
    received_us: i64,
    #[prost(message, repeated, tag = "9")]
    headers: Vec<Header>,
    #[prost(bytes = "bytes", tag = "10")]
    body_sha256: Bytes,
    #[prost(message, optional, tag = "11")]
    signature: Option<Signature>,
    #[prost(bytes = "bytes", optional, tag = "12")]
    admitted_from: Option<Bytes>,
}

#[derive(Clone, PartialEq, Message)]
struct Header {
    #[prost(bytes = "bytes", tag = "1")]
    name: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    value: Bytes,
}

#[derive(Clone, PartialEq, Message)]
struct Signature {
    #[prost(string, tag = "1")]
    scheme: String,
    #[prost(string, tag = "2")]
    secret_name: String,
    #[prost(int64, optional, tag = "3")]
    signed_at: Option<i64>,
}

#[derive(Clone, PartialEq, Message)]
struct RejectedMeta {
    #[prost(bytes = "bytes", tag = "1")]
    id: Bytes,
    #[prost(string, tag = "2")]
    source: String,
    #[prost(string, tag = "3")]
    code: String,
    #[prost(string, tag = "4")]
    peer: String,
    #[prost(string, tag = "5")]
    method: String,
    #[prost(string, tag = "6")]
    target: String,
    #[prost(int64, tag = "7")]
    received_us: i64,
    #[prost(message, repeated, tag = "8")]
    headers: Vec<Header>,
    /// 1 whole, 2 prefix.
    #[prost(uint32, tag = "9")]
    body_complete: u32,
    #[prost(string, optional, tag = "10")]
    request_id: Option<String>,
    #[prost(string, optional, tag = "11")]
    http_version: Option<String>,
}

const WHOLE: u32 = 1;
const PREFIX: u32 = 2;

/// The meta of a delivery; its body is handed back as it is.
pub(crate) fn of_delivery(delivery: Delivery) -> (Vec<u8>, Bytes) {
    let meta = DeliveryMeta {
        id: Bytes::copy_from_slice(delivery.id.as_bytes()),
        source: delivery.source,
        request_id: delivery.request_id,
        peer: delivery.peer,
        method: delivery.method,
        target: delivery.target,
        http_version: delivery.http_version,
        received_us: delivery.received_us,
        headers: headers_in(delivery.headers),
        body_sha256: Bytes::copy_from_slice(&delivery.body_sha256),
        signature: Some(Signature {
            scheme: delivery.signature.scheme,
            secret_name: delivery.signature.secret_name,
            signed_at: delivery.signature.signed_at,
        }),
        admitted_from: delivery.admitted_from.map(|id| Bytes::copy_from_slice(id.as_bytes())),
    };
    (meta.encode_to_vec(), delivery.body)
}

/// The delivery of a stored meta and body. The digest in it is not checked here.
pub(crate) fn delivery(meta: Bytes, body: Bytes) -> Result<Delivery, MetaError> {
    let meta = DeliveryMeta::decode(meta).map_err(MetaError::Protobuf)?;
    let signature = meta.signature.ok_or(MetaError::Missing("signature"))?;
    Ok(Delivery {
        id: id(&meta.id)?,
        source: meta.source,
        request_id: meta.request_id,
        peer: meta.peer,
        method: meta.method,
        target: meta.target,
        http_version: meta.http_version,
        received_us: meta.received_us,
        headers: headers_out(meta.headers),
        body,
        body_sha256: meta.body_sha256.as_ref().try_into().map_err(|_| MetaError::Missing("digest of the body"))?,
        signature: SignatureRecord {
            scheme: signature.scheme,
            secret_name: signature.secret_name,
            signed_at: signature.signed_at,
        },
        admitted_from: meta.admitted_from.as_ref().map(id).transpose()?,
    })
}

/// The meta of a rejected request and what of its body there is.
pub(crate) fn of_rejected(rejected: NewRejected) -> (Vec<u8>, Bytes) {
    let meta = RejectedMeta {
        id: Bytes::copy_from_slice(rejected.id.as_bytes()),
        source: rejected.source,
        code: rejected.code,
        peer: rejected.peer,
        method: rejected.method,
        target: rejected.target,
        received_us: rejected.received_us,
        headers: headers_in(rejected.headers),
        body_complete: match rejected.body_complete {
            BodyComplete::Whole => WHOLE,
            BodyComplete::Prefix => PREFIX,
        },
        request_id: rejected.request_id,
        http_version: rejected.http_version,
    };
    (meta.encode_to_vec(), rejected.body)
}

/// The rejected request of a stored meta and body.
pub(crate) fn rejected(meta: Bytes, body: Bytes) -> Result<NewRejected, MetaError> {
    let meta = RejectedMeta::decode(meta).map_err(MetaError::Protobuf)?;
    Ok(NewRejected {
        id: id(&meta.id)?,
        source: meta.source,
        code: meta.code,
        peer: meta.peer,
        method: meta.method,
        target: meta.target,
        received_us: meta.received_us,
        headers: headers_out(meta.headers),
        body,
        // What is not known to be whole is not whole.
        body_complete: if meta.body_complete == WHOLE { BodyComplete::Whole } else { BodyComplete::Prefix },
        request_id: meta.request_id,
        http_version: meta.http_version,
    })
}

fn id(bytes: &Bytes) -> Result<Uuid, MetaError> {
    Uuid::from_slice(bytes).map_err(|_| MetaError::Missing("id"))
}

fn headers_in(headers: Vec<(Bytes, Bytes)>) -> Vec<Header> {
    headers.into_iter().map(|(name, value)| Header { name, value }).collect()
}

fn headers_out(headers: Vec<Header>) -> Vec<(Bytes, Bytes)> {
    headers.into_iter().map(|header| (header.name, header.value)).collect()
}

#[cfg(test)]
mod tests;
