//! Deny lists: read strictly, compared as bytes, replaced with care. Pure.
//!
//! A list that is not wholly understood is refused as a whole: a line that is skipped is an address that is not
//! screened. Addresses may be in any case, whatever their checksum: published lists mix the cases and not every tool
//! that writes them uses EIP-55, and no way of writing an address may keep it from being found.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use alloy_primitives::Address;
use jiff::Timestamp;
use serde::de::{Deserialize, Deserializer, Error, Visitor};

use crate::digest::sha256;

/// Most bytes of a file: some 180,000 lines, where all that OFAC lists today makes 1,000.
pub const FILE_BYTES_MAX: u64 = 8 << 20;
/// Most addresses of a file.
pub const ADDRESSES_MAX: usize = 100_000;
/// A new list loses at most one in so many addresses of the old one without being forced.
pub const LOSS_MAX_ONE_IN: usize = 5;
/// How far a list's date may lie ahead of the clock: machines disagree about the time.
const SKEW_MAX_US: i64 = 3_600_000_000;

/// Why a file is no deny list. Lines are counted from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadList {
    /// One line, or one text of the array.
    #[error(
        "line {line}: expected an address, 0x and 40 hexadecimal digits; correct the line, or put # in front of it"
    )]
    NotAnAddress {
        /// Where.
        line: usize,
    },
    /// Bytes that are no text.
    #[error("line {line}: expected UTF-8 text; write the file anew")]
    NotText {
        /// Where.
        line: usize,
    },
    /// It begins like an array.
    #[error("line {line}: expected a JSON array of texts; close it, and put every address into quotes")]
    NotAnArray {
        /// Where.
        line: usize,
    },
    /// A download that failed looks like this.
    #[error("it holds no address; to screen nothing, take it out of verification.screening.files")]
    Empty,
    /// See [`FILE_BYTES_MAX`].
    #[error("it is larger than {most} bytes; is it the right file? One address a line is enough", most = FILE_BYTES_MAX)]
    TooLarge,
    /// See [`ADDRESSES_MAX`].
    #[error("it holds more than {most} addresses; split it into several files", most = ADDRESSES_MAX)]
    TooMany,
}

/// Why a sound list does not replace the one in force.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{lost} of {old} addresses are not in it, more than one in {most}: half a file looks like this; if it is \
     meant, write {digest} into the file of the same name with .force behind it",
    most = LOSS_MAX_ONE_IN,
    digest = hex::encode(.sha256)
)]
pub struct Shrunk {
    /// Addresses that would not be denied any more.
    pub lost: usize,
    /// Addresses of the list in force.
    pub old: usize,
    /// Of the new list's bytes.
    pub sha256: [u8; 32],
}

/// One file's addresses. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DenyFile {
    /// Its name without the folder; stands in traces and messages.
    pub name: String,
    /// Of its bytes.
    pub sha256: [u8; 32],
    /// When it was written, microseconds since the epoch.
    pub date_us: i64,
    /// Ascending, each once.
    addresses: Vec<Address>,
}

/// All files together: an address is denied when one of them has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DenyList(Vec<Arc<DenyFile>>);

/// Whether `new` may replace `old`. An empty list and one that is not understood do not come so far: see
/// [`DenyFile::parse`]. Counted is what would be lost, not the difference in length: a wrong file may be as long.
///
/// # Errors
/// When too much would be lost and nobody forces it.
pub fn accept_new(old: &DenyFile, new: &DenyFile, forced: bool) -> Result<(), Shrunk> {
    let lost = old.addresses.iter().filter(|address| !new.contains(address)).count();
    let old = old.addresses.len();
    if !forced && old < lost.saturating_mul(LOSS_MAX_ONE_IN) {
        return Err(Shrunk { lost, old, sha256: new.sha256 });
    }
    Ok(())
}

// === impl DenyFile ===

