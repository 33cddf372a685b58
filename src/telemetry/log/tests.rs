use std::io::Write;
use std::sync::{Arc, Mutex};

use serde_json::Value as Json;

use super::{LogError, subscriber};
use crate::clock::Clock;
use crate::config::Telemetry;

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn settings(json: bool, level: &str) -> Telemetry {
    Telemetry { json, level: level.to_owned(), listen: None }
}

/// What is written while `work` runs. The time stands at 2026-11-20T12:00:00.000123Z.
fn logged(settings: &Telemetry, work: impl FnOnce()) -> String {
    let lines = Lines::default();
    let clock = Clock::manual("2026-11-20T12:00:00.000123Z".parse().unwrap());
    let sink = lines.clone();
    let subscriber = subscriber(settings, clock, move || sink.clone()).unwrap();
    tracing::subscriber::with_default(subscriber, work);
    let bytes = lines.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn one_object_a_line_with_the_fields_of_its_spans() {
    let text = logged(&settings(true, "info"), || {
        let outer = tracing::info_span!("request", request_id = "r-1");
        let _outer = outer.enter();
        let inner = tracing::info_span!("deliver", delivery_id = "d-1", level = "posing");
        let _inner = inner.enter();
        tracing::info!(attempt = 2, late = true, "line one\nline two");
        tracing::debug!("below the level");
    });
    assert_eq!(text.lines().count(), 1, "{text}");
    let line: Json = serde_json::from_str(&text).unwrap();
    assert_eq!(line["timestamp"], "2026-11-20T12:00:00.000123Z");
    assert_eq!(line["level"], "INFO");
    assert_eq!(line["message"], "line one\nline two");
    assert_eq!((&line["request_id"], &line["delivery_id"]), (&Json::from("r-1"), &Json::from("d-1")));
    assert_eq!((&line["attempt"], &line["late"]), (&Json::from(2), &Json::from(true)));
    assert!(line["target"].as_str().unwrap().contains("log::tests"));
}

#[test]
fn a_name_stands_once_the_events_own_before_its_spans() {
    let text = logged(&settings(true, "info"), || {
        let outer = tracing::info_span!("request", attempt = 1, delivery_id = "d-outer");
        let _outer = outer.enter();
        let inner = tracing::info_span!("deliver", attempt = 2, delivery_id = "d-inner");
        let _inner = inner.enter();
        tracing::info!(attempt = 3, target = "posing", quote = "a \"b\"\u{7}", ratio = f64::NAN, "done");
    });
    for name in ["attempt", "delivery_id", "target", "message"] {
        assert_eq!(text.matches(&format!("\"{name}\":")).count(), 1, "{text}");
    }
    let line: Json = serde_json::from_str(&text).unwrap();
    assert_eq!((&line["attempt"], &line["delivery_id"]), (&Json::from(3), &Json::from("d-inner")));
    assert_eq!((&line["quote"], &line["ratio"]), (&Json::from("a \"b\"\u{7}"), &Json::Null));
    assert!(line["target"].as_str().unwrap().contains("log::tests"));
}

#[test]
fn text_is_for_people_and_keeps_span_fields() {
    let text = logged(&settings(false, "warn"), || {
        let span = tracing::warn_span!("request", request_id = "r-1");
        let _span = span.enter();
        tracing::info!("quiet");
        tracing::warn!("loud");
    });
    assert!(text.contains("loud") && text.contains("request_id=\"r-1\""), "{text}");
    assert!(text.starts_with("2026-11-20T12:00:00.000123Z"), "{text}");
    assert!(!text.contains("quiet") && !text.contains('\u{1b}'), "{text}");
}

#[test]
fn a_filter_that_cannot_be_read_says_how() {
    let error = subscriber(&settings(true, "tollgate=loud"), Clock::system(), std::io::sink).err().unwrap();
    assert!(matches!(error, LogError::Level(_)));
    assert!(error.to_string().contains("telemetry.log.level"), "{error}");
}
