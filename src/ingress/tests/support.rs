//! A gateway on a free port, and a client that speaks bytes.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use evidence_store::{Delivery, NewRejected, Options, RejectedFilter, Store};
use jiff::Timestamp;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::clock::Clock;
use crate::config::{self, Config, Secret, SourceSecret};
use crate::digest::{Algorithm, HmacKey};
use crate::ingress::{Ingress, Public};
use crate::net::{self, Drained, Limits, Listener};
use crate::task::{self, StopSwitch};
use crate::telemetry::metrics::Metrics;
use crate::watermark::Watermarks;

pub(super) const SECRET: &str = "a secret of the tests";
pub(super) const PATH: &str = "/hooks/orders";

/// Longer than any deadline under test.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

pub(super) struct Gateway {
    pub(super) address: SocketAddr,
    pub(super) store: Store,
    pub(super) metrics: Metrics,
    pub(super) ingress: Arc<Ingress>,
    pub(super) config: Arc<Config>,
    pub(super) clock: Clock,
    pub(super) stop: StopSwitch,
    pub(super) served: JoinHandle<Drained>,
    pub(super) _folder: TempDir,
}

/// Noon of the day the fixtures are made for.
pub(super) fn now() -> Timestamp {
    "2026-11-20T12:00:00Z".parse().unwrap()
}

impl Gateway {
    pub(super) async fn start() -> Self {
        Self::with(|_, _| {}).await
    }

    pub(super) async fn with(change: impl FnOnce(&mut Config, &mut Options)) -> Self {
        let folder = TempDir::new().unwrap();
        let mut config = config(folder.path());
        let mut options = Options {
            path: folder.path().join("evidence"),
            reserve_bytes: 0,
            rejected_max_bytes: 1024 * 1024,
            repeats_max: 64,
            observer: None,
        };
        change(&mut config, &mut options);
        let store = task::spawn_blocking(move || Store::open(options).unwrap()).await.unwrap();
        let metrics = Metrics::new();
        let limits = Limits::ingress(&config.ingress);
        let marks = Watermarks::new(&config, &metrics);
        let (config, clock) = (Arc::new(config), Clock::manual(now()));
        let ingress =
            Ingress::new(Arc::clone(&config), store.clone(), clock.clone(), metrics.clone(), Arc::clone(&marks))
                .unwrap();
        let listener = Listener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let address = listener.local_addr();
        let (switch, stop) = task::stop();
        let service = Public(Arc::clone(&ingress));
        let served = task::spawn("served", net::serve(listener, limits, service, stop, PATIENCE));
        Self { address, store, metrics, ingress, config, clock, stop: switch, served, _folder: folder }
    }

    pub(super) async fn connect(&self) -> Client {
        Client { stream: TcpStream::connect(self.address).await.unwrap(), read: Vec::new() }
    }

    /// One request on a connection of its own.
    pub(super) async fn ask(&self, request: &[u8]) -> Answer {
        let mut client = self.connect().await;
        client.send(request).await;
        client.answer().await
    }

    /// Everything in the log, oldest first.
    pub(super) fn deliveries(&self) -> Vec<Delivery> {
        let records = self.store.read_after(0, 100, 64 * 1024 * 1024).unwrap();
        records.into_iter().filter_map(|record| record.entry.into_delivery()).collect()
    }

    /// The rejected requests, once there are `count`: they are written in the background.
    pub(super) async fn rejected(&self, count: usize) -> Vec<NewRejected> {
        let orders = RejectedFilter { sources: vec!["orders".to_owned()], ..RejectedFilter::default() };
        let all = async {
            loop {
                let rejected = self.store.rejected(&orders, None, 100).unwrap().records;
                if rejected.len() >= count {
                    return rejected.into_iter().map(|record| record.request).collect();
                }
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, all).await.expect("the rejected requests are kept")
    }

    /// A line of the exposition, without its value.
    pub(super) fn metric(&self, series: &str) -> f64 {
        let text = self.metrics.encode().unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(series));
        line.map_or(0.0, |value| value.trim().parse().unwrap())
    }
}

pub(super) struct Client {
    pub(super) stream: TcpStream,
    read: Vec<u8>,
}

#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) json: Value,
}

impl Client {
    pub(super) async fn send(&mut self, bytes: &[u8]) {
        timeout(PATIENCE, self.stream.write_all(bytes)).await.unwrap().unwrap();
    }

    /// Sends what it can: the gateway may have had enough before the end.
    pub(super) async fn send_most(&mut self, bytes: &[u8]) {
        drop(timeout(PATIENCE, self.stream.write_all(bytes)).await.unwrap());
    }

    /// The next answer.
    pub(super) async fn answer(&mut self) -> Answer {
        let end = loop {
            if let Some(end) = self.read.windows(4).position(|window| window == b"\r\n\r\n") {
                break end;
            }
            assert!(self.more().await > 0, "closed without an answer: {}", self.read.escape_ascii());
        };
        let head = String::from_utf8(self.read[..end].to_vec()).unwrap();
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: Vec<(String, String)> = lines
            .map(|line| line.split_once(": ").unwrap())
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let length = headers.iter().find(|(name, _)| name == "content-length").unwrap();
        let length: usize = length.1.parse().unwrap();
        while self.read.len() < end + 4 + length {
            assert!(self.more().await > 0, "closed within an answer");
        }
        let json = serde_json::from_slice(&self.read[end + 4..end + 4 + length]).unwrap_or(Value::Null);
        self.read.drain(..end + 4 + length);
        Answer { status, headers, json }
    }

