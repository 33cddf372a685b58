use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;

use super::*;
use crate::chain::tests::scripted::{Reply, Scripted};
use crate::verify::fixture;

const LIMITS: Limits = Limits { body_max: 1 << 20, deadline: Duration::from_millis(500) };

/// A node of Base behind a clock that stands ten seconds before midnight.
struct Upstream {
    node: Node,
    clock: Clock,
    metrics: Metrics,
    scripted: Scripted,
}

impl Upstream {
    async fn start(rate: Option<u32>, script: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Self {
        let scripted = Scripted::start(move |method, _| script(method)).await;
        let chain = chain_config::Registry::builtin().unwrap().by_id(8453).unwrap().clone();
        let active = fixture::active(chain_config::Chain { genesis: None, ..chain }, &[("a", "x")]);
        let configured = Configured { url: scripted.url(), rate, ..active.nodes[0].clone() };
        let (clock, metrics) = (Clock::manual("2026-11-20T23:59:50Z".parse().unwrap()), Metrics::new());
        let node = Node::new("base", &active, &configured, LIMITS, clock.clone(), metrics.clone()).unwrap();
        Self { node, clock, metrics, scripted }
    }

    async fn call(&self) -> Result<String, NodeError> {
        self.node.call(Method::BlockNumber, json!([])).await.map(|raw| raw.get().to_owned())
    }

    fn state(&self) -> State {
        self.node.state(Moment::of(&self.clock))
    }

    fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    fn asked(&self, method: Method) -> usize {
        self.scripted.calls().iter().filter(|called| *called == method.as_str()).count()
    }

    /// A call is refused with this, the node hears nothing of it, and the metric does.
    async fn refuses(&self, expected: NodeError, outcome: &str, state: State) {
        let before = self.scripted.calls();
        assert!(!self.node.is_usable(Moment::of(&self.clock)));
        assert_eq!((self.call().await, self.state()), (Err(expected), state));
        assert_eq!(self.scripted.calls(), before, "no call went out");
        let text = self.metrics.encode().unwrap();
        assert!(text.contains(&format!("outcome=\"{outcome}\"")), "{text}");
        for other in State::ALL {
            let (word, value) = (other.as_str(), i32::from(other == state));
            let line = format!("tollgate_node_state{{chain=\"base\",node=\"a\",state=\"{word}\"}} {value}");
            assert!(text.contains(&line), "{line} in {text}");
        }
    }
}

fn healthy(method: &str) -> Reply {
    Reply::Result(if method == "eth_chainId" { json!("0x2105") } else { json!("0x10") })
}

/// Answers `bad` to all but the chain id while the flag is up.
fn while_up(flag: &Arc<AtomicBool>, bad: Reply) -> impl Fn(&str) -> Reply + Send + Sync + 'static {
    let flag = Arc::clone(flag);
    move |method| {
        let is_bad = flag.load(Ordering::SeqCst) && method != "eth_chainId";
        if is_bad { bad.clone() } else { healthy(method) }
    }
}

fn up() -> Arc<AtomicBool> {
    Arc::new(AtomicBool::new(true))
}

#[tokio::test]
async fn a_node_that_throttles_is_left_alone_as_long_as_it_asks() {
    for status in ["429 Too Many Requests\r\nretry-after: 7", "503 Busy\r\nretry-after: Fri, 20 Nov 2026 23:59:57 GMT"]
    {
        let flag = up();
        let upstream = Upstream::start(None, while_up(&flag, Reply::Http(status, String::new()))).await;
        assert_eq!(upstream.call().await, Err(NodeError::RateLimited));
        flag.store(false, Ordering::SeqCst);
        upstream.refuses(NodeError::RateLimited, "throttled", State::Throttled).await;
        upstream.pass(6);
        upstream.refuses(NodeError::RateLimited, "throttled", State::Throttled).await;
        upstream.pass(1);
        assert_eq!((upstream.call().await.as_deref(), upstream.state()), (Ok("\"0x10\""), State::Ready), "{status}");
    }
}

