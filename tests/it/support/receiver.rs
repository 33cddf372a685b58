//! A backend on loopback that distrusts the gateway: it checks every signature with its own HMAC, keeps every request,
//! and records a violation where the contract is broken. It never drops a repeat, so that a test sees each one.
//!
//! A violation that no test took fails the test when the receiver is dropped. It runs in its own thread with its own
//! runtime, so that nothing under test can keep it from answering.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test helper, shared by two test binaries that each use a part"
)]

use std::collections::{HashMap, HashSet, VecDeque};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// No test waits longer than this for something that should happen.
const PATIENCE: Duration = Duration::from_secs(30);

/// Largest message the receiver reads.
const BODY_MAX: usize = 16 * 1024 * 1024;

/// How a request is answered.
#[derive(Clone)]
pub enum Answer {
    /// A status and nothing else.
    Status(u16),
    /// A status, headers and a body.
    Full(u16, Vec<(&'static str, String)>, String),
    /// Never.
    Stall,
    /// The connection is closed without an answer.
    Close,
    /// 200 once the gate is open.
    Wait(watch::Receiver<bool>),
}

/// Holds answers back.
pub struct Gate(watch::Sender<bool>);

impl Gate {
    /// A closed gate and the answer that waits for it.
    pub fn closed() -> (Self, Answer) {
        let (sender, receiver) = watch::channel(false);
        (Self(sender), Answer::Wait(receiver))
    }

    /// Lets every waiting and later answer through.
    pub fn open(&self) {
        self.0.send_replace(true);
    }
}

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Received {
    /// `webhook-id`.
    pub webhook_id: String,
    /// `webhook-timestamp`, Unix seconds.
    pub timestamp: i64,
    /// Every header.
    pub headers: HeaderMap,
    /// Path and query.
    pub target: String,
    /// Exact body.
    pub body: Bytes,
    /// The body as JSON; null when it is none.
    pub message: Value,
    /// When it arrived.
    pub at: Instant,
    /// The protocol it came by.
    pub version: Version,
    /// The connection it came by, counted from 1.
    pub connection: u64,
    /// What was answered, once it was.
    pub answered: Option<u16>,
}

impl Received {
    /// `type`
    pub fn message_type(&self) -> &str {
        self.message["type"].as_str().unwrap_or_default()
    }

    /// `data.lane`
    pub fn lane(&self) -> &str {
        self.message["data"]["lane"].as_str().unwrap_or_default()
    }

    /// `data.payment_id`, when there is one.
    pub fn payment_id(&self) -> Option<&str> {
        self.message["data"]["payment_id"].as_str()
    }
}

type Chooser = Box<dyn Fn(&Received) -> Option<Answer> + Send>;

struct State {
    received: Vec<Received>,
    script: VecDeque<Answer>,
    always: Answer,
    chooser: Option<Chooser>,
    violations: Vec<String>,
    bodies: HashMap<String, Bytes>,
    events: HashMap<String, String>,
    lanes: HashSet<String>,
    most_at_once: usize,
    taken: usize,
    connections: u64,
}

struct Shared {
    secrets: Vec<String>,
    tls: Option<TlsAcceptor>,
    state: Mutex<State>,
    changes: watch::Sender<u64>,
}

/// See the module.
pub struct Receiver {
    shared: Arc<Shared>,
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Receiver {
    /// Listens on a free port. A request must be signed by one of these `whsec_` secrets; 200 is the answer.
    pub fn start(secrets: &[&str]) -> Self {
        Self::start_behind(None, secrets)
    }

    /// Like [`Receiver::start`], behind TLS; what client and server agree on decides between HTTP/1.1 and HTTP/2.
    pub fn start_tls(tls: TlsAcceptor, secrets: &[&str]) -> Self {
        Self::start_behind(Some(tls), secrets)
    }

    fn start_behind(tls: Option<TlsAcceptor>, secrets: &[&str]) -> Self {
        let state = State {
            received: Vec::new(),
            script: VecDeque::new(),
            always: Answer::Status(200),
            chooser: None,
            violations: Vec::new(),
            bodies: HashMap::new(),
            events: HashMap::new(),
            lanes: HashSet::new(),
            most_at_once: 0,
            taken: 0,
            connections: 0,
        };
        let secrets = secrets.iter().copied().map(str::to_owned).collect();
        let shared = Arc::new(Shared { secrets, tls, state: Mutex::new(state), changes: watch::channel(0).0 });
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let serving = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(serve(listener, serving, stopped));
        });
        Self { shared, address, stop: Some(stop), thread: Some(thread) }
    }

    /// Where to post.
    pub fn url(&self) -> String {
        let scheme = if self.shared.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}/hooks/payments", self.address)
    }

    /// Its socket address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers the next requests with these, one each, before anything else.
    pub fn script(&self, answers: impl IntoIterator<Item = Answer>) {
        self.state().script.extend(answers);
    }

