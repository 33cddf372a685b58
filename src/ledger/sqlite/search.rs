//! Lists by filter: which rows, in which order, and never more looked at than [`LOOKED_AT_MAX`] a page.
//!
//! Both lists are ordered by (time received, row), which never change, so a page goes on exactly where the last one
//! ended, whatever was written meanwhile. Every filter says two things: whether a row fits, and where the rows that
//! fit are found. A page takes the filter that fits fewest rows and reads those. When all fit many, it reads along an
//! index in the list's order and ends early, with a cursor, when it has looked at enough.

use rusqlite::types::Value;
use rusqlite::{Connection, Statement, params_from_iter};

use super::rows::json;
use crate::ledger::{Filter, LedgerError, Sought};

mod places;

use places::{Place, event_places};

/// Rows that one page looks at.
pub(super) const LOOKED_AT_MAX: usize = 20_000;

/// A filter that fits so few rows is good enough: the others are not counted.
const FEW: usize = 200;

/// Which list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum List {
    Deliveries,
    Events,
}

/// A statement and its values, in step.
#[derive(Debug, Clone, Default)]
pub(super) struct Sql {
    pub(super) text: String,
    pub(super) values: Vec<Value>,
}

impl Sql {
    pub(super) fn new(text: impl Into<String>, values: impl IntoIterator<Item = Value>) -> Self {
        Self { text: text.into(), values: values.into_iter().collect() }
    }

    fn push(&mut self, other: &Self) {
        self.text.push_str(&other.text);
        self.values.extend(other.values.iter().cloned());
    }

    fn then(mut self, text: &str) -> Self {
        self.text.push_str(text);
        self
    }

    fn and(mut self, other: &Self) -> Self {
        self.push(other);
        self
    }

    fn run<'a>(&self, statement: &'a mut Statement<'_>) -> rusqlite::Result<rusqlite::Rows<'a>> {
        statement.query(params_from_iter(&self.values))
    }
}

/// One filter.
struct Part {
    /// Whether a row fits: `e` is its event, `d` the delivery in a list of deliveries.
    fits: Sql,
    /// Where those that fit are; none when only reading tells.
    place: Option<Place>,
}

/// Where a page is between, in the list's order: received at or after, and before (time, row).
#[derive(Debug, Clone, Copy)]
struct Range {
    since_us: i64,
    before: (i64, i64),
}

impl Range {
    fn of(filter: &Filter) -> Result<Self, LedgerError> {
        let mut before = (filter.until_us.unwrap_or(i64::MAX), i64::MIN);
        if filter.until_us.is_none() {
            before.1 = i64::MAX;
        }
        if let Some(after) = &filter.after {
            before = before.min(read_cursor(after)?);
        }
        Ok(Self { since_us: filter.since_us.unwrap_or(i64::MIN), before })
    }

    /// As a condition on the rows called `s`.
    fn sql(self) -> Sql {
        let (us, id) = self.before;
        let values = [Value::Integer(self.since_us), Value::Integer(us), Value::Integer(id)];
        Sql::new("s.received_us >= ? AND (s.received_us, s.id) < (?, ?)", values)
    }
}

fn read_cursor(text: &str) -> Result<(i64, i64), LedgerError> {
    let parts = text.split_once('.').and_then(|(us, id)| us.parse().ok().zip(id.parse().ok()));
    parts.ok_or_else(|| LedgerError::BadCursor(text.to_owned()))
}

/// The cursor of a row.
pub(super) fn cursor((received_us, id): (i64, i64)) -> String {
    format!("{received_us}.{id}")
}

/// Rows of a page, and where the next one begins.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) rows: Vec<(i64, i64)>,
    pub(super) next: Option<(i64, i64)>,
}

/// Finds a page of at most `limit` rows, looking at no more than `budget`.
pub(super) fn page(
    conn: &Connection,
    list: List,
    filter: &Filter,
    limit: usize,
    budget: usize,
) -> Result<Found, LedgerError> {
    let range = Range::of(filter)?;
    let parts = parts(list, filter)?;
    let by = choose(conn, &parts, range, budget)?;
    walk(conn, &statement(list, &parts, by, range), limit, budget)
}

/// What a page is read by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    /// The rows of this filter, which are few; sorted.
    Few(usize),
    /// The rows of this filter, along an index in the list's order.
    Along(usize),
    /// All rows, in the list's order.
    Time,
}

/// The filter with the fewest rows, if there are no more than the page may look at.
fn choose(conn: &Connection, parts: &[Part], range: Range, budget: usize) -> Result<By, LedgerError> {
    let placed = || parts.iter().enumerate().filter_map(|(at, part)| Some((at, part.place.as_ref()?)));
    let along = placed().find(|(_, place)| place.in_order()).map(|(at, _)| By::Along(at));
    if parts.len() == 1
        && let Some(along) = along
    {
        return Ok(along);
    }
    let mut fewest: Option<(usize, usize)> = None;
    for (at, place) in placed() {
        let bound = Value::Integer(i64::try_from(budget.saturating_add(1)).unwrap_or(i64::MAX));
        let rows = match place {
            Place::InOrder(rows) => rows.clone().then(" AND ").and(&range.sql()),
            Place::Set(rows) => rows.clone(),
        };
        let sql = Sql::new("SELECT COUNT(*) FROM (", []).and(&rows).and(&Sql::new(" LIMIT ?)", [bound]));
        let mut statement = conn.prepare_cached(&sql.text)?;
        let rows: i64 = statement.query_row(params_from_iter(&sql.values), |row| row.get(0))?;
        let rows = usize::try_from(rows).unwrap_or(usize::MAX);
        if rows <= budget && fewest.is_none_or(|(least, _)| rows < least) {
            fewest = Some((rows, at));
        }
        if rows <= FEW {
            break;
        }
    }
    Ok(fewest.map(|(_, at)| By::Few(at)).or(along).unwrap_or(By::Time))
}

