//! A run: every rule, a chunk after the other.

use std::time::Duration;

use serde::Serialize;

use super::plan::{Bound, Rule, rules};
use super::sizes::Sizes;
use super::{Retention, RetentionError, blocking, go_on, pending};
use crate::archive::{Place, Written};
use crate::jobs::Progress;

/// What to remove.
#[derive(Debug, Clone, Default)]
pub struct Ask {
    /// Who asks.
    pub by: String,
    /// Of this source; none is all that are configured.
    pub source: Option<String>,
    /// Received longer ago than this; none is what the configuration says.
    pub older_than: Option<Duration>,
    /// Only count.
    pub dry_run: bool,
}

/// What a run removed, or would.
#[derive(Debug, Default, Serialize)]
pub struct Pruning {
    /// Nothing was removed, only counted.
    pub dry_run: bool,
    /// Deliveries of all parts.
    pub deliveries: u64,
    /// Their bytes of bodies and headers.
    pub bytes: u64,
    /// Deliveries that a hold keeps.
    pub held: u64,
    /// By source and rule; those without anything are left out.
    pub parts: Vec<Part>,
}

/// What one rule removed of one source.
#[derive(Debug, Default, Serialize)]
pub struct Part {
    /// Which source.
    pub source: String,
    /// Why.
    pub why: String,
    /// How many.
    pub deliveries: u64,
    /// Their bytes of bodies and headers.
    pub bytes: u64,
    /// Deliveries that a hold keeps.
    pub held: u64,
    /// When the oldest of them arrived.
    pub oldest_at: Option<String>,
    /// When the youngest of them arrived.
    pub newest_at: Option<String>,
    /// Where they are now.
    pub archives: Vec<Kept>,
}

/// An archive that was written.
#[derive(Debug, Serialize)]
pub struct Kept {
    /// Where it lies.
    pub archive: String,
    /// Names it and all it holds.
    pub manifest_sha256: String,
    /// Deliveries in it.
    pub deliveries: u64,
}

impl Kept {
    pub(super) fn of(written: &Written) -> Self {
        Self {
            archive: written.shown.clone(),
            manifest_sha256: hex::encode(written.manifest_sha256),
            deliveries: written.manifest.deliveries,
        }
    }
}

/// What a walk carries along.
struct Walk<'a> {
    ask: &'a Ask,
    place: Option<Place>,
    progress: &'a Progress,
}

impl Retention {
    /// Removes what may go, or only counts it.
    ///
    /// # Errors
    /// When a store or the archive does not do its part, or somebody asks to stop. Running again goes on.
    pub async fn prune(&self, ask: &Ask, progress: &Progress) -> Result<Pruning, RetentionError> {
        let ended = self.walk(ask, progress).await;
        if let Err(error) = &ended {
            self.failed(error);
        }
        ended
    }

    async fn walk(&self, ask: &Ask, progress: &Progress) -> Result<Pruning, RetentionError> {
        let rules = rules(&self.0.config, ask, self.now_us());
        if rules.is_empty() {
            return Err(RetentionError::NoRule);
        }
        let walk = Walk { ask, place: self.place()?, progress };
        progress.say("waits for its turn");
        let mut sizes = self.0.sizes.lock().await;
        if !ask.dry_run {
            // What a crash left between a removal and here.
            self.reclaim().await?;
        }
        let mut report = Pruning { dry_run: ask.dry_run, ..Pruning::default() };
        for rule in &rules {
            // A dry run leaves what an earlier rule would have taken.
            let counted = report.parts.iter().filter(|part| part.source == rule.source).map(|part| part.bytes).sum();
            let counted = if ask.dry_run { counted } else { 0 };
            let part = self.apply(rule, &walk, counted, &mut sizes).await?;
            report.deliveries += part.deliveries;
            report.bytes += part.bytes;
            report.held += part.held;
            if 0 < part.deliveries + part.held {
                report.parts.push(part);
            }
        }
        if !ask.dry_run && 0 < report.deliveries {
            progress.say("taking the bytes off the disk");
            self.reclaim().await?;
        }
        Ok(report)
    }

