//! A backup that was interrupted is never taken for one.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{create, listed, restore, verify};
use crate::support::gateway::{ADMIN_TOKEN, PATIENCE, Setup, Site};
use crate::support::invoice;

/// Times that a backup is interrupted, each a little later than the one before; again from the beginning when all of
/// them came too late.
const INTERRUPTIONS: u64 = 6;
const INTERRUPTIONS_MAX: u64 = 10 * INTERRUPTIONS;

fn names(folder: &Path) -> BTreeSet<OsString> {
    let Ok(entries) = std::fs::read_dir(folder) else { return BTreeSet::new() };
    entries.map(|entry| entry.expect("an entry").file_name()).collect()
}

/// The manifest comes last: a kill after it leaves a whole backup under the name of an unfinished one.
fn never_half_restored(backup: &Path) {
    let other = Site::new(&Setup::default());
    let restored = restore(&other, backup);
    match std::fs::read(backup.join("manifest.json")) {
        Err(_) => restored.fails(4, "no manifest.json"),
        Ok(bytes) if serde_json::from_slice::<Value>(&bytes).is_err() => {
            restored.fails(4, "manifest.json does not read")
        }
        Ok(_) => assert_eq!(restored.code, Some(0), "{}", restored.err),
    }
}

#[tokio::test]
async fn a_backup_that_was_killed_is_no_backup() {
    let site = Site::new(&Setup::default());
    let mut gateway = site.start();
    for number in 1..=40 {
        gateway.stripe(&invoice::card(number)).await.delivery_id();
    }
    let folder = site.data().join("backups");
    let mut interrupted = 0;
    for round in 0..INTERRUPTIONS_MAX {
        let before = names(&folder);
        let started = gateway.admin("POST", "/api/v1/jobs", ADMIN_TOKEN, Some(&json!({"kind": "backup"}))).await;
        assert_eq!(started.status, 202, "{}", started.json());
        let deadline = Instant::now() + PATIENCE;
        while names(&folder).is_subset(&before) {
            assert!(Instant::now() < deadline, "no backup begins: {}", gateway.log());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let later = round % INTERRUPTIONS;
        tokio::time::sleep(Duration::from_millis(10 * later * later)).await;
        drop(gateway.kill());
        for (name, state) in listed(&site, &folder) {
            match state.as_str() {
                "complete" => assert_eq!(verify(&site, &folder.join(name)).code, Some(0)),
                "unfinished" => {
                    interrupted += 1;
                    never_half_restored(&folder.join(name));
                }
                _ => panic!("{name} is {state}"),
            }
        }
        gateway = site.start();
        if INTERRUPTIONS <= round + 1 && 0 < interrupted {
            break;
        }
    }
    assert!(0 < interrupted, "none of the kills came in the middle");
    let (backup, _) = create(&site, &gateway);
    let states = listed(&site, &folder);
    assert!(states.iter().all(|(_, state)| state == "complete"), "what was interrupted is cleared: {states:?}");
    assert_eq!(folder.join(&states[0].0), backup, "the newest first");
}
