//! Answering without hyper, and closing without losing the answer.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::Response;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

/// How long and how much a closing connection still reads. Closing a socket with unread bytes makes the kernel reset
/// it, and a reset can overtake the answer.
const LINGER: (Duration, usize) = (Duration::from_secs(2), 16 * 1024 * 1024);

/// Writes one HTTP/1.1 answer that ends the connection.
pub(super) async fn write<T: AsyncWrite + Unpin>(io: &mut T, answer: Response<Full<Bytes>>, patience: Duration) {
    let (parts, body) = answer.into_parts();
    let Ok(body) = body.collect().await;
    let body = body.to_bytes();
    let mut bytes = BytesMut::with_capacity(512 + body.len());
    let reason = parts.status.canonical_reason().unwrap_or_default();
    bytes.put_slice(format!("HTTP/1.1 {} {reason}\r\n", parts.status.as_str()).as_bytes());
    for (name, value) in &parts.headers {
        bytes.put_slice(name.as_str().as_bytes());
        bytes.put_slice(b": ");
        bytes.put_slice(value.as_bytes());
        bytes.put_slice(b"\r\n");
    }
    bytes.put_slice(format!("content-length: {}\r\nconnection: close\r\n\r\n", body.len()).as_bytes());
    bytes.put_slice(&body);
    if let Ok(Err(error)) = timeout(patience, io.write_all(&bytes)).await {
        tracing::debug!(%error, "the peer went away before its answer");
    }
}

/// Closes our side, then reads and drops what the peer still sends, within limits.
pub(super) async fn linger<T: AsyncRead + AsyncWrite + Unpin>(io: &mut T) {
    let drained = timeout(LINGER.0, async {
        if io.shutdown().await.is_err() {
            return;
        }
        let mut scratch = BytesMut::with_capacity(8 * 1024);
        let mut read = 0;
        while read < LINGER.1 {
            scratch.clear();
            match io.read_buf(&mut scratch).await {
                Ok(0) | Err(_) => return,
                Ok(n) => read += n,
            }
        }
    });
    if drained.await.is_err() {
        tracing::debug!("the peer kept its side open");
    }
}
