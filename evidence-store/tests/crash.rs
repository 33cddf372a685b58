//! Kill -9 under load: everything that was acknowledged is there, whole, and the chain holds.
//!
//! The test runs itself again as a child that appends deliveries from many tasks and decisions from another, prunes some
//! of the deliveries meanwhile, and prints what was answered. The parent kills it after a random number of answers, opens the log and compares. The page
//! cache survives a kill, so this proves recovery and the order of writing and answering; `power/` proves the fsync.
//!
//! `EVIDENCE_CRASH_ROUNDS` runs more than a few rounds.

#![expect(clippy::expect_used, reason = "all of this is a test; clippy knows only the functions marked as one")]

#[path = "power/support.rs"]
mod support;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use support::{Honesty, LIFE, Said, append_without_end, holds, number, open, variable};
use uuid::Uuid;

const FOLDER: &str = "EVIDENCE_CRASH_FOLDER";
const ROUND: &str = "EVIDENCE_CRASH_ROUND";
const ROUNDS: &str = "EVIDENCE_CRASH_ROUNDS";
const ROUNDS_DEFAULT: u64 = 4;
const ACKS_MAX: u128 = 3000;

#[test]
fn what_was_acknowledged_survives_a_kill() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut all, rounds) = (Said::default(), number(ROUNDS, ROUNDS_DEFAULT));
    for round in 0..rounds {
        // The low bits of a UUIDv7 are random.
        let kill_after = usize::try_from((Uuid::now_v7().as_u128() & 0xffff_ffff) % ACKS_MAX).expect("small");
        killed_after(folder.path(), round, kill_after, &mut all);
        holds(folder.path(), &all).unwrap_or_else(|what| panic!("round {round}: {what}"));
    }
    report(&format!("{rounds} kills under load: {} deliveries acknowledged, none lost", all.acknowledged.len()));
}

#[expect(clippy::print_stderr, reason = "the numbers of a long run are what it is run for")]
fn report(line: &str) {
    eprintln!("{line}");
}

/// Runs a child until it has answered `kill_after` appends, and adds what it said, the last lines included.
fn killed_after(folder: &Path, round: u64, kill_after: usize, all: &mut Said) {
    let enough = all.acknowledged.len() + kill_after;
    let mut child = Command::new(std::env::current_exe().expect("a path"))
        .args(["--exact", "child_that_is_killed", "--nocapture"])
        .env(FOLDER, folder)
        .env(ROUND, round.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .expect("starts");
    let mut output = BufReader::new(child.stdout.take().expect("piped"));
    let mut line = String::new();
    let mut alive = true;
    while output.read_line(&mut line).expect("reads") != 0 {
        all.add(&line);
        line.clear();
        if alive && enough <= all.acknowledged.len() {
            child.kill().expect("kills");
            alive = false;
        }
    }
    assert!(!alive, "the child ended by itself after {} answers", all.acknowledged.len());
    child.wait().expect("ends");
}

/// The child's side; does nothing when run as a test.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child_that_is_killed() {
    let (Some(folder), Some(round)) = (variable(FOLDER), variable(ROUND)) else {
        return;
    };
    let first = round.parse::<u64>().expect("a number") * LIFE;
    let store = open(Path::new(&folder)).expect("opens after a kill");
    append_without_end(&store, first, Honesty::Honest).await;
}
