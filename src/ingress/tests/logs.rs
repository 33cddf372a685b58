//! One line per outcome, that can be read alone and gives nothing away.

use std::io;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::support::{Gateway, SECRET, request, signature, signed};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Lines {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// The fields of every line about a request.
    fn of(&self, request_id: &str) -> Vec<Value> {
        let text = self.text();
        let fields = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["fields"].take());
        fields.filter(|fields| fields["request_id"] == request_id).collect()
    }
}

/// Other tests log at the same places with nobody listening, and who comes there first may switch a place off for
/// everybody: `tracing` asks once.
const ROUNDS: usize = 20;

#[tokio::test]
async fn outcomes_are_logged_with_their_ids_and_no_contents() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let _scope = tracing::subscriber::set_default(subscriber);
    let gateway = Gateway::start().await;
    let wrong = signature(b"other");
    for round in 0..ROUNDS {
        tracing::callsite::rebuild_interest_cache();
        let (good, bad) = (format!("good-{round}"), format!("bad-{round}"));
        let head = format!("X-Request-Id: {good}\r\nX-Other: private header\r\n");
        let body = format!("private words {round}");
        let id = gateway.ask(&signed(body.as_bytes(), &head)).await.stored();
        let head = format!("X-Request-Id: {bad}\r\nX-Signature: {wrong}\r\n");
        gateway.ask(&request(body.as_bytes(), &head)).await.refused(401, "SIGNATURE_MISMATCH");
        let (stored, refused) = (lines.of(&good), lines.of(&bad));
        if stored.is_empty() || refused.is_empty() {
            continue;
        }
        let ([stored], [refused]) = (&stored[..], &refused[..]) else { panic!("one line an outcome") };
        assert_eq!(stored["delivery_id"], id.to_string());
        assert_eq!((&stored["source"], &stored["outcome"]), (&Value::from("orders"), &Value::from("stored")));
        assert_eq!((&refused["source"], &refused["code"]), (&"orders".into(), &"SIGNATURE_MISMATCH".into()));
        let text = lines.text();
        for hidden in ["private", SECRET, &wrong, &signature(body.as_bytes())] {
            assert!(!text.contains(hidden), "{hidden} in {text}");
        }
        return;
    }
    panic!("an outcome without a line: {}", lines.text());
}
