//! What the tests that take the process or the disk away share: deliveries that follow from their number, a child that
//! appends and says what was answered, and the check of what is there afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;

use bytes::Bytes;
use evidence_store::{
    AppendError, Decision, DecisionId, Delivery, Entry, Facts, OpenError, Options, SignatureRecord, Store, Stored,
};
use tokio::task::JoinSet;
use uuid::Uuid;

/// Tasks that append at the same time.
const LOAD: u32 = 64;
const READ_RECORDS: usize = 1000;
/// Deliveries of one log that are also looked up by their id; all are read in their order.
const BY_ID_MAX: usize = 200;
/// What the child says after its append was answered.
const ACKNOWLEDGED: &str = "acknowledged";
const PRUNING: &str = "pruning";
const PRUNED: &str = "pruned";
const DECIDED: &str = "decided";
/// One of so many deliveries is pruned.
const PRUNED_OF: u64 = 50;
/// Decisions of one commit.
pub(crate) const DECISIONS: u64 = 5;
const LEDGER: Uuid = Uuid::from_u128(7);
/// Numbers that one life may use.
pub(crate) const LIFE: u64 = 1_000_000_000;
/// Appends tried after the log was poisoned.
const AFTER_POISON: u64 = 3;

/// An environment variable.
#[expect(clippy::disallowed_methods, reason = "how a test process tells its child what to do")]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// A number from the environment, or another one.
pub(crate) fn number(name: &str, otherwise: u64) -> u64 {
    variable(name).map_or(otherwise, |text| text.parse().expect(name))
}

/// Opens the log as every test here does.
pub(crate) fn open(folder: &Path) -> Result<Store, OpenError> {
    let path = folder.to_owned();
    Store::open(Options { path, reserve_bytes: 0, rejected_max_bytes: 1024 * 1024, repeats_max: 64, observer: None })
}

/// Everything about a delivery follows from its number, so that the parent knows it without being told.
pub(crate) fn delivery(number: u64) -> Delivery {
    let pattern = [number.to_be_bytes().as_slice(), b"\x00\xff{}"].concat();
    let length = usize::try_from(number.wrapping_mul(0x9e37_79b9) % 6000).expect("small");
    let body: Bytes = pattern.iter().copied().cycle().take(length + 8).collect::<Vec<u8>>().into();
    Delivery {
        id: Uuid::from_u128(0x019a_9f1e_7c00_7000_8000_0000_0000_0000 + u128::from(number)),
        source: "rn-main".to_owned(),
        request_id: format!("req_{number}"),
        peer: "203.0.113.7".to_owned(),
        method: "POST".to_owned(),
        target: "/hooks/rn".to_owned(),
        http_version: "HTTP/1.1".to_owned(),
        received_us: i64::try_from(number).expect("small"),
        admitted_from: None,
        headers: vec![(Bytes::from_static(b"x-number"), Bytes::copy_from_slice(&number.to_le_bytes()))],
        body_sha256: <sha2::Sha256 as sha2::Digest>::digest(&body).into(),
        body,
        signature: SignatureRecord { scheme: "test".to_owned(), secret_name: "a".to_owned(), signed_at: None },
    }
}

/// So does everything about a decision.
fn decision(epoch: u32, number: u64) -> Decision {
    Decision {
        id: DecisionId { ledger_id: LEDGER, epoch, table: DecisionId::TRACE, number },
        at_us: i64::try_from(number).expect("small"),
        event_id: Some(Uuid::from_u128(u128::from(number % 7))),
        kind: "decided".to_owned(),
        body: Bytes::from(format!("{{\"number\":{number}}}")),
    }
}

/// What a child said.
#[derive(Default)]
pub(crate) struct Said {
    /// Deliveries whose append was answered.
    pub(crate) acknowledged: BTreeSet<u64>,
    /// Deliveries that were about to be pruned.
    pruning: BTreeSet<u64>,
    /// Those that were.
    pruned: BTreeSet<u64>,
    /// The last decision of each epoch.
    decided: BTreeMap<u32, u64>,
}