impl DenyFile {
    /// Text with one address a line and comments behind `#`, or a JSON array of texts.
    ///
    /// # Errors
    /// Whatever is wrong first; nothing of such a file is used.
    pub fn parse(name: &str, bytes: &[u8], date_us: i64) -> Result<Self, BadList> {
        if FILE_BYTES_MAX < u64::try_from(bytes.len()).unwrap_or(u64::MAX) {
            return Err(BadList::TooLarge);
        }
        let sha256 = sha256(bytes);
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
            BadList::NotText { line: 1_usize.saturating_add(before.iter().filter(|byte| **byte == b'\n').count()) }
        })?;
        // What some editors put in front.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut addresses = if text.trim_start().starts_with('[') { array(text)? } else { lines(text)? };
        addresses.sort_unstable();
        addresses.dedup();
        match addresses.len() {
            0 => Err(BadList::Empty),
            many if ADDRESSES_MAX < many => Err(BadList::TooMany),
            _ => Ok(Self { name: name.to_owned(), sha256, date_us, addresses }),
        }
    }

    /// Whether the address is on it.
    #[must_use]
    pub fn contains(&self, address: &Address) -> bool {
        self.addresses.binary_search(address).is_ok()
    }

    /// How many addresses are on it.
    #[must_use]
    pub fn count(&self) -> usize {
        self.addresses.len()
    }
}

/// For logs, traces and messages: which list, of when, with which bytes.
impl fmt::Display for DenyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let date = Timestamp::from_microsecond(self.date_us).unwrap_or(Timestamp::MAX);
        let (name, count) = (&self.name, self.count());
        write!(f, "{name} of {date:.0} with {count} addresses, sha256 {}", hex::encode(self.sha256))
    }
}

fn lines(text: &str) -> Result<Vec<Address>, BadList> {
    let mut addresses = Vec::new();
    for (line, content) in (1_usize..).zip(text.lines()) {
        let content = content.split('#').next().unwrap_or_default().trim();
        if !content.is_empty() {
            addresses.push(address(content).ok_or(BadList::NotAnAddress { line })?);
        }
    }
    Ok(addresses)
}

fn array(text: &str) -> Result<Vec<Address>, BadList> {
    let entries = serde_json::from_str::<Vec<Entry>>(text).map_err(|error| {
        let line = error.line();
        if error.is_data() { BadList::NotAnAddress { line } } else { BadList::NotAnArray { line } }
    })?;
    Ok(entries.into_iter().map(|entry| entry.0).collect())
}

/// 0x and 40 hexadecimal digits, in any case.
fn address(text: &str) -> Option<Address> {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"))?;
    let bytes: [u8; 20] = hex::decode(digits).ok()?.try_into().ok()?;
    Some(Address::from(bytes))
}

/// One text of the array. A visitor of its own, because only what a visitor says is told with its line.
struct Entry(Address);

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfText;
        impl Visitor<'_> for OfText {
            type Value = Entry;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an address")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Entry, E> {
                address(text.trim()).map(Entry).ok_or_else(|| E::custom("no address"))
            }
        }
        deserializer.deserialize_str(OfText)
    }
}

// === impl DenyList ===

impl DenyList {
    /// Of its files; `None` without any.
    #[must_use]
    pub fn of(files: Vec<Arc<DenyFile>>) -> Option<Arc<Self>> {
        (!files.is_empty()).then(|| Arc::new(Self(files)))
    }

    /// The file that denies the address.
    #[must_use]
    pub fn find(&self, address: &Address) -> Option<&DenyFile> {
        self.files().find(|file| file.contains(address))
    }

    /// Its files.
    pub fn files(&self) -> impl Iterator<Item = &DenyFile> {
        self.0.iter().map(|file| &**file)
    }

    /// The oldest file's date, microseconds since the epoch: a fresh file says nothing about another.
    #[must_use]
    pub fn date_us(&self) -> i64 {
        self.0.iter().map(|file| file.date_us).min().unwrap_or(i64::MIN)
    }

    /// Whether one of its files is older than that, or has a date that is still to come: how old that is nobody knows.
    #[must_use]
    pub fn is_stale(&self, max_age: Duration, now_us: i64) -> bool {
        let max_us = i64::try_from(max_age.as_micros()).unwrap_or(i64::MAX);
        self.0.iter().any(|file| {
            let age_us = now_us.saturating_sub(file.date_us);
            max_us < age_us || age_us < SKEW_MAX_US.saturating_neg()
        })
    }
}

impl fmt::Display for DenyList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, file) in self.0.iter().enumerate() {
            write!(f, "{}{file}", if index == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