/// Rows in the list's order, each with whether it fits.
fn statement(list: List, parts: &[Part], by: By, range: Range) -> Sql {
    let own = match by {
        By::Few(at) | By::Along(at) => Some(at),
        By::Time => None,
    };
    let mut sql = Sql::new("SELECT s.received_us, s.id, (1", []);
    for (_, part) in parts.iter().enumerate().filter(|(at, _)| Some(*at) != own) {
        sql = sql.then(" AND ").and(&part.fits);
    }
    sql = sql.then(") FROM (");
    let place = own.and_then(|at| parts.get(at)).and_then(|part| part.place.as_ref());
    sql = match (by, place) {
        (By::Few(_), Some(Place::InOrder(rows) | Place::Set(rows))) => {
            sql.then("SELECT DISTINCT received_us, id FROM (").and(rows).then(")")
        }
        (By::Along(_), Some(Place::InOrder(rows))) => sql.and(rows),
        (By::Time | By::Few(_) | By::Along(_), _) => sql.then(match list {
            List::Deliveries => "SELECT s.received_us, s.id FROM deliveries s INDEXED BY delivery_received WHERE 1",
            List::Events => "SELECT s.received_us, s.id FROM events s INDEXED BY event_received WHERE 1",
        }),
    };
    sql = sql.then(") s").then(match list {
        List::Deliveries => " CROSS JOIN deliveries d ON d.id = s.id LEFT JOIN events e ON e.id = d.event WHERE ",
        List::Events => " CROSS JOIN events e ON e.id = s.id WHERE ",
    });
    sql.and(&range.sql()).then(" ORDER BY s.received_us DESC, s.id DESC")
}

/// Reads until the page is full, or enough was looked at.
fn walk(conn: &Connection, sql: &Sql, limit: usize, budget: usize) -> Result<Found, LedgerError> {
    let mut statement = conn.prepare(&sql.text)?;
    let mut rows = sql.run(&mut statement)?;
    let mut found = Found { rows: Vec::new(), next: None };
    let (mut looked, mut last) = (0_usize, None);
    while let Some(row) = rows.next()? {
        if found.rows.len() >= limit || looked >= budget {
            found.next = last;
            break;
        }
        let at = (row.get(0)?, row.get(1)?);
        if row.get::<_, Option<bool>>(2)? == Some(true) {
            found.rows.push(at);
        }
        looked = looked.saturating_add(1);
        last = Some(at);
    }
    Ok(found)
}

fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

/// What the filter asks for, those that fit fewest first.
fn parts(list: List, filter: &Filter) -> Result<Vec<Part>, LedgerError> {
    let of_events = |(fits, place): (Sql, Place)| match list {
        List::Events => Part { fits, place: Some(place) },
        List::Deliveries => Part { fits, place: Some(place.of_their_deliveries()) },
    };
    let mut all = Vec::new();
    if let Some(q) = &filter.q {
        let sought = Sought::of(q);
        all.push(of_events(places::sought(&sought)?));
        if let (List::Deliveries, Some((low, high))) = (list, sought.ids) {
            places::or_ids(all.last_mut(), low, high);
        }
    }
    all.extend(event_places(filter)?.into_iter().map(of_events));
    if let Some(code) = filter.code {
        let code = text(code.as_str());
        all.push(of_events(places::code(&code)));
        if list == List::Deliveries {
            places::or_own_code(all.last_mut(), &code);
        }
    }
    if filter.paid {
        all.push(Part { fits: Sql::new("e.payment_id IS NOT NULL", []), place: None });
    }
    let row = if list == List::Events { "e" } else { "d" };
    let only = filter.sources.first().filter(|_| filter.sources.len() == 1);
    for source in filter.source.iter().chain(only) {
        let rows = match list {
            List::Events => "SELECT s.received_us, s.id FROM events s INDEXED BY event_source WHERE s.source = ?",
            List::Deliveries => {
                "SELECT s.received_us, s.id FROM deliveries s INDEXED BY delivery_source WHERE s.source = ?"
            }
        };
        let place = Some(Place::InOrder(Sql::new(rows, [text(source)])));
        all.push(Part { fits: Sql::new(format!("{row}.source = ?"), [text(source)]), place });
    }
    if filter.sources.len() > 1 {
        let allowed = Value::Text(json(&filter.sources)?);
        let fits = Sql::new(format!("{row}.source IN (SELECT value FROM json_each(?))"), [allowed]);
        all.push(Part { fits, place: None });
    }
    Ok(all)
}

#[cfg(test)]
mod tests;