impl Said {
    /// Adds what a child said. A line without its end was not said.
    pub(crate) fn add(&mut self, text: &str) {
        for line in text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
            let Some((what, Ok(number))) = line.split_once(' ').map(|(what, number)| (what, number.parse::<u64>()))
            else {
                continue;
            };
            match what {
                ACKNOWLEDGED => drop(self.acknowledged.insert(number)),
                PRUNING => drop(self.pruning.insert(number)),
                PRUNED => drop(self.pruned.insert(number)),
                DECIDED => drop(self.decided.insert(epoch(number), number % LIFE)),
                _ => {}
            }
        }
    }
}

/// The life that a number belongs to.
fn epoch(number: u64) -> u32 {
    u32::try_from(number / LIFE).expect("small")
}

/// Whether a record is, byte for byte, what was handed in; the number of a delivery.
pub(crate) fn number_of(entry: &Entry) -> Result<Option<u64>, String> {
    match entry {
        Entry::Delivery(found) => {
            let number = u64::try_from(found.received_us).expect("small");
            if *found == delivery(number) { Ok(Some(number)) } else { Err(format!("{number} was never handed in")) }
        }
        Entry::Stub(stub) => {
            let number = u64::try_from(stub.received_us).expect("small");
            let right = stub.body_sha256 == delivery(number).body_sha256;
            if right { Ok(Some(number)) } else { Err(format!("the stub of {number} is of another")) }
        }
        Entry::Decision(found) if found.id.ledger_id == LEDGER => {
            if *found == decision(found.id.epoch, found.id.number) { Ok(None) } else { Err(format!("{found:?}")) }
        }
        Entry::Decision(_) => Ok(None),
    }
}

/// Reads the whole log, which verifies every link, and answers the numbers of its deliveries and of its stubs.
fn chain(store: &Store) -> Result<(BTreeSet<u64>, BTreeSet<u64>), String> {
    let (mut all, mut stubs) = (BTreeSet::new(), BTreeSet::new());
    let mut seq = 0;
    loop {
        let records = store.read_after(seq, READ_RECORDS, usize::MAX).map_err(|error| error.to_string())?;
        let Some(last) = records.last() else {
            break;
        };
        seq = last.seq;
        for record in &records {
            if let Some(number) = number_of(&record.entry)? {
                if !all.insert(number) {
                    return Err(format!("delivery {number} is there twice"));
                }
                if matches!(record.entry, Entry::Stub(_)) {
                    stubs.insert(number);
                }
            }
        }
    }
    if seq == store.head().seq { Ok((all, stubs)) } else { Err(format!("the head is {}, not {seq}", store.head().seq)) }
}

/// What must hold after whatever happened: the log opens, every record is one that was handed in, every acknowledged
/// delivery is among them and found by its id, what was pruned stays so and nothing else is, decisions are there in whole
/// lists, and the chain is whole.
pub(crate) fn holds(folder: &Path, said: &Said) -> Result<(), String> {
    let store = open(folder).map_err(|error| format!("it does not open: {error}"))?;
    let (all, stubs) = chain(&store)?;
    if let Some(number) = said.acknowledged.difference(&all).next() {
        return Err(format!("delivery {number} was acknowledged and is gone"));
    }
    if let Some(number) = said.pruned.difference(&stubs).next() {
        return Err(format!("delivery {number} was pruned and is back"));
    }
    if let Some(number) = stubs.difference(&said.pruning).next() {
        return Err(format!("delivery {number} is a stub and nobody pruned it"));
    }
    for number in said.acknowledged.iter().step_by(said.acknowledged.len().div_ceil(BY_ID_MAX).max(1)) {
        let found = store.delivery(delivery(*number).id).map_err(|error| error.to_string())?;
        let found = found.ok_or_else(|| format!("delivery {number} is not found by its id"))?;
        number_of(&found.entry)?;
    }
    for (epoch, decided) in &said.decided {
        let last = store.last_decision(LEDGER, *epoch, DecisionId::TRACE).map_err(|error| error.to_string())?;
        let last = last.unwrap_or(0);
        if last < *decided || last % DECISIONS != 0 {
            return Err(format!("decision {decided} was acknowledged and the last one is {last}"));
        }
    }
    store.reclaim().map(drop).map_err(|error| error.to_string())
}

