//! Disks that fail, and disks and stores that lie.

use crate::child::{Run, Site, Task};
use crate::faulty::trace::{Op, Trace};
use crate::faulty::{Model, Survivors};
use crate::support::{LIFE, Said, holds, number};

const CALLS: &str = "EVIDENCE_POWER_CALLS";
/// Of the calls of a short life, how many are made to fail, one run each.
const CALLS_DEFAULT: u64 = 5;
/// Answers after which a control is killed.
const ENOUGH: usize = 300;

/// The disk after all of the run.
fn after(run: &mut Run) -> &Model {
    run.trace.ops.iter().for_each(|op| run.model.apply(op));
    &run.model
}

fn said(texts: &[&str]) -> Said {
    let mut said = Said::default();
    texts.iter().for_each(|text| said.add(text));
    said
}

fn faults(run: &Run) -> usize {
    run.trace.ops.iter().filter(|op| matches!(op, Op::Fault)).count()
}

/// What must hold after a fault: nothing was taken after the log was poisoned, and all that was acknowledged is there,
/// whether the power goes as well or not. Opening again is what proves it.
fn survives(site: &Site, rule: &str, before: &str) -> Run {
    let mut run = site.run(Task::Lives, LIFE, rule, None);
    assert!(!run.said.contains("taken after poison"), "{rule}: {}", run.said);
    let all = said(&[before, &run.said]);
    after(&mut run);
    for survivors in [Survivors::None, Survivors::All] {
        let left = site.left(&run.model, survivors);
        holds(&left.join("evidence"), &all).unwrap_or_else(|what| panic!("{rule}: {what}\n{}", run.said));
    }
    run
}

/// Makes one call after the other fail; each time on the disk that an earlier, healthy life left.
fn each_call(call: &str, action: &str, mut look: impl FnMut(&str, &Run)) {
    let site = Site::new();
    let mut run = site.run(Task::Lives, 0, "", None);
    let before = run.said.clone();
    let left = site.left(after(&mut run), Survivors::None);
    let kept = tempfile::tempdir().expect("a folder");
    let start = kept.path().join("disk");
    copy(&left, &start);
    let calls = number(CALLS, CALLS_DEFAULT);
    // Without a rule that bites: how many such calls there are.
    site.goes_on_with(&left);
    let count = counted(&site.run(Task::Lives, LIFE, "", None), call);
    let mut met = 0;
    for n in 0..calls.min(count) {
        let nth = 1 + n * count / calls.min(count);
        let again = site.left(&Model::load(&start), Survivors::None);
        site.goes_on_with(&again);
        let rule = action.replace("NTH", &nth.to_string()).replace("NEXT", &(nth + 1).to_string());
        let run = survives(&site, &rule, &before);
        if faults(&run) == 0 {
            // RocksDB's own threads make a call more or less, and the last ones may be theirs.
            assert!(counted(&run, call) < nth, "{rule} met nothing");
            continue;
        }
        met += 1;
        look(&rule, &run);
    }
    assert!(0 < met, "{action} met nothing");
}

fn counted(run: &Run, call: &str) -> u64 {
    let is = |op: &&Op| match op {
        Op::Write { .. } => call == "write",
        Op::SyncBegin { .. } => call == "sync",
        Op::Open { created, .. } => call == "open" && *created,
        _ => false,
    };
    u64::try_from(run.trace.ops.iter().filter(is).count()).expect("64 bits")
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    Model::load(from).cut(Survivors::None, to);
}

/// Whether the child stopped taking deliveries, or did not open.
fn stopped(run: &Run) -> bool {
    run.said.contains("poisoned: ") || run.said.contains("refused: ")
}

#[test]
fn a_failed_fsync_of_the_log_poisons_it() {
    let site = Site::new();
    let run = survives(&site, "sync:*/log/*.log:3:1:EIO", "");
    assert!(run.said.contains("poisoned: IO error"), "{}", run.said);
    // Asked again, that disk would have said yes.
    assert_eq!(faults(&run), 1, "{}", run.said);
}

#[test]
fn any_fsync_may_fail() {
    each_call("sync", "sync:*:NTH:1:EIO", |_, _| {});
}

#[test]
fn any_write_may_fail() {
    each_call("write", "write:*:NTH:1:EIO", |_, _| {});
}

#[test]
fn any_file_may_fail_to_be_made() {
    each_call("open", "open:*:NTH:1:ENOSPC", |_, _| {});
}

#[test]
fn a_write_may_be_short() {
    each_call("write", "write:*:NTH:1:short", |rule, run| {
        assert!(!stopped(run), "{rule}: the rest is written with the next call: {}", run.said);
    });
}

#[test]
fn a_disk_may_become_full_in_the_middle_of_a_write() {
    each_call("write", "write:*:NTH:1:short;write:*:NEXT:0:ENOSPC", |rule, run| {
        assert!(stopped(run), "{rule}: it goes on: {}", run.said);
    });
}

#[test]
fn a_disk_that_ignores_fsync_is_noticed() {
    for rule in ["sync:*:1:0:ignore", "sync:*/log/*.log:1:0:ignore", "sync:*/log:1:0:ignore"] {
        let site = Site::new();
        let mut run = site.run(Task::Load, 0, rule, Some(ENOUGH));
        let all = said(&[&Trace::said(&run.trace.ops)]);
        let left = site.left(after(&mut run), Survivors::None);
        let outcome = holds(&left.join("evidence"), &all);
        assert!(outcome.is_err(), "{rule}: this harness would not notice a missing fsync");
    }
}

/// The cut comes right after the last answer, when its append has not begun: at the end of the run its fsync may be over.
#[test]
fn an_answer_before_its_fsync_is_noticed() {
    let site = Site::new();
    let mut run = site.run(Task::LoadAnsweredEarly, 0, "", Some(ENOUGH));
    let answer = |op: &Op| matches!(op, Op::Mark(text) if !said(&[text]).acknowledged.is_empty());
    let last = run.trace.ops.iter().rposition(answer).expect("it answers");
    run.trace.ops.truncate(last + 1);
    let all = said(&[&Trace::said(&run.trace.ops)]);
    let left = site.left(after(&mut run), Survivors::None);
    let outcome = holds(&left.join("evidence"), &all);
    assert!(outcome.is_err_and(|what| what.contains("is gone")), "this harness would not notice an early answer");
}
