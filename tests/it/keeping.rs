//! What has to stay and what has to go: holds, and erasing a body for privacy.

use std::path::Path;

use serde_json::json;

use crate::operate::{ask, open};
use crate::support::gateway::{ADMIN_TOKEN, BACKEND_TOKEN, Gateway, Setup, Site, VIEWER_TOKEN};
use crate::support::invoice;

/// Files below a folder that hold these bytes.
fn holding(folder: &Path, bytes: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(holding(&path, bytes));
        } else if std::fs::read(&path).expect("read").windows(bytes.len()).any(|window| window == bytes) {
            found.push(path.display().to_string());
        }
    }
    found
}

async fn posted(gateway: &Gateway, number: u64) -> String {
    let id = gateway.stripe(&invoice::card(number)).await.delivery_id();
    gateway.event_when(&id, |event| event["code"] == "PROVIDER_EVENT").await;
    id
}

#[tokio::test]
async fn what_is_held_is_not_erased_and_what_is_erased_leaves_who_when_and_why() {
    let site = Site::new(&Setup::default());
    let gateway = site.start();
    let (id, other) = (posted(&gateway, 1).await, posted(&gateway, 2).await);
    let run = |token: &str, arguments: &[&str]| ask(&site, &gateway, token, arguments, "");
    let erase = ["evidence", "erase", &id, "--reason", "request 77", "--yes", "-o", "json"];
    let event = gateway.event_when(&id, |_| true).await["event_id"].as_str().expect("an id").to_owned();
    for hold in [vec![id.as_str()], vec![&event], vec!["--source", "stripe"]] {
        let named = [&["evidence", "hold"], &hold[..], &["--reason", "case 12", "-o", "json"]].concat();
        let held = run(ADMIN_TOKEN, &named).json();
        assert_eq!((&held["by"], &held["reason"]), (&json!("admin"), &json!("case 12")));
        run(ADMIN_TOKEN, &erase).fails(1, "HELD");
        let holds = run(VIEWER_TOKEN, &["evidence", "holds", "-o", "json"]).json();
        assert_eq!((holds.as_array().expect("a list").len(), &holds[0]["subject"]), (1, &held["subject"]));
        let named = [&["evidence", "release"], &hold[..], &["--reason", "closed"]].concat();
        assert_eq!(run(ADMIN_TOKEN, &named).code, Some(0));
        run(ADMIN_TOKEN, &named).fails(1, "no such hold");
    }
    run(ADMIN_TOKEN, &["evidence", "hold", "0192ab4f", "--reason", "x"]).fails(1, "NOT_FOUND");
    run(ADMIN_TOKEN, &["evidence", "hold", "--source", "nobody", "--reason", "x"]).fails(1, "no such source");
    run(VIEWER_TOKEN, &["evidence", "hold", &id, "--reason", "x"]).fails(1, "FORBIDDEN");
    run(VIEWER_TOKEN, &erase).fails(1, "FORBIDDEN");
    run(ADMIN_TOKEN, &["evidence", "erase", &id, "--reason", "request 77"]).fails(2, "add --yes");
    let body = invoice::card(1);
    assert_eq!(run(ADMIN_TOKEN, &["deliveries", "raw", &id]).out.as_bytes(), body);

    let erased = run(ADMIN_TOKEN, &erase).json();
    assert_eq!((&erased["erased_now"], &erased["removed"]["reason"]), (&json!(true), &json!("request 77")));
    assert_eq!(run(ADMIN_TOKEN, &erase).json()["erased_now"], false, "again is no error and changes nothing");
    let raw = gateway.admin("GET", &format!("/api/v1/deliveries/{id}/raw"), ADMIN_TOKEN, None).await;
    assert_eq!((raw.status, raw.code().as_str()), (410, "ERASED"));
    let left = run(VIEWER_TOKEN, &["deliveries", "show", &id, "-o", "json"]).json();
    assert_eq!((&left["removed"]["what"], &left["removed"]["by"]), (&json!("erased"), &json!("admin")));
    assert_eq!((&left["removed"]["reason"], &left["event_id"]), (&json!("request 77"), &json!(event)));
    assert!(left["removed"]["at"].is_string() && left["body_sha256"].is_string());
    let kept = gateway.admin("GET", &format!("/api/v1/deliveries/{other}/raw"), ADMIN_TOKEN, None).await;
    assert_eq!((kept.status, kept.body), (200, invoice::card(2)));
    // The same body again is the same event and is not sent again.
    let again = gateway.stripe(&body).await.delivery_id();
    assert_eq!(gateway.event_when(&again, |_| true).await["event_id"], json!(event));
    gateway.terminate();
}

#[tokio::test]
async fn a_stopped_gateways_data_is_held_and_erased_too_and_no_byte_of_the_body_stays_in_the_log() {
    let site = Site::new(&Setup::default());
    let gateway = site.start();
    let (id, other) = (posted(&gateway, 1).await, posted(&gateway, 2).await);
    let refused = gateway.admin("POST", "/api/v1/evidence/erase", BACKEND_TOKEN, Some(&json!({}))).await;
    assert_eq!(refused.code(), "FORBIDDEN");
    gateway.terminate();
    let held = open(&site, &["evidence", "hold", &other, "--reason", "case 12", "-o", "json"]).json();
    assert_eq!(held["what"], "delivery");
    open(&site, &["evidence", "erase", &other, "--reason", "x", "--yes"]).fails(1, "HELD");
    let erased = open(&site, &["evidence", "erase", &id, "--reason", "request 78", "--yes", "-o", "json"]).json();
    assert_eq!(erased["erased_now"], true);
    assert_eq!(holding(&site.data().join("evidence/log"), &invoice::card(1)), [""; 0]);
    let gateway = site.start();
    let raw = gateway.admin("GET", &format!("/api/v1/deliveries/{id}/raw"), ADMIN_TOKEN, None).await;
    assert_eq!(raw.status, 410);
    let verified = gateway.admin("POST", "/api/v1/jobs", ADMIN_TOKEN, Some(&json!({"kind": "verify"}))).await;
    let watched = ask(&site, &gateway, ADMIN_TOKEN, &["jobs", "watch", &verified.text("/data/job_id")], "");
    assert_eq!(watched.code, Some(0), "{}", watched.err);
}
