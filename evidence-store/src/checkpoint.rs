//! Checkpoints: the root of the log at one size, signed. Written as C2SP specifies (c2sp.org/tlog-checkpoint):
//!
//! ```text
//! tollgate/<id of the log>
//! <how many records>
//! <base64 of the root>
//! time <RFC 3339>
//! link <hex of the link of the last record>
//!
//! — tollgate/<id of the log> <base64 of key id and signature>
//! ```
//!
//! The key's name is the origin, so whoever holds the key text knows which log it speaks for. The two extension lines are
//! signed like the rest: the time is the signer's claim, the link ties the tree to the chain of links.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use uuid::Uuid;

use crate::key::SealKey;
use crate::link::Link;
use crate::merkle::Hash;
use crate::note::{Note, NoteError, VerifierKey};

const TIME: &str = "time ";
const LINK: &str = "link ";
const TIME_BYTES_MAX: usize = 40;
/// Lines that others may have added to the text.
const EXTENSIONS_MAX: usize = 64;

/// What the log held at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Whose log it is.
    pub origin: String,
    /// How many records.
    pub size: u64,
    /// The root of the tree over them.
    pub root: Hash,
    /// When it was signed, RFC 3339, as the signer says; not every log says it.
    pub time: Option<String>,
    /// The link of the last record; not every log says it.
    pub link: Option<Link>,
}

/// A checkpoint with its note. From [`Checkpoint::open`] its signature was found right; from a store it is as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// What it says.
    pub checkpoint: Checkpoint,
    /// The note, byte for byte.
    pub note: String,
}

/// The origin of the log with this id: the name of its key too.
#[must_use]
pub fn origin(log_id: Uuid) -> String {
    format!("tollgate/{log_id}")
}

impl Checkpoint {
    /// Signs it with the key under the name of its origin.
    ///
    /// # Errors
    /// When the origin is no name or the time no line.
    pub fn sign(&self, key: &SealKey) -> Result<Signed, NoteError> {
        let note = Note::sign(&self.to_string(), &key.verifier(&self.origin)?, |text| key.sign(text))?;
        let checkpoint = Self::parse(note.unverified_text())?;
        Ok(Signed { checkpoint, note: note.to_string() })
    }

    /// Reads a note and checks that the key signed it, under its name as origin.
    ///
    /// # Errors
    /// When it is no checkpoint, of another log, or not signed by the key.
    pub fn open(note: &[u8], key: &VerifierKey) -> Result<Signed, NoteError> {
        let parsed = Note::parse(note)?;
        let checkpoint = Self::parse(parsed.verify(key)?)?;
        if checkpoint.origin != key.name() {
            return Err(NoteError::Malformed("its origin is not the name of the key"));
        }
        Ok(Signed { checkpoint, note: parsed.to_string() })
    }

    /// Reads the text of a note. Nothing is verified.
    ///
    /// # Errors
    /// When it is no checkpoint.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let lines = text.strip_suffix('\n').ok_or(NoteError::Malformed("its text does not end in a newline"))?;
        let mut lines = lines.split('\n');
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next()) else {
            return Err(NoteError::Malformed("a checkpoint has an origin, a size and a root"));
        };
        let mut checkpoint = Self {
            origin: origin.to_owned(),
            size: decimal(size).ok_or(NoteError::Malformed("its size is not a number as it is written"))?,
            root: hash(root).ok_or(NoteError::Malformed("its root is not 32 bytes in base64"))?,
            time: None,
            link: None,
        };
        let extensions: Vec<&str> = lines.take(EXTENSIONS_MAX.saturating_add(1)).collect();
        if origin.is_empty() || extensions.contains(&"") || EXTENSIONS_MAX < extensions.len() {
            return Err(NoteError::Malformed("it has an empty line, or too many"));
        }
        for line in extensions {
            if let Some(time) = line.strip_prefix(TIME) {
                let time = Some(time).filter(|time| checkpoint.time.is_none() && time.len() <= TIME_BYTES_MAX);
                checkpoint.time = Some(time.ok_or(NoteError::Malformed("it has two times, or a long one"))?.to_owned());
            } else if let Some(link) = line.strip_prefix(LINK) {
                let link = unhex(link).filter(|_| checkpoint.link.is_none());
                checkpoint.link = Some(link.ok_or(NoteError::Malformed("it has two links, or one that is no link"))?);
            }
        }
        Ok(checkpoint)
    }
}

/// The text that is signed.
impl fmt::Display for Checkpoint {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "{}\n{}\n{}", self.origin, self.size, STANDARD.encode(self.root))?;
        if let Some(time) = &self.time {
            writeln!(out, "{TIME}{time}")?;
        }
        match &self.link {
            Some(link) => writeln!(out, "{LINK}{}", hex(link)),
            None => Ok(()),
        }
    }
}

fn decimal(text: &str) -> Option<u64> {
    // Written back: no sign, no leading zero.
    text.parse().ok().filter(|size: &u64| size.to_string() == text)
}

fn hash(text: &str) -> Option<Hash> {
    STANDARD.decode(text).ok()?.try_into().ok()
}

/// Lower case.
pub(crate) fn hex(bytes: &[u8; 32]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Lower case only: one way to write it.
pub(crate) fn unhex(text: &str) -> Option<[u8; 32]> {
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else {
        return None;
    };
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => byte.checked_sub(b'0'),
        b'a'..=b'f' => byte.checked_sub(b'a')?.checked_add(10),
        _ => None,
    };
    let bytes: Option<Vec<u8>> = pairs.iter().map(|[high, low]| Some((digit(*high)? << 4) | digit(*low)?)).collect();
    bytes?.try_into().ok()
}

#[cfg(test)]
mod tests;
