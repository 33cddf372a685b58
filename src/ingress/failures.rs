//! How many wrong signatures a client may send before it hears 429.
//!
//! A table of fixed size, because its keys are chosen by attackers: shards of rows of cells, each cell a virtual
//! scheduling time (GCRA, ITU-T I.371). A full row gives up the cell that has the least to say. Forgetting a client
//! only forgives it; a client is never charged for another one, because a cell holds the whole address.
//! Time arrives as a value.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

/// Locks, so that clients seldom wait for each other.
const SHARDS: usize = 64;

/// Rows of a shard, and cells of a row: 64 x 16 x 8 = 8192 clients in 256 KiB.
const ROWS: usize = 16;
const CELLS: usize = 8;

/// Failures at once, and one more per this time after that.
const BURST: i64 = 30;
const INTERVAL_US: i64 = 2_000_000;

pub(super) struct Failures {
    shards: Vec<Mutex<Shard>>,
    hasher: RandomState,
    burst: i64,
    interval_us: i64,
}

type Shard = Vec<[Cell; CELLS]>;

#[derive(Clone, Copy, Default)]
struct Cell {
    /// 0 is nobody: `::` is no client.
    client: u128,
    /// When all counted failures are paid off, µs.
    paid_off_us: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Counted, and still within the allowance.
    Within,
    /// Over the allowance; one more is allowed after this time.
    Over { retry_after_s: u64 },
}

impl Failures {
    pub(super) fn new() -> Self {
        Self::with(BURST, INTERVAL_US)
    }

    /// `burst` failures at once, then one every `interval_us`.
    fn with(burst: i64, interval_us: i64) -> Self {
        let shard = || Mutex::new(vec![[Cell::default(); CELLS]; ROWS]);
        Self {
            shards: std::iter::repeat_with(shard).take(SHARDS).collect(),
            hasher: RandomState::new(),
            burst,
            interval_us,
        }
    }

    /// Counts one failure of a client at a time, µs since the epoch.
    pub(super) fn count(&self, client: IpAddr, now_us: i64) -> Verdict {
        let key = key(client);
        let hash = usize::try_from(self.hasher.hash_one(key) & 0xffff_ffff).unwrap_or_default();
        let Some(shard) = self.shards.get(hash % SHARDS) else { return Verdict::Within };
        let mut rows = shard.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(row) = rows.get_mut(hash / SHARDS % ROWS) else { return Verdict::Within };
        let found = row.iter().position(|cell| cell.client == key);
        // A free cell has paid off at 0, so it goes before any that is in use.
        let least = || row.iter().enumerate().min_by_key(|(_, cell)| cell.paid_off_us).map(|(index, _)| index);
        let Some(cell) = found.or_else(least).and_then(|index| row.get_mut(index)) else { return Verdict::Within };
        if found.is_none() {
            *cell = Cell { client: key, paid_off_us: now_us };
        }
        cell.charge(now_us, self.burst, self.interval_us)
    }
}

impl Cell {
    fn charge(&mut self, now_us: i64, burst: i64, interval_us: i64) -> Verdict {
        let full_us = burst.saturating_mul(interval_us);
        // A clock that was set back must not lock anyone out for longer than a full allowance takes.
        let from = self.paid_off_us.clamp(now_us, now_us.saturating_add(full_us));
        let next = from.saturating_add(interval_us);
        let over_us = next.saturating_sub(now_us).saturating_sub(full_us);
        if over_us <= 0 {
            self.paid_off_us = next;
            return Verdict::Within;
        }
        self.paid_off_us = from;
        let seconds = u64::try_from(over_us).unwrap_or_default().div_ceil(1_000_000);
        Verdict::Over { retry_after_s: seconds.max(1) }
    }
}

/// One IPv4 address, or the /64 of an IPv6 address: one customer holds all of it.
fn key(client: IpAddr) -> u128 {
    match client.to_canonical() {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits() & !u128::from(u64::MAX),
    }
}

#[cfg(test)]
mod tests;
