//! Stage 1: route → limits → body → signature → append → answer.
//!
//! A 200 means that the delivery is fsynced, whole and byte-exact, in the evidence log, and nothing else does. What
//! follows (identity, chain, forwarding) is other stages' work and never delays or changes the answer: the body is not
//! parsed here, the ledger is not asked. The append is finished even when its sender hangs up. Only `respond` picks a
//! status.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use evidence_store::Store;
use http_body_util::Full;
use hyper::body::{Body as _, Incoming};
use hyper::header::EXPECT;
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, Version};
use jiff::Timestamp;
use tokio::time::Instant;

mod address;
mod alarm;
mod append;
mod body;
mod failures;
mod headers;
mod overload;
mod reject;
mod respond;
mod route;

#[cfg(test)]
mod tests;

pub use route::BadSource;

use crate::clock::Clock;
use crate::config::Config;
use crate::net::{Arrival, Fault, Service};
use crate::telemetry::metrics::{Metrics, SourceCode, observe};
use crate::watermark::{Level, Watermarks};
use failures::Failures;
use respond::{Refusal, Rest};
use route::{Route, Routes};

/// How far back a start looks for what verified, records and bytes.
const RECALL_RECORDS: u64 = 1000;
const RECALL_BYTES: usize = 8 * 1024 * 1024;

/// The public listener's service.
pub struct Ingress {
    config: Arc<Config>,
    store: Store,
    clock: Clock,
    metrics: Metrics,
    routes: Routes,
    body_limits: body::Limits,
    failures: Failures,
    watermarks: Arc<Watermarks>,
}

/// One request, as far as its header section tells.
struct Call {
    parts: Parts,
    head: Option<Bytes>,
    /// Rightmost address outside the trusted proxies.
    client: IpAddr,
    request_id: String,
    received: Timestamp,
    started: Instant,
}

/// A refusal with what the answer and the record need beside it.
struct Refused {
    refusal: Refusal,
    /// Whether the body was read to its end; if not, the connection cannot be used again.
    rest: Rest,
    route: Option<Arc<Route>>,
}

impl Ingress {
    /// Builds routes and prepares every secret's key schedule.
    ///
    /// # Errors
    /// When a source's secret cannot be used; names the source.
    pub fn new(
        config: Arc<Config>,
        store: Store,
        clock: Clock,
        metrics: Metrics,
        watermarks: Arc<Watermarks>,
    ) -> Result<Arc<Self>, BadSource> {
        let routes = Routes::new(&config.sources, &metrics)?;
        let body_limits = body::Limits {
            max_bytes: config.ingress.max_body,
            timeout: config.ingress.body_timeout,
            min_rate: config.ingress.min_body_rate,
        };
        let failures = Failures::new();
        Ok(Arc::new(Self { config, store, clock, metrics, routes, body_limits, failures, watermarks }))
    }

    /// Looks into the end of the log for the sources that verified before this process began, so that a restart in the
    /// middle of a forgotten rotation does not hide it. Blocks; what cannot be read is left out.
    pub fn recall(&self) {
        let after = self.store.head().seq.saturating_sub(RECALL_RECORDS);
        let records = self.store.read_after(after, usize::MAX, RECALL_BYTES).unwrap_or_default();
        for delivery in records.into_iter().filter_map(|record| record.entry.into_delivery()) {
            let received = Timestamp::from_microsecond(delivery.received_us);
            if let (Some(route), Ok(received)) = (self.routes.of(&delivery.source), received) {
                route.verified_before(received);
            }
        }
    }

    /// Answers one request. `request` carries an [`Arrival`] when it came through [`crate::net`].
    pub async fn handle(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (call, body) = self.begin(request);
        let empty = body.is_end_stream();
        let answer = match self.take(&call, body).await {
            Ok(answer) => answer,
            Err(Refused { refusal, rest, route }) => {
                self.note(&call, &refusal, route.as_deref());
                let rest = if empty { Rest::Read } else { rest };
                respond::refused(&refusal, &call.request_id, rest, call.parts.version)
            }
        };
        if call.parts.method == Method::HEAD { respond::head_only(answer) } else { answer }
    }

