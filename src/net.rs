//! Sockets of both listeners: bind, accept, limits, deadlines, HTTP/1.1 and HTTP/2, drain. Nothing else opens a
//! listening socket.
//!
//! hyper alone leaves four doors open: a connection that says nothing, a half-sent HTTP/2 preface, a reader that takes
//! no bytes, and its own bare answers to malformed requests. This module closes them: the first bytes are read here
//! under a deadline and choose the protocol, one timer per connection watches the phase it is in, and what hyper
//! refuses by itself is answered by the [`Service`] instead ([`Fault`]), so that every answer has the same envelope.
//!
//! It must never decide a status, look into a body, or know what a source is. TLS will wrap the stream before the
//! first bytes are read; nothing below that point knows the transport.

use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Incoming};
use hyper::{Request, Response};

mod activity;
mod answer;
mod bridge;
mod connection;
mod listener;
pub mod request_id;
mod serve;
mod tower;
mod wire;

#[cfg(test)]
mod tests;

pub use listener::{BindError, Listener};
pub use serve::{Drained, serve};
pub use tower::Tower;

use crate::config;

/// Idle time of a kept-alive connection before it is closed without a word.
const IDLE: Duration = Duration::from_secs(60);

/// How long a peer may refuse to take the bytes of an answer.
const WRITE_STALL: Duration = Duration::from_secs(30);

/// Age at which a connection is asked to close after the request in hand, so that no peer holds a slot for ever.
const AGE_MAX: Duration = Duration::from_secs(600);

/// What a listener allows. Every limit is written out, also where a library's default would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Open connections; further ones wait in the kernel's backlog.
    pub connections: u32,
    /// Request line and header section, bytes.
    pub header_bytes: usize,
    /// From accept to the first byte.
    pub first_byte: Duration,
    /// From the first byte of a request to the end of its header section.
    pub header: Duration,
    /// Between requests of one connection.
    pub idle: Duration,
    /// No byte of an answer taken by the peer.
    pub write_stall: Duration,
    /// Age of a connection, after which it ends with the request in hand.
    pub age: Duration,
}

impl Limits {
    /// The public listener's limits.
    #[must_use]
    pub fn ingress(config: &config::Ingress) -> Self {
        Self {
            connections: u32::try_from(config.max_connections).unwrap_or(u32::MAX).max(1),
            header_bytes: config.max_headers,
            first_byte: config.first_byte_timeout,
            header: config.header_timeout,
            idle: IDLE,
            write_stall: WRITE_STALL,
            age: AGE_MAX,
        }
    }

    /// The admin listener's limits: few callers, all of them known.
    #[must_use]
    pub const fn admin() -> Self {
        Self {
            connections: 256,
            header_bytes: 32 * 1024,
            first_byte: Duration::from_secs(10),
            header: Duration::from_secs(10),
            idle: IDLE,
            write_stall: WRITE_STALL,
            age: AGE_MAX,
        }
    }
}

/// Why a connection is answered although no request came through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Not HTTP, or HTTP that contradicts itself.
    Malformed,
    /// The header section is over [`Limits::header_bytes`].
    HeadersTooLarge,
    /// The header section did not end in time.
    TooSlow,
}

/// How a request came in; an extension of every request that a [`Service`] gets.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// The direct peer, which may be a proxy.
    pub peer: SocketAddr,
    /// The request line and header section as they came over HTTP/1, with the empty line that ends them; `None` over
    /// HTTP/2, and where requests were pipelined so closely that they could not be told apart on the wire.
    pub head: Option<Bytes>,
}

/// What answers requests.
pub trait Service: Clone + Send + Sync + Unpin + 'static {
    /// The body of its answers.
    type Body: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + Unpin + 'static;

    /// Answers one request. The future is dropped when the peer goes away: what must not be cut short is spawned.
    fn call(&self, request: Request<Incoming>) -> impl Future<Output = Response<Self::Body>> + Send + 'static;

    /// The answer for a connection that brought no request; it is closed afterwards.
    fn fault(&self, fault: Fault, peer: SocketAddr) -> Response<Full<Bytes>>;
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "malformed",
            Self::HeadersTooLarge => "headers too large",
            Self::TooSlow => "too slow",
        })
    }
}
