//! Reading archives: nothing is given out before it was checked.

use bytes::Bytes;

use super::error::{ArchiveError, Flaw};
use super::line::Line;
use super::manifest::{self, FileEntry, Manifest};
use super::pack::unpack;
use super::place::Place;
use crate::digest::sha256;
use crate::task;

/// An archive whose manifest was read.
pub struct Archive {
    place: Place,
    manifest: Manifest,
    manifest_sha256: [u8; 32],
}

/// Every archive in a place, in the order of the names: its folders that hold a manifest, or the place itself, whose
/// name is empty.
///
/// # Errors
/// When there is none, a manifest is wrong in itself, or the place does not answer.
pub async fn find(place: &Place) -> Result<Vec<String>, ArchiveError> {
    if Archive::open(place.clone()).await?.is_some() {
        return Ok(vec![String::new()]);
    }
    let mut found = Vec::new();
    for folder in place.folders().await? {
        if Archive::open(place.inside(&folder)).await?.is_some() {
            found.push(folder);
        }
    }
    if found.is_empty() {
        return Err(ArchiveError::Nothing(place.shown().to_owned()));
    }
    found.sort();
    Ok(found)
}

impl Archive {
    /// Reads the manifest of the archive that is exactly here; `None` without one.
    ///
    /// # Errors
    /// When the manifest is wrong in itself, or the place does not answer.
    pub async fn open(place: Place) -> Result<Option<Self>, ArchiveError> {
        match place.get(manifest::FILE, manifest::BYTES_MAX).await? {
            Some(bytes) => {
                let manifest = Manifest::decode(&bytes).map_err(|flaw| place.refused(manifest::FILE, flaw))?;
                Ok(Some(Self { place, manifest, manifest_sha256: sha256(&bytes) }))
            }
            None => Ok(None),
        }
    }

    /// One whose manifest is not written yet.
    pub(super) const fn intended(place: Place, manifest: Manifest, manifest_sha256: [u8; 32]) -> Self {
        Self { place, manifest, manifest_sha256 }
    }

    /// What it says it holds.
    #[must_use]
    pub const fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Of the manifest as stored: with it the whole archive is named.
    #[must_use]
    pub const fn manifest_sha256(&self) -> [u8; 32] {
        self.manifest_sha256
    }

    /// Where it lies.
    #[must_use]
    pub fn shown(&self) -> &str {
        self.place.shown()
    }

    /// The records of one of its files, fetched and checked.
    ///
    /// # Errors
    /// When the file is not what the manifest says, to the last byte.
    pub async fn records(&self, file: &FileEntry) -> Result<Vec<Line>, ArchiveError> {
        let bytes: Bytes = match self.place.get(&file.name, file.bytes).await? {
            Some(bytes) => bytes,
            None => return Err(self.place.refused(&file.name, Flaw::Missing)),
        };
        let entry = file.clone();
        let unpacking = task::spawn_blocking(move || unpack(&entry, &bytes));
        let unpacked = unpacking.await.unwrap_or_else(|panic| Err(Flaw::Packing(panic.to_string())));
        unpacked.map_err(|flaw| self.place.refused(&file.name, flaw))
    }

    /// Checks every file and shows each record once to `seen`. Whoever uses records calls this first, to its end: a
    /// flaw in the last file refuses the first too.
    ///
    /// # Errors
    /// At the first flaw.
    pub async fn verify(&self, mut seen: impl FnMut(&Line)) -> Result<(), ArchiveError> {
        for file in &self.manifest.files {
            self.records(file).await?.iter().for_each(&mut seen);
        }
        Ok(())
    }
}
