//! How the program starts, refuses to start and ends: exit codes and messages that say what to do.

use std::fs::Permissions;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;

use rusqlite::Connection;

use crate::support::gateway::{self, ADMIN_TOKEN, Gateway, REQUEST_NETWORK_SECRET, STRIPE_SECRET, Setup, Site};
use crate::support::http;
use crate::support::invoice;

fn site() -> Site {
    Site::new(&Setup::default())
}

/// A site whose gateway took one delivery, worked it and ended in order.
async fn used_site() -> Site {
    let site = site();
    let gateway = site.start();
    let delivery = gateway.request_network(&invoice::processing(1, 1)).await.delivery_id();
    gateway.event_in(&delivery, "forwarding", "PROVIDER_EVENT").await;
    let (status, log) = gateway.terminate();
    assert_eq!(status.code(), Some(0), "{log}");
    site
}

#[test]
fn a_port_in_use_is_named() {
    for (key, name) in [("TOLLGATE_INGRESS__LISTEN", "public"), ("TOLLGATE_ADMIN__LISTEN", "admin")] {
        let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = taken.local_addr().expect("its address").to_string();
        let mut site = site();
        site.set(key, &address);
        let ended = site.fails_to_start(&[]);
        ended.assert(1, &[&address, "in use"]);
        assert!(!ended.text.contains("panicked"), "{name}: {}", ended.text);
    }
}

#[test]
fn a_secret_that_is_not_set_or_blank_is_named_with_its_key() {
    let mut site = site();
    site.unset("IT_STRIPE");
    site.fails_to_start(&[]).assert(2, &["sources.stripe.secrets", "IT_STRIPE"]);
    site.set("IT_STRIPE", "  ");
    site.fails_to_start(&[]).assert(2, &["sources.stripe.secrets", "IT_STRIPE"]);
    assert!(!site.data().exists(), "nothing was opened");
}

#[test]
fn an_unknown_key_is_named_with_the_nearest_known_one() {
    let lines = vec![("evidence", "reserv = \"1 GiB\"".to_owned())];
    let site = Site::new(&Setup { lines, ..Setup::default() });
    site.fails_to_start(&[]).assert(2, &["evidence.reserv", "did you mean \"evidence.reserve\"", "line"]);
}

#[test]
fn a_data_folder_that_is_a_file_is_named() {
    let site = site();
    std::fs::write(site.data(), "not a folder").expect("a file");
    site.fails_to_start(&[]).assert(1, &[&gateway::text(&site.data())]);
}

#[test]
fn a_data_folder_that_cannot_be_read_is_named() {
    let site = site();
    std::fs::create_dir(site.data()).expect("a folder");
    let allow = |mode| std::fs::set_permissions(site.data(), Permissions::from_mode(mode)).expect("its mode");
    allow(0o000);
    // Whoever may read everything is not stopped by a mode.
    if std::fs::read_dir(site.data()).is_err() {
        site.fails_to_start(&[])
            .assert(1, &[&gateway::text(&site.data()), "Permission denied", "writable by this user"]);
    }
    allow(0o700);
    let mut site = site;
    // Nobody at all makes a folder there.
    site.set("TOLLGATE__DATA_DIR", "/proc/tollgate");
    site.fails_to_start(&[]).assert(1, &["/proc/tollgate", "writable by this user"]);
}

#[tokio::test]
async fn a_second_process_on_the_data_folder_is_told_who_holds_it() {
    let site = site();
    let gateway = site.start();
    let pid = gateway.pid().to_string();
    site.fails_to_start(&[]).assert(3, &[&gateway::text(&site.data()), &format!("process {pid}")]);
    gateway.request_network(&invoice::processing(1, 1)).await.delivery_id();
}

#[tokio::test]
async fn a_second_process_may_wait_for_the_first_to_end() {
    let site = site();
    let first = site.start();
    let second = site.begin();
    second.says("waits for the data folder").await;
    first.request_network(&invoice::processing(1, 1)).await.delivery_id();
    let (status, log) = first.terminate();
    assert_eq!(status.code(), Some(0), "{log}");
    let second = second.listens();
    second.request_network(&invoice::processing(1, 2)).await.delivery_id();
}

