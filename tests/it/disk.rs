//! A disk that fills is a refusal and not a loss: 503 with a reason, sources that can wait first, the process stays up,
//! the provider's retry succeeds.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{FallocateFlags, fallocate, statvfs};
use serde_json::json;

use crate::support::gateway::{ADMIN_TOKEN, Gateway, PATIENCE, Setup, Site};
use crate::support::http::Reply;
use crate::support::invoice;

/// What other writers on this disk may use or free during the test without changing it.
const MARGIN_MAX: u64 = 4 << 30;
/// Between looks.
const LOOK: Duration = Duration::from_millis(50);

/// These tests fill the same disk: one at a time, also where two checkouts are tested at once.
fn alone() -> File {
    let path = std::env::temp_dir().join("tollgate-tests-fill-the-disk.lock");
    let lock = File::options().create(true).append(true).open(path).expect("a file to lock");
    lock.lock().expect("the lock");
    lock
}

fn free(folder: &Path) -> u64 {
    let disk = statvfs(folder).expect("the disk says");
    disk.f_bavail * disk.f_frsize
}

/// Takes room on the disk until it is dropped.
struct Filler(PathBuf);

impl Filler {
    fn of(folder: &Path, bytes: u64) -> Self {
        let path = folder.join("filler");
        let file = File::create(&path).expect("a file");
        fallocate(&file, FallocateFlags::empty(), 0, bytes).expect("room for it");
        Self(path)
    }
}

impl Drop for Filler {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).expect("it goes away");
    }
}

/// Posts until it is answered like this: one look at the disk is believed for a moment.
async fn until(gateway: &Gateway, status: u16, post: impl AsyncFn() -> Reply) -> Reply {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let reply = post().await;
        if reply.status == status {
            return reply;
        }
        assert!(Instant::now() < deadline, "still {}: {}", reply.status, gateway.log());
        tokio::time::sleep(LOOK).await;
    }
}

#[tokio::test]
async fn a_full_disk_refuses_with_a_reason_and_takes_the_providers_retry_once_there_is_room() {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a folder on the disk of the data");
    let before = free(folder.path());
    let margin = MARGIN_MAX.min(before / 16);
    let reserve = format!("reserve = \"{} B\"", before - margin);
    let setup = Setup { lines: vec![("evidence", reserve)], ..Setup::default() };
    let mut gateway = Site::new(&setup).start();
    let first = gateway.request_network(&invoice::processing(1, 1)).await.delivery_id();

    let filler = Filler::of(folder.path(), 2 * margin);
    let body = invoice::processing(1, 2);
    let refused = until(&gateway, 503, async || gateway.request_network(&body).await).await;
    assert_eq!(refused.code(), "EVIDENCE_UNAVAILABLE");
    assert_eq!(refused.headers["retry-after"], "1");
    assert_eq!(refused.json()["success"], false);
    assert!(!refused.text("/request_id").is_empty());
    let ready = gateway.admin("GET", "/readyz", ADMIN_TOKEN, None).await;
    assert_eq!((ready.status, ready.text("/components/evidence/status")), (503, "below_reserve".to_owned()));
    assert_eq!(gateway.admin("GET", "/healthz", ADMIN_TOKEN, None).await.status, 200, "the process lives");
    let raw = gateway.admin("GET", &format!("/api/v1/deliveries/{first}/raw"), ADMIN_TOKEN, None).await;
    assert_eq!((raw.status, raw.body), (200, invoice::processing(1, 1)), "what was acknowledged can be read");

    drop(filler);
    let second = until(&gateway, 200, async || gateway.request_network(&body).await).await.delivery_id();
    gateway.event_in(&second, "forwarding", "PROVIDER_EVENT").await;
    assert_eq!(gateway.admin("GET", "/readyz", ADMIN_TOKEN, None).await.status, 200);
    assert!(gateway.is_running(), "{}", gateway.log());
}

#[tokio::test]
async fn a_disk_that_fills_makes_stripe_wait_and_leaves_request_network_its_room() {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a folder on the disk of the data");
    let before = free(folder.path());
    let margin = MARGIN_MAX.min(before / 16);
    // The mark lies one margin below what is free and the reserve two below that: the filler crosses the first only,
    // and without it more is free than the half margin above the mark that takes the waiting source back.
    let reserve = before - 3 * margin;
    let lines = vec![
        ("evidence", format!("reserve = \"{reserve} B\"")),
        ("evidence", format!("watermarks = {{ warn = \"{0} B\", shed = \"{0} B\" }}", before - margin)),
    ];
    let gateway = Site::new(&Setup { lines, ..Setup::default() }).start();
    let body = br#"{"id":"evt_disk","object":"event","type":"charge.succeeded","livemode":true,"data":{"object":{"id":"ch_1"}}}"#;
    let stripe = async || gateway.stripe(body).await;
    let shedding = async || {
        let ready = gateway.admin("GET", "/readyz", ADMIN_TOKEN, None).await;
        (ready.status, ready.text("/components/disk/status"), ready.json()["components"]["disk"]["shedding"].clone())
    };
    assert_eq!(shedding().await, (200, "ok".to_owned(), json!([])));
    stripe().await.delivery_id();

    let filler = Filler::of(folder.path(), 2 * margin);
    let refused = until(&gateway, 503, stripe).await;
    assert_eq!(
        (refused.code().as_str(), &refused.headers["retry-after"]),
        ("EVIDENCE_UNAVAILABLE", &"60".parse().unwrap())
    );
    gateway.request_network(&invoice::processing(1, 1)).await.delivery_id();
    assert_eq!(shedding().await, (200, "shedding".to_owned(), json!(["stripe"])));
    let metrics = gateway.admin("GET", "/metrics", ADMIN_TOKEN, None).await;
    let metrics = String::from_utf8(metrics.body).expect("text");
    for line in [
        "tollgate_disk_low 1",
        "tollgate_disk_shedding{source=\"stripe\"} 1",
        "tollgate_disk_shedding{source=\"request-network\"} 0",
    ] {
        assert!(metrics.contains(line), "{line} not in:\n{metrics}");
    }
    assert!(gateway.log().contains("evidence.watermarks.shed"), "{}", gateway.log());

    drop(filler);
    until(&gateway, 200, stripe).await.delivery_id();
    assert_eq!(shedding().await, (200, "ok".to_owned(), json!([])));
}
