//! No secret, no whole signature and no body in any log line, configuration print or answer that must not have it, at
//! the most talkative level there is, libraries included.

use std::net::SocketAddr;

use tollgate::config::Provider;
use tollgate::demo::devnet::Devnet;

use crate::support::gateway::{
    self, ADMIN_TOKEN, BACKEND_TOKEN, FORWARD_SECRET, Gateway, REQUEST_NETWORK_SECRET, STRIPE_SECRET, Setup, Site,
    VIEWER_TOKEN,
};
use crate::support::http;
use crate::support::invoice::{self, Invoice};
use crate::support::node::Node;
use crate::support::receiver::{Answer, Receiver};

/// Secrets inside URLs.
const NODE_KEY: &str = "node-key-7d1f0b6c";
const BACKEND_KEY: &str = "backend-key-93a2c4e1";
const BACKEND_PASSWORD: &str = "backend-password-c41e";
/// Things that strangers sent.
const WRONG_TOKEN: &str = "wrong-token-2c9d7a10";
const WRONG_SECRET: &str = "wrong-secret-51b0e8f4";
/// In every body.
const MARK: &str = "body-mark-0b8de1f2";

/// Everything that was secret in this run.
struct Hidden(Vec<String>);

impl Hidden {
    fn assert_not_in(&self, what: &str, text: &str) {
        for secret in &self.0 {
            let line = text.lines().find(|line| line.contains(secret.as_str()));
            assert!(line.is_none(), "{what} holds {secret}: {}", line.unwrap_or_default());
        }
    }
}

/// The values of a signed request that must never be seen whole.
fn signatures(request: &reqwest::Request) -> Vec<String> {
    let values = request.headers().iter().filter(|(name, _)| name.as_str().contains("signature"));
    let texts = values.map(|(_, value)| value.to_str().expect("text").to_owned());
    // Stripe's header carries a time before the tag.
    texts.map(|text| text.rsplit_once("v1=").map_or(text.clone(), |(_, tag)| tag.to_owned())).collect()
}

/// Posts a body with any secret over one of the HTTP versions; the signatures that went with it.
async fn post(client: &reqwest::Client, public: SocketAddr, path: &str, secret: &str, body: &[u8]) -> Vec<String> {
    let provider = if path == "stripe" { Provider::Stripe } else { Provider::RequestNetwork };
    let url = format!("http://{public}/webhooks/{path}");
    let request = http::signed(client, &url, &provider, secret, body).build().expect("a request");
    let signatures = signatures(&request);
    assert!(!signatures.is_empty());
    client.execute(request).await.expect("an answer");
    signatures
}

fn marked(body: &[u8]) -> Vec<u8> {
    let mut value: serde_json::Value = serde_json::from_slice(body).expect("JSON");
    value["note"] = MARK.into();
    value.to_string().into_bytes()
}

/// Accepted, refused, odd: everything one can post.
async fn post_everything(gateway: &Gateway, net: &Devnet) -> Vec<String> {
    let http2 = reqwest::Client::builder().no_proxy().http2_prior_knowledge().build().expect("a client");
    let invoice = Invoice(1);
    assert_eq!(gateway.expect(&invoice.id(), &invoice.terms(net)).await.status, 201);
    let paid = invoice.webhook("payment.confirmed", invoice.pay(net).await);
    net.mine(2).await.expect("blocks");
    let mut signatures = Vec::new();
    for client in [&gateway.client, &http2] {
        for (path, secret, body) in [
            ("request-network", REQUEST_NETWORK_SECRET, marked(&paid)),
            ("request-network", REQUEST_NETWORK_SECRET, marked(&invoice::processing(1, 1))),
            ("request-network", WRONG_SECRET, marked(&invoice::processing(1, 2))),
            ("request-network", REQUEST_NETWORK_SECRET, format!("not json {MARK}").into_bytes()),
            ("stripe", STRIPE_SECRET, marked(&invoice::card(1))),
            ("stripe", WRONG_SECRET, marked(&invoice::card(2))),
            ("nowhere", REQUEST_NETWORK_SECRET, marked(&invoice::processing(1, 3))),
        ] {
            signatures.extend(post(client, gateway.public, path, secret, &body).await);
        }
    }
    signatures
}

