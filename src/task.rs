//! The one place that spawns, and the small signals that stages share.
//!
//! Stages are joined by durable records; a [`Wake`] only shortens the wait until the next look.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tracing::Instrument;

mod behind;

pub use behind::{Behind, breathe, lower_priority};

/// Spawns a named task. A panic in it is logged by the runtime's hook and reaches whoever joins.
#[expect(clippy::disallowed_methods, reason = "the one place that spawns tasks")]
pub fn spawn<F>(name: &'static str, future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    tokio::spawn(future.instrument(tracing::debug_span!("task", name)))
}

/// Runs blocking work (disk) off the async workers.
#[expect(clippy::disallowed_methods, reason = "the one place that spawns blocking work")]
pub fn spawn_blocking<F, T>(work: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    tokio::task::spawn_blocking(work)
}

/// A future that is finished in any case: whoever owns it drives it in place, at no cost; a task of that name goes on with it
/// when its owner lets go.
#[derive(Debug)]
pub struct Finishing<F>
where
    F: Future<Output: Send> + Send + 'static,
{
    name: &'static str,
    rest: Option<Pin<Box<F>>>,
}

/// Makes one.
pub fn finishing<F>(name: &'static str, future: F) -> Finishing<F>
where
    F: Future<Output: Send> + Send + 'static,
{
    Finishing { name, rest: Some(Box::pin(future)) }
}

impl<F> Future for Finishing<F>
where
    F: Future<Output: Send> + Send + 'static,
{
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let Some(rest) = &mut self.rest else { return Poll::Pending };
        let output = ready!(rest.as_mut().poll(cx));
        self.rest = None;
        Poll::Ready(output)
    }
}

impl<F> Drop for Finishing<F>
where
    F: Future<Output: Send> + Send + 'static,
{
    fn drop(&mut self) {
        // Without a runtime the process is ending.
        if let (Some(rest), Ok(_)) = (self.rest.take(), Handle::try_current()) {
            drop(spawn(self.name, rest));
        }
    }
}

/// A hint that there may be work. Losing one costs a poll interval, never work.
#[derive(Clone, Debug, Default)]
pub struct Wake(Arc<Notify>);

impl Wake {
    /// Gives the hint.
    pub fn wake(&self) {
        self.0.notify_one();
    }

    /// Waits for the hint, at most `patience`.
    pub async fn wait(&self, patience: Duration) {
        drop(tokio::time::timeout(patience, self.0.notified()).await);
    }
}

/// The hints between the stages.
#[derive(Clone, Debug, Default)]
pub struct Wakes {
    /// For verification: events may be due.
    pub verify: Wake,
    /// For forwarding: messages may be due.
    pub forward: Wake,
    /// A replay may have been started.
    pub replay: Wake,
    /// A resend may have been started.
    pub resend: Wake,
}

/// Says "stop" once, to many.
#[derive(Debug)]
pub struct StopSwitch(watch::Sender<bool>);

/// Hears "stop".
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<bool>);

/// A switch and its listener.
#[must_use]
pub fn stop() -> (StopSwitch, Stop) {
    let (sender, receiver) = watch::channel(false);
    (StopSwitch(sender), Stop(receiver))
}

impl StopSwitch {
    /// Says stop. Saying it again changes nothing.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl Stop {
    /// Whether stop was said.
    #[must_use]
    pub fn is_set(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until stop is said; also ends when the switch is gone.
    pub async fn wait(&mut self) {
        drop(self.0.wait_for(|set| *set).await);
    }
}

#[cfg(test)]
mod tests;
