//! A TCP proxy that can be taken away and put back: what is behind it was never there, breaks off, or answers.
//!
//! It has a loopback address of its own, so that nobody else takes its port while it is down.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tollgate::task;

/// Not 127.0.0.1: the kernel hands out ports of that one all the time.
const ADDRESS: &str = "127.0.0.77:0";

/// Bytes that go through one direction at once.
const CHUNK: usize = 4096;

/// See the module.
pub(crate) struct Chaos {
    address: SocketAddr,
    target: SocketAddr,
    running: Option<JoinHandle<()>>,
    broken: Arc<AtomicUsize>,
}

/// What happens to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// Everything goes through.
    Good,
    /// The request goes through and the answer breaks off after so many bytes.
    Breaks(usize),
    /// The connection is reset in the middle of the request.
    Resets,
    /// The request is read and nothing ever comes back.
    Hangs,
    /// The request goes through and the answer comes back byte by byte.
    Trickles,
    /// The request goes through; the answer is 200, promises more than it holds, and breaks off.
    Lies,
}

/// Between two bytes of a slow answer.
const PAUSE: Duration = Duration::from_millis(2);

/// A 2xx that dies.
const LIE: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\nthat is not";

impl Chaos {
    /// A proxy that is down: connections are refused.
    pub(crate) async fn down(target: SocketAddr) -> Self {
        let address = TcpListener::bind(ADDRESS).await.expect("a port").local_addr().expect("its address");
        Self { address, target, running: None, broken: Arc::default() }
    }

    /// Where it listens when it is up.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers that were broken off.
    pub(crate) fn broken(&self) -> usize {
        self.broken.load(Ordering::SeqCst)
    }

    /// Puts it up with lines of this quality; lines that were open before break.
    pub(crate) async fn put_up(&mut self, line: Line) {
        self.take_down().await;
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_reuseaddr(true).expect("an address used before");
        socket.bind(self.address).expect("its own address");
        let listener = socket.listen(128).expect("it listens");
        let (target, broken) = (self.target, Arc::clone(&self.broken));
        self.running = Some(task::spawn("chaos", async move {
            // Dropped with the task, and every connection with it.
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let broken = Arc::clone(&broken);
                connections.spawn(async move { drop(connect(client, target, line, &broken).await) });
                while connections.try_join_next().is_some() {}
            }
        }));
    }

    /// Takes it down: open lines break, new ones are refused.
    pub(crate) async fn take_down(&mut self) {
        if let Some(running) = self.running.take() {
            running.abort();
            drop(running.await);
        }
    }
}

/// Hands the request on; what came back.
async fn pass(client: &mut TcpStream, target: SocketAddr) -> std::io::Result<Vec<u8>> {
    let mut server = TcpStream::connect(target).await?;
    let mut chunk = vec![0; CHUNK];
    let asked = client.read(&mut chunk).await?;
    server.write_all(&chunk[..asked]).await?;
    let answered = server.read(&mut chunk).await?;
    chunk.truncate(answered);
    Ok(chunk)
}

async fn connect(mut client: TcpStream, target: SocketAddr, line: Line, broken: &AtomicUsize) -> std::io::Result<()> {
    match line {
        Line::Good => {
            let mut server = TcpStream::connect(target).await?;
            tokio::io::copy_bidirectional(&mut client, &mut server).await?;
        }
        Line::Resets => {
            // What was sent and never read makes the kernel answer with a reset.
            client.read_exact(&mut [0; 16]).await?;
            broken.fetch_add(1, Ordering::SeqCst);
        }
        Line::Hangs => {
            client.read_exact(&mut [0; 16]).await?;
            broken.fetch_add(1, Ordering::SeqCst);
            std::future::pending::<()>().await;
        }
        Line::Trickles => {
            for byte in pass(&mut client, target).await? {
                client.write_all(&[byte]).await?;
                tokio::time::sleep(PAUSE).await;
            }
            broken.fetch_add(1, Ordering::SeqCst);
        }
        Line::Lies => {
            drop(pass(&mut client, target).await?);
            client.write_all(LIE).await?;
            broken.fetch_add(1, Ordering::SeqCst);
        }
        Line::Breaks(after) => {
            let answer = pass(&mut client, target).await?;
            client.write_all(&answer[..answer.len().min(after)]).await?;
            broken.fetch_add(1, Ordering::SeqCst);
        }
    }
    Ok(())
}
