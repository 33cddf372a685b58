//! How far long work is: a bar on a terminal, else a line now and then, both on standard error.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use tokio::task::JoinHandle;

use super::output::note;
use super::table::printable;
use super::{Exit, Failure};
use crate::jobs::Progress;

/// Between lines where there is no terminal.
const BETWEEN_LINES: Duration = Duration::from_secs(5);

/// Between looks at work of this process.
const BETWEEN_LOOKS: Duration = Duration::from_millis(200);

/// One piece of work. Dropping it takes the bar away.
pub struct Bar {
    what: String,
    bar: Option<ProgressBar>,
    told: Option<Instant>,
}

impl Bar {
    /// Shows nothing before the first [`Bar::at`].
    #[must_use]
    pub fn new(what: &str) -> Self {
        let bar = std::io::stderr().is_terminal().then(ProgressBar::no_length);
        if let Some(bar) = &bar {
            bar.set_prefix(what.to_owned());
        }
        Self { what: what.to_owned(), bar, told: None }
    }

    /// So much of so much is done.
    pub fn at(&mut self, done: u64, total: Option<u64>, doing: &str) {
        let doing = printable(doing).replace('\n', " ");
        if let Some(bar) = &self.bar {
            let template = match total {
                Some(_) => "{prefix} [{bar:30}] {percent:>3} % of {len}, {eta} left  {msg}",
                None => "{spinner} {prefix} {pos}  {msg}",
            };
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style.progress_chars("=> "));
            }
            if let Some(total) = total {
                bar.set_length(total);
            }
            bar.set_position(done);
            bar.set_message(doing);
        } else if self.told.is_none_or(|told| BETWEEN_LINES <= told.elapsed()) {
            self.told = Some(Instant::now());
            let total = total.map(|total| format!(" of {total}")).unwrap_or_default();
            let doing = if doing.is_empty() { doing } else { format!(", {doing}") };
            note(&format!("{}: {done}{total}{doing}", self.what));
        }
    }
}

/// Waits for work of this process, and shows how far it is.
///
/// # Errors
/// When the work ended by a defect.
pub async fn follow<T>(what: &str, progress: &Progress, work: JoinHandle<T>) -> Result<T, Failure> {
    let mut bar = Bar::new(what);
    let mut work = work;
    loop {
        match tokio::time::timeout(BETWEEN_LOOKS, &mut work).await {
            Ok(done) => return done.map_err(|error| Failure::new(Exit::Failed, error.to_string())),
            Err(_) => {
                let (done, total, doing) = progress.seen();
                bar.at(done, total, &doing);
            }
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
