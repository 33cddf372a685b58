//! What the tests share: deliveries, folders, and a disk that does what it is told.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use bytes::Bytes;
use rocksdb::WriteBatch;
use uuid::Uuid;

use crate::decision::{Decision, DecisionId};
use crate::delivery::{BodyComplete, NewDelivery, NewRejected, Options, SignatureRecord};
use crate::disk::Disk;
use crate::engine::{Engine, Fault};
use crate::key::SealKey;
use crate::link::sha256;
use crate::store::Store;
use crate::stub::{Facts, StubEvent, StubTransfer};

/// How long a test waits for what must happen; only a broken test takes this long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn options(folder: &Path) -> Options {
    Options {
        path: folder.to_owned(),
        reserve_bytes: 0,
        rejected_max_bytes: 1024 * 1024,
        repeats_max: 64,
        observer: None,
    }
}

pub(crate) fn open(folder: &Path) -> Store {
    Store::open(options(folder)).expect("opens")
}

/// Delivery number `n`, unlike any other.
pub(crate) fn delivery(n: u32) -> NewDelivery {
    with_body(n, Bytes::from(format!("{{\"n\":{n}}}")))
}

pub(crate) fn with_body(n: u32, body: Bytes) -> NewDelivery {
    NewDelivery {
        id: Uuid::from_u128(0x019a_9f1e_7c00_7000_8000_0000_0000_0000 + u128::from(n)),
        source: "rn-main".to_owned(),
        request_id: format!("req_{n}"),
        peer: "203.0.113.7".to_owned(),
        method: "POST".to_owned(),
        target: "/hooks/rn".to_owned(),
        http_version: "HTTP/1.1".to_owned(),
        received_us: 1_763_683_200_000_000 + i64::from(n),
        headers: vec![(Bytes::from_static(b"Content-Type"), Bytes::from_static(b"application/json"))],
        body_sha256: sha256(&body),
        body,
        signature: SignatureRecord {
            scheme: "request-network".to_owned(),
            secret_name: "primary".to_owned(),
            signed_at: None,
        },
        admitted_from: None,
    }
}

/// Decision number `n` of a ledger's trace.
pub(crate) fn decision(n: u32) -> Decision {
    Decision {
        id: DecisionId { ledger_id: LEDGER, epoch: 1, table: DecisionId::TRACE, number: n.into() },
        at_us: 1_763_683_300_000_000 + i64::from(n),
        event_id: Some(event(n % 3)),
        kind: "confirmed".to_owned(),
        body: Bytes::from(format!("{{\"n\":{n}}}")),
    }
}

pub(crate) const LEDGER: Uuid = Uuid::from_u128(0x019a_9f1e_7c00_7000_8000_00aa_0000_0000);

pub(crate) fn event(n: u32) -> Uuid {
    Uuid::from_u128(0x019a_9f1e_7c00_8000_8000_00ee_0000_0000 + u128::from(n))
}

pub(crate) fn facts(reason: &str) -> Facts {
    Facts { at_us: 1_763_683_400_000_000, by: "ann".to_owned(), reason: reason.to_owned() }
}

/// What a ledger would say of an event.
pub(crate) fn stub_event(n: u32) -> StubEvent {
    StubEvent {
        event_id: event(n),
        identities: vec![[7; 32], [8; 32]],
        state_version: 3,
        state: "settled".to_owned(),
        code: Some("LATE".to_owned()),
        payment_id: Some("pay_1".to_owned()),
        transfers: vec![StubTransfer {
            chain_id: 8453,
            tx_hash: [1; 32],
            slot: "log:7".to_owned(),
            block_hash: [2; 32],
            block_number: 22_000_000,
            tx_index: 4,
            amount: [3; 32],
            token: vec![4; 20],
            recipient: [5; 20],
            claimed: true,
        }],
        facts: Some(Bytes::from_static(b"{\"source\":\"rn-main\"}")),
        expectation_id: Some("exp_1".to_owned()),
        join: Some(("rn".to_owned(), "ref".to_owned())),
    }
}

