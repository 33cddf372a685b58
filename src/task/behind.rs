//! Where the stages behind the ack run: threads that the kernel puts after those of the public listener and of the log.
//!
//! A core that is busy with both does ten parts of one to one part of the other: a burst is acknowledged at full speed, its
//! deliveries wait in the log, and are taken in by the time that is left. The stages themselves know nothing of it.
//!
//! Priority is kept on each core by itself, so a thread that stays on one keeps all of it while those of the ack wait for
//! the other. Work that takes long breathes ([`breathe`]): a core that falls idle takes over who waits elsewhere.

use std::cell::Cell;
use std::future::Future;
use std::io;
use std::thread::sleep;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinHandle;

/// How far behind, as `nice` counts: a tenth of the weight of a thread at 0. Nothing starves.
const NICENESS: i32 = 10;

/// Work between two breaths.
const STRETCH: Duration = Duration::from_millis(1);

/// The shortest sleep there is: some 50 microseconds on Linux, a twentieth of the work between.
const BREATH: Duration = Duration::from_micros(1);

thread_local! {
    /// When this thread breathed last; nothing where it is not behind.
    static BREATHED: Cell<Option<Instant>> = const { Cell::new(None) };
}

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
    BREATHED.set(Some(Instant::now()));
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::debug!(%error, "a thread keeps its priority");
    }
}

/// Gives the core away for a moment, a millisecond after the last time; for work that would keep it longer. Does nothing in a
/// thread that is not behind. Blocks, so it is not for tasks.
pub fn breathe() {
    if BREATHED.get().is_some_and(|last| last.elapsed() >= STRETCH) {
        sleep(BREATH);
        BREATHED.set(Some(Instant::now()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Calls it until it slept.
    fn until_a_breath() {
        let last = BREATHED.get();
        while BREATHED.get() == last {
            breathe();
        }
    }

    #[test]
    fn a_thread_behind_breathes_once_in_a_stretch() {
        let work = || {
            let began = Instant::now();
            lower_priority();
            (0..5).for_each(|_| until_a_breath());
            began.elapsed()
        };
        assert!(std::thread::spawn(work).join().unwrap() >= STRETCH * 5);
    }

    #[test]
    fn another_thread_never_does() {
        let work = || {
            std::thread::sleep(STRETCH * 2);
            breathe();
            BREATHED.get()
        };
        assert_eq!(std::thread::spawn(work).join().unwrap(), None);
    }
}