    /// Answers everything else with this.
    pub fn always(&self, answer: Answer) {
        self.state().always = answer;
    }

    /// Lets a function choose, after the script and before [`Receiver::always`].
    pub fn choose(&self, chooser: impl Fn(&Received) -> Option<Answer> + Send + 'static) {
        self.state().chooser = Some(Box::new(chooser));
    }

    /// Every request so far in order of arrival, repeats included.
    pub fn received(&self) -> Vec<Received> {
        self.state().received.clone()
    }

    /// Requests that were answered 2xx.
    pub fn taken(&self) -> Vec<Received> {
        self.received().into_iter().filter(|one| matches!(one.answered, Some(200..=299))).collect()
    }

    /// Connections accepted so far.
    pub fn connections(&self) -> u64 {
        self.state().connections
    }

    /// Most lanes that had a message in flight at the same time.
    pub fn most_at_once(&self) -> usize {
        self.state().most_at_once
    }

    /// Broken rules so far, taken out: what is left when the receiver is dropped fails the test.
    pub fn take_violations(&self) -> Vec<String> {
        std::mem::take(&mut self.state().violations)
    }

    /// Waits until what was received satisfies `enough`, which is asked at every change.
    pub async fn wait_until(&self, what: &str, enough: impl Fn(&[Received]) -> bool) -> Vec<Received> {
        self.wait(what, |state| enough(&state.received)).await;
        self.received()
    }

    /// Waits for this many requests.
    pub async fn wait_for(&self, count: usize) -> Vec<Received> {
        self.wait(&format!("{count} requests"), |state| state.received.len() >= count).await;
        self.received()
    }

    /// Waits for this many requests that were answered 2xx.
    pub async fn wait_for_taken(&self, count: usize) -> Vec<Received> {
        self.wait(&format!("{count} taken"), |state| state.taken >= count).await;
        self.taken()
    }

    async fn wait(&self, what: &str, enough: impl Fn(&State) -> bool) {
        let mut changes = self.shared.changes.subscribe();
        let waiting = async {
            while !enough(&self.state()) {
                changes.changed().await.unwrap();
            }
        };
        if tokio::time::timeout(PATIENCE, waiting).await.is_err() {
            let seen: Vec<_> = self.received().into_iter().map(|one| (one.webhook_id, one.answered)).collect();
            panic!("the receiver waited in vain for {what}; it saw {seen:?}");
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking(), "the receiver's thread panicked");
        }
        let violations = self.take_violations();
        if std::thread::panicking() {
            eprintln!("violations seen by the receiver: {violations:?}");
        } else {
            assert!(violations.is_empty(), "the receiver saw violations: {violations:?}");
        }
    }
}

async fn serve(listener: std::net::TcpListener, shared: Arc<Shared>, mut stopped: oneshot::Receiver<()>) {
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    let mut connections = JoinSet::new();
    loop {
        let socket = tokio::select! {
            _ = &mut stopped => break,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => accepted.unwrap().0,
        };
        let number = {
            let mut state = shared.state.lock().unwrap();
            state.connections += 1;
            state.connections
        };
        let shared = Arc::clone(&shared);
        connections.spawn(connection(shared, socket, number));
    }
}

/// An error is a connection that the other side, or `Answer::Close`, ended.
async fn connection(shared: Arc<Shared>, socket: tokio::net::TcpStream, number: u64) {
    let service = service_fn(|request| answer(Arc::clone(&shared), request, number));
    let Some(tls) = &shared.tls else {
        drop(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), service).await);
        return;
    };
    let Ok(socket) = tls.accept(socket).await else { return };
    if socket.get_ref().1.alpn_protocol() == Some(b"h2") {
        let service = service_fn(|request| answer(Arc::clone(&shared), request, number));
        let http2 = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        drop(http2.serve_connection(TokioIo::new(socket), service).await);
    } else {
        drop(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), service).await);
    }
}

/// Makes hyper close the connection.
#[derive(Debug, thiserror::Error)]
#[error("closed on purpose")]
struct Closed;

impl From<Infallible> for Closed {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// Frees the lane when the answer is given or the sender goes away.
struct InLane<'a>(&'a Shared, String);

impl Drop for InLane<'_> {
    fn drop(&mut self) {
        self.0.state.lock().unwrap().lanes.remove(&self.1);
    }
}

