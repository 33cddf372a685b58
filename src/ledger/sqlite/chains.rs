//! What operators set for chains at run time, and the evidence of the chain that is kept for each payment.

use chain_config::TierSpec;
use rusqlite::{Connection, OptionalExtension, Row};

use super::audit;
use super::rows::{Id, Json, json};
use crate::ledger::{AuditEntry, ChainEvidence, Cordon, FinalityOverride, LedgerError, Who};
use crate::model::{Anchor, EventId};

/// Most rows shown: there are as many as chains and nodes were ever configured.
const SHOWN_MAX: i64 = 1_000;

/// Bytes of one bundle: a receipt may carry thousands of logs, and what is larger is not kept.
const BUNDLE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Keeps what proves an event's payment in a block; the first one of a block stays.
pub(super) fn keep_evidence(
    conn: &Connection,
    event: EventId,
    anchor: &Anchor,
    bundle: &str,
    now_us: i64,
) -> Result<(), LedgerError> {
    if bundle.len() > BUNDLE_BYTES_MAX {
        tracing::warn!(event_id = %event, bytes = bundle.len(), "evidence of the chain is too large to keep");
        return Ok(());
    }
    conn.prepare_cached(
        "INSERT INTO chain_evidence (event_id, block_hash, at_us, bundle) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (event_id, block_hash) DO NOTHING",
    )?
    .execute((Id::from(event), anchor.block_hash.as_slice(), now_us, bundle))?;
    Ok(())
}

/// What proves an event's payment.
pub(super) fn evidence(conn: &Connection, event: EventId) -> Result<Vec<ChainEvidence>, LedgerError> {
    let mut statement = conn.prepare_cached(
        "SELECT at_us, block_hash, bundle FROM chain_evidence WHERE event_id = ?1 ORDER BY at_us LIMIT ?2",
    )?;
    let found = statement.query_map((Id::from(event), SHOWN_MAX), |row| {
        Ok(ChainEvidence { at_us: row.get(0)?, block_hash: row.get(1)?, bundle: row.get(2)? })
    })?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// Sets a chain's tiers, or takes them back.
pub(super) fn set_finality(
    conn: &Connection,
    chain: &str,
    tiers: Option<&[TierSpec]>,
    by: &Who,
    now_us: i64,
) -> Result<bool, LedgerError> {
    let before: Option<String> = conn
        .prepare_cached("SELECT tiers FROM finality_overrides WHERE chain = ?1")?
        .query_row([chain], |row| row.get(0))
        .optional()?;
    let after = tiers.map(json_tiers).transpose()?;
    if before == after {
        return Ok(false);
    }
    match &after {
        Some(tiers) => {
            let by = audit::cut(by);
            conn.prepare_cached(
                "INSERT INTO finality_overrides (chain, tiers, by_name, by_from, reason, since_us)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT (chain) DO UPDATE SET tiers = excluded.tiers, by_name = excluded.by_name,
                    by_from = excluded.by_from, reason = excluded.reason, since_us = excluded.since_us",
            )?
            .execute((chain, tiers, by.name, by.from, by.reason, now_us))?;
        }
        None => {
            conn.prepare_cached("DELETE FROM finality_overrides WHERE chain = ?1")?.execute([chain])?;
        }
    }
    let what = if after.is_some() { "chain.set-finality" } else { "chain.unset-finality" };
    audited(conn, what, chain, (before, after), by, now_us)
}

fn json_tiers(tiers: &[TierSpec]) -> Result<String, LedgerError> {
    json(&tiers)
}

/// The tiers that were set.
pub(super) fn finality_overrides(conn: &Connection) -> Result<Vec<FinalityOverride>, LedgerError> {
    let mut statement = conn.prepare_cached(
        "SELECT chain, tiers, by_name, by_from, reason, since_us FROM finality_overrides ORDER BY chain LIMIT ?1",
    )?;
    let found = statement.query_map([SHOWN_MAX], |row| {
        let tiers = row.get::<_, Json<Vec<TierSpec>>>(1)?.0;
        Ok(FinalityOverride { chain: row.get(0)?, tiers, by: who(row, 2)?, since_us: row.get(5)? })
    })?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// Takes a node or a chain out of use, or back.
pub(super) fn set_cordon(
    conn: &Connection,
    chain: &str,
    node: &str,
    out: bool,
    by: &Who,
    now_us: i64,
) -> Result<bool, LedgerError> {
    let cut = audit::cut(by);
    let changed = if out {
        conn.prepare_cached(
            "INSERT INTO cordons (chain, node, by_name, by_from, reason, since_us) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (chain, node) DO NOTHING",
        )?
        .execute((chain, node, cut.name, cut.from, cut.reason, now_us))?
    } else {
        conn.prepare_cached("DELETE FROM cordons WHERE chain = ?1 AND node = ?2")?.execute((chain, node))?
    };
    if changed == 0 {
        return Ok(false);
    }
    let subject = if node.is_empty() { chain.to_owned() } else { format!("{chain}/{node}") };
    let what = if out { "chain.cordon" } else { "chain.uncordon" };
    let said = |out: bool| Some(if out { "\"out\"" } else { "\"in use\"" }.to_owned());
    audited(conn, what, &subject, (said(!out), said(out)), by, now_us)
}

/// What is out of use.
pub(super) fn cordons(conn: &Connection) -> Result<Vec<Cordon>, LedgerError> {
    let mut statement = conn.prepare_cached(
        "SELECT chain, node, by_name, by_from, reason, since_us FROM cordons ORDER BY chain, node LIMIT ?1",
    )?;
    let found = statement.query_map([SHOWN_MAX], |row| {
        Ok(Cordon { chain: row.get(0)?, node: row.get(1)?, by: who(row, 2)?, since_us: row.get(5)? })
    })?;
    Ok(found.collect::<Result<_, _>>()?)
}

fn who(row: &Row<'_>, at: usize) -> rusqlite::Result<Who> {
    Ok(Who { name: row.get(at)?, from: row.get(at.saturating_add(1))?, reason: row.get(at.saturating_add(2))? })
}

/// Adds to the audit what was before and after, as JSON texts.
fn audited(
    conn: &Connection,
    what: &str,
    subject: &str,
    (before, after): (Option<String>, Option<String>),
    by: &Who,
    now_us: i64,
) -> Result<bool, LedgerError> {
    let value = |text: Option<String>| text.and_then(|text| serde_json::from_str(&text).ok());
    let entry = AuditEntry {
        at_us: now_us,
        by: by.clone(),
        what: what.to_owned(),
        subject: Some(subject.to_owned()),
        event_id: None,
        before: value(before),
        after: value(after),
    };
    audit::add(conn, &entry)?;
    Ok(true)
}
