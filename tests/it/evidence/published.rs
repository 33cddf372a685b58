//! Checkpoints leave the machine: what `publish_url` is told is enough to hold the log to what it was.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use evidence_store::note::{Note, VerifierKey};
use tokio::task::JoinHandle;
use tollgate::task;

use super::{end, evidence, get, opened, post, says};
use crate::support::gateway::{PATIENCE, Setup, Site, text};

/// Somebody else's machine that keeps notes: content type and body, in order. It refuses the first.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Vec<(String, String)>>>);

impl Notes {
    fn all(&self) -> Vec<(String, String)> {
        self.0.lock().expect("the notes").clone()
    }
}

async fn keep(State(notes): State<Notes>, headers: HeaderMap, note: String) -> StatusCode {
    let kind = headers.get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default().to_owned();
    let mut all = notes.0.lock().expect("the notes");
    all.push((kind, note));
    if all.len() == 1 { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::NO_CONTENT }
}

async fn witness() -> (SocketAddr, Notes, JoinHandle<()>) {
    let notes = Notes::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address");
    let routes = Router::new().fallback(keep).with_state(notes.clone());
    let serving = task::spawn("witness", async move { axum::serve(listener, routes).await.expect("it serves") });
    (address, notes, serving)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_checkpoint_is_posted_until_it_is_kept_and_the_last_one_before_the_end() {
    let (address, notes, serving) = witness().await;
    let url = format!("http://{address}/notes?token=not-for-the-log");
    let more = format!("\n[evidence.seal]\nevery = \"1s\"\npublish_url = \"{url}\"\n");
    let site = Site::new(&Setup { more, ..Setup::default() });
    let gateway = site.start();
    post(&gateway, 3).await;
    let key = get(&gateway, "/status").await["integrity"]["public_key"].as_str().expect("a key").to_owned();
    let deadline = Instant::now() + PATIENCE;
    while notes.all().len() < 2 {
        assert!(Instant::now() < deadline, "nothing is posted again: {:?}\n{}", notes.all(), gateway.log());
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    post(&gateway, 1).await;
    let (status, log) = gateway.terminate();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(!log.contains("not-for-the-log"), "{log}");

    let (all, key) = (notes.all(), VerifierKey::parse(&key).expect("a key"));
    for (kind, note) in &all {
        assert_eq!(kind, "text/plain; charset=utf-8");
        Note::parse(note.as_bytes()).expect("a note").verify(&key).expect("signed by the key that `status` shows");
    }
    let store = opened(&site);
    let last = store.latest_checkpoint().expect("reads").expect("is there");
    assert_eq!((&all[all.len() - 1].1, last.checkpoint.size), (&last.note, store.head().seq));
    drop(store);
    serving.abort();

    // Kept there, each of them still fits after the log has grown.
    end(site.start());
    for (_, note) in &all {
        let kept = site.folder().join("kept");
        std::fs::write(&kept, note).expect("written");
        says(&evidence(&site, &["verify", "--checkpoint", &text(&kept)]), 0, &["are right", "the log begins with the"]);
    }
}
