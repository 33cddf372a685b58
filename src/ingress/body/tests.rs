use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Frame};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::{Limits, PREFIX_MAX, ReadError, read};

/// A body in the given pieces; at its end it either ends or never does.
struct Pieces {
    left: VecDeque<Bytes>,
    stalls: Stalls,
}

#[derive(Clone, Copy)]
enum Stalls {
    Yes,
    No,
}

impl Pieces {
    fn of(pieces: &[&[u8]], stalls: Stalls) -> Self {
        Self { left: pieces.iter().map(|piece| Bytes::copy_from_slice(piece)).collect(), stalls }
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match (self.left.pop_front(), self.stalls) {
            (Some(piece), _) => Poll::Ready(Some(Ok(Frame::data(piece)))),
            (None, Stalls::Yes) => Poll::Pending,
            (None, Stalls::No) => Poll::Ready(None),
        }
    }
}

fn limits(max_bytes: usize) -> Limits {
    Limits { max_bytes, timeout: Duration::from_secs(60), min_rate: 0 }
}

fn room(units: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(units))
}

#[tokio::test]
async fn one_piece_is_not_copied() {
    let bytes = Bytes::from_static(b"abc");
    let body = read(Full::new(bytes.clone()), &limits(10), &room(4)).await.unwrap();
    assert_eq!(body.bytes.as_ptr(), bytes.as_ptr());
    // FIPS 180-2 appendix B.1.
    let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(hex::encode(body.sha256), known);
}

#[tokio::test]
async fn pieces_are_joined_in_order() {
    let body = read(Pieces::of(&[b"a", b"", b"b", b"c"], Stalls::No), &limits(3), &room(4)).await.unwrap();
    assert_eq!(body.bytes, "abc");
    assert!(hex::encode(body.sha256).starts_with("ba7816bf"));
}

#[tokio::test]
async fn one_byte_over_is_too_large_and_keeps_a_start() {
    let error = read(Pieces::of(&[b"abc", b"d"], Stalls::No), &limits(3), &room(4)).await.unwrap_err();
    assert!(matches!(error, ReadError::TooLarge { start } if start == "abcd"));
    let error = read(Full::new(Bytes::from_static(b"abcd")), &limits(3), &room(4)).await.unwrap_err();
    assert!(matches!(error, ReadError::TooLarge { start } if start.is_empty()), "announced: not read at all");
    let big = vec![7; PREFIX_MAX + 1];
    let error = read(Pieces::of(&[&big], Stalls::No), &limits(3), &room(400)).await.unwrap_err();
    assert!(matches!(error, ReadError::TooLarge { start } if start.len() == PREFIX_MAX));
}

#[tokio::test]
async fn memory_is_shared_and_given_back() {
    let room = room(2);
    let body = read(Pieces::of(&[&[1; 700], &[1; 700]], Stalls::No), &limits(9_000), &room).await.unwrap();
    assert_eq!(room.available_permits(), 0);
    let error = read(Pieces::of(&[b"x"], Stalls::No), &limits(9_000), &room).await.unwrap_err();
    assert!(matches!(error, ReadError::NoRoom));
    drop(body);
    assert_eq!(room.available_permits(), 2);
}

#[tokio::test]
async fn a_stalled_body_ends_at_its_deadline() {
    let short = Limits { timeout: Duration::from_millis(50), ..limits(9_000) };
    let error = read(Pieces::of(&[&[1; 300]], Stalls::Yes), &short, &room(9)).await.unwrap_err();
    assert!(matches!(error, ReadError::TooSlow));
}

#[tokio::test]
async fn the_least_rate_turns_bytes_into_time() {
    let started = Instant::now();
    let due = |min_rate, received| {
        let limits = Limits { timeout: Duration::from_secs(30), min_rate, ..limits(9_000) };
        limits.due(started, received).duration_since(started)
    };
    assert_eq!(due(0, 0), Duration::from_secs(30), "no rate, only the whole deadline");
    assert_eq!(due(100, 0), Duration::from_secs(1), "the grace");
    assert_eq!(due(100, 300), Duration::from_secs(4));
    assert_eq!(due(100, 1_000_000), Duration::from_secs(30), "the whole deadline holds whatever the rate");
    assert_eq!(due(usize::MAX, usize::MAX).as_secs(), 1);
}
