//! Signed notes: text with signatures of named keys, as specified by C2SP (c2sp.org/signed-note), with Ed25519 alone.
//!
//! ```text
//! the text, any number of lines
//!
//! — name base64(key id (4) ‖ signature (64))
//! ```
//!
//! Key id: the first four bytes of `SHA-256(name ‖ 0x0A ‖ 0x01 ‖ public key)`. A verifier key is written
//! `name+hex(key id)+base64(0x01 ‖ public key)`. Reading is strict, so that there is one way to write a note, and
//! bounded. Signatures of keys that are not asked for are ignored, as the specification demands: a witness may have
//! added its own.

use std::fmt;

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::link::sha256;

/// Bytes of a note that are read.
pub const NOTE_BYTES_MAX: usize = 64 * 1024;
/// Signatures of a note that are read.
pub const SIGNATURES_MAX: usize = 64;
/// Bytes of a name.
const NAME_BYTES_MAX: usize = 255;
/// What the specification calls Ed25519.
const ED25519_TYPE: u8 = 1;
const SIGNATURE_LINE: &str = "\u{2014} ";

/// Why a note or a key is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// It is not written as a note.
    #[error("this is no signed note: {0}")]
    Malformed(&'static str),
    /// The key is not written as a key.
    #[error("this is no verifier key: {0}; it looks like NAME+12345678+BASE64")]
    Key(&'static str),
    /// It is not signed by the key.
    #[error("the note is not signed by the key {0}")]
    Unsigned(String),
    /// It claims to be signed by the key, and is not.
    #[error("the signature of {0} is wrong: the note was changed after it was signed")]
    Forged(String),
}

/// A public key with its name: all that is needed to check a note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    public: [u8; 32],
}

impl VerifierKey {
    /// A key of that name.
    ///
    /// # Errors
    /// When the name is empty, too long, or holds a space, a control character or a plus.
    pub fn new(name: &str, public: [u8; 32]) -> Result<Self, NoteError> {
        if !is_name(name) {
            return Err(NoteError::Key("its name is empty, too long, or holds a space or a plus"));
        }
        Ok(Self { name: name.to_owned(), public })
    }

    /// Reads `name+hex+base64`.
    ///
    /// # Errors
    /// When it is anything else, of another kind than Ed25519, or its id is not that of name and key.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(NoteError::Key("it has fewer than three parts"));
        };
        let key = STANDARD.decode(key).map_err(|_| NoteError::Key("its last part is not base64"))?;
        let public = match key.split_first() {
            Some((&ED25519_TYPE, public)) => public.try_into().map_err(|_| NoteError::Key("it is not of 32 bytes"))?,
            Some(_) => return Err(NoteError::Key("it is not an Ed25519 key")),
            None => return Err(NoteError::Key("its last part is empty")),
        };
        let key = Self::new(name, public)?;
        // Written back, so that upper case or odd padding is no second way to write it.
        if key.to_string() == text { Ok(key) } else { Err(NoteError::Key(mismatch(id, &key))) }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The public key itself.
    #[must_use]
    pub fn public(&self) -> &[u8; 32] {
        &self.public
    }

    /// The same key under another name.
    ///
    /// # Errors
    /// As [`VerifierKey::new`].
    pub fn named(&self, name: &str) -> Result<Self, NoteError> {
        Self::new(name, self.public)
    }

    fn id(&self) -> [u8; 4] {
        let [a, b, c, d, ..] = sha256(&[self.name.as_bytes(), b"\n", &self.typed()].concat());
        [a, b, c, d]
    }

    fn typed(&self) -> Vec<u8> {
        [&[ED25519_TYPE][..], &self.public].concat()
    }
}

fn mismatch(id: &str, key: &VerifierKey) -> &'static str {
    if id == hex(key.id()) { "its last part is not written as base64 is" } else { "its id is not that of name and key" }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}+{}+{}", self.name, hex(self.id()), STANDARD.encode(self.typed()))
    }
}

/// One signature line.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Signature {
    name: String,
    key_id: [u8; 4],
    bytes: Vec<u8>,
}

/// A note as it was read. Its text means nothing before [`Note::verify`] answered it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<Signature>,
}

