//! Evidence in one file: records with their bytes, the proofs that they are in the log, and the checkpoint that says so.
//! Making and checking are pure; checking needs the file and the public key, nothing else.
//!
//! A bundle is JSON and canonical: of the records' bytes, the paths and the note there is one way to write it. So checking
//! takes these out, verifies them, writes the bundle again and compares: what a reader sees in the readable parts is what
//! the bytes say, and any changed byte of the file is noticed.
//!
//! What a bundle proves: these records, with exactly these bytes, were in the log when the key signed the checkpoint. Not
//! that there are no others: a decision that was left out is not missed.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::check;
use crate::checkpoint::{Checkpoint, Signed, hex, unhex};
use crate::decision::Decision;
use crate::delivery::{Entry, RawRecord, Record};
use crate::envelope::Kind;
use crate::link::{Link, sha256};
use crate::merkle::{self, Hash, PROOF_HASHES_MAX};
use crate::note::{Note, NoteError, VerifierKey};
use crate::seal;

/// Bytes of a bundle.
pub const BUNDLE_BYTES_MAX: usize = 512 * 1024 * 1024;
/// Records of a bundle.
pub const BUNDLE_RECORDS_MAX: usize = 4096;

const FORMAT: &str = "tollgate-evidence-bundle/1";

/// A record and the path from its leaf to the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    /// Its bytes.
    pub record: RawRecord,
    /// The path.
    pub path: Vec<Hash>,
}

/// What a bundle was found to prove.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// What was asked for when it was made; it occurs in the records.
    pub about: String,
    /// The checkpoint that covers them.
    pub checkpoint: Checkpoint,
    /// The records, in their order.
    pub records: Vec<Record>,
    /// The bundle as it is read.
    pub shown: Value,
}

/// Why a bundle proves nothing, or was not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// It is no bundle of this format.
    #[error("this is no evidence bundle of this release: {0}")]
    Malformed(String),
    /// The checkpoint is not the key's.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// A record is not what was in the log.
    #[error("record {seq} is not proven: {what}")]
    Record {
        /// Its number.
        seq: u64,
        /// What does not fit.
        what: String,
    },
    /// The readable parts are not what the records say.
    #[error("the bundle was changed: it is not written as its records say, from byte {0} on")]
    Changed(usize),
    /// It is about something that does not occur in it.
    #[error("nothing in the bundle is about {0}")]
    About(String),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: String,
    about: String,
    public_key: String,
    checkpoint: String,
    records: Vec<Item>,
    chain_evidence: Value,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Item {
    seq: u64,
    kind: String,
    says: Value,
    previous: String,
    link: String,
    meta: String,
    body: String,
    inclusion: Vec<String>,
}

/// Writes a bundle.
///
/// # Errors
/// When it would not verify: what cannot be checked is not handed out.
pub fn bundle(about: &str, key: &VerifierKey, signed: &Signed, proven: &[Proven]) -> Result<Vec<u8>, BundleError> {
    let written = write(about, key, &signed.note, proven)?;
    verify_bundle(&written, key)?;
    Ok(written)
}

/// Checks a bundle with the public key alone: signature, every record's digests, link and path, every stub against the
/// decision that removed the bytes, and that the file says nothing else.
///
/// # Errors
/// The first thing that does not hold.
pub fn verify_bundle(bytes: &[u8], key: &VerifierKey) -> Result<Verified, BundleError> {
    let malformed = |what: &str| BundleError::Malformed(what.to_owned());
    if BUNDLE_BYTES_MAX < bytes.len() {
        return Err(malformed("it is too large"));
    }
    let file: File = serde_json::from_slice(bytes).map_err(|error| BundleError::Malformed(error.to_string()))?;
    if file.format != FORMAT {
        return Err(BundleError::Malformed(format!("its format is {:?}", file.format)));
    }
    if BUNDLE_RECORDS_MAX < file.records.len() || file.records.is_empty() {
        return Err(malformed("it has no records, or too many"));
    }
    let signed = Checkpoint::open(file.checkpoint.as_bytes(), key)?;
    if Note::parse(file.checkpoint.as_bytes())?.signatures() != 1 {
        return Err(malformed("its checkpoint has signatures that are not checked"));
    }
    let proven: Vec<Proven> = file.records.iter().map(read).collect::<Result<_, _>>()?;
    let records = prove(&signed.checkpoint, &proven)?;
    if !records.iter().any(|record| speaks_of(&record.entry, &file.about)) {
        return Err(BundleError::About(file.about));
    }
    let written = write(&file.about, key, &signed.note, &proven)?;
    if written != bytes {
        let same = written.iter().zip(bytes).take_while(|(a, b)| a == b).count();
        return Err(BundleError::Changed(same));
    }
    let shown = serde_json::from_slice(bytes).map_err(|error| BundleError::Malformed(error.to_string()))?;
    Ok(Verified { about: file.about, checkpoint: signed.checkpoint, records, shown })
}

