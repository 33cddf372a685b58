//! What happens to evidence as the disk fills and as it grows old.

use std::fmt;
use std::path::{Component, PathBuf};
use std::time::Duration;

use super::Secret;

/// `[evidence.watermarks]`: free bytes, `warn` at least `shed`, `shed` at least the reserve.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Watermarks {
    /// Below this it is said.
    pub warn: u64,
    /// Below this sources are refused by their class.
    pub shed: u64,
}

/// `[evidence.retention]` with `sources.retention` over it: what a source keeps. Nothing set keeps everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Settled deliveries received longer ago go.
    pub age: Option<Duration>,
    /// Settled deliveries go, the oldest first, while there are more bytes than this.
    pub bytes: Option<u64>,
}

/// `[evidence.archive]`: where evidence goes before it is deleted here.
#[derive(Clone)]
pub struct Archive {
    /// Directory or bucket.
    pub url: ArchiveUrl,
    /// How a bucket is reached.
    pub bucket: Bucket,
}

/// Where an archive lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ArchiveUrl {
    /// An absolute path.
    Directory(PathBuf),
    /// `s3://bucket/prefix`
    Bucket {
        /// The bucket.
        bucket: String,
        /// Before every name, without slashes at the ends; may be empty.
        prefix: String,
    },
}

impl ArchiveUrl {
    /// From its text. A directory may be written as `file:///…` on the command line; in the configuration that would
    /// be a reference to a file's text.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let Some(rest) = text.strip_prefix("s3://") else {
            let path = PathBuf::from(text.strip_prefix("file://").unwrap_or(text));
            let plain = path.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
            return if path.is_absolute() && plain {
                Ok(Self::Directory(path))
            } else {
                Err("it is neither an absolute path nor does it begin with s3://".to_owned())
            };
        };
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let is_plain = |text: &str, more: &[u8]| {
            text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte) || more.contains(&byte))
        };
        if !(3..=63).contains(&bucket.len()) || !is_plain(bucket, b"") {
            return Err("its bucket is not 3 to 63 letters, digits, dots, dashes or underscores".to_owned());
        }
        let prefix = prefix.trim_end_matches('/');
        let odd = |part: &str| part.is_empty() || part == "." || part == "..";
        if !is_plain(prefix, b"/") || (!prefix.is_empty() && prefix.split('/').any(odd)) {
            return Err("its prefix is not letters, digits, dots, dashes and underscores between slashes".to_owned());
        }
        Ok(Self::Bucket { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
    }
}

impl fmt::Display for ArchiveUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(path) => write!(f, "{}", path.display()),
            Self::Bucket { bucket, prefix } if prefix.is_empty() => write!(f, "s3://{bucket}"),
            Self::Bucket { bucket, prefix } => write!(f, "s3://{bucket}/{prefix}"),
        }
    }
}

/// How an S3-compatible bucket is reached.
#[derive(Clone)]
pub struct Bucket {
    /// Of the bucket.
    pub region: String,
    /// Where the service is; none is AWS.
    pub endpoint: Option<String>,
    /// Access key and secret key; none asks the machine's own role.
    pub keys: Option<(Secret, Secret)>,
}

impl Default for Bucket {
    fn default() -> Self {
        Self { region: "us-east-1".to_owned(), endpoint: None, keys: None }
    }
}
