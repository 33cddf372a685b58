//! One destination's dispatcher: looks for due messages, keeps its slots full, and lets the messages of one lane go
//! one after the other while other lanes flow past.
//!
//! The ledger decides what is due; this only holds a small buffer of it. Looks are saved where they cannot find
//! anything: the next one is set by the clock of the earliest retry, by a hint, by a lane that became free, or by a
//! slow poll. While slots are busy and the buffer is low, a look runs beside the attempts.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet, VecDeque};
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::{Instant, sleep_until};

use super::attempt::{self, End, Ended};
use super::pace::Pace;
use super::{LEDGER_PAUSE, LONG, Line};
use crate::config::Destination;
use crate::forward::breaker::{Breaker, Change, Heard, Permit};
use crate::ledger::{DueMessage, HASTENED_MAX, LedgerError};
use crate::task::{self, Stop, Wake};
use crate::telemetry::metrics;

/// Messages of one look: twice the slots, within these bounds. A message may be a megabyte, and this many are held.
const LOOK: (usize, usize) = (16, 256);

/// Most rows that one look may ask for, lanes in hand included.
const LOOK_MAX: usize = 4096;

/// Least time between looks while there is something to do.
const LOOK_PAUSE: Duration = Duration::from_millis(2);

/// Time between looks when nothing is known to be due: finds what another process or an earlier life left.
const POLL: Duration = Duration::from_secs(2);

/// How long a lane rests whose anchor verification has to look at first.
const STALE_REST: Duration = Duration::from_millis(250);

/// Lanes that may rest at a time. Thousands of stale anchors after an outage are asked for in waves of this size, so
/// that verification is not flooded.
const RESTING_MAX: usize = 512;

/// Known future moments at which something is due. Those beyond are found by the poll.
const TIMERS_MAX: usize = 4096;

/// What a lane in hand is doing.
enum Lane {
    /// Its message is in the buffer.
    Ready,
    /// An attempt runs.
    Flying(JoinHandle<()>),
    /// Not before.
    Resting(Instant),
}

/// What the dispatcher hears of an attempt.
struct Report {
    lane: String,
    permit: Permit,
    what: What,
}

/// See [`Report`].
enum What {
    /// The destination took the message: the slot is free. The lane is not, until that is on record.
    Taken,
    /// It is over. `ended` is none when the attempt panicked; `held` whether it had its slot until now.
    Over { ended: Option<Ended>, held: bool },
}

/// An attempt's way to its dispatcher. Reports the end when dropped, so that a panicking attempt reports too.
struct Slot {
    lane: String,
    permit: Permit,
    held: bool,
    ended: Option<Ended>,
    to: mpsc::Sender<Report>,
}

impl Slot {
    /// Lets the next message have the slot while this one's result is being recorded.
    fn free(&mut self) {
        self.held = false;
        self.tell(What::Taken);
    }

    fn end(mut self, ended: Ended) {
        self.ended = Some(ended);
    }