/// Every record by its own bytes, the path and the root, in ascending order.
fn prove(checkpoint: &Checkpoint, proven: &[Proven]) -> Result<Vec<Record>, BundleError> {
    let mut records: Vec<Record> = Vec::new();
    for Proven { record: raw, path } in proven {
        let wrong = |what: &str| BundleError::Record { seq: raw.seq, what: what.to_owned() };
        if records.last().is_some_and(|before| raw.seq <= before.seq) {
            return Err(wrong("records are not in ascending order"));
        }
        let kind = Kind::from_byte(raw.kind).ok_or_else(|| wrong("its kind is not known"))?;
        let record = check::parts(raw).map_err(|error| wrong(&error.to_string()))?;
        let leaf = seal::leaf(kind, &raw.link);
        let index = raw.seq.checked_sub(1).ok_or_else(|| wrong("no record has the number 0"))?;
        if !merkle::verify_inclusion(&leaf, index, checkpoint.size, path, &checkpoint.root) {
            return Err(wrong("it is not in the tree that the checkpoint was signed for"));
        }
        if raw.seq == checkpoint.size && checkpoint.link.is_some_and(|link| link != raw.link) {
            return Err(wrong("its link is not the one in the checkpoint"));
        }
        records.push(record);
    }
    accounted(proven, &records)?;
    Ok(records)
}

/// The chain covers a stub's digests; all else that it says is covered by the decision that removed the bytes.
fn accounted(proven: &[Proven], records: &[Record]) -> Result<(), BundleError> {
    let decisions: HashMap<u64, &Decision> = records
        .iter()
        .filter_map(|record| match &record.entry {
            Entry::Decision(decision) => Some((record.seq, decision)),
            Entry::Delivery(_) | Entry::Stub(_) => None,
        })
        .collect();
    for (Proven { record: raw, .. }, record) in proven.iter().zip(records) {
        let Entry::Stub(stub) = &record.entry else { continue };
        let named = decisions.get(&stub.why.decision_seq).and_then(|decision| decision.of_log());
        let named = named.iter().flat_map(|said| &said.records).find(|named| named.seq == raw.seq);
        let digest = hex(&sha256(&raw.meta));
        if named.is_none_or(|named| named.stub_sha256.as_ref() != Some(&digest)) {
            let what = "the decision that removed its bytes is not in the bundle, or says something else".to_owned();
            return Err(BundleError::Record { seq: raw.seq, what });
        }
    }
    Ok(())
}

fn read(item: &Item) -> Result<Proven, BundleError> {
    let wrong = |what: &str| BundleError::Record { seq: item.seq, what: what.to_owned() };
    let bytes = |text: &str| STANDARD.decode(text).map(Bytes::from).map_err(|_| wrong("its bytes are not base64"));
    let link = |text: &str| unhex(text).ok_or_else(|| wrong("a link of it is not written as one"));
    let kind = match item.kind.as_str() {
        "delivery" => Kind::Delivery,
        "decision" => Kind::Decision,
        "stub" => Kind::Stub,
        _ => return Err(wrong("its kind is not known")),
    };
    if PROOF_HASHES_MAX < item.inclusion.len() {
        return Err(wrong("its path is too long"));
    }
    let record = RawRecord {
        seq: item.seq,
        previous: link(&item.previous)?,
        link: link(&item.link)?,
        kind: kind.byte(),
        meta: bytes(&item.meta)?,
        body: bytes(&item.body)?,
    };
    let path: Vec<Link> = item.inclusion.iter().map(|hash| link(hash)).collect::<Result<_, _>>()?;
    Ok(Proven { record, path })
}

