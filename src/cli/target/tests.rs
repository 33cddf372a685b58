use bytes::Bytes;
use reqwest::{StatusCode, Url};
use serde_json::json;

use super::{Query, Reply, below, data, segment};
use crate::cli::Exit;

fn reply(status: u16, body: &str) -> Reply {
    Reply { status: StatusCode::from_u16(status).unwrap(), body: Bytes::copy_from_slice(body.as_bytes()) }
}

#[test]
fn ids_and_filters_cannot_break_out_of_their_place() {
    let base = Url::parse("http://127.0.0.1:9600/behind/a/proxy/").unwrap();
    let query = Query::default().with("source", Some("a&b=c")).with("tx", None::<String>).with("limit", Some(3));
    let url = below(&base, &format!("/events/{}", segment("../x?y#z %")), &query);
    assert_eq!(
        url.as_str(),
        "http://127.0.0.1:9600/behind/a/proxy/api/v1/events/..%2Fx%3Fy%23z%20%25?source=a%26b%3Dc&limit=3"
    );
}

#[test]
fn the_envelope_is_taken_off() {
    assert_eq!(data(reply(202, r#"{"success":true,"data":{"a":1}}"#)).unwrap(), json!({"a": 1}));
    for strange in ["", "<html>", r#"{"a":1}"#] {
        let failure = data(reply(200, strange)).unwrap_err();
        assert_eq!((failure.exit, failure.message.contains("--admin")), (Exit::Failed, true), "{strange}");
    }
}

#[test]
fn refusals_are_readable_and_have_the_exit_code_that_fits() {
    let refused = |status, code: &str, details: &str| {
        let body = format!(
            r#"{{"success":false,"error":{{"code":"{code}","message":"no \u001b[2J","details":{details}}},"request_id":"r"}}"#
        );
        let failure = data(reply(status, &body)).unwrap_err();
        assert!(failure.message.contains(code) && !failure.message.contains('\u{1b}'), "{}", failure.message);
        failure
    };
    for (status, code, exit) in [
        (404, "NOT_FOUND", Exit::Failed),
        (400, "BAD_REQUEST", Exit::Usage),
        (401, "UNAUTHORIZED", Exit::Usage),
        (403, "FORBIDDEN", Exit::Failed),
        (409, "JOB_BUSY", Exit::Failed),
        (500, "EVIDENCE_DAMAGED", Exit::Evidence),
        (500, "EVIDENCE_NEWER", Exit::Newer),
    ] {
        assert_eq!(refused(status, code, "{}").exit, exit, "{code}");
    }
    assert!(refused(401, "UNAUTHORIZED", "{}").message.contains("TOLLGATE_ADMIN_TOKEN"));
    assert!(refused(409, "JOB_BUSY", r#"{"job_id":"17"}"#).message.contains("\"job_id\": \"17\""));
    let proxy = data(reply(502, "<html>")).unwrap_err();
    assert!(proxy.message.contains("502"), "{}", proxy.message);
}