    fn tell(&self, what: What) {
        let report = Report { lane: self.lane.clone(), permit: self.permit, what };
        // The channel has room for all, so only a dispatcher that is gone misses this.
        if self.to.try_send(report).is_err() {
            tracing::debug!("an attempt ended after its dispatcher");
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let ended = self.ended.take();
        self.tell(What::Over { ended, held: self.held });
    }
}

type Found = Result<Vec<DueMessage>, LedgerError>;

/// See the module.
pub(super) struct Dispatch {
    line: Arc<Line>,
    wake: Wake,
    slots: usize,
    breaker: Breaker,
    /// What the breaker measures time from.
    began: Instant,
    pace: Option<Pace>,
    ready: VecDeque<DueMessage>,
    lanes: HashMap<String, Lane>,
    /// Attempts that have a slot.
    flying: usize,
    /// Attempts whose message was taken and whose result is not on record yet.
    recording: usize,
    reports: (mpsc::Sender<Report>, mpsc::Receiver<Report>),
    /// A look under way.
    looking: Option<JoinHandle<Found>>,
    /// Lanes that became free while a look was under way: what it says of them is old.
    freed: HashSet<String>,
    looked: Instant,
    look_at: Instant,
    timers: BinaryHeap<Reverse<Instant>>,
    /// The ledger failed: nothing before this.
    held_until: Instant,
    ledger_pause: Duration,
}

impl Dispatch {
    pub(super) fn new(line: Arc<Line>, destination: &Destination, wake: Wake) -> Self {
        let (slots, now) = (destination.concurrency.max(1), Instant::now());
        show(&line, false);
        Self {
            line,
            wake,
            slots,
            breaker: Breaker::new(destination.breaker, slots, Duration::ZERO),
            began: now,
            pace: destination.rate.map(|rate| Pace::new(rate, now)),
            ready: VecDeque::new(),
            lanes: HashMap::new(),
            flying: 0,
            recording: 0,
            // Two reports of each attempt, and twice as many attempts as slots.
            reports: mpsc::channel(slots.saturating_mul(4)),
            looking: None,
            freed: HashSet::new(),
            looked: now,
            look_at: now,
            timers: BinaryHeap::new(),
            held_until: now,
            ledger_pause: LEDGER_PAUSE.0,
        }
    }

    /// Works until stop is said, then waits for the attempts in flight.
    pub(super) async fn run(mut self, mut stop: Stop) {
        while !stop.is_set() {
            let now = Instant::now();
            self.launch(now, &stop);
            self.look(now);
            let next = self.next_moment(now);
            tokio::select! {
                () = stop.wait() => break,
                Some(report) = self.reports.1.recv() => self.heard(report).await,
                found = looked(&mut self.looking) => self.found(found),
                () = self.wake.wait(LONG) => self.look_soon(),
                () = sleep_until(next) => {}
            }
        }
        while self.flying + self.recording > 0 {
            let Some(report) = self.reports.1.recv().await else { break };
            self.heard(report).await;
        }
    }

    /// Starts attempts while there are slots, messages and leave to.
    fn launch(&mut self, now: Instant, stop: &Stop) {
        while self.may_launch(now) {
            let Some(permit) = self.breaker.permit(now - self.began, self.flying) else { break };
            let Some(message) = self.next_message(permit) else { break };
            if let Some(pace) = &mut self.pace {
                pace.take(now);
            }
            let lane = message.lane.clone();
            let (line, mut stop) = (Arc::clone(&self.line), stop.clone());
            let mut slot = Slot { lane: lane.clone(), permit, held: true, ended: None, to: self.reports.0.clone() };
            let handle = task::spawn("forward-attempt", async move {
                let ended = attempt::run(&line, message, permit, &mut stop, || slot.free()).await;
                slot.end(ended);
            });
            self.flying += 1;
            self.lanes.insert(lane, Lane::Flying(handle));
        }
    }

    fn may_launch(&self, now: Instant) -> bool {
        now >= self.held_until
            && !self.ready.is_empty()
            && self.has_room()
            && self.pace.is_none_or(|pace| pace.opens(now) <= now)
    }

    /// As many again as have slots may wait for the ledger, and no more: what it does not take is not heaped up here.
    const fn has_room(&self) -> bool {
        self.flying + self.recording < self.slots * 2
    }

    /// The first of those in hand. A probe is best made with what was tried least: what has failed often may be bad itself.
    fn next_message(&mut self, permit: Permit) -> Option<DueMessage> {
        let at = match permit {
            Permit::Slot => 0,
            Permit::Probe => (0..self.ready.len()).min_by_key(|at| self.ready.get(*at).map(|one| one.attempts))?,
        };
        self.ready.remove(at)
    }

