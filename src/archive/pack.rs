//! Lines to compressed files of bounded size, and back.

use std::io::{BufRead, BufReader, Read, Write};

use bytes::Bytes;

use super::error::Flaw;
use super::line::{Line, RecordKind};
use super::manifest::{FileEntry, file_name};
use crate::digest::sha256;

/// Unpacked bytes after which a file is full. One record may make it larger, up to the log's own limit in base64.
const FILE_BYTES: u64 = 32 << 20;
/// Unpacked bytes of a file at most: a full file and the largest line.
const FILE_BYTES_MAX: u64 = FILE_BYTES + (400 << 20);
/// zstd's own default.
const LEVEL: i32 = 3;

/// A finished file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// What the manifest says of it.
    pub entry: FileEntry,
    /// Its bytes.
    pub bytes: Bytes,
}

/// Fills one file after the other.
pub struct Packer {
    full_at: u64,
    files: usize,
    open: Option<Open>,
}

struct Open {
    encoder: zstd::stream::write::Encoder<'static, Vec<u8>>,
    unpacked_bytes: u64,
    deliveries: u64,
    decisions: u64,
    first_seq: u64,
    last_seq: u64,
}

impl Default for Packer {
    fn default() -> Self {
        Self::with_full_at(FILE_BYTES)
    }
}

impl Packer {
    pub(super) const fn with_full_at(full_at: u64) -> Self {
        Self { full_at, files: 0, open: None }
    }

    /// Adds a record; the file, when it is full with it.
    ///
    /// # Errors
    /// When the record is too large, or memory for it is not to be had.
    pub fn push(&mut self, line: &Line) -> Result<Option<Packed>, Flaw> {
        let mut text = line.encode()?;
        text.push(b'\n');
        let mut open = match self.open.take() {
            Some(open) => open,
            None => Open::new().map_err(packing)?,
        };
        open.encoder.write_all(&text).map_err(packing)?;
        open.unpacked_bytes = open.unpacked_bytes.saturating_add(u64::try_from(text.len()).unwrap_or(u64::MAX));
        match line.record {
            RecordKind::Delivery { .. } => open.deliveries += 1,
            RecordKind::Decision { .. } => open.decisions += 1,
        }
        open.first_seq = open.first_seq.min(line.seq);
        open.last_seq = open.last_seq.max(line.seq);
        let is_full = self.full_at <= open.unpacked_bytes;
        self.open = Some(open);
        if is_full { self.close() } else { Ok(None) }
    }

    /// The last file, unless nothing was added since the one before.
    ///
    /// # Errors
    /// When it cannot be finished.
    pub fn close(&mut self) -> Result<Option<Packed>, Flaw> {
        let Some(open) = self.open.take() else { return Ok(None) };
        self.files = self.files.saturating_add(1);
        let bytes = Bytes::from(open.encoder.finish().map_err(packing)?);
        let entry = FileEntry {
            name: file_name(self.files),
            bytes: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            sha256: sha256(&bytes),
            unpacked_bytes: open.unpacked_bytes,
            deliveries: open.deliveries,
            decisions: open.decisions,
            first_seq: open.first_seq,
            last_seq: open.last_seq,
        };
        Ok(Some(Packed { entry, bytes }))
    }
}

impl Open {
    fn new() -> std::io::Result<Self> {
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), LEVEL)?;
        encoder.include_checksum(true)?;
        Ok(Self { encoder, unpacked_bytes: 0, deliveries: 0, decisions: 0, first_seq: u64::MAX, last_seq: 0 })
    }
}

/// Whether a file's bytes are those of the manifest.
pub(super) fn check_bytes(entry: &FileEntry, bytes: &[u8]) -> Result<(), Flaw> {
    let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    if size != entry.bytes {
        return Err(Flaw::Size { expected: entry.bytes, found: size });
    }
    let found = sha256(bytes);
    if found != entry.sha256 {
        return Err(Flaw::Digest { expected: hex::encode(entry.sha256), found: hex::encode(found) });
    }
    Ok(())
}

/// Every record of a file, checked: the file against the manifest, each line against its link, the sums.
///
/// # Errors
/// At the first flaw; nothing of the file may be used then.
pub fn unpack(entry: &FileEntry, bytes: &[u8]) -> Result<Vec<Line>, Flaw> {
    check_bytes(entry, bytes)?;
    if FILE_BYTES_MAX < entry.unpacked_bytes {
        return Err(Flaw::Packing(format!("{} bytes are announced", entry.unpacked_bytes)));
    }
    let decoder = zstd::stream::read::Decoder::new(bytes).map_err(packing)?;
    // One byte more than announced is as wrong as a thousand, and unpacks as fast.
    let mut reader = BufReader::new(decoder.take(entry.unpacked_bytes.saturating_add(1)));
    let (mut lines, mut text, mut unpacked) = (Vec::new(), Vec::new(), 0_u64);
    let mut number = 0_u64;
    loop {
        text.clear();
        let read = reader.read_until(b'\n', &mut text).map_err(packing)?;
        if read == 0 {
            break;
        }
        unpacked = unpacked.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
        number = number.saturating_add(1);
        lines.push(Line::decode(text.strip_suffix(b"\n").unwrap_or(&text), number)?);
    }
    let count = |delivery: bool| {
        let of = lines.iter().filter(|line| matches!(line.record, RecordKind::Delivery { .. }) == delivery).count();
        u64::try_from(of).unwrap_or(u64::MAX)
    };
    let seqs = || lines.iter().map(|line| line.seq);
    for (what, expected, found) in [
        ("unpacked bytes", entry.unpacked_bytes, unpacked),
        ("deliveries", entry.deliveries, count(true)),
        ("decisions", entry.decisions, count(false)),
        ("as first number", entry.first_seq, seqs().min().unwrap_or(0)),
        ("as last number", entry.last_seq, seqs().max().unwrap_or(0)),
    ] {
        if expected != found {
            return Err(Flaw::Count { what, expected, found });
        }
    }
    Ok(lines)
}

fn packing(error: std::io::Error) -> Flaw {
    Flaw::Packing(error.to_string())
}
