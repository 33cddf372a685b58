//! A JSON-RPC node that passes calls on to the real one and may lie about the answers.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tollgate::task;

use super::http;

type Twist = dyn Fn(&str, &mut Value) + Send + Sync;

struct Shared {
    upstream: String,
    client: reqwest::Client,
    twist: Box<Twist>,
    lies: AtomicBool,
    /// Methods that it does not have.
    lacks: Vec<String>,
    calls: AtomicUsize,
    /// Each call's method and first parameter.
    log: Mutex<Vec<(String, Value)>>,
}

/// See the module.
pub(crate) struct Node {
    shared: Arc<Shared>,
    address: SocketAddr,
    serving: JoinHandle<()>,
}

impl Node {
    /// Passes everything on as it is.
    pub(crate) async fn honest(upstream: &str) -> Self {
        Self::liar(upstream, |_, _| {}).await
    }

    /// Does not have these methods, and passes everything else on.
    pub(crate) async fn lacking(upstream: &str, methods: &[&str]) -> Self {
        let lacks = methods.iter().map(|method| (*method).to_owned()).collect();
        Self::start(upstream, lacks, |_, _| {}).await
    }

    /// Lets `twist` change the answer (the `result`) to a method, until it [`Node::repents`].
    pub(crate) async fn liar(upstream: &str, twist: impl Fn(&str, &mut Value) + Send + Sync + 'static) -> Self {
        Self::start(upstream, Vec::new(), twist).await
    }

    async fn start(
        upstream: &str,
        lacks: Vec<String>,
        twist: impl Fn(&str, &mut Value) + Send + Sync + 'static,
    ) -> Self {
        let shared = Arc::new(Shared {
            upstream: upstream.to_owned(),
            client: http::client(),
            twist: Box::new(twist),
            lies: AtomicBool::new(true),
            lacks,
            calls: AtomicUsize::new(0),
            log: Mutex::default(),
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address");
        let routes = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        let serving = task::spawn("node", async move { axum::serve(listener, routes).await.expect("it serves") });
        Self { shared, address, serving }
    }

    /// Any path and query lead to it.
    pub(crate) fn url(&self, path_and_query: &str) -> String {
        format!("http://{}/{path_and_query}", self.address)
    }

    /// Lies no more.
    pub(crate) fn repents(&self) {
        self.shared.lies.store(false, Ordering::SeqCst);
    }

    /// Calls so far.
    pub(crate) fn calls(&self) -> usize {
        self.shared.calls.load(Ordering::SeqCst)
    }

    /// Calls that somebody's payment cost: all but those that follow the chain's heads, whoever pays.
    pub(crate) fn calls_for_payments(&self) -> Vec<String> {
        let follows = |(method, first): &&(String, Value)| match method.as_str() {
            "eth_chainId" | "eth_getBlockByHash" => true,
            "eth_getBlockByNumber" => ["latest", "safe", "finalized", "0x0"].iter().any(|tag| first == tag),
            _ => false,
        };
        let log = self.shared.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.iter().filter(|call| !follows(call)).map(|(method, first)| format!("{method} {first}")).collect()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn answer(State(shared): State<Arc<Shared>>, call: Bytes) -> String {
    shared.calls.fetch_add(1, Ordering::SeqCst);
    let asked = serde_json::from_slice::<Value>(&call).unwrap_or_default();
    let method = asked.get("method").and_then(Value::as_str).unwrap_or_default().to_owned();
    let first = asked.pointer("/params/0").cloned().unwrap_or_default();
    shared.log.lock().unwrap_or_else(PoisonError::into_inner).push((method.clone(), first));
    if shared.lacks.contains(&method) {
        let error = json!({"code": -32601, "message": "the method does not exist"});
        return json!({"jsonrpc": "2.0", "id": asked["id"], "error": error}).to_string();
    }
    let request = shared.client.post(&shared.upstream).header("content-type", "application/json").body(call);
    let mut answer = http::send(request).await.map(|reply| reply.json()).unwrap_or_default();
    if shared.lies.load(Ordering::SeqCst)
        && let Some(result) = answer.get_mut("result")
    {
        (shared.twist)(&method, result);
    }
    answer.to_string()
}
