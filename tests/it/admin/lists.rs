//! Lists: filters, pages, details, and bodies as they came.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{get, start};
use crate::support::gateway::{ADMIN_TOKEN, Gateway, REQUEST_NETWORK_SECRET, Setup};
use crate::support::http;
use crate::support::money::{card, confirmed, reference, request_id, with};

async fn items(gateway: &Gateway, path: &str) -> (Vec<Value>, Option<String>) {
    let reply = get(gateway, &format!("/api/v1/{path}"), ADMIN_TOKEN).await;
    assert_eq!(reply.status, 200, "{path}: {}", String::from_utf8_lossy(&reply.body));
    let json = reply.json();
    assert_eq!(json["success"], true);
    let next = json["data"]["next"].as_str().map(str::to_owned);
    (json["data"]["items"].as_array().unwrap().clone(), next)
}

fn ids(items: &[Value], name: &str) -> Vec<String> {
    items.iter().map(|item| item[name].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn pages_hold_everything_once() {
    let gateway = start(&Setup::default());
    let mut posted = BTreeSet::new();
    for number in 0..7 {
        let delivery = gateway.stripe(card(&format!("{number}")).to_string().as_bytes()).await.delivery_id();
        gateway.event_in(&delivery, "forwarding", "PROVIDER_EVENT").await;
        posted.insert(delivery);
    }
    for list in ["deliveries", "events"] {
        let name = if list == "events" { "event_id" } else { "delivery_id" };
        let (mut seen, mut after, mut pages) = (Vec::new(), None::<String>, 0);
        loop {
            let cursor = after.map(|cursor| format!("&after={cursor}")).unwrap_or_default();
            let (page, next) = items(&gateway, &format!("{list}?limit=3{cursor}")).await;
            assert!(page.len() <= 3);
            seen.extend(ids(&page, name));
            pages += 1;
            after = next;
            if after.is_none() {
                break;
            }
        }
        let distinct: BTreeSet<String> = seen.iter().cloned().collect();
        assert_eq!((pages, seen.len(), distinct.len()), (3, 7, 7), "{list}");
        if list == "deliveries" {
            assert_eq!(distinct, posted);
        }
    }
}

#[tokio::test]
async fn filters_find_what_they_name_and_nothing_else() {
    let gateway = start(&Setup::default());
    let charge = gateway.stripe(card("1").to_string().as_bytes()).await.delivery_id();
    gateway.event_in(&charge, "forwarding", "PROVIDER_EVENT").await;
    let test = gateway.stripe(with(&card("2"), json!({"livemode": false})).to_string().as_bytes()).await.delivery_id();
    gateway.event_in(&test, "ignored", "TEST_MODE").await;
    let tx = alloy_primitives::B256::repeat_byte(0xab);
    let paid = gateway.request_network(confirmed(1, tx, "5").to_string().as_bytes()).await.delivery_id();
    gateway.event_in(&paid, "undetermined", "EXPECTATION_UNKNOWN").await;
    let (all, none) = (["1", "2", "3"], [""; 0]);
    let (reference, request, hash) = (hex::encode(reference(1)), request_id(1), hex::encode(tx));
    for (query, wanted) in [
        (String::new(), &all[..]),
        ("source=stripe".to_owned(), &["1", "2"]),
        ("source=nobody".to_owned(), &none),
        ("state=ignored".to_owned(), &["2"]),
        ("state=forwarding&source=request-network".to_owned(), &none),
        ("code=PROVIDER_EVENT".to_owned(), &["1"]),
        ("provider_type=payment.confirmed".to_owned(), &["3"]),
        (format!("tx=0x{hash}"), &["3"]),
        (format!("tx={}", hash.to_uppercase()), &["3"]),
        (format!("payment_reference=0x{reference}"), &["3"]),
        (format!("payment_reference={reference}"), &["3"]),
        (format!("request_id={request}"), &["3"]),
        (format!("request_id=0x{}", request.to_uppercase()), &["3"]),
        ("since=2100-01-01T00:00:00Z".to_owned(), &none),
        ("until=2100-01-01T00:00:00Z".to_owned(), &all[..]),
        ("since=3h".to_owned(), &all[..]),
        ("until=2d".to_owned(), &none),
        ("since=2d&until=1h".to_owned(), &none),
        ("since=2020-01-01T00:00:00Z&until=2020-01-02T00:00:00Z".to_owned(), &none),
    ] {
        let (events, _) = items(&gateway, &format!("events?{query}")).await;
        let mut found: Vec<&str> = events
            .iter()
            .map(|event| match event["provider_event_id"].as_str() {
                Some("evt_1") => "1",
                Some("evt_2") => "2",
                _ => "3",
            })
            .collect();
        found.sort_unstable();
        assert_eq!(found, wanted, "{query}");
    }
    for (query, wanted) in [("source=stripe", 2), ("source=request-network", 1), ("since=2100-01-01T00:00:00Z", 0)] {
        assert_eq!(items(&gateway, &format!("deliveries?{query}")).await.0.len(), wanted, "{query}");
    }
}

#[tokio::test]
async fn a_delivery_is_shown_as_it_came() {
    let gateway = start(&Setup::default());
    let body = b"{ \"event\":\"payment.processing\",\n\t\"requestId\":\"01ab\" , \"caf\xc3\xa9\": 1.50e+3 }\r\n";
    let url = format!("http://{}/webhooks/request-network?from=test", gateway.public);
    let provider = tollgate::config::Provider::RequestNetwork;
    let request = http::signed(&gateway.client, &url, &provider, REQUEST_NETWORK_SECRET, body);
    let odd = reqwest::header::HeaderValue::from_bytes(b"caf\xe9").unwrap();
    let request =
        request.header("x-request-id", "try-1").header("X-Odd", odd).header("x-twice", "a").header("x-twice", "b");
    let reply = http::send(request).await.unwrap();
    assert_eq!(reply.headers["x-request-id"], "try-1");
    let delivery = reply.delivery_id();
    let event = gateway.event_in(&delivery, "forwarding", "PROVIDER_EVENT").await;

    let raw = get(&gateway, &format!("/api/v1/deliveries/{delivery}/raw"), ADMIN_TOKEN).await;
    assert_eq!((raw.status, raw.body.as_slice()), (200, &body[..]));
    assert_eq!(raw.headers["content-type"], "application/octet-stream");
    assert_eq!(raw.headers["x-content-type-options"], "nosniff");
    assert_eq!(raw.headers["cache-control"], "no-store");

    let shown = get(&gateway, &format!("/api/v1/deliveries/{delivery}"), ADMIN_TOKEN).await.json()["data"].clone();
    let digest: [u8; 32] = <sha2::Sha256 as sha2::Digest>::digest(body).into();
    assert_eq!(shown["body_sha256"], hex::encode(digest));
    assert_eq!((&shown["body_bytes"], &shown["seq"]), (&json!(body.len()), &json!(1)));
    assert_eq!((&shown["method"], &shown["target"]), (&json!("POST"), &json!("/webhooks/request-network?from=test")));
    assert_eq!((&shown["request_id"], &shown["event_id"]), (&json!("try-1"), &event["event_id"]));
    assert_eq!(shown["signature"]["scheme"], "request-network");
    let headers = shown["headers"].as_array().unwrap();
    let values = |name: &str| -> Vec<Value> {
        let named = headers.iter().filter(|header| header[0].as_str().is_some_and(|n| n.eq_ignore_ascii_case(name)));
        named.map(|header| header[1].clone()).collect()
    };
    assert_eq!(values("x-twice"), ["a", "b"]);
    assert_eq!(values("x-odd"), [json!({"base64": "Y2Fm6Q=="})]);
}

#[tokio::test]
async fn an_event_is_shown_with_its_trace_deliveries_and_messages() {
    let gateway = start(&Setup::default());
    let delivery = gateway.stripe(card("1").to_string().as_bytes()).await.delivery_id();
    let event = gateway.event_in(&delivery, "forwarding", "PROVIDER_EVENT").await;
    assert_eq!(event["delivery_list"][0]["delivery_id"], delivery);
    assert_eq!((&event["provider"], &event["provider_type"]), (&json!("stripe"), &json!("payment_intent.succeeded")));
    assert_eq!(event["lane"], "pi_1");
    let shown = get(&gateway, &format!("/api/v1/deliveries/{delivery}"), ADMIN_TOKEN).await;
    let signed_at: jiff::Timestamp = shown.text("/data/signature/signed_at").parse().expect("RFC 3339");
    let received_at: jiff::Timestamp = shown.text("/data/received_at").parse().expect("RFC 3339");
    assert!(received_at.duration_since(signed_at).abs() < jiff::SignedDuration::from_mins(1));
    let message = &event["messages"][0];
    let webhook_id = format!("{}_1", event["event_id"].as_str().unwrap());
    assert_eq!((&message["webhook_id"], &message["type"]), (&json!(webhook_id), &json!("provider.event")));
    assert_eq!((&message["destination"], &message["attempts"]), (&json!("default"), &json!([])));
    let trace = event["trace"].as_array().unwrap();
    let last = trace.last().unwrap();
    assert_eq!((&last["to"], &last["code"]), (&json!("forwarding"), &json!("PROVIDER_EVENT")));
    assert!(trace.iter().all(|entry| entry["at"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok()));
}
