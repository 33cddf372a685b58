//! What happens to evidence that was changed on disk: it is never served as if it were right, and nothing is repaired.
//!
//! Detected when opening: everything in the write-ahead log, the last records, missing files. Detected when read: older
//! records. Not detectable: a cut-off end of the log that no ledger ever saw, which looks like a crash before the fsync.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rand::Rng;

use crate::support::gateway::{ADMIN_TOKEN, Gateway, Setup, Site};

/// More than is verified when opening.
const MANY: usize = 70;

/// A body that no compression changes, so that it is found on disk.
fn noise() -> Vec<u8> {
    let mut body = vec![0; 2048];
    rand::rng().fill(&mut body[..]);
    body
}

/// Posts bodies, waits until they are worked, ends in order; the delivery ids.
async fn post_and_end(gateway: Gateway, bodies: &[Vec<u8>]) -> Vec<String> {
    let mut ids = Vec::new();
    for body in bodies {
        ids.push(gateway.request_network(body).await.delivery_id());
    }
    for id in &ids {
        gateway.event_in(id, "held", "NOT_JSON").await;
    }
    let (status, log) = gateway.terminate();
    assert_eq!(status.code(), Some(0), "{log}");
    ids
}

fn log(site: &Site) -> PathBuf {
    site.data().join("evidence/log")
}

/// Every file and offset where these bytes begin.
fn places(folder: &Path, bytes: &[u8]) -> Vec<(PathBuf, usize)> {
    let files = std::fs::read_dir(folder).expect("the log's folder").map(|entry| entry.expect("an entry").path());
    let find = |path: PathBuf| {
        let content = std::fs::read(&path).ok()?;
        let at = content.windows(bytes.len()).position(|window| window == bytes)?;
        Some((path, at))
    };
    files.filter_map(find).collect()
}

/// Flips one bit inside a stored body, wherever it lies.
fn flip(site: &Site, body: &[u8]) {
    // The middle: a body may be cut into blocks of the write-ahead log.
    let places = places(&log(site), &body[1024..1100]);
    assert!(!places.is_empty(), "the body is not on disk as it is");
    for (path, at) in places {
        let file = OpenOptions::new().read(true).write(true).open(&path).expect("the file");
        let at = u64::try_from(at).expect("an offset");
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).expect("it is read");
        file.write_all_at(&[byte[0] ^ 1], at).expect("it is written");
    }
}

#[tokio::test]
async fn a_flipped_bit_in_a_recent_delivery_stops_the_start() {
    for position in 0..3 {
        let site = Site::new(&Setup::default());
        let bodies = [noise(), noise(), noise()];
        post_and_end(site.start(), &bodies).await;
        flip(&site, &bodies[position]);
        site.fails_to_start(&[]).assert(4, &["damaged", "restore a backup"]);
        // Nothing was repaired meanwhile.
        site.fails_to_start(&[]).assert(4, &["damaged", "restore a backup"]);
    }
}

#[tokio::test]
async fn a_log_whose_end_was_cut_off_stops_the_start() {
    let site = Site::new(&Setup::default());
    let bodies = [noise(), noise(), noise()];
    post_and_end(site.start(), &bodies).await;
    for (path, at) in places(&log(&site), &bodies[2][1024..1100]) {
        let file = OpenOptions::new().write(true).open(&path).expect("the file");
        file.set_len(u64::try_from(at).expect("a length")).expect("it is cut");
    }
    site.fails_to_start(&[]).assert(4, &["EVIDENCE_REWOUND", "before record 3"]);
}

#[tokio::test]
async fn a_log_without_one_of_its_files_stops_the_start() {
    let site = Site::new(&Setup::default());
    post_and_end(site.start(), &[noise()]).await;
    std::fs::remove_file(log(&site).join("CURRENT")).expect("it is removed");
    site.fails_to_start(&[]).assert(4, &["damaged", "CURRENT"]);
}

#[tokio::test]
async fn a_flipped_bit_in_an_old_delivery_is_found_when_it_is_read_and_spoils_nothing_else() {
    let site = Site::new(&Setup::default());
    let bodies: Vec<_> = std::iter::repeat_with(noise).take(MANY).collect();
    let ids = post_and_end(site.start(), &bodies).await;
    // Opening moves what was in the write-ahead log to its final place.
    let (status, text) = site.start().terminate();
    assert_eq!(status.code(), Some(0), "{text}");
    flip(&site, &bodies[1]);
    let gateway = site.start();
    let raw =
        async |id: &String| gateway.admin("GET", &format!("/api/v1/deliveries/{id}/raw"), ADMIN_TOKEN, None).await;
    let damaged = raw(&ids[1]).await;
    assert_eq!(damaged.status, 500, "changed bytes are never served, and trying again would not help");
    let answer = damaged.json();
    assert_eq!((&answer["success"], &answer["error"]["code"]), (&false.into(), &"EVIDENCE_DAMAGED".into()));
    assert_eq!(answer["error"]["details"]["record"], 2);
    let message = answer["error"]["message"].as_str().expect("a message");
    assert!(message.contains("record 2") && message.contains("restore"), "{message}");
    let sound = raw(&ids[MANY - 1]).await;
    assert_eq!((sound.status, &sound.body), (200, &bodies[MANY - 1]));
    gateway.says("could not be answered from the evidence log").await;
    let new = noise();
    let id = gateway.request_network(&new).await.delivery_id();
    gateway.event_in(&id, "held", "NOT_JSON").await;
}