/// Says one line with one write: what is read was said whole.
pub(crate) fn say(line: &str) {
    std::io::stdout().lock().write_all(format!("{line}\n").as_bytes()).expect("the parent reads");
}

/// When the child says that a delivery was stored.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Honesty {
    /// After its append was answered.
    Honest,
    /// Before. A control: whoever checks the promise must notice.
    Early,
}

/// The child's load: many tasks append without end, or until the log is poisoned; another one writes decisions, and
/// some of the deliveries are pruned meanwhile.
pub(crate) async fn append_without_end(store: &Store, first: u64, honesty: Honesty) {
    let mut load = JoinSet::new();
    let (prune, pruning) = std::sync::mpsc::sync_channel::<u64>(1000);
    let pruner = store.clone();
    std::thread::spawn(move || pruning.into_iter().all(|number| pruned(&pruner, number)));
    for task in 0..LOAD {
        let (store, prune) = (store.clone(), prune.clone());
        load.spawn(async move {
            for number in (first + u64::from(task)..).step_by(usize::try_from(LOAD).expect("small")) {
                if !append(&store, number, honesty).await {
                    return;
                }
                if number % PRUNED_OF == 0 {
                    // When the pruner is behind, there is enough to prune.
                    let _queued = prune.try_send(number).is_ok();
                }
            }
        });
    }
    let decider = store.clone();
    load.spawn(async move {
        for last in (first + DECISIONS..).step_by(usize::try_from(DECISIONS).expect("small")) {
            if !decided(&decider, last).await {
                return;
            }
        }
    });
    while let Some(ended) = load.join_next().await {
        ended.expect("appends until it is killed");
    }
}

/// Prunes a delivery and says so; whether that was done.
pub(crate) fn pruned(store: &Store, number: u64) -> bool {
    say(&format!("{PRUNING} {number}"));
    let facts = Facts { at_us: 1, by: "child".to_owned(), reason: "old".to_owned() };
    match store.prune(vec![(delivery(number).id, None)], facts) {
        Ok(pruned) => {
            assert_eq!(pruned.removed.len(), 1);
            say(&format!("{PRUNED} {number}"));
            true
        }
        Err(error) => {
            say(&format!("poisoned: {error}"));
            false
        }
    }
}

/// Writes the list of decisions that ends with this one and says so; whether it was taken.
pub(crate) async fn decided(store: &Store, last: u64) -> bool {
    let numbers = last - DECISIONS + 1..=last;
    let decisions = numbers.map(|number| decision(epoch(number), number % LIFE)).collect();
    match store.append_decisions(decisions).await {
        Ok(_) => {
            say(&format!("{DECIDED} {last}"));
            true
        }
        Err(error) => {
            say(&format!("poisoned: {error}"));
            false
        }
    }
}

/// Appends one delivery and says so; whether it was taken. After poison it tries again, which must never be taken.
pub(crate) async fn append(store: &Store, number: u64, honesty: Honesty) -> bool {
    if honesty == Honesty::Early {
        say(&format!("{ACKNOWLEDGED} {number}"));
    }
    match store.append(delivery(number)).await {
        Ok(receipt) => {
            assert_eq!(receipt.stored, Stored::New);
            if honesty == Honesty::Honest {
                say(&format!("{ACKNOWLEDGED} {number}"));
            }
            true
        }
        Err(AppendError::Poisoned(why)) => {
            say(&format!("poisoned: {why}"));
            for more in 1..=AFTER_POISON {
                let answer = store.append(delivery(number + (more << 40))).await;
                if !matches!(answer, Err(AppendError::Poisoned(_))) {
                    say(&format!("taken after poison: {answer:?}"));
                }
            }
            false
        }
        Err(error) => panic!("{error}"),
    }
}