/// The delivery of the fixture `delivery-1.bin`.
pub(crate) fn golden_1() -> NewDelivery {
    let text = |name: &'static str, value: &'static [u8]| (Bytes::from(name), Bytes::from_static(value));
    let body = Bytes::from_static(br#"{"event":"payment.confirmed","requestId":"01abc","amount":"100.50"}"#);
    NewDelivery {
        id: "019a9f1e-7c00-7000-8000-00000000000a".parse().expect("an id"),
        source: "rn-main".to_owned(),
        request_id: "req_1".to_owned(),
        peer: "203.0.113.7".to_owned(),
        method: "POST".to_owned(),
        target: "/hooks/rn?x=1".to_owned(),
        http_version: "HTTP/1.1".to_owned(),
        received_us: 1_763_683_200_123_456,
        headers: vec![
            text("Content-Type", b"application/json"),
            text("X-Dup", b"a"),
            text("X-Dup", b"b"),
            text("X-Odd", b"\xff\x00\x80"),
            text("X-Empty", b""),
        ],
        body_sha256: unhex("5bd75679c3d78d8bd153e8b26187ca0499d0611bf34a3b8a3af87439aff3dc20"),
        body,
        signature: SignatureRecord {
            scheme: "request-network".to_owned(),
            secret_name: "primary".to_owned(),
            signed_at: None,
        },
        admitted_from: None,
    }
}

/// The delivery of the fixture `delivery-2.bin`.
pub(crate) fn golden_2() -> NewDelivery {
    NewDelivery {
        id: "019a9f1e-7c01-7000-8000-00000000000b".parse().expect("an id"),
        source: "stripe-eu".to_owned(),
        request_id: "req_2".to_owned(),
        peer: "2001:db8::1".to_owned(),
        method: "POST".to_owned(),
        target: "/hooks/stripe".to_owned(),
        http_version: "HTTP/2.0".to_owned(),
        received_us: -1,
        headers: Vec::new(),
        body: Bytes::new(),
        // SHA-256 of nothing (FIPS 180-4 example).
        body_sha256: unhex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        signature: SignatureRecord {
            scheme: "stripe".to_owned(),
            secret_name: "old".to_owned(),
            signed_at: Some(1_763_683_199),
        },
        admitted_from: None,
    }
}

/// Links of the fixtures, computed by another implementation.
pub(crate) const GOLDEN_LINKS: [&str; 2] = [
    "cd012db7ecb5c9efacfc6159066fdad807ec4e1520de0ed567e8a3b95c8fc2ae",
    "45b91c9d0e7039d15fa77342d1224039415ac2fa166d9d315627ef5846637de3",
];

pub(crate) fn unhex(text: &str) -> [u8; 32] {
    let digits: Vec<u32> = text.chars().map(|digit| digit.to_digit(16).expect("hex")).collect();
    let bytes = digits.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).expect("a byte"));
    bytes.collect::<Vec<u8>>().try_into().expect("32 bytes")
}

pub(crate) fn rejected(n: u32, source: &str, body: Bytes) -> NewRejected {
    NewRejected {
        id: Uuid::from_u128(u128::from(n)),
        source: source.to_owned(),
        code: "SIGNATURE_MISMATCH".to_owned(),
        peer: "198.51.100.9".to_owned(),
        method: "POST".to_owned(),
        target: "/hooks/rn".to_owned(),
        received_us: i64::from(n),
        headers: vec![(Bytes::from_static(b"x-signature"), Bytes::from_static(b"\xfe"))],
        body,
        body_complete: BodyComplete::Whole,
        request_id: None,
        http_version: None,
    }
}

/// A key that is no secret.
pub(crate) fn seal_key(n: u8) -> SealKey {
    SealKey::from_seed(&[n; 32]).expect("a key")
}

/// What the disk does with one commit.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fate {
    /// What it should.
    Commit,
    /// Nothing reaches the file, and the write says so.
    FailWrite,
    /// The file is written, and the fsync fails.
    FailSync,
    /// The thread panics.
    Panic,
}

/// A disk that stops at every commit until the test says what becomes of it.
struct Gated {
    engine: Arc<Engine>,
    reached: Sender<()>,
    fates: Receiver<Fate>,
}

/// The test's end.
pub(crate) struct Gate {
    pub(crate) reached: Receiver<()>,
    pub(crate) fates: Sender<Fate>,
}

impl Gate {
    /// Waits until the writer stands at its next commit.
    pub(crate) fn wait(&self) {
        self.reached.recv_timeout(PATIENCE).expect("the writer reaches its commit");
    }

    pub(crate) fn decide(&self, fate: Fate) {
        self.fates.send(fate).expect("the writer lives");
    }
}

impl Disk for Gated {
    fn commit(&mut self, batch: WriteBatch) -> Result<(), Fault> {
        self.reached.send(()).expect("the test lives");
        match self.fates.recv().expect("the test decides") {
            Fate::Commit => self.engine.write_synced(batch),
            Fate::FailWrite => Err(Fault("No space left on device".to_owned())),
            Fate::FailSync => {
                self.engine.write_unsynced(batch)?;
                Err(Fault("fdatasync: Input/output error".to_owned()))
            }
            Fate::Panic => panic!("told to"),
        }
    }
}

/// A store whose every commit waits at a gate.
pub(crate) fn gated(options: Options) -> (Store, Gate) {
    let (reached, arrivals) = channel();
    let (decisions, fates) = channel();
    let store = Store::open_on(options, |engine| Box::new(Gated { engine, reached, fates })).expect("opens");
    (store, Gate { reached: arrivals, fates: decisions })
}
