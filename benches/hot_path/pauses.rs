//! What the machine does to whoever runs on it: when one and the same computation costs a core much more time than it did
//! before.
//!
//! It is counted in the thread's own time on a core, so waiting for one is not in it. What is left is a core that was slow, or
//! that a host gave to someone else without saying so: `steal` of the kernel need not show it.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// Between two computations.
const EVERY: Duration = Duration::from_millis(2);

/// Rounds of one computation: some 30 microseconds.
const ROUNDS: u64 = 10_000;

/// Slow is what costs more than so many times the median.
const SLOW: f64 = 2.0;

/// Slow computations this close to each other are one pause.
const APART: Duration = Duration::from_millis(50);

/// A thread that computes until it is asked what it saw.
pub(crate) struct Watch {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Computation>>,
}

struct Computation {
    began: Instant,
    ended: Instant,
    cost: Duration,
}

/// When the machine was slow.
pub(crate) struct Pauses {
    /// First and last moment of each.
    pauses: Vec<(Instant, Instant)>,
    /// Of the time, in percent.
    pub(crate) share: f64,
    /// The worst computation, in medians.
    pub(crate) worst: f64,
    pub(crate) longest: Duration,
}

impl Watch {
    pub(crate) fn begin() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let thread = spawn(move || {
            let mut seen = Vec::new();
            while !told.load(Ordering::Relaxed) {
                let (began, before) = (Instant::now(), on_core());
                compute();
                seen.push(Computation { began, ended: Instant::now(), cost: on_core() - before });
                sleep(EVERY);
            }
            seen
        });
        Self { stop, thread }
    }

    pub(crate) fn end(self) -> Pauses {
        self.stop.store(true, Ordering::Relaxed);
        Pauses::among(&self.thread.join().unwrap())
    }
}

impl Pauses {
    fn among(seen: &[Computation]) -> Self {
        let mut costs: Vec<f64> = seen.iter().map(|computation| computation.cost.as_secs_f64()).collect();
        costs.sort_unstable_by(f64::total_cmp);
        let median = costs[costs.len() / 2];
        let mut pauses: Vec<(Instant, Instant)> = Vec::new();
        for computation in seen.iter().filter(|computation| computation.cost.as_secs_f64() > SLOW * median) {
            match pauses.last_mut() {
                Some((_, last)) if computation.began - *last < APART => *last = computation.ended,
                _ => pauses.push((computation.began, computation.ended)),
            }
        }
        let lengths = || pauses.iter().map(|(first, last)| *last - *first);
        let watched = seen[seen.len() - 1].ended - seen[0].began;
        Self {
            share: lengths().sum::<Duration>().as_secs_f64() * 100.0 / watched.as_secs_f64(),
            worst: costs[costs.len() - 1] / median,
            longest: lengths().max().unwrap_or_default(),
            pauses,
        }
    }

    /// Whether something that took from `began` to `ended` met a pause, or what a pause left to be worked off in as much time
    /// again.
    pub(crate) fn met(&self, began: Instant, ended: Instant) -> bool {
        self.pauses.iter().any(|(first, last)| began <= *last + (*last - *first) && ended + EVERY >= *first)
    }
}

fn compute() {
    let mut state = black_box(0x9e37_79b9_7f4a_7c15_u64);
    for _ in 0..ROUNDS {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
    }
    black_box(state);
}

/// The calling thread's time on a core.
fn on_core() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap()
}
