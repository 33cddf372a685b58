//! One connection from its first byte to its close: which protocol it speaks, and a deadline for every phase.
//!
//! hyper's own header timeout is off on purpose: it counts idle time between requests as header time and closes
//! without an answer. The one timer here knows the difference ([`Phase`]).

use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::activity::{Activity, Phase, is_blank};
use super::bridge::{Bridge, Spawn};
use super::wire::{Protocol, Wire};
use super::{Fault, Limits, Service, answer};
use crate::task::Stop;

/// What an HTTP/2 client with prior knowledge says first (RFC 9113 section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Bytes read to choose the protocol; a usual request fits.
const FIRST_READ: usize = 4 * 1024;

/// Least buffer that hyper's HTTP/1 accepts.
const BUFFER_MIN: usize = 8 * 1024;

/// HTTP/2: requests at once on one connection.
const H2_STREAMS: u32 = 64;

/// HTTP/2: unread body bytes per stream and per connection; hyper holds no more than this in memory.
const H2_WINDOWS: (u32, u32) = (256 * 1024, 1024 * 1024);

/// HTTP/2: a ping when nothing moves, and how long its answer may take.
const H2_PING: (Duration, Duration) = (Duration::from_secs(20), Duration::from_secs(10));

/// What every connection of a listener shares.
#[derive(Clone)]
pub(super) struct Context<S> {
    pub(super) limits: Limits,
    pub(super) service: S,
    /// Finish what is open.
    pub(super) stop: Stop,
    /// The grace is over.
    pub(super) cut: Stop,
}

/// Runs a connection to its end.
pub(super) async fn run<T, S>(stream: T, peer: SocketAddr, mut context: Context<S>)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service,
{
    let mut cut = context.cut.clone();
    tokio::select! {
        () = cut.wait() => {}
        () = converse(stream, peer, &mut context) => {}
    }
}

async fn converse<T, S>(mut stream: T, peer: SocketAddr, context: &mut Context<S>)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service,
{
    match first_bytes(&mut stream, &context.limits, &mut context.stop).await {
        First::Nothing => {}
        First::Slow => refuse(&mut stream, Fault::TooSlow, peer, context).await,
        First::Begun(Protocol::Http1, first) => http1(stream, first, peer, context).await,
        First::Begun(Protocol::Http2, first) => http2(stream, first, peer, context).await,
    }
}

enum First {
    /// The peer said nothing, or left.
    Nothing,
    /// Part of an HTTP/2 preface and no more.
    Slow,
    Begun(Protocol, Bytes),
}

/// Reads until the protocol is certain. hyper sets no deadline here.
async fn first_bytes<T: AsyncRead + Unpin>(stream: &mut T, limits: &Limits, stop: &mut Stop) -> First {
    let mut bytes = BytesMut::with_capacity(FIRST_READ);
    let mut deadline = Instant::now() + limits.first_byte;
    loop {
        let read = tokio::select! {
            // Bytes that are there are served, even while stopping.
            biased;
            read = timeout_at(deadline, stream.read_buf(&mut bytes)) => read,
            () = stop.wait(), if bytes.is_empty() => return First::Nothing,
        };
        match read {
            Err(_late) if bytes.is_empty() => return First::Nothing,
            Err(_late) => return First::Slow,
            Ok(Err(_) | Ok(0)) if bytes.is_empty() => return First::Nothing,
            Ok(Err(_) | Ok(0)) => return First::Begun(Protocol::Http1, bytes.freeze()),
            Ok(Ok(n)) if n == bytes.len() => deadline = Instant::now() + limits.header,
            Ok(Ok(_)) => {}
        }
        if bytes.starts_with(PREFACE) {
            return First::Begun(Protocol::Http2, bytes.freeze());
        }
        if !PREFACE.starts_with(&bytes) {
            return First::Begun(Protocol::Http1, bytes.freeze());
        }
    }
}

async fn http1<T, S>(stream: T, first: Bytes, peer: SocketAddr, context: &Context<S>)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service,
{
    let activity = Arc::new(Activity::default());
    let limits = &context.limits;
    let wire = Wire::new(stream, first, Arc::clone(&activity), Protocol::Http1, limits.header_bytes);
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        // At most 100 header lines: hyper's default, not set because setting it moves them to the heap.
        .max_header_size(limits.header_bytes)
        .max_buf_size(limits.header_bytes.max(BUFFER_MIN))
        .keep_alive(true)
        .half_close(true)
        .serve_connection(TokioIo::new(wire), Bridge::new(context.service.clone(), &activity, peer));
    let end = watch(&activity, limits, context.stop.clone(), |step, cx| match step {
        Step::Run => connection.poll_without_shutdown(cx),
        Step::Finish => {
            Pin::new(&mut connection).graceful_shutdown();
            connection.poll_without_shutdown(cx)
        }
    })
    .await;
    let parts = connection.into_parts();
    let mut stream = parts.io.into_inner().into_inner();
    let fault = match end {
        End::Closed(Ok(())) | End::Late(Phase::Busy | Phase::Stalled) => None,
        End::Closed(Err(error)) => fault_of(&error).filter(|_| activity.refused()),
        End::Late(Phase::Head) => Some(Fault::TooSlow),
        // What was read together with the request before it begins a header section too, unless it is empty lines.
        End::Late(Phase::Idle) => (!is_blank(&parts.read_buf)).then_some(Fault::TooSlow),
    };
    match fault {
        Some(fault) => refuse(&mut stream, fault, peer, context).await,
        None if activity.ended() => {}
        None => answer::linger(&mut stream).await,
    }
}

