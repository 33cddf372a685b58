//! A JSON-RPC node on a loopback socket that answers as a test says, well or badly.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::config::Secret;
use crate::task;

/// What the node does with a call.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// A JSON-RPC result, with the call's id.
    Result(Value),
    /// A JSON-RPC error, with the call's id.
    Error(i64),
    /// A JSON-RPC result under another id.
    WrongId(Value),
    /// An HTTP answer as it is: the rest of the status line (and header lines behind it), body.
    Http(&'static str, String),
    /// An endless body.
    Endless,
    /// Nothing, and the connection stays open.
    Silence,
}

type Script = dyn Fn(&str, &Value) -> Reply + Send + Sync;

/// The node. It stops listening with the runtime of the test.
pub(crate) struct Scripted {
    address: SocketAddr,
    calls: Arc<Mutex<Vec<String>>>,
}

impl Scripted {
    /// A node that answers `(method, params)` by the script.
    pub(crate) async fn start(script: impl Fn(&str, &Value) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (calls, script): (Arc<Mutex<Vec<String>>>, Arc<Script>) = (Arc::default(), Arc::new(script));
        let log = Arc::clone(&calls);
        drop(task::spawn("scripted.node", async move {
            while let Ok((stream, _)) = listener.accept().await {
                drop(task::spawn("scripted.call", serve(stream, Arc::clone(&script), Arc::clone(&log))));
            }
        }));
        Self { address, calls }
    }

    /// Its URL, with a key in it that must never show.
    pub(crate) fn url(&self) -> Secret {
        Secret::new(format!("http://{}/v2/SECRET-KEY", self.address))
    }

    /// Methods called so far, in order.
    pub(crate) fn calls(&self) -> Vec<String> {
        self.calls.lock().unwrap().clone()
    }
}

/// One call a connection: what happens to pooled connections is not the script's business.
async fn serve(mut stream: TcpStream, script: Arc<Script>, calls: Arc<Mutex<Vec<String>>>) {
    let Some(call) = read_call(&mut stream).await else { return };
    let method = call["method"].as_str().unwrap().to_owned();
    calls.lock().unwrap().push(method.clone());
    let envelope = |id: &Value, result: Value| json!({"jsonrpc": "2.0", "id": id, "result": result}).to_string();
    let (status, body) = match script(&method, &call["params"]) {
        Reply::Result(result) => ("200 OK", envelope(&call["id"], result)),
        Reply::WrongId(result) => ("200 OK", envelope(&json!(999_999), result)),
        Reply::Error(code) => {
            let error = json!({"code": code, "message": "text of the node: SECRET-KEY"});
            ("200 OK", json!({"jsonrpc": "2.0", "id": call["id"], "error": error}).to_string())
        }
        Reply::Http(status, body) => (status, body),
        Reply::Endless => return endless(stream).await,
        Reply::Silence => return std::future::pending().await,
    };
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    let written = stream.write_all([head.as_bytes(), body.as_bytes()].concat().as_slice()).await;
    // The client may have turned away from a large answer.
    drop(written);
}

async fn endless(mut stream: TcpStream) {
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n";
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
    if stream.write_all(head.as_bytes()).await.is_err() {
        return;
    }
    while stream.write_all(chunk.as_bytes()).await.is_ok() {}
}

async fn read_call(stream: &mut TcpStream) -> Option<Value> {
    let mut read = Vec::new();
    loop {
        if stream.read_buf(&mut read).await.ok()? == 0 {
            return None;
        }
        let text = String::from_utf8_lossy(&read);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.to_lowercase().lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        if length.unwrap_or(0) <= body.len() {
            return serde_json::from_str(body).ok();
        }
    }
}
