//! `evidence rebuild-ledger`: a ledger that is gone, behind, damaged or without its deliveries' bodies comes back with the
//! same ids, and nothing is sent twice.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use evidence_store::{Decision, DecisionId, Facts, Options, Store, StubEvent, StubTransfer};
use rusqlite::Connection;
use serde_json::{Value, json};
use tollgate::clock::Clock;
use tollgate::ledger::sqlite::Sqlite;
use tollgate::ledger::{ChangeTable, KnownDelivery, Ledger, PauseTarget, Who};

use crate::support::gateway::{ADMIN_TOKEN, Gateway, Setup, Site, text};
use crate::support::invoice;
use crate::support::money::{World, card, confirmed, with};
use crate::support::receiver::Receiver;

/// How long nothing must come before it counts as nothing.
const QUIET: Duration = Duration::from_millis(1500);

fn log(site: &Site) -> Store {
    let options = Options {
        path: site.data().join("evidence"),
        reserve_bytes: 0,
        rejected_max_bytes: 1 << 20,
        repeats_max: 64,
        observer: None,
    };
    Store::open(options).expect("the log opens")
}

fn ledger_file(site: &Site) -> PathBuf {
    site.data().join("ledger.db")
}

fn ledger(site: &Site) -> Sqlite {
    Sqlite::open(&ledger_file(site), &Clock::system()).expect("the ledger opens")
}

/// Copies every decision of a stopped gateway to its log, as it is done while serving; copying again changes nothing.
async fn copy_decisions(site: &Site) {
    let (store, ledger) = (log(site), ledger(site));
    let identity = ledger.identity().await.expect("its identity");
    for (table, number) in [(ChangeTable::Trace, DecisionId::TRACE), (ChangeTable::Audit, DecisionId::AUDIT)] {
        let mut after = 0;
        loop {
            let changes = ledger.changes(table, after, 500).await.expect("changes");
            let Some(last) = changes.last() else { break };
            after = last.number;
            let decisions = changes.into_iter().map(|change| Decision {
                id: DecisionId {
                    ledger_id: identity.ledger_id,
                    epoch: identity.epoch,
                    table: number,
                    number: change.number,
                },
                at_us: change.at_us,
                event_id: change.event_id.map(|event| event.0),
                kind: change.kind,
                body: change.body.into(),
            });
            store.append_decisions(decisions.collect()).await.expect("stored");
        }
    }
}

fn lose_ledger(site: &Site) {
    for ending in ["", "-wal", "-shm"] {
        drop(std::fs::remove_file(site.data().join(format!("ledger.db{ending}"))));
    }
}

fn rebuild(site: &Site) -> Value {
    rebuild_with(site, &[])
}

