//! What each filter means for an event, and by which index the events that fit are found.

use rusqlite::types::Value;
use uuid::Uuid;

use super::{Part, Sql, text};
use crate::ledger::sqlite::rows::{json, plain_tx};
use crate::ledger::{Filter, LedgerError, Sought};

/// Where the rows are that a filter fits: a query of (`received_us`, `id`).
pub(super) enum Place {
    /// Along an index in the order of the list. It reads a table called `s` and ends in a condition.
    InOrder(Sql),
    /// In any order; a row may come more than once.
    Set(Sql),
}

impl Place {
    pub(super) const fn in_order(&self) -> bool {
        matches!(self, Self::InOrder(_))
    }

    /// The deliveries of those events, which have an order of their own.
    pub(super) fn of_their_deliveries(self) -> Self {
        let (Self::InOrder(events) | Self::Set(events)) = self;
        let rest = ") s CROSS JOIN events v ON v.id = s.id
             CROSS JOIN deliveries d INDEXED BY delivery_event ON d.event = v.id";
        Self::Set(Sql::new("SELECT d.received_us, d.id FROM (", []).and(&events).then(rest))
    }
}

/// A column of the events with an index in the list's order.
fn column(name: &str, index: &str, value: Value) -> (Sql, Place) {
    let rows = format!("SELECT s.received_us, s.id FROM events s INDEXED BY {index} WHERE s.{name} = ?");
    (Sql::new(format!("e.{name} = ?"), [value.clone()]), Place::InOrder(Sql::new(rows, [value])))
}

/// A term that an event may have several of.
fn term(kind: &str, value: &str) -> (Sql, Place) {
    let fits = "EXISTS (SELECT 1 FROM event_terms n WHERE n.kind = ? AND n.term = ?
            AND n.received_us = e.received_us AND n.id = e.id)";
    let rows = "SELECT s.received_us, s.id FROM event_terms s WHERE s.kind = ? AND s.term = ?";
    let values = [text(kind), text(value)];
    (Sql::new(fits, values.clone()), Place::InOrder(Sql::new(rows, values)))
}

/// Any of several terms: indexes have no order across them.
fn any_term(kind: &str, values: &[String]) -> Result<(Sql, Place), LedgerError> {
    if let [one] = values {
        return Ok(term(kind, one));
    }
    let fits = "EXISTS (SELECT 1 FROM json_each(?) w CROSS JOIN event_terms n ON n.kind = ? AND n.term = w.value
            AND n.received_us = e.received_us AND n.id = e.id)";
    let rows = "SELECT n.received_us, n.id FROM json_each(?) w
         CROSS JOIN event_terms n ON n.kind = ? AND n.term = w.value";
    let values = [Value::Text(json(&values)?), text(kind)];
    Ok((Sql::new(fits, values.clone()), Place::Set(Sql::new(rows, values))))
}

/// A column of the claims: few events share a value.
fn claimed(column: &str, value: &str) -> (Sql, Place) {
    let fits = format!("EXISTS (SELECT 1 FROM claim_versions c WHERE c.event_id = e.event_id AND +c.{column} = ?)");
    let rows = format!(
        "SELECT v.received_us, v.id FROM claim_versions c CROSS JOIN events v ON v.event_id = c.event_id
         WHERE c.{column} = ?"
    );
    (Sql::new(fits, [text(value)]), Place::Set(Sql::new(rows, [text(value)])))
}

/// A transaction, as claimed or as proven.
fn transaction(given: &str) -> (Sql, Place) {
    let tx = plain_tx(given);
    let hash = Value::Blob(hex::decode(tx.trim_start_matches("0x")).unwrap_or_default());
    let fits = "(EXISTS (SELECT 1 FROM claim_versions c WHERE c.event_id = e.event_id AND +c.tx = ?)
            OR EXISTS (SELECT 1 FROM transfer_claims t WHERE t.event_id = e.event_id AND +t.tx_hash = ?))";
    let rows = "SELECT v.received_us, v.id FROM claim_versions c CROSS JOIN events v ON v.event_id = c.event_id
         WHERE c.tx = ?
         UNION ALL
         SELECT v.received_us, v.id FROM transfer_claims t CROSS JOIN events v ON v.event_id = t.event_id
         WHERE t.tx_hash = ?";
    let values = [Value::Text(tx), hash];
    (Sql::new(fits, values.clone()), Place::Set(Sql::new(rows, values)))
}

/// The filters that are about events, those that fit fewest first.
pub(super) fn event_places(filter: &Filter) -> Result<Vec<(Sql, Place)>, LedgerError> {
    let mut all = Vec::new();
    let mut add = |found: Option<(Sql, Place)>| all.extend(found);
    let of =
        |value: &Option<String>, index: &str, name: &str| value.as_ref().map(|value| column(name, index, text(value)));
    add(of(&filter.payment, "event_payment", "payment_id"));
    add(filter.tx.as_ref().map(|tx| transaction(tx)));
    add(filter.payment_reference.as_ref().map(|value| claimed("payment_reference", value)));
    add(filter.request_id.as_ref().map(|value| claimed("request_id", value)));
    add(of(&filter.expectation, "event_expectation", "expectation_id"));
    add(filter.address.as_ref().map(|value| term("address", value)));
    add(filter.account.as_ref().map(|value| term("account", value)));
    add(filter.state.map(|state| column("state", "event_state", text(state.as_str()))));
    add(filter.message_type.as_ref().map(|value| term("type", value)));
    add(of(&filter.provider_type, "event_provider_type", "provider_type"));
    if !filter.chain.is_empty() {
        add(Some(any_term("chain", &filter.chain)?));
    }
    Ok(all)
}

