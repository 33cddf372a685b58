//! What a lie about receipts does: what the root covers is detected, what it does not cover is not.

use proptest::prelude::*;

use super::*;

/// The same text with one hexadecimal digit changed.
fn flipped(text: &str, at: usize) -> String {
    let mut digits = text.as_bytes().to_vec();
    let at = 2 + at % (digits.len() - 2);
    digits[at] = if digits[at] == b'0' { b'1' } else { b'0' };
    String::from_utf8(digits).unwrap()
}

fn is_root_mismatch(result: &Result<ProvenBlock, ProofError>) -> bool {
    matches!(result, Err(ProofError::RootMismatch { what: Root::Receipts, .. }))
}

/// Puts receipts where they now stand, as a liar would.
fn renumber(receipts: &mut Value) {
    for (index, receipt) in receipts.as_array_mut().unwrap().iter_mut().enumerate() {
        receipt["transactionIndex"] = json!(format!("{index:#x}"));
    }
}

/// Pointers to every text below a receipt that the root covers.
fn committed() -> Vec<String> {
    let (_, receipts) = fixture("prague");
    let mut found = Vec::new();
    for (at, receipt) in receipts.as_array().unwrap().iter().enumerate() {
        found.push(format!("/{at}/cumulativeGasUsed"));
        for (log, stated) in receipt["logs"].as_array().unwrap().iter().enumerate() {
            found.push(format!("/{at}/logs/{log}/address"));
            if stated["data"] != "0x" {
                found.push(format!("/{at}/logs/{log}/data"));
            }
            let topics = stated["topics"].as_array().unwrap().len();
            found.extend((0..topics).map(|topic| format!("/{at}/logs/{log}/topics/{topic}")));
        }
    }
    found
}

proptest! {
    #[test]
    fn any_changed_digit_under_the_root_is_detected(which in any::<prop::sample::Index>(), digit in any::<usize>()) {
        let committed = committed();
        let pointer = which.get(&committed);
        let result = changed(|receipts| {
            let text = receipts.pointer_mut(pointer).unwrap();
            *text = json!(flipped(text.as_str().unwrap(), digit));
        });
        prop_assert!(is_root_mismatch(&result), "{pointer}: {result:?}");
    }

    #[test]
    fn any_changed_status_or_type_is_detected(at in 0_usize..7, kind in 0_u8..=4) {
        let status = changed(|receipts| {
            let other = if receipts[at]["status"] == "0x1" { "0x0" } else { "0x1" };
            receipts[at]["status"] = json!(other);
        });
        prop_assert!(is_root_mismatch(&status));
        let (_, original) = fixture("prague");
        let kind = format!("{kind:#x}");
        let result = changed(|receipts| receipts[at]["type"] = json!(kind));
        prop_assert_eq!(is_root_mismatch(&result), original[at]["type"] != json!(kind));
    }

    #[test]
    fn dropped_swapped_and_repeated_receipts_are_detected(a in 0_usize..7, b in 0_usize..7) {
        let dropped = changed(|receipts| {
            receipts.as_array_mut().unwrap().remove(a);
            renumber(receipts);
        });
        prop_assert!(is_root_mismatch(&dropped));
        let swapped = changed(|receipts| {
            receipts.as_array_mut().unwrap().swap(a, b);
            renumber(receipts);
        });
        prop_assert_eq!(is_root_mismatch(&swapped), a != b);
        let repeated = changed(|receipts| {
            let mut twin = receipts[a].clone();
            twin["transactionHash"] = json!(B256::repeat_byte(7));
            for log in twin["logs"].as_array_mut().unwrap() {
                log["transactionHash"] = json!(B256::repeat_byte(7));
            }
            receipts.as_array_mut().unwrap().push(twin);
            renumber(receipts);
        });
        prop_assert!(is_root_mismatch(&repeated));
    }
}

#[test]
fn a_removed_added_or_moved_log_is_detected() {
    for at in [0, 1, 5] {
        let removed = changed(|receipts| drop(receipts[at]["logs"].as_array_mut().unwrap().pop()));
        assert!(is_root_mismatch(&removed), "{at}");
        let moved = changed(|receipts| receipts[at]["logs"].as_array_mut().unwrap().swap(0, 1));
        assert!(is_root_mismatch(&moved), "{at}");
        let added = changed(|receipts| {
            let log = receipts[at]["logs"][0].clone();
            receipts[at]["logs"].as_array_mut().unwrap().push(log);
        });
        assert!(is_root_mismatch(&added), "{at}");
    }
}

