//! The database file: creating, opening, locking and migrating it, and what its errors mean.
//!
//! A connection never outlives its file. SQLite would go on writing into a file that was removed or replaced
//! behind its back, and those rows would be lost with it; so every connection remembers which file it opened.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension};

use super::meta;
use crate::ledger::{LedgerError, LedgerIdentity};

/// How long a statement waits for a lock that another process holds.
const BUSY: Duration = Duration::from_secs(1);

/// Prepared statements kept per connection: more than the module has.
const STATEMENTS: usize = 192;

/// `TLGT`, in the file's header.
const APPLICATION_ID: i64 = 0x544C_4754;

/// What this program reads and writes; `user_version` in the file's header.
pub(super) const SCHEMA_VERSION: i64 = 6;

/// One batch a version, applied in order inside one transaction.
pub(super) const MIGRATIONS: &[&str] = &[
    include_str!("schema.sql"),
    include_str!("schema-2.sql"),
    include_str!("schema-3.sql"),
    include_str!("schema-4.sql"),
    include_str!("schema-5.sql"),
    include_str!("schema-6.sql"),
];

/// Why the ledger could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error("{path} is in use by {holder}: stop it, or wait for it")]
    Locked {
        /// The database.
        path: PathBuf,
        /// `process 17`, or what is known.
        holder: String,
    },
    /// A newer program wrote it.
    #[error("{path} has schema {found}, this program knows {known}: run the program that wrote it")]
    Newer {
        /// The database.
        path: PathBuf,
        /// In the file.
        found: i64,
        /// Here.
        known: i64,
    },
    /// Not a ledger, or a broken one.
    #[error("{path} is no usable ledger: {why}. Restore a backup, or rebuild it from the evidence log")]
    Damaged {
        /// The database.
        path: PathBuf,
        /// What was found.
        why: String,
    },
    /// The file system refuses.
    #[error("{path} cannot be opened: {why}. Check the folder, its owner and the free space")]
    Io {
        /// The database.
        path: PathBuf,
        /// What was refused.
        why: String,
    },
}

impl From<rusqlite::Error> for LedgerError {
    fn from(error: rusqlite::Error) -> Self {
        let text = error.to_string();
        match error.sqlite_error_code() {
            Some(
                ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::DiskFull
                | ErrorCode::SystemIoFailure
                | ErrorCode::CannotOpen
                | ErrorCode::ReadOnly
                | ErrorCode::PermissionDenied
                | ErrorCode::OutOfMemory
                | ErrorCode::FileLockingProtocolFailed
                | ErrorCode::OperationInterrupted
                | ErrorCode::OperationAborted,
            ) => Self::Unavailable(text),
            _ => Self::Damaged(text),
        }
    }
}

/// Which file a connection opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    fn of(path: &Path) -> std::io::Result<Self> {
        std::fs::metadata(path).map(|meta| Self { device: meta.dev(), inode: meta.ino() })
    }
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// The one that writes.
    Write,
    /// Refuses to write.
    Read,
}

/// An open connection and the file it belongs to.
pub(super) struct Opened {
    pub(super) conn: Connection,
    file: FileId,
}

/// Where a ledger lives and which one it is.
#[derive(Debug, Clone)]
pub(super) struct Place {
    path: PathBuf,
    identity: LedgerIdentity,
}

impl Place {
    /// Which ledger lives here.
    pub(super) const fn identity(&self) -> LedgerIdentity {
        self.identity
    }

    /// Another connection to the same ledger. Never creates a file.
    pub(super) fn connect(&self, mode: Mode) -> Result<Opened, LedgerError> {
        let file = FileId::of(&self.path).map_err(|error| self.gone(&error.to_string()))?;
        let conn = connect(&self.path, mode)?;
        if meta::identity(&conn)? != self.identity {
            return Err(self.gone("another ledger lies there"));
        }
        Ok(Opened { conn, file })
    }

    /// Whether the connection's file still is the one at the path.
    pub(super) fn holds(&self, opened: &Opened) -> bool {
        FileId::of(&self.path).is_ok_and(|file| file == opened.file)
    }

    fn gone(&self, why: &str) -> LedgerError {
        LedgerError::Unavailable(format!("{}: {why}", self.path.display()))
    }
}