    async fn apply(
        &self,
        rule: &Rule,
        walk: &Walk<'_>,
        counted: u64,
        sizes: &mut Sizes,
    ) -> Result<Part, RetentionError> {
        let progress = walk.progress;
        let mut part = Part { source: rule.source.clone(), why: rule.reason(), ..Part::default() };
        let mut over = self.over(rule, sizes, progress).await?.saturating_sub(counted);
        let mut after = Some(0);
        while let Some(from) = after.filter(|_| 0 < over) {
            go_on(progress, || format!("{} deliveries of {} were removed", part.deliveries, rule.source))?;
            progress.say(format!("looking at {}", rule.source));
            let chunk = self.select(rule, from, over, usize::MAX).await?;
            after = chunk.next;
            part.held += chunk.held;
            if walk.ask.dry_run {
                let deliveries = u64::try_from(chunk.chosen.len()).unwrap_or(u64::MAX);
                part.add(&chunk.chosen, deliveries, chunk.bytes);
                over = over.saturating_sub(chunk.bytes);
                continue;
            }
            if !chunk.unnoted.is_empty() {
                self.0.ledger.mark_removed(chunk.unnoted, self.now_us()).await?;
            }
            if chunk.chosen.is_empty() {
                continue;
            }
            let all = chunk.chosen.len();
            let (chosen, reason) = match &walk.place {
                None => (chunk.chosen, rule.reason()),
                Some(place) => {
                    let (chosen, written) = self.keep(rule, place, chunk.chosen, progress).await?;
                    let Some(written) = written else { continue };
                    let reason = reason(rule, &written);
                    part.archives.push(Kept::of(&written));
                    (chosen, reason)
                }
            };
            if let Some(last) = chosen.last().filter(|_| chosen.len() < all) {
                after = Some(last.seq);
            }
            progress.say(format!("removing deliveries of {}", rule.source));
            let gone = self.remove(rule, &chosen, (&walk.ask.by, &reason), sizes, progress).await?;
            part.held += gone.held;
            part.add(&chosen, gone.deliveries, gone.bytes);
            over = over.saturating_sub(gone.bytes);
            let folder = self.0.config.evidence.path.clone();
            blocking(move || pending::clear(&folder)).await?;
        }
        Ok(part)
    }

    /// Whether a run would find anything to remove.
    pub(super) async fn is_due(&self, ask: &Ask) -> Result<bool, RetentionError> {
        let progress = Progress::default();
        let mut sizes = self.0.sizes.lock().await;
        self.reclaim().await?;
        for rule in rules(&self.0.config, ask, self.now_us()) {
            if 0 < self.over(&rule, &mut sizes, &progress).await? {
                let chunk = self.select(&rule, 0, 1, 1).await?;
                if !chunk.chosen.is_empty() || !chunk.unnoted.is_empty() {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Bytes that a rule wants to go.
    async fn over(&self, rule: &Rule, sizes: &mut Sizes, progress: &Progress) -> Result<u64, RetentionError> {
        match rule.bound {
            Bound::Age(..) => Ok(u64::MAX),
            Bound::Bytes(limit) => {
                let bytes = sizes.of(&self.0.evidence, &rule.source, progress).await?;
                Ok(bytes.saturating_sub(limit))
            }
        }
    }

    async fn reclaim(&self) -> Result<bool, RetentionError> {
        let evidence = self.0.evidence.clone();
        blocking(move || Ok(evidence.reclaim()?)).await
    }
}

/// For the log: with it the archive is found, and found to be the one.
fn reason(rule: &Rule, written: &Written) -> String {
    let name = written.shown.rsplit('/').next().unwrap_or(&written.shown);
    format!("{}; archive {name}, manifest sha256 {}", rule.reason(), hex::encode(written.manifest_sha256))
}

impl Part {
    fn add(&mut self, chosen: &[super::select::Chosen], deliveries: u64, bytes: u64) {
        self.deliveries += deliveries;
        self.bytes += bytes;
        let at = |us: i64| jiff::Timestamp::from_microsecond(us).ok().map(|at| at.to_string());
        if self.oldest_at.is_none() {
            self.oldest_at = chosen.first().and_then(|one| at(one.received_us));
        }
        self.newest_at = chosen.last().and_then(|one| at(one.received_us)).or_else(|| self.newest_at.take());
    }
}
