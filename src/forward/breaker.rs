//! When a destination is left alone, and how it is loaded again. Pure: time and randomness arrive as values.
//!
//! After a row of failures of different lanes, with nothing taken between them, the destination is down and not the
//! message bad: the breaker opens, and nothing is attempted but one probe at a time, at growing waits. Lanes and not
//! attempts are counted, so that one payment that the backend never takes keeps no other from it. Any success closes.
//!
//! A destination that is back, and one that is met after a restart, gets one message at a time first; each success
//! adds a slot. So it is not run over by what an outage has heaped up.

use std::collections::HashSet;
use std::time::Duration;

use crate::config::Breaker as Settings;
use crate::ledger::Outage;

use super::schedule::RETRY_AFTER_MAX;

/// A slot is added after this even without a success, so that a message whose attempt hangs does not keep others waiting.
const STEP: Duration = Duration::from_millis(250);

/// Stretches of an outage that are told apart; of more, the oldest become one.
const STRETCHES_MAX: usize = 256;

/// Leave to make an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permit {
    /// As one of many.
    Slot,
    /// As the only one, to see whether the destination is back.
    Probe,
}

/// What an attempt told about the destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// It took the message.
    Taken,
    /// It did not. With the wait that it asked for.
    Failed(Option<Duration>),
    /// Nothing was sent.
    Nothing,
}

/// What an attempt's end changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Nothing that others have to know.
    None,
    /// The destination is left alone from now on.
    Opened,
    /// The destination is back: what waits is due.
    Closed,
}

#[derive(Debug, Clone)]
enum State {
    Closed {
        /// Slots that may be used.
        slots: usize,
        /// When the last one was added.
        grown: Duration,
        /// Lanes that failed since something was taken.
        failed: HashSet<String>,
    },
    Open {
        /// The next probe.
        until: Duration,
        /// The wait before it, without its jitter.
        wait: Duration,
        /// Whether the probe is out.
        probing: bool,
    },
}

/// A destination's breaker. Times are measured from any fixed moment.
#[derive(Debug, Clone)]
pub struct Breaker {
    settings: Settings,
    slots: usize,
    state: State,
}

impl Breaker {
    /// Closed, with one slot of `slots`.
    #[must_use]
    pub fn new(settings: Settings, slots: usize, now: Duration) -> Self {
        Self { settings, slots: slots.max(1), state: closed(now) }
    }

