//! The lock on the log's folder: who holds it can be named, and "held" is told from every other error by type.
//!
//! RocksDB takes a lock of its own as well, but reports it as text. The kernel drops this lock with the process, so a
//! killed one never leaves it behind.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

use crate::error::OpenError;

const FILE: &str = "holder";
/// More than a process id has digits.
const PID_BYTES_MAX: u64 = 32;

/// Held as long as it lives.
#[derive(Debug)]
pub(crate) struct Holder(#[expect(dead_code, reason = "the lock lives as long as its file is open")] File);

impl Holder {
    /// Takes the lock, without waiting.
    pub(crate) fn take(folder: &Path) -> Result<Self, OpenError> {
        let path = folder.join(FILE);
        let io = |source: std::io::Error| OpenError::Io { path: path.clone(), source };
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(io)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                return Err(OpenError::Locked { path: folder.to_owned(), holder: read_pid(&mut file) });
            }
            Err(error) => return Err(io(error.into())),
        }
        file.set_len(0).and_then(|()| file.rewind()).map_err(io)?;
        writeln!(file, "{}", std::process::id()).map_err(io)?;
        Ok(Self(file))
    }
}

fn read_pid(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(PID_BYTES_MAX).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