    /// Starts a look, if one is due and its findings would be used.
    fn look(&mut self, now: Instant) {
        while self.timers.peek().is_some_and(|Reverse(at)| *at <= now) {
            self.timers.pop();
            self.look_soon();
        }
        if self.looking.is_some() || now < self.look_at.max(self.held_until) {
            return;
        }
        self.lanes.retain(|_, lane| !matches!(lane, Lane::Resting(until) if *until <= now));
        if !self.wants_more() {
            return;
        }
        // The ledger does not know what is in the buffer or resting, and says it again: ask for that much more.
        let (least, most) = LOOK;
        let limit = (self.slots.saturating_mul(2).clamp(least, most) + self.lanes.len()).min(LOOK_MAX);
        let (line, now_us) = (Arc::clone(&self.line), self.line.clock.now().as_microsecond());
        let handle =
            task::spawn("forward-look", async move { line.ledger.due_messages(&line.name, now_us, limit).await });
        self.looking = Some(handle);
        self.looked = now;
        self.look_at = now + POLL;
    }

    /// Takes in what a look found.
    fn found(&mut self, found: Result<Found, JoinError>) {
        self.looking = None;
        let freed = std::mem::take(&mut self.freed);
        match found {
            Ok(Ok(found)) => {
                if !found.is_empty() {
                    // There may be more: the engine has limits of its own, in bytes too.
                    self.look_soon();
                }
                for message in found {
                    if !self.lanes.contains_key(&message.lane) && !freed.contains(&message.lane) {
                        self.lanes.insert(message.lane.clone(), Lane::Ready);
                        self.ready.push_back(message);
                    }
                }
            }
            Ok(Err(error)) => {
                tracing::warn!(destination = self.line.name, %error, "forwarding waits for the ledger");
                self.hold();
            }
            Err(error) => resume(error),
        }
    }

    /// Takes in what an attempt reports.
    async fn heard(&mut self, report: Report) {
        let Report { lane, permit, what } = report;
        let (held, heard) = match &what {
            What::Taken => (true, Heard::Taken),
            What::Over { ended, held } => (*held, ended.as_ref().map_or(Heard::Nothing, |ended| ended.heard)),
        };
        if held {
            self.flying = self.flying.saturating_sub(1);
            let change = self.breaker.ended(permit, &lane, heard, Instant::now() - self.began, rand::random());
            self.changed(change).await;
        }
        match what {
            What::Taken => self.recording += 1,
            What::Over { ended, held } => {
                if !held {
                    self.recording = self.recording.saturating_sub(1);
                }
                self.ended(lane, ended).await;
            }
        }
    }

    /// An attempt is over: its lane goes on, waits or rests.
    async fn ended(&mut self, lane: String, ended: Option<Ended>) {
        let attempt = self.lanes.remove(&lane);
        let now = Instant::now();
        if self.looking.is_some() {
            self.freed.insert(lane.clone());
        }
        match ended.map(|ended| ended.end) {
            Some(End::Finished) => {
                self.ledger_pause = LEDGER_PAUSE.0;
                self.look_soon();
            }
            Some(End::Retry { due_us }) => {
                self.ledger_pause = LEDGER_PAUSE.0;
                let wait_us = due_us.saturating_sub(self.line.clock.now().as_microsecond());
                self.timer(now + Duration::from_micros(u64::try_from(wait_us).unwrap_or(0)));
            }
            Some(End::AnchorStale) => {
                self.lanes.insert(lane, Lane::Resting(now + STALE_REST));
                self.timer(now + STALE_REST);
            }
            // What is paused is not due: the hint or the poll after the pause finds it.
            Some(End::Paused) => self.ledger_pause = LEDGER_PAUSE.0,
            Some(End::LedgerDown) => self.hold(),
            None => {
                if let Some(Lane::Flying(handle)) = attempt
                    && let Err(error) = handle.await
                {
                    resume(error);
                }
            }
        }
    }

