//! Bounded cost: every limit and deadline, and requests that contradict themselves.

use std::time::Duration;

use tokio::io::AsyncWriteExt;

use super::support::{Answer, Gateway, PATH, chunked, request, signature, signed};

#[tokio::test]
async fn a_body_over_the_limit_is_413() {
    let gateway = Gateway::start().await;
    let over = vec![b'x'; 64 * 1024 + 1];
    let mut client = gateway.connect().await;
    client.send_most(&signed(&over, "")).await;
    let answer = client.answer().await;
    answer.refused(413, "BODY_TOO_LARGE");
    assert_eq!(answer.json["error"]["details"]["limit_bytes"], 65_536);
    assert!(answer.closes());
    assert!(gateway.deliveries().is_empty());
    assert_eq!(gateway.metric(r#"tollgate_rejected_total{source="orders",code="BODY_TOO_LARGE"}"#), 1.0);
    assert_eq!(gateway.rejected(1).await[0].code, "BODY_TOO_LARGE");
}

#[tokio::test]
async fn a_sender_in_the_middle_of_a_large_body_still_hears_413() {
    let gateway = Gateway::start().await;
    let mut client = gateway.connect().await;
    // More than the sockets' buffers hold: a gateway that closed at once would reset the sender's connection.
    client.send(&signed(&vec![b'x'; 12 * 1024 * 1024], "")).await;
    client.answer().await.refused(413, "BODY_TOO_LARGE");
    assert!(client.until_closed().await.is_empty());
}

#[tokio::test]
async fn a_body_one_byte_over_in_chunks_is_413_and_at_the_limit_stored() {
    let gateway = Gateway::start().await;
    let mut client = gateway.connect().await;
    client.send_most(&chunked(&vec![b'x'; 64 * 1024 + 1], 1_000)).await;
    let answer = client.answer().await;
    answer.refused(413, "BODY_TOO_LARGE");
    assert!(answer.closes());
    gateway.ask(&chunked(&vec![b'x'; 64 * 1024], 1_000)).await.stored();
    assert_eq!(gateway.deliveries().len(), 1);
}

#[tokio::test]
async fn a_huge_announced_body_is_refused_before_it_comes() {
    let gateway = Gateway::start().await;
    let head = format!("POST {PATH} HTTP/1.1\r\nHost: h\r\nContent-Length: 18446744073709551\r\n\r\n");
    gateway.ask(head.as_bytes()).await.refused(413, "BODY_TOO_LARGE");
}

#[tokio::test]
async fn headers_over_the_limit_are_431() {
    let gateway = Gateway::start().await;
    let mut client = gateway.connect().await;
    client.send_most(&request(b"", &format!("X-Big: {}\r\n", "a".repeat(20_000)))).await;
    let answer = client.answer().await;
    answer.refused(431, "HEADERS_TOO_LARGE");
    assert_eq!(answer.json["error"]["details"]["limit_bytes"], 16_384);
    assert!(answer.closes());
    // One that never ends, and too many small ones.
    let mut client = gateway.connect().await;
    client.send_most(format!("POST {PATH} HTTP/1.1\r\nX-Big: {}", "a".repeat(100_000)).as_bytes()).await;
    client.answer().await.refused(431, "HEADERS_TOO_LARGE");
    let mut client = gateway.connect().await;
    client.send_most(&request(b"", &"a: b\r\n".repeat(200))).await;
    client.answer().await.refused(431, "HEADERS_TOO_LARGE");
    // A target longer than any URL counts as header section too.
    let mut client = gateway.connect().await;
    client.send_most(format!("POST /{} HTTP/1.1\r\nHost: h\r\n\r\n", "a".repeat(30_000)).as_bytes()).await;
    client.answer().await.refused(431, "HEADERS_TOO_LARGE");
    assert_eq!(gateway.metric(r#"tollgate_rejected_total{source="",code="HEADERS_TOO_LARGE"}"#), 4.0);
    gateway.ask(&signed(b"x", &format!("X-Big: {}\r\n", "a".repeat(15_000)))).await.stored();
}

async fn malformed(gateway: &Gateway, bytes: &[u8]) -> Answer {
    let mut client = gateway.connect().await;
    client.send_most(bytes).await;
    let answer = client.answer().await;
    answer.refused(400, "BAD_REQUEST");
    assert!(answer.closes());
    assert!(client.until_closed().await.is_empty(), "one answer, then the end");
    answer
}

#[tokio::test]
async fn malformed_requests_are_400() {
    let gateway = Gateway::start().await;
    let post = format!("POST {PATH} HTTP/1.1\r\nHost: h\r\n");
    for bytes in [
        "\u{16}\u{3}\u{1}\u{0}\u{0}TLS on a plain port\r\n\r\n".to_owned(),
        "GET\r\n\r\n".to_owned(),
        "POST / HTTP/3.7\r\n\r\n".to_owned(),
        "PO ST / HTTP/1.1\r\n\r\n".to_owned(),
        format!("{post}no colon here\r\n\r\n"),
        format!("{post}X-A: a\0b\r\n\r\n"),
        format!("{post} X-Folded: a\r\n\r\n"),
        format!("{post}Content-Length: five\r\n\r\n12345"),
        format!("{post}Content-Length: -1\r\n\r\n"),
        format!("{post}Content-Length: +5\r\n\r\n12345"),
        format!("{post}Content-Length: 99999999999999999999999\r\n\r\n"),
        format!("{post}Content-Length: 5\r\nContent-Length: 6\r\n\r\n12345"),
        format!("{post}Transfer-Encoding: gzip\r\n\r\n"),
        format!("{post}Transfer-Encoding: chunked, gzip\r\n\r\n"),
    ] {
        malformed(&gateway, bytes.as_bytes()).await;
    }
    assert_eq!(gateway.metric(r#"tollgate_rejected_total{source="",code="BAD_REQUEST"}"#), 14.0);
    assert!(gateway.deliveries().is_empty());
}

#[tokio::test]
async fn a_body_framed_twice_is_400() {
    let gateway = Gateway::start().await;
    let tag = signature(b"body");
    for framing in
        ["Content-Length: 4\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nContent-Length: 4"]
    {
        let request = format!("POST {PATH} HTTP/1.1\r\nX-Signature: {tag}\r\n{framing}\r\n\r\n4\r\nbody\r\n0\r\n\r\n");
        malformed(&gateway, request.as_bytes()).await;
    }
    assert!(gateway.deliveries().is_empty());
}

#[tokio::test]
async fn broken_chunks_are_400() {
    let gateway = Gateway::start().await;
    let tag = signature(b"body");
    for chunks in
        ["xyz\r\nbody\r\n0\r\n\r\n", "4\r\nbodyextra\r\n0\r\n\r\n", "fffffffffffffffff\r\n", "-4\r\nbody\r\n0\r\n\r\n"]
    {
        let request =
            format!("POST {PATH} HTTP/1.1\r\nX-Signature: {tag}\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}");
        malformed(&gateway, request.as_bytes()).await;
    }
    assert!(gateway.deliveries().is_empty());
}

#[tokio::test]
async fn a_truncated_body_leaves_no_evidence_and_no_ack() {
    let gateway = Gateway::start().await;
    let whole = signed(b"the whole body", "");
    let mut client = gateway.connect().await;
    client.send(&whole[..whole.len() - 1]).await;
    client.stream.shutdown().await.unwrap();
    client.answer().await.refused(400, "BAD_REQUEST");
    let chunks = chunked(b"the whole body", 5);
    let mut client = gateway.connect().await;
    client.send(&chunks[..chunks.len() - 5]).await;
    client.stream.shutdown().await.unwrap();
    client.answer().await.refused(400, "BAD_REQUEST");
    // Gone without a word: seen by the next one being served.
    let mut client = gateway.connect().await;
    client.send(&whole[..whole.len() - 1]).await;
    drop(client);
    gateway.ask(&signed(b"the next one", "")).await.stored();
    assert_eq!(gateway.deliveries().len(), 1);
    assert_eq!(gateway.deliveries()[0].body, "the next one");
}

#[tokio::test]
async fn a_content_length_that_lies_never_passes() {
    let gateway = Gateway::start().await;
    // Shorter than the body: what follows is read as a request, and is none.
    let tag = signature(b"body and more");
    let short = format!("POST {PATH} HTTP/1.1\r\nX-Signature: {tag}\r\nContent-Length: 4\r\n\r\nbody and more");
    let mut client = gateway.connect().await;
    client.send(short.as_bytes()).await;
    client.answer().await.refused(401, "SIGNATURE_MISMATCH");
    client.stream.shutdown().await.unwrap();
    assert!(gateway.deliveries().is_empty());
}

fn hurried(config: &mut crate::config::Config) {
    config.ingress.first_byte_timeout = Duration::from_millis(200);
    config.ingress.header_timeout = Duration::from_millis(200);
    config.ingress.body_timeout = Duration::from_millis(300);
}

#[tokio::test]
async fn a_silent_connection_is_closed() {
    let gateway = Gateway::with(|config, _| hurried(config)).await;
    assert!(gateway.connect().await.until_closed().await.is_empty());
}

#[tokio::test]
async fn slow_headers_are_408() {
    let gateway = Gateway::with(|config, _| hurried(config)).await;
    for start in ["P", "PRI * HT", "POST /hooks/orders HTTP/1.1\r\nHost: h\r\nX-Hal"] {
        let mut client = gateway.connect().await;
        client.send(start.as_bytes()).await;
        let answer = client.answer().await;
        answer.refused(408, "REQUEST_TIMEOUT");
        assert!(answer.closes());
        assert!(client.until_closed().await.is_empty());
    }
    // Also after a good request on the same connection.
    let mut client = gateway.connect().await;
    client.send(&signed(b"good", "")).await;
    client.answer().await.stored();
    client.send(b"POST /hooks/orders HTT").await;
    client.answer().await.refused(408, "REQUEST_TIMEOUT");
    // And when the beginning came with the request before it.
    let mut client = gateway.connect().await;
    client.send(&[&signed(b"good", "")[..], b"POST /hooks/orders HTT"].concat()).await;
    client.answer().await.stored();
    client.send(b"P").await;
    client.answer().await.refused(408, "REQUEST_TIMEOUT");
}

#[tokio::test]
async fn a_stalled_body_is_408_and_ends_the_connection() {
    let gateway = Gateway::with(|config, _| hurried(config)).await;
    let whole = signed(b"the whole body", "");
    let mut client = gateway.connect().await;
    client.send(&whole[..whole.len() - 3]).await;
    let answer = client.answer().await;
    answer.refused(408, "REQUEST_TIMEOUT");
    assert!(answer.closes());
    assert!(client.until_closed().await.is_empty());
    assert!(gateway.deliveries().is_empty());
    assert_eq!(gateway.metric(r#"tollgate_rejected_total{source="orders",code="REQUEST_TIMEOUT"}"#), 1.0);
}

#[tokio::test]
async fn a_body_below_the_least_rate_is_408() {
    let gateway = Gateway::with(|config, _| config.ingress.min_body_rate = 1024 * 1024).await;
    let whole = signed(b"the whole body", "");
    let mut client = gateway.connect().await;
    client.send(&whole[..whole.len() - 3]).await;
    client.answer().await.refused(408, "REQUEST_TIMEOUT");
}
