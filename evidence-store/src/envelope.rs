//! The stored bytes of one record. All integers are big-endian.
//!
//! ```text
//! offset  size  field
//!      0     4  magic   "TGEV"
//!      4     1  layout  1
//!      5     1  kind    1 delivery, 2 decision, 3 stub, 16 rejected request
//!      6     4  meta length M
//!     10     4  body length B
//!     14     4  crc32c of the bytes 0..14 and 18..50+M+B
//!     18    32  link
//!     50     M  meta    protobuf, see `meta`
//!   50+M     B  body    exactly as it arrived
//! ```
//!
//! Magic and layout come first so that any later layout can be told from this one. The checksum covers everything but
//! itself, lengths included, and stands before what it covers so that the fixed part has one size. The body lies
//! outside the protobuf: its digest is over what arrived, and it is read without copying. Nothing may follow the body.
//!
//! This file never interprets meta or body. The layout is not the format of the log: format 2 brought kinds and
//! families, and its records are laid out as before. Changing [`LAYOUT`] needs a fixture under `tests/fixtures`.

use bytes::{Buf, Bytes};

use crate::link::Link;

const MAGIC: [u8; 4] = *b"TGEV";
/// What is written and understood.
const LAYOUT: u8 = 1;
const BEFORE_CRC_BYTES: usize = 14;
const CRC_BYTES: usize = 4;
const FIXED_BYTES: usize = 50;
/// Largest meta and body together; far above any configured limit on bodies, and within the lengths' four bytes.
pub(crate) const PAYLOAD_BYTES_MAX: usize = 256 * 1024 * 1024;

/// What a record is. Written as one byte: a new variant needs a release that reads it first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A rightly signed delivery.
    Delivery,
    /// What was decided.
    Decision,
    /// What is left of a removed delivery.
    Stub,
    /// A refused request, in the ring only.
    Rejected,
}

impl Kind {
    pub(crate) const fn byte(self) -> u8 {
        match self {
            Self::Delivery => 1,
            Self::Decision => 2,
            Self::Stub => 3,
            Self::Rejected => 16,
        }
    }

    pub(crate) const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Delivery),
            2 => Some(Self::Decision),
            3 => Some(Self::Stub),
            16 => Some(Self::Rejected),
            _ => None,
        }
    }
}

/// A record taken apart; meta and body share the memory of the stored bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Envelope {
    pub(crate) kind: Kind,
    pub(crate) link: Link,
    pub(crate) meta: Bytes,
    pub(crate) body: Bytes,
}

/// Why bytes are not a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EnvelopeError {
    #[error("{0} bytes are no record")]
    Short(usize),
    #[error("it does not begin with the magic")]
    Magic,
    #[error("layout {0}")]
    Layout(u8),
    #[error("kind {0}")]
    Kind(u8),
    #[error("the lengths say {said} bytes and there are {found}")]
    Length { said: u64, found: usize },
    #[error("checksum {found:08x} where {said:08x} was stored")]
    Checksum { said: u32, found: u32 },
}

impl EnvelopeError {
    /// Whether a later release may understand it.
    pub(crate) const fn is_newer(self) -> bool {
        match self {
            Self::Layout(_) | Self::Kind(_) => true,
            Self::Short(_) | Self::Magic | Self::Length { .. } | Self::Checksum { .. } => false,
        }
    }
}

/// Meta and body are larger than [`PAYLOAD_BYTES_MAX`] together; holds their size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooLarge(pub(crate) usize);

/// Replaces what is in `out` by a record.
pub(crate) fn encode(out: &mut Vec<u8>, kind: Kind, link: &Link, meta: &[u8], body: &[u8]) -> Result<(), TooLarge> {
    let (meta_length, body_length) = lengths(meta, body)?;
    out.clear();
    out.reserve(FIXED_BYTES.saturating_add(meta.len()).saturating_add(body.len()));
    out.extend_from_slice(&MAGIC);
    out.push(LAYOUT);
    out.push(kind.byte());
    out.extend_from_slice(&meta_length.to_be_bytes());
    out.extend_from_slice(&body_length.to_be_bytes());
    let crc = [link, meta, body].iter().fold(crc32c::crc32c(out), |crc, part| crc32c::crc32c_append(crc, part));
    out.extend_from_slice(&crc.to_be_bytes());
    out.extend_from_slice(link);
    out.extend_from_slice(meta);
    out.extend_from_slice(body);
    Ok(())
}

fn lengths(meta: &[u8], body: &[u8]) -> Result<(u32, u32), TooLarge> {
    let both = meta.len().saturating_add(body.len());
    match (u32::try_from(meta.len()), u32::try_from(body.len())) {
        (Ok(meta), Ok(body)) if both <= PAYLOAD_BYTES_MAX => Ok((meta, body)),
        _ => Err(TooLarge(both)),
    }
}

/// Takes a record apart as far as it goes, whatever its checksum says: to tell what was changed in it.
pub(crate) fn apart(stored: &Bytes) -> Option<Envelope> {
    let mut rest = stored.clone();
    if rest.len() < FIXED_BYTES {
        return None;
    }
    rest.advance(MAGIC.len().checked_add(1)?);
    let kind = Kind::from_byte(rest.get_u8())?;
    let (meta_length, body_length) = (rest.get_u32(), rest.get_u32());
    rest.advance(CRC_BYTES);
    let mut link = [0; 32];
    rest.copy_to_slice(&mut link);
    let meta_length = usize::try_from(meta_length).ok()?;
    if meta_length.checked_add(usize::try_from(body_length).ok()?)? != rest.len() {
        return None;
    }
    let meta = rest.split_to(meta_length);
    Some(Envelope { kind, link, meta, body: rest })
}

/// Takes a record apart and checks its checksum, not its link.
pub(crate) fn decode(stored: &Bytes) -> Result<Envelope, EnvelopeError> {
    let short = EnvelopeError::Short(stored.len());
    let (checked, _) = stored.split_first_chunk::<BEFORE_CRC_BYTES>().ok_or(short)?;
    let mut rest = stored.clone();
    if rest.len() < FIXED_BYTES {
        return Err(short);
    }
    if rest.split_to(MAGIC.len()) != MAGIC.as_slice() {
        return Err(EnvelopeError::Magic);
    }
    let layout = rest.get_u8();
    if layout != LAYOUT {
        return Err(EnvelopeError::Layout(layout));
    }
    let kind = rest.get_u8();
    let (meta_length, body_length) = (rest.get_u32(), rest.get_u32());
    let said = u64::from(meta_length).saturating_add(u64::from(body_length));
    let crc_said = rest.get_u32();
    let crc = crc32c::crc32c_append(crc32c::crc32c(checked), &rest);
    if crc != crc_said {
        return Err(EnvelopeError::Checksum { said: crc_said, found: crc });
    }
    let mut link = [0; 32];
    rest.copy_to_slice(&mut link);
    if u64::try_from(rest.len()) != Ok(said) {
        return Err(EnvelopeError::Length { said, found: rest.len() });
    }
    let meta = rest.split_to(usize::try_from(meta_length).map_err(|_| short)?);
    // After the checksum: a kind that is not known must be what was written, not a flipped bit.
    let kind = Kind::from_byte(kind).ok_or(EnvelopeError::Kind(kind))?;
    Ok(Envelope { kind, link, meta, body: rest })
}

const _: () = assert!(FIXED_BYTES == BEFORE_CRC_BYTES + CRC_BYTES + size_of::<Link>());

#[cfg(test)]
mod tests;