async fn answer(
    shared: Arc<Shared>,
    request: Request<Incoming>,
    connection: u64,
) -> Result<Response<Full<Bytes>>, Closed> {
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, BODY_MAX).collect().await else { return Err(Closed) };
    let body = body.to_bytes();
    let text = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let received = Received {
        webhook_id: text("webhook-id"),
        timestamp: text("webhook-timestamp").parse().unwrap_or_default(),
        target: head.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
        version: head.version,
        message: serde_json::from_slice(&body).unwrap_or_default(),
        headers: head.headers,
        body,
        at: Instant::now(),
        connection,
        answered: None,
    };
    let lane = received.lane().to_owned();
    let (index, answer) = shared.take(received);
    let in_lane = InLane(&shared, lane);
    let (status, headers, body) = match answer {
        Answer::Status(status) => (status, Vec::new(), String::new()),
        Answer::Full(status, headers, body) => (status, headers, body),
        Answer::Stall => {
            // Only the sender knows when it gives up: its next request may be here before its goodbye.
            drop(in_lane);
            return std::future::pending().await;
        }
        Answer::Close => return Err(Closed),
        Answer::Wait(mut gate) => {
            drop(gate.wait_for(|open| *open).await);
            (200, Vec::new(), String::new())
        }
    };
    // Before the answer leaves: the next message of the lane may come at once.
    drop(in_lane);
    shared.state.lock().unwrap().answered(index, status);
    shared.changes.send_modify(|changes| *changes += 1);
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status.try_into().unwrap();
    for (name, value) in headers {
        response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::try_from(value).unwrap());
    }
    Ok(response)
}

impl Shared {
    /// Checks and keeps a request and chooses its answer.
    fn take(&self, received: Received) -> (usize, Answer) {
        let broken = self.check(&received);
        let mut state = self.state.lock().unwrap();
        state.violations.extend(broken);
        state.compare(&received);
        let scripted = state.script.pop_front();
        let chosen = || state.chooser.as_ref().and_then(|chooser| chooser(&received));
        let answer = scripted.or_else(chosen).unwrap_or_else(|| state.always.clone());
        state.received.push(received);
        let index = state.received.len() - 1;
        drop(state);
        self.changes.send_modify(|changes| *changes += 1);
        (index, answer)
    }

    /// What one message must be by itself.
    fn check(&self, received: &Received) -> Vec<String> {
        let mut broken = Vec::new();
        let mut must = |holds: bool, rule: &str| {
            if !holds {
                broken.push(format!("{}: {rule}", received.webhook_id));
            }
        };
        let header = |name: &str| received.headers.get(name).and_then(|value| value.to_str().ok());
        let wanted = |secret: &String| signature(secret, &received.webhook_id, received.timestamp, &received.body);
        let wanted: Vec<_> = self.secrets.iter().map(wanted).collect();
        let given = header("webhook-signature").unwrap_or_default();
        must(given.split(' ').any(|one| wanted.iter().any(|want| want == one)), "the signature is wrong");
        must(header("content-type") == Some("application/json"), "the content type is not JSON");
        let data = &received.message["data"];
        let id = format!("{}_{}", data["event_id"].as_str().unwrap_or("?"), data["state_version"]);
        must(id == received.webhook_id, "webhook-id is not {event_id}_{state_version}");
        let has_payment = received.payment_id().is_some_and(|id| id.starts_with("pay_"));
        must(received.message_type().starts_with("payment.") == has_payment, "payment_id and type do not fit");
        broken
    }
}

impl State {
    fn answered(&mut self, index: usize, status: u16) {
        self.received[index].answered = Some(status);
        self.taken += usize::from((200..300).contains(&status));
    }

    /// What messages must be to each other.
    fn compare(&mut self, received: &Received) {
        let id = &received.webhook_id;
        if self.bodies.entry(id.clone()).or_insert_with(|| received.body.clone()) != &received.body {
            self.violations.push(format!("{id}: a repeat with other bytes"));
        }
        if let (Some(payment), Some(event)) = (received.payment_id(), received.message["data"]["event_id"].as_str()) {
            let first = self.events.entry(payment.to_owned()).or_insert_with(|| event.to_owned());
            if first != event {
                self.violations.push(format!("{payment}: a second event {event} after {first}"));
            }
        }
        if !self.lanes.insert(received.lane().to_owned()) {
            self.violations.push(format!("{id}: two messages of lane {} at the same time", received.lane()));
        }
        self.most_at_once = self.most_at_once.max(self.lanes.len());
    }
}

/// One entry of `webhook-signature`, by the text of the Standard Webhooks specification.
pub fn signature(secret: &str, id: &str, timestamp: i64, body: &[u8]) -> String {
    let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    format!("v1,{}", STANDARD.encode(hmac(&key, format!("{id}.{timestamp}.").as_bytes(), body)))
}

/// HMAC-SHA-256 as RFC 2104 writes it, for keys of at most a block: on purpose not the product's own.
fn hmac(key: &[u8], first: &[u8], second: &[u8]) -> Vec<u8> {
    assert!(key.len() <= 64, "a Standard Webhooks key has at most 64 bytes");
    let pad = |byte: u8| (0..64).map(|i| key.get(i).copied().unwrap_or(0) ^ byte).collect::<Vec<u8>>();
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(first).chain_update(second).finalize();
    Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize().to_vec()
}
