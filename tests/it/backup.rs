//! Backups: taken under load they hold every acknowledgement before them, what was changed in them is named, what was
//! interrupted is never taken for one, and a restored gateway sends nothing until it is told to.

mod interrupted;
mod restored;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::operate::{Told, ask, open, told};
use crate::support::gateway::{
    ADMIN_TOKEN, BACKEND_TOKEN, FORWARD_SECRET, Gateway, REQUEST_NETWORK_SECRET, STRIPE_SECRET, Setup, Site,
    VIEWER_TOKEN, text,
};
use crate::support::invoice;

/// Posts at the same time.
const SENDERS: u64 = 8;
/// Acknowledgements before the backup begins.
const BEFORE: usize = 150;
/// Backups one after the other.
const BACKUPS: usize = 6;

/// A command without a gateway.
fn alone(site: &Site, arguments: &[&str]) -> Told {
    let mut command = site.command();
    command.args(arguments);
    told(command, "")
}

/// Makes a backup of the running gateway.
fn create(site: &Site, gateway: &Gateway) -> (PathBuf, Value) {
    let report = ask(site, gateway, ADMIN_TOKEN, &["backup", "create", "-o", "json"], "").json();
    (PathBuf::from(report["path"].as_str().expect("a path")), report)
}

fn verify(site: &Site, backup: &Path) -> Told {
    alone(site, &["backup", "verify", &text(backup), "-o", "json"])
}

/// Restores into another site, by its configuration.
fn restore(site: &Site, backup: &Path) -> Told {
    alone(site, &["restore", "--from", &text(backup), "--config", &text(&site.file()), "-o", "json"])
}

