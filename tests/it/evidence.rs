//! Evidence can be proved: what was changed is named, what was kept elsewhere tells, and a bundle needs nothing but the key.

use std::fs::OpenOptions;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Output;

use evidence_store::note::VerifierKey;
use evidence_store::{Facts, Options, Store, verify_bundle};
use rand::Rng;
use serde_json::Value;

use crate::support::gateway::{ADMIN_TOKEN, Gateway, PATIENCE, Setup, Site, VIEWER_TOKEN, text};

mod missing;
mod proofs;
mod published;

/// More than is verified when opening.
const MANY: usize = 70;

fn site() -> Site {
    let more = "\n[evidence.seal]\nevery = \"1s\"\npublish_file = \"checkpoints\"\n".to_owned();
    Site::new(&Setup { more, ..Setup::default() })
}

/// Where `publish_file` is: relative paths start from the working directory.
fn published(site: &Site) -> PathBuf {
    site.data().parent().expect("a folder").join("checkpoints")
}

fn noise() -> Vec<u8> {
    let mut body = vec![0; 2048];
    rand::rng().fill(&mut body[..]);
    body
}

/// Posts so many, waits until they are worked; ids and bodies.
async fn post(gateway: &Gateway, count: usize) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for body in std::iter::repeat_with(noise).take(count) {
        all.push((gateway.request_network(&body).await.delivery_id(), body));
    }
    for (id, _) in &all {
        gateway.event_in(id, "held", "NOT_JSON").await;
    }
    all
}

fn end(gateway: Gateway) {
    let (status, log) = gateway.terminate();
    assert_eq!(status.code(), Some(0), "{log}");
}

/// A command on the stopped gateway's data.
fn evidence(site: &Site, arguments: &[&str]) -> Output {
    let mut command = site.command();
    command.arg("evidence").args(arguments);
    if arguments.first() != Some(&"verify-bundle") {
        command.args(["--data", &text(&site.data())]);
    }
    command.output().expect("the program runs")
}

#[track_caller]
fn says(output: &Output, code: i32, words: &[&str]) {
    let all = String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned();
    assert_eq!(output.status.code(), Some(code), "{all}");
    for word in words {
        assert!(all.contains(word), "expected {word:?} in:\n{all}");
    }
}

fn opened(site: &Site) -> Store {
    let options = Options {
        path: site.data().join("evidence"),
        reserve_bytes: 0,
        rejected_max_bytes: 1 << 20,
        repeats_max: 64,
        observer: None,
    };
    Store::open(options).expect("the log opens")
}

async fn get(gateway: &Gateway, path: &str) -> Value {
    let reply = gateway.admin("GET", &format!("/api/v1{path}"), ADMIN_TOKEN, None).await;
    assert_eq!(reply.status, 200, "{}", reply.json());
    reply.json()["data"].clone()
}

/// Waits until a bundle about it can be made.
async fn bundle(gateway: &Gateway, id: &str) -> Vec<u8> {
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        let reply = gateway.admin("GET", &format!("/api/v1/evidence/proof/{id}"), ADMIN_TOKEN, None).await;
        if reply.status == 200 {
            return reply.body;
        }
        assert_eq!(reply.code(), "NOT_SEALED");
        assert!(std::time::Instant::now() < deadline, "it is never sealed");
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
}

/// Flips one bit of a stored body in every file that holds it.
fn flip(site: &Site, body: &[u8]) {
    let part = &body[1024..1100];
    let mut flipped = 0;
    for entry in std::fs::read_dir(site.data().join("evidence/log")).expect("the log's folder") {
        let path = entry.expect("an entry").path();
        let Ok(content) = std::fs::read(&path) else { continue };
        let Some(at) = content.windows(part.len()).position(|window| window == part) else { continue };
        let file = OpenOptions::new().write(true).open(&path).expect("the file");
        file.write_all_at(&[content[at] ^ 1], u64::try_from(at).expect("an offset")).expect("it is written");
        flipped += 1;
    }
    assert!(0 < flipped, "the body is not on disk as it is");
}

#[tokio::test]
async fn one_changed_byte_of_one_body_is_named() {
    let site = site();
    let gateway = site.start();
    let all = post(&gateway, MANY).await;
    end(gateway);
    // Opening moves what was in the write-ahead log to its final place.
    end(site.start());
    says(&evidence(&site, &["verify"]), 0, &["are right", "70 deliveries"]);
    flip(&site, &all[1].1);
    says(&evidence(&site, &["verify"]), 4, &["record ", &all[1].0, "changed", "restore a backup"]);
    let later = evidence(&site, &["verify", "--json", "--to", "1"]);
    says(&later, 0, &["\"ok\": true"]);
}

#[tokio::test]
async fn an_older_checkpoint_still_fits_and_another_history_is_told() {
    let site = site();
    let gateway = site.start();
    post(&gateway, 3).await;
    end(gateway);
    let older = site.data().join("older");
    std::fs::copy(published(&site), &older).expect("a copy is kept elsewhere");
    let copy = site.data().parent().expect("a folder").join("copy");
    copy_folder(&site.data(), &copy);

    let gateway = site.start();
    post(&gateway, 3).await;
    end(gateway);
    says(&evidence(&site, &["checkpoint", "--compare", &text(&older)]), 0, &["begins with", "records since"]);
    says(&evidence(&site, &["verify", "--checkpoint", &text(&older)]), 0, &["are right", "the log begins with the"]);

    // The folder of before, as a restored or rolled-back one would be.
    let newer = text(&published(&site));
    let old = |arguments: &[&str]| {
        let mut command = site.command();
        command.arg("evidence").args(arguments).args(["--data", &text(&copy)]).output().expect("the program runs")
    };
    says(&old(&["verify", "--checkpoint", &newer]), 4, &["cut_off", "cut off"]);
    says(&old(&["checkpoint", "--compare", &newer]), 4, &["cut off"]);

    // Another gateway's log was signed by another key.
    let other = self::site();
    let gateway = other.start();
    post(&gateway, 1).await;
    end(gateway);
    says(&evidence(&other, &["verify", "--checkpoint", &newer]), 1, &["not signed by the key"]);
    says(&evidence(&other, &["checkpoint", "--compare", &text(&older)]), 4, &["not signed by the key"]);
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("reads") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("copies");
        }
    }
}

