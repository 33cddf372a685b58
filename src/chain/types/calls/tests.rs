use serde_json::{Value, json};

use super::*;
use crate::chain::types::tests::raw;

const A: &str = "0x00000000000000000000000000000000000a0000";
const B: &str = "0x00000000000000000000000000000000000b0000";

fn call(value: &str, inside: Vec<Value>) -> Value {
    json!({
        "type": "CALL", "from": A, "to": B, "value": value, "gas": "0x5208", "gasUsed": "0x5208", "input": "0x",
        "calls": inside, "vendor": 1
    })
}

fn read(value: &Value) -> Result<CallFrame, Malformed> {
    calls(&raw(value))
}

fn nested(depth: usize) -> Value {
    (0..depth).fold(call("0x1", vec![]), |inside, _| call("0x0", vec![inside]))
}

#[test]
fn calls_are_read_with_those_inside_them() {
    let mut undone = call("0x2", vec![]);
    undone["error"] = json!("execution reverted");
    let reading = json!({"type": "STATICCALL", "from": A, "to": B, "input": "0x", "calls": null, "error": null});
    let one = read(&call("0x1", vec![undone, reading])).unwrap();
    assert_eq!((one.kind, one.value, one.failed), (CallKind::Call, U256::from(1), false));
    let [undone, reading] = one.calls.as_slice() else { panic!("{one:?}") };
    assert_eq!((undone.failed, undone.value), (true, U256::from(2)));
    assert_eq!((reading.kind, reading.value, reading.failed), (CallKind::Other, U256::ZERO, false));
    assert_eq!(one.to, Some(B.parse().unwrap()));
}

#[test]
fn only_the_plain_call_is_one_that_pays() {
    for kind in ["DELEGATECALL", "CALLCODE", "STATICCALL", "CREATE", "CREATE2", "SELFDESTRUCT", "call", ""] {
        let mut other = call("0x5", vec![]);
        other["type"] = json!(kind);
        assert_eq!(read(&other).unwrap().kind, CallKind::Other, "{kind}");
    }
}

#[test]
fn what_does_not_fit_exactly_is_malformed() {
    let with = |key: &str, value: Value| {
        let mut changed = call("0x1", vec![]);
        changed[key] = value;
        changed
    };
    let cases = [
        Value::Null,
        json!([]),
        with("type", json!(1)),
        with("from", Value::Null),
        with("from", json!("0x12")),
        with("to", json!("0x12")),
        with("value", Value::Null),
        with("value", json!("5")),
        with("calls", json!({})),
        call("0x1", vec![with("value", Value::Null)]),
    ];
    for case in cases {
        assert!(read(&case).is_err(), "{case}");
    }
}

#[test]
fn depth_and_number_are_bounded() {
    assert!(read(&nested(TRACE_DEPTH_MAX)).is_ok());
    assert_eq!(read(&nested(TRACE_DEPTH_MAX + 1)), Err(Malformed("call trace that is too deep")));
    // What nests deeper than any reader of JSON goes is refused as well.
    assert!(read(&nested(60)).is_err());
    assert!(read(&call("0x0", vec![call("0x0", vec![]); CALLS_MAX - 1])).is_ok());
    assert_eq!(
        read(&call("0x0", vec![call("0x0", vec![]); CALLS_MAX])),
        Err(Malformed("call trace of too many calls"))
    );
}
