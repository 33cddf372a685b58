//! Money that an operator judged by hand becomes the event that a search would have made of it.
//!
//! It decides nothing about money: the event is judged like any other. It must never make a second one about the same
//! transfer, and the audit has who did it in the same transaction.

use rusqlite::Connection;
use serde_json::json as object;

use super::rows::damaged;
use super::{audit, intake, scan};
use crate::ledger::{AuditEntry, LedgerError, ScanFind, Submission, Submitted};
use crate::model::{EventId, Identity};

/// Makes the event, unless one is about it.
pub(super) fn take(conn: &Connection, submission: &Submission) -> Result<Submitted, LedgerError> {
    let Submission { find, by, now_us } = submission;
    if let Some(known) = known(conn, find)? {
        return Ok(Submitted::Known(known));
    }
    let Some(made) = scan::take_one(conn, *now_us, find)? else {
        return Err(damaged("a submission without a transfer, or of one that only a tombstone holds"));
    };
    let sighting = &find.sighting;
    let after = object!({
        "chain_id": sighting.chain_id,
        "tx_hash": sighting.tx_hash,
        "slots": find.slots.iter().map(|key| key.slot.to_string()).collect::<Vec<_>>(),
        "expectation": sighting.expectation_id,
    });
    audit::add(
        conn,
        &AuditEntry {
            at_us: *now_us,
            by: by.clone(),
            what: "payment.submit".to_owned(),
            subject: Some(sighting.tx_hash.to_string()),
            event_id: Some(made),
            before: None,
            after: Some(after),
        },
    )?;
    Ok(Submitted::Made(made))
}

/// The event that was made of the transfer, or is about it.
fn known(conn: &Connection, find: &ScanFind) -> Result<Option<EventId>, LedgerError> {
    let facts = &find.facts;
    if let Some(lowest) = find.slots.iter().min() {
        let identity = Identity::of_transfer(&facts.provider, &facts.realm, lowest);
        if let Some(event) = intake::find(conn, &identity)? {
            return Ok(Some(event));
        }
    }
    scan::about(conn, find)
}
