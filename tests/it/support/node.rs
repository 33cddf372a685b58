//! A JSON-RPC node that passes calls on to the real one and may lie about the answers.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tollgate::task;

use super::http;

/// What is done to a call before the real node is asked.
type Question = dyn Fn(&mut Value) + Send + Sync;
/// What is done to its whole answer; the HTTP status.
type Script = dyn Fn(&Asked, &mut Value) -> u16 + Send + Sync;

/// What a node was asked, as it was asked.
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) params: Value,
}

impl Asked {
    /// The first parameter as text.
    pub(crate) fn first(&self) -> &str {
        self.params[0].as_str().unwrap_or_default()
    }
}

struct Shared {
    upstream: String,
    client: reqwest::Client,
    question: Box<Question>,
    script: Box<Script>,
    lies: AtomicBool,
    /// A method that is never answered.
    muted: Mutex<Option<String>>,
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
        let lacks: Vec<String> = methods.iter().map(|method| (*method).to_owned()).collect();
        let script = move |asked: &Asked, answer: &mut Value| {
            if lacks.contains(&asked.method) {
                let error = json!({"code": -32601, "message": "the method does not exist"});
                *answer = json!({"jsonrpc": "2.0", "id": answer["id"], "error": error});
            }
            200
        };
        Self::scripted(upstream, |_| {}, script).await
    }

    /// Lets `twist` change the answer (the `result`) to a method, until it [`Node::repents`].
    pub(crate) async fn liar(upstream: &str, twist: impl Fn(&str, &mut Value) + Send + Sync + 'static) -> Self {
        let script = move |asked: &Asked, answer: &mut Value| {
            if let Some(result) = answer.get_mut("result") {
                twist(&asked.method, result);
            }
            200
        };
        Self::scripted(upstream, |_| {}, script).await
    }

    /// Lets `question` change what the real node is asked, and `script` the whole answer, which goes out under the HTTP
    /// status that it returns.
    pub(crate) async fn scripted(
        upstream: &str,
        question: impl Fn(&mut Value) + Send + Sync + 'static,
        script: impl Fn(&Asked, &mut Value) -> u16 + Send + Sync + 'static,
    ) -> Self {
        let shared = Arc::new(Shared {
            upstream: upstream.to_owned(),
            client: http::client(),
            question: Box::new(question),
            script: Box::new(script),
            lies: AtomicBool::new(true),
            muted: Mutex::default(),
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

    /// Never answers this method from now on; the connection stays open.
    pub(crate) fn mutes(&self, method: &str) {
        *self.shared.muted.lock().unwrap_or_else(PoisonError::into_inner) = Some(method.to_owned());
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

async fn answer(State(shared): State<Arc<Shared>>, call: Bytes) -> (StatusCode, String) {
    shared.calls.fetch_add(1, Ordering::SeqCst);
    let mut call = serde_json::from_slice::<Value>(&call).unwrap_or_default();
    let method = call.get("method").and_then(Value::as_str).unwrap_or_default().to_owned();
    let asked = Asked { method, params: call.get("params").cloned().unwrap_or_default() };
    let logged = (asked.method.clone(), asked.params.get(0).cloned().unwrap_or_default());
    shared.log.lock().unwrap_or_else(PoisonError::into_inner).push(logged);
    let is_mute = shared.muted.lock().unwrap_or_else(PoisonError::into_inner).as_ref() == Some(&asked.method);
    if is_mute {
        return std::future::pending().await;
    }
    let lies = shared.lies.load(Ordering::SeqCst);
    if lies {
        (shared.question)(&mut call);
    }
    let request = shared.client.post(&shared.upstream).header("content-type", "application/json");
    let mut answer = http::send(request.body(call.to_string())).await.map(|reply| reply.json()).unwrap_or_default();
    let status = if lies { (shared.script)(&asked, &mut answer) } else { 200 };
    (StatusCode::from_u16(status).expect("a status"), answer.to_string())
}