    fn begin(&self, request: Request<Incoming>) -> (Call, Incoming) {
        let received = self.clock.now();
        let (mut parts, body) = request.into_parts();
        let (peer, head) = match parts.extensions.remove::<Arrival>() {
            Some(arrival) => (arrival.peer.ip(), arrival.head),
            None => (IpAddr::from([0, 0, 0, 0]), None),
        };
        let client = address::client(peer, &parts.headers, &self.config.ingress.trusted_proxies);
        let request_id = headers::request_id(&parts.headers, received);
        (Call { parts, head, client, request_id, received, started: Instant::now() }, body)
    }

    async fn take(&self, call: &Call, body: Incoming) -> Result<Response<Full<Bytes>>, Refused> {
        let unread = |route: Option<&Arc<Route>>| {
            let route = route.map(Arc::clone);
            move |refusal| Refused { refusal, rest: Rest::Unread, route }
        };
        self.sized(call).map_err(unread(None))?;
        let path = call.parts.uri.path();
        if self.config.ingress.health_path.as_deref() == Some(path) {
            return health(call).map_err(unread(None));
        }
        let route = self.routes.find(path).ok_or(Refusal::NotFound).map_err(unread(None))?;
        self.admitted(call, route).map_err(unread(Some(route)))?;
        self.room_for(route).map_err(unread(Some(route)))?;
        if route.is_overloaded() {
            let rest = self.rid_of(call, body).await;
            return Err(Refused { refusal: Refusal::Overloaded, rest, route: Some(Arc::clone(route)) });
        }
        let body = match body::read(body, &self.body_limits, &route.room).await {
            Ok(body) => body,
            Err(error) => {
                reject::unread(self, call, route, &error);
                return Err(unread(Some(route))(self.body_refusal(&error)));
            }
        };
        let read = |refusal| Refused { refusal, rest: Rest::Read, route: Some(Arc::clone(route)) };
        let verified = match route.verifier.verify(&call.parts.headers, &body.bytes, call.received) {
            Ok(verified) => verified,
            Err(rejection) => return Err(read(self.wrongly_signed(call, route, &body, rejection))),
        };
        let receipt = append::detached(self, call, route, body, verified).await.map_err(read)?;
        observe(&self.metrics.ack, call.started.elapsed());
        Ok(respond::stored(receipt.delivery_id, &call.request_id))
    }

    /// The header section against our limit. Over HTTP/1 the listener has counted the exact bytes already.
    fn sized(&self, call: &Call) -> Result<(), Refusal> {
        let limit = self.config.ingress.max_headers;
        if headers::section_bytes(&call.parts) > limit {
            return Err(Refusal::HeadersTooLarge { limit });
        }
        if headers::contradict(&call.parts, call.head.as_deref()) {
            return Err(Refusal::BadRequest { reason: "both content-length and transfer-encoding" });
        }
        Ok(())
    }

    fn admitted(&self, call: &Call, route: &Arc<Route>) -> Result<(), Refusal> {
        if call.parts.method != Method::POST {
            return Err(Refusal::MethodNotAllowed { allow: "POST" });
        }
        let allowed = &route.source.allow_ips;
        if !allowed.is_empty() && !allowed.iter().any(|network| network.contains(call.client)) {
            reject::forbidden(self, call, route);
            return Err(Refusal::Forbidden);
        }
        Ok(())
    }

    /// Whether deliveries of the source are taken at the disk's level. Asked before the body is read: a sender that
    /// has to come back is told so at once. The log itself looks again before it writes.
    fn room_for(&self, route: &Route) -> Result<(), Refusal> {
        match self.watermarks.look(self.store.disk_free()) {
            Level::Full => Err(Refusal::Unavailable { why: respond::BELOW_RESERVE }),
            level if level.sheds(route.source.shed) => Err(Refusal::Shed),
            _ => Ok(()),
        }
    }

