//! Stored work done again: messages sent again without judging, deliveries judged again by today's rules; both go on
//! after a crash, and neither makes a second event.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};
use tollgate::demo::devnet::Devnet;

use crate::operate::ask;
use crate::support::gateway::{ADMIN_TOKEN, FORWARD_SECRET, Gateway, PATIENCE, Setup, Site, VIEWER_TOKEN};
use crate::support::invoice;
use crate::support::money::{Ways, World, confirmed};
use crate::support::receiver::{Received, Receiver};

const REPLAY_ID: &str = "tollgate-replay-id";

fn site(backend: &Receiver) -> Site {
    Site::new(&Setup { backend: Some(backend.address()), ..Setup::default() })
}

fn replay_id(one: &Received) -> Option<&str> {
    one.headers.get(REPLAY_ID).map(|value| value.to_str().expect("text"))
}

async fn started(gateway: &Gateway, body: &Value) -> String {
    let reply = gateway.admin("POST", "/api/v1/jobs", ADMIN_TOKEN, Some(body)).await;
    assert_eq!(reply.status, 202, "{:#}", reply.json());
    reply.text("/data/job_id")
}

/// The job, once this holds for it.
async fn job_when(gateway: &Gateway, id: &str, done: impl Fn(&Value) -> bool) -> Value {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let reply = gateway.admin("GET", &format!("/api/v1/jobs/{id}"), VIEWER_TOKEN, None).await;
        let job = reply.json()["data"].clone();
        if done(&job) {
            return job;
        }
        assert!(tokio::time::Instant::now() < deadline, "{job:#}\n{}", gateway.log());
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

async fn ended(gateway: &Gateway, id: &str) -> Value {
    let job = job_when(gateway, id, |job| job["state"] != "running").await;
    assert_eq!(job["state"], "done", "{job:#}");
    job["report"].clone()
}

async fn settled(gateway: &Gateway, count: u64) -> Vec<String> {
    let mut events = Vec::new();
    for number in 0..count {
        let delivery = gateway.request_network(&invoice::processing(number, 1)).await.delivery_id();
        let event = gateway.event_in(&delivery, "settled", "PROVIDER_EVENT").await;
        events.push(event["event_id"].as_str().expect("an id").to_owned());
    }
    events
}

#[tokio::test]
async fn rule_18_a_backend_that_lost_what_it_took_gets_the_stored_bytes_again() {
    let backend = Receiver::start(&[FORWARD_SECRET]);
    let site = site(&backend);
    let gateway = site.start();
    let events = settled(&gateway, 3).await;
    let cli = |arguments: &[&str]| ask(&site, &gateway, ADMIN_TOKEN, arguments, "");
    let counted = cli(&["resend", "--state", "delivered", "--dry-run", "-o", "json"]).json();
    assert_eq!((&counted["messages"], &counted["destinations"]["default"]), (&json!(3), &json!(3)));
    cli(&["resend", "--state", "delivered"]).fails(2, "3 messages would be sent again");
    cli(&["resend"]).fails(2, "say what is sent again");
    cli(&["resend", "--destination", "books", "--yes"]).fails(1, "NOT_FOUND");
    ask(&site, &gateway, VIEWER_TOKEN, &["resend", "--state", "dead", "--yes"], "").fails(1, "FORBIDDEN");
    assert_eq!(backend.received().len(), 3, "so far it was only counted");

    let reason = ["--reason", "restored from last night"];
    let sent = cli(&[&["resend", "--state", "delivered", "--yes", "-o", "json"][..], &reason].concat()).json();
    assert_eq!((&sent["messages"], &sent["left_out"]), (&json!(3), &json!({})));
    let all = backend.wait_for(6).await;
    let (first, again) = all.split_at(3);
    for one in again {
        let before = first.iter().find(|before| before.webhook_id == one.webhook_id).expect("the same id");
        assert_eq!((&before.body, replay_id(before)), (&one.body, None), "the stored bytes");
    }
    let jobs = cli(&["jobs", "list", "-o", "json"]).json();
    let job = jobs.as_array().expect("jobs").iter().find(|job| job["params"]["dry_run"] == false).expect("the job");
    assert_eq!((&job["kind"], &job["reason"]), (&json!("resend"), &json!("restored from last night")));
    assert!(again.iter().all(|one| replay_id(one) == job["job_id"].as_str()), "a header says which job");

    // Under a new version, by the beginning of an event's id: a backend that holds the first takes it.
    let short = events[0].get(..13).expect("digits");
    let renewed = cli(&["resend", short, "--new-version", "--yes", "-o", "json"]).json();
    assert_eq!(renewed["types"], json!({"provider.event": 1}));
    let all = backend.wait_for(7).await;
    let last = all.last().expect("a message");
    assert_eq!((&last.webhook_id, &last.message["data"]["state_version"]), (&format!("{}_2", events[0]), &json!(2)));
    let old = cli(&["resend", &format!("{}_1", events[0]), "--yes", "-o", "json"]).json();
    assert_eq!(old["left_out"], json!({"outdated": 1}));
    let listed = cli(&["events", "list", "-o", "id"]);
    assert_eq!(listed.lines().len(), 3, "no second event");
    let audit = cli(&["audit", "list", "--what", "job.start", "-o", "json"]).json();
    assert_eq!(audit[0]["who"], "admin");
}

#[tokio::test]
async fn a_resend_goes_on_after_kill_9_and_makes_each_message_due_once() {
    let backend = Receiver::start(&[FORWARD_SECRET]);
    let site = site(&backend);
    let gateway = site.start();
    settled(&gateway, 4).await;
    let job = started(&gateway, &json!({"kind": "resend", "state": "delivered", "rate": 1})).await;
    let busy =
        gateway.admin("POST", "/api/v1/jobs", ADMIN_TOKEN, Some(&json!({"kind": "resend", "state": "dead"}))).await;
    assert_eq!((busy.status, busy.code().as_str()), (409, "JOB_BUSY"));
    job_when(&gateway, &job, |job| job["report"]["messages"].as_u64().is_some_and(|sent| 1 <= sent)).await;
    let gateway = gateway.kill().start();
    let report = ended(&gateway, &job).await;
    assert_eq!((&report["messages"], &report["looked_at"]), (&json!(4), &json!(4)));
    let again = |all: &[Received]| {
        let ids = all.iter().filter(|one| replay_id(one) == Some(job.as_str())).map(|one| one.webhook_id.clone());
        ids.collect::<BTreeSet<_>>()
    };
    let all = backend.wait_until("all of them again", |all| again(all).len() == 4).await;
    assert_eq!(all.iter().map(|one| &one.webhook_id).collect::<BTreeSet<_>>().len(), 4);
    assert_eq!(
        gateway.admin("GET", &format!("/api/v1/jobs/{job}"), VIEWER_TOKEN, None).await.text("/data/by"),
        "admin"
    );

    // Cancelled before its next step; what was made due is sent.
    let other = started(&gateway, &json!({"kind": "resend", "state": "delivered", "rate": 1})).await;
    job_when(&gateway, &other, |job| job["report"]["messages"].as_u64().is_some_and(|sent| 1 <= sent)).await;
    let path = format!("/api/v1/jobs/{other}/cancel");
    assert_eq!(gateway.admin("POST", &path, VIEWER_TOKEN, Some(&json!({}))).await.status, 403);
    assert_eq!(gateway.admin("POST", &path, ADMIN_TOKEN, Some(&json!({}))).await.status, 200);
    let job = job_when(&gateway, &other, |job| job["state"] != "running").await;
    assert_eq!(job["state"], "cancelled");
    assert!(job["report"]["messages"].as_u64().is_some_and(|sent| sent < 4), "{job:#}");
}

/// Addresses of nobody, enough that one may leave the list, or come to it.
fn others() -> String {
    (0x5a00_u32..0x5a0a).map(|number| format!("0x{number:040X}\n")).collect()
}

fn write(path: &Path, text: &str) {
    let new = path.with_extension("new");
    std::fs::write(&new, text).expect("written");
    std::fs::rename(new, path).expect("in its place");
}

/// Waits until a list was taken so many times.
async fn taken(gateway: &Gateway, times: usize) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while gateway.log().matches("deny list taken").count() < times {
        assert!(tokio::time::Instant::now() < deadline, "{}", gateway.log());
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

/// A world that denies its payer.
async fn denying(list: &Path) -> World {
    let net = Devnet::start().await.expect("a chain");
    write(list, &format!("{}{}\n", others(), net.payer));
    let lines = vec![("verification", format!("screening = {{ files = [\"{}\"] }}", list.display()))];
    World::on(net, Ways { lines, ..Ways::default() })
}

/// Orders that were paid, each held because its payer is denied; their deliveries.
async fn held(world: &World, orders: std::ops::Range<u8>) -> Vec<String> {
    let mut deliveries = Vec::new();
    for order in orders {
        world.expect(&format!("order-{order}"), &world.terms(order, "12")).await;
        let tx = world.pay(order, 12).await;
        let delivery = world.rn(&confirmed(order, tx, "12")).await;
        world.silent(&delivery, "held", "SANCTIONED").await;
        deliveries.push(delivery);
    }
    deliveries
}

#[tokio::test]
async fn rule_23_a_replay_frees_what_is_let_go_and_never_lowers_what_was_forwarded() {
    let folder = tempfile::tempdir().expect("a folder");
    let list = folder.path().join("deny.txt");
    let world = denying(&list).await;
    let site = Site::new(&Setup::default());
    let deliveries = held(&world, 1..3).await;
    // Captured and posted again: a delivery more, and no event more.
    let card = world.stripe(&crate::support::money::card("1")).await;
    world.message(&card, "provider.event").await;
    write(&list, &others());
    taken(&world.gateway, 1).await;
    world.silent(&deliveries[0], "held", "SANCTIONED").await;
    let cli = |arguments: &[&str]| ask(&site, &world.gateway, ADMIN_TOKEN, arguments, "");

    let shown = cli(&["replay", "--since", "1h", "--dry-run", "-o", "json"]).json();
    assert_eq!((&shown["deliveries"], &shown["events"]), (&json!(3), &json!(3)));
    assert_eq!(shown["effects"], json!({"judged_again": 2, "nothing_to_judge": 1}));
    assert_eq!(shown["would_send"], json!({"payment.verified": 2}));
    let group = shown["groups"].as_array().expect("groups").iter().find(|group| group["events"] == 2).expect("one");
    assert_eq!((&group["then"], &group["now"]), (&json!("held SANCTIONED"), &json!("confirmed VERIFIED")));
    world.silent(&deliveries[0], "held", "SANCTIONED").await;
    cli(&["replay", "--since", "1h"]).fails(2, "would be sent: 2 payment.verified");
    cli(&["replay", "--dry-run"]).fails(2, "say what is judged again");
    cli(&["replay", "--code", "NO_SUCH", "--dry-run"]).fails(2, "BAD_REQUEST");

    let done = cli(&["replay", &deliveries[0], "--yes", "-o", "json", "--reason", "the list was wrong"]).json();
    assert_eq!(done["effects"], json!({"judged_again": 1}));
    let message = world.message(&deliveries[0], "payment.verified").await;
    let is_sent = |event: &Value| event["state"] == "settled" || event["state"] == "forwarded";
    let sent = world.gateway.event_when(&deliveries[0], is_sent).await;
    let trace = sent["trace"].as_array().expect("a trace");
    assert!(trace.iter().any(|entry| entry["detail"]["reason"] == "the list was wrong"), "{trace:#?}");
    // A second one finds nothing to do, and sends nothing.
    let done = cli(&["replay", &deliveries[0], "--yes", "-o", "json"]).json();
    assert_eq!(done["effects"], json!({"same": 1}));
    world.silent(&deliveries[1], "held", "SANCTIONED").await;

    // Denied now: it was forwarded and stays so; the differing verdict is stored and told.
    write(&list, &format!("{}{}\n", others(), world.net.payer));
    taken(&world.gateway, 2).await;
    let retract = ["replay", &deliveries[0], "--yes", "-o", "json", "--retract", "--reason", "to see"];
    let done = cli(&retract).json();
    assert_eq!(done["effects"], json!({"differs": 1}), "a case for a person takes nothing back");
    world.gateway.says("what was forwarded would be judged otherwise now").await;
    let event = world.gateway.event_when(&deliveries[0], |event| is_sent(event) && event["code"] == "VERIFIED").await;
    let last = event["trace"].as_array().and_then(|trace| trace.last().cloned()).expect("a trace");
    assert_eq!((&last["detail"]["verdict"], &last["detail"]["code"]), (&json!("held"), &json!("SANCTIONED")));
    assert_eq!(world.about(&message["data"]["event_id"]).len(), 1, "nothing more is sent about it");
}

#[tokio::test]
async fn a_replay_goes_on_after_kill_9_to_the_same_outcome() {
    let folder = tempfile::tempdir().expect("a folder");
    let list = folder.path().join("deny.txt");
    let world = denying(&list).await;
    let deliveries = held(&world, 1..5).await;
    write(&list, &others());
    taken(&world.gateway, 1).await;
    let job = started(&world.gateway, &json!({"kind": "replay", "source": "request-network", "rate": 1})).await;
    job_when(&world.gateway, &job, |job| job["report"]["events"].as_u64().is_some_and(|seen| 1 <= seen)).await;
    let world = world.killed();
    let report = ended(&world.gateway, &job).await;
    assert_eq!((&report["events"], &report["effects"]), (&json!(4), &json!({"judged_again": 4})), "{report:#}");
    for delivery in &deliveries {
        world.message(delivery, "payment.verified").await;
    }
    let payments: BTreeSet<String> = world.backend.received().iter().map(|one| one.webhook_id.clone()).collect();
    assert_eq!(payments.len(), 4, "one message a payment");
}

#[tokio::test]
async fn rule_23_only_a_retraction_with_a_reason_takes_back_what_the_rules_refuse_now() {
    let world = World::start().await;
    world.expect("order-1", &world.terms(1, "12")).await;
    let tx = world.pay(1, 12).await;
    let delivery = world.rn(&confirmed(1, tx, "12")).await;
    let message = world.message(&delivery, "payment.verified").await;
    let id = message["data"]["event_id"].clone();
    world.gateway.event_when(&delivery, |event| event["state"] == "settled" || event["state"] == "forwarded").await;
    // The merchant's address is no longer one of ours.
    let World { gateway, backend, net } = world;
    let stopped = gateway.kill();
    let text = std::fs::read_to_string(stopped.file()).expect("the configuration");
    let bound = "[verification]\nrecipients = [\"0x1111111111111111111111111111111111111111\"]\n";
    std::fs::write(stopped.file(), text.replacen("[verification]\n", bound, 1)).expect("written");
    let world = World { gateway: stopped.start(), backend, net };
    let site = Site::new(&Setup::default());
    let cli = |arguments: &[&str]| ask(&site, &world.gateway, ADMIN_TOKEN, arguments, "");

    let done = cli(&["replay", &delivery, "--yes", "-o", "json"]).json();
    assert_eq!(done["effects"], json!({"differs": 1}), "{done:#}");
    assert!(done["groups"][0]["now"].as_str().is_some_and(|now| now.starts_with("refuted ")), "{done:#}");
    assert_eq!(world.about(&id).len(), 1, "stored and told, and nothing is taken back");
    cli(&["replay", &delivery, "--retract", "--yes"]).fails(2, "--reason");
    let retract = ["replay", &delivery, "--retract", "--yes", "--reason", "paid to an address we lost", "-o", "json"];
    assert_eq!(cli(&retract).json()["effects"], json!({"retracted": 1}));
    let heard = world.backend.wait_until("a retraction", |all| {
        all.iter().any(|one| one.message_type() == "payment.retracted" && one.message["data"]["event_id"] == id)
    });
    let all = heard.await;
    let taken_back = all.iter().find(|one| one.message_type() == "payment.retracted").expect("it came");
    assert_eq!(taken_back.message["data"]["payment"], message["data"]["payment"], "the payment as it was told");
    assert_eq!(taken_back.message["data"]["retraction"]["permanent"], true);
    assert_eq!(world.expectation("order-1").await["status"], "open");
    // Once: a second run finds it retracted.
    assert_eq!(cli(&retract).json()["effects"], json!({"same": 1}));
}
