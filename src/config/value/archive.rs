//! Where archives lie.

use crate::config::checked::ArchiveUrl;
use crate::config::read::Text;

/// `/…` or `s3://…`
#[derive(Clone)]
pub(in crate::config) struct ArchivePlace(pub(in crate::config) ArchiveUrl);

impl Text for ArchivePlace {
    fn expected() -> String {
        "a directory as an absolute path, or a bucket as s3://BUCKET/PREFIX".to_owned()
    }

    fn example() -> &'static str {
        "\"s3://evidence-archive/tollgate\""
    }

    fn parse(text: &str) -> Result<Self, String> {
        ArchiveUrl::parse(text).map(Self)
    }
}