    /// Reads past a body that is not wanted. Who asks before sending it is told not to.
    async fn rid_of(&self, call: &Call, body: Incoming) -> Rest {
        let asks_first = call.parts.headers.contains_key(EXPECT);
        if !asks_first && body::discard(body, &self.body_limits).await { Rest::Read } else { Rest::Unread }
    }

    const fn body_refusal(&self, error: &body::ReadError) -> Refusal {
        match error {
            body::ReadError::TooLarge { .. } => Refusal::BodyTooLarge { limit: self.body_limits.max_bytes },
            body::ReadError::TooSlow => Refusal::TooSlow { what: "body" },
            body::ReadError::Broken => {
                Refusal::BadRequest { reason: "the body ends early or is not framed as announced" }
            }
            body::ReadError::NoRoom => Refusal::Unavailable { why: "no room for more bodies of this source" },
        }
    }

    /// Keeps the record, and answers 429 in place of 401 to peers with too many failures. A rightly signed delivery
    /// never comes here, whatever its peer did before.
    fn wrongly_signed(
        &self,
        call: &Call,
        route: &Arc<Route>,
        body: &body::Read,
        rejection: crate::provider::Rejection,
    ) -> Refusal {
        reject::wrongly_signed(self, call, route, body, rejection.code());
        route.failed(call.received);
        match self.failures.count(call.client, call.received.as_microsecond()) {
            failures::Verdict::Within => Refusal::Signature(rejection),
            failures::Verdict::Over { retry_after_s } => Refusal::RateLimited { retry_after_s },
        }
    }

    fn note(&self, call: &Call, refusal: &Refusal, route: Option<&Route>) {
        let (code, status) = (refusal.code(), refusal.status().as_u16());
        let Some(route) = route else {
            if matches!(refusal, Refusal::NotFound) {
                self.metrics.unrouted.inc();
            }
            tracing::debug!(request_id = %call.request_id, code, status, "refused a request to no source");
            return;
        };
        let source = route.source.name.as_str();
        self.metrics.rejected.get_or_create(&SourceCode::of(source, code)).inc();
        if *refusal == Refusal::Overloaded {
            if let Some(deliveries) = route.overload.count(call.received) {
                tracing::warn!(source, deliveries, "more deliveries come than can be stored: these were answered 503");
            }
            tracing::debug!(request_id = %call.request_id, source, code, status, "told a delivery to come back");
            return;
        }
        tracing::info!(request_id = %call.request_id, source, code, status, "refused a delivery");
    }
}

fn health(call: &Call) -> Result<Response<Full<Bytes>>, Refusal> {
    if call.parts.method == Method::GET || call.parts.method == Method::HEAD {
        Ok(respond::healthy(&call.request_id))
    } else {
        Err(Refusal::MethodNotAllowed { allow: "GET, HEAD" })
    }
}

/// The service handle that [`crate::net::serve`] takes.
#[derive(Clone)]
pub struct Public(pub Arc<Ingress>);

impl Service for Public {
    type Body = Full<Bytes>;

    fn call(&self, request: Request<Incoming>) -> impl Future<Output = Response<Full<Bytes>>> + Send + 'static {
        let ingress = Arc::clone(&self.0);
        async move { ingress.handle(request).await }
    }

    fn fault(&self, fault: Fault, peer: SocketAddr) -> Response<Full<Bytes>> {
        let limit = self.0.config.ingress.max_headers;
        let refusal = match fault {
            Fault::Malformed => Refusal::BadRequest { reason: "not a well-formed HTTP request" },
            Fault::HeadersTooLarge => Refusal::HeadersTooLarge { limit },
            Fault::TooSlow => Refusal::TooSlow { what: "headers" },
        };
        // No source is known yet: the label is empty.
        self.0.metrics.rejected.get_or_create(&SourceCode::of("", refusal.code())).inc();
        let request_id = headers::new_id(self.0.clock.now()).to_string();
        tracing::debug!(request_id, %peer, code = refusal.code(), "refused a connection");
        respond::refused(&refusal, &request_id, Rest::Unread, Version::HTTP_2)
    }
}
