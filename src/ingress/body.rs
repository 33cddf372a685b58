//! Reads a body under every limit at once: size, whole deadline, least rate, and memory shared per source.
//!
//! A body that arrives in one piece, as almost all do, is never copied. Nothing is reserved for an announced length:
//! memory follows the bytes that came. It must never look into the bytes.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Body;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use crate::digest::Sha256;

/// A body may be slower than the least rate for this long.
const RATE_GRACE: Duration = Duration::from_secs(1);

/// Bytes that one permit of a source's room stands for.
pub(super) const ROOM_UNIT: usize = 1024;

/// Bytes of a body that is over the limit which are kept with its record.
const PREFIX_MAX: usize = 16 * 1024;

/// Bytes of a body that is read only to be rid of it.
const DISCARDED_MAX: usize = 64 * 1024;

#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) max_bytes: usize,
    pub(super) timeout: Duration,
    /// Bytes a second; 0 is any.
    pub(super) min_rate: usize,
}

/// A whole body. Its room is given back when this is dropped, after the append.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) bytes: Bytes,
    pub(super) sha256: [u8; 32],
    pub(super) room: Option<OwnedSemaphorePermit>,
}

#[derive(Debug)]
pub(super) enum ReadError {
    /// Over the limit; the start of it, possibly empty.
    TooLarge { start: Bytes },
    /// Past the deadline or under the least rate.
    TooSlow,
    /// The peer left, or broke the framing it had announced.
    Broken,
    /// Too many bytes of this source are in memory.
    NoRoom,
}

pub(super) async fn read<B>(mut body: B, limits: &Limits, room: &Arc<Semaphore>) -> Result<Read, ReadError>
where
    B: Body<Data = Bytes> + Unpin,
{
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > limits.max_bytes {
        return Err(ReadError::TooLarge { start: Bytes::new() });
    }
    let started = Instant::now();
    let mut pieces = Pieces::default();
    let mut hash = Sha256::new();
    let mut held: Option<OwnedSemaphorePermit> = None;
    while let Some(frame) =
        timeout_at(limits.due(started, pieces.len()), body.frame()).await.map_err(|_late| ReadError::TooSlow)?
    {
        let Ok(data) = frame.map_err(|_| ReadError::Broken)?.into_data() else { continue };
        let total = pieces.len().saturating_add(data.len());
        if total > limits.max_bytes {
            return Err(ReadError::TooLarge { start: pieces.start(&data) });
        }
        reserve(&mut held, total, room)?;
        hash.update(&data);
        pieces.push(data);
    }
    Ok(Read { bytes: pieces.whole(), sha256: hash.finish(), room: held })
}

/// Reads a body and forgets it, so that the connection can take the next request: making a new one costs both sides more.
/// False when it is larger than that is worth, slow, or broken.
pub(super) async fn discard<B>(mut body: B, limits: &Limits) -> bool
where
    B: Body<Data = Bytes> + Unpin,
{
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    let (started, mut received) = (Instant::now(), 0_usize);
    while announced.max(received) <= DISCARDED_MAX {
        match timeout_at(limits.due(started, received), body.frame()).await {
            Ok(None) => return true,
            Ok(Some(Ok(frame))) => received = received.saturating_add(frame.data_ref().map_or(0, Bytes::len)),
            Ok(Some(Err(_))) | Err(_) => return false,
        }
    }
    false
}

impl Limits {
    /// When the next bytes must be there: the least rate turns what came into time.
    fn due(&self, started: Instant, received: usize) -> Instant {
        let whole = started + self.timeout;
        let (Ok(received), Ok(rate)) = (u64::try_from(received), u64::try_from(self.min_rate)) else { return whole };
        match received.saturating_mul(1_000).checked_div(rate) {
            None => whole,
            Some(earned_ms) => whole.min(started + RATE_GRACE + Duration::from_millis(earned_ms)),
        }
    }
}

fn reserve(held: &mut Option<OwnedSemaphorePermit>, total: usize, room: &Arc<Semaphore>) -> Result<(), ReadError> {
    let have = held.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
    let missing = total.div_ceil(ROOM_UNIT).saturating_sub(have);
    if missing == 0 {
        return Ok(());
    }
    let missing = u32::try_from(missing).map_err(|_| ReadError::NoRoom)?;
    let more = Arc::clone(room).try_acquire_many_owned(missing).map_err(|_| ReadError::NoRoom)?;
    match held {
        Some(held) => held.merge(more),
        None => *held = Some(more),
    }
    Ok(())
}

/// The first piece is kept as it came; a second one makes a buffer of them.
#[derive(Default)]
struct Pieces {
    first: Bytes,
    joined: BytesMut,
}

impl Pieces {
    fn len(&self) -> usize {
        self.first.len().max(self.joined.len())
    }

    fn push(&mut self, data: Bytes) {
        if self.len() == 0 {
            self.first = data;
            return;
        }
        if self.joined.is_empty() {
            self.joined.reserve(self.first.len().saturating_add(data.len()));
            self.joined.extend_from_slice(&self.first);
        }
        self.joined.extend_from_slice(&data);
    }

    fn whole(self) -> Bytes {
        if self.joined.is_empty() { self.first } else { self.joined.freeze() }
    }

    fn start(mut self, more: &Bytes) -> Bytes {
        let missing = PREFIX_MAX.saturating_sub(self.len()).min(more.len());
        self.push(more.slice(..missing));
        let whole = self.whole();
        let end = whole.len().min(PREFIX_MAX);
        whole.slice(..end)
    }
}

#[cfg(test)]
mod tests;
