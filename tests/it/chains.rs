//! Chains by hand: how deep payments have to be, nodes and chains out of use. What an operator set is in force at
//! once, lasts over restarts, and stands in the audit.

use serde_json::{Value, json};
use tollgate::demo::devnet::Devnet;

use crate::admin::{OPERATOR, STRIPE_AUDITOR, start};
use crate::operate::{ask, open};
use crate::support::gateway::{ADMIN_TOKEN, BACKEND_TOKEN, Gateway, PATIENCE, Setup, Site, VIEWER_TOKEN, chain, text};
use crate::support::invoice::Invoice;
use crate::support::money::{Ways, World, confirmed};
use crate::support::node::Node;

/// A chain whose only node is not there, under a URL with a key in it.
const DEAD: &str = r#"
[chains.local]
chain_id = 31337
rpc = [{ name = "one", owner = "test", url = "http://127.0.0.1:9/SECRET-KEY" }]
agree = 1
owners = 1
allow_single_node = true
finality = [{ up_to_usd = 20, confirmations = 2 }, { confirmations = 12, tag = "finalized" }]
"#;

async fn call(gateway: &Gateway, method: &str, path: &str, token: &str, body: &Value) -> (u16, Value) {
    let reply = gateway.admin(method, &format!("/api/v1/chains{path}"), token, Some(body)).await;
    assert!(!String::from_utf8_lossy(&reply.body).contains("SECRET-KEY"), "a node's URL is shown");
    (reply.status, reply.json())
}

