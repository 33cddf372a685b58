//! The kinds of records against fixtures that another implementation wrote, and against what contradicts itself.

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::decision::{Decision, DecisionId, LogDecision, Named};
use crate::delivery::Delivery;
use crate::stub::{Removal, Removed, StubEvent, StubTransfer};
use crate::testing::{GOLDEN_LINKS, delivery, golden_1, golden_2, unhex};

const DECISION: &[u8] = include_bytes!("../../tests/fixtures/v2/decision.bin");
const DECISION_PRUNE: &[u8] = include_bytes!("../../tests/fixtures/v2/decision-prune.bin");
const STUB_PRUNED: &[u8] = include_bytes!("../../tests/fixtures/v2/stub-pruned.bin");
const STUB_ERASED: &[u8] = include_bytes!("../../tests/fixtures/v2/stub-erased.bin");
const ADMITTED: &[u8] = include_bytes!("../../tests/fixtures/v2/delivery-admitted.bin");

/// Links of the fixtures, computed by another implementation.
const LINK_3: &str = "3947501775b74e18dda542661c562a8e48b20c988f65113db1561a04059747d7";
const LINK_4: &str = "375ccbc9a613a409c4ad5c318fd65bc6a77b11989bb541c8cd14790a4259c615";
const LINK_ADMITTED: &str = "286f93e0bf3b245330151c2659f2f66d45eaa4a0e1eac53e7a9e24dc1dd7d7fe";
/// SHA-256 of the metas of the golden deliveries and of the pruned stub, likewise.
const META_1: &str = "221b94676cccd9adbf4005a9b0c06db0ffcfb8b9aab1fc3904a02c8c7fb7f576";
const META_2: &str = "5f51a98bbe7977678e1af686d68058134eab5133bcdf5b5e92a76c171734b44a";
const STUB_1: &str = "9290c094030eba4db23cf192cc467662e3f582dcfc2b0cc05f4ae79495e09f41";

fn id(text: &str) -> Uuid {
    text.parse().expect("an id")
}

fn golden_decision() -> Decision {
    Decision {
        id: DecisionId {
            ledger_id: id("019a9f1e-7c00-7000-8000-0000000000aa"),
            epoch: 2,
            table: DecisionId::TRACE,
            number: 41,
        },
        at_us: 1_763_683_300_000_001,
        event_id: Some(id("019a9f1e-7c00-8000-8000-0000000000ee")),
        kind: "settled".to_owned(),
        body: Bytes::from_static("{\"state\":\"settled\",\"code\":null,\"note\":\"é\"}".as_bytes()),
    }
}

fn golden_pruned() -> Stub {
    let before = golden_1();
    Stub {
        delivery_id: before.id,
        source: before.source,
        received_us: before.received_us,
        meta_sha256: unhex(META_1),
        body_sha256: before.body_sha256,
        body_bytes: 67,
        why: Removal {
            what: Removed::Pruned,
            at_us: 1_763_683_400_000_000,
            by: "ann".to_owned(),
            reason: "older than a year".to_owned(),
            decision_seq: 4,
        },
        event: Some(StubEvent {
            event_id: id("019a9f1e-7c00-8000-8000-0000000000ee"),
            identities: vec![[7; 32], [8; 32]],
            state_version: 3,
            state: "settled".to_owned(),
            code: Some("LATE".to_owned()),
            payment_id: Some("pay_1".to_owned()),
            transfers: vec![
                StubTransfer {
                    chain_id: 8453,
                    tx_hash: std::array::from_fn(|at| u8::try_from(at).expect("small")),
                    slot: "log:7".to_owned(),
                    block_hash: [2; 32],
                    block_number: 22_000_000,
                    tx_index: 4,
                    amount: std::array::from_fn(|at| if at == 31 { 100 } else { 0 }),
                    token: vec![4; 20],
                    recipient: [5; 20],
                    claimed: true,
                },
                StubTransfer {
                    chain_id: 1,
                    tx_hash: [9; 32],
                    slot: "value".to_owned(),
                    block_hash: [8; 32],
                    block_number: 0,
                    tx_index: 0,
                    amount: [0; 32],
                    token: Vec::new(),
                    recipient: [6; 20],
                    claimed: false,
                },
            ],
            facts: Some(Bytes::from_static(b"{\"source\":\"rn-main\"}")),
            expectation_id: Some("exp_1".to_owned()),
            join: Some(("rn".to_owned(), "ref".to_owned())),
        }),
        meta: None,
    }
}

fn golden_erased() -> Stub {
    let before = golden_2();
    let meta = meta::of_delivery(before.clone()).0;
    Stub {
        delivery_id: before.id,
        source: before.source,
        received_us: before.received_us,
        meta_sha256: unhex(META_2),
        body_sha256: before.body_sha256,
        body_bytes: 0,
        why: Removal {
            what: Removed::Erased,
            at_us: 1_763_683_500_000_000,
            by: "bob".to_owned(),
            reason: "asked".to_owned(),
            decision_seq: 5,
        },
        event: None,
        meta: Some(meta.into()),
    }
}