#[tokio::test]
async fn a_stop_before_it_serves_is_a_stop_in_order() {
    let site = site();
    let _first = site.start();
    let second = site.begin();
    second.says("waits for the data folder").await;
    second.terminate().assert(0, &["stopped before serving"]);
}

fn remove_ledger(site: &Site) {
    for ending in ["", "-wal", "-shm"] {
        let path = site.data().join(format!("ledger.db{ending}"));
        if path.exists() {
            std::fs::remove_file(path).expect("it is removed");
        }
    }
}

#[tokio::test]
async fn rule_27_a_log_with_deliveries_does_not_start_with_no_ledger() {
    let site = used_site().await;
    remove_ledger(&site);
    site.fails_to_start(&[]).assert(4, &["LEDGER_MISSING", "ledger.db"]);
    assert!(!site.data().join("ledger.db").exists(), "no empty ledger is left behind");
    std::fs::write(site.data().join("ledger.db"), "").expect("an empty file");
    site.fails_to_start(&[]).assert(4, &["LEDGER_MISSING", "ledger.db"]);
}

#[tokio::test]
async fn a_log_with_deliveries_does_not_start_with_a_ledger_that_never_saw_one() {
    let (site, fresh) = (used_site().await, site());
    let (status, log) = fresh.start().terminate();
    assert_eq!(status.code(), Some(0), "{log}");
    let path = fresh.data().join("ledger.db");
    let ledger = Connection::open(&path).expect("the fresh ledger");
    let follows: i64 = ledger.query_row("SELECT seq FROM cursor", [], |row| row.get(0)).expect("its log is on record");
    assert_eq!(follows, 0, "the empty log was adopted at the first start");
    ledger.execute("DELETE FROM cursor", []).expect("it never saw a log");
    ledger.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").expect("one file");
    drop(ledger);
    remove_ledger(&site);
    std::fs::copy(&path, site.data().join("ledger.db")).expect("a copy");
    site.fails_to_start(&[]).assert(4, &["LEDGER_MISSING", "ledger.db"]);
}

#[tokio::test]
async fn a_ledger_that_adopted_an_empty_log_does_not_start_with_another() {
    let (site, fresh) = (used_site().await, site());
    let (status, log) = fresh.start().terminate();
    assert_eq!(status.code(), Some(0), "{log}");
    remove_ledger(&site);
    std::fs::copy(fresh.data().join("ledger.db"), site.data().join("ledger.db")).expect("a copy");
    site.fails_to_start(&[]).assert(4, &["EVIDENCE_REWOUND", "follows log"]);
    drop(fresh.start());
}

#[tokio::test]
async fn rule_27_a_ledger_of_another_log_is_refused() {
    let (site, other) = (used_site().await, used_site().await);
    remove_ledger(&site);
    std::fs::copy(other.data().join("ledger.db"), site.data().join("ledger.db")).expect("a copy");
    site.fails_to_start(&[]).assert(4, &["EVIDENCE_REWOUND", "follows log"]);
}

#[tokio::test]
async fn data_of_a_newer_version_is_left_alone() {
    let site = used_site().await;
    let path = site.data().join("ledger.db");
    let version = |wanted: Option<i64>| {
        let ledger = Connection::open(&path).expect("the ledger");
        if let Some(wanted) = wanted {
            ledger.pragma_update(None, "user_version", wanted).expect("it is set");
        }
        ledger.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0)).expect("it is read")
    };
    let known = version(None);
    version(Some(99));
    site.fails_to_start(&[]).assert(5, &["ledger.db", "99", &known.to_string()]);
    assert_eq!(version(None), 99, "nothing was changed");
    version(Some(known));
    drop(site.start());
}

