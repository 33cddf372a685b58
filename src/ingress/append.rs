//! The append, which a sender that hangs up cannot cut in half.

use std::sync::Arc;

use evidence_store::{AppendError, NewDelivery, Receipt, SignatureRecord, Store, Stored};
use tokio::time::timeout;

use super::respond::Refusal;
use super::route::Route;
use super::{Call, Ingress, body, headers, overload, respond};
use crate::provider::{self, Verified};
use crate::task;

/// Appends a rightly signed delivery; `Ok` only after the fsync.
pub(super) async fn detached(
    ingress: &Ingress,
    call: &Call,
    route: &Arc<Route>,
    body: body::Read,
    verified: Verified,
) -> Result<Receipt, Refusal> {
    let patience = overload::slot_wait(route.source.shed);
    let Ok(Ok(slot)) = timeout(patience, Arc::clone(&route.slots).acquire_owned()).await else {
        return Err(Refusal::Overloaded);
    };
    let delivery = delivery(call, route, &body, &verified);
    route.verified(&verified, &delivery.headers, call.received);
    let (store, route, room) = (ingress.store.clone(), Arc::clone(route), body.room);
    task::finishing("append", async move {
        let result = append(&store, &route, delivery).await;
        drop((slot, room));
        result
    })
    .await
}

fn delivery(call: &Call, route: &Route, body: &body::Read, verified: &Verified) -> NewDelivery {
    NewDelivery {
        id: headers::new_id(call.received),
        source: route.source.name.clone(),
        request_id: call.request_id.clone(),
        peer: call.client.to_string(),
        method: call.parts.method.as_str().to_owned(),
        target: headers::target(&call.parts),
        http_version: headers::version(&call.parts).to_owned(),
        received_us: call.received.as_microsecond(),
        headers: headers::evidence(&call.parts, call.head.as_ref()),
        body: body.bytes.clone(),
        body_sha256: body.sha256,
        signature: SignatureRecord {
            scheme: verified.scheme.to_owned(),
            secret_name: verified.secret_name.to_string(),
            signed_at: verified.signed_at,
        },
        admitted_from: None,
    }
}

async fn append(store: &Store, route: &Route, delivery: NewDelivery) -> Result<Receipt, Refusal> {
    let request_id = delivery.request_id.clone();
    let source = route.source.name.as_str();
    let apart = provider::apart(&route.source.provider, &delivery.headers);
    match store.append_apart(delivery, apart.as_deref()).await {
        Ok(receipt) => {
            let outcome = match receipt.stored {
                Stored::New => {
                    route.counters.stored.inc();
                    "stored"
                }
                Stored::Repeat => {
                    route.counters.repeat.inc();
                    "repeat"
                }
            };
            tracing::info!(request_id, source, delivery_id = %receipt.delivery_id, seq = receipt.seq, outcome, "acknowledged a delivery");
            Ok(receipt)
        }
        Err(error) => {
            tracing::warn!(request_id, source, %error, "could not store a delivery");
            Err(Refusal::Unavailable { why: reason(&error) })
        }
    }
}

/// What a stranger may know of it.
const fn reason(error: &AppendError) -> &'static str {
    match error {
        AppendError::BelowReserve { .. } => respond::BELOW_RESERVE,
        AppendError::Poisoned(_) => "the evidence log failed and takes no more",
        AppendError::Busy => "the evidence log is busy",
        AppendError::Closed => "the gateway is shutting down",
        AppendError::TooLarge { .. } => "a record this large is over the log's limit",
    }
}