/// The lock that keeps a second process out; held until dropped.
pub(super) struct Lock(#[expect(dead_code, reason = "the open file is the lock")] File);

/// Opens or makes the ledger at `path`, for this process alone.
pub(super) fn open(path: &Path, now_us: i64) -> Result<(Place, Lock), OpenError> {
    let io = |error: std::io::Error| OpenError::Io { path: path.to_owned(), why: error.to_string() };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(io)?;
    }
    let lock = lock(path)?;
    // Messages hold what customers paid: for the owner's eyes, like everything SQLite puts beside it.
    OpenOptions::new().create(true).append(true).mode(0o600).open(path).map_err(io)?;
    let identity = prepare(path, now_us)?;
    Ok((Place { path: path.to_owned(), identity }, lock))
}

pub(super) fn lock(path: &Path) -> Result<Lock, OpenError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let lock_path = PathBuf::from(name);
    let io = |error: std::io::Error| OpenError::Io { path: lock_path.clone(), why: error.to_string() };
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .mode(0o600)
        .open(&lock_path)
        .map_err(io)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(std::fs::TryLockError::WouldBlock) => {
            let holder = std::fs::read_to_string(&lock_path).unwrap_or_default();
            let holder = match holder.trim() {
                "" => "another process".to_owned(),
                pid => format!("process {pid}"),
            };
            return Err(OpenError::Locked { path: path.to_owned(), holder });
        }
        Err(std::fs::TryLockError::Error(error)) => return Err(io(error)),
    }
    file.set_len(0).map_err(io)?;
    std::io::Write::write_all(&mut &file, std::process::id().to_string().as_bytes()).map_err(io)?;
    Ok(Lock(file))
}

/// What an error of SQLite means to whoever opens the file.
pub(super) fn refusal(path: &Path, error: rusqlite::Error) -> OpenError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            OpenError::Locked { path: path.to_owned(), holder: "another SQLite connection".to_owned() }
        }
        _ => match LedgerError::from(error) {
            LedgerError::Unavailable(why) => OpenError::Io { path: path.to_owned(), why },
            other => OpenError::Damaged { path: path.to_owned(), why: other.to_string() },
        },
    }
}

/// Brings the schema up to date in one transaction: a crash leaves the old version or the new one.
pub(super) fn prepare(path: &Path, now_us: i64) -> Result<LedgerIdentity, OpenError> {
    let failed = |error: rusqlite::Error| refusal(path, error);
    let mut conn = connect(path, Mode::Write).map_err(failed)?;
    let transaction = conn.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).map_err(failed)?;
    let found: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(failed)?;
    let steps = usize::try_from(found).ok().and_then(|applied| MIGRATIONS.get(applied..)).ok_or(OpenError::Newer {
        path: path.to_owned(),
        found,
        known: SCHEMA_VERSION,
    })?;
    for step in steps {
        transaction.execute_batch(step).map_err(failed)?;
    }
    let identity = match meta::identity(&transaction).optional().map_err(failed)? {
        Some(known) => known,
        None => meta::create(&transaction, now_us).map_err(failed)?,
    };
    transaction.pragma_update(None, "application_id", APPLICATION_ID).map_err(failed)?;
    transaction.pragma_update(None, "user_version", SCHEMA_VERSION).map_err(failed)?;
    transaction.commit().map_err(failed)?;
    Ok(identity)
}

pub(super) fn connect(path: &Path, mode: Mode) -> rusqlite::Result<Connection> {
    // Opened for writing even to read: the last connection to leave may have to recover the write-ahead log.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    conn.busy_timeout(BUSY)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    // A plan is made once: without this, a statement that a partial index could serve for some values of its parameters is
    // compiled again whenever they change.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    conn.execute_batch(
        "PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         PRAGMA foreign_keys = ON;
         PRAGMA trusted_schema = OFF;
         PRAGMA temp_store = MEMORY;
         PRAGMA journal_size_limit = 67108864;",
    )?;
    match mode {
        // Fewer, larger checkpoints: pages that many transactions touched are written back once.
        Mode::Write => conn.execute_batch("PRAGMA cache_size = -32000; PRAGMA wal_autocheckpoint = 4000;")?,
        Mode::Read => conn.execute_batch("PRAGMA cache_size = -8000; PRAGMA query_only = ON;")?,
    }
    Ok(conn)
}
