//! Finding things, taking the feed, and who did what: over the real binary.

use serde_json::{Value, json};

use super::{OPERATOR, STRIPE_AUDITOR, STRIPE_BACKEND, get, refused, start};
use crate::support::gateway::{ADMIN_TOKEN, BACKEND_TOKEN, Gateway, Setup, VIEWER_TOKEN};
use crate::support::money::{World, card, confirmed, request_id, terms};

async fn ids(gateway: &Gateway, list: &str, query: &str, name: &str) -> Vec<String> {
    let reply = get(gateway, &format!("/api/v1/{list}?{query}"), ADMIN_TOKEN).await;
    assert_eq!(reply.status, 200, "{list}?{query}: {}", String::from_utf8_lossy(&reply.body));
    let items = reply.json()["data"]["items"].as_array().unwrap().clone();
    items.iter().map(|item| item[name].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_payment_is_found_by_everything_that_is_known_of_it() {
    let world = World::start().await;
    let gateway = &world.gateway;
    world.expect("order-1", &world.terms(1, "5")).await;
    let tx = world.pay(1, 5).await;
    let delivery = world.rn(&confirmed(1, tx, "5")).await;
    let message = world.message(&delivery, "payment.verified").await;
    let other = world.stripe(&card("1")).await;
    gateway.event_when(&other, |event| event["code"] == "PROVIDER_EVENT").await;
    let event = message["data"]["event_id"].as_str().unwrap().to_owned();
    let payment = message["data"]["payment_id"].as_str().unwrap().to_owned();
    let block =
        |name: &str| message.pointer(&format!("/data/payment/{name}")).and_then(Value::as_str).unwrap().to_owned();
    for query in [
        "type=payment.verified".to_owned(),
        format!("chain={}", block("chain")),
        format!("chain={}", message["data"]["payment"]["chain_id"]),
        format!("address={}", block("recipient")),
        format!("address={}", block("token/address").to_lowercase()),
        format!("tx={tx}&type=payment.verified&source=request-network"),
        format!("q={tx}"),
        format!("q={}", block("recipient")),
        format!("q={}", block("payment_reference")),
        format!("q={}", request_id(1).to_uppercase()),
        format!("q={payment}"),
        format!("q={event}_1"),
        format!("q={event}"),
        format!("q={delivery}"),
        "q=order-1".to_owned(),
    ] {
        assert_eq!(ids(gateway, "deliveries", &query, "delivery_id").await, [delivery.as_str()], "{query}");
        if query != format!("q={delivery}") {
            assert_eq!(ids(gateway, "events", &query, "event_id").await, [event.as_str()], "{query}");
        }
    }
    for query in ["q=evt_1", "q=pi_1", "type=provider.event"] {
        assert_eq!(ids(gateway, "deliveries", query, "delivery_id").await, [other.as_str()], "{query}");
    }
    for query in
        ["account=acct_1", "chain=mainnet", "q=pi_2", "type=payment.partial", "type=payment.verified&source=stripe"]
    {
        assert_eq!(ids(gateway, "events", query, "event_id").await, [""; 0], "{query}");
    }
    for query in ["type=payment", "address=0x12", "q=", "q=%20", "chian=base"] {
        refused(&get(gateway, &format!("/api/v1/events?{query}"), ADMIN_TOKEN).await, 400, "BAD_REQUEST");
    }
    let found = get(gateway, "/api/v1/find?q=order-1", ADMIN_TOKEN).await.json()["data"].clone();
    assert_eq!(
        (&found["events"][0]["event_id"], &found["deliveries"][0]["delivery_id"]),
        (&json!(event), &json!(delivery))
    );
    assert_eq!((&found["expectations"][0]["id"], &found["more"]), (&json!("order-1"), &json!(false)));
    let backend = get(gateway, &format!("/api/v1/find?q={tx}"), BACKEND_TOKEN).await.json()["data"].clone();
    assert_eq!((&backend["events"][0]["event_id"], &backend["deliveries"]), (&json!(event), &json!([])));
    // The feed gives what push gave.
    let feed = get(gateway, "/api/v1/feed?types=payment.verified", BACKEND_TOKEN).await;
    assert_eq!(feed.json()["data"]["items"][0]["message"], message);
    let pushed = world.backend.received().into_iter().find(|one| one.message == message).unwrap();
    let exact = feed.body.windows(pushed.body.len()).any(|part| part == pushed.body);
    assert!(exact, "the bytes that push sent, unchanged: {}", String::from_utf8_lossy(&feed.body));
}

#[tokio::test]
async fn a_backend_that_pulls_gets_everything_once_in_order() {
    let gateway = start(&Setup::default());
    for n in 0..5 {
        let delivery = gateway.stripe(card(&n.to_string()).to_string().as_bytes()).await.delivery_id();
        gateway.event_in(&delivery, "forwarding", "PROVIDER_EVENT").await;
    }
    let (mut after, mut seen, mut cursors) = (String::new(), Vec::new(), Vec::new());
    loop {
        let page = get(&gateway, &format!("/api/v1/feed?limit=2{after}"), BACKEND_TOKEN).await;
        let data = page.json()["data"].clone();
        let items = data["items"].as_array().unwrap().clone();
        after = format!("&after={}", data["next"].as_str().unwrap());
        if items.is_empty() {
            break;
        }
        assert!(items.len() <= 2);
        for item in items {
            assert_eq!(
                item["webhook_id"],
                json!(format!("{}_1", item["message"]["data"]["event_id"].as_str().unwrap()))
            );
            seen.push(item["message"]["data"]["provider"]["event_id"].as_str().unwrap().to_owned());
            cursors.push(item["cursor"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(seen, ["evt_0", "evt_1", "evt_2", "evt_3", "evt_4"]);
    // From the middle on.
    let rest = get(&gateway, &format!("/api/v1/feed?after={}", cursors[2]), BACKEND_TOKEN).await.json();
    assert_eq!(rest["data"]["items"].as_array().unwrap().len(), 2);
    // A request that waits is answered when something comes, and by nothing when nothing does.
    let path = format!("/api/v1/feed?wait=30s{after}");
    let (late, _) = tokio::join!(get(&gateway, &path, BACKEND_TOKEN), async {
        tokio::time::sleep(std::time::Duration::from_millis(400)).await;
        gateway.stripe(card("late").to_string().as_bytes()).await
    });
    assert_eq!(late.json()["data"]["items"][0]["message"]["data"]["provider"]["event_id"], "evt_late");
    let next = late.text("/data/next");
    let nothing = get(&gateway, &format!("/api/v1/feed?wait=1s&after={next}"), BACKEND_TOKEN).await.json();
    assert_eq!(nothing["data"], json!({"items": [], "next": next}));
    // Who may, of what, from where.
    for token in [VIEWER_TOKEN, STRIPE_AUDITOR] {
        refused(&get(&gateway, "/api/v1/feed", token).await, 403, "FORBIDDEN");
    }
    assert_eq!(get(&gateway, "/api/v1/feed", OPERATOR).await.status, 200);
    let of_stripe = get(&gateway, "/api/v1/feed", STRIPE_BACKEND).await.json();
    assert_eq!(of_stripe["data"]["items"].as_array().unwrap().len(), 6);
    refused(&get(&gateway, "/api/v1/feed?destination=nowhere", BACKEND_TOKEN).await, 404, "NOT_FOUND");
    for query in ["after=7", "after=x.y.z", "types=payment", "wait=soon"] {
        refused(&get(&gateway, &format!("/api/v1/feed?{query}"), BACKEND_TOKEN).await, 400, "BAD_REQUEST");
    }
    // The right ledger, and a place that nobody was ever given: whoever waited there would miss what comes.
    let (ledger, _) = next.rsplit_once('.').unwrap();
    for beyond in [1_000_000, u64::MAX] {
        let path = format!("/api/v1/feed?wait=30s&after={ledger}.{beyond}");
        refused(&get(&gateway, &path, BACKEND_TOKEN).await, 410, "CURSOR_EXPIRED");
    }
    acknowledges(&gateway).await;
    let mut parts: Vec<&str> = cursors[0].split('.').collect();
    parts[1] = "1";
    let expired = get(&gateway, &format!("/api/v1/feed?after={}", parts.join(".")), BACKEND_TOKEN).await;
    refused(&expired, 410, "CURSOR_EXPIRED");
}

/// A backend that has stored what it was handed says so, and those events are done.
async fn acknowledges(gateway: &Gateway) {
    let feed = get(gateway, "/api/v1/feed", BACKEND_TOKEN).await.json();
    let ids: Vec<_> = feed["data"]["items"].as_array().unwrap().iter().map(|item| item["webhook_id"].clone()).collect();
    let path = "/api/v1/feed/ack";
    let (one, stranger) = (ids[0].clone(), json!("00000000-0000-8000-8000-000000000000_1"));
    let said = json!({"webhook_ids": [&one, &stranger]});
    let acked = gateway.admin("POST", path, BACKEND_TOKEN, Some(&said)).await.json()["data"].clone();
    assert_eq!(acked, json!({"delivered": [&one], "repeated": [], "refused": [&stranger]}));
    let acked = gateway.admin("POST", path, BACKEND_TOKEN, Some(&json!({"webhook_ids": &ids}))).await.json();
    assert_eq!((&acked["data"]["repeated"], &acked["data"]["delivered"]), (&json!([one]), &json!(ids[1..])));
    let left = get(gateway, "/api/v1/events?state=forwarding", ADMIN_TOKEN).await.json();
    assert_eq!(left["data"]["items"], json!([]));
    refused(&gateway.admin("POST", path, VIEWER_TOKEN, Some(&said)).await, 403, "FORBIDDEN");
    for wrong in [json!({}), json!({"webhook_ids": ["x"]}), json!({"webhook_ids": [], "cursor": "1"})] {
        refused(&gateway.admin("POST", path, BACKEND_TOKEN, Some(&wrong)).await, 400, "BAD_REQUEST");
    }
}

#[tokio::test]
async fn whatever_was_changed_the_audit_says_who_did() {
    let world = World::start().await;
    let gateway = &world.gateway;
    let (path, more) = ("/api/v1/expectations/order-1", terms(&world.net, 1, "6"));
    world.expect("order-1", &world.terms(1, "5")).await;
    assert_eq!(gateway.expect("order-1", &world.terms(1, "5")).await.status, 200);
    assert_eq!(gateway.expect("order-1", &more).await.status, 200);
    assert_eq!(gateway.admin("DELETE", path, BACKEND_TOKEN, None).await.status, 200);
    let started = gateway.admin("POST", "/api/v1/jobs", ADMIN_TOKEN, Some(&json!({"kind": "verify"}))).await;
    assert_eq!(started.status, 202, "{:#}", started.json());
    let job = started.text("/data/job_id");
    assert_eq!(gateway.admin("POST", &format!("/api/v1/jobs/{job}/cancel"), ADMIN_TOKEN, None).await.status, 200);
    let audit = async |query: &str| {
        let reply = get(gateway, &format!("/api/v1/audit?{query}"), ADMIN_TOKEN).await;
        assert_eq!(reply.status, 200, "{query}: {}", String::from_utf8_lossy(&reply.body));
        reply.json()["data"].clone()
    };
    let what = |page: &Value| -> Vec<String> {
        page["items"].as_array().unwrap().iter().map(|item| item["what"].as_str().unwrap().to_owned()).collect()
    };
    let all = audit("").await;
    let told = ["job.cancel", "job.start", "expectation.cancel", "expectation.put", "expectation.put"];
    assert_eq!(what(&all), told);
    let replaced = &all["items"][3];
    assert_eq!((&replaced["who"], &replaced["from"]), (&json!("backend"), &json!("api 127.0.0.1")));
    assert_eq!((&replaced["subject"], &replaced["number"]), (&json!("order-1"), &json!(2)));
    assert!(replaced["before"] != replaced["after"] && replaced["before"]["state"] == "open", "{replaced:#}");
    assert!(replaced["at"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok());
    assert_eq!((&all["items"][0]["subject"], &all["items"][1]["subject"]), (&json!(job), &json!("verify")));
    for (query, wanted) in [
        ("who=backend", &told[2..]),
        ("what=job.start", &told[1..2]),
        ("who=backend&what=expectation.cancel&subject=order-1", &told[2..3]),
        ("since=1h", &told[..]),
        ("until=1h", &[]),
    ] {
        assert_eq!(what(&audit(query).await), wanted, "{query}");
    }
    let page = audit("limit=3").await;
    assert_eq!(what(&page), told[..3]);
    let rest = audit(&format!("limit=3&after={}", page["next"].as_str().unwrap())).await;
    assert_eq!((what(&rest), &rest["next"]), (told[3..].iter().map(|&word| word.to_owned()).collect(), &Value::Null));
    refused(&get(gateway, "/api/v1/audit", BACKEND_TOKEN).await, 403, "FORBIDDEN");
    refused(&get(gateway, "/api/v1/audit", VIEWER_TOKEN).await, 403, "FORBIDDEN");
    refused(&get(gateway, "/api/v1/audit?after=x", ADMIN_TOKEN).await, 400, "BAD_REQUEST");
    refused(&get(gateway, "/api/v1/audit?event=x", ADMIN_TOKEN).await, 400, "BAD_REQUEST");
}
