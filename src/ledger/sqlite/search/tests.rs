//! By which index each list is read, and that pages hold all that fits however little one may look at.

use std::collections::BTreeSet;

use rusqlite::{Connection, params_from_iter};

use super::*;
use crate::ledger::conformance::Rig;
use crate::ledger::conformance::fixtures::*;
use crate::ledger::sqlite::tests::Bench;
use crate::ledger::sqlite::{audit, expectations};
use crate::ledger::{AuditFilter, IntakeKind};
use crate::model::{Code, EventState};

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// Every filter alone, with values that the rows of [`filled`] have.
fn singles() -> Vec<Filter> {
    let none = Filter::default;
    vec![
        none(),
        Filter { source: some("rn"), ..none() },
        Filter { sources: vec!["rn".to_owned()], ..none() },
        Filter { sources: vec!["rn".to_owned(), "stripe".to_owned()], ..none() },
        Filter { state: Some(EventState::Verifying), ..none() },
        Filter { state: Some(EventState::Forwarding), ..none() },
        Filter { code: Some(Code::VerifiedUnmatched), ..none() },
        Filter { code: Some(Code::TestHeader), ..none() },
        Filter { message_type: some("payment.unmatched"), ..none() },
        Filter { provider_type: some("payment.confirmed"), ..none() },
        Filter { provider_type: some("odd"), ..none() },
        Filter { account: some("acct_1"), ..none() },
        Filter { chain: vec!["base".to_owned()], ..none() },
        Filter { chain: vec!["8453".to_owned(), "base".to_owned()], ..none() },
        Filter { address: Some(format!("{:#x}", address(1))), ..none() },
        Filter { request_id: some("r3"), ..none() },
        Filter { payment_reference: some("0x1122"), ..none() },
        Filter { tx: Some(hex::encode(word(2))), ..none() },
        Filter { expectation: some("order"), ..none() },
        Filter { payment: some("pay_0"), ..none() },
        Filter { paid: true, ..none() },
        Filter { q: some("r3"), ..none() },
        Filter { q: some("evt_4"), ..none() },
        Filter { q: Some(id_of("e5").to_string()), ..none() },
        Filter { since_us: Some(T0 + 3 * S), ..none() },
        Filter { until_us: Some(T0 + 5 * S), ..none() },
    ]
}

/// Both of two filters.
fn both(one: &Filter, other: &Filter) -> Filter {
    let (one, other) = (one.clone(), other.clone());
    Filter {
        source: one.source.or(other.source),
        sources: if one.sources.is_empty() { other.sources } else { one.sources },
        state: one.state.or(other.state),
        code: one.code.or(other.code),
        message_type: one.message_type.or(other.message_type),
        account: one.account.or(other.account),
        chain: if one.chain.is_empty() { other.chain } else { one.chain },
        address: one.address.or(other.address),
        q: one.q.or(other.q),
        provider_type: one.provider_type.or(other.provider_type),
        request_id: one.request_id.or(other.request_id),
        payment_reference: one.payment_reference.or(other.payment_reference),
        tx: one.tx.or(other.tx),
        expectation: one.expectation.or(other.expectation),
        payment: one.payment.or(other.payment),
        paid: one.paid || other.paid,
        since_us: one.since_us.or(other.since_us),
        until_us: one.until_us.or(other.until_us),
        after: None,
        limit: 0,
    }
}

fn pairs() -> Vec<Filter> {
    let singles = singles();
    singles.iter().flat_map(|one| singles.iter().map(|other| both(one, other))).collect()
}

fn plan(conn: &Connection, sql: &Sql) -> String {
    let mut statement = conn.prepare(&format!("EXPLAIN QUERY PLAN {}", sql.text)).expect("a statement");
    // Statements of fixed text are given without their values: none of them decides the plan.
    let mut values = sql.values.clone();
    values.resize(statement.parameter_count(), Value::Null);
    let lines = statement.query_map(params_from_iter(&values), |row| row.get::<_, String>(3)).expect("a plan");
    lines.collect::<Result<Vec<_>, _>>().expect("lines").join("; ")
}

/// A plan that reads tables by an index only. What a statement names by itself (a JSON array) and the few rows that
/// were gathered by index may be gone through.
fn scans(plan: &str) -> Vec<&str> {
    let tame = ["SCAN w ", "SCAN json_each ", "SCAN s", "SCAN CONSTANT ROW", "SCAN (subquery"];
    let scans = plan.split("; ").filter(|line| line.starts_with("SCAN"));
    scans.filter(|line| !tame.iter().any(|tame| format!("{line} ").starts_with(tame))).collect()
}

