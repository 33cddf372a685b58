//! A record of the log as one line of JSON: its bytes as they are stored, and enough beside them to find it by.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::error::Flaw;
use crate::digest::{Sha256, sha256};

/// Bytes of meta and body that a line holds at most: the log's own limit.
const RECORD_BYTES_MAX: usize = 256 << 20;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// Number in the log.
    pub seq: u64,
    /// The record's link.
    #[serde(with = "hex32")]
    pub link: [u8; 32],
    /// Link of the record before it.
    #[serde(with = "hex32")]
    pub previous_link: [u8; 32],
    /// What it is.
    pub record: RecordKind,
    /// The meta exactly as stored.
    #[serde(with = "base64_bytes")]
    pub meta: Bytes,
    /// The body exactly as stored.
    #[serde(with = "base64_bytes")]
    pub body: Bytes,
}

/// What a line can be of. The log's own bytes say it too; this is for whoever searches an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum RecordKind {
    /// A request that a provider signed.
    Delivery {
        /// Its id.
        id: Uuid,
        /// The configured source.
        source: String,
        /// When it arrived, microseconds since the Unix epoch.
        received_us: i64,
        /// The event it made or repeated.
        event_id: Option<Uuid>,
    },
    /// A decision that was taken on an event.
    Decision {
        /// The ledger it comes from.
        ledger_id: Uuid,
        /// Of the ledger.
        epoch: u32,
        /// Which of its tables.
        table: u8,
        /// Row of the table.
        number: u64,
        /// When, microseconds since the Unix epoch.
        at_us: i64,
        /// The event.
        event_id: Option<Uuid>,
        /// What was decided.
        kind: String,
    },
}

impl Line {
    /// Without a line break.
    ///
    /// # Errors
    /// When the record is larger than the log takes.
    pub fn encode(&self) -> Result<Vec<u8>, Flaw> {
        let bytes = self.meta.len().saturating_add(self.body.len());
        if RECORD_BYTES_MAX < bytes {
            return Err(Flaw::TooLarge { seq: self.seq, bytes, limit: RECORD_BYTES_MAX });
        }
        serde_json::to_vec(self).map_err(|error| Flaw::Line { line: 0, why: error.to_string() })
    }

    /// A line, whose bytes hash to its link. `number` is for the message.
    ///
    /// # Errors
    /// When it is no record or was changed.
    pub fn decode(bytes: &[u8], number: u64) -> Result<Self, Flaw> {
        let line: Self =
            serde_json::from_slice(bytes).map_err(|error| Flaw::Line { line: number, why: error.to_string() })?;
        if line.link != line.computed_link() {
            return Err(Flaw::Link { line: number, seq: line.seq });
        }
        Ok(line)
    }

    /// The link that these bytes have behind `previous_link`, by the log's own rule.
    #[must_use]
    pub fn computed_link(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(&self.previous_link);
        hash.update(&sha256(&self.meta));
        hash.update(&sha256(&self.body));
        hash.finish()
    }
}

pub(super) mod hex32 {
    //! 32 bytes as 64 lower-case hexadecimal digits.

    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(in crate::archive) fn serialize<S: Serializer>(bytes: &[u8; 32], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&hex::encode(bytes))
    }

    pub(in crate::archive) fn deserialize<'d, D: Deserializer<'d>>(from: D) -> Result<[u8; 32], D::Error> {
        let text = String::deserialize(from)?;
        let mut bytes = [0; 32];
        hex::decode_to_slice(&text, &mut bytes).map_err(D::Error::custom)?;
        Ok(bytes)
    }
}

mod base64_bytes {
    //! Bytes as standard base64 with padding.

    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use bytes::Bytes;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &Bytes, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'d, D: Deserializer<'d>>(from: D) -> Result<Bytes, D::Error> {
        let text = String::deserialize(from)?;
        STANDARD.decode(text).map(Bytes::from).map_err(D::Error::custom)
    }
}