fn write(about: &str, key: &VerifierKey, note: &str, proven: &[Proven]) -> Result<Vec<u8>, BundleError> {
    let (mut items, mut evidence) = (Vec::new(), Vec::new());
    for Proven { record: raw, path } in proven {
        let wrong = |what: String| BundleError::Record { seq: raw.seq, what };
        let record = check::parts(raw).map_err(|error| wrong(error.to_string()))?;
        if let Entry::Decision(decision) = &record.entry
            && let Some(seen) = seen(raw.seq, decision)
        {
            evidence.push(seen);
        }
        items.push(Item {
            seq: raw.seq,
            kind: match &record.entry {
                Entry::Delivery(_) => "delivery",
                Entry::Decision(_) => "decision",
                Entry::Stub(_) => "stub",
            }
            .to_owned(),
            says: says(&record.entry),
            previous: hex(&raw.previous),
            link: hex(&raw.link),
            meta: STANDARD.encode(&raw.meta),
            body: STANDARD.encode(&raw.body),
            inclusion: path.iter().map(hex).collect(),
        });
    }
    let file = File {
        format: FORMAT.to_owned(),
        about: about.to_owned(),
        public_key: key.to_string(),
        checkpoint: note.to_owned(),
        records: items,
        chain_evidence: evidence.into(),
    };
    let mut written = serde_json::to_vec_pretty(&file).map_err(|error| BundleError::Malformed(error.to_string()))?;
    written.push(b'\n');
    Ok(written)
}

/// What was seen on a chain, from the decision that was taken on it.
fn seen(seq: u64, decision: &Decision) -> Option<Value> {
    let body: Value = serde_json::from_slice(&decision.body).ok()?;
    let detail = body.get("detail").filter(|detail| detail.as_object().is_some_and(|detail| !detail.is_empty()))?;
    Some(json!({"decision": seq, "event_id": decision.event_id, "to": decision.kind, "seen": detail}))
}

fn says(entry: &Entry) -> Value {
    match entry {
        Entry::Delivery(delivery) => json!({
            "delivery_id": delivery.id,
            "source": delivery.source,
            "received_us": delivery.received_us,
            "request_id": delivery.request_id,
            "peer": delivery.peer,
            "method": delivery.method,
            "target": delivery.target,
            "http_version": delivery.http_version,
            "headers": delivery.headers.iter().map(|(name, value)| json!([text(name), text(value)])).collect::<Vec<_>>(),
            "body_sha256": hex(&delivery.body_sha256),
            "body_bytes": delivery.body.len(),
            "signature": {
                "scheme": delivery.signature.scheme,
                "secret_name": delivery.signature.secret_name,
                "signed_at": delivery.signature.signed_at,
            },
            "admitted_from": delivery.admitted_from,
        }),
        Entry::Decision(decision) => json!({
            "ledger_id": decision.id.ledger_id,
            "epoch": decision.id.epoch,
            "table": decision.id.table,
            "number": decision.id.number,
            "at_us": decision.at_us,
            "event_id": decision.event_id,
            "kind": decision.kind,
            "body": serde_json::from_slice::<Value>(&decision.body).unwrap_or(Value::Null),
        }),
        Entry::Stub(stub) => json!({
            "delivery_id": stub.delivery_id,
            "source": stub.source,
            "received_us": stub.received_us,
            "meta_sha256": hex(&stub.meta_sha256),
            "body_sha256": hex(&stub.body_sha256),
            "body_bytes": stub.body_bytes,
            "removed": {
                "by": stub.why.by,
                "reason": stub.why.reason,
                "at_us": stub.why.at_us,
                "decision": stub.why.decision_seq,
            },
            "event_id": stub.event.as_ref().map(|event| event.event_id),
        }),
    }
}

/// Bytes of a header; what is no UTF-8 is marked, and the meta has it exactly.
fn text(bytes: &Bytes) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Whether a record is about an id: a delivery's or an event's, or one that a decision names.
fn speaks_of(entry: &Entry, about: &str) -> bool {
    let named = |id: &uuid::Uuid| id.to_string() == about;
    match entry {
        Entry::Delivery(delivery) => named(&delivery.id),
        Entry::Stub(stub) => {
            let event = stub.event.as_ref();
            let id = |id: &Option<String>| id.as_deref() == Some(about);
            named(&stub.delivery_id)
                || event
                    .is_some_and(|event| named(&event.event_id) || id(&event.payment_id) || id(&event.expectation_id))
        }
        Entry::Decision(decision) => {
            let body = serde_json::from_slice::<Value>(&decision.body).unwrap_or(Value::Object(Map::new()));
            decision.event_id.as_ref().is_some_and(named) || holds(&body, about)
        }
    }
}

/// Whether a text of the JSON, as a whole, is this one.
fn holds(json: &Value, about: &str) -> bool {
    match json {
        Value::String(text) => text == about,
        Value::Array(items) => items.iter().any(|item| holds(item, about)),
        Value::Object(fields) => fields.values().any(|item| holds(item, about)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests;
