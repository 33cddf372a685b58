//! Operators' commands, against a running gateway and against a stopped one's data: what they show, in which form, and
//! how they end.

use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::gateway::{ADMIN_TOKEN, Gateway, PATIENCE, Setup, Site, VIEWER_TOKEN, text};
use crate::support::money::card;

/// What a command wrote, and how it ended.
pub(crate) struct Told {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Told {
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.code, Some(0), "{}{}", self.out, self.err);
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error} in:\n{}", self.out))
    }

    pub(crate) fn lines(&self) -> Vec<&str> {
        assert_eq!(self.code, Some(0), "{}{}", self.out, self.err);
        self.out.lines().collect()
    }

    pub(crate) fn fails(&self, code: i32, words: &str) {
        assert_eq!(self.code, Some(code), "{}{}", self.out, self.err);
        assert!(self.err.contains(words), "expected {words:?} in:\n{}", self.err);
    }
}

pub(crate) fn told(mut command: Command, input: &str) -> Told {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), input.as_bytes()).unwrap();
    let ended = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Told { code: ended.status.code(), out: text(ended.stdout), err: text(ended.stderr) }
}

/// A command against the running gateway, with this token.
pub(crate) fn ask(site: &Site, gateway: &Gateway, token: &str, arguments: &[&str], input: &str) -> Told {
    let mut command = site.command();
    command.args(arguments).args(["--admin", &format!("http://{}", gateway.admin)]);
    command.env("TOLLGATE_ADMIN_TOKEN", token);
    told(command, input)
}

/// A command against the stopped gateway's data.
pub(crate) fn open(site: &Site, arguments: &[&str]) -> Told {
    let mut command = site.command();
    command.args(arguments).args(["--data", &text(&site.data())]);
    told(command, "")
}

/// The first characters of an id.
pub(crate) fn begin(id: &str, characters: usize) -> String {
    id.chars().take(characters).collect()
}

/// A gateway with three deliveries, the oldest first.
async fn three() -> (Site, Gateway, Vec<String>) {
    let site = Site::new(&Setup::default());
    let gateway = site.start();
    let mut ids = Vec::new();
    for n in ["1", "2", "3"] {
        let id = gateway.stripe(card(n).to_string().as_bytes()).await.delivery_id();
        gateway.event_when(&id, |event| event["code"] == "PROVIDER_EVENT").await;
        ids.push(id);
    }
    (site, gateway, ids)
}

#[tokio::test]
async fn deliveries_are_listed_in_every_form() {
    let (site, gateway, ids) = three().await;
    let newest: Vec<&str> = ids.iter().rev().map(String::as_str).collect();
    let list = |more: &[&str]| ask(&site, &gateway, ADMIN_TOKEN, &[&["deliveries", "list"], more].concat(), "");
    assert_eq!(list(&["-o", "id"]).lines(), newest);
    assert_eq!(list(&["-o", "id", "--reverse"]).lines(), ids);
    assert_eq!(list(&["-o", "id", "-n", "2"]).lines(), newest[..2]);
    assert_eq!(list(&["-o", "id", "--source", "request-network"]).lines(), [""; 0]);
    assert_eq!(list(&["-o", "id", "--since", "1h", "--until", "2099-01-01T00:00:00Z"]).lines(), newest);
    assert_eq!(list(&["-o", "id", "--until", "1h"]).lines(), [""; 0]);
    let json = list(&["-o", "json"]).json();
    assert_eq!(json.as_array().unwrap().len(), 3);
    assert_eq!(json[0]["delivery_id"], newest[0]);
    let csv = list(&["-o", "csv"]);
    let lines = csv.lines();
    assert!(lines[0].starts_with("delivery_id,source,received_at,"), "{}", csv.out);
    assert_eq!(lines[0].split(',').count(), lines[1].split(',').count());
    assert!(lines[1].starts_with(&format!("{},stripe,20", newest[0])), "{}", csv.out);
    let table = list(&[]);
    assert!(table.lines()[0].starts_with("DELIVERY ") && table.out.contains(newest[0]), "{}", table.out);
    assert!(!table.out.contains("BODY SHA-256") && list(&["-o", "wide"]).out.contains("BODY SHA-256"));
    let nothing = list(&["--source", "request-network"]);
    assert_eq!((nothing.out.as_str(), nothing.err.trim()), ("", "no deliveries"));
}