/// A post whose body is on its way when the signal comes.
fn half_a_post(public: SocketAddr, body: &[u8]) -> TcpStream {
    let request = http::signed(
        &http::client(),
        &format!("http://{public}/webhooks/request-network"),
        &tollgate::config::Provider::RequestNetwork,
        REQUEST_NETWORK_SECRET,
        body,
    );
    let request = request.build().expect("a request");
    let mut text = format!("POST /webhooks/request-network HTTP/1.1\r\nhost: {public}\r\n");
    for (name, value) in request.headers() {
        text += &format!("{name}: {}\r\n", value.to_str().expect("text"));
    }
    text += &format!("content-length: {}\r\n\r\n", body.len());
    let mut stream = TcpStream::connect(public).expect("a connection");
    stream.set_read_timeout(Some(gateway::PATIENCE)).expect("a limit");
    stream.write_all(text.as_bytes()).expect("the head");
    stream.write_all(&body[..body.len() / 2]).expect("half of the body");
    stream
}

/// Waits until the request is being read: the next one is answered after it was accepted.
async fn is_open(gateway: &Gateway) {
    let reply = gateway.request_network(&invoice::processing(9, 9)).await;
    assert_eq!(reply.status, 200);
}

#[tokio::test]
async fn a_signal_lets_open_requests_finish_and_ends_with_0() {
    for signal in ["TERM", "INT"] {
        let site = site();
        let mut gateway = site.start();
        let body = invoice::processing(1, 1);
        let mut stream = half_a_post(gateway.public, &body);
        is_open(&gateway).await;
        gateway.signal(signal);
        gateway.says("stopping").await;
        stream.write_all(&body[body.len() / 2..]).expect("the rest of the body");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer, then the end");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let status = gateway.wait();
        assert_eq!(status.code(), Some(0), "{}", gateway.log());
        let (_, json) = answer.split_once("\r\n\r\n").expect("a body");
        let json: serde_json::Value = serde_json::from_str(json).expect("JSON");
        let id = json["data"]["delivery_id"].as_str().expect("an id");
        let again = site.start();
        let raw = again.admin("GET", &format!("/api/v1/deliveries/{id}/raw"), ADMIN_TOKEN, None).await;
        assert_eq!((raw.status, raw.body), (200, body), "what was acknowledged while stopping is kept");
        let shown = again.admin("GET", &format!("/api/v1/deliveries/{id}"), ADMIN_TOKEN, None).await;
        assert_eq!(shown.json()["data"]["taken_in"], true, "and was taken in before the end");
    }
}

#[tokio::test]
async fn a_second_signal_ends_at_once_with_1() {
    let mut gateway = site().start();
    let _open = half_a_post(gateway.public, &invoice::processing(1, 1));
    is_open(&gateway).await;
    gateway.signal("TERM");
    gateway.says("stopping").await;
    assert!(gateway.is_running(), "it waits for the open request");
    gateway.signal("TERM");
    assert_eq!(gateway.wait().code(), Some(1), "{}", gateway.log());
}

#[test]
fn check_says_what_would_run_or_every_problem_at_once() {
    let mut site = site();
    let file = gateway::text(&site.file());
    site.ends(&["check", "--config", &file]).assert(0, &["configuration ok", "request-network", "stripe"]);
    site.unset("IT_STRIPE");
    site.unset("IT_ADMIN");
    let ended = site.ends(&["check", "--config", &file]);
    ended.assert(2, &["IT_STRIPE", "IT_ADMIN", "2 problems"]);
    assert!(!ended.text.contains(STRIPE_SECRET));
    site.ends(&["check", "--config", "nowhere.toml"]).assert(2, &["nowhere.toml"]);
    site.ends(&["check"]).assert(2, &["--config"]);
    assert!(!site.data().exists(), "check opens no data");
}

#[tokio::test]
async fn healthcheck_and_version_answer_by_exit_code() {
    let site = site();
    site.ends(&["version"]).assert(0, &[env!("CARGO_PKG_VERSION")]);
    let gateway = site.start();
    let url = format!("http://{}", gateway.admin);
    let healthy = site.ends(&["healthcheck", "--admin", &url]);
    healthy.assert(0, &[]);
    drop(gateway.kill());
    site.ends(&["healthcheck", "--admin", &url]).assert(1, &[]);
}
