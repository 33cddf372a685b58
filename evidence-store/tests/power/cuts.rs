//! Power cuts.

use std::collections::BTreeSet;
use std::time::Instant;

use uuid::Uuid;

use crate::child::{Run, Site, Task};
use crate::faulty::trace::{Op, Trace};
use crate::faulty::{Random, Survivors};
use crate::support::{LIFE, Said, holds, number};

const ROUNDS: &str = "EVIDENCE_POWER_ROUNDS";
const STEP: &str = "EVIDENCE_POWER_STEP";
const SEED: &str = "EVIDENCE_POWER_SEED";
const ROUNDS_DEFAULT: u64 = 3;
const STEP_DEFAULT: u64 = 23;
/// Moments at which one run under load is cut, beside its end: half of them anywhere, half while an fsync runs.
const CUTS: usize = 4;
const ACKS_MAX: usize = 400;
/// Lives after which a new log is begun.
const LIVES_MAX: u64 = 4;
/// Kinds of what is left, see [`kind`].
const KINDS: usize = 4;

/// What the tests saw.
#[derive(Default)]
struct Tally {
    cuts: usize,
    acknowledged: usize,
}

impl Tally {
    fn report(&self, what: &str, began: Instant) {
        report(&format!(
            "{what}: {} cuts, {} deliveries acknowledged, none lost; {} s",
            self.cuts,
            self.acknowledged,
            began.elapsed().as_secs()
        ));
    }
}

fn seed() -> u64 {
    let random = u64::try_from(Uuid::now_v7().as_u128() & 0xffff_ffff).expect("small");
    let seed = number(SEED, random);
    report(&format!("{SEED}={seed}"));
    seed
}

#[expect(clippy::print_stderr, reason = "the numbers of a long run are what it is run for")]
fn report(line: &str) {
    eprintln!("{line}");
}

fn acknowledged(text: &str) -> usize {
    let mut said = Said::default();
    said.add(text);
    said.acknowledged.len()
}

fn kind(number: usize, random: &mut Random) -> Survivors<'_> {
    match number {
        0 => Survivors::None,
        1 => Survivors::All,
        2 => Survivors::Beginnings(random),
        _ => Survivors::Pages(random),
    }
}

/// One run, cut again and again.
struct Ordeal<'a> {
    site: &'a Site,
    run: Run,
    /// Ops that the run's model has seen.
    applied: usize,
    /// What earlier lives on this disk said.
    before: &'a str,
    random: &'a mut Random,
    tally: &'a mut Tally,
}

impl Ordeal<'_> {
    /// Cuts the power when so many ops had happened, in each of the ways, and checks what is left each time.
    fn cut(&mut self, until: usize) {
        let ops = self.run.trace.ops.get(..until).expect("inside");
        ops.iter().skip(self.applied).for_each(|op| self.run.model.apply(op));
        self.applied = until;
        let mut said = Said::default();
        said.add(self.before);
        said.add(&Trace::said(ops));
        for number in 0..KINDS {
            let left = self.site.left(&self.run.model, kind(number, self.random));
            self.tally.cuts += 1;
            if let Err(what) = holds(&left.join("evidence"), &said) {
                panic!("cut at step {until} of {}, kind {number}: {what}", self.run.trace.ops.len());
            }
        }
    }
}

/// Moments of a run at which to cut it, its end included.
fn moments(ops: &[Op], random: &mut Random) -> BTreeSet<usize> {
    let synced: Vec<usize> = (0..ops.len()).filter(|n| matches!(ops.get(*n), Some(Op::SyncEnd { .. }))).collect();
    let anywhere = (0..CUTS / 2).map(|_| random.below(ops.len())).collect::<Vec<_>>();
    let syncing = (0..CUTS / 2).filter_map(|_| synced.get(random.below(synced.len())).copied());
    anywhere.into_iter().chain(syncing).chain([ops.len()]).collect()
}

#[test]
fn what_was_acknowledged_survives_power_cuts_under_load() {
    let (mut random, mut tally, began) = (Random(seed()), Tally::default(), Instant::now());
    let (mut site, mut before) = (Site::new(), String::new());
    let rounds = number(ROUNDS, ROUNDS_DEFAULT);
    for round in 0..rounds {
        if round % LIVES_MAX == 0 {
            (site, before) = (Site::new(), String::new());
        }
        let run = site.run(Task::Load, round * LIFE, "", Some(random.below(ACKS_MAX)));
        let moments = moments(&run.trace.ops, &mut random);
        let said = Trace::said(&run.trace.ops);
        let mut ordeal =
            Ordeal { site: &site, run, applied: 0, before: &before, random: &mut random, tally: &mut tally };
        moments.into_iter().for_each(|until| ordeal.cut(until));
        let model = ordeal.run.model;
        tally.acknowledged += acknowledged(&said);
        before.push_str(&said);
        let survivors = random.below(KINDS);
        site.goes_on_with(&site.left(&model, kind(survivors, &mut random)));
    }
    tally.report(&format!("{rounds} lives under load"), began);
}

#[test]
fn a_short_life_can_be_cut_at_every_step() {
    let (mut random, mut tally, began) = (Random(seed()), Tally::default(), Instant::now());
    let (site, before) = (Site::new(), String::new());
    let run = site.run(Task::Lives, 0, "", None);
    tally.acknowledged = acknowledged(&run.said);
    let steps = run.trace.ops.len();
    let step = usize::try_from(number(STEP, STEP_DEFAULT)).expect("small");
    let mut ordeal = Ordeal { site: &site, run, applied: 0, before: &before, random: &mut random, tally: &mut tally };
    let first = ordeal.random.below(step);
    (first..=steps).step_by(step).for_each(|until| ordeal.cut(until));
    tally.report(&format!("{steps} steps, every {step}th cut"), began);
}
