//! The one writer: a thread with the only connection that writes.
//!
//! It takes what waits in its bounded queue, runs it in one transaction, commits once and only then answers. A failing
//! command undoes itself alone: each has a savepoint, unless all of a group can be run a second time. When the database does not answer, the
//! whole group is told so and the connection is opened anew for the next one: nothing here ends the process.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::place::{Lock, Mode, Opened, Place};
use crate::ledger::LedgerError;
use crate::task::{breathe, lower_priority};

/// Commands that may wait; callers beyond wait for room.
const QUEUE: usize = 1024;

/// Commands of one commit: large enough to share an fsync, small enough that the first does not wait long.
const GROUP: usize = 512;

/// Steps of a statement between two looks whether it is time to breathe: some tens of microseconds.
const STEPS: i32 = 250;

/// A unit of work that hides its type, so that one queue carries all.
trait Command: Send {
    /// Runs inside the transaction; says whether what it wrote may stay.
    fn run(&mut self, conn: &Connection) -> Ran;
    /// Whether it wants a transaction of its own.
    fn share(&self) -> Share;
    /// Answers the caller after the commit; `Err` says why there was none.
    fn answer(self: Box<Self>, commit: &Result<(), String>);
}

/// How a command uses a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Share {
    /// With what else waits, under a savepoint.
    Group,
    /// The same, and it can be run again when another one of its group has to be undone: where all can, nothing has to be
    /// saved before each.
    Again,
    /// Alone: a savepoint keeps a copy of every page it touches, which a batch of the log pays dearly.
    Alone,
}

enum Ran {
    Keep,
    Undo,
    /// The database failed, not the command.
    Broken,
}

struct Pending<T, F> {
    share: Share,
    /// None when it cannot be run again.
    work: F,
    outcome: Option<Result<T, LedgerError>>,
    reply: oneshot::Sender<Result<T, LedgerError>>,
}

impl<T, F> Command for Pending<T, F>
where
    T: Send,
    F: FnMut(&Connection) -> Option<Result<T, LedgerError>> + Send,
{
    fn run(&mut self, conn: &Connection) -> Ran {
        let panicked = || Some(Err(LedgerError::Damaged("a command panicked; it was undone".to_owned())));
        let ran = catch_unwind(AssertUnwindSafe(|| (self.work)(conn))).unwrap_or_else(|_| panicked());
        let Some(outcome) = ran else { return Ran::Undo };
        let ran = match &outcome {
            Ok(_) => Ran::Keep,
            Err(LedgerError::Unavailable(_)) => Ran::Broken,
            Err(LedgerError::Damaged(_) | LedgerError::EvidenceRewound(_) | LedgerError::BadCursor(_)) => Ran::Undo,
        };
        self.outcome = Some(outcome);
        ran
    }

    fn share(&self) -> Share {
        self.share
    }

    fn answer(self: Box<Self>, commit: &Result<(), String>) {
        let unavailable = |why: &str| Err(LedgerError::Unavailable(why.to_owned()));
        let outcome = match (commit, self.outcome) {
            (Ok(()), Some(outcome)) | (Err(_), Some(outcome @ Err(_))) => outcome,
            (Err(why), _) => unavailable(why),
            (Ok(()), None) => unavailable("the command did not run"),
        };
        // Whoever asked may have left; the commit stands.
        drop(self.reply.send(outcome));
    }
}

/// Work that leaves nothing of itself behind.
fn once<T, F>(work: F) -> impl FnMut(&Connection) -> Option<Result<T, LedgerError>>
where
    F: FnOnce(&Connection) -> Result<T, LedgerError>,
{
    let mut work = Some(work);
    move |conn| work.take().map(|work| work(conn))
}

/// The handle: commands go in, answers come back.
pub(super) struct Writer {
    queue: Option<mpsc::Sender<Box<dyn Command>>>,
    thread: Option<JoinHandle<()>>,
    refuses: Arc<AtomicBool>,
}

impl Writer {
    /// Starts the thread. It holds the process lock until it ends.
    pub(super) fn start(place: Place, lock: Lock) -> std::io::Result<Self> {
        let (queue, commands) = mpsc::channel(QUEUE);
        let refuses = Arc::new(AtomicBool::new(false));
        let shown = Arc::clone(&refuses);
        let thread = std::thread::Builder::new().name("ledger-writer".to_owned()).spawn(move || {
            lower_priority();
            Loop { place, opened: None, commands, refuses: shown }.run();
            drop(lock);
        })?;
        Ok(Self { queue: Some(queue), thread: Some(thread), refuses })
    }

    /// Whether the last group was not taken.
    pub(super) fn refuses(&self) -> bool {
        self.refuses.load(Ordering::Relaxed)
    }

    /// Runs `work` in a transaction and answers once it is on disk.
    pub(super) async fn run<T, F>(&self, work: F) -> Result<T, LedgerError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, LedgerError> + Send + 'static,
    {
        self.queue(Share::Group, once(work)).await
    }

    /// The same in a transaction of its own.
    pub(super) async fn run_alone<T, F>(&self, work: F) -> Result<T, LedgerError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, LedgerError> + Send + 'static,
    {
        self.queue(Share::Alone, once(work)).await
    }

