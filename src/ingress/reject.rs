//! Refused requests that reached a source are kept too, in the log's capped ring: a forgotten rotation of a secret can
//! be put right later. They never share a queue or an fsync with accepted ones, and a full ring only forgets.

use bytes::Bytes;
use evidence_store::{BodyComplete, NewRejected};

use super::respond::Refusal;
use super::route::Route;
use super::{Call, Ingress, body, headers};

/// A signature that is missing or wrong; the whole body is kept.
pub(super) fn wrongly_signed(ingress: &Ingress, call: &Call, route: &Route, body: &body::Read, code: &str) {
    keep(ingress, call, route, code, body.bytes.clone(), BodyComplete::Whole);
}

/// A client outside `allow_ips`; its body was not read.
pub(super) fn forbidden(ingress: &Ingress, call: &Call, route: &Route) {
    keep(ingress, call, route, Refusal::Forbidden.code(), Bytes::new(), BodyComplete::Prefix);
}

/// A body over the limit is kept as far as the prefix goes. Bodies that broke off or stalled are not evidence of
/// anything.
pub(super) fn unread(ingress: &Ingress, call: &Call, route: &Route, error: &body::ReadError) {
    if let body::ReadError::TooLarge { start } = error {
        let code = ingress.body_refusal(error).code();
        keep(ingress, call, route, code, start.clone(), BodyComplete::Prefix);
    }
}

fn keep(ingress: &Ingress, call: &Call, route: &Route, code: &str, body: Bytes, body_complete: BodyComplete) {
    ingress.store.reject(NewRejected {
        id: headers::new_id(call.received),
        source: route.source.name.clone(),
        code: code.to_owned(),
        peer: call.client.to_string(),
        method: call.parts.method.as_str().to_owned(),
        target: headers::target(&call.parts),
        received_us: call.received.as_microsecond(),
        headers: headers::evidence(&call.parts, call.head.as_ref()),
        body,
        body_complete,
        request_id: Some(call.request_id.clone()),
        http_version: Some(headers::version(&call.parts).to_owned()),
    });
}