#[tokio::test]
async fn one_string_finds_what_is_known_by_it() {
    let (site, gateway, ids) = three().await;
    let ask = |arguments: &[&str]| ask(&site, &gateway, ADMIN_TOKEN, arguments, "");
    let found = ask(&["find", "evt_2", "-o", "id"]);
    assert_eq!((found.lines().len(), found.lines()[1]), (2, ids[1].as_str()), "the event, then the delivery");
    let table = ask(&["find", "pi_2"]);
    assert!(table.out.contains("EVENT ") && table.out.contains("\n\nDELIVERY "), "{}", table.out);
    assert_eq!(ask(&["find", &ids[0], "-o", "json"]).json()["deliveries"][0]["delivery_id"], ids[0].as_str());
    ask(&["find", "evt_9"]).fails(1, "nothing stored is known by \"evt_9\"");
    assert_eq!(ask(&["deliveries", "list", "-q", "pi_3", "-o", "id"]).lines(), [ids[2].as_str()]);
    assert_eq!(ask(&["events", "list", "--type", "provider.event", "-o", "id"]).lines().len(), 3);
    ask(&["events", "list", "--type", "nonsense"]).fails(2, "nonsense");
    assert_eq!(ask(&["audit", "list", "-o", "id"]).lines(), [""; 0]);
    gateway.terminate();
    assert_eq!(open(&site, &["find", "evt_2", "-o", "id"]).lines()[1], ids[1]);
    open(&site, &["deliveries", "list", "-f"]).fails(2, "--follow");
}

#[tokio::test]
async fn a_list_that_follows_shows_what_comes_once() {
    let (site, gateway, ids) = three().await;
    let mut command = site.command();
    command.args(["deliveries", "list", "-f", "-n", "2", "-o", "id", "--admin", &format!("http://{}", gateway.admin)]);
    command.env("TOLLGATE_ADMIN_TOKEN", ADMIN_TOKEN).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let out = std::io::BufReader::new(child.stdout.take().unwrap());
    let (send, mut lines) = tokio::sync::mpsc::channel(16);
    let reader = std::thread::spawn(move || {
        std::io::BufRead::lines(out).map_while(Result::ok).all(|line| send.blocking_send(line).is_ok())
    });
    let mut next = async || tokio::time::timeout(PATIENCE, lines.recv()).await.unwrap().unwrap();
    assert_eq!([next().await, next().await], [ids[1].as_str(), ids[2].as_str()], "the newest two, oldest first");
    for n in ["4", "5"] {
        let id = gateway.stripe(card(n).to_string().as_bytes()).await.delivery_id();
        assert_eq!(next().await, id);
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(reader.join().is_ok());
    assert!(lines.recv().await.is_none(), "nothing twice");
}

#[tokio::test]
async fn ids_come_from_standard_input_and_may_be_beginnings() {
    let (site, gateway, ids) = three().await;
    let ask = |arguments: &[&str], input: &str| ask(&site, &gateway, ADMIN_TOKEN, arguments, input);
    let shown = ask(&["deliveries", "show", "-", "-o", "json"], &ids.join("\n")).json();
    let got: Vec<&str> = shown.as_array().unwrap().iter().map(|item| item["delivery_id"].as_str().unwrap()).collect();
    assert_eq!(got, ids);
    // Of a UUIDv7 the last digits tell two apart, so all but the last must do.
    let begins = &begin(&ids[0], ids[0].len() - 1);
    for alias in ["show", "get", "describe"] {
        assert_eq!(ask(&["deliveries", alias, begins, "-o", "json"], "").json()["delivery_id"], ids[0].as_str());
    }
    ask(&["deliveries", "show", &begin(&ids[0], 4)], "").fails(1, "AMBIGUOUS_ID");
    ask(&["deliveries", "show", "0192"], "").fails(1, "NOT_FOUND");
    ask(&["deliveries", "show", "nonsense"], "").fails(2, "nonsense");
    ask(&["deliveries", "show", "-"], "\n").fails(2, "no id");
    let event = shown[0]["event_id"].as_str().unwrap();
    let detail = ask(&["events", "show", &begin(event, 13), "-o", "json"], "").json();
    assert_eq!((&detail["event_id"], detail["trace"].as_array().unwrap().is_empty()), (&json!(event), false));
    let people = ask(&["events", "show", event], "");
    for words in [event, "PROVIDER_EVENT", "trace", "AT "] {
        assert!(people.out.contains(words), "{words} is missing in:\n{}", people.out);
    }
    let listed = ask(&["events", "list", "--code", "PROVIDER_EVENT", "-o", "id"], "");
    assert_eq!(listed.lines().len(), 3);
    assert_eq!(ask(&["events", "list", "--state", "held", "-o", "json"], "").json(), json!([]));
    ask(&["events", "list", "--state", "sleeping"], "").fails(2, "sleeping");
}

#[tokio::test]
async fn a_raw_body_is_exact_and_not_for_viewers() {
    let (site, gateway, ids) = three().await;
    let raw = ask(&site, &gateway, ADMIN_TOKEN, &["deliveries", "raw", &ids[0]], "");
    assert_eq!((raw.code, raw.out), (Some(0), card("1").to_string()));
    let viewer = |arguments: &[&str]| ask(&site, &gateway, VIEWER_TOKEN, arguments, "");
    viewer(&["deliveries", "raw", &ids[0]]).fails(1, "FORBIDDEN");
    assert_eq!(viewer(&["deliveries", "show", &ids[0], "-o", "json"]).json()["headers"], Value::Null);
    let file = text(&site.data().join("body"));
    let ask = |arguments: &[&str]| ask(&site, &gateway, ADMIN_TOKEN, arguments, "");
    assert_eq!(ask(&["deliveries", "raw", &ids[1], "--out", &file]).code, Some(0));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), card("2").to_string());
    ask(&["deliveries", "raw", &ids[0], "--out", &file]).fails(1, &file);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), card("2").to_string(), "nothing is written over");
}