fn rebuild_with(site: &Site, more: &[&str]) -> Value {
    let file = text(&site.file());
    let arguments = [&["evidence", "rebuild-ledger", "--config", &file, "-o", "json"], more].concat();
    let output = site.command().args(arguments).output().expect("the program runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("a report")
}

async fn resume(site: &Site) {
    let who = Who { name: "ann".to_owned(), from: "test".to_owned(), reason: None };
    let now_us = Clock::system().now().as_microsecond();
    let resumed = ledger(site).set_pause(PauseTarget::Forwarding, false, who, now_us).await.expect("resumes");
    assert!(resumed, "the rebuild paused forwarding");
}

fn ids(backend: &Receiver) -> Vec<String> {
    backend
        .received()
        .iter()
        .map(|one| one.message["data"]["event_id"].as_str().unwrap_or_default().to_owned())
        .collect()
}

async fn event_of(gateway: &Gateway, delivery: &str) -> Value {
    gateway.event_when(delivery, |event| event["event_id"].is_string()).await
}

fn query<T: rusqlite::types::FromSql>(site: &Site, sql: &str) -> T {
    let ledger = Connection::open(ledger_file(site)).expect("the ledger");
    ledger.query_row(sql, [], |row| row.get(0)).expect(sql)
}

/// A verified payment and a provider's event, both with the backend.
struct Paid {
    site: Site,
    backend: Receiver,
    net: tollgate::demo::devnet::Devnet,
    payment: Value,
    payment_delivery: String,
    card_delivery: String,
    payment_event: Value,
    card_event: Value,
}

/// `copied`: the log has every decision, as it has when the gateway was stopped in order.
async fn paid(copied: bool) -> Paid {
    let world = World::start().await;
    world.expect("order-1", &world.terms(1, "40")).await;
    let tx = world.pay(1, 40).await;
    let payment = confirmed(1, tx, "40");
    let payment_delivery = world.rn(&payment).await;
    let card_delivery = world.stripe(&card("Known")).await;
    world.message(&payment_delivery, "payment.verified").await;
    let sent = |event: &Value| event["state"] == "settled" || event["state"] == "forwarded";
    let payment_event = world.gateway.event_when(&payment_delivery, sent).await;
    let card_event = world.gateway.event_in(&card_delivery, "settled", "PROVIDER_EVENT").await;
    let World { gateway, backend, net } = world;
    let site = gateway.stop();
    if copied {
        copy_decisions(&site).await;
    }
    Paid { site, backend, net, payment, payment_delivery, card_delivery, payment_event, card_event }
}

#[tokio::test]
async fn a_ledger_that_is_gone_comes_back_with_the_same_ids_and_sends_nothing_twice() {
    let paid = paid(true).await;
    let (site, backend) = (&paid.site, &paid.backend);
    let claims: i64 = query(site, "SELECT COUNT(*) FROM transfer_claims WHERE state = 'claimed'");
    let trace: i64 = query(site, "SELECT COUNT(*) FROM trace");
    assert!(claims > 0);
    let sent = ids(backend);
    lose_ledger(site);
    site.fails_to_start(&[]).assert(4, &["LEDGER_MISSING", "tollgate evidence rebuild-ledger"]);

    let dry = rebuild_with(site, &["--dry-run"]);
    assert_eq!((&dry["dry_run"], &dry["differences"]["events_lacked"]["count"]), (&json!(true), &json!(2)));
    assert!(!ledger_file(site).exists(), "a dry run changes nothing");
    let report = rebuild(site);
    assert_eq!(report["differences"]["deliveries_lacked"]["count"], 2, "{report:#}");
    assert_eq!((&report["ledger"]["due"], &report["ledger"]["epoch"]), (&json!(0), &json!(1)), "{report:#}");
    assert_eq!(query::<i64>(site, "SELECT COUNT(*) FROM transfer_claims WHERE state = 'claimed'"), claims);
    assert_eq!(query::<i64>(site, "SELECT COUNT(*) FROM trace"), trace, "every decision once");

    let gateway = site.start();
    for before in [&paid.payment_event, &paid.card_event] {
        let id = before["event_id"].as_str().expect("an id");
        let now = gateway.admin("GET", &format!("/api/v1/events/{id}"), ADMIN_TOKEN, None).await.json()["data"].clone();
        assert_eq!((&now["code"], &now["payment_id"]), (&before["code"], &before["payment_id"]), "{now:#}");
        assert!(now["state"] == "settled" || now["state"] == "forwarded", "{now:#}");
    }
    // Old events under new deliveries, and one that is really new.
    let again = gateway.request_network(paid.payment.to_string().as_bytes()).await.delivery_id();
    assert_eq!(event_of(&gateway, &again).await["event_id"], paid.payment_event["event_id"]);
    let variant = with(&paid.payment, json!({"event": "payment.confirmed.client_id"}));
    let variant = gateway.request_network(variant.to_string().as_bytes()).await.delivery_id();
    assert_eq!(event_of(&gateway, &variant).await["event_id"], paid.payment_event["event_id"]);
    let copy = gateway.stripe(card("Known").to_string().as_bytes()).await.delivery_id();
    assert_eq!(event_of(&gateway, &copy).await["event_id"], paid.card_event["event_id"]);
    let new = gateway.stripe(card("New").to_string().as_bytes()).await.delivery_id();
    let new = gateway.event_in(&new, "forwarding", "PROVIDER_EVENT").await;
    tokio::time::sleep(QUIET).await;
    assert_eq!(ids(backend), sent, "nothing is sent before somebody resumes");

    let site = gateway.stop();
    resume(&site).await;
    let gateway = site.start();
    let new_id = new["event_id"].as_str().expect("an id").to_owned();
    backend.wait_until("the new event", |all| all.iter().any(|one| one.message["data"]["event_id"] == new_id)).await;
    tokio::time::sleep(QUIET).await;
    let expected = [sent, vec![new_id]].concat();
    assert_eq!(ids(backend), expected, "and then only what was not sent before");
    let message = backend.received().last().expect("it").message.clone();
    assert_eq!(message["data"]["state_version"], 1_000_001, "above all that a backend may hold");
    drop((gateway, paid.net));
}

#[tokio::test]
async fn what_was_decided_after_the_copy_is_judged_or_sent_again_behind_the_pause() {
    let backend = Receiver::start(&[crate::support::gateway::FORWARD_SECRET]);
    let site = Site::new(&Setup { backend: Some(backend.address()), ..Setup::default() });
    let gateway = site.start();
    let first = gateway.stripe(card("First").to_string().as_bytes()).await.delivery_id();
    let first = gateway.event_in(&first, "settled", "PROVIDER_EVENT").await;
    let site = gateway.stop();
    copy_decisions(&site).await;
    // Nobody copied what became of this one: whether it was sent is not on record.
    let gateway = site.start();
    let second = gateway.stripe(card("Second").to_string().as_bytes()).await.delivery_id();
    let second = gateway.event_in(&second, "settled", "PROVIDER_EVENT").await;
    let site = gateway.kill();
    {
        // The log as it is when the copying was behind.
        let store = log(&site);
        let event = second["event_id"].as_str().and_then(|id| id.parse().ok()).expect("an id");
        if !store.decisions_of(event, 10).expect("reads").is_empty() {
            return;
        }
    }
    lose_ledger(&site);
    let report = rebuild(&site);
    assert_eq!(report["differences"]["messages_made_again"]["items"], json!([second["event_id"]]), "{report:#}");
    assert_eq!(report["ledger"]["due"], 1);
    resume(&site).await;
    let _gateway = site.start();
    let all = backend.wait_until("it comes again", |all| all.len() == 3).await;
    assert_eq!(all[2].message["data"]["event_id"], second["event_id"], "under its own id");
    assert_ne!(all[2].message["data"]["event_id"], first["event_id"]);
}

#[tokio::test]
async fn an_old_ledger_keeps_what_only_it_knows_and_differences_are_shown() {
    let paid = paid(true).await;
    let site = &paid.site;
    let before = |sql: &str| query::<i64>(site, sql);
    let counts = ["expectations", "attempts", "messages", "audit", "deliveries", "events", "trace", "transfer_claims"]
        .map(|table| (table, before(&format!("SELECT COUNT(*) FROM {table}"))));
    let body: Vec<u8> = query(site, "SELECT body FROM messages ORDER BY seq LIMIT 1");
    {
        let ledger = Connection::open(ledger_file(site)).expect("the ledger");
        // Behind, with rows removed, and with an event that no log knows.
        ledger
            .execute_batch(
                "PRAGMA foreign_keys = OFF;
                 DROP TRIGGER transfer_claims_stay; DROP TRIGGER trace_stays;
                 DELETE FROM deliveries WHERE source = 'stripe';
                 DELETE FROM transfer_claims;
                 DELETE FROM trace WHERE to_state <> 'verifying';
                 INSERT INTO identities SELECT identity, (SELECT event_id FROM events WHERE source = 'stripe')
                    FROM events WHERE source = 'request-network';
                 UPDATE events SET state = 'verifying', code = NULL, payment_id = NULL, anchor = NULL,
                    updated_us = received_us WHERE source = 'request-network';
                 INSERT INTO events (event_id, source, realm, provider_type, received_us, facts, thin, lane, state,
                    version, state_version, looks, anchor_check, updated_us)
                 SELECT zeroblob(16), source, realm, provider_type, received_us, facts, thin, lane, 'held', 1, 0, 0, 0,
                    updated_us FROM events WHERE source = 'stripe';",
            )
            .expect("it is spoiled");
    }
    let report = rebuild(site);
    let differed = &report["differences"];
    assert_eq!(differed["deliveries_lacked"]["count"], 1, "{report:#}");
    assert_eq!(differed["events_without_delivery"]["items"], json!(["00000000-0000-0000-0000-000000000000"]));
    assert_eq!(differed["identities_repointed"]["count"], 1);
    assert_eq!(differed["states_behind"]["items"][0]["of"], paid.payment_event["event_id"]);
    assert_eq!(report["ledger"]["due"], 0, "what the log says was sent waits for nothing");
    let kept = report["old_kept_as"].as_str().expect("a name");
    assert!(std::path::Path::new(kept).exists(), "{kept}");
    for (table, count) in counts {
        let now = before(&format!("SELECT COUNT(*) FROM {table}"));
        match table {
            "audit" => assert_eq!(now, count + 2, "the pause and the rebuild are recorded"),
            "events" => assert_eq!(now, count + 1, "the one that no log knows is kept"),
            _ => assert_eq!(now, count, "{table}"),
        }
    }
    assert_eq!(query::<Vec<u8>>(site, "SELECT body FROM messages ORDER BY seq LIMIT 1"), body);
    let gaps: i64 = before("SELECT MAX(id) - COUNT(*) FROM trace");
    assert_eq!(gaps, 0, "decisions are numbered without gaps");

    let sent = ids(&paid.backend);
    resume(site).await;
    let gateway = site.start();
    let event = event_of(&gateway, &paid.payment_delivery).await;
    assert_eq!(event["payment_id"], paid.payment_event["payment_id"], "{event:#}");
    let again = gateway.request_network(paid.payment.to_string().as_bytes()).await.delivery_id();
    assert_eq!(event_of(&gateway, &again).await["event_id"], paid.payment_event["event_id"]);
    let order = gateway.admin("GET", "/api/v1/expectations/order-1", ADMIN_TOKEN, None).await.json()["data"].clone();
    assert_eq!((&order["status"], &order["accept"][0]["received"]), (&json!("paid"), &json!("40")), "{order:#}");
    tokio::time::sleep(QUIET).await;
    assert_eq!(ids(&paid.backend), sent);
    // A second rebuild of a sound ledger finds nothing to say.
    let site = gateway.stop();
    let report = rebuild(&site);
    for list in ["deliveries_lacked", "events_lacked", "identities_repointed", "states_behind", "deliveries_repointed"]
    {
        assert_eq!(report["differences"][list]["count"], 0, "{list}: {report:#}");
    }
    assert_eq!(report["ledger"]["epoch"], 2);
}

#[tokio::test]
async fn a_state_that_somebody_else_wrote_is_named_and_what_was_decided_counts() {
    let site = Site::new(&Setup::default());
    let gateway = site.start();
    let first = gateway.stripe(card("First").to_string().as_bytes()).await.delivery_id();
    let first = gateway.event_in(&first, "forwarding", "PROVIDER_EVENT").await;
    let second = gateway.stripe(card("Second").to_string().as_bytes()).await.delivery_id();
    gateway.event_in(&second, "forwarding", "PROVIDER_EVENT").await;
    let site = gateway.stop();
    let sound = rebuild_with(&site, &["--dry-run"]);
    assert_eq!(sound["differences"]["states_contradicted"]["count"], 0, "{sound:#}");
    let hidden = "UPDATE events SET state = 'ignored', code = 'TEST_MODE' WHERE event_id =
        (SELECT event_id FROM events ORDER BY id LIMIT 1)";
    Connection::open(ledger_file(&site)).and_then(|ledger| ledger.execute(hidden, [])).expect("it is hidden");

    let report = rebuild(&site);
    let found = &report["differences"]["states_contradicted"];
    let named = json!({
        "of": first["event_id"], "was": "ignored TEST_MODE", "is": "forwarding PROVIDER_EVENT",
    });
    assert_eq!((&found["count"], &found["items"][0]), (&json!(1), &named), "{report:#}");
    assert_eq!(report["ledger"]["due"], 2, "both messages wait still");
    assert_eq!(query::<i64>(&site, "SELECT COUNT(*) FROM events WHERE state = 'forwarding'"), 2);
}

fn stub_of(known: tollgate::ledger::LedgerStub) -> StubEvent {
    StubEvent {
        event_id: known.event_id.0,
        identities: known.identities,
        state_version: known.state_version,
        state: known.state.to_string(),
        code: known.code.map(|code| code.to_string()),
        payment_id: known.payment_id,
        transfers: known
            .transfers
            .into_iter()
            .map(|one| StubTransfer {
                chain_id: one.chain_id,
                tx_hash: one.tx_hash,
                slot: one.slot,
                block_hash: one.block_hash,
                block_number: one.block_number,
                tx_index: one.tx_index,
                amount: one.amount,
                token: one.token,
                recipient: one.recipient,
                claimed: one.claimed,
            })
            .collect(),
        facts: Some(known.facts.into()),
        expectation_id: known.expectation_id,
        join: known.join,
    }
}

#[tokio::test]
async fn rule_7_a_body_whose_delivery_was_pruned_makes_no_new_event_after_a_rebuild() {
    // Stubs alone have to do: no decision was copied.
    let paid = paid(false).await;
    let site = &paid.site;
    {
        let (store, ledger) = (log(site), ledger(site));
        let mut stubs = Vec::new();
        for delivery in [&paid.payment_delivery, &paid.card_delivery] {
            let delivery = delivery.parse().expect("an id");
            let KnownDelivery::Event(known) = ledger.stub_of(delivery).await.expect("reads") else { panic!("known") };
            stubs.push((delivery, Some(stub_of(*known))));
        }
        let at_us = Clock::system().now().as_microsecond();
        let facts = Facts { at_us, by: "ann".to_owned(), reason: "a year old".to_owned() };
        assert_eq!(store.prune(stubs, facts).expect("prunes").removed.len(), 2);
    }
    lose_ledger(site);
    let report = rebuild(site);
    assert_eq!(report["ledger"]["events"], 2, "{report:#}");
    assert_eq!(query::<i64>(site, "SELECT COUNT(*) FROM deliveries WHERE removed = 'pruned'"), 2);
    assert!(query::<i64>(site, "SELECT COUNT(*) FROM transfer_claims WHERE state = 'claimed'") > 0);
    resume(site).await;
    let sent = ids(&paid.backend);
    let gateway = site.start();
    let again = gateway.request_network(paid.payment.to_string().as_bytes()).await.delivery_id();
    let event = event_of(&gateway, &again).await;
    assert_eq!(event["event_id"], paid.payment_event["event_id"], "{event:#}");
    let copy = gateway.stripe(card("Known").to_string().as_bytes()).await.delivery_id();
    assert_eq!(event_of(&gateway, &copy).await["event_id"], paid.card_event["event_id"]);
    tokio::time::sleep(QUIET).await;
    assert_eq!(ids(&paid.backend), sent, "nothing is sent");
    let events: BTreeSet<_> = sent.into_iter().collect();
    assert_eq!(events.len(), 2);
}

#[tokio::test]
async fn a_rebuild_that_is_killed_leaves_the_old_ledger_as_it_was() {
    let site = Site::new(&Setup::default());
    let gateway = site.start();
    for step in 1..=40 {
        gateway.request_network(&invoice::processing(step, step)).await.delivery_id();
    }
    // Killed, so that a write-ahead log lies beside it.
    let site = gateway.kill();
    let files = ["ledger.db", "ledger.db-wal"].map(|name| site.data().join(name));
    let before = files.clone().map(|file| std::fs::read(file).expect("its bytes"));
    for after_ms in [5, 15, 30, 45, 60, 80, 100, 130] {
        let mut child = site
            .command()
            .args(["evidence", "rebuild-ledger", "--dry-run", "--config", &text(&site.file())])
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("it starts");
        tokio::time::sleep(Duration::from_millis(after_ms)).await;
        child.kill().expect("it is killed");
        child.wait().expect("it ends");
        assert_eq!(files.clone().map(|file| std::fs::read(file).expect("its bytes")), before, "after {after_ms} ms");
    }
    let report = rebuild(&site);
    assert_eq!((&report["ledger"]["deliveries"], &report["ledger"]["events"]), (&json!(40), &json!(40)), "{report:#}");
    let kept = report["old_kept_as"].as_str().expect("a name").to_owned();
    let now = [kept.clone(), format!("{kept}-wal")].map(|file| std::fs::read(file).expect("its bytes"));
    assert_eq!(now, before, "the old one is kept, byte for byte");
    let left: Vec<_> = std::fs::read_dir(site.data())
        .expect("the folder")
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.contains("rebuilding") || name.contains("rebuilt"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
    drop(site.start());
}

#[tokio::test]
async fn a_swap_that_was_interrupted_is_ended_by_the_next_rebuild() {
    let site = Site::new(&Setup::default());
    let gateway = site.start();
    gateway.request_network(&invoice::processing(1, 1)).await.delivery_id();
    let site = gateway.stop();
    rebuild(&site);
    // As a crash between the last two renames leaves it.
    std::fs::rename(ledger_file(&site), site.data().join("ledger.db.rebuilt")).expect("renamed");
    site.fails_to_start(&[]).assert(4, &["LEDGER_MISSING", "rebuild-ledger"]);
    assert_eq!(rebuild(&site)["resumed"], true);
    drop(site.start());
}

#[tokio::test]
async fn what_can_be_read_of_a_damaged_ledger_is_kept() {
    let paid = paid(true).await;
    let site = &paid.site;
    {
        let ledger = Connection::open(ledger_file(site)).expect("the ledger");
        ledger.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).expect("one file");
    }
    let root: i64 = query(site, "SELECT rootpage FROM sqlite_master WHERE name = 'events'");
    let size: i64 = query(site, "PRAGMA page_size");
    let attempts: i64 = query(site, "SELECT COUNT(*) FROM attempts");
    let place = usize::try_from((root - 1) * size).expect("a place");
    let mut bytes = std::fs::read(ledger_file(site)).expect("its bytes");
    bytes[place..place + usize::try_from(size).expect("a page")].fill(0x55);
    std::fs::write(ledger_file(site), &bytes).expect("damaged");
    let report = rebuild(site);
    let unread = report["old"]["unread"].as_array().expect("a list");
    assert!(unread.iter().any(|one| one["table"] == "events"), "{report:#}");
    assert_eq!(report["differences"]["events_lacked"]["count"], 2, "{report:#}");
    assert_eq!(query::<i64>(site, "SELECT COUNT(*) FROM attempts"), attempts);
    assert_eq!(query::<i64>(site, "SELECT COUNT(*) FROM expectations"), 1);
    assert_eq!(report["ledger"]["due"], 0, "what the messages' own rows say was delivered stays so: {report:#}");
    let gateway = site.start();
    let event = event_of(&gateway, &paid.payment_delivery).await;
    assert_eq!(event["payment_id"], paid.payment_event["payment_id"], "{event:#}");

    // No database at all.
    let site = gateway.stop();
    std::fs::write(ledger_file(&site), vec![0x55; 8192]).expect("damaged");
    for ending in ["-wal", "-shm"] {
        drop(std::fs::remove_file(site.data().join(format!("ledger.db{ending}"))));
    }
    let report = rebuild(&site);
    assert_eq!(report["differences"]["events_lacked"]["count"], 2, "{report:#}");
    drop(site.start());
}

#[tokio::test]
async fn a_running_gateway_is_left_alone() {
    let site = Site::new(&Setup::default());
    let gateway = site.start();
    let ended = site.ends(&["evidence", "rebuild-ledger", "--config", &text(&site.file())]);
    ended.assert(3, &[&format!("process {}", gateway.pid())]);
}
