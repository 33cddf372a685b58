//! What little free space means: sources whose providers try again for days wait first, so that those that give up
//! within seconds still find room.
//!
//! The decision is pure ([`Marks::level`]); [`Watermarks`] remembers the last one, says a change once and sets the
//! metrics. A refusal is always an honest 503: below the reserve the log refuses everything, whatever stands here.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;

use crate::config::{self, Config, Shed};
use crate::task::Stop;
use crate::telemetry::metrics::{Metrics, Source};

#[cfg(test)]
mod tests;

/// Between looks while nobody posts. Every request looks too.
const LOOK: Duration = Duration::from_secs(1);

/// How short the space is, from enough to none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Nothing to say.
    Plenty,
    /// Below the warning mark.
    Low,
    /// Sources of the first class wait.
    First,
    /// Those of the middle class too.
    Middle,
    /// Below the reserve: all wait.
    Full,
}

impl Level {
    /// Whether sources of the class are refused.
    #[must_use]
    pub fn sheds(self, class: Shed) -> bool {
        let from = match class {
            Shed::First => Self::First,
            Shed::Middle => Self::Middle,
            Shed::Last => Self::Full,
        };
        from <= self
    }

    /// For people and `/readyz`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Plenty => "ok",
            Self::Low => "low",
            Self::First | Self::Middle => "shedding",
            Self::Full => "full",
        }
    }
}

/// Free bytes below which something happens; `reserve <= shed <= warn`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marks {
    /// The warning.
    pub warn: u64,
    /// The first class.
    pub shed: u64,
    /// Everything.
    pub reserve: u64,
}

impl Marks {
    /// Of the configuration.
    #[must_use]
    pub const fn of(evidence: &config::Evidence) -> Self {
        Self { warn: evidence.watermarks.warn, shed: evidence.watermarks.shed, reserve: evidence.reserve }
    }

    /// The level after a look at the disk. Falling takes effect at once; rising only a quarter of the way from the
    /// reserve to `shed` above the mark that was crossed, so that a level does not flap. The reserve has no such
    /// distance: what the log takes is not refused for the last class. A disk that does not say counts as full.
    #[must_use]
    pub fn level(self, before: Level, free: Option<u64>) -> Level {
        let free = free.unwrap_or(0);
        let fallen = self.lowest(free, 0);
        let kept = self.lowest(free, self.shed.saturating_sub(self.reserve) / 4);
        before.max(fallen).min(kept)
    }

    /// The worst level whose mark, raised by `distance`, is above what is free.
    fn lowest(self, free: u64, distance: u64) -> Level {
        let half_way = self.reserve.saturating_add(self.shed.saturating_sub(self.reserve) / 2);
        if free < self.reserve {
            Level::Full
        } else if free < half_way.saturating_add(distance) {
            Level::Middle
        } else if free < self.shed.saturating_add(distance) {
            Level::First
        } else if free < self.warn.saturating_add(distance) {
            Level::Low
        } else {
            Level::Plenty
        }
    }
}

/// The marks, the sources by class, and the level that was seen last.
pub struct Watermarks {
    marks: Marks,
    level: Mutex<Level>,
    low: Gauge,
    sources: Vec<(String, Shed, Gauge)>,
}

impl Watermarks {
    /// For the configured sources; nothing is shed until the first look.
    #[must_use]
    pub fn new(config: &Config, metrics: &Metrics) -> Arc<Self> {
        let gauge = |source: &str| metrics.disk_shedding.get_or_create(&Source::of(source)).clone();
        let of = |source: &config::Source| (source.name.clone(), source.shed, gauge(&source.name));
        Arc::new(Self {
            marks: Marks::of(&config.evidence),
            level: Mutex::new(Level::Plenty),
            low: metrics.disk_low.clone(),
            sources: config.sources.iter().map(of).collect(),
        })
    }

    /// The marks themselves.
    #[must_use]
    pub const fn marks(&self) -> Marks {
        self.marks
    }

    /// Takes what the disk says is free and answers the level it makes.
    pub fn look(&self, free: Option<u64>) -> Level {
        let mut level = self.level.lock().unwrap_or_else(PoisonError::into_inner);
        let before = *level;
        let now = self.marks.level(before, free);
        *level = now;
        if before != now {
            self.tell(before, now, free);
        }
        now
    }

    /// The sources that wait at a level.
    #[must_use]
    pub fn shedding(&self, level: Level) -> Vec<&str> {
        self.sources.iter().filter(|(_, class, _)| level.sheds(*class)).map(|(name, ..)| name.as_str()).collect()
    }

    /// Whether no source is taken at a level.
    #[must_use]
    pub fn all_wait(&self, level: Level) -> bool {
        !self.sources.is_empty() && self.sources.iter().all(|(_, class, _)| level.sheds(*class))
    }

    /// Looks every second until `stop`: a disk that fills while nobody posts is said too.
    pub async fn follow(self: Arc<Self>, free: impl Fn() -> Option<u64>, mut stop: Stop) {
        while !stop.is_set() {
            self.look(free());
            drop(tokio::time::timeout(LOOK, stop.wait()).await);
        }
    }

    /// Called with the level locked, so that what is set is what was decided last.
    fn tell(&self, before: Level, now: Level, free: Option<u64>) {
        self.low.set(i64::from(Level::Low <= now));
        for (_, class, gauge) in &self.sources {
            gauge.set(i64::from(now.sheds(*class)));
        }
        let (free_bytes, waiting) = (free.unwrap_or(0), self.shedding(now).join(", "));
        let Marks { warn, shed, reserve } = self.marks;
        match now {
            Level::Plenty => tracing::info!(free_bytes, "free space is above every mark again"),
            Level::Low if now < before => tracing::info!(free_bytes, "free space is enough for every source again"),
            Level::Low => tracing::warn!(
                free_bytes,
                warn_bytes = warn,
                shed_bytes = shed,
                "free space is below evidence.watermarks.warn: free space or grow the disk"
            ),
            Level::First | Level::Middle => tracing::warn!(
                free_bytes,
                shed_bytes = shed,
                reserve_bytes = reserve,
                waiting,
                "free space is below evidence.watermarks.shed: these sources are answered 503"
            ),
            Level::Full => tracing::error!(
                free_bytes,
                reserve_bytes = reserve,
                "free space is below evidence.reserve: every delivery is answered 503"
            ),
        }
    }
}