#[tokio::test]
async fn who_does_not_get_through_is_told_what_to_do() {
    let site = Site::new(&Setup::default());
    let gateway = site.start();
    let list = ["deliveries", "list"];
    ask(&site, &gateway, "wrong", &list, "").fails(2, "TOLLGATE_ADMIN_TOKEN");
    let mut elsewhere = site.command();
    elsewhere.args(list).args(["--admin", &format!("http://{}", gateway.public)]);
    told(elsewhere, "").fails(1, "no source has this path");
    let mut nowhere = site.command();
    nowhere.args(list).args(["--admin", "http://127.0.0.1:9"]);
    told(nowhere, "").fails(1, "no gateway answers at http://127.0.0.1:9");
    let mut nonsense = site.command();
    nonsense.args(list).args(["--admin", "127.0.0.1"]);
    told(nonsense, "").fails(2, "http://127.0.0.1:9600");
    let mut both = site.command();
    both.args(list).args(["--admin", "http://127.0.0.1:9", "--data", "."]);
    told(both, "").fails(2, "cannot be used with");
}

#[tokio::test]
async fn a_stopped_gateways_data_answers_the_same() {
    let (site, gateway, ids) = three().await;
    assert_eq!(ask(&site, &gateway, ADMIN_TOKEN, &["resend", "--state", "dead", "--yes"], "").code, Some(0));
    let commands: [&[&str]; 7] = [
        &["expectations", "list", "-o", "json"],
        &["jobs", "list", "-o", "json"],
        &["attempts", "list", "-o", "json"],
        &["deliveries", "list", "-o", "json"],
        &["deliveries", "show", &ids[1], "-o", "json"],
        &["events", "list", "-o", "csv"],
        &["deliveries", "raw", &ids[2]],
    ];
    let running = commands.map(|command| ask(&site, &gateway, ADMIN_TOKEN, command, "").out);
    let pid = gateway.pid();
    for command in commands {
        open(&site, command).fails(3, &format!("process {pid}"));
    }
    let (status, log) = gateway.terminate();
    assert_eq!(status.code(), Some(0), "{log}");
    for (command, before) in commands.iter().zip(running) {
        let after = open(&site, command);
        assert_eq!((after.code, &after.out), (Some(0), &before), "{command:?}: {}", after.err);
    }
    open(&site, &["expectations", "cancel", "order-1", "--yes"]).fails(2, "needs a running gateway");
    let file = text(&site.file());
    let status = open(&site, &["status", "--disk", "--config", &file, "-o", "json"]).json();
    assert_eq!((&status["serving"], &status["evidence"]["head"]["seq"]), (&json!(false), &json!(7)), "decisions too");
    assert_eq!(status["sources"][1]["name"], "stripe");
    // What was looked at still serves.
    let again = site.start();
    assert_eq!(again.stripe(card("4").to_string().as_bytes()).await.status, 200);
}

