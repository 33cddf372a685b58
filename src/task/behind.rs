//! Where the stages behind the ack run: threads that the kernel puts after those of the public listener and of the log.
//!
//! A core that is busy with both does ten parts of one to one part of the other: a burst is acknowledged at full speed, its
//! deliveries wait in the log, and are taken in by the time that is left. The stages themselves know nothing of it.

use std::future::Future;
use std::io;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinHandle;

/// How far behind, as `nice` counts: a tenth of the weight of a thread at 0. Nothing starves.
const NICENESS: i32 = 10;

/// A runtime of its own for the stages. Whatever they spawn runs there too.
#[derive(Debug)]
pub struct Behind {
    handle: Handle,
    /// Taken when it is dropped.
    runtime: Option<Runtime>,
}

impl Behind {
    /// Starts its threads.
    ///
    /// # Errors
    /// When the system gives no more threads.
    pub fn new() -> io::Result<Self> {
        let mut builder = Builder::new_multi_thread();
        let runtime = builder.enable_all().thread_name("tollgate-behind").on_thread_start(lower_priority).build()?;
        Ok(Self { handle: runtime.handle().clone(), runtime: Some(runtime) })
    }

    /// As [`super::spawn`], behind.
    pub fn spawn<F>(&self, name: &'static str, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let _behind = self.handle.enter();
        super::spawn(name, future)
    }
}

impl Drop for Behind {
    fn drop(&mut self) {
        // Waiting for threads is not possible where this is dropped, and all that matters has been joined or is on disk.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Puts the calling thread behind. Where the system does not take it, all threads are equal.
pub fn lower_priority() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::debug!(%error, "a thread keeps its priority");
    }
}