    async fn more(&mut self) -> usize {
        timeout(PATIENCE, self.stream.read_buf(&mut self.read)).await.expect("no answer").unwrap_or(0)
    }

    /// Waits until the gateway closes; what came before that.
    pub(super) async fn until_closed(mut self) -> Vec<u8> {
        while self.more().await > 0 {}
        self.read
    }
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The contract's error envelope, whole.
    #[track_caller]
    pub(super) fn refused(&self, status: u16, code: &str) {
        assert_eq!((self.status, self.json["error"]["code"].as_str()), (status, Some(code)), "{self:?}");
        assert_eq!(self.json["success"], false);
        assert!(!self.json["error"]["message"].as_str().unwrap().is_empty());
        assert!(self.json["error"]["details"].is_object());
        assert_eq!(self.json["request_id"].as_str(), self.header("x-request-id"));
        assert!(self.header("x-request-id").is_some_and(|id| !id.is_empty()));
        assert_eq!(self.header("content-type"), Some("application/json"));
        assert_eq!(self.json.as_object().unwrap().len(), 3);
        assert_eq!(self.json["error"].as_object().unwrap().len(), 3);
    }

    /// The contract's 200; the delivery's id.
    #[track_caller]
    pub(super) fn stored(&self) -> uuid::Uuid {
        assert_eq!((self.status, &self.json["success"]), (200, &Value::Bool(true)), "{self:?}");
        assert!(self.header("x-request-id").is_some());
        self.json["data"]["delivery_id"].as_str().unwrap().parse().unwrap()
    }

    pub(super) fn closes(&self) -> bool {
        self.header("connection") == Some("close")
    }
}

/// The `x-signature` of a body: HMAC-SHA-256, hexadecimal.
pub(super) fn signature(body: &[u8]) -> String {
    format!("sha256={}", hex::encode(HmacKey::new(Algorithm::Sha256, SECRET.as_bytes()).sign(&[body])))
}

/// A whole signed request with the given further header lines.
pub(super) fn signed(body: &[u8], lines: &str) -> Vec<u8> {
    request(body, &format!("X-Signature: {}\r\n{lines}", signature(body)))
}

/// A whole request with a content-length.
pub(super) fn request(body: &[u8], lines: &str) -> Vec<u8> {
    let head = format!("POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n{lines}\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// A whole signed request in chunks of `size`.
pub(super) fn chunked(body: &[u8], size: usize) -> Vec<u8> {
    let signature = signature(body);
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nX-Signature: {signature}\r\n\r\n"
    );
    let mut bytes = head.into_bytes();
    for chunk in body.chunks(size) {
        bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        bytes.extend_from_slice(chunk);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    bytes
}

pub(super) fn source(name: &str, path: &str, provider: config::Provider, secret: &str) -> config::Source {
    config::Source {
        name: name.to_owned(),
        path: path.to_owned(),
        realm: name.to_owned(),
        secrets: vec![SourceSecret {
            name: "first".to_owned(),
            secret: Secret::new(secret.to_owned()),
            not_after: None,
        }],
        ..config::Source::sample(provider, &[])
    }
}

fn hmac() -> config::Provider {
    config::Provider::Hmac(config::HmacScheme {
        header: "x-signature".to_owned(),
        algorithm: Algorithm::Sha256,
        encoding: config::Encoding::Hex,
        prefix: "sha256=".to_owned(),
        identity: Vec::new(),
    })
}

fn config(folder: &std::path::Path) -> Config {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    Config {
        data_dir: folder.to_path_buf(),
        ingress: config::Ingress {
            listen: any,
            max_body: 64 * 1024,
            max_headers: 16 * 1024,
            max_connections: 64,
            first_byte_timeout: Duration::from_secs(10),
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(10),
            min_body_rate: 0,
            trusted_proxies: Vec::new(),
            health_path: None,
        },
        admin: config::Admin { listen: any, tokens: Vec::new() },
        telemetry: config::Telemetry { json: true, level: "info".to_owned(), listen: None },
        shutdown: config::Shutdown { delay: Duration::ZERO, grace: PATIENCE },
        evidence: config::Evidence {
            path: folder.join("evidence"),
            reserve: 0,
            rejected_max: 1024 * 1024,
            repeats_max: 64,
            watermarks: config::Watermarks::default(),
            retention: config::Retention::default(),
            retention_every: std::time::Duration::from_secs(3600),
            archive: None,
            seal: config::Seal {
                key: "seal.key".into(),
                every: std::time::Duration::from_secs(10),
                publish_file: None,
                publish_url: None,
            },
        },
        ledger: config::Ledger { path: folder.join("ledger.db") },
        backup: config::Backup::default(),
        sources: vec![source("orders", PATH, hmac(), SECRET)],
        verification: config::Verification {
            require_expectation: true,
            recipients: Vec::new(),
            give_up: Duration::from_secs(60),
            tolerance_abs: "0".to_owned(),
            tolerance_bps: 0,
            twin_grace: Duration::from_secs(600),
            regrace: Duration::from_secs(60),
            exposure_cap_usd: None,
            screening: config::Screening::default(),
            scan: true,
            late_watch: Duration::from_secs(2_592_000),
            scan_range_blocks: 1000,
        },
        chains: BTreeMap::new(),
        destinations: BTreeMap::new(),
        include_claimed: true,
    }
}

/// Headers as text, for comparison with what was sent.
pub(super) fn as_text(headers: &[(Bytes, Bytes)]) -> Vec<(String, String)> {
    let text = |bytes: &Bytes| String::from_utf8(bytes.to_vec()).unwrap();
    headers.iter().map(|(name, value)| (text(name), text(value))).collect()
}