#[test]
fn a_wrong_folder_is_told_and_left_as_it_is() {
    let site = Site::new(&Setup::default());
    for folder in [site.data(), site.data().join("evidence")] {
        std::fs::create_dir_all(&folder).unwrap();
        let mut command = site.command();
        command.args(["events", "list", "--data", &text(&folder)]);
        told(command, "").fails(2, "no evidence log");
    }
    let left: Vec<_> = std::fs::read_dir(site.data()).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!(std::fs::read_dir(site.data().join("evidence")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_log_without_its_ledger_is_refused() {
    let (site, gateway, _) = three().await;
    gateway.terminate();
    std::fs::remove_file(site.data().join("ledger.db")).unwrap();
    open(&site, &["events", "list"]).fails(4, "ledger.db");
    assert!(!site.data().join("ledger.db").exists(), "nothing is made in its place");
}

#[tokio::test]
async fn status_shows_how_it_is() {
    let (site, gateway, _) = three().await;
    let status = ask(&site, &gateway, VIEWER_TOKEN, &["status", "-o", "json"], "").json();
    assert_eq!((&status["version"], &status["serving"]), (&json!(env!("CARGO_PKG_VERSION")), &json!(true)));
    assert_eq!((&status["evidence"]["status"], &status["evidence"]["head"]["seq"]), (&json!("ok"), &json!(3)));
    assert_eq!(status["evidence"]["not_taken_in"], 0);
    assert_eq!(
        (&status["sources"][0]["last_verified_at"], &status["sources"][1]["name"]),
        (&Value::Null, &json!("stripe"))
    );
    assert!(status["sources"][1]["last_verified_at"].is_string());
    assert_eq!(status["outbox"]["default"], 3);
    assert!(status["disk"]["free_bytes"].as_u64().unwrap() > 0 && status["disk"]["bytes"].is_null());
    let disk = ask(&site, &gateway, VIEWER_TOKEN, &["status", "--disk", "-o", "json"], "").json();
    assert!(disk["disk"]["bytes"]["ledger"].as_u64().unwrap() > 0, "{disk:#}");
    let people = ask(&site, &gateway, VIEWER_TOKEN, &["status"], "");
    assert!(people.out.contains("log_id") && people.out.contains("stripe"), "{}", people.out);
}

#[tokio::test]
async fn jobs_are_started_watched_and_told_apart() {
    let (site, gateway, _) = three().await;
    let verify = json!({"kind": "verify"});
    let started = gateway.admin("POST", "/api/v1/jobs", ADMIN_TOKEN, Some(&verify)).await;
    assert_eq!(started.status, 202, "{}", String::from_utf8_lossy(&started.body));
    let id = started.text("/data/job_id");
    let ask = |token: &str, arguments: &[&str]| ask(&site, &gateway, token, arguments, "");
    let watched = ask(VIEWER_TOKEN, &["jobs", "watch", &id, "-o", "json"]).json();
    assert_eq!((&watched["state"], &watched["by"]), (&json!("done"), &json!("admin")));
    // Three deliveries, and as many of the decisions on them as are copied by now.
    let records = watched["report"]["records"].as_u64().unwrap();
    assert!((3..=6).contains(&records), "{watched}");
    assert_eq!((&watched["done"], &watched["total"]), (&json!(records), &json!(records)));
    assert_eq!(ask(VIEWER_TOKEN, &["jobs", "list", "-o", "id"]).lines(), [id.as_str()]);
    assert_eq!(ask(VIEWER_TOKEN, &["jobs", "show", &id, "-o", "json"]).json()["kind"], "verify");
    // One that ended stays what it is.
    assert_eq!(ask(ADMIN_TOKEN, &["jobs", "cancel", &id, "-o", "json"]).json()["state"], "done");
    ask(VIEWER_TOKEN, &["jobs", "cancel", &id]).fails(1, "FORBIDDEN");
    ask(VIEWER_TOKEN, &["jobs", "show", "ffff"]).fails(1, "NOT_FOUND");
    for (token, body, status) in [
        (VIEWER_TOKEN, json!({"kind": "verify"}), 403),
        (ADMIN_TOKEN, json!({"kind": "dance"}), 400),
        (ADMIN_TOKEN, json!({"kind": "verify", "depth": 3}), 400),
    ] {
        let refused = gateway.admin("POST", "/api/v1/jobs", token, Some(&body)).await;
        assert_eq!(refused.status, status, "{body}: {}", String::from_utf8_lossy(&refused.body));
    }
}
