//! A tower service (the admin router) as a [`Service`].

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Incoming};
use hyper::{Request, Response};
use tower_service::Service as TowerService;

use super::{Fault, Service};

/// Adapts a tower service; `faults` renders the answers for connections that brought no request.
#[derive(Clone)]
pub struct Tower<S> {
    service: S,
    faults: fn(Fault) -> Response<Full<Bytes>>,
}

impl<S> Tower<S> {
    /// From a service, such as an axum router, and its envelope for faults.
    #[must_use]
    pub const fn new(service: S, faults: fn(Fault) -> Response<Full<Bytes>>) -> Self {
        Self { service, faults }
    }
}

impl<S, B> Service for Tower<S>
where
    S: TowerService<Request<Incoming>, Response = Response<B>, Error = Infallible, Future: Send>
        + Clone
        + Send
        + Sync
        + Unpin
        + 'static,
    B: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + Unpin + 'static,
{
    type Body = B;

    fn call(&self, request: Request<Incoming>) -> impl Future<Output = Response<B>> + Send + 'static {
        let mut service = self.service.clone();
        async move {
            let Ok(()) = poll_fn(|cx| service.poll_ready(cx)).await;
            let Ok(answer) = service.call(request).await;
            answer
        }
    }

    fn fault(&self, fault: Fault, _peer: SocketAddr) -> Response<Full<Bytes>> {
        (self.faults)(fault)
    }
}
