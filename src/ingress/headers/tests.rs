use bytes::Bytes;
use hyper::http::request::Parts;
use hyper::{HeaderMap, Request};
use jiff::Timestamp;
use uuid::Uuid;

use super::{contradict, evidence, new_id, request_id, section_bytes};

fn parts(headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::post("/hooks?a=b");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

fn text(headers: &[(Bytes, Bytes)]) -> Vec<String> {
    headers.iter().map(|(name, value)| format!("{}={}", name.escape_ascii(), value.escape_ascii())).collect()
}

#[test]
fn the_bytes_that_came_are_kept() {
    let parts = parts(&[("host", "h"), ("x-a", "1"), ("x-a", "2"), ("x-b", "y z")]);
    let head = Bytes::from_static(b"\r\nPOST /hooks HTTP/1.1\r\nHost: h\r\nX-A:1\r\nX-b:  y z \t\r\nx-A: 2\r\n\r\n");
    assert_eq!(text(&evidence(&parts, Some(&head))), ["Host=h", "X-A=1", "X-b=y z", "x-A=2"]);
}

#[test]
fn equal_content_lengths_are_all_kept() {
    let parts = parts(&[("content-length", "3")]);
    let head = Bytes::from_static(b"POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n");
    assert_eq!(text(&evidence(&parts, Some(&head))), ["Content-Length=3", "Content-Length=3"]);
}

#[test]
fn bytes_that_tell_something_else_are_not_believed() {
    let parts = parts(&[("x-b", "1"), ("x-a", "2"), ("x-b", "3")]);
    let parsed = ["x-b=1", "x-b=3", "x-a=2"];
    assert_eq!(text(&evidence(&parts, None)), parsed);
    for other in [
        &b"POST / HTTP/1.1\r\nX-B: 1\r\nX-A: 2\r\n\r\n"[..],
        b"POST / HTTP/1.1\r\nX-B: 1\r\nX-A: 9\r\nX-B: 3\r\n\r\n",
        b"POST / HTTP/1.1\r\nX-B: 1\r\nX-A: 2\r\nX-B: 3\r\nX-C: 4\r\n\r\n",
        b"POST / HTTP/1.1\r\nno colon\r\nX-B: 1\r\nX-A: 2\r\nX-B: 3\r\n\r\n",
        b"",
    ] {
        assert_eq!(text(&evidence(&parts, Some(&Bytes::copy_from_slice(other)))), parsed);
    }
}

#[test]
fn http2_authority_stands_first() {
    let mut parts = parts(&[("x-a", "1")]);
    parts.uri = "http://example.test:81/hooks".parse().unwrap();
    assert_eq!(text(&evidence(&parts, None)), [":authority=example.test:81", "x-a=1"]);
}

#[test]
fn two_framings_contradict() {
    let chunked = parts(&[("transfer-encoding", "chunked")]);
    let both = b"POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert!(contradict(&chunked, Some(both)));
    assert!(!contradict(&chunked, Some(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")));
    assert!(!contradict(&parts(&[("content-length", "3")]), Some(b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\n")));
}

#[test]
fn only_well_formed_request_ids_are_taken() {
    let now: Timestamp = "2026-11-20T12:00:00Z".parse().unwrap();
    let of = |value: &str| {
        let mut headers = HeaderMap::new();
        headers.insert("x-request-id", value.parse().unwrap());
        request_id(&headers, now)
    };
    let longest = "a".repeat(128);
    for good in ["a", "Az09._-", longest.as_str()] {
        assert_eq!(of(good), good);
    }
    let too_long = "a".repeat(129);
    for bad in ["", "a b", "a\tb", "a/b", "\"", "é", too_long.as_str()] {
        let made = of(bad);
        assert_ne!(made, bad);
        assert_eq!(Uuid::parse_str(&made).unwrap().get_version_num(), 7);
    }
}

#[test]
fn ids_carry_their_time() {
    let now: Timestamp = "2026-11-20T12:00:00.123456Z".parse().unwrap();
    let (seconds, nanos) = new_id(now).get_timestamp().unwrap().to_unix();
    assert_eq!(seconds, u64::try_from(now.as_second()).unwrap());
    assert_eq!(nanos / 1_000_000, 123);
}

#[test]
fn a_section_is_counted_as_http1_writes_it() {
    // "POST" and "/hooks?a=b" are 14 bytes; "x-a: 1\r\n" is 8.
    assert_eq!(section_bytes(&parts(&[("x-a", "1")])), 22);
}