/// The chain as the API shows it, once `done` holds for it.
async fn shown_when(gateway: &Gateway, done: impl Fn(&Value) -> bool) -> Value {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let (_, shown) = call(gateway, "GET", "/local", ADMIN_TOKEN, &Value::Null).await;
        if done(&shown["data"]) {
            return shown["data"].clone();
        }
        assert!(tokio::time::Instant::now() < deadline, "it never gets there: {shown:#}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_role_sees_and_sets_what_it_may() {
    let gateway = start(&Setup { chain: Some(DEAD.to_owned()), ..Setup::default() });
    let why = json!({"reason": "drill"});
    let tiers = json!({"tiers": [{"confirmations": 100, "tag": "finalized"}], "reason": "drill"});
    let (cordon, node) = ("/local/cordon", "/local/nodes/one/cordon");
    for (method, path, body, viewer, operator, admin) in [
        ("GET", "", &why, 200, 200, 200),
        ("GET", "/local", &why, 200, 200, 200),
        ("POST", node, &why, 403, 200, 200),
        ("POST", "/local/nodes/one/uncordon", &why, 403, 200, 200),
        ("POST", cordon, &why, 403, 200, 200),
        ("POST", "/local/uncordon", &why, 403, 200, 200),
        ("PUT", "/local/finality", &tiers, 403, 403, 200),
        ("DELETE", "/local/finality", &why, 403, 403, 200),
    ] {
        // A token that is limited to sources reads, and sets nothing that reaches all.
        let limited = if method == "GET" { 200 } else { 403 };
        for (token, status) in [
            (BACKEND_TOKEN, 403),
            (VIEWER_TOKEN, viewer),
            (STRIPE_AUDITOR, limited),
            (OPERATOR, operator),
            (ADMIN_TOKEN, admin),
        ] {
            let (got, answer) = call(&gateway, method, path, token, body).await;
            assert_eq!(got, status, "{method} {path} by {token}: {answer:#}");
        }
    }
    let (_, list) = call(&gateway, "GET", "", VIEWER_TOKEN, &why).await;
    let one = &list["data"]["items"][0];
    assert_eq!((&one["name"], &one["chain_id"], &one["head"]), (&json!("local"), &json!(31_337), &Value::Null));
    assert_eq!((&one["finality"]["origin"], &one["can_agree"]), (&json!("config"), &json!(true)));
    assert_eq!((&one["nodes"][0]["name"], &one["nodes"][0]["owner"]), (&json!("one"), &json!("test")));
}

#[tokio::test]
async fn what_does_not_fit_is_refused_and_changes_nothing() {
    let gateway = start(&Setup { chain: Some(DEAD.to_owned()), ..Setup::default() });
    let put = async |body: Value| call(&gateway, "PUT", "/local/finality", ADMIN_TOKEN, &body).await;
    let (status, answer) = put(json!({"tiers": [{"confirmations": 0}, {"confirmations": 0}], "reason": "x"})).await;
    assert_eq!((status, &answer["error"]["code"]), (422, &json!("FINALITY_INVALID")));
    assert_eq!(answer["error"]["details"]["problems"].as_array().unwrap().len(), 3, "all of them: {answer:#}");
    assert_eq!(put(json!({"tiers": [], "reason": "x"})).await.0, 422);
    assert_eq!(put(json!({"tiers": [{"confirmations": 20, "tag": "finalized"}]})).await.0, 400, "no reason");
    assert_eq!(put(json!({"tiers": [{"confirmation": 20}], "reason": "x"})).await.0, 400);
    // Both tiers are the last two: neither may be lowered without saying so.
    let lower = json!([{"up_to_usd": 20, "confirmations": 2}, {"confirmations": 12}]);
    let (status, answer) = put(json!({"tiers": lower, "reason": "x"})).await;
    assert_eq!((status, &answer["error"]["code"]), (422, &json!("FINALITY_INVALID")));
    assert!(answer["error"]["message"].as_str().unwrap().contains("accept_unfinalized"), "{answer:#}");
    assert_eq!(answer["error"]["details"]["lowered"][0]["configured"]["tag"], "finalized");
    for (path, status, known) in
        [("/base/cordon", 404, json!(["local"])), ("/local/nodes/two/cordon", 404, json!(["one"]))]
    {
        let (got, answer) = call(&gateway, "POST", path, ADMIN_TOKEN, &json!({"reason": "x"})).await;
        assert_eq!((got, &answer["error"]["details"]["known"]), (status, &known), "{path}");
    }
    for reason in [json!({}), json!({"reason": " "}), json!({"why": "x"})] {
        assert_eq!(call(&gateway, "POST", "/local/cordon", ADMIN_TOKEN, &reason).await.0, 400, "{reason}");
    }
    let audit = gateway.admin("GET", "/api/v1/audit", ADMIN_TOKEN, None).await.json();
    assert_eq!(audit["data"]["items"], json!([]), "nothing was done");
    let (status, answer) = put(json!({"tiers": lower, "reason": "x", "accept_unfinalized": true})).await;
    assert_eq!((status, &answer["data"]["changed"]), (200, &json!(true)), "{answer:#}");
    let finality = &answer["data"]["finality"];
    assert_eq!(
        (&finality["origin"], &finality["by"], &finality["reason"]),
        (&json!("run time"), &json!("admin"), &json!("x"))
    );
    assert_eq!((&finality["tiers"][1]["tag"], &finality["configured"][1]["tag"]), (&Value::Null, &json!("finalized")));
}

#[tokio::test]
async fn what_is_set_holds_for_the_next_payment_and_over_a_restart() {
    let World { gateway, backend, net } = World::start().await;
    let site = gateway.kill();
    let gateway = site.start();
    let cli = |gateway: &Gateway, arguments: &[&str]| ask(&site, gateway, ADMIN_TOKEN, arguments, "");
    let set = ["chains", "set-finality", "local", "--tier", "5:2", "--tier", "4", "--reason", "incident 7"];
    cli(&gateway, &set).fails(2, "add --yes");
    cli(&gateway, &[&set[..], &["--yes"]].concat()).lines();
    let announce = async |gateway: &Gateway, invoice: Invoice| {
        assert_eq!(gateway.expect(&invoice.id(), &invoice.terms(&net)).await.status, 201);
        let tx = invoice.pay(&net).await;
        gateway.request_network(&invoice.webhook("payment.confirmed", tx)).await.delivery_id()
    };
    // Three tokens at a dollar: the first tier, which asks for two blocks now.
    let delivery = announce(&gateway, Invoice(1)).await;
    gateway.event_in(&delivery, "awaiting_finality", "WAITING_CONFIRMATIONS").await;

    let site = gateway.kill();
    let gateway = site.start();
    let shown = cli(&gateway, &["chains", "show", "local", "-o", "json"]).json();
    assert_eq!(
        (&shown["finality"]["origin"], &shown["finality"]["reason"]),
        (&json!("run time"), &json!("incident 7"))
    );
    assert_eq!(shown["finality"]["tiers"][1]["confirmations"], 4);
    gateway.event_in(&delivery, "awaiting_finality", "WAITING_CONFIRMATIONS").await;
    assert_eq!(backend.received().len(), 0);
    net.mine(1).await.unwrap();
    backend.wait_for_taken(1).await;
    let head = shown_when(&gateway, |shown| shown["head"].is_u64()).await;
    assert_eq!((&head["nodes"][0]["state"], &head["nodes"][0]["lag_blocks"]), (&json!("in_use"), &json!(0)));

    let unset = cli(&gateway, &["chains", "unset-finality", "local", "--reason", "over", "--yes", "-o", "json"]).json();
    assert_eq!((&unset["finality"]["origin"], &unset["changed"]), (&json!("config"), &json!(true)));
    announce(&gateway, Invoice(2)).await;
    backend.wait_for_taken(2).await;
    let audit = cli(&gateway, &["audit", "list", "--subject", "local", "-o", "json"]).json();
    let did: Vec<_> = audit.as_array().unwrap().iter().map(|entry| (&entry["what"], &entry["reason"])).collect();
    assert_eq!(
        did,
        [(&json!("chain.unset-finality"), &json!("over")), (&json!("chain.set-finality"), &json!("incident 7"))]
    );
    assert_eq!(audit[1]["after"][0], json!({"up_to_usd": 5, "confirmations": 2, "tag": null}));
    // A stopped gateway's data shows and takes the same.
    let site = gateway.stop();
    let config = text(&site.file());
    let again = open(&site, &[&set[..], &["--yes", "--config", &config, "-o", "json"]].concat()).json();
    assert_eq!((&again["finality"]["origin"], &again["nodes"][0]["state"]), (&json!("run time"), &json!("idle")));
}

#[tokio::test]
async fn a_lower_depth_frees_what_waits_for_more_and_a_higher_one_asks_nothing() {
    let net = Devnet::start().await.expect("a chain");
    let node = Node::honest(net.url()).await;
    let rpc = format!("[{{ name = \"one\", owner = \"test\", url = \"{}\" }}]", node.url(""));
    let finality = "[{ up_to_usd = 5, confirmations = 40 }, { confirmations = 50 }]".to_owned();
    let world = World::on(net, Ways { chain: vec![("rpc", rpc), ("finality", finality)], ..Ways::default() });
    let mut deliveries = Vec::new();
    // A small payment and a large one.
    for (order, amount) in [(1, "3"), (2, "12")] {
        world.expect(&format!("order-{order}"), &world.terms(order, amount)).await;
        let tx = world.pay(order, amount.parse().unwrap()).await;
        deliveries.push(world.rn(&confirmed(order, tx, amount)).await);
    }
    for delivery in &deliveries {
        world.gateway.event_in(delivery, "awaiting_finality", "WAITING_CONFIRMATIONS").await;
    }
    let set = async |tiers: Value| {
        let body = json!({"tiers": tiers, "reason": "incident 7", "accept_unfinalized": true});
        let (status, answer) = call(&world.gateway, "PUT", "/local/finality", ADMIN_TOKEN, &body).await;
        assert_eq!((status, &answer["data"]["changed"]), (200, &json!(true)), "{answer:#}");
    };
    let asked = node.calls_for_payments();
    let looked = async |delivery: &String| {
        let event = world.gateway.event_when(delivery, |_| true).await;
        event["trace"].as_array().unwrap().iter().filter(|entry| entry["to"] == "awaiting_finality").count()
    };
    set(json!([{"up_to_usd": 5, "confirmations": 41}, {"confirmations": 60}])).await;
    // They wait for the height that they waited for, and that is not more than what is in force now.
    set(json!([{"up_to_usd": 5, "confirmations": 40}, {"confirmations": 50}])).await;
    world.net.mine(1).await.expect("mined");
    assert_eq!((looked(&deliveries[0]).await, looked(&deliveries[1]).await), (1, 1));
    assert_eq!(node.calls_for_payments(), asked, "nothing is asked for what is not eased");
    set(json!([{"up_to_usd": 5, "confirmations": 40}, {"confirmations": 2}])).await;
    world.message(&deliveries[1], "payment.verified").await;
    world.gateway.event_in(&deliveries[0], "awaiting_finality", "WAITING_CONFIRMATIONS").await;
    assert_eq!(world.backend.received().len(), 1, "the small one has to wait as before");
    set(json!([{"up_to_usd": 5, "confirmations": 1}, {"confirmations": 2}])).await;
    world.message(&deliveries[0], "payment.verified").await;
}

#[tokio::test]
async fn a_cordoned_node_is_not_asked_until_it_is_back() {
    let World { gateway, backend, net } = World::start().await;
    let site = gateway.kill();
    let gateway = site.start();
    let cli = |gateway: &Gateway, arguments: &[&str]| ask(&site, gateway, ADMIN_TOKEN, arguments, "");
    let cordon = ["chains", "cordon", "local", "local", "--reason", "it lies"];
    cli(&gateway, &cordon).fails(2, "1 of its nodes are in use now, 1 have to agree");
    let nodes = cli(&gateway, &[&cordon[..], &["--yes"]].concat());
    assert!(nodes.out.contains("cordoned") && nodes.out.contains("it lies"), "{}", nodes.out);
    let invoice = Invoice(1);
    assert_eq!(gateway.expect(&invoice.id(), &invoice.terms(&net)).await.status, 201);
    let tx = invoice.pay(&net).await;
    let delivery = gateway.request_network(&invoice.webhook("payment.confirmed", tx)).await.delivery_id();
    gateway.event_in(&delivery, "undetermined", "RPC_UNAVAILABLE").await;

    let site = gateway.kill();
    let gateway = site.start();
    let shown = cli(&gateway, &["chains", "show", "local", "-o", "json"]).json();
    assert_eq!((&shown["nodes"][0]["state"], &shown["can_agree"]), (&json!("cordoned"), &json!(false)), "{shown:#}");
    assert_eq!(shown["nodes"][0]["cordon"]["by"], "admin");
    gateway.event_in(&delivery, "undetermined", "RPC_UNAVAILABLE").await;
    assert_eq!(backend.received().len(), 0);
    let back = cli(&gateway, &["chains", "uncordon", "local", "local", "--reason", "replaced", "-o", "json"]).json();
    assert_eq!((&back["changed"], &back["can_agree"]), (&json!(true), &json!(true)));
    backend.wait_for_taken(1).await;
}

#[tokio::test]
async fn nothing_is_confirmed_on_a_stopped_chain() {
    let world = World::start().await;
    let gateway = &world.gateway;
    let why = json!({"reason": "the explorer shows another chain"});
    let (status, stopped) = call(gateway, "POST", "/local/cordon", ADMIN_TOKEN, &why).await;
    assert_eq!((status, &stopped["data"]["stopped"]["reason"]), (200, &why["reason"]));
    world.expect("order-1", &world.terms(1, "12")).await;
    let delivery = world.rn(&confirmed(1, world.pay(1, 12).await, "12")).await;
    world.silent(&delivery, "undetermined", "CHAIN_DEEP_REORG").await;
    let (_, released) =
        call(gateway, "POST", "/local/uncordon", ADMIN_TOKEN, &json!({"reason": "one node only"})).await;
    assert_eq!((&released["data"]["stopped"], &released["data"]["changed"]), (&Value::Null, &json!(true)));
    world.message(&delivery, "payment.verified").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_asks_the_nodes_and_fails_where_they_cannot_agree() {
    let net = Devnet::start().await.unwrap();
    let site = Site::new(&Setup { chain: Some(chain(&net, 1)), ..Setup::default() });
    let file = text(&site.file());
    let good = site.ends(&["check", "--rpc", "--config", &file]);
    good.assert(0, &["CHAIN ", "VERDICT", "local", "31337", "full", "ok"]);
    let liar = Node::liar(net.url(), |method, result| {
        if method.ends_with("chainId") {
            *result = Value::from("0x1");
        }
    });
    let liar = liar.await;
    let twisted = chain(&net, 1).replace(net.url(), &liar.url("SECRET-KEY"));
    let site = Site::new(&Setup { chain: Some(twisted), ..Setup::default() });
    let bad = site.ends(&["check", "--rpc", "--config", &text(&site.file())]);
    bad.assert(1, &["another chain: 31337 is configured", "local: 0 of 1 nodes can be used"]);
    assert!(!bad.text.contains("SECRET-KEY"), "{}", bad.text);
    let site = Site::new(&Setup { chain: Some(DEAD.to_owned()), ..Setup::default() });
    site.ends(&["check", "--rpc", "--config", &text(&site.file())]).assert(1, &["cannot connect"]);
    // Without being asked to, it asks nobody.
    site.ends(&["check", "--config", &text(&site.file())]).assert(0, &["configuration ok"]);
}
