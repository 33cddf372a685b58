//! Do other lanes of a destination get through? The memory behind `max_age`.
//!
//! A count of successes, and for each message that is old enough to be given up the count at its last failure. A lane
//! whose message fails has no successes itself, so any since then are other lanes'. After a restart the first failure
//! only sets the mark: an old message gets one attempt more, which is the safe side.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::forward::schedule;
use crate::model::WebhookId;

/// Old messages whose last failure is remembered. Those beyond wait until there is room.
const REMEMBERED_MAX: usize = 65_536;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Others {
    successes: AtomicU64,
    marks: Mutex<HashMap<WebhookId, u64>>,
}

impl Others {
    /// A message was taken.
    pub(super) fn got_through(&self, id: WebhookId) {
        self.successes.fetch_add(1, Ordering::SeqCst);
        self.forget(id);
    }

    /// A message that is old enough failed: did others get through since it failed before?
    pub(super) fn since_last_failure(&self, id: WebhookId) -> schedule::Others {
        let successes = self.successes.load(Ordering::SeqCst);
        let mut marks = self.marks();
        if marks.len() >= REMEMBERED_MAX && !marks.contains_key(&id) {
            return schedule::Others::AreSilent;
        }
        match marks.insert(id, successes) {
            Some(before) if before < successes => schedule::Others::GotThrough,
            Some(_) | None => schedule::Others::AreSilent,
        }
    }

    /// A message is finished.
    pub(super) fn forget(&self, id: WebhookId) {
        self.marks().remove(&id);
    }

    fn marks(&self) -> MutexGuard<'_, HashMap<WebhookId, u64>> {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