async fn look_around(gateway: &Gateway, hidden: &Hidden) {
    let texts = async |token: &str, path: &str| {
        let reply = gateway.admin("GET", path, token, None).await;
        String::from_utf8_lossy(&reply.body).into_owned()
    };
    let mut paths: Vec<String> = ["/readyz", "/metrics", "/healthz", "/api/v1/deliveries", "/api/v1/events"]
        .into_iter()
        .chain(["/api/v1/expectations", "/api/v1/expectations/order-1", "/api/v1/events?q=%00", "/nowhere"])
        .map(str::to_owned)
        .collect();
    let lists = [("deliveries", "delivery_id"), ("events", "event_id")];
    for (list, id) in lists {
        let reply = gateway.admin("GET", &format!("/api/v1/{list}"), ADMIN_TOKEN, None).await.json();
        let items = reply["data"]["items"].as_array().expect("items").clone();
        assert!(!items.is_empty(), "{list}");
        paths.extend(items.iter().map(|item| format!("/api/v1/{list}/{}", item[id].as_str().expect(id))));
    }
    for path in &paths {
        for token in [VIEWER_TOKEN, BACKEND_TOKEN, WRONG_TOKEN] {
            hidden.assert_not_in(path, &texts(token, path).await);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_signature_or_body_is_logged_printed_or_shown() {
    let net = Devnet::start().await.expect("the local chain");
    let node = Node::honest(net.url()).await;
    let backend = Receiver::start(&[FORWARD_SECRET]);
    backend.script([Answer::Status(500), Answer::Close, Answer::Status(302)]);
    let url = node.url("v2/${env:IT_NODE_KEY}?key=${env:IT_NODE_KEY}");
    let chain = gateway::chain(&net, 1).replace(net.url(), &url);
    let mut site = Site::new(&Setup { backend: Some(backend.address()), chain: Some(chain), ..Setup::default() });
    site.set("IT_NODE_KEY", NODE_KEY);
    site.set("TOLLGATE_TELEMETRY__LOG__LEVEL", "trace");
    let hook = format!("http://user:{BACKEND_PASSWORD}@{}/hook/{BACKEND_KEY}?key={BACKEND_KEY}", backend.address());
    site.set("TOLLGATE_FORWARD__URL", &hook);

    let gateway = site.start();
    let mut hidden = [
        REQUEST_NETWORK_SECRET,
        STRIPE_SECRET,
        FORWARD_SECRET,
        FORWARD_SECRET.trim_start_matches("whsec_"),
        ADMIN_TOKEN,
        BACKEND_TOKEN,
        VIEWER_TOKEN,
        NODE_KEY,
        BACKEND_KEY,
        BACKEND_PASSWORD,
        WRONG_TOKEN,
        WRONG_SECRET,
        MARK,
    ]
    .map(str::to_owned)
    .to_vec();
    hidden.extend(post_everything(&gateway, &net).await);
    backend.wait_until("all messages", |received| 3 <= count_taken(received)).await;
    assert!(0 < node.calls(), "the node was asked by its secret URL");
    for one in backend.received() {
        let signature = one.headers["webhook-signature"].to_str().expect("text");
        hidden.extend(signature.split(' ').map(|one| one.trim_start_matches("v1,").to_owned()));
        assert!(one.target.contains(BACKEND_KEY), "the backend was called by its secret URL");
    }
    let hidden = Hidden(hidden);
    look_around(&gateway, &hidden).await;
    let printed = site.ends(&["check", "--print", "--config", &gateway::text(&site.file())]);
    printed.assert(0, &["sources.stripe.secrets", "forward.url"]);
    hidden.assert_not_in("check --print", &printed.text);
    let summary = site.ends(&["check", "--config", &gateway::text(&site.file())]);
    hidden.assert_not_in("check", &summary.text);

    let (status, log) = gateway.terminate();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains("\"TRACE\""), "the level was taken");
    hidden.assert_not_in("the log", &log);
}

fn count_taken(received: &[crate::support::receiver::Received]) -> usize {
    received.iter().filter(|one| one.answered == Some(200)).count()
}
