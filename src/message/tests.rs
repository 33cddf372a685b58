//! Golden bytes of the contract, written by hand, and the splice as a property.

use alloy_primitives::{Address, B256, U256};
use proptest::prelude::*;
use serde_json::value::RawValue;

use super::*;
use crate::ledger::sums::{self, Sums};
use crate::ledger::{Proof, Sealed, StoredExpectation};
use crate::model::{
    Accept, Assurance, Check, CheckName, CheckOutcome, Code, Expectation, ExpectationKey, ExpectationState, Finality,
    Origin, PaymentId, Rail, Tolerance, Vote, VoteKind, WebhookId,
};

// From the text of EIP-55 and from Circle's list of USDC contracts.
const PAYER: &str = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
const RECIPIENT: &str = "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359";
const USDC_ON_BASE: &str = "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913";
const PAYMENT_ID: &str = "pay_00112233445566778899aabbccddeeff";

fn address(text: &str) -> Address {
    // Lower-cased on the way in, so that the checksum in the golden bytes is the renderer's work.
    text.to_ascii_lowercase().parse().unwrap()
}

fn id() -> WebhookId {
    "0190a0b0-c0d0-8e0f-8102-030405060708_1".parse().unwrap()
}

fn head() -> Head {
    Head {
        facts: crate::ledger::EventFacts {
            source: "request-network".into(),
            realm: "request-network".into(),
            provider: "request-network".into(),
            provider_type: "payment.confirmed".into(),
            provider_event_id: None,
            account: None,
            client_id: Some("cl_1".into()),
            api_version: None,
            livemode: true,
            lane: "request-network/01aa".into(),
            origin: Origin::Webhook,
            delivery_id: "01931a2b-3c4d-7e5f-8a6b-7c8d9e0f1a2b".parse().unwrap(),
            received_us: 1_795_176_000_123_999,
        },
        at: "2026-11-20T12:00:01.5Z".parse().unwrap(),
        thin: false,
        back: None,
    }
}

fn money() -> Payment {
    Payment {
        chain: "base".into(),
        chain_id: 8453,
        testnet: false,
        tx_hash: B256::repeat_byte(0xAB),
        slots: vec![Slot::Log(2), Slot::Log(3)],
        block_number: 21,
        block_hash: B256::repeat_byte(0xCD),
        block_timestamp: 1_795_175_990,
        explorer_url: Some("https://basescan.org/tx/0xabab".into()),
        token_symbol: "USDC".into(),
        token_address: Some(address(USDC_ON_BASE)),
        token_decimals: 6,
        recipient: address(RECIPIENT),
        payer: Some(address(PAYER)),
        tx_from: Some(address(PAYER)),
        amount: U256::from(100_500_000_u64),
        fee: U256::ZERO,
        payment_reference: Some("0xDEADBEEF00112233".parse().unwrap()),
        request_id: Some("01aa".into()),
    }
}

fn proof() -> Proof {
    Proof {
        assurance: Assurance::A3,
        method: "quorum",
        tier: "T1".into(),
        finality: Finality::Final,
        confirmations: 64,
        votes: vec![Vote { node: "a".into(), owner: "x".into(), vote: VoteKind::Agree }],
        checks: vec![Check {
            name: CheckName::Recipient,
            outcome: CheckOutcome::Pass,
            expected: RECIPIENT.into(),
            actual: RECIPIENT.into(),
        }],
        accepted: None,
    }
}