#[test]
fn what_is_outside_the_root_is_not_detected() {
    let other = B256::repeat_byte(0xee);
    let address = json!("0xeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee");
    for (field, value) in [
        ("from", address.clone()),
        ("to", address.clone()),
        ("contractAddress", address),
        ("gasUsed", json!("0x1")),
        ("effectiveGasPrice", json!("0x1")),
        ("blobGasPrice", json!("0x9")),
        ("logsBloom", json!("0x00")),
        ("blockTimestamp", json!("0x1")),
        ("depositNonce", json!("0x1")),
        ("depositReceiptVersion", json!("0x1")),
        ("baseFee", json!("0x1")),
    ] {
        assert!(changed(|receipts| receipts[0][field] = value).is_ok(), "{field}");
    }
    for (field, value) in [("logIndex", json!("0x99")), ("removed", json!(false)), ("blockTimestamp", json!("0x1"))] {
        assert!(changed(|receipts| receipts[0]["logs"][0][field] = value).is_ok(), "{field}");
    }
    // The transaction's hash: this is what transactions() or a second operator is for.
    let lied = changed(|receipts| {
        receipts[2]["transactionHash"] = json!(other);
    });
    assert_eq!(lied.unwrap().receipt(&other).unwrap().tx_index, 2);
}

#[test]
fn what_contradicts_the_header_or_itself_is_the_nodes_fault() {
    let other = B256::repeat_byte(0xee);
    let cases: [(&str, &str, Value); 7] = [
        ("/0/blockHash", "receipt of another block", json!(other)),
        ("/0/blockNumber", "receipt of another block", json!("0x3")),
        ("/0/transactionIndex", "receipt out of its place", json!("0x1")),
        ("/0/blockHash", "receipt of a block that is in no block", Value::Null),
        ("/0/logs/0/removed", "removed log in a receipt", json!(true)),
        ("/0/logs/0/topics", "log with more than four topics", json!([other, other, other, other, other])),
        ("/0/cumulativeGasUsed", "receipt of a block", Value::Null),
    ];
    for (pointer, what, value) in cases {
        let result = changed(|receipts| {
            *receipts.pointer_mut(pointer).unwrap() = value;
            if pointer == "/0/blockHash" {
                receipts[0]["logs"] = json!([]);
            }
        });
        assert_eq!(result.map(|_| ()), Err(ProofError::Malformed(what)), "{pointer}");
    }
    let twice = changed(|receipts| receipts[3]["transactionHash"] = receipts[2]["transactionHash"].clone());
    assert_eq!(twice.map(|_| ()), Err(ProofError::Malformed("two receipts of one transaction")));
    let not_a_list = changed(|receipts| *receipts = json!({}));
    assert_eq!(not_a_list.map(|_| ()), Err(ProofError::Malformed("receipts of a block")));
}

#[test]
fn what_is_not_known_is_unsupported_and_no_fault() {
    let unsupported = |change: &dyn Fn(&mut Value)| match changed(change) {
        Err(ProofError::Unsupported(what)) => what,
        other => panic!("{other:?}"),
    };
    for kind in [0x05_u64, 0x63, 0x6b, 0x78, 0x7a, 0x80, 0x100, u64::MAX] {
        let what = unsupported(&|receipts| receipts[1]["type"] = json!(format!("{kind:#x}")));
        assert_eq!(what, Unsupported::Receipt(kind));
    }
    for missing in [true, false] {
        let what = unsupported(&|receipts| {
            receipts[1]["root"] = json!(B256::repeat_byte(3));
            match missing {
                true => drop(receipts[1].as_object_mut().unwrap().remove("status")),
                false => receipts[1]["status"] = Value::Null,
            }
        });
        assert_eq!(what, Unsupported::NoStatus);
    }
    let what = unsupported(&|receipts| {
        let log = receipts[0]["logs"][1].clone();
        receipts[0]["logs"] = Value::Array(vec![log; LOGS_MAX + 1]);
    });
    assert_eq!(what, Unsupported::TooLarge("logs of a receipt"));
    let what = unsupported(&|receipts| {
        receipts[0]["logs"][0]["data"] = json!(format!("0x{}", "00".repeat(LOG_DATA_MAX + 1)));
    });
    assert_eq!(what, Unsupported::TooLarge("data of a log"));
    let what = unsupported(&|receipts| *receipts = Value::Array(vec![json!({}); RECEIPTS_MAX + 1]));
    assert_eq!(what, Unsupported::TooLarge("receipts of the block"));
}
