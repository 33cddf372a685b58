//! What one connection is doing, shared by the wire, the service and the timer that watches both.
//!
//! The timer asks for a [`Phase`]; it must never need more than a few atomics per poll, because it runs for each.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use hyper::body::{Body, Frame, SizeHint};
use memchr::memmem;

/// The empty line that ends a header section.
const END: &[u8] = b"\r\n\r\n";

/// What a connection waits for, each with its own deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The next request.
    Idle,
    /// The rest of a header section.
    Head,
    /// The service: no deadline here, the service has its own.
    Busy,
    /// The peer, to take bytes of an answer.
    Stalled,
}

#[derive(Debug, Default)]
pub(super) struct Activity {
    requests: AtomicUsize,
    turns: AtomicU64,
    head_begun: AtomicBool,
    stalled: AtomicBool,
    refused: AtomicBool,
    ended: AtomicBool,
    head: Mutex<Recording>,
}

#[derive(Debug, Default)]
struct Recording {
    bytes: BytesMut,
    complete: bool,
    lost: bool,
}

impl Activity {
    /// The phase, and a number that changes with every request begun or ended.
    pub(super) fn phase(&self) -> (Phase, u64) {
        let phase = if self.stalled.load(Ordering::Relaxed) {
            Phase::Stalled
        } else if self.requests.load(Ordering::Relaxed) > 0 {
            Phase::Busy
        } else if self.head_begun.load(Ordering::Relaxed) {
            Phase::Head
        } else {
            Phase::Idle
        };
        (phase, self.turns.load(Ordering::Relaxed))
    }

    /// Whether a request is with the service.
    pub(super) fn busy(&self) -> bool {
        self.requests.load(Ordering::Relaxed) > 0
    }

    /// A request reached the service; ends when the guard is dropped, with the last byte of the answer's body.
    pub(super) fn begin(self: &Arc<Self>) -> Guard {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.turns.fetch_add(1, Ordering::Relaxed);
        self.head_begun.store(false, Ordering::Relaxed);
        Guard(Arc::clone(self))
    }

    /// The header section of the request that just began, if it was recorded whole.
    pub(super) fn take_head(&self) -> Option<Bytes> {
        let mut head = self.head.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = std::mem::take(&mut *head);
        (taken.complete && !taken.lost).then(|| taken.bytes.freeze())
    }

    /// Bytes came in. Between requests they are a header section: recorded up to its end, at most `limit` bytes.
    pub(super) fn received(&self, bytes: &[u8], limit: usize) {
        if self.busy() || (!self.head_begun.load(Ordering::Relaxed) && is_blank(bytes)) {
            return;
        }
        self.head_begun.store(true, Ordering::Relaxed);
        let mut head = self.head.lock().unwrap_or_else(PoisonError::into_inner);
        if head.complete || head.lost {
            return;
        }
        // The body that mostly comes with a section is not copied.
        let section = memmem::find(bytes, END).and_then(|end| bytes.get(..end + END.len())).unwrap_or(bytes);
        let seen = head.bytes.len().saturating_sub(END.len() - 1);
        head.bytes.extend_from_slice(section.get(..limit).unwrap_or(section));
        if let Some(end) = head.bytes.get(seen..).and_then(|new| memmem::find(new, END)) {
            head.bytes.truncate(seen + end + END.len());
            head.complete = true;
        } else if head.bytes.len() > limit {
            *head = Recording { lost: true, ..Recording::default() };
        }
    }

    pub(super) fn set_stalled(&self, stalled: Stalled) {
        self.stalled.store(matches!(stalled, Stalled::Yes), Ordering::Relaxed);
    }

    /// hyper wanted to answer by itself and was kept from it.
    pub(super) fn set_refused(&self) {
        self.refused.store(true, Ordering::Relaxed);
    }

    pub(super) fn refused(&self) -> bool {
        self.refused.load(Ordering::Relaxed)
    }

    /// The peer closed its side.
    pub(super) fn set_ended(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }

    pub(super) fn ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }
}

/// Only empty lines: skipped before a request line (RFC 9112 section 2.2), because some senders end a body with one.
pub(super) fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| matches!(byte, b'\r' | b'\n'))
}

/// Whether the socket takes bytes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stalled {
    Yes,
    No,
}

/// A request in hand.
#[derive(Debug)]
pub(super) struct Guard(Arc<Activity>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.requests.fetch_sub(1, Ordering::Relaxed);
        self.0.turns.fetch_add(1, Ordering::Relaxed);
    }
}

/// An answer's body that keeps its request "in hand" until hyper has taken the last of it.
#[derive(Debug)]
pub(super) struct Tracked<B> {
    body: B,
    _guard: Guard,
}

impl<B> Tracked<B> {
    pub(super) const fn new(body: B, guard: Guard) -> Self {
        Self { body, _guard: guard }
    }
}

impl<B: Body + Unpin> Body for Tracked<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
