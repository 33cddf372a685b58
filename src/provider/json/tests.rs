//! What strict reading takes and refuses.

use super::*;

fn fault(body: &[u8]) -> Fault {
    parse(body).unwrap_err()
}

#[test]
fn what_is_not_utf8_json_is_not_json() {
    let marked = [b"\xEF\xBB\xBF".as_slice(), b"{}"].concat();
    let bodies: [&[u8]; 12] = [
        b"",
        b" ",
        b"this is not JSON",
        b"{\"a\":1",
        b"{\"a\":1}}",
        b"{\"a\":1,}",
        b"{'a':1}",
        b"{\"a\":01}",
        b"{\"a\":NaN}",
        b"{\"name\":\"caf\xE9\"}",
        b"{\"a\":\"\x01\"}",
        &marked,
    ];
    for body in bodies {
        assert_eq!(fault(body), Fault::NotJson, "{}", String::from_utf8_lossy(body));
    }
    assert_eq!(Fault::NotJson.code(), Code::NotJson);
}

/// Rule 18.
#[test]
fn a_duplicate_key_at_any_level_makes_the_body_ambiguous() {
    for body in [
        r#"{"a":1,"a":1}"#,
        r#"{"data":{"object":{"id":"x","id":"y"}}}"#,
        r#"{"list":[{"k":1},{"k":1,"k":2}]}"#,
        "{\"a\":1,\"\\u0061\":2}",
    ] {
        assert_eq!(fault(body.as_bytes()), Fault::Ambiguous, "{body}");
    }
    assert_eq!(fault(br#"{"a":1,"a":1"#), Fault::NotJson, "a syntax error wins");
    assert!(parse(br#"{"a":{"a":1},"b":{"a":1},"A":1}"#).is_ok(), "the same key at another place is another key");
    assert_eq!(Fault::Ambiguous.code(), Code::AmbiguousJson);
}

#[test]
fn depth_is_bounded_and_does_not_use_the_stack() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(parse(nested(MAX_DEPTH).as_bytes()).is_ok());
    assert_eq!(fault(nested(MAX_DEPTH + 1).as_bytes()), Fault::TooDeep);
    assert_eq!(fault(nested(500_000).as_bytes()), Fault::TooDeep);
    let objects = format!("{}1{}", r#"{"a":"#.repeat(200_000), "}".repeat(200_000));
    assert_eq!(fault(objects.as_bytes()), Fault::TooDeep);
    assert_eq!(Fault::TooDeep.code(), Code::Uninterpretable);
}

#[test]
fn numbers_stay_the_text_that_was_signed() {
    let body = parse(br#"{"a":18446744073709551616,"b":1.10,"c":1e999,"d":-0}"#).unwrap();
    for (key, text) in [("a", "18446744073709551616"), ("b", "1.10"), ("c", "1e999"), ("d", "-0")] {
        assert_eq!(body.get(key).unwrap().scalar().as_deref(), Some(text));
        assert_eq!(body.field(key), None, "a number is no name");
    }
}

#[test]
fn a_string_that_nobody_reads_may_hold_half_an_emoji() {
    let body = parse(br#"{"id":"evt_1","name":"\ud83d"}"#).unwrap();
    assert_eq!(body.field("id").as_deref(), Some("evt_1"));
    assert_eq!(body.get("name").unwrap().text(), None);
}

#[test]
fn a_name_is_short_and_printable() {
    let long = "x".repeat(MAX_FIELD_BYTES);
    let body =
        format!(r#"{{"ok":"caf\u00e9","empty":"","long":"{long}","longer":"{long}x","control":"a\u0000b","no":null}}"#);
    let body = parse(body.as_bytes()).unwrap();
    assert_eq!(body.field("ok").as_deref(), Some("café"));
    assert_eq!(body.field("long"), Some(long));
    for key in ["empty", "longer", "control", "no", "absent"] {
        assert_eq!(body.field(key), None, "{key}");
    }
}

/// The examples of RFC 6901 section 5.
#[test]
fn pointers_follow_rfc_6901() {
    let body = br#"{"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\j":5,"k\"l":6," ":7,"m~n":8}"#;
    let body = parse(body).unwrap();
    let number = |pointer: &str| body.pointer(pointer).and_then(Json::scalar);
    let cases = [("/", "0"), ("/a~1b", "1"), ("/c%d", "2"), ("/e^f", "3"), ("/g|h", "4")];
    for (pointer, text) in cases.into_iter().chain([("/i\\j", "5"), ("/k\"l", "6"), ("/ ", "7"), ("/m~0n", "8")]) {
        assert_eq!(number(pointer).as_deref(), Some(text), "{pointer}");
    }
    assert_eq!(body.pointer(""), Some(&body));
    assert_eq!(body.pointer("/foo/0").and_then(Json::text).as_deref(), Some("bar"));
    for pointer in ["foo", "/foo/2", "/foo/-", "/foo/01", "/foo/+1", "/foo/0/0", "/nope"] {
        assert_eq!(body.pointer(pointer), None, "{pointer}");
    }
}
