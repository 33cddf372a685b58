//! Judging by hand on a real ledger; only the chain is scripted. What was judged leaves no trace.

use std::sync::Mutex as Lock;

use chain_config::TierSpec;
use jiff::Timestamp;

use super::*;
use crate::chain::{NodeError, Observations, Observing, Polled, Polling};
use crate::config;
use crate::ledger::sqlite::Sqlite;
use crate::ledger::{PutExpectation, Who};
use crate::verify::fixture::*;

/// A chain that shows one thing, and remembers which nodes are out of use.
struct Shows {
    seen: Observations,
    out: Lock<Vec<(String, bool)>>,
}

impl Reader for Shows {
    fn observe(&self, _plan: Plan) -> Observing<'_> {
        let seen = self.seen.clone();
        Box::pin(async move { seen })
    }

    fn poll<'a>(&'a self, _chain: &'a str) -> Polling<'a> {
        Box::pin(async move { Polled::default() })
    }

    fn heads(&self, _chain: &str) -> Vec<NodeHead> {
        heads_of(&self.seen)
    }

    fn cordon(&self, chain: &str, node: &str, out: bool) {
        self.out.lock().unwrap().push((format!("{chain}/{node}"), out));
    }
}

struct Bench {
    by_hand: ByHand,
    ledger: Arc<dyn Ledger>,
    reader: Arc<Shows>,
    _folder: tempfile::TempDir,
}

fn bench(seen: Observations) -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::manual(Timestamp::from_microsecond(NOW.now_us).unwrap());
    let ledger: Arc<dyn Ledger> = Arc::new(Sqlite::open(&folder.path().join("ledger.db"), &clock).unwrap());
    let reader = Arc::new(Shows { seen, out: Lock::default() });
    let mut config = config::of_folder(folder.path()).unwrap();
    (config.chains, config.sources, config.verification) = (chains(), vec![source()], verification());
    let in_force = InForce::new(&config.chains);
    let shared: Arc<dyn Reader> = reader.clone();
    let by_hand = ByHand::new(Arc::clone(&ledger), shared, Arc::new(config), in_force, Current::none(), clock);
    Bench { by_hand, ledger, reader, _folder: folder }
}

fn asked(expectation: Option<StoredExpectation>) -> Asked {
    Asked { chain: "base".to_owned(), tx_hash: TX, source: Some("rn".to_owned()), expectation, payment_reference: None }
}

fn by() -> Who {
    Who { name: "ops".to_owned(), from: "cli".to_owned(), reason: Some("drill".to_owned()) }
}

#[tokio::test]
async fn a_paid_expectation_is_confirmed_and_nothing_is_written() {
    let bench = bench(final_block(proxy_payment(PAYEE, HUNDRED, TOPIC)));
    let put = PutExpectation { terms: expectation().terms, by: by(), now_us: NOW.now_us };
    bench.ledger.put_expectation(put).await.unwrap();
    let stored = bench.ledger.expectation("order-17").await.unwrap().unwrap().stored;
    let judged = bench.by_hand.judge(asked(Some(stored.clone()))).await.unwrap();
    assert_eq!((&judged["verdict"], &judged["code"]), (&"confirmed".into(), &"VERIFIED".into()), "{judged:#}");
    let sent = &judged["would_send"];
    assert_eq!((&sent["type"], &sent["assurance"]), (&"payment.verified".into(), &"A3".into()));
    assert_eq!(sent["payment"]["amount"], "100");
    assert_eq!((&sent["expectation"]["status"], &sent["expectation"]["remaining"]), (&"paid".into(), &"0".into()));
    assert_eq!(sent["payment_id"], sent["expectation"]["payment_ids"][0]);
    assert_eq!((&judged["confirmations"], &judged["claimed_by"]), (&101.into(), &Value::Null));
    assert!(judged["votes"].as_array().unwrap().iter().all(|vote| vote["vote"] == "agree"));
    let unique = judged["checks"].as_array().unwrap().iter().find(|check| check["name"] == "uniqueness").unwrap();
    assert_eq!(unique["outcome"], "pass");
    let after = bench.ledger.expectation("order-17").await.unwrap().unwrap().stored;
    assert_eq!(after, stored);
    assert!(bench.ledger.events(Filter { limit: 9, ..Filter::default() }).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_would_not_be_sent_says_why() {
    let down = || Err(NodeError::Unavailable("deadline passed"));
    let shallow = view(HEIGHT, None, receipt(proxy_payment(PAYEE, HUNDRED, TOPIC)));
    for (seen, expectation, verdict, code) in [
        (final_block(proxy_payment(STRANGER, HUNDRED, TOPIC)), Some(expectation()), "refuted", "WRONG_RECIPIENT"),
        (final_block(proxy_payment(PAYEE, HUNDRED, OTHER_TOPIC)), Some(expectation()), "refuted", "WRONG_REFERENCE"),
        (seen(vec![down(), down(), down()]), Some(expectation()), "undetermined", "RPC_UNAVAILABLE"),
        (unanimous(&shallow), Some(expectation()), "undetermined", "WAITING_CONFIRMATIONS"),
        // Nobody says what it ought to be.
        (final_block(proxy_payment(PAYEE, HUNDRED, TOPIC)), None, "held", "AMBIGUOUS_MATCH"),
    ] {
        let judged = bench(seen).by_hand.judge(asked(expectation)).await.unwrap();
        assert_eq!((&judged["verdict"], &judged["code"]), (&verdict.into(), &code.into()), "{judged:#}");
        assert_eq!(judged["would_send"], Value::Null);
        assert_eq!(judged["waits_for"].is_object(), code == "WAITING_CONFIRMATIONS", "{judged:#}");
    }
}

#[tokio::test]
async fn a_request_is_bound_by_the_reference_that_is_given() {
    let bench = bench(final_block(proxy_payment(PAYEE, HUNDRED, TOPIC)));
    let mut of_request = expectation();
    of_request.terms.key = ExpectationKey::RequestId("01aa".to_owned());
    let given = Asked { payment_reference: Some(REFERENCE.parse().unwrap()), ..asked(Some(of_request)) };
    let judged = bench.by_hand.judge(given).await.unwrap();
    assert_eq!((&judged["code"], &judged["would_send"]["assurance"]), (&"VERIFIED".into(), &"A2".into()), "{judged:#}");
}

#[tokio::test]
async fn what_operators_set_is_put_in_force() {
    let bench = bench(final_block(Vec::new()));
    let tier = TierSpec { up_to_usd: None, confirmations: 77, tag: None };
    bench.ledger.set_finality("base", Some(vec![tier]), by(), NOW.now_us).await.unwrap();
    bench.ledger.set_cordon("base", "b", true, by(), NOW.now_us).await.unwrap();
    assert_ne!(bench.by_hand.finality("base").unwrap().max_confirmations(), 77);
    bench.by_hand.put_in_force().await.unwrap();
    assert_eq!(bench.by_hand.finality("base").unwrap().max_confirmations(), 77);
    let told = std::mem::take(&mut *bench.reader.out.lock().unwrap());
    assert_eq!(told, [("base/a".to_owned(), false), ("base/b".to_owned(), true), ("base/c".to_owned(), false)]);
    assert_eq!(bench.by_hand.standing("base").unwrap().head, HEIGHT + 100);
    assert!(bench.by_hand.finality("nowhere").is_none() && bench.by_hand.standing("nowhere").is_none());
}