    /// Whether nothing but probes is attempted.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(self.state, State::Open { .. })
    }

    /// Leave for one more attempt while `flying` are in flight. A permit that is given has to be [ended](Self::ended).
    pub fn permit(&mut self, now: Duration, flying: usize) -> Option<Permit> {
        if flying >= self.slots {
            return None;
        }
        match &mut self.state {
            State::Closed { slots, grown, .. } => {
                if flying < *slots {
                    return Some(Permit::Slot);
                }
                let is_due = *slots < self.slots && *grown + STEP <= now;
                is_due.then(|| {
                    (*slots, *grown) = (*slots + 1, now);
                    Permit::Slot
                })
            }
            State::Open { until, probing, .. } => {
                let may = !*probing && *until <= now;
                may.then(|| {
                    *probing = true;
                    Permit::Probe
                })
            }
        }
    }

    /// When [`Self::permit`] may answer otherwise without an attempt ending first.
    #[must_use]
    pub fn opens(&self, now: Duration, flying: usize) -> Option<Duration> {
        match &self.state {
            _ if flying >= self.slots => None,
            State::Closed { slots, .. } if flying < *slots => Some(now),
            State::Closed { grown, .. } => Some(*grown + STEP),
            State::Open { probing: true, .. } => None,
            State::Open { until, .. } => Some(*until),
        }
    }

    /// An attempt ended. `random` is uniform over all of `u64`.
    pub fn ended(&mut self, permit: Permit, lane: &str, heard: Heard, now: Duration, random: u64) -> Change {
        match &mut self.state {
            State::Closed { slots, grown, failed } => match heard {
                Heard::Nothing => Change::None,
                Heard::Taken => {
                    failed.clear();
                    (*slots, *grown) = ((*slots + 1).min(self.slots), now);
                    Change::None
                }
                Heard::Failed(asked) => {
                    failed.insert(lane.to_owned());
                    if failed.len() < self.settings.failures {
                        return Change::None;
                    }
                    self.open(self.settings.first, asked, now, random);
                    Change::Opened
                }
            },
            State::Open { until, wait, probing } => match (heard, permit) {
                // One that was under way when it opened is as good a proof.
                (Heard::Taken, _) => {
                    self.state = closed(now);
                    Change::Closed
                }
                (Heard::Failed(asked), Permit::Probe) => {
                    let wait = (*wait).saturating_mul(2).min(self.settings.max);
                    self.open(wait, asked, now, random);
                    Change::None
                }
                (Heard::Failed(asked), Permit::Slot) => {
                    *until = (*until).max(now + asked.unwrap_or_default().min(RETRY_AFTER_MAX));
                    Change::None
                }
                (Heard::Nothing, Permit::Probe) => {
                    *probing = false;
                    Change::None
                }
                (Heard::Nothing, Permit::Slot) => Change::None,
            },
        }
    }

    /// Half of the wait is certain, half is drawn, so that destinations behind one proxy are not probed in step.
    fn open(&mut self, wait: Duration, asked: Option<Duration>, now: Duration, random: u64) {
        let half = wait / 2;
        let drawn = half.mul_f64(f64::from(u32::try_from(random >> 32).unwrap_or(u32::MAX)) / f64::from(u32::MAX));
        let until = now + (half + drawn).max(asked.unwrap_or_default().min(RETRY_AFTER_MAX));
        self.state = State::Open { until, wait, probing: false };
    }
}

fn closed(now: Duration) -> State {
    State::Closed { slots: 1, grown: now, failed: HashSet::new() }
}

/// The times at which a destination was left alone, by the wall clock: nobody's patience runs in them.
#[derive(Debug, Clone, Default)]
pub struct Outages {
    /// Ended ones, in order.
    past: Vec<(i64, i64)>,
    since_us: Option<i64>,
}

impl Outages {
    /// As an earlier life of the process kept them. One that lasted when it ended counts until now: whether the destination
    /// came back meanwhile is not known, and this gives up nothing too early.
    #[must_use]
    pub fn kept(kept: &[Outage], now_us: i64) -> Self {
        let mut outages = Self::default();
        for outage in kept {
            outages.began(outage.began_us);
            outages.ended(outage.ended_us.unwrap_or(now_us));
        }
        outages
    }

    /// What a later life has to know.
    #[must_use]
    pub fn to_keep(&self) -> Vec<Outage> {
        let ended =
            self.past.iter().map(|(began_us, ended_us)| Outage { began_us: *began_us, ended_us: Some(*ended_us) });
        ended.chain(self.since_us.map(|began_us| Outage { began_us, ended_us: None })).collect()
    }

    /// The breaker opened.
    pub fn began(&mut self, now_us: i64) {
        self.since_us = self.since_us.or(Some(now_us));
    }

    /// The breaker closed.
    pub fn ended(&mut self, now_us: i64) {
        let Some(since_us) = self.since_us.take() else { return };
        self.past.push((since_us, now_us));
        if self.past.len() > STRETCHES_MAX {
            // What lay between them counts as an outage too, which gives up nothing too early.
            let first = self.past.remove(0);
            if let Some(second) = self.past.first_mut() {
                second.0 = first.0;
            }
        }
    }

    /// How much of the time from `since_us` to `now_us` was an outage.
    #[must_use]
    pub fn within(&self, since_us: i64, now_us: i64) -> i64 {
        let open = self.since_us.map(|since| (since, now_us));
        let of_each = self.past.iter().copied().chain(open).map(|(from, to)| {
            let (from, to) = (from.max(since_us), to.min(now_us));
            to.saturating_sub(from).max(0)
        });
        of_each.fold(0, i64::saturating_add)
    }
}
