//! Waking by height: what waits for a chain to get somewhere, and what stands on blocks that may be gone.
//!
//! Nothing here decides: waking makes an event due and no more. What was reached changes no version, so that a judgement
//! in the middle of being written stays valid; what it then waits for is woken by the next head. Lost blocks do: a
//! judgement that was made on them is not written any more, and made again. So does a depth that was eased.

use chain_config::{Need, Tag};
use rusqlite::{Connection, OptionalExtension};

use super::rows::int;
use crate::ledger::{LedgerError, Reach, Reached};

/// Most events woken in one transaction; the rest by the next call.
const WOKEN_MAX: i64 = 10_000;

/// Events that wait for a reach, up to a height. The index is named: without it this reads all that waits.
pub(super) const WAITING: &str = "SELECT id FROM events INDEXED BY event_wait
     WHERE wait_chain = ?1 AND wait_reach = ?2 AND wait_height <= ?3 AND due_us > ?4 LIMIT ?5";

/// Events that stand on a block from a height on.
pub(super) const ANCHORED: &str = "SELECT id FROM events INDEXED BY event_anchor
     WHERE anchor ->> '$.chain_id' = ?1 AND anchor ->> '$.block_number' >= ?2 AND anchor IS NOT NULL
        AND state IN ('awaiting_finality', 'undetermined', 'forwarding', 'forwarded', 'dead')
        AND (due_us IS NULL OR due_us <> ?3 OR wait_chain IS NOT NULL) LIMIT ?4";

/// Retracted events that wait in another block than the one they lost: that block may be gone too. What they wait for
/// is never below it.
pub(super) const RETRACTED: &str = "SELECT id FROM events INDEXED BY event_wait
     WHERE wait_chain = ?1 AND wait_reach IN ('head', 'safe', 'finalized') AND wait_height >= ?2
        AND state = 'retracted' LIMIT ?4";

/// Retracted events that are being looked at: what was seen of them may be in a block that is gone. There are few.
pub(super) const SEARCHED: &str = "SELECT id FROM events INDEXED BY event_state
     WHERE state = 'retracted' AND wait_chain IS NULL AND due_us < ?3
        AND (anchor IS NULL OR anchor ->> '$.chain_id' = ?1) LIMIT ?4";

/// Events that wait for a reach; for the head, those that wait for so many blocks on top of theirs. A retracted one stands on another block
/// than its anchor's: all of them are woken, there are few.
const EASED: &str = "SELECT id FROM events INDEXED BY event_wait
     WHERE wait_chain = ?1 AND wait_reach = ?2 AND state IN ('awaiting_finality', 'retracted')
        AND (?3 IS NULL OR state = 'retracted' OR wait_height - (anchor ->> '$.block_number') BETWEEN ?3 AND ?6) LIMIT ?5";

/// Wakes what waits for more than it has to.
pub(super) fn wake_eased(conn: &Connection, chain_id: u64, need: Need, now_us: i64) -> Result<u64, LedgerError> {
    let (reach, on_top) = match need {
        // The block itself is the first confirmation.
        Need::Confirmations { above, up_to } => (Reach::Head, Some((int(above)?, int(up_to.saturating_sub(1))?))),
        Need::Tag(Tag::Safe) => (Reach::Safe, None),
        Need::Tag(Tag::Finalized) => (Reach::Finalized, None),
    };
    let (least, most) = on_top.unzip();
    let rows = conn
        .prepare_cached(&format!(
            "UPDATE events SET due_us = ?4, version = version + 1,
                wait_chain = NULL, wait_reach = NULL, wait_height = NULL
             WHERE id IN ({EASED})"
        ))?
        .execute((int(chain_id)?, reach.as_str(), least, now_us, WOKEN_MAX, most))?;
    Ok(u64::try_from(rows).unwrap_or(u64::MAX))
}

/// Wakes what waits for what was reached.
pub(super) fn wake_reached(conn: &Connection, reached: &Reached, now_us: i64) -> Result<u64, LedgerError> {
    let heights =
        [(Reach::Head, Some(reached.head)), (Reach::Safe, reached.safe), (Reach::Finalized, reached.finalized)];
    let mut woken = 0_u64;
    for (reach, height) in heights {
        let Some(height) = height else { continue };
        let rows = conn
            .prepare_cached(&format!("UPDATE events SET due_us = ?4 WHERE id IN ({WAITING})"))?
            .execute((int(reached.chain_id)?, reach.as_str(), int(height)?, now_us, WOKEN_MAX))?;
        woken = woken.saturating_add(u64::try_from(rows).unwrap_or(u64::MAX));
    }
    Ok(woken)
}

/// Wakes what stands on blocks from a height on: it is looked at, whatever it waited for, and again if it is just being
/// looked at. Told again for the same moment, it wakes nothing twice.
pub(super) fn wake_anchored(
    conn: &Connection,
    chain_id: u64,
    from_height: u64,
    now_us: i64,
) -> Result<u64, LedgerError> {
    let mut woken = 0_u64;
    for ids in [ANCHORED, RETRACTED, SEARCHED] {
        let rows = conn
            .prepare_cached(&format!(
                "UPDATE events SET due_us = ?3, version = version + 1,
                    wait_chain = NULL, wait_reach = NULL, wait_height = NULL
                 WHERE id IN ({ids})"
            ))?
            .execute((int(chain_id)?, int(from_height)?, now_us, WOKEN_MAX))?;
        woken = woken.saturating_add(u64::try_from(rows).unwrap_or(u64::MAX));
    }
    Ok(woken)
}

/// Whether anything waits for the chain or stands on it.
pub(super) fn is_watched(conn: &Connection, chain_id: u64) -> Result<bool, LedgerError> {
    let waits: Option<i64> = conn
        .prepare_cached("SELECT 1 FROM events INDEXED BY event_wait WHERE wait_chain = ?1 LIMIT 1")?
        .query_row([int(chain_id)?], |row| row.get(0))
        .optional()?;
    if waits.is_some() {
        return Ok(true);
    }
    let stands: Option<i64> = conn
        .prepare_cached(
            "SELECT 1 FROM events INDEXED BY event_anchor WHERE anchor ->> '$.chain_id' = ?1 AND anchor IS NOT NULL
                AND state IN ('awaiting_finality', 'undetermined', 'forwarding', 'forwarded', 'dead')
                AND due_us IS NOT NULL LIMIT 1",
        )?
        .query_row([int(chain_id)?], |row| row.get(0))
        .optional()?;
    Ok(stands.is_some())
}
