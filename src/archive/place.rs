//! Where archives lie: a directory or an S3-compatible bucket, by the same few calls.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ClientOptions, ObjectStore, ObjectStoreExt as _, PutPayload, RetryConfig};

use super::error::{ArchiveError, Flaw};
use crate::config::{Archive, ArchiveUrl, Bucket};

/// One request to a bucket, with a whole file in it.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(300);
/// Until a bucket is reached.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Attempts after the first, for what a bucket calls temporary.
const RETRIES: usize = 4;
/// After this no attempt is begun.
const RETRY_FOR: Duration = Duration::from_secs(60);

/// A directory or a bucket, opened. Clones share it.
#[derive(Clone)]
pub struct Place {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    shown: String,
}

impl Place {
    /// Opens it as configured; a directory is made if it is missing. Nothing is asked of a bucket yet.
    ///
    /// # Errors
    /// When the directory cannot be made or the bucket's settings contradict each other.
    pub fn open(archive: &Archive) -> Result<Self, ArchiveError> {
        let shown = archive.url.to_string();
        let unusable = |why: String| ArchiveError::Unusable { place: shown.clone(), why };
        let (store, prefix): (Arc<dyn ObjectStore>, Path) = match &archive.url {
            ArchiveUrl::Directory(folder) => {
                make_private(folder).map_err(|error| unusable(error.to_string()))?;
                // A file counts as written only when it and its name survive a power cut.
                let files = LocalFileSystem::new_with_prefix(folder).map_err(|error| unusable(error.to_string()))?;
                (Arc::new(files.with_fsync(true)), Path::default())
            }
            ArchiveUrl::Bucket { bucket, prefix } => {
                let store = s3(bucket, &archive.bucket).map_err(|error| unusable(error.to_string()))?;
                let prefix = Path::parse(prefix).map_err(|error| unusable(error.to_string()))?;
                (Arc::new(store), prefix)
            }
        };
        Ok(Self { store, prefix, shown })
    }

    /// As people know it; never with credentials.
    #[must_use]
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// A folder in it; without a name, itself.
    #[must_use]
    pub fn inside(&self, folder: &str) -> Self {
        if folder.is_empty() {
            return self.clone();
        }
        Self {
            store: Arc::clone(&self.store),
            prefix: self.prefix.clone().join(folder),
            shown: format!("{}/{folder}", self.shown),
        }
    }

    /// Writes a file whole, over one that is there; it is durable when this returns.
    pub(super) async fn put(&self, file: &str, bytes: Bytes) -> Result<(), ArchiveError> {
        match self.store.put(&self.prefix.clone().join(file), PutPayload::from_bytes(bytes)).await {
            Ok(_) => Ok(()),
            Err(error) => Err(self.says(file, error)),
        }
    }

    /// A file, if it is there and has at most so many bytes.
    pub(super) async fn get(&self, file: &str, bytes_max: u64) -> Result<Option<Bytes>, ArchiveError> {
        let found = match self.store.get(&self.prefix.clone().join(file)).await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(self.says(file, error)),
        };
        if bytes_max < found.meta.size {
            return Err(self.refused(file, Flaw::Size { expected: bytes_max, found: found.meta.size }));
        }
        found.bytes().await.map(Some).map_err(|error| self.says(file, error))
    }

    /// Names of the folders directly in it.
    pub(super) async fn folders(&self) -> Result<Vec<String>, ArchiveError> {
        let prefix = (!self.prefix.as_ref().is_empty()).then_some(&self.prefix);
        let listed = self.store.list_with_delimiter(prefix).await.map_err(|error| self.says("", error))?;
        Ok(listed.common_prefixes.iter().filter_map(|path| path.filename().map(str::to_owned)).collect())
    }

    pub(super) fn refused(&self, file: &str, flaw: Flaw) -> ArchiveError {
        ArchiveError::Refused { place: self.shown.clone(), file: file.to_owned(), flaw }
    }

    fn says(&self, file: &str, source: object_store::Error) -> ArchiveError {
        ArchiveError::Place { place: self.shown.clone(), file: file.to_owned(), source: Box::new(source) }
    }
}

/// Archives hold bodies: a directory that is made here is its owner's alone.
fn make_private(folder: &std::path::Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

fn s3(bucket: &str, access: &Bucket) -> Result<impl ObjectStore, object_store::Error> {
    let options = ClientOptions::new()
        .with_timeout(REQUEST_TIMEOUT)
        .with_connect_timeout(CONNECT_TIMEOUT)
        // The configuration lets plain http through for a loopback address only.
        .with_allow_http(access.endpoint.as_ref().is_some_and(|endpoint| endpoint.starts_with("http://")));
    let retries = RetryConfig { max_retries: RETRIES, retry_timeout: RETRY_FOR, ..RetryConfig::default() };
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(bucket)
        .with_region(&access.region)
        .with_client_options(options)
        .with_retry(retries);
    if let Some(endpoint) = &access.endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    if let Some((key, secret)) = &access.keys {
        builder = builder.with_access_key_id(key.expose()).with_secret_access_key(secret.expose());
    }
    builder.build()
}