/// What the peer did wrong, if hyper wanted to say so by itself.
fn fault_of(error: &hyper::Error) -> Option<Fault> {
    if error.is_parse_too_large() {
        Some(Fault::HeadersTooLarge)
    } else if error.is_parse() {
        Some(Fault::Malformed)
    } else {
        None
    }
}

async fn refuse<T, S>(stream: &mut T, fault: Fault, peer: SocketAddr, context: &Context<S>)
where
    T: AsyncRead + AsyncWrite + Unpin,
    S: Service,
{
    answer::write(stream, context.service.fault(fault, peer), context.limits.header).await;
    answer::linger(stream).await;
}

async fn http2<T, S>(stream: T, first: Bytes, peer: SocketAddr, context: &Context<S>)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service,
{
    let activity = Arc::new(Activity::default());
    let limits = &context.limits;
    let wire = Wire::new(stream, first, Arc::clone(&activity), Protocol::Http2, 0);
    // Above our own limit, so that the service answers with the envelope before h2 answers with a bare 431.
    let header_list = u32::try_from(limits.header_bytes.saturating_mul(2)).unwrap_or(u32::MAX);
    let connection = http2::Builder::new(Spawn)
        .timer(TokioTimer::new())
        .max_concurrent_streams(H2_STREAMS)
        .max_header_list_size(header_list)
        .initial_stream_window_size(H2_WINDOWS.0)
        .initial_connection_window_size(H2_WINDOWS.1)
        .max_pending_accept_reset_streams(20)
        .max_local_error_reset_streams(256)
        .keep_alive_interval(H2_PING.0)
        .keep_alive_timeout(H2_PING.1)
        .serve_connection(TokioIo::new(wire), Bridge::new(context.service.clone(), &activity, peer));
    let mut connection = pin!(connection);
    let end = watch(&activity, limits, context.stop.clone(), |step, cx| match step {
        Step::Run => connection.as_mut().poll(cx),
        Step::Finish => {
            connection.as_mut().graceful_shutdown();
            connection.as_mut().poll(cx)
        }
    })
    .await;
    if let End::Closed(Err(error)) = end {
        tracing::debug!(%error, "an HTTP/2 connection failed");
    }
}

enum Step {
    /// Poll the connection.
    Run,
    /// Ask it to end after the request in hand.
    Finish,
}

enum End {
    Closed(hyper::Result<()>),
    /// The deadline of this phase passed.
    Late(Phase),
}

/// Drives a connection under the deadlines of its phases.
async fn watch(
    activity: &Activity,
    limits: &Limits,
    mut stop: Stop,
    mut connection: impl FnMut(Step, &mut std::task::Context<'_>) -> Poll<hyper::Result<()>>,
) -> End {
    let opened = Instant::now();
    let mut seen = None;
    let mut deadline: Option<Instant> = None;
    let mut timer = pin!(sleep_until(opened + limits.header));
    let mut finish = pin!(async {
        tokio::select! {
            () = stop.wait() => {}
            () = sleep_until(opened + limits.age) => {}
        }
    });
    let mut finishing = false;
    poll_fn(move |cx| {
        // First what has come, so that a request whose bytes are here is taken even while stopping.
        if let Poll::Ready(end) = connection(Step::Run, cx) {
            return Poll::Ready(End::Closed(end));
        }
        if !finishing && finish.as_mut().poll(cx).is_ready() {
            finishing = true;
            if let Poll::Ready(end) = connection(Step::Finish, cx) {
                return Poll::Ready(End::Closed(end));
            }
        }
        let (phase, turn) = activity.phase();
        if seen != Some((phase, turn)) {
            seen = Some((phase, turn));
            deadline = allowed(phase, limits).map(|allowed| Instant::now() + allowed);
        }
        // The timer is moved only when it would be late: most phases end long before.
        while let Some(due) = deadline {
            if timer.deadline() > due {
                timer.as_mut().reset(due);
            }
            if timer.as_mut().poll(cx).is_pending() {
                break;
            }
            if Instant::now() >= due {
                return Poll::Ready(End::Late(phase));
            }
            timer.as_mut().reset(due);
        }
        Poll::Pending
    })
    .await
}

const fn allowed(phase: Phase, limits: &Limits) -> Option<Duration> {
    match phase {
        Phase::Idle => Some(limits.idle),
        Phase::Head => Some(limits.header),
        Phase::Busy => None,
        Phase::Stalled => Some(limits.write_stall),
    }
}
