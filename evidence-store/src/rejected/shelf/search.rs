//! Reading the ring: by id, or newest first with filters. Ids are UUIDv7, so their order is that of arrival.

use bytes::Bytes;
use rocksdb::{Direction, IteratorMode, ReadOptions};
use uuid::Uuid;

use super::{Shelf, family};
use crate::delivery::{NewRejected, RejectedFilter, RejectedPage, RejectedRecord};
use crate::engine::Fault;
use crate::error::ReadError;
use crate::rejected::rows::{self, Row};
use crate::{envelope, meta};

/// Rows that one read looks at before it answers with what it found and where to go on.
const READ_ROWS_MAX: usize = 50_000;
/// Bytes of bodies that one read answers, about; at least one request is answered.
const READ_BYTES_MAX: usize = 8 * 1024 * 1024;

impl Shelf {
    /// One entry.
    pub(in crate::rejected) fn find(&self, id: Uuid) -> Result<Option<RejectedRecord>, ReadError> {
        match self.row(id)? {
            Some(row) => self.record(&row),
            None => Ok(None),
        }
    }

    /// Ids from `low` to `high`, with their sources.
    pub(in crate::rejected) fn ids(
        &self,
        low: Uuid,
        high: Uuid,
        limit: usize,
    ) -> Result<Vec<(Uuid, String)>, ReadError> {
        let from = IteratorMode::From(low.as_bytes(), Direction::Forward);
        let mut found = Vec::new();
        for row in self.db.iterator_cf(family(&self.db, rows::IDS)?, from).take(limit) {
            let (id, row) = row.map_err(Fault::from)?;
            let Some(id) = Uuid::from_slice(&id).ok().filter(|id| *id <= high) else { break };
            found.push((id, Row::read(&row)?.source));
        }
        Ok(found)
    }

    /// What passes the filter and is older than `after`, newest first.
    pub(in crate::rejected) fn search(
        &self,
        filter: &RejectedFilter,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<RejectedPage, ReadError> {
        let mut options = ReadOptions::default();
        options.fill_cache(false);
        if let Some(since_us) = filter.since_us {
            options.set_iterate_lower_bound(first_id_of(since_us, 0).as_bytes().to_vec());
        }
        let until = filter.until_us.map(|until_us| first_id_of(until_us, 1));
        if let Some(end) = [until, after].into_iter().flatten().min() {
            options.set_iterate_upper_bound(end.as_bytes().to_vec());
        }
        let (mut page, mut bytes) = (RejectedPage::default(), 0_usize);
        let ids = self.db.iterator_cf_opt(family(&self.db, rows::IDS)?, options, IteratorMode::End);
        for (looked, row) in (1..).zip(ids) {
            let (id, row) = row.map_err(Fault::from)?;
            let row = Row::read(&row)?;
            if passes(filter, &row)
                && let Some(record) = self.record(&row)?
            {
                bytes = bytes.saturating_add(record.request.body.len());
                page.records.push(record);
            }
            if limit <= page.records.len() || READ_BYTES_MAX <= bytes || READ_ROWS_MAX <= looked {
                page.next = Uuid::from_slice(&id).ok();
                break;
            }
        }
        Ok(page)
    }

    /// The entry of a row; none when it was evicted meanwhile or is damaged.
    fn record(&self, row: &Row) -> Result<Option<RejectedRecord>, ReadError> {
        let Some(named) = rows::named(&row.source) else { return Ok(None) };
        let key = rows::numbered(&named, row.number);
        let Some(stored) = self.db.get_cf(family(&self.db, rows::ENTRIES)?, key).map_err(Fault::from)? else {
            return Ok(None);
        };
        match decode(&Bytes::from(stored)) {
            Ok(request) => Ok(Some(RejectedRecord { request, admitted_as: row.delivery() })),
            Err(what) => {
                tracing::warn!(source = row.source, what, "a rejected request is damaged and left out");
                Ok(None)
            }
        }
    }
}

fn passes(filter: &RejectedFilter, row: &Row) -> bool {
    let is = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|wanted| wanted == found);
    (filter.sources.is_empty() || filter.sources.contains(&row.source))
        && is(&filter.code, &row.code)
        && is(&filter.peer, &row.peer)
        && filter.since_us.is_none_or(|since_us| since_us <= row.received_us)
        && filter.until_us.is_none_or(|until_us| row.received_us < until_us)
}

/// The lowest UUIDv7 of the millisecond of a time, or of one that follows it.
fn first_id_of(us: i64, following: u64) -> Uuid {
    let ms = u64::try_from(us.div_euclid(1000)).unwrap_or(0).saturating_add(following);
    let ms = ms.min(u64::MAX >> 16);
    Uuid::from_u128(u128::from(ms) << 80)
}

/// An entry as it is stored.
pub(super) fn decode(stored: &Bytes) -> Result<NewRejected, String> {
    let envelope = envelope::decode(stored).map_err(|error| error.to_string())?;
    meta::rejected(envelope.meta, envelope.body).map_err(|error| error.to_string())
}
