//! Routing, request ids and the health path.

use super::support::{Gateway, signed};

#[tokio::test]
async fn unknown_paths_are_404_and_counted() {
    let gateway = Gateway::start().await;
    for path in ["/", "/hooks/orders/", "/Hooks/orders", "/hooks", "/hooks/orders%20", "*"] {
        let request = format!("POST {path} HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
        gateway.ask(request.as_bytes()).await.refused(404, "NOT_FOUND");
    }
    assert_eq!(gateway.metric("tollgate_unrouted_requests_total"), 6.0);
    let with_query = String::from_utf8(signed(b"x", "")).unwrap().replacen("/orders ", "/orders?a=b%20c ", 1);
    gateway.ask(with_query.as_bytes()).await.stored();
    assert_eq!(gateway.deliveries()[0].target, "/hooks/orders?a=b%20c");
}

#[tokio::test]
async fn other_methods_are_405_with_allow() {
    let gateway = Gateway::start().await;
    for method in ["GET", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW"] {
        let request = format!("{method} /hooks/orders HTTP/1.1\r\nHost: h\r\n\r\n");
        let answer = gateway.ask(request.as_bytes()).await;
        answer.refused(405, "METHOD_NOT_ALLOWED");
        assert_eq!(answer.header("allow"), Some("POST"));
        assert!(!answer.closes(), "there was no body to read");
    }
    assert_eq!(gateway.metric(r#"tollgate_rejected_total{source="orders",code="METHOD_NOT_ALLOWED"}"#), 6.0);
}

#[tokio::test]
async fn an_unread_body_ends_the_connection() {
    let gateway = Gateway::start().await;
    let mut client = gateway.connect().await;
    client.send(b"PUT /hooks/orders HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nnine byte").await;
    let answer = client.answer().await;
    answer.refused(405, "METHOD_NOT_ALLOWED");
    assert!(answer.closes());
    assert!(client.until_closed().await.is_empty());
}

#[tokio::test]
async fn the_request_id_comes_back_on_every_answer() {
    let gateway = Gateway::start().await;
    let with = |id: &str| format!("GET /nowhere HTTP/1.1\r\nHost: h\r\nX-Request-ID: {id}\r\n\r\n");
    let kept = gateway.ask(with("order-17_a.b").as_bytes()).await;
    kept.refused(404, "NOT_FOUND");
    assert_eq!(kept.header("x-request-id"), Some("order-17_a.b"));
    for bad in ["a b", "<script>", ""] {
        let made = gateway.ask(with(bad).as_bytes()).await;
        made.refused(404, "NOT_FOUND");
        let id: uuid::Uuid = made.header("x-request-id").unwrap().parse().unwrap();
        assert_eq!(id.get_version_num(), 7);
    }
}

#[tokio::test]
async fn the_health_path_answers_when_it_is_on() {
    let gateway = Gateway::with(|config, _| config.ingress.health_path = Some("/up".to_owned())).await;
    let answer = gateway.ask(b"GET /up HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert_eq!((answer.status, &answer.json["success"]), (200, &serde_json::Value::Bool(true)));
    assert!(answer.header("x-request-id").is_some());
    let answer = gateway.ask(b"DELETE /up HTTP/1.1\r\nHost: h\r\n\r\n").await;
    answer.refused(405, "METHOD_NOT_ALLOWED");
    assert_eq!(answer.header("allow"), Some("GET, HEAD"));
    let off = Gateway::start().await;
    off.ask(b"GET /up HTTP/1.1\r\nHost: h\r\n\r\n").await.refused(404, "NOT_FOUND");
}

#[tokio::test]
async fn a_drain_finishes_the_request_in_hand() {
    let gateway = Gateway::start().await;
    let mut client = gateway.connect().await;
    let mut idle = gateway.connect().await;
    idle.send(&signed(b"before", "")).await;
    idle.answer().await.stored();
    let whole = signed(b"in two parts", "");
    let (start, end) = whole.split_at(whole.len() - 5);
    client.send(start).await;
    // A second request on a kept connection shows that the first bytes above are being served.
    idle.send(&signed(b"still served", "")).await;
    idle.answer().await.stored();
    gateway.stop.stop();
    assert!(idle.until_closed().await.is_empty(), "idle connections close at once");
    assert!(tokio::net::TcpStream::connect(gateway.address).await.is_err(), "nobody new is let in");
    client.send(end).await;
    let answer = client.answer().await;
    answer.stored();
    assert!(answer.closes());
    assert_eq!(gateway.served.await.unwrap().aborted, 0);
    assert_eq!(gateway.store.read_after(0, 9, 1 << 20).unwrap().len(), 3);
}