    /// Says what the breaker did, and makes what waited for its end due.
    async fn changed(&mut self, change: Change) {
        let (line, now_us) = (&self.line, self.line.clock.now().as_microsecond());
        let (destination, to) = (&line.name, line.client.shown());
        match change {
            Change::None => return,
            Change::Opened => {
                line.outages().began(now_us);
                tracing::error!(destination, to, "the backend takes nothing: left alone but for single probes");
                show(line, true);
            }
            Change::Closed => {
                line.outages().ended(now_us);
                tracing::info!(destination, to, "the backend takes messages again: what waits is due");
                show(line, false);
            }
        }
        let outages = line.outages().to_keep();
        if let Err(error) = line.ledger.put_outages(destination, outages).await {
            // Put again with the next change; until then a restart would count this outage as patience.
            tracing::warn!(destination, %error, "the outage is not on record yet");
        }
        // Open, the breaker paces; closed, nothing has to wait. However many wait, attempts go on meanwhile.
        task::spawn("forward-hasten", hasten(Arc::clone(&self.line), self.wake.clone(), now_us));
        self.look_soon();
    }

    /// The ledger does not take what we write or say what is due: empty hands and wait.
    fn hold(&mut self) {
        for message in self.ready.drain(..) {
            self.lanes.remove(&message.lane);
        }
        let now = Instant::now();
        if now < self.held_until {
            // The other slots heard the same.
            return;
        }
        self.held_until = now + self.ledger_pause;
        self.look_at = self.held_until;
        self.ledger_pause = (self.ledger_pause * 2).min(LEDGER_PAUSE.1);
    }

    fn look_soon(&mut self) {
        self.look_at = self.look_at.min(self.looked + LOOK_PAUSE);
    }

    fn timer(&mut self, at: Instant) {
        if self.timers.len() < TIMERS_MAX {
            self.timers.push(Reverse(at));
        }
    }

    fn wants_more(&self) -> bool {
        let under_way = self.ready.len() + self.flying + self.recording;
        let resting = self.lanes.len().saturating_sub(under_way);
        self.ready.len() <= self.slots / 4 && resting < RESTING_MAX
    }

    /// When to go round again if nothing happens.
    fn next_moment(&self, now: Instant) -> Instant {
        let mut next = now + LONG;
        if self.looking.is_none() && self.wants_more() {
            next = next.min(self.look_at.max(self.held_until));
        }
        if let Some(Reverse(at)) = self.timers.peek() {
            next = next.min(*at);
        }
        if !self.ready.is_empty()
            && self.has_room()
            && let Some(opens) = self.breaker.opens(now - self.began, self.flying)
        {
            let paced = self.pace.map_or(now, |pace| pace.opens(now));
            next = next.min(paced.max(self.began + opens).max(self.held_until));
        }
        next
    }
}

/// Makes all that waits out a backoff due. What the ledger does not make due now is due when its backoff ends.
async fn hasten(line: Arc<Line>, wake: Wake, now_us: i64) {
    loop {
        match line.ledger.hasten(&line.name, now_us).await {
            Ok(hastened) => {
                wake.wake();
                // More fail meanwhile; only a full call leaves any of those that waited when it began.
                if hastened < HASTENED_MAX {
                    return;
                }
            }
            Err(error) => {
                tracing::warn!(destination = line.name, %error, "what waits goes on by its backoff");
                return;
            }
        }
    }
}

fn show(line: &Line, open: bool) {
    let label = metrics::Destination::of(&line.name);
    line.metrics.forward_breaker_open.get_or_create(&label).set(i64::from(open));
}

/// The result of the look under way; pending when there is none.
async fn looked(looking: &mut Option<JoinHandle<Found>>) -> Result<Found, JoinError> {
    match looking {
        Some(handle) => handle.await,
        None => pending().await,
    }
}

/// A panic of a task of ours is a panic of ours. A cancelled task means that the runtime is going down.
fn resume(error: JoinError) {
    if let Ok(panic) = error.try_into_panic() {
        std::panic::resume_unwind(panic);
    }
}