/// The stored bytes of an entry with a link.
fn written(entry: Entry, link: &Link) -> Vec<u8> {
    let (kind, (meta, body)) = match entry {
        Entry::Delivery(delivery) => (Kind::Delivery, meta::of_delivery(delivery)),
        Entry::Decision(decision) => (Kind::Decision, meta::of_decision(decision)),
        Entry::Stub(stub) => (Kind::Stub, meta::of_stub(&stub)),
    };
    let mut out = Vec::new();
    envelope::encode(&mut out, kind, link, &meta, &body).expect("fits");
    out
}

#[test]
fn the_fixtures_are_read_as_what_they_say_and_written_so() {
    let zeros = "00".repeat(32);
    let golden: [(u64, &str, &str, &[u8], Entry); 4] = [
        (1, &zeros, GOLDEN_LINKS[0], STUB_PRUNED, Entry::Stub(golden_pruned())),
        (2, GOLDEN_LINKS[0], GOLDEN_LINKS[1], STUB_ERASED, Entry::Stub(golden_erased())),
        (3, GOLDEN_LINKS[1], LINK_3, DECISION, Entry::Decision(golden_decision())),
        (
            1,
            &zeros,
            LINK_ADMITTED,
            ADMITTED,
            Entry::Delivery(Delivery { admitted_from: Some(id("019a9f1e-7c02-7000-8000-00000000000c")), ..golden_1() }),
        ),
    ];
    for (seq, previous, link, stored, entry) in golden {
        let read = record(seq, &unhex(previous), &Bytes::from_static(stored));
        assert_eq!(read, Ok(Record { seq, link: unhex(link), entry: entry.clone() }));
        assert_eq!(written(entry, &unhex(link)), stored);
    }
}

#[test]
fn the_fixture_of_the_logs_own_decision_names_the_stub_by_its_digest() {
    let read = record(4, &unhex(LINK_3), &Bytes::from_static(DECISION_PRUNE)).expect("a record");
    assert_eq!(read.link, unhex(LINK_4));
    let Entry::Decision(decision) = read.entry else { panic!("no decision") };
    assert_eq!((decision.kind.as_str(), decision.id.table, decision.id.number), (Decision::PRUNE, DecisionId::LOG, 4));
    let said = decision.of_log().expect("of the log");
    let named = Named { seq: 1, delivery_id: golden_1().id, stub_sha256: Some(STUB_1.to_owned()) };
    let expected = LogDecision {
        by: "ann".to_owned(),
        reason: "older than a year".to_owned(),
        records: vec![named],
        subject: None,
        log_id_before: None,
    };
    assert_eq!(said, expected);
    assert_eq!(serde_json::to_vec(&expected).expect("encodes"), decision.body);
    assert_eq!(link::sha256(&meta::of_stub(&golden_pruned()).0), unhex(STUB_1));
    assert_eq!(golden_decision().of_log(), None, "a ledger's decision is not the log's own");
}

#[test]
fn no_flipped_bit_of_a_fixture_is_read() {
    let (zeros, after_2) = ([0; 32], unhex(GOLDEN_LINKS[1]));
    for (previous, stored) in [(zeros, STUB_PRUNED), (unhex(GOLDEN_LINKS[0]), STUB_ERASED), (after_2, DECISION)] {
        for at in 0..stored.len() {
            let mut flipped = stored.to_vec();
            flipped[at] ^= 0x20;
            assert!(record(1, &previous, &Bytes::from(flipped)).is_err(), "byte {at}");
        }
    }
}

fn says(stored: Vec<u8>, previous: &Link) -> String {
    record(7, previous, &Bytes::from(stored)).expect_err("damage").to_string()
}

#[test]
fn a_stub_that_contradicts_itself_is_damaged() {
    let (zeros, first, second) = ([0; 32], unhex(GOLDEN_LINKS[0]), unhex(GOLDEN_LINKS[1]));
    let pruned = Stub { body_sha256: [1; 32], ..golden_pruned() };
    assert!(says(written(Entry::Stub(pruned), &first), &zeros).contains("does not follow"));
    assert!(says(written(Entry::Stub(golden_pruned()), &first), &first).contains("does not follow"));

    let forged = meta::of_delivery(delivery(1)).0;
    let erased = Stub { meta: Some(forged.clone().into()), ..golden_erased() };
    assert!(says(written(Entry::Stub(erased), &second), &first).contains("digest"));
    // A meta with its own digest: whose delivery it is contradicts what the stub says.
    let erased = Stub { meta_sha256: link::sha256(&forged), meta: Some(forged.into()), ..golden_erased() };
    assert!(says(written(Entry::Stub(erased), &second), &first).contains("two deliveries"));
    let renamed = Stub { source: "rn-main".to_owned(), ..golden_erased() };
    assert!(says(written(Entry::Stub(renamed), &second), &first).contains("two deliveries"));
}

#[test]
fn a_rejected_request_in_the_log_is_damage() {
    let mut out = Vec::new();
    envelope::encode(&mut out, Kind::Rejected, &[0; 32], b"", b"").expect("fits");
    assert!(says(out, &[0; 32]).contains("rejected request"));
}