    /// The same for work that leaves what it needs as it is, so that it can be run again.
    pub(super) async fn run_again<T, F>(&self, work: F) -> Result<T, LedgerError>
    where
        T: Send + 'static,
        F: Fn(&Connection) -> Result<T, LedgerError> + Send + 'static,
    {
        self.queue(Share::Again, move |conn: &Connection| Some(work(conn))).await
    }

    async fn queue<T, F>(&self, share: Share, work: F) -> Result<T, LedgerError>
    where
        T: Send + 'static,
        F: FnMut(&Connection) -> Option<Result<T, LedgerError>> + Send + 'static,
    {
        let stopped = || LedgerError::Unavailable("the ledger's writer has stopped".to_owned());
        let (reply, answer) = oneshot::channel();
        let command = Box::new(Pending { share, work, outcome: None, reply });
        let queue = self.queue.as_ref().ok_or_else(stopped)?;
        queue.send(command).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }
}

impl Drop for Writer {
    /// Finishes what is queued, then lets go of the file.
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the ledger's writer ended in a panic");
        }
    }
}

struct Loop {
    place: Place,
    opened: Option<Opened>,
    commands: mpsc::Receiver<Box<dyn Command>>,
    refuses: Arc<AtomicBool>,
}

impl Loop {
    fn run(mut self) {
        let mut group = Vec::with_capacity(GROUP);
        while self.commands.blocking_recv_many(&mut group, GROUP) > 0 {
            while !group.is_empty() {
                let mut next: Vec<_> = group.drain(..transaction(&group)).collect();
                let commit = self.commit(&mut next);
                self.refuses.store(commit.is_err(), Ordering::Relaxed);
                if let Err(why) = &commit {
                    tracing::warn!(commands = next.len(), why, "the ledger did not take a group of commands");
                    // Whatever went wrong, a fresh connection starts from what is on disk.
                    self.opened = None;
                }
                for command in next {
                    command.answer(&commit);
                }
            }
        }
    }

    /// A connection that breathes while it works: a batch of the log is a tenth of a second of it.
    fn connect(&self) -> Result<Opened, LedgerError> {
        let mut opened = self.place.connect(Mode::Write)?;
        let goes_on = || {
            breathe();
            false
        };
        opened.conn.progress_handler(STEPS, Some(goes_on))?;
        Ok(opened)
    }

    fn commit(&mut self, group: &mut [Box<dyn Command>]) -> Result<(), String> {
        if self.opened.as_ref().is_none_or(|opened| !self.place.holds(opened)) {
            self.opened = None;
            self.opened = Some(self.connect().map_err(|error| error.to_string())?);
        }
        let Some(opened) = &self.opened else { return Err("no connection".to_owned()) };
        match transact(&opened.conn, group) {
            Ok(true) => Ok(()),
            Ok(false) => Err("the database failed inside a command".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// How many of the waiting commands, in their order, make the next transaction.
fn transaction(group: &[Box<dyn Command>]) -> usize {
    let alone = group.iter().position(|command| command.share() == Share::Alone);
    alone.map_or(group.len(), |first| first.max(1))
}

/// Runs the group in one transaction. `false`: a command found the database broken, everything is undone.
fn transact(conn: &Connection, group: &mut [Box<dyn Command>]) -> rusqlite::Result<bool> {
    let statement = |sql: &str| conn.prepare_cached(sql)?.execute([]).map(drop);
    statement("BEGIN IMMEDIATE")?;
    let ran = match group {
        [only] => match only.run(conn) {
            Ran::Keep => true,
            Ran::Undo => return statement("ROLLBACK").map(|()| true),
            Ran::Broken => false,
        },
        many if many.iter().all(|command| command.share() == Share::Again) => match plainly(many, conn) {
            Ran::Keep => true,
            Ran::Undo => {
                statement("ROLLBACK")?;
                statement("BEGIN IMMEDIATE")?;
                under_savepoints(many, conn, &statement)?
            }
            Ran::Broken => false,
        },
        many => under_savepoints(many, conn, &statement)?,
    };
    // Where it is broken the connection is dropped, and the open transaction with it.
    if ran { statement("COMMIT").map(|()| true) } else { Ok(false) }
}

/// Runs them as long as all goes well. A savepoint would keep a copy of every page that a command touches.
fn plainly(group: &mut [Box<dyn Command>], conn: &Connection) -> Ran {
    for command in group {
        match command.run(conn) {
            Ran::Keep => {}
            ended @ (Ran::Undo | Ran::Broken) => return ended,
        }
    }
    Ran::Keep
}

fn under_savepoints(
    group: &mut [Box<dyn Command>],
    conn: &Connection,
    statement: &dyn Fn(&str) -> rusqlite::Result<()>,
) -> rusqlite::Result<bool> {
    for command in group {
        statement("SAVEPOINT command")?;
        match command.run(conn) {
            Ran::Keep => {}
            Ran::Undo => statement("ROLLBACK TO command")?,
            Ran::Broken => return Ok(false),
        }
        statement("RELEASE command")?;
    }
    Ok(true)
}

#[cfg(test)]
mod tests;