#[tokio::test]
async fn a_node_without_credits_is_out_until_midnight() {
    let daily = r#"{"id":1,"error":{"code":-32005,"message":"daily request count exceeded"}}"#;
    for (status, body) in [("402 Payment Required", ""), ("200 OK", daily)] {
        let flag = up();
        let upstream = Upstream::start(None, while_up(&flag, Reply::Http(status, body.to_owned()))).await;
        assert_eq!(upstream.call().await, Err(NodeError::RateLimited));
        flag.store(false, Ordering::SeqCst);
        upstream.pass(9);
        upstream.refuses(NodeError::RateLimited, "refused_exhausted", State::Exhausted).await;
        upstream.pass(1);
        assert_eq!((upstream.call().await.as_deref(), upstream.state()), (Ok("\"0x10\""), State::Ready), "{status}");
    }
}

#[tokio::test]
async fn five_failures_open_it_and_one_good_probe_closes_it() {
    let flag = up();
    let upstream = Upstream::start(None, while_up(&flag, Reply::Http("500 Oops", String::new()))).await;
    let failed = Err(NodeError::Unavailable("unexpected HTTP status"));
    let left_alone = NodeError::Unavailable("left alone after failures");
    for _ in 0..5 {
        assert_eq!((upstream.state(), upstream.call().await), (State::Ready, failed.clone()));
    }
    upstream.refuses(left_alone.clone(), "refused_open", State::Open).await;
    upstream.pass(5);
    assert_eq!(upstream.state(), State::HalfOpen);
    assert_eq!(upstream.call().await, failed, "the probe");
    upstream.pass(9);
    upstream.refuses(left_alone.clone(), "refused_open", State::Open).await;
    flag.store(false, Ordering::SeqCst);
    upstream.pass(1);
    let before = upstream.asked(Method::BlockNumber);
    let (one, other) = tokio::join!(upstream.call(), upstream.call());
    assert!(one.is_ok() != other.is_ok(), "one probe at a time: {one:?} {other:?}");
    assert_eq!((upstream.asked(Method::BlockNumber) - before, upstream.state()), (1, State::Ready));
    assert!(upstream.call().await.is_ok());
}

#[tokio::test]
async fn an_error_to_one_question_is_no_failure_of_the_node() {
    for reply in [Reply::Error(-32000), Reply::Error(-32601)] {
        let upstream = Upstream::start(None, while_up(&up(), reply)).await;
        for _ in 0..30 {
            assert!(upstream.call().await.is_err());
        }
        assert_eq!(upstream.state(), State::Ready);
    }
}

#[tokio::test]
async fn a_node_of_another_chain_is_asked_again_and_counts_once_it_is_right() {
    let flag = up();
    let wrong = Arc::clone(&flag);
    let upstream = Upstream::start(None, move |method| match method {
        "eth_chainId" if wrong.load(Ordering::SeqCst) => Reply::Result(json!("0x1")),
        other => healthy(other),
    })
    .await;
    let other = NodeError::WrongChain("chain id 1, configured 8453".to_owned());
    assert_eq!(upstream.call().await, Err(other.clone()));
    upstream.refuses(other.clone(), "refused_wrong_chain", State::WrongChain).await;
    upstream.pass(5);
    assert_eq!((upstream.call().await, upstream.asked(Method::ChainId)), (Err(other.clone()), 2));
    flag.store(false, Ordering::SeqCst);
    upstream.pass(9);
    upstream.refuses(other, "refused_wrong_chain", State::WrongChain).await;
    upstream.pass(1);
    assert_eq!((upstream.call().await.as_deref(), upstream.state()), (Ok("\"0x10\""), State::Ready));
    assert_eq!(
        (upstream.asked(Method::ChainId), upstream.asked(Method::BlockNumber)),
        (3, 1),
        "nothing else was asked"
    );
}

#[tokio::test]
async fn a_lost_connection_costs_the_identity() {
    let flag = up();
    let upstream = Upstream::start(None, while_up(&flag, Reply::Silence)).await;
    assert_eq!(upstream.call().await, Err(NodeError::Unavailable("deadline passed")));
    flag.store(false, Ordering::SeqCst);
    for expected in [2, 2] {
        assert!(upstream.call().await.is_ok());
        assert_eq!(upstream.asked(Method::ChainId), expected);
    }
    upstream.pass(3600);
    assert!(upstream.call().await.is_ok());
    assert_eq!(upstream.asked(Method::ChainId), 3, "and an hour does");
}

