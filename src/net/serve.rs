//! The accept loop: a slot before each accept, backoff when the system refuses, and a drain that ends.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::connection::{self, Context};
use super::{Limits, Listener, Service};
use crate::task::{self, Stop};

/// First and longest wait after a failed accept (out of file descriptors, out of memory).
const BACKOFF: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// How long cut-off connections get to let go of their slots.
const CUT_OFF: Duration = Duration::from_secs(1);

/// How the drain went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drained {
    /// Connections that were cut off when the grace was over.
    pub aborted: usize,
}

/// Serves connections until `stop`, then lets open requests finish for `grace` and cuts off the rest.
pub async fn serve<S: Service>(listener: Listener, limits: Limits, service: S, stop: Stop, grace: Duration) -> Drained {
    let slots = Arc::new(Semaphore::new(usize::try_from(limits.connections).unwrap_or(usize::MAX)));
    let (cut_switch, cut) = task::stop();
    let context = Context { limits, service, stop: stop.clone(), cut };
    accept_until_stop(&listener, &slots, &context, stop).await;
    // The port is free for a successor while our open requests finish.
    drop(listener);
    drop(context);

    if timeout(grace, slots.acquire_many(limits.connections)).await.is_ok() {
        return Drained { aborted: 0 };
    }
    let free = u32::try_from(slots.available_permits()).unwrap_or(u32::MAX);
    let aborted = usize::try_from(limits.connections.saturating_sub(free)).unwrap_or(usize::MAX);
    tracing::warn!(connections = aborted, grace_s = grace.as_secs(), "cut off connections that outlived the grace");
    cut_switch.stop();
    if timeout(CUT_OFF, slots.acquire_many(limits.connections)).await.is_err() {
        tracing::warn!("some connections did not let go of their sockets");
    }
    Drained { aborted }
}

async fn accept_until_stop<S: Service>(
    listener: &Listener,
    slots: &Arc<Semaphore>,
    context: &Context<S>,
    mut stop: Stop,
) {
    let mut backoff = BACKOFF.0;
    loop {
        // The slot comes first: without one the kernel's backlog holds the peer, not our memory.
        let slot = tokio::select! {
            biased;
            () = stop.wait() => return,
            slot = Arc::clone(slots).acquire_owned() => match slot {
                Ok(slot) => slot,
                Err(_closed) => return,
            },
        };
        let accepted = tokio::select! {
            biased;
            () = stop.wait() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                backoff = BACKOFF.0;
                let context = context.clone();
                drop(task::spawn("connection", async move {
                    connection::run(stream, peer, context).await;
                    drop(slot);
                }));
            }
            Err(error) if of_one_peer(&error) => {}
            Err(error) => {
                tracing::warn!(%error, wait_ms = backoff.as_millis(), "accept failed");
                tokio::select! {
                    () = stop.wait() => return,
                    () = sleep(backoff) => {}
                }
                backoff = (backoff * 2).min(BACKOFF.1);
            }
        }
    }
}

/// Errors that concern one connection only; the next accept can be tried at once.
fn of_one_peer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::InvalidInput
            | io::ErrorKind::NotConnected
            | io::ErrorKind::Interrupted
    )
}
