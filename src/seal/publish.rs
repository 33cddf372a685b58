//! Checkpoints leave the machine: appended to a file, posted to a URL. Neither holds anything up: a file that cannot be
//! written is warned about, and of checkpoints that wait to be posted only the newest counts, because it covers the others.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, Url};
use tokio::sync::watch;

/// From connect to the end of the answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Waits after failures of one checkpoint; then the next one is waited for.
const WAITS: [Duration; 4] =
    [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(5), Duration::from_secs(10)];

/// Adds a note, and an empty line so that notes stand apart, and fsyncs.
pub(super) fn append(file: &Path, note: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new().create(true).append(true).open(file)?;
    file.write_all(format!("{note}\n").as_bytes())?;
    file.sync_data()
}

pub(super) struct Publisher {
    http: Client,
    url: Url,
}

impl Publisher {
    pub(super) fn new(url: Url) -> Result<Self, reqwest::Error> {
        let http = Client::builder()
            .user_agent(concat!("tollgate/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .no_proxy()
            .timeout(TIMEOUT)
            .build()?;
        Ok(Self { http, url })
    }

    /// Posts what comes until nothing more can come.
    pub(super) async fn run(self, mut latest: watch::Receiver<Option<Arc<str>>>) {
        while latest.changed().await.is_ok() {
            let note = latest.borrow_and_update().clone();
            let Some(note) = note else { continue };
            let mut waits = WAITS.iter();
            while let Err(why) = self.post(&note).await {
                let Some(wait) = waits.next() else {
                    // Scheme, host and port: path and query may hold a token.
                    let to = self.url.origin().ascii_serialization();
                    tracing::warn!(to, why, "a checkpoint was not posted to publish_url; the next one covers it");
                    break;
                };
                // A newer one, or the end, is not waited out.
                if tokio::time::timeout(*wait, latest.changed()).await.is_ok() {
                    latest.mark_changed();
                    break;
                }
            }
        }
    }

    async fn post(&self, note: &str) -> Result<(), String> {
        let request = self.http.post(self.url.clone()).header("content-type", "text/plain; charset=utf-8");
        match request.body(note.to_owned()).send().await {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => Err(format!("it was answered with {}", answer.status())),
            Err(error) => Err(error.without_url().to_string()),
        }
    }
}

#[cfg(test)]
mod tests;
