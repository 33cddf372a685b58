//! Signs a checkpoint every so often, if the log grew.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use evidence_store::{SealError, SealKey, Sealed, Signed, Store};
use jiff::Timestamp;
use tokio::sync::watch;

use super::publish;
use crate::clock::Clock;
use crate::config::Seal;
use crate::task::{self, Stop};
use crate::telemetry::Metrics;

/// Between looks at the age of the last checkpoint.
const LOOK: Duration = Duration::from_secs(1);

pub(super) struct Sealer {
    evidence: Store,
    key: Arc<SealKey>,
    every: Duration,
    file: Option<PathBuf>,
    clock: Clock,
    metrics: Metrics,
    notes: watch::Sender<Option<Arc<str>>>,
    /// The last failure, so that it is told once.
    told: Option<String>,
    /// Size and time of the last checkpoint.
    last: Option<(u64, Timestamp)>,
    /// Since when something is not sealed; of a log without any checkpoint.
    began: Timestamp,
}

impl Sealer {
    pub(super) fn new(
        evidence: Store,
        key: SealKey,
        config: &Seal,
        clock: Clock,
        metrics: Metrics,
        notes: watch::Sender<Option<Arc<str>>>,
    ) -> Self {
        let began = clock.now();
        Self {
            evidence,
            key: Arc::new(key),
            every: config.every,
            file: config.publish_file.clone(),
            clock,
            metrics,
            notes,
            told: None,
            last: None,
            began,
        }
    }

    /// Seals until told to stop.
    pub(super) async fn run(&mut self, mut stop: Stop) {
        let evidence = self.evidence.clone();
        if let Ok(Ok(Some(last))) = task::spawn_blocking(move || evidence.latest_checkpoint()).await {
            self.last = Some((last.checkpoint.size, signed_at(&last).unwrap_or(self.began)));
        }
        let mut waited = Duration::ZERO;
        while !stop.is_set() {
            self.show_age();
            let pause = LOOK.min(self.every);
            tokio::select! {
                () = stop.wait() => return,
                () = tokio::time::sleep(pause) => {}
            }
            waited = waited.saturating_add(pause);
            if self.every <= waited {
                waited = Duration::ZERO;
                self.seal().await;
            }
        }
    }

    /// How long the oldest record that no checkpoint covers has waited; 0 when there is none.
    fn show_age(&self) {
        let (size, at) = self.last.unwrap_or((0, self.began));
        let waits = size < self.evidence.head().seq;
        let age_us = self.clock.now().as_microsecond().saturating_sub(at.as_microsecond()).max(0);
        let age = if waits { Duration::from_micros(age_us.unsigned_abs()) } else { Duration::ZERO };
        self.metrics.checkpoint_age.set(age.as_secs_f64());
    }

    /// Brings the tree up to the log, and signs.
    pub(super) async fn seal(&mut self) {
        loop {
            let (evidence, key, time) = (self.evidence.clone(), Arc::clone(&self.key), rfc3339(self.clock.now()));
            let sealed = task::spawn_blocking(move || evidence.seal(&key, &time)).await;
            match sealed {
                Ok(Ok(Sealed::Behind { done, head })) => tracing::info!(done, head, "sealing what was stored before"),
                Ok(Ok(Sealed::Current)) => break,
                Ok(Ok(Sealed::New(signed))) => {
                    self.publish(&signed).await;
                    break;
                }
                Ok(Err(error)) => return self.tell(&error),
                Err(_) => return tracing::error!("a defect ended sealing; the log has more"),
            }
        }
        self.told = None;
        self.show_age();
    }

    fn tell(&mut self, error: &SealError) {
        let text = error.to_string();
        if self.told.as_ref() != Some(&text) {
            tracing::error!(error = text, "no checkpoint was signed");
        }
        self.told = Some(text);
        self.show_age();
    }

    async fn publish(&mut self, signed: &Signed) {
        let said = &signed.checkpoint;
        self.last = Some((said.size, signed_at(signed).unwrap_or(self.began)));
        tracing::info!(size = said.size, root = hex::encode(said.root), note = signed.note, "signed a checkpoint");
        let note: Arc<str> = signed.note.as_str().into();
        if let Some(file) = self.file.clone() {
            let written = Arc::clone(&note);
            let appended = task::spawn_blocking(move || append(&file, &written)).await;
            match appended {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(%error, "a checkpoint was not written to publish_file"),
                Err(_) => tracing::error!("a defect ended the writing of a checkpoint"),
            }
        }
        self.notes.send_replace(Some(note));
    }
}

fn append(file: &Path, note: &str) -> std::io::Result<()> {
    publish::append(file, note)
        .map_err(|error| std::io::Error::new(error.kind(), format!("{}: {error}", file.display())))
}

fn rfc3339(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn signed_at(signed: &Signed) -> Option<Timestamp> {
    signed.checkpoint.time.as_deref()?.parse().ok()
}
