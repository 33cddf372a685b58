//! The stream as hyper sees it: first the bytes that were read to choose the protocol, then the socket.
//!
//! Over HTTP/1 it also records header sections as they come (hyper lower-cases names and groups repeated ones, and
//! evidence keeps what arrived), and it keeps back the bare answers that hyper writes to malformed requests, so that
//! ours, with the envelope, can be sent instead. It must never change a byte of an answer of the service.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::activity::{Activity, Stalled};

/// Longest answer that hyper makes up by itself; a real one is under 150 bytes.
const OWN_ANSWER_MAX: usize = 512;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Http1,
    Http2,
}

#[derive(Debug)]
pub(super) struct Wire<T> {
    io: T,
    first: Bytes,
    activity: Arc<Activity>,
    protocol: Protocol,
    head_limit: usize,
}

impl<T> Wire<T> {
    pub(super) const fn new(
        io: T,
        first: Bytes,
        activity: Arc<Activity>,
        protocol: Protocol,
        head_limit: usize,
    ) -> Self {
        Self { io, first, activity, protocol, head_limit }
    }

    pub(super) fn into_inner(self) -> T {
        self.io
    }

    fn note<R>(&self, poll: Poll<R>) -> Poll<R> {
        self.activity.set_stalled(if poll.is_pending() { Stalled::Yes } else { Stalled::No });
        poll
    }

    fn holds_back(&self, bytes: &[u8]) -> bool {
        let own = self.protocol == Protocol::Http1 && !self.activity.busy() && is_hypers_own(bytes);
        if own {
            self.activity.set_refused();
        }
        own
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Wire<T> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        if this.first.is_empty() {
            std::task::ready!(Pin::new(&mut this.io).poll_read(cx, buf))?;
        } else {
            let n = this.first.len().min(buf.remaining());
            buf.put_slice(&this.first.split_to(n));
        }
        let fresh = buf.filled().get(before..).unwrap_or_default();
        if fresh.is_empty() {
            if buf.remaining() > 0 {
                this.activity.set_ended();
            }
        } else if this.protocol == Protocol::Http1 {
            this.activity.received(fresh, this.head_limit);
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Wire<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.holds_back(buf) {
            return Poll::Ready(Ok(buf.len()));
        }
        let poll = Pin::new(&mut this.io).poll_write(cx, buf);
        this.note(poll)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let mut full = bufs.iter().filter(|buf| !buf.is_empty());
        if let (Some(only), None) = (full.next(), full.next())
            && this.holds_back(only)
        {
            return Poll::Ready(Ok(only.len()));
        }
        let poll = Pin::new(&mut this.io).poll_write_vectored(cx, bufs);
        this.note(poll)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}

/// Whether the bytes are an answer that hyper made up: 400, 414 or 431, no body, and no header but the three that
/// hyper adds to every answer. Answers of a service name a content type or a request id.
pub(super) fn is_hypers_own(bytes: &[u8]) -> bool {
    if bytes.len() > OWN_ANSWER_MAX || !bytes.starts_with(b"HTTP/1.") {
        return false;
    }
    let Some(head) = std::str::from_utf8(bytes).ok().and_then(|text| text.strip_suffix("\r\n\r\n")) else {
        return false;
    };
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1));
    matches!(status, Some("400" | "414" | "431"))
        && lines.all(|line| match line.split_once(':') {
            Some((name, value)) => {
                name.eq_ignore_ascii_case("date")
                    || name.eq_ignore_ascii_case("connection")
                    || (name.eq_ignore_ascii_case("content-length") && value.trim() == "0")
            }
            None => false,
        })
}
