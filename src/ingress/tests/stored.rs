//! 200 means: on disk, whole and byte-exact.

use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use super::support::{Gateway, PATH, PATIENCE, SECRET, as_text, chunked, now, request, signature, signed, source};
use crate::config::Provider;
use crate::digest::{self, Algorithm, HmacKey};

#[tokio::test]
async fn a_signed_delivery_is_stored_byte_exact() {
    let gateway = Gateway::start().await;
    let body = br#"{"a": 1,  "b": "\u00e9"}"#;
    let lines = "X-Twice: 1\r\nx-other:  spaced out \r\nX-TWICE: 2\r\nX-Request-Id: caller-1\r\n";
    let answer = gateway.ask(&signed(body, lines)).await;
    let id = answer.stored();
    assert_eq!(answer.header("x-request-id"), Some("caller-1"));
    assert_eq!(answer.header("content-type"), Some("application/json"));

    let [delivery] = &gateway.deliveries()[..] else { panic!("one delivery") };
    assert_eq!(delivery.id, id);
    assert_eq!(id.get_version_num(), 7);
    assert_eq!(&delivery.body[..], body);
    assert_eq!(delivery.body_sha256, digest::sha256(body));
    assert_eq!(
        as_text(&delivery.headers),
        [
            ("Host", "localhost"),
            ("Content-Length", &body.len().to_string()),
            ("X-Signature", &signature(body)),
            ("X-Twice", "1"),
            ("x-other", "spaced out"),
            ("X-TWICE", "2"),
            ("X-Request-Id", "caller-1"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
    );
    assert_eq!((delivery.source.as_str(), delivery.request_id.as_str()), ("orders", "caller-1"));
    assert_eq!((delivery.method.as_str(), delivery.target.as_str()), ("POST", PATH));
    assert_eq!((delivery.http_version.as_str(), delivery.peer.as_str()), ("HTTP/1.1", "127.0.0.1"));
    assert_eq!(delivery.received_us, now().as_microsecond());
    assert_eq!(delivery.signature.secret_name, "first");
    assert_eq!(gateway.metric(r#"tollgate_deliveries_total{source="orders",outcome="stored"}"#), 1.0);
    assert_eq!(gateway.metric("tollgate_ack_duration_seconds_count"), 1.0);
    assert!(gateway.metric(r#"tollgate_source_last_verified_timestamp_seconds{source="orders"}"#) > 1e9);
}

#[tokio::test]
async fn bodies_that_are_no_json_are_stored_too() {
    let gateway = Gateway::start().await;
    let deep = "[".repeat(30_000);
    let huge = [&b"{\"a\":\""[..], &vec![b'x'; 65_528], b"\"}"].concat();
    assert_eq!(huge.len(), 64 * 1024, "exactly the limit");
    let bodies: [&[u8]; 7] =
        [b"\xff\xfe\x00\x01", b"\xef\xbb\xbf{}", b"", b"\r\n", deep.as_bytes(), &huge, b"{\"a\":1,\"a\":2}"];
    for body in bodies {
        gateway.ask(&signed(body, "")).await.stored();
    }
    let stored: Vec<_> = gateway.deliveries().into_iter().map(|delivery| delivery.body).collect();
    assert_eq!(stored.len(), bodies.len());
    for (stored, sent) in stored.iter().zip(bodies) {
        assert!(stored == sent);
    }
}

#[tokio::test]
async fn chunks_and_single_bytes_come_together() {
    let gateway = Gateway::start().await;
    let body: Vec<u8> = (0..=255).cycle().take(5_000).collect();
    gateway.ask(&chunked(&body, 7)).await.stored();
    let mut client = gateway.connect().await;
    for byte in signed(b"in single bytes", "") {
        client.send(&[byte]).await;
    }
    client.answer().await.stored();
    let deliveries = gateway.deliveries();
    assert!(deliveries[0].body == body);
    assert_eq!(deliveries[1].body, "in single bytes");
    let names = as_text(&deliveries[1].headers);
    assert_eq!(names[0].0, "Host", "names as they came, however they came");
}

#[tokio::test]
async fn one_connection_takes_many_deliveries() {
    let gateway = Gateway::start().await;
    let mut client = gateway.connect().await;
    for n in 0..3 {
        client.send(&signed(format!("body {n}").as_bytes(), &format!("X-N: {n}\r\n"))).await;
        let answer = client.answer().await;
        answer.stored();
        assert!(!answer.closes());
        // Some senders end a body with an empty line that is not part of it.
        client.send(b"\r\n").await;
    }
    let deliveries = gateway.deliveries();
    assert_eq!(deliveries.len(), 3);
    for (n, delivery) in deliveries.iter().enumerate() {
        assert_eq!(as_text(&delivery.headers).last().unwrap(), &("X-N".to_owned(), n.to_string()));
    }
}

#[tokio::test]
async fn pipelined_deliveries_are_answered_in_order() {
    let gateway = Gateway::start().await;
    let mut client = gateway.connect().await;
    let both = [signed(b"one", "X-Request-Id: r1\r\n"), signed(b"two", "X-Request-Id: r2\r\nX-N: 1\r\nx-n: 2\r\n")];
    client.send(&both.concat()).await;
    for id in ["r1", "r2"] {
        let answer = client.answer().await;
        answer.stored();
        assert_eq!(answer.header("x-request-id"), Some(id));
    }
    let deliveries = gateway.deliveries();
    assert_eq!((&deliveries[0].body[..], &deliveries[1].body[..]), (&b"one"[..], &b"two"[..]));
    let values: Vec<_> = as_text(&deliveries[1].headers)
        .into_iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("x-n"))
        .map(|(_, value)| value)
        .collect();
    assert_eq!(values, ["1", "2"]);
}

#[tokio::test]
async fn a_sender_that_hangs_up_cannot_cancel_the_write() {
    let gateway = Gateway::start().await;
    let mut stored = gateway.store.subscribe();
    let mut client = gateway.connect().await;
    client.send(&signed(b"and away", "")).await;
    drop(client);
    timeout(PATIENCE, stored.wait_for(|seq| *seq == 1)).await.expect("stored all the same").unwrap();
    assert_eq!(gateway.deliveries()[0].body, "and away");
}

#[tokio::test]
async fn a_sender_that_closes_its_half_hears_the_answer() {
    let gateway = Gateway::start().await;
    let mut client = gateway.connect().await;
    client.send(&signed(b"half", "")).await;
    client.stream.shutdown().await.unwrap();
    client.answer().await.stored();
}

#[tokio::test]
async fn rule_30_further_copies_are_counted_and_answered_with_the_last_one() {
    let gateway = Gateway::with(|_, options| options.repeats_max = 2).await;
    let first = gateway.ask(&signed(b"captured", "")).await.stored();
    let second = gateway.ask(&signed(b"captured", "")).await.stored();
    assert_ne!(first, second);
    for _ in 0..3 {
        assert_eq!(gateway.ask(&signed(b"captured", "")).await.stored(), second);
    }
    assert_eq!(gateway.deliveries().len(), 2);
    assert_eq!(gateway.metric(r#"tollgate_deliveries_total{source="orders",outcome="repeat"}"#), 3.0);
}

#[tokio::test]
async fn expect_continue_is_answered() {
    let gateway = Gateway::start().await;
    let mut client = gateway.connect().await;
    let whole = signed(b"later", "Expect: 100-continue\r\n");
    let (head, body) = whole.split_at(whole.len() - 5);
    client.send(head).await;
    let mut go_on = [0; 25];
    let read = tokio::io::AsyncReadExt::read_exact(&mut client.stream, &mut go_on);
    timeout(PATIENCE, read).await.unwrap().unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    client.send(body).await;
    client.answer().await.stored();
}

#[tokio::test]
async fn rule_8_a_test_marked_delivery_is_stored_and_acknowledged() {
    let gateway = Gateway::with(|config, _| {
        config.sources.push(source("rn", "/rn", Provider::RequestNetwork, SECRET));
    })
    .await;
    let tag = hex::encode(HmacKey::new(Algorithm::Sha256, SECRET.as_bytes()).sign(&[b"{}"]));
    let unsigned = "X-Request-Network-Test: true\r\nX-Request-Network-Retry-Count: 2\r\n";
    let lines = format!("X-Request-Network-Signature: {tag}\r\n{unsigned}");
    let request = String::from_utf8(request(b"{}", &lines)).unwrap().replacen(PATH, "/rn", 1);
    gateway.ask(request.as_bytes()).await.stored();
    assert_eq!(gateway.deliveries()[0].source, "rn");
    // The provider's retry is counted: it is the last one but one before the event would have been lost.
    assert_eq!(gateway.metric(r#"tollgate_provider_retry_total{source="rn"}"#), 1.0);
}

#[tokio::test]
async fn rule_30_test_marked_copies_do_not_take_the_place_of_the_real_one() {
    let gateway = Gateway::with(|config, options| {
        config.sources.push(source("rn", "/rn", Provider::RequestNetwork, SECRET));
        options.repeats_max = 2;
    })
    .await;
    let tag = hex::encode(HmacKey::new(Algorithm::Sha256, SECRET.as_bytes()).sign(&[b"{}"]));
    let post = |unsigned: &str| {
        let lines = format!("X-Request-Network-Signature: {tag}\r\n{unsigned}");
        String::from_utf8(request(b"{}", &lines)).unwrap().replacen(PATH, "/rn", 1)
    };
    let mut tests = Vec::new();
    for _ in 0..4 {
        tests.push(gateway.ask(post("X-Request-Network-Test: true\r\n").as_bytes()).await.stored());
    }
    let real = gateway.ask(post("").as_bytes()).await.stored();
    assert!(!tests.contains(&real));
    assert_eq!(gateway.deliveries().len(), 3);
}
