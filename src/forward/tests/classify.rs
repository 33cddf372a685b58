//! Every kind of answer and what it means.

use std::time::Duration;

use jiff::Timestamp;

use crate::forward::classify::{Class, classify};
use crate::forward::client::SendError;

fn now() -> Timestamp {
    "2026-11-20T12:00:00Z".parse().unwrap()
}

fn class(status: u16, retry_after: Option<&str>) -> (&'static str, Class) {
    let judged = classify(Ok(status), retry_after, &[], now());
    (judged.outcome, judged.class)
}

#[test]
fn a_status_means_taken_or_tried_again() {
    for (status, outcome, expected) in [
        (200, "ok", Class::Delivered),
        (202, "ok", Class::Delivered),
        (204, "ok", Class::Delivered),
        (299, "ok", Class::Delivered),
        (301, "redirect", Class::Retry),
        (302, "redirect", Class::Retry),
        (304, "redirect", Class::Retry),
        (307, "redirect", Class::Retry),
        (308, "redirect", Class::Retry),
        (400, "status", Class::Retry),
        (401, "status", Class::Retry),
        (404, "status", Class::Retry),
        (409, "status", Class::Retry),
        (410, "status", Class::Gone),
        (422, "status", Class::Retry),
        (429, "status", Class::Retry),
        (500, "status", Class::Retry),
        (503, "status", Class::Retry),
        (599, "status", Class::Retry),
        (999, "status", Class::Retry),
    ] {
        assert_eq!(class(status, None), (outcome, expected), "{status}");
    }
}

#[test]
fn accepted_statuses_win_over_every_other_reading() {
    for status in [302, 404, 409, 410, 429, 503] {
        let judged = classify(Ok(status), Some("60"), &[302, 404, 409, 410, 429, 503], now());
        assert_eq!((judged.outcome, judged.class), ("ok", Class::Delivered), "{status}");
    }
}

#[test]
fn no_answer_is_tried_again_and_named() {
    for (error, word) in [
        (SendError::Address, "address"),
        (SendError::Timeout, "timeout"),
        (SendError::Connect, "connect"),
        (SendError::Tls, "tls"),
        (SendError::Io, "io"),
    ] {
        let judged = classify(Err(error), None, &[200], now());
        assert_eq!((judged.outcome, judged.class), (word, Class::Retry));
    }
}

#[test]
fn retry_after_is_seconds_or_one_of_three_dates() {
    let after = |seconds| Class::RetryAfter(Duration::from_secs(seconds));
    for (text, expected) in [
        ("0", after(0)),
        ("120", after(120)),
        (" 7 ", after(7)),
        ("99999999999999999999999", after(u64::MAX)),
        ("Fri, 20 Nov 2026 12:00:30 GMT", after(30)),
        ("Friday, 20-Nov-26 12:01:00 GMT", after(60)),
        ("Fri Nov 20 12:02:00 2026", after(120)),
        // In the past: the backoff alone decides.
        ("Fri, 20 Nov 2026 11:59:00 GMT", after(0)),
        ("Sun, 06 Nov 1994 08:49:37 GMT", after(0)),
        ("", Class::Retry),
        ("-1", Class::Retry),
        ("1.5", Class::Retry),
        ("soon", Class::Retry),
        ("Fri, 31 Feb 2026 12:00:00 GMT", Class::Retry),
    ] {
        for status in [429, 503] {
            let word = if expected == Class::Retry { "status" } else { "retry_after" };
            assert_eq!(class(status, Some(text)), (word, expected), "{text:?}");
        }
    }
}

#[test]
fn retry_after_counts_for_429_and_503_only() {
    for status in [400, 500, 502, 504] {
        assert_eq!(class(status, Some("60")), ("status", Class::Retry), "{status}");
    }
}
