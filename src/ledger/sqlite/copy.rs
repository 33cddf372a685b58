//! Copies of the ledger: one made while it serves, and what a copy needs before it may serve itself.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::place::{Mode, OpenError, Place, connect, open, refusal};
use super::{audit, intake, meta};
use crate::ledger::{AuditEntry, Cursor, LedgerError, LedgerIdentity, PauseTarget, Snapshot, Who};

/// Writes a copy of what is committed now to `path`.
///
/// It is made under another name in the same folder, made durable, and gets its name last.
pub(super) fn snapshot(place: &Place, path: &Path) -> Result<Snapshot, LedgerError> {
    let refused = |what: &str, error: &dyn std::fmt::Display| {
        LedgerError::Unavailable(format!("the copy {}: {what}: {error}", path.display()))
    };
    if path.exists() {
        return Err(refused("is not written", &"something of that name exists"));
    }
    let mut name = path.as_os_str().to_owned();
    name.push(".partial");
    let partial = PathBuf::from(name);
    let made = copy(place, &partial).and_then(|made| {
        std::fs::rename(&partial, path).map_err(|error| refused("gets its name", &error))?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| refused("its folder", &error))?;
        Ok(made)
    });
    if made.is_err()
        && let Err(error) = std::fs::remove_file(&partial)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(path = %partial.display(), %error, "what is left of a copy could not be removed");
    }
    made
}

fn copy(place: &Place, partial: &Path) -> Result<Snapshot, LedgerError> {
    let refused = |error: std::io::Error| LedgerError::Unavailable(format!("{}: {error}", partial.display()));
    // For the owner's eyes, like the ledger: SQLite fills an empty file, and keeps its rights.
    let file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(partial).map_err(refused)?;
    let target = partial
        .to_str()
        .ok_or_else(|| LedgerError::Unavailable(format!("{}: SQLite takes names in UTF-8 only", partial.display())))?;
    let opened = place.connect(Mode::Write)?;
    opened.conn.execute("VACUUM INTO ?1", [target])?;
    drop(opened);
    file.sync_all().map_err(refused)?;
    let bytes = file.metadata().map_err(refused)?.len();
    // Read without touching it: an ordinary open would leave files of the write-ahead log beside the copy.
    let copy = Connection::open_with_flags(partial, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    Ok(Snapshot { identity: meta::identity(&copy)?, cursor: intake::cursor(&copy)?, bytes })
}

/// Makes a restored copy fit to serve, offline: its schema brought up to date, a new epoch, forwarding paused until
/// an operator says otherwise, and the log read from `start` (the beginning of the restored log), which changes no
/// event that is known. One transaction: a crash leaves the copy as it was or renewed. Renewing twice is safe, and
/// raises the epoch twice.
///
/// # Errors
/// As [`super::Sqlite::open`].
pub fn renew(path: &Path, start: Cursor, by: &Who, now_us: i64) -> Result<LedgerIdentity, OpenError> {
    let failed = |error: LedgerError| match error {
        LedgerError::Unavailable(why) => OpenError::Io { path: path.to_owned(), why },
        other => OpenError::Damaged { path: path.to_owned(), why: other.to_string() },
    };
    if !path.exists() {
        return Err(OpenError::Io { path: path.to_owned(), why: "there is no such file".to_owned() });
    }
    let (_place, _lock) = open(path, now_us)?;
    let mut conn = connect(path, Mode::Write).map_err(|error| refusal(path, error))?;
    let transaction = conn
        .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
        .map_err(|error| refusal(path, error))?;
    let renewed = renewed(&transaction, start, by, now_us).map_err(failed)?;
    transaction.commit().map_err(|error| refusal(path, error))?;
    Ok(renewed)
}

pub(super) fn renewed(conn: &Connection, start: Cursor, by: &Who, now_us: i64) -> Result<LedgerIdentity, LedgerError> {
    let before = meta::identity(conn)?;
    let was = intake::cursor(conn)?;
    conn.execute("UPDATE meta SET epoch = epoch + 1", [])?;
    conn.execute("DELETE FROM cursor", [])?;
    intake::set_cursor(conn, start)?;
    super::pauses::set(conn, &PauseTarget::Forwarding, true, by, now_us)?;
    super::jobs::interrupt(conn, now_us)?;
    let log = |cursor: Cursor| serde_json::json!({ "log_id": cursor.log_id, "seq": cursor.seq });
    let entry = AuditEntry {
        at_us: now_us,
        by: by.clone(),
        what: "ledger.renew".to_owned(),
        subject: Some(before.ledger_id.to_string()),
        event_id: None,
        before: Some(serde_json::json!({ "epoch": before.epoch, "cursor": was.map(log) })),
        after: Some(serde_json::json!({ "epoch": before.epoch.saturating_add(1), "cursor": log(start) })),
    };
    audit::add(conn, &entry)?;
    Ok(meta::identity(conn)?)
}
