//! The state that only goes one way.
//!
//! After a failed fsync nobody knows which pages reached the disk: the kernel may report the error once and then
//! answer a second fsync with success although the data is gone (Rebello et al., "Can Applications Recover from fsync
//! Failures?", USENIX ATC 2020). So nothing is retried: the log refuses all further appends, the process ends, and
//! recovery reads back what is really there.

use std::sync::Arc;

use tokio::sync::watch;

/// Why the log takes no more, if so.
#[derive(Debug)]
pub(crate) struct Poison(watch::Sender<Option<Arc<str>>>);

impl Default for Poison {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl Poison {
    /// Poisons; the first reason stays.
    pub(crate) fn set(&self, why: &str) {
        self.0.send_if_modified(|state| {
            let first = state.is_none();
            if first {
                tracing::error!(why, "the evidence log is poisoned and takes no more; restart to recover");
                *state = Some(why.into());
            }
            first
        });
    }

    /// The reason, if poisoned.
    pub(crate) fn why(&self) -> Option<Arc<str>> {
        self.0.borrow().clone()
    }

    /// Waits until poisoned.
    pub(crate) async fn wait(&self) -> Arc<str> {
        let mut state = self.0.subscribe();
        let why = state.wait_for(Option::is_some).await.ok().and_then(|why| why.clone());
        match why {
            Some(why) => why,
            // The sender is borrowed here, so it cannot have gone away.
            None => std::future::pending().await,
        }
    }
}
