//! A full disk is a refusal and not a loss: 503 with a reason, the process stays up, the provider's retry succeeds.

use std::fs::File;
use std::time::{Duration, Instant};

use rustix::fs::{FallocateFlags, fallocate, statvfs};

use crate::support::gateway::{ADMIN_TOKEN, Gateway, PATIENCE, Setup, Site};
use crate::support::http::Reply;
use crate::support::invoice;

/// What other writers on this disk may use or free during the test without changing it.
const MARGIN_MAX: u64 = 4 << 30;
/// Between looks.
const LOOK: Duration = Duration::from_millis(50);

fn free(folder: &std::path::Path) -> u64 {
    let disk = statvfs(folder).expect("the disk says");
    disk.f_bavail * disk.f_frsize
}

/// Posts the body until it is answered like this: one look at the disk is believed for a moment.
async fn post_until(gateway: &Gateway, body: &[u8], status: u16) -> Reply {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let reply = gateway.request_network(body).await;
        if reply.status == status {
            return reply;
        }
        assert!(Instant::now() < deadline, "still {}: {}", reply.status, gateway.log());
        tokio::time::sleep(LOOK).await;
    }
}

#[tokio::test]
async fn a_full_disk_refuses_with_a_reason_and_takes_the_providers_retry_once_there_is_room() {
    let folder = tempfile::tempdir().expect("a folder on the disk of the data");
    let before = free(folder.path());
    let margin = MARGIN_MAX.min(before / 16);
    let reserve = format!("reserve = \"{} B\"", before - margin);
    let setup = Setup { lines: vec![("evidence", reserve)], ..Setup::default() };
    let mut gateway = Site::new(&setup).start();
    let first = gateway.request_network(&invoice::processing(1, 1)).await.delivery_id();

    let filler = folder.path().join("filler");
    let file = File::create(&filler).expect("a file");
    fallocate(&file, FallocateFlags::empty(), 0, 2 * margin).expect("room for it");
    let body = invoice::processing(1, 2);
    let refused = post_until(&gateway, &body, 503).await;
    assert_eq!(refused.code(), "EVIDENCE_UNAVAILABLE");
    assert_eq!(refused.headers["retry-after"], "1");
    assert_eq!(refused.json()["success"], false);
    assert!(!refused.text("/request_id").is_empty());
    let ready = gateway.admin("GET", "/readyz", ADMIN_TOKEN, None).await;
    assert_eq!((ready.status, ready.text("/components/evidence/status")), (503, "below_reserve".to_owned()));
    assert_eq!(gateway.admin("GET", "/healthz", ADMIN_TOKEN, None).await.status, 200, "the process lives");
    let raw = gateway.admin("GET", &format!("/api/v1/deliveries/{first}/raw"), ADMIN_TOKEN, None).await;
    assert_eq!((raw.status, raw.body), (200, invoice::processing(1, 1)), "what was acknowledged can be read");

    drop(file);
    std::fs::remove_file(&filler).expect("it goes away");
    let second = post_until(&gateway, &body, 200).await.delivery_id();
    gateway.event_in(&second, "forwarding", "PROVIDER_EVENT").await;
    assert_eq!(gateway.admin("GET", "/readyz", ADMIN_TOKEN, None).await.status, 200);
    assert!(gateway.is_running(), "{}", gateway.log());
}
