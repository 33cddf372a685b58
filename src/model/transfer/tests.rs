use super::*;

fn slot(text: &str) -> Slot {
    text.parse().unwrap()
}

#[test]
fn a_slot_reads_as_it_is_written() {
    for text in ["value", "log:0", "log:7", "log:4294967295", "trace:0", "trace:0.1", "trace:12.0.65535"] {
        assert_eq!(slot(text).to_string(), text);
    }
    let deepest = vec!["1"; TRACE_DEPTH_MAX].join(".");
    assert_eq!(slot(&format!("trace:{deepest}")).to_string(), format!("trace:{deepest}"));
}

#[test]
fn what_is_no_slot_is_none() {
    let too_deep = format!("trace:{}", vec!["1"; TRACE_DEPTH_MAX + 1].join("."));
    for text in [
        "",
        "values",
        "value:",
        "log",
        "log:",
        "log:-1",
        "log:4294967296",
        "trace",
        "trace:",
        "trace:.",
        "trace:0.",
        "trace:.0",
        "trace:00",
        "trace:+1",
        "trace:65536",
        "trace:a",
        &too_deep,
    ] {
        assert_eq!(text.parse::<Slot>(), Err(BadSlot), "{text}");
    }
}

#[test]
fn the_lowest_slot_is_the_value_then_logs_then_calls_in_their_order() {
    let ascending = ["value", "log:0", "log:2", "log:10", "trace:0", "trace:0.0", "trace:0.1", "trace:0.10", "trace:1"];
    let slots = ascending.map(slot);
    assert!(slots.is_sorted_by(|one, other| one < other), "{slots:?}");
}

#[test]
fn a_path_is_built_as_it_is_read() {
    let built = TracePath::outermost(3).and_then(|path| path.inside(0)).and_then(|path| path.inside(2));
    assert_eq!(Slot::Trace(built.unwrap()), slot("trace:3.0.2"));
    assert_eq!(TracePath::outermost(65_536), None);
    let mut path = TracePath::outermost(0).unwrap();
    for _ in 1..TRACE_DEPTH_MAX {
        path = path.inside(0).unwrap();
    }
    assert_eq!(path.inside(0), None);
}

#[test]
fn a_payment_in_a_call_has_a_key_of_its_own() {
    let key = |text| TransferKey { chain_id: 8453, tx_hash: B256::repeat_byte(0xab), slot: slot(text) };
    let encoded = [8453_u64.to_be_bytes().as_slice(), &[0xab; 32], b"trace:0.1"].concat();
    assert_eq!(key("trace:0.1").encode(), encoded);
    assert_ne!(key("trace:1").encode(), key("log:1").encode());
}
