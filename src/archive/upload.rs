//! Writing an archive: files, a look at what arrived, and only then the manifest.

use std::collections::BTreeMap;

use bytes::Bytes;
use uuid::Uuid;

use super::error::{ArchiveError, Flaw};
use super::line::{Line, RecordKind};
use super::manifest::{self, FileEntry, Manifest};
use super::pack::Packed;
use super::place::Place;
use super::read::Archive;
use crate::digest::{Sha256, sha256};

/// An archive that is being written. Dropping it leaves files without a manifest, which are no archive.
pub struct Upload {
    place: Place,
    log_id: Uuid,
    files: Vec<FileEntry>,
}

/// An archive that is written, was read back and holds what was meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Where it lies.
    pub shown: String,
    /// Names the whole archive.
    pub manifest_sha256: [u8; 32],
    /// Its manifest.
    pub manifest: Manifest,
    /// Every delivery in it, with the link of its record: what may be deleted elsewhere, and nothing else.
    pub deliveries: BTreeMap<Uuid, [u8; 32]>,
}

/// The folder of an archive of these deliveries (number, id): the same ones give the same name, so that writing again
/// after a crash finds what is there. `None` without any.
#[must_use]
pub fn name(log_id: Uuid, deliveries: &[(u64, Uuid)]) -> Option<String> {
    let first = deliveries.iter().map(|(seq, _)| seq).min()?;
    let last = deliveries.iter().map(|(seq, _)| seq).max()?;
    let mut hash = Sha256::new();
    for (seq, id) in deliveries {
        hash.update(&seq.to_be_bytes());
        hash.update(id.as_bytes());
    }
    let digest = hex::encode(hash.finish());
    let short = digest.get(..16).unwrap_or(&digest);
    Some(format!("{log_id}-{first:016}-{last:016}-{short}"))
}

impl Upload {
    /// Begins the archive `name` in a place.
    #[must_use]
    pub fn begin(place: &Place, name: &str, log_id: Uuid) -> Self {
        Self { place: place.inside(name), log_id, files: Vec::new() }
    }

    /// The archive `name`, if it is there, whole and unharmed: then there is nothing to write. A damaged one counts as
    /// not there; writing replaces it.
    ///
    /// # Errors
    /// When the place does not answer.
    pub async fn existing(place: &Place, name: &str) -> Result<Option<Written>, ArchiveError> {
        let read = match Archive::open(place.inside(name)).await {
            Ok(Some(archive)) => checked(archive).await,
            Ok(None) => return Ok(None),
            Err(error) => Err(error),
        };
        match read {
            Err(ArchiveError::Refused { flaw, .. }) if !matches!(flaw, Flaw::Newer(_)) => {
                tracing::warn!(place = place.shown(), name, %flaw, "a damaged archive of these records is written again");
                Ok(None)
            }
            read => read.map(Some),
        }
    }

    /// Writes one file.
    ///
    /// # Errors
    /// When the place does not take it.
    pub async fn put(&mut self, packed: Packed) -> Result<(), ArchiveError> {
        self.place.put(&packed.entry.name, packed.bytes).await?;
        self.files.push(packed.entry);
        Ok(())
    }

    /// Reads every file back, and writes the manifest only when all are as they were meant.
    ///
    /// # Errors
    /// When a file is not what was written, or the place does not answer. There is no archive then.
    pub async fn finish(self, made_us: i64, checkpoint: Option<String>) -> Result<Written, ArchiveError> {
        let manifest = Manifest::new(self.log_id, made_us, checkpoint, self.files);
        let refused = |flaw| self.place.refused(manifest::FILE, flaw);
        let text = Bytes::from(manifest.encode().map_err(refused)?);
        // What cannot be read later must not be written now.
        if Manifest::decode(&text).map_err(refused)? != manifest {
            return Err(refused(Flaw::Manifest("it does not read as it was written".to_owned())));
        }
        let written = checked(Archive::intended(self.place.clone(), manifest, sha256(&text))).await?;
        self.place.put(manifest::FILE, text.clone()).await?;
        match self.place.get(manifest::FILE, manifest::BYTES_MAX).await? {
            Some(there) if there == text => Ok(written),
            Some(there) => Err(self.place.refused(
                manifest::FILE,
                Flaw::Digest { expected: hex::encode(sha256(&text)), found: hex::encode(sha256(&there)) },
            )),
            None => Err(self.place.refused(manifest::FILE, Flaw::Missing)),
        }
    }
}

async fn checked(archive: Archive) -> Result<Written, ArchiveError> {
    let mut deliveries = BTreeMap::new();
    archive
        .verify(|line: &Line| {
            if let RecordKind::Delivery { id, .. } = line.record {
                deliveries.insert(id, line.link);
            }
        })
        .await?;
    Ok(Written {
        shown: archive.shown().to_owned(),
        manifest_sha256: archive.manifest_sha256(),
        manifest: archive.manifest().clone(),
        deliveries,
    })
}