impl Note {
    /// Makes a note of a text that ends in a newline, signed by what `sign` answers for it.
    ///
    /// # Errors
    /// When the text does not end in a newline, is too long or holds control characters.
    pub fn sign(text: &str, key: &VerifierKey, sign: impl FnOnce(&[u8]) -> [u8; 64]) -> Result<Self, NoteError> {
        let signature = Signature { name: key.name.clone(), key_id: key.id(), bytes: sign(text.as_bytes()).to_vec() };
        let note = Self { text: text.to_owned(), signatures: vec![signature] };
        // What cannot be read back and verified is not handed out.
        let note = Self::parse(note.to_string().as_bytes())?;
        note.verify(key)?;
        Ok(note)
    }

    /// Reads a note. Nothing is verified.
    ///
    /// # Errors
    /// When it is not written exactly as specified, or too long.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if NOTE_BYTES_MAX < bytes.len() {
            return Err(NoteError::Malformed("it is too long"));
        }
        let all = std::str::from_utf8(bytes).map_err(|_| NoteError::Malformed("it is not UTF-8"))?;
        if all.bytes().any(|byte| byte < b' ' && byte != b'\n') {
            return Err(NoteError::Malformed("it holds a control character"));
        }
        let at = all.rfind("\n\n").ok_or(NoteError::Malformed("no empty line comes before the signatures"))?;
        let (text, lines) = all.split_at_checked(at.saturating_add(1)).unwrap_or((all, ""));
        let lines = lines.strip_prefix('\n').and_then(|lines| lines.strip_suffix('\n'));
        let lines = lines.ok_or(NoteError::Malformed("it does not end in a signature line"))?;
        let signatures: Vec<Signature> =
            lines.split('\n').take(SIGNATURES_MAX.saturating_add(1)).map(signature).collect::<Result<_, _>>()?;
        if SIGNATURES_MAX < signatures.len() {
            return Err(NoteError::Malformed("it has too many signatures"));
        }
        Ok(Self { text: text.to_owned(), signatures })
    }

    /// The text, if the key signed it.
    ///
    /// # Errors
    /// When no signature is the key's, or one that claims to be is not.
    pub fn verify(&self, key: &VerifierKey) -> Result<&str, NoteError> {
        let id = key.id();
        let mut signed = Err(NoteError::Unsigned(key.to_string()));
        for signature in self.signatures.iter().filter(|line| line.name == key.name && line.key_id == id) {
            let public = UnparsedPublicKey::new(&ED25519, &key.public);
            if public.verify(self.text.as_bytes(), &signature.bytes).is_err() {
                return Err(NoteError::Forged(key.name.clone()));
            }
            signed = Ok(self.text.as_str());
        }
        signed
    }

    /// The text, unverified: for finding the key that it ought to be signed by.
    #[must_use]
    pub fn unverified_text(&self) -> &str {
        &self.text
    }

    /// How many keys signed it, or claim to have.
    #[must_use]
    pub fn signatures(&self) -> usize {
        self.signatures.len()
    }
}

impl fmt::Display for Note {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "{}", self.text)?;
        self.signatures.iter().try_for_each(|line| {
            let bytes = [&line.key_id[..], &line.bytes].concat();
            writeln!(out, "{SIGNATURE_LINE}{} {}", line.name, STANDARD.encode(bytes))
        })
    }
}

fn signature(line: &str) -> Result<Signature, NoteError> {
    let malformed = NoteError::Malformed("a signature line is not written as one");
    let (name, encoded) =
        line.strip_prefix(SIGNATURE_LINE).and_then(|rest| rest.split_once(' ')).ok_or(malformed.clone())?;
    let bytes = STANDARD.decode(encoded).map_err(|_| malformed.clone())?;
    match bytes.split_first_chunk::<4>() {
        Some((key_id, bytes)) if is_name(name) && !bytes.is_empty() => {
            Ok(Signature { name: name.to_owned(), key_id: *key_id, bytes: bytes.to_vec() })
        }
        _ => Err(malformed),
    }
}

fn is_name(name: &str) -> bool {
    let whole = (1..=NAME_BYTES_MAX).contains(&name.len());
    whole && !name.chars().any(|c| c.is_whitespace() || c.is_control() || c == '+')
}

fn hex(bytes: [u8; 4]) -> String {
    format!("{:08x}", u32::from_be_bytes(bytes))
}

#[cfg(test)]
mod tests;
