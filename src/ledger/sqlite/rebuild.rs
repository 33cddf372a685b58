//! A new ledger beside the old one, made from the log and from what can be read of the old one.
//!
//! [`Draft`] is what an engine offers to a rebuild, and what a second engine would have to:
//!
//! - `begin`: keeps every other process out and makes an empty ledger where nobody looks for one;
//! - `salvage`: copies what can be read of the old ledger, and says what cannot. It never writes to the old one;
//! - `row`, `owner`, `chain`, `says_joined`: what the new ledger has of a delivery or an identity so far;
//! - `place_row`, `point`, `make`, `make_left`, `meet`, `tell`, `tell_audit`: what the log says;
//! - `cases`, `settle`: one event after the other gets its state and its claims from all of that;
//! - `write_trace`, `silent`, `post`, `judge_again`, `ended`: decisions in their order, and events whose message is lost;
//! - `finish`, `swap`, `discard`: checks, epoch, cursor and pause; then the new ledger takes the old one's name.
//!
//! Nothing is promised before `swap`: a crash leaves the old ledger as it was and files that the next rebuild removes.
//! The guarantees of the schema (unique claims, foreign keys) hold for what `finish` lets through.

use std::fs::File;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use uuid::Uuid;

use super::place::{self, Lock, OpenError};
use super::rows::{Id, count};
use super::{audit, intake, jobs, meta, pauses};
use crate::ledger::{AuditEntry, Cursor, LedgerError, LedgerIdentity, Made, PauseTarget, Unread, Who};

mod cases;
mod log;
mod messages;
mod old;
mod tidy;

/// Statements and facts that are only wanted while the ledger is made. Lives in a file of its own.
const SCRATCH: &str = "
    CREATE TABLE scratch.told (
        event_id BLOB NOT NULL, at_us INTEGER NOT NULL, origin INTEGER NOT NULL, ledger_id BLOB NOT NULL,
        epoch INTEGER NOT NULL, number INTEGER NOT NULL, from_state TEXT, to_state TEXT NOT NULL, code TEXT,
        detail TEXT NOT NULL, claimed TEXT, fingerprint BLOB NOT NULL UNIQUE
    );
    CREATE UNIQUE INDEX scratch.told_id ON told (ledger_id, epoch, number) WHERE origin <= 1;
    CREATE INDEX scratch.told_event ON told (event_id, at_us, epoch, number);
    CREATE TABLE scratch.made (event_id BLOB PRIMARY KEY) WITHOUT ROWID;
    CREATE TABLE scratch.placed (delivery_id BLOB PRIMARY KEY) WITHOUT ROWID;
    CREATE INDEX main.rebuild_audit_at ON audit (at_us);
    CREATE INDEX main.rebuild_event_id ON deliveries (event_id);";

/// Rows of one transaction of the draft: nothing of it has to be durable before the end.
const COMMIT_EVERY: u32 = 20_000;

/// A ledger that is being made.
pub struct Draft {
    conn: Connection,
    _lock: Lock,
    path: PathBuf,
    now_us: i64,
    /// Which ledger it goes on, and its epoch; what is known so far.
    before: Option<LedgerIdentity>,
    /// The highest epoch seen anywhere.
    epoch_seen: u32,
    /// The ledger of the newest decision in the log.
    named: Option<(i64, Uuid)>,
    triggers: Vec<String>,
    writes: u32,
    unread: Vec<Unread>,
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

fn remove(path: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn io(path: &Path) -> impl Fn(std::io::Error) -> OpenError {
    |error| OpenError::Io { path: path.to_owned(), why: error.to_string() }
}

impl Draft {
    /// Locks the ledger at `path` and makes an empty one beside it. What an interrupted rebuild left is removed.
    ///
    /// # Errors
    /// When another process has the ledger, or the file system refuses.
    pub fn begin(path: &Path, now_us: i64) -> Result<Self, OpenError> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(io(folder))?;
        }
        let lock = place::lock(path)?;
        sweep(path).map_err(io(path))?;
        let (draft, scratch) = (beside(path, DRAFT), beside(path, SCRATCH_FILE));
        for file in [&draft, &scratch] {
            private(file).map_err(io(file))?;
        }
        place::prepare(&draft, now_us)?;
        let refused = |error: rusqlite::Error| place::refusal(&draft, error);
        let conn = place::connect(&draft, place::Mode::Write).map_err(refused)?;
        // A crash throws the draft away: nothing of it is synced before the end.
        conn.execute_batch("PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF;").map_err(refused)?;
        let scratch_name = scratch.to_str().ok_or_else(|| io(&scratch)(std::io::Error::other("not UTF-8")))?;
        conn.execute("ATTACH ?1 AS scratch", [scratch_name]).map_err(refused)?;
        conn.execute_batch("PRAGMA scratch.journal_mode = OFF; PRAGMA scratch.synchronous = OFF;").map_err(refused)?;
        conn.execute_batch(SCRATCH).map_err(refused)?;
        let triggers = tidy::lift_guards(&conn).map_err(refused)?;
        conn.execute_batch("BEGIN").map_err(refused)?;
        Ok(Self {
            conn,
            _lock: lock,
            path: path.to_owned(),
            now_us,
            before: None,
            epoch_seen: 0,
            named: None,
            triggers,
            writes: 0,
            unread: Vec::new(),
        })
    }

