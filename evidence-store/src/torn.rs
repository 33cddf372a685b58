//! The one write that a power cut can leave in pieces.
//!
//! The writer begins no write before the fsync of the one before it. So only the last write of the newest write-ahead
//! log can lack an fsync, and nobody was told of it. RocksDB lets go of it when it ends too early; but a file system may
//! have written its later pages and not its earlier ones, which then read as zeros, and that RocksDB calls corruption.
//! or, where a header is missing, the end of the block: what stands behind it there it leaves out in silence, although
//! it may have been acknowledged. So before RocksDB opens, every write-ahead log is looked through here. A write that is
//! in pieces is told from damage: something of it is missing where a whole sector is zero, and no other write follows.
//! A changed bit is neither, and damage before the last write is followed by one: both refuse.
//!
//! What cannot be told apart is a last write that was acknowledged and of which the disk itself lost a sector. It looks
//! like the end of the log cut off; the ledger's cursor finds that, if it had come so far.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// RocksDB's log format: blocks, in which fragments with a header each.
const BLOCK: usize = 32 * 1024;
const HEADER: usize = 7;
const WHOLE: u8 = 1;
const FIRST: u8 = 2;
const MIDDLE: u8 = 3;
const LAST: u8 = 4;
/// RocksDB stores checksums changed in this way.
const MASK: u32 = 0xa282_ead8;
/// The least that a disk writes.
const SECTOR: usize = 512;

/// What a write-ahead log looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Whole, or it ends within its last write: RocksDB lets go of that.
    Sound,
    /// From here on lies a last write that is there in pieces.
    InPieces(usize),
    /// Here is something else, or another write follows.
    Damaged(usize),
}

/// What is wrong with the write-ahead logs, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Damage(pub(crate) String);

/// Looks through the write-ahead logs. Cuts off a last write that the power cut left in pieces and keeps its bytes
/// beside the log; of damage it changes nothing.
pub(crate) fn look(log: &Path, place: &Path) -> io::Result<Result<(), Damage>> {
    let mut logs = write_ahead_logs(log)?;
    let newest = logs.pop();
    for path in logs {
        // Writes go to one log at a time: those of the older ones were all fsynced.
        if let State::InPieces(at) | State::Damaged(at) = state(&fs::read(&path)?) {
            return Ok(Err(damage(&path, at)));
        }
    }
    let Some(newest) = newest else {
        return Ok(Ok(()));
    };
    let bytes = fs::read(&newest)?;
    match state(&bytes) {
        State::Sound => Ok(Ok(())),
        State::Damaged(at) => Ok(Err(damage(&newest, at))),
        State::InPieces(at) => {
            let kept = let_go(&newest, place, at, bytes.get(at..).unwrap_or_default())?;
            tracing::warn!(
                kept = %kept.display(),
                "the power was cut during a write that nobody was told of: it was let go and its bytes are kept"
            );
            Ok(Ok(()))
        }
    }
}

fn damage(path: &Path, at: usize) -> Damage {
    Damage(format!("{} is damaged at byte {at}", name(path)))
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn let_go(log: &Path, place: &Path, at: usize, torn: &[u8]) -> io::Result<PathBuf> {
    let kept = place.join(format!("torn-{}-{at}", name(log)));
    let mut file = File::create(&kept)?;
    file.write_all(torn)?;
    file.sync_all()?;
    File::open(place)?.sync_all()?;
    let file = OpenOptions::new().write(true).open(log)?;
    file.set_len(u64::try_from(at).unwrap_or(u64::MAX))?;
    file.sync_all()?;
    Ok(kept)
}

/// The write-ahead logs, the newest one last.
pub(crate) fn write_ahead_logs(log: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found: Vec<(u64, PathBuf)> = Vec::new();
    for entry in fs::read_dir(log)? {
        let path = entry?.path();
        let is_log = path.extension().is_some_and(|extension| extension == "log");
        let number = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
        found.extend(number.filter(|_| is_log).map(|number| (number, path)));
    }
    found.sort_unstable();
    Ok(found.into_iter().map(|(_, path)| path).collect())
}

fn state(bytes: &[u8]) -> State {
    let (mut at, mut began) = (0, None);
    while at < bytes.len() {
        let left = BLOCK - at % BLOCK;
        if left < HEADER {
            at += left;
            continue;
        }
        let Some(fragment) = fragment(bytes, at) else {
            return at_fault(bytes, at, began.unwrap_or(at));
        };
        began = match (fragment.kind, began) {
            (FIRST, None) => Some(at),
            (MIDDLE, Some(_)) => began,
            (LAST, Some(_)) | (WHOLE, None) => None,
            // Not how this program's logs look.
            _ => return State::Damaged(at),
        };
        at += HEADER + fragment.length;
    }
    State::Sound
}

/// What a fragment is that is not right, in a write that began here.
fn at_fault(bytes: &[u8], at: usize, began: usize) -> State {
    let end = header(bytes, at).map_or(at + HEADER, |(_, fragment)| at + HEADER + fragment.length);
    if another_begins(bytes, at) {
        State::Damaged(at)
    } else if in_pieces(bytes, at, end) {
        State::InPieces(began)
    } else if bytes.len() < end {
        State::Sound
    } else {
        State::Damaged(at)
    }
}

struct Fragment {
    kind: u8,
    length: usize,
}

/// What the header at this place says, whether or not it is true.
fn header(bytes: &[u8], at: usize) -> Option<(u32, Fragment)> {
    let [a, b, c, d, low, high, kind] = *bytes.get(at..)?.first_chunk::<HEADER>()?;
    let length = usize::from(u16::from_le_bytes([low, high]));
    let fits = at % BLOCK + HEADER + length <= BLOCK;
    fits.then_some((u32::from_le_bytes([a, b, c, d]), Fragment { kind, length }))
}

/// The fragment at this place, if its checksum is right.
fn fragment(bytes: &[u8], at: usize) -> Option<Fragment> {
    let (masked, fragment) = header(bytes, at)?;
    let from_kind = at + HEADER - 1;
    let checked = bytes.get(from_kind..=from_kind + fragment.length)?;
    let crc = crc32c::crc32c(checked);
    (fragment.kind != 0 && crc.rotate_right(15).wrapping_add(MASK) == masked).then_some(fragment)
}

/// Whether a sector is missing from the fragment that should be at this place.
fn in_pieces(bytes: &[u8], at: usize, end: usize) -> bool {
    let end = end.min(bytes.len());
    let mut sectors = bytes.chunks(SECTOR).take(end.div_ceil(SECTOR)).skip(at / SECTOR);
    // The part of a sector that lies before the fragment was written by another write.
    let before = at % SECTOR;
    let first = sectors.next().and_then(|sector| sector.get(before..)).unwrap_or_default();
    (!first.is_empty() && is_zero(first)) || sectors.any(is_zero)
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

/// Whether a write begins after this place: then the one here was fsynced.
fn another_begins(bytes: &[u8], at: usize) -> bool {
    let begins = |kind| !matches!(kind, 0 | MIDDLE | LAST);
    (at + 1..bytes.len()).any(|place| {
        header(bytes, place).is_some_and(|(_, found)| begins(found.kind) && 0 < found.length)
            && fragment(bytes, place).is_some()
    })
}

#[cfg(test)]
mod tests;