fn expected(sums: Sums) -> (StoredExpectation, Sums) {
    let terms = Expectation {
        id: "order-17".into(),
        realm: "request-network".into(),
        key: ExpectationKey::RequestId("01aa".into()),
        accept: vec![Accept {
            chain: "base".into(),
            chain_id: 8453,
            token: Some(address(USDC_ON_BASE)),
            symbol: "USDC".into(),
            decimals: 6,
            recipients: vec![address(RECIPIENT)],
            amount: sums.expected,
        }],
        payer: None,
        not_before: None,
        deadline: Some("2026-11-21T00:00:00Z".parse().unwrap()),
        grace_seconds: 0,
        tolerance: Tolerance::default(),
        rails: vec![Rail::Reference],
        min_assurance: None,
        metadata: serde_json::from_str(r#"{"cart":7}"#).unwrap(),
    };
    let payment_ids = vec![PaymentId::from_stored(PAYMENT_ID.into())];
    let stored = StoredExpectation {
        terms,
        version: 2,
        state: ExpectationState::Paid,
        received: vec![sums.received],
        payment_ids,
    };
    (stored, sums)
}

fn sealed(expectation: Option<(StoredExpectation, Sums)>, code: Code) -> Sealed {
    Sealed {
        webhook_id: id(),
        payment_id: Some(PaymentId::from_stored(PAYMENT_ID.into())),
        lane: "order-17".into(),
        expectation,
        code,
    }
}

fn sums(expected: u64, before: u64, amount: u64) -> Sums {
    sums::add(U256::from(expected), U256::from(before), U256::from(amount), &Tolerance::default()).unwrap()
}

fn text(rendered: &Rendered) -> &str {
    std::str::from_utf8(&rendered.body).unwrap()
}

fn json(rendered: &Rendered) -> serde_json::Value {
    serde_json::from_slice(&rendered.body).unwrap()
}

#[test]
fn a_verified_payment_has_exactly_the_bytes_of_the_contract() {
    let sealed = sealed(Some(expected(sums(100_500_000, 0, 100_500_000))), Code::Verified);
    let claimed = Claimed::of(b"{ \"event\" : \"payment.confirmed\",\"amount\":\"100.50\" }\n");
    let rendered = payment(&sealed, &head(), &money(), &proof(), &claimed);
    let golden = concat!(
        r#"{"type":"payment.verified","timestamp":"2026-11-20T12:00:01.500Z","schema":1,"data":{"#,
        r#""event_id":"0190a0b0-c0d0-8e0f-8102-030405060708","state_version":1,"lane":"order-17","#,
        r#""source":"request-network","origin":"webhook","livemode":true,"#,
        r#""provider":{"name":"request-network","event_type":"payment.confirmed","event_id":null,"account":null,"#,
        r#""client_id":"cl_1","api_version":null,"delivery_id":"01931a2b-3c4d-7e5f-8a6b-7c8d9e0f1a2b","#,
        r#""received_at":"2026-11-20T12:00:00.123Z"},"#,
        r#""payment_id":"pay_00112233445566778899aabbccddeeff","#,
        r#""payment":{"chain":"base","chain_id":8453,"testnet":false,"#,
        r#""tx_hash":"0xabababababababababababababababababababababababababababababababab","slots":["log:2","log:3"],"#,
        r#""block_number":21,"block_hash":"0xcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd","#,
        r#""block_timestamp":"2026-11-20T11:59:50.000Z","explorer_url":"https://basescan.org/tx/0xabab","#,
        r#""token":{"symbol":"USDC","address":"0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913","decimals":6},"#,
        r#""recipient":"0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359","payer":"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed","#,
        r#""tx_from":"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed","amount":"100.5","amount_base_units":"100500000","#,
        r#""fee_base_units":"0","payment_reference":"0xdeadbeef00112233","request_id":"01aa"},"#,
        r#""expectation":{"id":"order-17","status":"paid","complete":true,"expected":"100.5","received":"100.5","#,
        r#""remaining":"0","excess":"0","expected_base_units":"100500000","received_base_units":"100500000","#,
        r#""remaining_base_units":"0","excess_base_units":"0","#,
        r#""payment_ids":["pay_00112233445566778899aabbccddeeff"],"deadline":"2026-11-21T00:00:00.000Z","#,
        r#""metadata":{"cart":7}},"#,
        r#""verification":{"verdict":"confirmed","code":"VERIFIED","assurance":"A3","proof":"quorum","tier":"T1","#,
        r#""finality":"final","confirmations":64,"override":null,"votes":[{"node":"a","owner":"x","vote":"agree"}],"#,
        r#""checks":[{"name":"recipient","outcome":"pass","expected":"0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359","#,
        r#""actual":"0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359"}]},"#,
        r#""claimed":{ "event" : "payment.confirmed","amount":"100.50" }"#,
        "\n}}",
    );
    assert_eq!(text(&rendered), golden);
    assert_eq!(rendered.message_type, MessageType::PaymentVerified);
}

#[test]
fn a_plain_event_has_exactly_the_bytes_of_the_contract() {
    let mut head = head();
    head.facts.source = "stripe-eu".into();
    head.facts.provider = "stripe".into();
    head.facts.provider_type = "charge.dispute.created".into();
    head.facts.provider_event_id = Some("evt_1".into());
    head.facts.account = Some("acct_1".into());
    head.facts.client_id = None;
    head.facts.api_version = Some("2026-10-28".into());
    let rendered = provider_event(id(), "pi_1", &head, None, &Claimed::of(br#"{"id":"evt_1"}"#));
    let golden = concat!(
        r#"{"type":"provider.event","timestamp":"2026-11-20T12:00:01.500Z","schema":1,"data":{"#,
        r#""event_id":"0190a0b0-c0d0-8e0f-8102-030405060708","state_version":1,"lane":"pi_1","#,
        r#""source":"stripe-eu","origin":"webhook","livemode":true,"#,
        r#""provider":{"name":"stripe","event_type":"charge.dispute.created","event_id":"evt_1","account":"acct_1","#,
        r#""client_id":null,"api_version":"2026-10-28","delivery_id":"01931a2b-3c4d-7e5f-8a6b-7c8d9e0f1a2b","#,
        r#""received_at":"2026-11-20T12:00:00.123Z"},"#,
        r#""payment_id":null,"payment":null,"expectation":null,"#,
        r#""verification":{"verdict":null,"code":"PROVIDER_EVENT","assurance":"signature","proof":null,"tier":null,"#,
        r#""finality":null,"confirmations":null,"override":null,"votes":[],"checks":[]},"#,
        r#""claimed":{"id":"evt_1"}}}"#,
    );
    assert_eq!(text(&rendered), golden);
}

#[test]
fn money_that_no_webhook_announced_names_no_delivery_and_claims_nothing() {
    let mut head = head();
    (head.facts.origin, head.facts.delivery_id) = (Origin::Scan, uuid::Uuid::nil());
    head.facts.provider_type = String::new();
    let sealed = sealed(Some(expected(sums(100, 0, 100))), Code::Verified);
    let message = json(&payment(&sealed, &head, &money(), &proof(), &Claimed::Omitted));
    let data = message["data"].as_object().unwrap();
    assert_eq!((&message["type"], &data["origin"]), (&"payment.verified".into(), &"scan".into()));
    let provider = data["provider"].as_object().unwrap();
    for field in ["delivery_id", "received_at"] {
        assert_eq!(provider.get(field), Some(&serde_json::Value::Null), "{field}");
    }
    assert_eq!(provider["name"], "request-network");
    assert_eq!((data.get("claimed"), data.get("claimed_erased")), (Some(&serde_json::Value::Null), None));
}

#[test]
fn thin_stands_beside_livemode_and_only_on_thin_events() {
    let mut head = head();
    head.thin = true;
    let thin = provider_event(id(), "l", &head, None, &Claimed::Omitted);
    assert!(text(&thin).contains(r#""livemode":true,"thin":true,"provider":{"#));
    head.thin = false;
    assert!(!text(&provider_event(id(), "l", &head, None, &Claimed::Omitted)).contains("thin"));
}

#[test]
fn a_checked_charge_says_how_far_the_chain_carried_it_and_never_confirmed() {
    let mut proof = proof();
    proof.assurance = Assurance::A1;
    let consistent =
        json(&provider_event(id(), "pi_1", &head(), Some((Code::ChargeConsistent, &proof)), &Claimed::Omitted));
    let block = &consistent["data"]["verification"];
    assert_eq!((block["verdict"].as_str(), block["assurance"].as_str()), (Some("undetermined"), Some("A1")));
    assert_eq!(block["checks"][0]["name"], "recipient");
    assert!(consistent["data"]["payment"].is_null() && consistent["data"]["expectation"].is_null());

    let mute =
        json(&provider_event(id(), "pi_1", &head(), Some((Code::ChargeUnverifiable, &proof)), &Claimed::Omitted));
    let block = &mute["data"]["verification"];
    assert_eq!((block["verdict"].as_str(), block["assurance"].as_str()), (Some("undetermined"), Some("signature")));
    assert!(block["tier"].is_null() && block["finality"].is_null() && block["confirmations"].is_null());
}

#[test]
fn the_sums_decide_the_type() {
    for (sums, message_type, complete, remaining, excess) in [
        (Some(sums(100, 0, 40)), "payment.partial", Some(false), "0.00006", "0"),
        (Some(sums(100, 40, 60)), "payment.verified", Some(true), "0", "0"),
        (Some(sums(100, 40, 90)), "payment.verified", Some(true), "0", "0.00003"),
        (Some(sums(100, 100, 5)), "payment.excess", Some(true), "0", "0.000005"),
        (None, "payment.unmatched", None, "", ""),
    ] {
        let sealed = sealed(sums.map(expected), Code::Verified);
        let message = json(&payment(&sealed, &head(), &money(), &proof(), &Claimed::Omitted));
        assert_eq!(message["type"], message_type);
        let block = &message["data"]["expectation"];
        match complete {
            None => assert!(block.is_null()),
            Some(complete) => {
                assert_eq!(block["complete"], complete, "{message_type}");
                assert_eq!((&block["remaining"], &block["excess"]), (&remaining.into(), &excess.into()));
            }
        }
    }
}

#[test]
fn what_does_not_apply_is_null_and_not_missing() {
    let mut money = money();
    (money.token_address, money.payer, money.tx_from, money.explorer_url) = (None, None, None, None);
    (money.payment_reference, money.request_id) = (None, None);
    money.block_timestamp = u64::MAX;
    let message = json(&payment(&sealed(None, Code::VerifiedUnmatched), &head(), &money, &proof(), &Claimed::Omitted));
    let block = message["data"]["payment"].as_object().unwrap();
    for field in ["payer", "tx_from", "explorer_url", "payment_reference", "request_id", "block_timestamp"] {
        assert_eq!(block.get(field), Some(&serde_json::Value::Null), "{field}");
    }
    assert_eq!(block["token"].as_object().unwrap().get("address"), Some(&serde_json::Value::Null));
    assert_eq!(message["data"].as_object().unwrap().get("claimed"), Some(&serde_json::Value::Null));
}

#[test]
fn what_is_no_readable_json_goes_as_base64_and_what_is_gone_says_so() {
    let tail = |claimed: &Claimed| {
        let rendered = provider_event(id(), "l", &head(), None, claimed);
        let text = text(&rendered).to_owned();
        text.split_once(r#""checks":[]},"#).unwrap().1.to_owned()
    };
    // RFC 4648 section 10: "foobar".
    assert_eq!(tail(&Claimed::of(b"foobar")), r#""claimed":null,"claimed_base64":"Zm9vYmFy"}}"#);
    assert_eq!(tail(&Claimed::of(b"")), r#""claimed":null,"claimed_base64":""}}"#);
    assert_eq!(tail(&Claimed::Erased), r#""claimed":null,"claimed_erased":true}}"#);
    assert_eq!(tail(&Claimed::Omitted), r#""claimed":null}}"#);
    for unreadable in ["\u{feff}{}", "{}{}", "1],[2", "{\"a\":1}}", "[\"\\ud800\"]", "1e999", "NaN", "'a'"] {
        assert_eq!(Claimed::of(unreadable.as_bytes()), Claimed::Bytes(unreadable.into()), "{unreadable}");
    }
    let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
    assert_eq!(Claimed::of(nested(60).as_bytes()), Claimed::Json(nested(60)));
    for levels in [61, 127, 100_000] {
        assert_eq!(Claimed::of(nested(levels).as_bytes()), Claimed::Bytes(nested(levels).into()), "{levels}");
    }
}

#[test]
fn rule_18_duplicate_keys_number_spelling_and_white_space_survive() {
    let body = " {\"a\":1.50,\"a\":1E2,\"b\":12345678901234567890123456789,\t\"\\u0041\":\"\\/\"}\r\n";
    let rendered = provider_event(id(), "l", &head(), None, &Claimed::of(body.as_bytes()));
    assert!(text(&rendered).ends_with(&format!("\"claimed\":{body}}}}}")));
}

/// JSON texts with odd spacing and spelling.
fn json_text() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("1.50".to_owned()),
        Just("-0e+1".to_owned()),
        any::<u64>().prop_map(|n| n.to_string()),
        any::<String>().prop_map(|s| serde_json::to_string(&s).unwrap()),
    ];
    let space = prop_oneof![Just(""), Just(" "), Just("\n\t"), Just("\r\n  ")];
    leaf.prop_recursive(4, 32, 4, move |inner| {
        let item = (space.clone(), inner.clone(), space.clone()).prop_map(|(a, v, b)| format!("{a}{v}{b}"));
        let field = (any::<String>(), item.clone())
            .prop_map(|(key, value)| format!(" {} :{value}", serde_json::to_string(&key).unwrap()));
        prop_oneof![
            prop::collection::vec(item, 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec(field, 0..4).prop_map(|fields| format!("{{{}}}", fields.join(","))),
        ]
    })
}

#[derive(serde::Deserialize)]
struct Outer<'a> {
    #[serde(borrow)]
    data: Inner<'a>,
}

#[derive(serde::Deserialize)]
struct Inner<'a> {
    #[serde(borrow)]
    claimed: &'a RawValue,
    claimed_base64: Option<String>,
}

proptest! {
    #[test]
    fn the_splice_is_byte_identical(body in json_text(), before in "[ \n\r\t]{0,3}", after in "[ \n\r\t]{0,3}") {
        let body = format!("{before}{body}{after}");
        let rendered = provider_event(id(), "l", &head(), None, &Claimed::of(body.as_bytes()));
        let text = text(&rendered);
        // A reader that keeps raw values sees the body, and the bytes around it are the whole body.
        let outer: Outer<'_> = serde_json::from_str(text).unwrap();
        prop_assert_eq!(outer.data.claimed.get(), body.trim_matches([' ', '\n', '\r', '\t']));
        let expected_end = format!(",\"claimed\":{body}}}}}");
        prop_assert!(text.ends_with(&expected_end));
    }

    #[test]
    fn any_bytes_come_back_whole(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let rendered = provider_event(id(), "l", &head(), None, &Claimed::of(&body));
        let outer: Outer<'_> = serde_json::from_slice(&rendered.body).unwrap();
        match outer.data.claimed_base64 {
            None => prop_assert_eq!(outer.data.claimed.get().as_bytes(), body.trim_ascii()),
            Some(text) => {
                use base64::Engine as _;
                prop_assert_eq!(base64::engine::general_purpose::STANDARD.decode(text).unwrap(), body);
            }
        }
    }
}