    /// Which ledger the old one is, when it says so.
    #[must_use]
    pub const fn before(&self) -> Option<LedgerIdentity> {
        self.before
    }

    /// Counts a write and now and then ends the transaction: a draft is not held in memory.
    fn wrote(&mut self) -> Result<(), LedgerError> {
        self.writes = self.writes.saturating_add(1);
        if self.writes >= COMMIT_EVERY {
            self.writes = 0;
            self.conn.execute_batch("COMMIT; BEGIN")?;
        }
        Ok(())
    }

    /// Ends the draft: every reference checked, guards back, a new epoch, forwarding paused, the cursor at `head`, all
    /// of it on disk. Answers what it holds and what had to be left out of it.
    ///
    /// # Errors
    /// When the draft breaks a rule of the schema; then it must not be used.
    pub fn finish(&mut self, head: Cursor, by: &Who) -> Result<(Made, Vec<Unread>), LedgerError> {
        tidy::leave_out_orphans(&self.conn, &mut self.unread)?;
        tidy::recount(&self.conn)?;
        let ledger_id =
            self.before.map(|before| before.ledger_id).or(self.named.map(|(_, id)| id)).unwrap_or_else(Uuid::now_v7);
        let epoch = self.epoch_seen.saturating_add(1);
        self.conn.execute("UPDATE meta SET ledger_id = ?1, epoch = ?2", (Id(ledger_id), epoch))?;
        self.conn.execute("DELETE FROM cursor", [])?;
        intake::set_cursor(&self.conn, head)?;
        pauses::set(&self.conn, &PauseTarget::Forwarding, true, by, self.now_us)?;
        jobs::interrupt(&self.conn, self.now_us)?;
        let made = self.made(LedgerIdentity { ledger_id, epoch })?;
        let entry = AuditEntry {
            at_us: self.now_us,
            by: by.clone(),
            what: "ledger.rebuild".to_owned(),
            subject: Some(ledger_id.to_string()),
            event_id: None,
            before: Some(serde_json::json!({ "epoch": self.before.map(|before| before.epoch) })),
            after: Some(serde_json::json!({
                "epoch": epoch, "deliveries": made.deliveries, "events": made.events, "seq": head.seq,
            })),
        };
        audit::add(&self.conn, &entry)?;
        for trigger in &self.triggers {
            self.conn.execute_batch(trigger)?;
        }
        self.conn.execute_batch("DROP INDEX rebuild_audit_at; DROP INDEX rebuild_event_id; COMMIT; DETACH scratch;")?;
        tidy::check(&self.conn)?;
        // One file, without a write-ahead log beside it.
        self.conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        self.conn.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()))?;
        Ok((made, std::mem::take(&mut self.unread)))
    }

    fn made(&self, identity: LedgerIdentity) -> Result<Made, LedgerError> {
        let all = |sql: &str| -> Result<u64, LedgerError> { Ok(self.conn.query_row(sql, [], |row| count(row, 0))?) };
        Ok(Made {
            ledger_id: identity.ledger_id,
            epoch: identity.epoch,
            deliveries: all("SELECT COUNT(*) FROM deliveries")?,
            events: all("SELECT COUNT(*) FROM events")?,
            expectations: all("SELECT COUNT(*) FROM expectations")?,
            transfer_claims: all("SELECT COUNT(*) FROM transfer_claims")?,
            messages: all("SELECT COUNT(*) FROM messages")?,
            due: all("SELECT COUNT(*) FROM dispatches WHERE state IN ('due', 'sending')")?,
        })
    }

    /// Which epoch the draft got; once it is finished.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn identity(&self) -> Result<LedgerIdentity, LedgerError> {
        Ok(meta::identity(&self.conn)?)
    }

    /// Throws the draft away.
    ///
    /// # Errors
    /// When a file cannot be removed.
    pub fn discard(self) -> Result<(), OpenError> {
        let Self { conn, path, _lock: lock, .. } = self;
        drop(conn);
        sweep(&path).map_err(io(&path))?;
        drop(lock);
        Ok(())
    }

    /// The finished draft becomes the ledger; the old one is kept under the answered name, if there was one.
    ///
    /// Without a write-ahead log beside the old ledger this is one rename. With one, the old ledger leaves its name
    /// first: a log of one file must never be found beside another. A crash in between leaves no ledger, which `serve`
    /// refuses, and the next [`Draft::resume`] ends it.
    ///
    /// # Errors
    /// When the file system refuses. Until the last rename the old ledger is whole, here or under its new name.
    pub fn swap(self, stamp: &str) -> Result<Option<PathBuf>, OpenError> {
        let Self { conn, path, _lock: lock, .. } = self;
        conn.close().map_err(|(_, error)| place::refusal(&path, error))?;
        let (draft, ready) = (beside(&path, DRAFT), beside(&path, READY));
        File::open(&draft).and_then(|file| file.sync_all()).map_err(io(&draft))?;
        std::fs::rename(&draft, &ready).map_err(io(&ready))?;
        sync_folder(&path)?;
        let kept = beside(&path, &format!(".before-rebuild-{stamp}"));
        let found = path.exists();
        if found {
            let (wal, shm) = (beside(&path, "-wal"), beside(&path, "-shm"));
            if wal.exists() {
                std::fs::rename(&path, &kept).map_err(io(&kept))?;
                std::fs::rename(&wal, beside(&kept, "-wal")).map_err(io(&wal))?;
            } else {
                std::fs::hard_link(&path, &kept).map_err(io(&kept))?;
            }
            remove(&shm).map_err(io(&shm))?;
            sync_folder(&path)?;
        }
        std::fs::rename(&ready, &path).map_err(io(&path))?;
        sync_folder(&path)?;
        remove(&beside(&path, SCRATCH_FILE)).map_err(io(&path))?;
        drop(lock);
        Ok(found.then_some(kept))
    }

    /// Ends a swap that a crash interrupted: a finished ledger waits and there is none in its place. Says whether it
    /// did.
    ///
    /// # Errors
    /// As [`Draft::begin`].
    pub fn resume(path: &Path) -> Result<bool, OpenError> {
        let ready = beside(path, READY);
        if path.exists() || !ready.exists() {
            return Ok(false);
        }
        let _lock = place::lock(path)?;
        for ending in ["-wal", "-shm"] {
            // The old ledger left its name, and this belongs to it: its own rename was the next step.
            let left = beside(path, ending);
            if left.exists() {
                std::fs::rename(&left, beside(path, &format!(".before-rebuild{ending}"))).map_err(io(&left))?;
            }
        }
        std::fs::rename(&ready, path).map_err(io(path))?;
        sync_folder(path)?;
        Ok(true)
    }
}

/// The draft while it is made, when it is whole, and what helps to make it.
const DRAFT: &str = ".rebuilding";
const READY: &str = ".rebuilt";
const SCRATCH_FILE: &str = ".rebuilding-scratch";

fn sweep(path: &Path) -> std::io::Result<()> {
    for ending in [DRAFT, READY, SCRATCH_FILE] {
        for more in ["", "-wal", "-shm", "-journal"] {
            remove(&beside(path, &format!("{ending}{more}")))?;
        }
    }
    Ok(())
}

/// An empty file for the owner's eyes; SQLite keeps its rights.
fn private(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    std::fs::OpenOptions::new().create_new(true).write(true).mode(0o600).open(path).map(drop)
}

fn sync_folder(path: &Path) -> Result<(), OpenError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(io(folder))
}

#[cfg(test)]
mod tests;