/// What `backup list` shows of a folder: name and state.
fn listed(site: &Site, folder: &Path) -> Vec<(String, String)> {
    let items = alone(site, &["backup", "list", "--from", &text(folder), "-o", "json"]).json();
    let field = |item: &Value, name: &str| item[name].as_str().expect(name).to_owned();
    items.as_array().expect("a list").iter().map(|item| (field(item, "name"), field(item, "state"))).collect()
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

fn copy(from: &Path, to: &Path) {
    for file in files(from) {
        let target = to.join(file.strip_prefix(from).expect("inside"));
        std::fs::create_dir_all(target.parent().expect("a folder")).expect("made");
        std::fs::copy(file, target).expect("copied");
    }
}

/// Providers that post until told to stop, and what they were answered.
#[derive(Default)]
struct Load {
    stop: AtomicBool,
    number: AtomicU64,
    acked: Mutex<Vec<(String, Vec<u8>)>>,
}

impl Load {
    fn acked(&self) -> Vec<(String, Vec<u8>)> {
        self.acked.lock().expect("the load").clone()
    }

    async fn post(&self, gateway: &Gateway) {
        while !self.stop.load(Ordering::Relaxed) {
            let number = self.number.fetch_add(1, Ordering::Relaxed);
            let body = invoice::processing(number % 16, number);
            let id = gateway.request_network(&body).await.delivery_id();
            self.acked.lock().expect("the load").push((id, body));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_under_full_load_holds_every_ack_before_it_byte_for_byte() {
    let site = Site::new(&Setup::default());
    let (gateway, load) = (Arc::new(site.start()), Arc::new(Load::default()));
    let mut senders = JoinSet::new();
    for _ in 0..SENDERS {
        let (gateway, load) = (Arc::clone(&gateway), Arc::clone(&load));
        senders.spawn(async move { load.post(&gateway).await });
    }
    while load.acked().len() < BEFORE {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let before = load.acked();
    let (asked, of) = (site.clone(), Arc::clone(&gateway));
    let (backup, report) = tollgate::task::spawn_blocking(move || create(&asked, &of)).await.expect("a backup");
    let during = load.acked().len() - before.len();
    load.stop.store(true, Ordering::Relaxed);
    senders.join_all().await;
    assert!(0 < during, "deliveries were acknowledged while the backup was made");
    assert!(u64::try_from(before.len()).expect("a count") <= report["log"]["seq"].as_u64().expect("a number"));
    let mut events = Vec::new();
    for (id, _) in before.iter().step_by(25) {
        events.push((id.clone(), gateway.event_when(id, |_| true).await["event_id"].clone()));
    }
    drop(Arc::into_inner(gateway).expect("nobody else uses it").kill());

    let checked = verify(&site, &backup).json();
    assert_eq!((&checked["log"], &checked["unlisted"]), (&report["log"], &json!([])));
    assert_eq!(checked["manifest_sha256"], report["manifest_sha256"]);
    let other = Site::new(&Setup::default());
    let restored = restore(&other, &backup).json();
    assert_ne!(restored["log_id"], report["log"]["log_id"], "a restored log is another log");
    assert_eq!(restored["epoch"], 1);
    let whole = open(&other, &["status", "-o", "json"]).json();
    assert_eq!(whole["pauses"][0]["what"], "forwarding");

    let gateway = other.start();
    for (id, body) in &before {
        let raw = gateway.admin("GET", &format!("/api/v1/deliveries/{id}/raw"), ADMIN_TOKEN, None).await;
        assert_eq!((raw.status, &raw.body), (200, body), "{id}");
    }
    for (id, event) in events {
        let again = gateway.event_when(&id, |_| true).await;
        assert_eq!(again["event_id"], event, "the same delivery is the same event");
    }
    let verified = gateway.admin("POST", "/api/v1/jobs", ADMIN_TOKEN, Some(&json!({"kind": "verify"}))).await;
    let watched = ask(&other, &gateway, ADMIN_TOKEN, &["jobs", "watch", &verified.text("/data/job_id")], "");
    assert_eq!(watched.code, Some(0), "{}", watched.err);
    let (status, log) = gateway.terminate();
    assert_eq!(status.code(), Some(0), "{log}");
}

/// Taken the other way round, the ledger would have seen records that the log in the backup does not hold. Under full
/// load intake is behind, so here it keeps up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_of_a_backup_holds_all_that_its_ledger_has_seen() {
    let site = Site::new(&Setup::default());
    let (gateway, load) = (Arc::new(site.start()), Arc::new(Load::default()));
    let (of, posts) = (Arc::clone(&gateway), Arc::clone(&load));
    let sender = tollgate::task::spawn("sender", async move { posts.post(&of).await });
    for _ in 0..BACKUPS {
        let (asked, of) = (site.clone(), Arc::clone(&gateway));
        let made = tollgate::task::spawn_blocking(move || create(&asked, &of)).await;
        let (_, report) = made.expect("a backup");
        assert!(report["ledger"]["seq"].as_u64() <= report["log"]["seq"].as_u64(), "{report}");
    }
    load.stop.store(true, Ordering::Relaxed);
    sender.await.expect("it ends");
}

/// A stopped site with two deliveries and one backup of it.
async fn backed_up() -> (Site, PathBuf) {
    let site = Site::new(&Setup::default());
    let gateway = site.start();
    for number in 1..=2 {
        let id = gateway.stripe(&invoice::card(number)).await.delivery_id();
        gateway.event_when(&id, |event| event["code"] == "PROVIDER_EVENT").await;
    }
    let (backup, _) = create(&site, &gateway);
    gateway.terminate();
    (site, backup)
}

#[tokio::test]
async fn a_changed_file_of_a_backup_is_named_and_never_restored() {
    let (site, backup) = backed_up().await;
    let names: Vec<PathBuf> = files(&backup);
    let inside = |file: &Path| text(file.strip_prefix(&backup).expect("inside"));
    assert!(names.iter().any(|file| inside(file) == "ledger.db"), "{names:?}");
    let other = Site::new(&Setup::default());
    let manifest = backup.join("manifest.json");
    for file in names.iter().filter(|file| **file != manifest) {
        let copied = tempfile::tempdir().expect("a folder");
        let bad = copied.path().join("bad");
        copy(&backup, &bad);
        let path = bad.join(inside(file));
        let mut bytes = std::fs::read(&path).expect("read");
        // One bit; an empty file gets a byte.
        match bytes.len() / 2 {
            0 if bytes.is_empty() => bytes.push(1),
            middle => bytes[middle] ^= 1,
        }
        std::fs::write(&path, bytes).expect("written");
        verify(&site, &bad).fails(4, &inside(file));
        let is_restored = !inside(file).starts_with("settings/") && !inside(file).starts_with("seal.pub");
        if is_restored {
            restore(&other, &bad).fails(4, &inside(file));
            assert!(!other.data().exists(), "nothing of it is left");
        }
        std::fs::remove_file(&path).expect("removed");
        verify(&site, &bad).fails(4, "is missing");
        assert_eq!(listed(&site, copied.path()), [("bad".to_owned(), "damaged".to_owned())]);
    }
    let left: Vec<_> = std::fs::read_dir(other.file().parent().expect("a folder")).expect("read").collect();
    assert_eq!(left.len(), 1, "only the configuration is there: {left:?}");
}

#[tokio::test]
async fn a_manifest_that_lies_is_refused() {
    let (site, backup) = backed_up().await;
    let manifest = backup.join("manifest.json");
    let original = std::fs::read_to_string(&manifest).expect("read");
    let lies = |change: &dyn Fn(&mut Value)| {
        let mut value: Value = serde_json::from_str(&original).expect("JSON");
        change(&mut value);
        std::fs::write(&manifest, value.to_string()).expect("written");
    };
    let other = Site::new(&Setup::default());
    lies(&|value| value["files"][0]["path"] = json!("../../etc/passwd"));
    restore(&other, &backup).fails(4, "not inside the backup");
    lies(&|value| value["files"][0]["path"] = json!("/etc/passwd"));
    restore(&other, &backup).fails(4, "not inside the backup");
    lies(&|value| value["log"]["seq"] = json!(1));
    restore(&other, &backup).fails(4, "do not belong together");
    lies(&|value| value["format"] = json!(2));
    restore(&other, &backup).fails(5, "format 2");
    std::fs::write(&manifest, "{}").expect("written");
    restore(&other, &backup).fails(4, "manifest.json does not read");
    std::fs::remove_file(&manifest).expect("removed");
    restore(&other, &backup).fails(4, "no manifest.json");
    verify(&site, &backup).fails(4, "no manifest.json");
    assert!(!other.data().exists());
    assert_eq!(listed(&site, backup.parent().expect("a folder")), []);
    std::fs::write(&manifest, &original).expect("written");
    assert_eq!(restore(&other, &backup).code, Some(0));
}

#[tokio::test]
async fn nothing_is_restored_over_anything() {
    let (site, backup) = backed_up().await;
    let (before, again) = (files(&site.data()), restore(&site, &backup));
    again.fails(2, "is not empty");
    assert_eq!(files(&site.data()), before);
    let other = Site::new(&Setup::default());
    let stranger = other.data().join("evidence/notes.txt");
    std::fs::create_dir_all(stranger.parent().expect("a folder")).expect("made");
    std::fs::write(&stranger, "mine").expect("written");
    restore(&other, &backup).fails(2, "is not empty");
    assert_eq!(files(&other.data()), std::slice::from_ref(&stranger));
    std::fs::remove_dir_all(other.data().join("evidence")).expect("removed");
    std::fs::write(other.data().join("ledger.db-wal"), "mine").expect("written");
    restore(&other, &backup).fails(2, "ledger.db-wal");
    // What is neither log nor ledger stays where it is.
    std::fs::rename(other.data().join("ledger.db-wal"), other.data().join("notes.txt")).expect("renamed");
    assert_eq!(restore(&other, &backup).code, Some(0));
    let mut there: Vec<String> =
        std::fs::read_dir(other.data()).expect("read").map(|entry| text(&entry.expect("one").path())).collect();
    there.sort();
    let names: Vec<&str> = there.iter().filter_map(|path| path.rsplit('/').next()).collect();
    assert_eq!(names, ["evidence", "ledger.db", "notes.txt"]);
    // An empty folder is taken, as a container's volume comes.
    let empty = Site::new(&Setup::default());
    std::fs::create_dir_all(empty.data()).expect("made");
    assert_eq!(restore(&empty, &backup).code, Some(0));
    empty.start().terminate();
}

#[tokio::test]
async fn what_is_in_a_backup_and_who_may_make_one() {
    let site = Site::new(&Setup::default());
    let gateway = site.start();
    gateway.stripe(&invoice::card(1)).await.delivery_id();
    let backup_of = |body: Value| {
        let gateway = &gateway;
        async move { gateway.admin("POST", "/api/v1/jobs", ADMIN_TOKEN, Some(&body)).await }
    };
    for token in [VIEWER_TOKEN, BACKEND_TOKEN] {
        let refused = gateway.admin("POST", "/api/v1/jobs", token, Some(&json!({"kind": "backup"}))).await;
        assert_eq!(refused.code(), "FORBIDDEN");
    }
    assert_eq!(backup_of(json!({"kind": "backup", "to": "/tmp"})).await.code(), "BACKUP_PLACE");
    ask(&site, &gateway, ADMIN_TOKEN, &["backup", "create", "--to", "x"], "").fails(2, "--data");
    let time = |text: &str| {
        let line = text.lines().find(|line| line.starts_with("tollgate_backup_last_success_timestamp_seconds "));
        line.expect("the metric").rsplit(' ').next().expect("a value").parse::<i64>().expect("a number")
    };
    let metrics = gateway.admin("GET", "/metrics", ADMIN_TOKEN, None).await.body;
    assert_eq!(time(&String::from_utf8(metrics).expect("text")), 0);
    let (backup, report) = create(&site, &gateway);
    let listed = ask(&site, &gateway, VIEWER_TOKEN, &["backup", "list", "-o", "json"], "").json();
    assert_eq!((&listed[0]["path"], &listed[0]["state"]), (&report["path"], &json!("complete")));

    let settings = std::fs::read_to_string(backup.join("settings/0-tollgate.toml")).expect("the settings");
    assert_eq!(settings, std::fs::read_to_string(site.file()).expect("the configuration"));
    for file in files(&backup) {
        let bytes = std::fs::read(&file).expect("read");
        for secret in [ADMIN_TOKEN, BACKEND_TOKEN, VIEWER_TOKEN, FORWARD_SECRET, STRIPE_SECRET, REQUEST_NETWORK_SECRET]
        {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{} holds a secret", file.display());
        }
        assert!(!text(&file).ends_with("seal.key"), "the private key stays where it is");
    }
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&backup).expect("a folder").permissions());
    assert_eq!(mode & 0o077, 0, "for its owner only");

    let site = gateway.kill();
    let gateway = site.start();
    let metrics = gateway.admin("GET", "/metrics", ADMIN_TOKEN, None).await.body;
    let created: jiff::Timestamp = report["created_at"].as_str().expect("a time").parse().expect("a time");
    assert_eq!(time(&String::from_utf8(metrics).expect("text")), created.as_second(), "it survives a restart");
    gateway.terminate();
    let elsewhere = text(&site.data().join("elsewhere"));
    let config = text(&site.file());
    let made = open(&site, &["backup", "create", "--to", &elsewhere, "--config", &config, "-o", "json"]).json();
    assert!(made["path"].as_str().expect("a path").starts_with(&elsewhere), "{made}");
    assert_eq!(verify(&site, Path::new(made["path"].as_str().expect("a path"))).code, Some(0));
}
