//! Files of the log that were changed, cut or lost: it is said, with what is affected, and never is a record answered
//! that was not handed in, nor one left out in silence.
//!
//! One log with every kind of file RocksDB makes is damaged again and again, at random places. Each time it either
//! refuses to open, or every record is answered exactly or its damage named. The only records that may go unnoticed are
//! the last ones of a write-ahead log whose end was cut off or left in pieces: that is how a power cut looks too, and the
//! ledger's cursor is what finds it. `EVIDENCE_DAMAGE_ROUNDS` damages more often, `EVIDENCE_DAMAGE_SEED` repeats a run.

#![expect(clippy::expect_used, reason = "all of this is a test; clippy knows only the functions marked as one")]

#[expect(dead_code, reason = "the other tests use the rest")]
#[path = "power/faulty.rs"]
mod faulty;
#[expect(dead_code, reason = "the other tests use the rest")]
#[path = "power/support.rs"]
mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use evidence_store::{OpenError, ReadError, Store};
use faulty::{Model, Random, Survivors};
use support::{delivery, number, number_of, open};
use tempfile::TempDir;
use uuid::Uuid;

const ROUNDS: &str = "EVIDENCE_DAMAGE_ROUNDS";
const SEED: &str = "EVIDENCE_DAMAGE_SEED";
const ROUNDS_DEFAULT: u64 = 90;
/// More than is verified when opening; then some that are still in the write-ahead log.
const FLUSHED: u64 = 90;
const RECORDS: u64 = 110;
const PAGE: usize = 4096;

/// What is done to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Damage {
    Flip,
    Zero,
    Cut,
    Lose,
}

const DAMAGES: [Damage; 4] = [Damage::Flip, Damage::Zero, Damage::Cut, Damage::Lose];

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Found {
    AtTheStart,
    WhenRead,
    EndIsGone,
    Harmless,
}

/// A log with tables, blob files and a write-ahead log.
async fn template() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for numbers in [0..FLUSHED, FLUSHED..RECORDS] {
        let store = open(folder.path()).expect("opens");
        for number in numbers {
            store.append(delivery(number)).await.expect("stored");
        }
    }
    folder
}

/// The files of the log by their kind: `.sst`, `.blob`, `.log`, `MANIFEST`, `CURRENT`, `IDENTITY`, `OPTIONS`.
fn files(log: &Path) -> BTreeMap<String, Vec<PathBuf>> {
    let mut kinds: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for entry in std::fs::read_dir(log).expect("the log") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_str().expect("a plain name");
        let kind = match name.split_once(['.', '-']) {
            Some((_, ending)) if name.starts_with(|first: char| first.is_ascii_digit()) => ending,
            Some((beginning, _)) => beginning,
            None => name,
        };
        if !name.starts_with("LO") && path.metadata().expect("facts").len() != 0 {
            kinds.entry(kind.to_owned()).or_default().push(path);
        }
    }
    kinds
}

fn spoil(path: &Path, damage: Damage, random: &mut Random) {
    let mut bytes = std::fs::read(path).expect("a file");
    let at = random.below(bytes.len());
    match damage {
        Damage::Flip => *bytes.get_mut(at).expect("inside") ^= 1 << random.below(8),
        Damage::Zero => bytes.iter_mut().skip(at / PAGE * PAGE).take(PAGE).for_each(|byte| *byte = 0),
        Damage::Cut => bytes.truncate(at),
        Damage::Lose => return std::fs::remove_file(path).expect("it goes"),
    }
    std::fs::write(path, bytes).expect("it is written");
}

/// Asks for everything, in order and by id. What was answered wrongly, if anything.
fn examine(store: &Store) -> Result<Found, String> {
    let head = store.head().seq;
    let mut found = if head == RECORDS { Found::Harmless } else { Found::EndIsGone };
    for seq in 1..=head {
        let in_order = store.read_after(seq - 1, 1, usize::MAX).map(|mut records| records.pop());
        for answer in [in_order, store.delivery(delivery(seq - 1).id)] {
            match answer {
                Ok(Some(record)) if record.seq == seq && number_of(&record.entry)? == Some(seq - 1) => {}
                Ok(other) => return Err(format!("record {seq} was answered with {other:?}")),
                // The record itself, or the one before it, whose link it needs.
                Err(ReadError::Damaged { seq: named, .. }) if named == seq || named + 1 == seq => {
                    found = Found::WhenRead
                }
                Err(ReadError::Engine(what)) if !what.is_empty() => found = Found::WhenRead,
                Err(other) => return Err(format!("record {seq}: {other}")),
            }
        }
    }
    Ok(found)
}

#[tokio::test]
async fn damage_is_found_and_never_answered() {
    let random = u64::try_from(Uuid::now_v7().as_u128() & 0xffff_ffff).expect("small");
    let seed = number(SEED, random);
    let (mut random, template) = (Random(seed), template().await);
    let mut tally: BTreeMap<(String, Damage, Found), u64> = BTreeMap::new();
    let kinds = files(&template.path().join("log"));
    assert_eq!(kinds.len(), 7, "{:?}", kinds.keys());
    for round in 0..number(ROUNDS, ROUNDS_DEFAULT) {
        let folder = tempfile::tempdir().expect("a folder");
        Model::load(template.path()).cut(Survivors::None, folder.path());
        let round = usize::try_from(round).expect("small");
        let (kind, paths) = files(&folder.path().join("log")).into_iter().nth(round % kinds.len()).expect("a kind");
        let path = paths.get(random.below(paths.len())).expect("a file");
        let damage = *DAMAGES.get(round / kinds.len() % DAMAGES.len()).expect("a damage");
        spoil(path, damage, &mut random);
        let what = format!("{SEED}={seed}, round {round}: {damage:?} of {}", path.display());
        let found = match open(folder.path()) {
            Ok(store) => examine(&store).unwrap_or_else(|wrong| panic!("{what}: {wrong}")),
            Err(OpenError::Damaged { what, .. }) if !what.is_empty() => Found::AtTheStart,
            Err(error) => panic!("{what}: {error}"),
        };
        let kept =
            || std::fs::read_dir(folder.path()).expect("a folder").any(|entry| is_kept(&entry.expect("an entry")));
        let cut_off = kind == "log" && (damage == Damage::Cut || damage == Damage::Zero && kept());
        assert!(found != Found::EndIsGone || cut_off, "{what}: records are gone and nothing was said");
        *tally.entry((kind, damage, found)).or_default() += 1;
    }
    report(&tally);
}

/// A last write that was let go.
fn is_kept(entry: &std::fs::DirEntry) -> bool {
    entry.file_name().to_string_lossy().starts_with("torn-")
}

#[expect(clippy::print_stderr, reason = "the numbers of a long run are what it is run for")]
fn report(tally: &BTreeMap<(String, Damage, Found), u64>) {
    for ((kind, damage, found), count) in tally {
        eprintln!("{kind:>9} {damage:?}: {found:?} {count}");
    }
}
