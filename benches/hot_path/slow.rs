//! Clients that hold connections and give nothing.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::load::PATH;

/// The crowd in words.
pub(crate) const WORDS: &str =
    "2000 idle connections, 500 that send a header a second, 500 that send a byte of a body a second";
const IDLE: usize = 2_000;
const SLOW_HEADERS: usize = 500;
const SLOW_BODIES: usize = 500;

/// A crowd that stays until it is told to leave.
pub(crate) struct Crowd {
    members: JoinSet<bool>,
    leave: watch::Sender<bool>,
}

#[derive(Clone, Copy)]
enum Kind {
    Idle,
    SlowHeaders,
    SlowBody,
}

impl Crowd {
    /// Connects all of them.
    pub(crate) async fn gather(to: SocketAddr) -> Self {
        let (leave, told) = watch::channel(false);
        let mut members = JoinSet::new();
        for (count, kind) in [(IDLE, Kind::Idle), (SLOW_HEADERS, Kind::SlowHeaders), (SLOW_BODIES, Kind::SlowBody)] {
            for _ in 0..count {
                let told = told.clone();
                members.spawn(member(to, kind, told));
            }
        }
        sleep(Duration::from_secs(1)).await;
        Self { members, leave }
    }

    /// How many were cut by the gateway before they were told to leave.
    pub(crate) async fn leave(mut self) -> usize {
        self.leave.send_replace(true);
        let mut cut = 0;
        while let Some(was_cut) = self.members.join_next().await {
            cut += usize::from(was_cut.unwrap());
        }
        cut
    }
}

/// True when the gateway ended the connection.
async fn member(to: SocketAddr, kind: Kind, told: watch::Receiver<bool>) -> bool {
    let Ok(mut stream) = TcpStream::connect(to).await else { return true };
    let begin = match kind {
        Kind::Idle => String::new(),
        Kind::SlowHeaders => format!("POST {PATH} HTTP/1.1\r\nhost: bench.localhost\r\n"),
        Kind::SlowBody => format!("POST {PATH} HTTP/1.1\r\nhost: bench.localhost\r\ncontent-length: 100000\r\n\r\n"),
    };
    if stream.write_all(begin.as_bytes()).await.is_err() {
        return true;
    }
    let mut answer = [0; 1024];
    while !*told.borrow() {
        let drop_by_drop: &[u8] = match kind {
            Kind::Idle => b"",
            Kind::SlowHeaders => b"x-slow: 1\r\n",
            Kind::SlowBody => b"7",
        };
        if stream.write_all(drop_by_drop).await.is_err() {
            return true;
        }
        // An answer or an end is the gateway's way to be rid of it.
        if timeout(Duration::from_secs(1), stream.read(&mut answer)).await.is_ok() {
            return true;
        }
    }
    false
}