#[tokio::test]
async fn a_bundle_is_checked_offline_and_no_changed_byte_passes() {
    let site = site();
    let gateway = site.start();
    let (id, body) = post(&gateway, 1).await.remove(0);
    let event = gateway.event_in(&id, "held", "NOT_JSON").await;
    // Sealed once its decisions are; the delivery itself may be before.
    let by_event = bundle(&gateway, event["event_id"].as_str().expect("an id")).await;
    let bytes = bundle(&gateway, &id).await;
    let status = get(&gateway, "/status").await;
    let key = status["integrity"]["public_key"].as_str().expect("a key").to_owned();
    let viewer = gateway.admin("GET", &format!("/api/v1/evidence/proof/{id}"), VIEWER_TOKEN, None).await;
    assert_eq!(viewer.status, 403);
    let unknown = gateway.admin("GET", "/api/v1/evidence/proof/pay_nothing", ADMIN_TOKEN, None).await;
    assert_eq!(unknown.status, 404);
    end(gateway);

    // From here on: the file and the key.
    let file = site.data().parent().expect("a folder").join("proof.json");
    std::fs::write(&file, &bytes).expect("writes");
    std::fs::remove_dir_all(site.data()).expect("everything else is gone");
    let check = |file: &Path| evidence(&site, &["verify-bundle", &text(file), "--key", &key]);
    says(&check(&file), 0, &["proven", &id, "2048 bytes", "decision held"]);
    let verifier = VerifierKey::parse(&key).expect("a key");
    verify_bundle(&by_event, &verifier).expect("holds");
    let verified = verify_bundle(&bytes, &verifier).expect("holds");
    let stored = verified.records[0].entry.clone().into_delivery().expect("the delivery");
    assert_eq!((stored.id.to_string(), &stored.body[..]), (id, &body[..]));

    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        assert!(verify_bundle(&changed, &verifier).is_err(), "byte {at}");
    }
    let mut changed = bytes.clone();
    let half = changed.len() / 2;
    changed[half] ^= 1;
    std::fs::write(&file, &changed).expect("writes");
    says(&check(&file), 4, &["NOT PROVEN"]);
}

#[tokio::test]
async fn an_erased_delivery_still_verifies_and_is_still_proved() {
    let site = site();
    let gateway = site.start();
    let all = post(&gateway, 3).await;
    end(gateway);
    let before = site.data().join("before");
    std::fs::copy(published(&site), &before).expect("a copy is kept elsewhere");
    let store = opened(&site);
    let facts = Facts { at_us: 1_795_000_000_000_000, by: "ann".to_owned(), reason: "asked by the payer".to_owned() };
    store.erase(all[1].0.parse().expect("an id"), facts, None).expect("erases");
    drop(store);
    says(&evidence(&site, &["verify", "--checkpoint", &text(&before)]), 0, &["1 removed with who and why"]);

    let gateway = site.start();
    let bytes = bundle(&gateway, &all[1].0).await;
    let key = get(&gateway, "/evidence/checkpoint").await["public_key"].as_str().expect("a key").to_owned();
    end(gateway);
    let verified = verify_bundle(&bytes, &VerifierKey::parse(&key).expect("a key")).expect("holds");
    let removed = &verified.shown["records"][0]["says"]["removed"];
    assert_eq!((removed["by"].as_str(), removed["reason"].as_str()), (Some("ann"), Some("asked by the payer")));
}

#[tokio::test]
async fn the_key_is_made_once_for_its_owner_alone_and_missed_when_it_is_gone() {
    let site = site();
    let gateway = site.start();
    post(&gateway, 1).await;
    end(gateway);
    let key = site.data().join("evidence/seal.key");
    let mode = |mode| std::fs::set_permissions(&key, std::fs::Permissions::from_mode(mode)).expect("sets");
    assert_eq!(std::fs::metadata(&key).expect("is there").permissions().mode() & 0o777, 0o600);
    mode(0o640);
    site.fails_to_start(&[]).assert(2, &["can be read by others", "chmod 600"]);
    mode(0o600);
    std::fs::rename(&key, site.data().join("elsewhere")).expect("moves");
    site.fails_to_start(&[]).assert(2, &["signed checkpoints of this log", "put it back"]);
    std::fs::rename(site.data().join("elsewhere"), &key).expect("moves");
    end(site.start());
    let notes = std::fs::read_to_string(published(&site)).expect("published");
    assert!(notes.starts_with("tollgate/") && notes.contains("\u{2014} tollgate/"), "{notes}");
}

#[tokio::test]
async fn decisions_are_in_the_log_once_across_restarts() {
    let site = site();
    for _ in 0..3 {
        let gateway = site.start();
        post(&gateway, 2).await;
        end(gateway);
    }
    let store = opened(&site);
    let counts = store.counts();
    assert_eq!(counts.deliveries, 6);
    assert!(6 <= counts.decisions, "{counts:?}");
    let size = store.latest_checkpoint().expect("reads").expect("is there").checkpoint.size;
    assert_eq!(size, store.head().seq, "the last thing a stopping gateway does is to sign");
    drop(store);
    end(site.start());
    assert_eq!(opened(&site).counts(), counts, "nothing is copied twice");
}
