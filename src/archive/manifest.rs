//! The list of an archive's files: what must be there, byte for byte.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::error::Flaw;
use super::line::hex32;

/// Name of the manifest in its archive.
pub(super) const FILE: &str = "manifest.json";
/// What a manifest calls itself.
const FORMAT: &str = "tollgate-archive";
/// Of the format.
const VERSION: u32 = 1;
/// Files of one archive at most.
const FILES_MAX: usize = 10_000;
/// Bytes of a manifest at most.
pub(super) const BYTES_MAX: u64 = 16 << 20;

/// What an archive holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Always `tollgate-archive`.
    pub format: String,
    /// 1.
    pub version: u32,
    /// The log that the records are of.
    pub log_id: Uuid,
    /// When it was written, microseconds since the Unix epoch.
    pub made_us: i64,
    /// The program that wrote it.
    pub made_by: String,
    /// Deliveries in all files.
    pub deliveries: u64,
    /// Decisions in all files.
    pub decisions: u64,
    /// Lowest number of a record.
    pub first_seq: u64,
    /// Highest number of a record.
    pub last_seq: u64,
    /// The log's last signed checkpoint when the archive was written, as it was published.
    pub checkpoint: Option<String>,
    /// In order.
    pub files: Vec<FileEntry>,
}

/// One file of an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Its name beside the manifest.
    pub name: String,
    /// Bytes as stored.
    pub bytes: u64,
    /// Of the bytes as stored.
    #[serde(with = "hex32")]
    pub sha256: [u8; 32],
    /// Bytes unpacked.
    pub unpacked_bytes: u64,
    /// Deliveries in it.
    pub deliveries: u64,
    /// Decisions in it.
    pub decisions: u64,
    /// Lowest number of a record.
    pub first_seq: u64,
    /// Highest number of a record.
    pub last_seq: u64,
}

impl Manifest {
    /// Of these files.
    #[must_use]
    pub fn new(log_id: Uuid, made_us: i64, checkpoint: Option<String>, files: Vec<FileEntry>) -> Self {
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            log_id,
            made_us,
            made_by: concat!("tollgate ", env!("CARGO_PKG_VERSION")).to_owned(),
            deliveries: files.iter().map(|file| file.deliveries).sum(),
            decisions: files.iter().map(|file| file.decisions).sum(),
            first_seq: files.iter().map(|file| file.first_seq).min().unwrap_or(0),
            last_seq: files.iter().map(|file| file.last_seq).max().unwrap_or(0),
            checkpoint,
            files,
        }
    }

    /// As it is stored: JSON for people, a line break at the end.
    ///
    /// # Errors
    /// Never for what [`Manifest::new`] made.
    pub fn encode(&self) -> Result<Vec<u8>, Flaw> {
        let mut text = serde_json::to_vec_pretty(self).map_err(|error| Flaw::Manifest(error.to_string()))?;
        text.push(b'\n');
        Ok(text)
    }

    /// A manifest that makes sense in itself. The version is looked at first, so that a later one is said to be that.
    ///
    /// # Errors
    /// When it does not.
    pub fn decode(bytes: &[u8]) -> Result<Self, Flaw> {
        #[derive(Deserialize)]
        struct Head {
            format: String,
            version: u32,
        }
        let no_manifest = |error: serde_json::Error| Flaw::Manifest(error.to_string());
        let head: Head = serde_json::from_slice(bytes).map_err(no_manifest)?;
        if head.format != FORMAT {
            return Err(Flaw::Manifest(format!("it calls itself {:?}", head.format)));
        }
        if head.version != VERSION {
            return Err(Flaw::Newer(head.version));
        }
        let manifest: Self = serde_json::from_slice(bytes).map_err(no_manifest)?;
        manifest.check()?;
        Ok(manifest)
    }

    fn check(&self) -> Result<(), Flaw> {
        let wrong = |why: String| Err(Flaw::Manifest(why));
        if self.files.is_empty() || FILES_MAX < self.files.len() {
            return wrong(format!("it lists {} files", self.files.len()));
        }
        for (position, file) in self.files.iter().enumerate() {
            let expected = file_name(position.saturating_add(1));
            // Names are made, never taken: a manifest cannot point outside its folder.
            if file.name != expected {
                return wrong(format!("file {:?} stands where {expected:?} belongs", file.name));
            }
        }
        let again = Self::new(self.log_id, self.made_us, self.checkpoint.clone(), self.files.clone());
        for (what, said, summed) in [
            ("deliveries", self.deliveries, again.deliveries),
            ("decisions", self.decisions, again.decisions),
            ("first_seq", self.first_seq, again.first_seq),
            ("last_seq", self.last_seq, again.last_seq),
        ] {
            if said != summed {
                return wrong(format!("{what} is {said}, and its files make {summed}"));
            }
        }
        Ok(())
    }
}

/// Name of the file at a position, counted from 1.
pub(super) fn file_name(position: usize) -> String {
    format!("records-{position:06}.ndjson.zst")
}
