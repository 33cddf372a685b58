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
    let id = gateway.ask(&signed(b"private words", "X-Request-Id: r-1\r\nX-Other: private header\r\n")).await.stored();
    let wrong = signature(b"other");
    let lines_wrong = format!("X-Request-Id: r-2\r\nX-Signature: {wrong}\r\n");
    gateway.ask(&request(b"private words", &lines_wrong)).await.refused(401, "SIGNATURE_MISMATCH");

    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    for hidden in ["private", SECRET, &wrong, &signature(b"private words")] {
        assert!(!text.contains(hidden), "{hidden} in {text}");
    }
    let of = |request_id: &str| {
        let mut found = text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .filter(|line| line["fields"]["request_id"] == request_id);
        let line = found.next().expect("a line");
        assert!(found.next().is_none(), "one line an outcome");
        line["fields"].clone()
    };
    let stored = of("r-1");
    assert_eq!(stored["delivery_id"], id.to_string());
    assert_eq!((&stored["source"], &stored["outcome"]), (&Value::from("orders"), &Value::from("stored")));
    let refused = of("r-2");
    assert_eq!((&refused["source"], &refused["code"]), (&Value::from("orders"), &Value::from("SIGNATURE_MISMATCH")));
}
