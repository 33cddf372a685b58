//! `tollgate send` signs as the provider and posts to the configured listener.

use std::net::TcpListener;

use tollgate::config::Provider;

use crate::support::gateway::{FORWARD_SECRET, Setup, Site, text};
use crate::support::receiver::Receiver;

/// A loopback address of its own: of 127.0.0.1 the kernel hands out ports all the time.
const NOBODY: &str = "127.0.0.79:0";

/// A site with this public listener.
fn site(backend: &Receiver, listener: &str) -> Site {
    let site = Site::new(&Setup { backend: Some(backend.address()), ..Setup::default() });
    listens(&site, "127.0.0.1:0", listener);
    site
}

/// Changes the public listener in the configuration.
fn listens(site: &Site, before: &str, after: &str) {
    let configuration = std::fs::read_to_string(site.file()).unwrap();
    let line = |listener: &str| format!("[ingress]\nlisten = \"{listener}\"");
    assert!(configuration.contains(&line(before)), "{configuration}");
    std::fs::write(site.file(), configuration.replace(&line(before), &line(after))).unwrap();
}

fn send(site: &Site, arguments: &[&str]) -> (Option<i32>, String) {
    let file = text(&site.file());
    let (status, output) = site.run(&[&["send"], arguments, &["--config", &file]].concat());
    (status.code(), output)
}

#[tokio::test]
async fn what_it_sends_is_taken_and_goes_all_the_way() {
    let backend = Receiver::start(&[FORWARD_SECRET]);
    let site = site(&backend, "0.0.0.0:0");
    let gateway = site.start();
    listens(&site, "0.0.0.0:0", &gateway.public.to_string());
    let example = ["stripe", "--example", "payment_intent.succeeded", "--set", "data.object.amount=777"];
    let (code, output) = send(&site, &example);
    assert_eq!(code, Some(0), "{output}");
    let (status, answer) = output.split_once('\n').unwrap();
    assert_eq!(status, "200 OK");
    let answer: serde_json::Value = serde_json::from_str(answer).unwrap();
    let delivery = answer["data"]["delivery_id"].as_str().unwrap();
    gateway.event_in(delivery, "settled", "PROVIDER_EVENT").await;
    assert_eq!(backend.received()[0].message["data"]["claimed"]["data"]["object"]["amount"], 777);

    // A file goes out as the bytes it is, to the gateway named by a URL.
    let file = site.data().join("body.json");
    let body = b"{\"event\": \"payment.processing\",  \"requestId\": \"01ab\"}\n";
    std::fs::write(&file, body).unwrap();
    let url = format!("http://{}/", gateway.public).replace("0.0.0.0", "127.0.0.1");
    let (code, output) = send(&site, &["request-network", "--file", &text(&file), "--url", &url]);
    assert_eq!(code, Some(0), "{output}");
    let all = backend.wait_for_taken(2).await;
    assert!(all[1].body.windows(body.len()).any(|window| window == body), "{:?}", all[1].body);
    let log = gateway.log();
    assert!(!log.contains(crate::support::gateway::STRIPE_SECRET), "a secret is in the log");
}

#[tokio::test]
async fn what_it_cannot_send_says_why() {
    let backend = Receiver::start(&[FORWARD_SECRET]);
    let free = TcpListener::bind(NOBODY).unwrap().local_addr().unwrap();
    let site = site(&backend, &free.to_string());
    let (code, output) = send(&site, &["stripe", "--example", "payment.teleported"]);
    assert_eq!(code, Some(2), "{output}");
    for known in tollgate::provider::example::types(&Provider::Stripe) {
        assert!(output.contains(known), "{known} is not listed:\n{output}");
    }
    let (code, output) = send(&site, &["nobody", "--example", "payment_intent.succeeded"]);
    assert_eq!(code, Some(2), "{output}");
    assert!(output.contains("request-network, stripe"), "{output}");
    let card = ["stripe", "--example", "payment_intent.succeeded"];
    let (code, output) = send(&site, &[&card[..], &["--url", "http://192.0.2.1:8080"]].concat());
    assert_eq!((code, output.contains("--live")), (Some(2), true), "{output}");
    let (code, output) = send(&site, &[&card[..], &["--set", "data.object.amount=much"]].concat());
    assert_eq!((code, output.contains("number")), (Some(2), true), "{output}");
    // Nobody listens yet.
    let (code, output) = send(&site, &card);
    assert_eq!((code, output.contains("does not answer")), (Some(1), true), "{output}");

    let gateway = site.start();
    let (code, output) =
        send(&site, &[&card[..], &["--url", &format!("http://{}/elsewhere", gateway.public)]].concat());
    assert_eq!((code, output.contains("NOT_FOUND")), (Some(1), true), "{output}");
}
