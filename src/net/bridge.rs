//! Between hyper and a [`Service`]: each request is accounted for, and HTTP/2 streams are spawned in the one place.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::service::Service as HyperService;
use hyper::{Request, Response};

use super::activity::{Activity, Tracked};
use super::{Arrival, Service};
use crate::task;

/// A [`Service`] as hyper calls it, with each request accounted for.
pub(super) struct Bridge<S> {
    service: S,
    activity: Arc<Activity>,
    peer: SocketAddr,
}

impl<S: Service> Bridge<S> {
    pub(super) fn new(service: S, activity: &Arc<Activity>, peer: SocketAddr) -> Self {
        Self { service, activity: Arc::clone(activity), peer }
    }
}

impl<S: Service> HyperService<Request<Incoming>> for Bridge<S> {
    type Response = Response<Tracked<S::Body>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        let guard = self.activity.begin();
        request.extensions_mut().insert(Arrival { peer: self.peer, head: self.activity.take_head() });
        let answer = self.service.call(request);
        Box::pin(async move { Ok(answer.await.map(|body| Tracked::new(body, guard))) })
    }
}

/// Spawns the streams of an HTTP/2 connection.
#[derive(Clone, Copy)]
pub(super) struct Spawn;

impl<F> hyper::rt::Executor<F> for Spawn
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, future: F) {
        drop(task::spawn("http2-stream", future));
    }
}