#[tokio::test]
async fn those_who_wait_for_the_identity_share_what_was_found() {
    let upstream = Upstream::start(None, |_| Reply::Silence).await;
    let answers: [_; 3] = tokio::join!(upstream.call(), upstream.call(), upstream.call()).into();
    assert_eq!(answers, [const { Err(NodeError::Unavailable("deadline passed")) }; 3]);
    assert_eq!(upstream.scripted.calls(), ["eth_chainId"], "one call and one deadline for all");
}

#[tokio::test]
async fn a_fault_cordons_for_ten_minutes_and_an_operator_for_ever() {
    let upstream = Upstream::start(None, healthy).await;
    assert_eq!(
        upstream.node.fault("receipts are not under the root"),
        NodeError::Fault("receipts are not under the root")
    );
    upstream.pass(599);
    upstream.refuses(NodeError::Unavailable("cordoned"), "refused_cordoned", State::Cordoned).await;
    upstream.pass(1);
    assert!(upstream.call().await.is_ok());
    upstream.node.set_cordoned(true);
    upstream.pass(100_000);
    upstream.refuses(NodeError::Unavailable("cordoned"), "refused_cordoned", State::Cordoned).await;
    upstream.node.set_cordoned(false);
    assert!(upstream.call().await.is_ok());
}

#[tokio::test]
async fn an_answer_that_contradicts_itself_cordons() {
    let upstream = Upstream::start(None, |_| Reply::Result(json!({"chain": "base"}))).await;
    assert!(matches!(upstream.call().await, Err(NodeError::Fault(_))));
    upstream.refuses(NodeError::Unavailable("cordoned"), "refused_cordoned", State::Cordoned).await;
}

#[tokio::test]
async fn a_probe_that_is_dropped_gives_its_place_back() {
    let (flag, silent) = (up(), up());
    silent.store(false, Ordering::SeqCst);
    let (bad, mute) = (Arc::clone(&flag), Arc::clone(&silent));
    let upstream = Upstream::start(None, move |method| match method {
        "eth_blockNumber" if mute.load(Ordering::SeqCst) => Reply::Silence,
        "eth_blockNumber" if bad.load(Ordering::SeqCst) => Reply::Http("500 Oops", String::new()),
        other => healthy(other),
    })
    .await;
    for _ in 0..5 {
        assert!(upstream.call().await.is_err());
    }
    upstream.pass(5);
    silent.store(true, Ordering::SeqCst);
    let dropped = tokio::time::timeout(LIMITS.deadline / 5, upstream.call()).await;
    assert!(dropped.is_err(), "{dropped:?}");
    silent.store(false, Ordering::SeqCst);
    flag.store(false, Ordering::SeqCst);
    assert_eq!((upstream.call().await.is_ok(), upstream.state()), (true, State::Ready));
}

#[tokio::test]
async fn a_call_over_the_rate_is_not_made_when_it_would_wait_past_its_deadline() {
    let upstream = Upstream::start(Some(1), healthy).await;
    assert!(upstream.call().await.is_ok(), "a cost above the burst goes out once");
    let before = upstream.asked(Method::BlockNumber);
    assert_eq!(upstream.call().await, Err(NodeError::RateLimited));
    let other = upstream.node.call_for(Purpose::Research, Method::BlockNumber, json!([])).await;
    assert!(other.is_ok(), "another purpose has its own share");
    assert_eq!((upstream.asked(Method::BlockNumber) - before, upstream.state()), (1, State::Ready));
    upstream.pass(60);
    assert!(upstream.call().await.is_ok());
}

#[tokio::test]
async fn a_call_over_the_rate_waits_when_the_deadline_allows() {
    // 50 a second for this purpose, and ten for a call: the seventh waits 0.2 s.
    let upstream = Upstream::start(Some(100), healthy).await;
    for _ in 0..6 {
        assert!(upstream.call().await.is_ok());
    }
    let started = Instant::now();
    assert!(upstream.call().await.is_ok());
    assert!(Duration::from_millis(150) < started.elapsed(), "{:?}", started.elapsed());
}
