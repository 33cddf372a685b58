//! What `faulty.c` wrote.

use std::path::Path;
use std::rc::Rc;

const MAGIC: u32 = 0x5443_4146;
const HEAD_BYTES: usize = 40;

/// One thing that happened. Paths begin at the root of the disk.
#[derive(Debug, Clone)]
pub(crate) enum Op {
    /// A file or folder was opened and is meant by this number from now on.
    Open { handle: u64, path: String, created: bool, emptied: bool, folder: bool },
    /// Bytes were written.
    Write { handle: u64, at: usize, bytes: Rc<[u8]> },
    /// A file was cut or made longer.
    Length { handle: u64, length: usize },
    /// An fsync began: what was written before, it covers.
    SyncBegin { token: u64 },
    /// It ended.
    SyncEnd { handle: u64, token: u64, failed: bool },
    /// A name was changed; what had the new name before has none.
    Rename { from: String, to: String },
    /// A name of a file was removed.
    Unlink { path: String },
    /// A folder was made.
    MakeFolder { path: String },
    /// An empty folder was removed.
    RemoveFolder { path: String },
    /// A file got one more name.
    Link { from: String, to: String },
    /// The program wrote this to its standard output.
    Mark(String),
    /// A rule made a call fail.
    Fault,
}

/// All that happened, in order.
pub(crate) struct Trace {
    /// One after the other.
    pub(crate) ops: Vec<Op>,
}

impl Trace {
    /// Reads a trace; a last entry that a kill cut short is left out, for it was not answered.
    pub(crate) fn read(path: &Path) -> Self {
        let bytes = std::fs::read(path).expect("the trace: was the library loaded?");
        let (mut rest, mut ops) = (bytes.as_slice(), Vec::new());
        while let Some((head, after)) = rest.split_at_checked(HEAD_BYTES) {
            assert_eq!(u32(head, 0), MAGIC, "not a trace");
            let Some((payload, after)) = after.split_at_checked(size(u64(head, 32))) else {
                break;
            };
            ops.push(op(head, payload));
            rest = after;
        }
        Self { ops }
    }

    /// What the program said up to this op, line by line.
    pub(crate) fn said(ops: &[Op]) -> String {
        let marks = ops.iter().filter_map(|op| if let Op::Mark(text) = op { Some(text.as_str()) } else { None });
        marks.collect()
    }
}

fn op(head: &[u8], payload: &[u8]) -> Op {
    let (handle, a, b) = (u64(head, 8), u64(head, 16), u64(head, 24));
    let path = || String::from_utf8_lossy(payload).into_owned();
    let two = || {
        let text = path();
        let (from, to) = text.split_once('\0').expect("two paths");
        (from.to_owned(), to.to_owned())
    };
    match u32(head, 4) {
        1 => Op::Open { handle, path: path(), created: a & 1 != 0, emptied: a & 2 != 0, folder: a & 4 != 0 },
        2 => Op::Write { handle, at: size(a), bytes: payload.into() },
        3 => Op::Length { handle, length: size(a) },
        4 => Op::SyncBegin { token: a },
        5 => Op::SyncEnd { handle, token: a, failed: b != 0 },
        6 => {
            let (from, to) = two();
            Op::Rename { from, to }
        }
        7 => Op::Unlink { path: path() },
        8 => Op::MakeFolder { path: path() },
        9 => Op::RemoveFolder { path: path() },
        10 => {
            let (from, to) = two();
            Op::Link { from, to }
        }
        11 => Op::Mark(path()),
        12 => Op::Fault,
        other => panic!("kind {other} of an entry is unknown"),
    }
}

fn u32(head: &[u8], at: usize) -> u32 {
    let bytes = head.get(at..at + 4).expect("a head");
    u32::from_ne_bytes(bytes.try_into().expect("four bytes"))
}

fn u64(head: &[u8], at: usize) -> u64 {
    let bytes = head.get(at..at + 8).expect("a head");
    u64::from_ne_bytes(bytes.try_into().expect("eight bytes"))
}

fn size(number: u64) -> usize {
    usize::try_from(number).expect("64 bits")
}
