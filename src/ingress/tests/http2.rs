//! HTTP/2 with prior knowledge.

use reqwest::{StatusCode, Version};

use super::support::{Gateway, PATH, signature};
use crate::ingress::tests::support::as_text;

fn client() -> reqwest::Client {
    reqwest::Client::builder().http2_prior_knowledge().no_proxy().build().unwrap()
}

#[tokio::test]
async fn deliveries_come_over_http2() {
    let gateway = Gateway::start().await;
    let url = format!("http://{}{PATH}?q=1", gateway.address);
    let client = client();
    let bodies: Vec<Vec<u8>> = (0..20_u32).map(|n| vec![u8::try_from(n).unwrap(); 3_000]).collect();
    for body in &bodies {
        let request = client.post(&url).header("x-signature", signature(body)).header("X-Request-Id", "h2");
        let answer = request.body(body.clone()).send().await.unwrap();
        assert_eq!((answer.status(), answer.version()), (StatusCode::OK, Version::HTTP_2));
        assert_eq!(answer.headers()["x-request-id"], "h2");
    }
    let deliveries = gateway.deliveries();
    assert_eq!(deliveries.len(), bodies.len());
    assert!(deliveries.iter().zip(&bodies).all(|(delivery, body)| delivery.body == body));
    assert_eq!(deliveries[0].http_version, "HTTP/2");
    assert_eq!(deliveries[0].target, format!("{PATH}?q=1"));
    let headers = as_text(&deliveries[0].headers);
    assert_eq!(headers[0], (":authority".to_owned(), gateway.address.to_string()));
    assert!(headers.iter().any(|(name, value)| name == "x-signature" && *value == signature(&bodies[0])));
}

#[tokio::test]
async fn refusals_over_http2_have_the_envelope() {
    let gateway = Gateway::start().await;
    let client = client();
    let url = format!("http://{}{PATH}", gateway.address);
    let ask = |request: reqwest::RequestBuilder| async move {
        let answer = request.send().await.unwrap();
        let id = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
        let status = answer.status().as_u16();
        let mut answer = answer;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.unwrap() {
            body.extend_from_slice(&chunk);
        }
        let json: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(json["request_id"], id.as_str());
        (status, json["error"]["code"].as_str().unwrap().to_owned())
    };
    let expect = |status: u16, code: &str| (status, code.to_owned());
    assert_eq!(ask(client.post(&url).body("x")).await, expect(401, "SIGNATURE_MISSING"));
    assert_eq!(ask(client.get(&url)).await, expect(405, "METHOD_NOT_ALLOWED"));
    let big = client.post(&url).header("x-big", "a".repeat(20_000)).body("x");
    assert_eq!(ask(big).await, expect(431, "HEADERS_TOO_LARGE"));
    let large = client.post(&url).body(vec![0; 64 * 1024 + 1]);
    assert_eq!(ask(large).await, expect(413, "BODY_TOO_LARGE"));
    let nowhere = client.post(format!("http://{}/nowhere", gateway.address)).body("x");
    assert_eq!(ask(nowhere).await, expect(404, "NOT_FOUND"));
}

#[tokio::test]
async fn a_drain_ends_http2_connections() {
    let gateway = Gateway::start().await;
    let url = format!("http://{}{PATH}", gateway.address);
    let client = client();
    let request = client.post(&url).header("x-signature", signature(b"x")).body("x");
    assert_eq!(request.send().await.unwrap().status(), StatusCode::OK);
    gateway.stop.stop();
    assert_eq!(gateway.served.await.unwrap().aborted, 0);
}

#[tokio::test]
async fn head_is_answered_without_a_body() {
    let gateway = Gateway::with(|config, _| config.ingress.health_path = Some("/up".to_owned())).await;
    for (path, status) in [("/up", 200), (PATH, 405), ("/nowhere", 404)] {
        let mut answer = client().head(format!("http://{}{path}", gateway.address)).send().await.unwrap();
        let length: usize = answer.headers()["content-length"].to_str().unwrap().parse().unwrap();
        assert_eq!((answer.status().as_u16(), 0 < length), (status, true), "{path}");
        assert!(answer.chunk().await.unwrap().is_none(), "{path}");
        let request = format!("HEAD {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
        let mut plain = gateway.connect().await;
        plain.send(request.as_bytes()).await;
        let bytes = plain.until_closed().await;
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.contains(&format!("content-length: {length}\r\n")) && text.ends_with("\r\n\r\n"), "{text}");
    }
}