#[test]
fn no_list_scans_a_table() {
    let bench = Bench::open();
    let conn = bench.raw();
    for list in [List::Events, List::Deliveries] {
        for filter in singles().into_iter().chain(pairs()) {
            let parts = parts(list, &filter).expect("parts");
            let range = Range::of(&Filter { after: some("7.7"), ..filter.clone() }).expect("a range");
            for at in 0..=parts.len() {
                let place = parts.get(at).map(|part| part.place.as_ref());
                let (by, in_order) = match place {
                    None => (By::Time, true),
                    Some(None) => continue,
                    Some(Some(place)) if place.in_order() => (By::Along(at), true),
                    Some(Some(_)) => (By::Few(at), false),
                };
                let plan = plan(&conn, &statement(list, &parts, by, range));
                assert_eq!(scans(&plan), [""; 0], "{list:?} {filter:?} {by:?}: {plan}");
                // Along an index a page begins at its cursor and sorts nothing; `payment` is one row.
                if in_order && !plan.contains("event_payment") {
                    assert!(!plan.contains("TEMP B-TREE"), "{list:?} {filter:?} {by:?}: {plan}");
                    assert!(
                        plan.contains("received_us<?") || plan.contains("(received_us,id)<"),
                        "{list:?} {filter:?} {by:?}: {plan}"
                    );
                }
            }
            for part in &parts {
                let (Some(Place::InOrder(rows)) | Some(Place::Set(rows))) = &part.place else { continue };
                let plan = plan(&conn, rows);
                assert_eq!(scans(&plan), [""; 0], "{list:?} {filter:?}: {plan}");
            }
        }
    }
    let known = plan(&conn, &Sql::new(expectations::KNOWN_BY, []));
    assert_eq!(scans(&known), [""; 0], "{known}");
    let texts = [None, some("x")];
    for (by, what, subject) in texts.iter().flat_map(|a| texts.iter().flat_map(move |b| [(a, b, a), (b, a, b)])) {
        let filter =
            AuditFilter { by: by.clone(), what: what.clone(), subject: subject.clone(), ..AuditFilter::default() };
        let (sql, _) = audit::sql(&filter).expect("a statement");
        let plan = plan(&conn, &Sql::new(sql, []));
        assert!(plan.starts_with("SEARCH") && !plan.contains("TEMP B-TREE"), "{filter:?}: {plan}");
    }
}

/// Events and deliveries of many kinds, several of a moment.
async fn filled() -> Bench {
    let bench = Bench::open();
    let (ledger, mut log) = (bench.ledger(), Log::new());
    put(&*ledger, terms("order", "r2", 100)).await;
    for n in 0..24_u64 {
        let moment = T0 + i64::try_from(n / 3).expect("small") * S;
        let (name, request) = (format!("e{}", n % 18), format!("r{}", n % 6));
        let mut made = if n % 4 == 1 {
            event(&name, plain("card", &["default"]))
        } else {
            event(&name, IntakeKind::Claim(claim(&request, n % 5, "100")))
        };
        made.facts.received_us = moment;
        made.facts.provider_event_id = Some(format!("evt_{}", n % 7));
        made.facts.account = (n % 3 == 0).then(|| format!("acct_{}", n % 2));
        if n % 5 == 0 {
            (made.facts.source, made.facts.provider_type) = ("stripe".to_owned(), "odd".to_owned());
        }
        let mut batch = log.batch(moment, vec![Ok(made), Err(Code::TestHeader)]);
        if let Some(other) = batch.deliveries.get_mut(1) {
            other.received_us = moment;
        }
        let to = batch.to;
        ledger.intake(batch).await.expect("taken");
        log.at = Some(to);
    }
    for (n, event) in due(&*ledger, T0 + 3600 * S).await.into_iter().enumerate().take(6) {
        let tx = u64::try_from(n).expect("small") + 50;
        ledger.confirm(confirm(&event, tx, tx, 40)).await.expect("confirmed");
    }
    bench
}

/// What fits, read without any of the indexes: each row by itself.
fn fitting(conn: &Connection, list: List, filter: &Filter) -> Vec<(i64, i64)> {
    let parts = parts(list, filter).expect("parts");
    let from = match list {
        List::Events => "(SELECT received_us, id FROM events) s CROSS JOIN events e ON e.id = s.id",
        List::Deliveries => {
            "(SELECT received_us, id FROM deliveries) s CROSS JOIN deliveries d ON d.id = s.id
             LEFT JOIN events e ON e.event_id = d.event_id"
        }
    };
    let mut sql = Sql::new(format!("SELECT s.received_us, s.id FROM {from} WHERE 1"), []);
    for part in &parts {
        sql = sql.then(" AND ").and(&part.fits);
    }
    let mut statement = conn.prepare(&sql.text).expect("a statement");
    let rows = statement.query_map(params_from_iter(&sql.values), |row| Ok((row.get(0)?, row.get(1)?))).expect("rows");
    let since = filter.since_us.unwrap_or(i64::MIN)..filter.until_us.unwrap_or(i64::MAX);
    let mut all: Vec<(i64, i64)> = rows.map(|row| row.expect("a row")).filter(|row| since.contains(&row.0)).collect();
    all.sort_by(|one, other| other.cmp(one));
    all
}

#[tokio::test]
async fn pages_hold_all_that_fits_however_little_one_looks_at() {
    let bench = filled().await;
    let conn = bench.raw();
    let (mut found, mut kinds) = (0, BTreeSet::new());
    for list in [List::Events, List::Deliveries] {
        for (at, filter) in singles().into_iter().chain(pairs()).enumerate() {
            let wanted = fitting(&conn, list, &filter);
            found += wanted.len();
            for (limit, budget) in [(3, 4), (5, 1_000), (1, 11)] {
                let (mut seen, mut after, mut pages) = (Vec::new(), None, 0);
                loop {
                    let asked = Filter { after: after.clone(), ..filter.clone() };
                    let page = page(&conn, list, &asked, limit, budget).expect("a page");
                    assert!(page.rows.len() <= limit);
                    kinds.insert((page.rows.is_empty(), page.next.is_some()));
                    seen.extend(page.rows);
                    pages += 1;
                    assert!(pages < 100, "{filter:?} does not end");
                    let Some(next) = page.next else { break };
                    after = Some(cursor(next));
                }
                assert_eq!(seen, wanted, "{list:?} {at} {filter:?} by {limit} of {budget}");
            }
        }
    }
    assert!(found > 1_000, "the filters fit rows: {found}");
    assert_eq!(kinds.len(), 4, "full, empty, last and bounded pages came: {kinds:?}");
}