/// An outcome code of events.
pub(super) fn code(code: &Value) -> (Sql, Place) {
    column("code", "event_code", code.clone())
}

/// Or of the delivery itself, when it made no event.
pub(super) fn or_own_code(part: Option<&mut Part>, code: &Value) {
    let rows = "SELECT o.received_us, o.id FROM deliveries o INDEXED BY delivery_code WHERE o.code = ?";
    or(part, "d.code = ?", rows, [code.clone()]);
}

/// Or a delivery with such an id.
pub(super) fn or_ids(part: Option<&mut Part>, low: Uuid, high: Uuid) {
    let values = [low, high].map(|id| Value::Blob(id.as_bytes().to_vec()));
    let rows = "SELECT o.received_us, o.id FROM deliveries o WHERE o.delivery_id BETWEEN ? AND ?";
    or(part, "d.delivery_id BETWEEN ? AND ?", rows, values);
}

fn or<const N: usize>(part: Option<&mut Part>, fits: &str, rows: &str, values: [Value; N]) {
    let Some(part) = part else { return };
    part.fits = Sql::new("(", []).and(&part.fits).and(&Sql::new(format!(" OR {fits})"), values.clone()));
    if let Some(Place::InOrder(place) | Place::Set(place)) = part.place.take() {
        part.place = Some(Place::Set(place.and(&Sql::new(format!(" UNION ALL {rows}"), values))));
    }
}

/// Whatever is known by one string.
pub(super) fn sought(sought: &Sought) -> Result<(Sql, Place), LedgerError> {
    let texts = || -> Result<Value, LedgerError> { Ok(Value::Text(json(&sought.texts)?)) };
    let mut fits = Sql::new("(0", []);
    let mut rows = Sql::new("SELECT 0 AS received_us, 0 AS id WHERE 0", []);
    let mut add = |fit: &str, place: &str, values: Vec<Value>| {
        fits = std::mem::take(&mut fits).then(" OR ").and(&Sql::new(fit, values.clone()));
        rows = std::mem::take(&mut rows).then(" UNION ALL ").and(&Sql::new(place, values));
    };
    for (name, index) in [("payment_id", "event_payment"), ("expectation_id", "event_expectation")] {
        let place = format!(
            "SELECT v.received_us, v.id FROM json_each(?) w CROSS JOIN events v INDEXED BY {index} ON v.{name} = w.value"
        );
        add(&format!("e.{name} IN (SELECT value FROM json_each(?))"), &place, vec![texts()?]);
    }
    for name in ["request_id", "payment_reference", "tx"] {
        let fit = format!(
            "EXISTS (SELECT 1 FROM claim_versions c WHERE c.event_id = e.event_id
                AND +c.{name} IN (SELECT value FROM json_each(?)))"
        );
        let place = format!(
            "SELECT v.received_us, v.id FROM json_each(?) w CROSS JOIN claim_versions c ON c.{name} = w.value
             CROSS JOIN events v ON v.event_id = c.event_id"
        );
        add(&fit, &place, vec![texts()?]);
    }
    let fit = "EXISTS (SELECT 1 FROM json_each(?) w CROSS JOIN claim_objects o
            ON o.object = w.value AND o.event_id = e.event_id)";
    let place = "SELECT v.received_us, v.id FROM json_each(?) w CROSS JOIN claim_objects o ON o.object = w.value
         CROSS JOIN events v ON v.event_id = o.event_id";
    add(fit, place, vec![texts()?]);
    for kind in ["account", "address", "key"] {
        let (fit, Place::InOrder(place) | Place::Set(place)) = any_term(kind, &sought.texts)?;
        add(&fit.text, &place.text, place.values);
    }
    if let Some(hash) = sought.hash {
        let fit = "EXISTS (SELECT 1 FROM transfer_claims t WHERE t.event_id = e.event_id AND +t.tx_hash = ?)";
        let place = "SELECT v.received_us, v.id FROM transfer_claims t
             CROSS JOIN events v ON v.event_id = t.event_id WHERE t.tx_hash = ?";
        add(fit, place, vec![Value::Blob(hash.to_vec())]);
    }
    let ids = sought.ids.or_else(|| sought.event.map(|event| (event.0, event.0)));
    if let Some((low, high)) = ids {
        let values = [low, high].map(|id| Value::Blob(id.as_bytes().to_vec())).to_vec();
        let place = "SELECT v.received_us, v.id FROM events v WHERE v.event_id BETWEEN ? AND ?";
        add("e.event_id BETWEEN ? AND ?", place, values);
    }
    Ok((fits.then(")"), Place::Set(rows)))
}
