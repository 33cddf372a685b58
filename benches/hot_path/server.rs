//! What is measured: the gateway as it ships and a hyper server that does nothing, each a process of its own.

use std::convert::Infallible;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::body::SECRET;

/// The argument that makes this program an empty server.
pub(crate) const EMPTY: &str = "--empty-server";

/// How long a process may take to start, and to stop.
const PATIENCE: Duration = Duration::from_secs(60);

/// A child that ends with its owner.
pub(crate) struct Process {
    child: Child,
    pub(crate) address: SocketAddr,
}

/// What the kernel counts for a process.
#[derive(Clone, Copy)]
pub(crate) struct Usage {
    pub(crate) cpu: Duration,
    pub(crate) resident_mb: f64,
}

impl Process {
    /// A hyper server that reads the body, does nothing, and answers 200.
    pub(crate) fn empty() -> Self {
        let program = std::env::current_exe().unwrap();
        let mut child = Command::new(program).arg(EMPTY).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, address: line.trim().parse().unwrap() }
    }

    /// Keeps it from running while another is measured.
    pub(crate) fn halt(&self) {
        self.signal("-STOP");
    }

    pub(crate) fn go_on(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let status = Command::new("kill").arg(signal).arg(self.child.id().to_string()).status().unwrap();
        assert!(status.success(), "kill {signal} failed");
    }

    pub(crate) fn usage(&self) -> Usage {
        let pid = self.child.id();
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        // The name in brackets may hold anything; utime and stime are the 12th and 13th fields behind it.
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let kb: f64 = resident.trim().trim_end_matches(" kB").parse().unwrap();
        // Linux counts in hundredths of a second on every platform it is built for here.
        Usage { cpu: Duration::from_millis(ticks * 10), resident_mb: kb / 1024.0 }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// The gateway with everything on, and its data.
pub(crate) struct Gateway {
    pub(crate) process: Process,
    telemetry: SocketAddr,
    client: reqwest::Client,
    pub(crate) started_in: Duration,
    /// Dropped last.
    _folder: TempDir,
}

/// Figures that the gateway keeps of itself.
#[derive(Clone, Copy, Default)]
pub(crate) struct Figures {
    pub(crate) stored: f64,
    pub(crate) commits: f64,
    pub(crate) fsync_s: f64,
    pub(crate) lag: f64,
    pub(crate) forwarded: f64,
}

impl Gateway {
    /// Starts it on an empty folder, forwarding to `backend`, and waits until it is ready.
    pub(crate) async fn start(backend: SocketAddr) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (ingress, admin, telemetry) = (free_port(), free_port(), free_port());
        let file = folder.path().join("tollgate.toml");
        std::fs::write(&file, configuration(folder.path(), ingress, admin, telemetry, backend)).unwrap();
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let began = Instant::now();
        let child = Command::new(env!("CARGO_BIN_EXE_tollgate"))
            .args(["serve", "--config"])
            .arg(&file)
            .env("BENCH_SOURCE", SECRET)
            .env("BENCH_FORWARD", "whsec_dG9sbGdhdGUtYmVuY2gtZm9yd2FyZC1zZWNyZXQtMDE=")
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let process = Process { child, address: ingress };
        let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        let ready = format!("http://{telemetry}/readyz");
        while !client.get(&ready).send().await.is_ok_and(|answer| answer.status().is_success()) {
            assert!(began.elapsed() < PATIENCE, "the gateway does not start: see {}", folder.keep().display());
            sleep(Duration::from_millis(5)).await;
        }
        Self { process, telemetry, client, started_in: began.elapsed(), _folder: folder }
    }

    /// Reads `/metrics`.
    pub(crate) async fn figures(&self) -> Figures {
        let answer = self.client.get(format!("http://{}/metrics", self.telemetry)).send().await.unwrap();
        let text = String::from_utf8(answer.bytes().await.unwrap().to_vec()).unwrap();
        let sum = |name: &str, label: &str| -> f64 {
            let of_name = |line: &&str| {
                line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ') || rest.starts_with('{'))
            };
            let lines = text.lines().filter(of_name).filter(|line| line.contains(label));
            lines.map(|line| line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap()).sum()
        };
        Figures {
            stored: sum("tollgate_deliveries_total", "stored"),
            commits: sum("tollgate_fsync_duration_seconds_count", ""),
            fsync_s: sum("tollgate_fsync_duration_seconds_sum", ""),
            lag: sum("tollgate_intake_lag_deliveries", ""),
            forwarded: sum("tollgate_forward_attempts_total", "outcome=\"ok\""),
        }
    }
}

fn free_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn configuration(
    folder: &std::path::Path,
    ingress: SocketAddr,
    admin: SocketAddr,
    telemetry: SocketAddr,
    backend: SocketAddr,
) -> String {
    format!(
        "data_dir = \"{}\"\n\
         [ingress]\nlisten = \"{ingress}\"\nmax_connections = 8192\n\
         [admin]\nlisten = \"{admin}\"\n\
         [telemetry]\nlisten = \"{telemetry}\"\nlog = {{ format = \"json\", level = \"info\" }}\n\
         [forward]\nurl = \"http://{backend}/\"\nsecrets = [\"env:BENCH_FORWARD\"]\nconcurrency = 64\n\
         [[sources]]\nname = \"stripe\"\nprovider = \"stripe\"\npath = \"{}\"\nsecrets = [\"env:BENCH_SOURCE\"]\n",
        folder.join("data").display(),
        crate::load::PATH,
    )
}

/// This program as the empty server; never returns.
pub(crate) fn be_empty() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("{}", listener.local_addr().unwrap());
        std::io::stdout().flush().unwrap();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            tokio::spawn(async move {
                let serving = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service_fn(nothing))
                    .await;
                // A peer that goes away is how every window ends.
                drop(serving);
            });
        }
    });
}

async fn nothing(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    drop(request.into_body().collect().await);
    Ok(Response::new(Full::new(Bytes::from_static(b"{\"success\":true}"))))
}