fn any_bytes(most: usize) -> impl Strategy<Value = Bytes> {
    proptest::collection::vec(any::<u8>(), 0..most).prop_map(Bytes::from)
}

fn any_decision() -> impl Strategy<Value = Decision> {
    let id = (any::<u128>(), any::<u32>(), any::<u8>(), any::<u64>());
    (id, any::<i64>(), any::<Option<u128>>(), any::<String>(), any_bytes(300)).prop_map(
        |((ledger_id, epoch, table, number), at_us, event_id, kind, body)| Decision {
            id: DecisionId { ledger_id: Uuid::from_u128(ledger_id), epoch, table, number },
            at_us,
            event_id: event_id.map(Uuid::from_u128),
            kind,
            body,
        },
    )
}

fn any_transfer() -> impl Strategy<Value = StubTransfer> {
    let place = (any::<u64>(), any::<[u8; 32]>(), any::<String>(), any::<[u8; 32]>(), any::<u64>(), any::<u64>());
    (place, any::<[u8; 32]>(), any::<Vec<u8>>(), any::<[u8; 20]>(), any::<bool>()).prop_map(
        |((chain_id, tx_hash, slot, block_hash, block_number, tx_index), amount, token, recipient, claimed)| {
            StubTransfer {
                chain_id,
                tx_hash,
                slot,
                block_hash,
                block_number,
                tx_index,
                amount,
                token,
                recipient,
                claimed,
            }
        },
    )
}

fn any_event() -> impl Strategy<Value = StubEvent> {
    let known = (any::<u128>(), proptest::collection::vec(any::<[u8; 32]>(), 0..4), any::<u32>(), any::<String>());
    let texts = (any::<Option<String>>(), any::<Option<String>>(), any::<Option<String>>());
    let transfers = proptest::collection::vec(any_transfer(), 0..4);
    (known, texts, transfers, proptest::option::of(any_bytes(100)), any::<Option<(String, String)>>()).prop_map(
        |((event_id, identities, state_version, state), (code, payment_id, expectation_id), transfers, facts, join)| {
            StubEvent {
                event_id: Uuid::from_u128(event_id),
                identities,
                state_version,
                state,
                code,
                payment_id,
                transfers,
                facts,
                expectation_id,
                join,
            }
        },
    )
}

fn any_stub() -> impl Strategy<Value = Stub> {
    let why = (any::<i64>(), any::<String>(), any::<String>(), any::<u64>());
    (any::<String>(), any_bytes(300), why, proptest::option::of(any_event()), any::<bool>()).prop_map(
        |(source, body, (at_us, by, reason, decision_seq), event, erased)| {
            let before = Delivery { source, body_sha256: link::sha256(&body), body, ..golden_1() };
            let (meta, body) = meta::of_delivery(before.clone());
            Stub {
                delivery_id: before.id,
                source: before.source,
                received_us: before.received_us,
                meta_sha256: link::sha256(&meta),
                body_sha256: before.body_sha256,
                body_bytes: u64::try_from(body.len()).expect("small"),
                why: Removal {
                    what: if erased { Removed::Erased } else { Removed::Pruned },
                    at_us,
                    by,
                    reason,
                    decision_seq,
                },
                event,
                meta: erased.then(|| meta.into()),
            }
        },
    )
}

proptest! {
    #[test]
    fn any_decision_comes_back(decision in any_decision(), previous: [u8; 32]) {
        let (meta, body) = meta::of_decision(decision.clone());
        let link = link::next(&previous, &link::sha256(&meta), &link::sha256(&body));
        let stored = Bytes::from(written(Entry::Decision(decision.clone()), &link));
        let read = record(5, &previous, &stored);
        prop_assert_eq!(read, Ok(Record { seq: 5, link, entry: Entry::Decision(decision) }));
        let as_stored = raw(5, &previous, &stored).expect("the same checks");
        prop_assert_eq!((as_stored.kind, as_stored.meta, as_stored.body), (2, meta.into(), body));
    }

    #[test]
    fn any_stub_comes_back(stub in any_stub(), previous: [u8; 32]) {
        let link = link::next(&previous, &stub.meta_sha256, &stub.body_sha256);
        let stored = Bytes::from(written(Entry::Stub(stub.clone()), &link));
        let read = record(5, &previous, &stored);
        prop_assert_eq!(read, Ok(Record { seq: 5, link, entry: Entry::Stub(stub) }));
    }

    #[test]
    fn no_meta_makes_it_panic(meta: Vec<u8>, body: Vec<u8>, kind in 0_u8..3) {
        let kind = [Kind::Delivery, Kind::Decision, Kind::Stub][usize::from(kind)];
        let mut stored = Vec::new();
        envelope::encode(&mut stored, kind, &[0; 32], &meta, &body).expect("fits");
        // An empty decision would need the right link, which zeros are not.
        prop_assert!(record(1, &[0; 32], &Bytes::from(stored)).is_err());
    }
}
