//! Binding a port, with errors that say what to do about it.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// Connections the kernel holds for us while all slots are taken.
const BACKLOG: u32 = 1024;

/// A bound port.
#[derive(Debug)]
pub struct Listener {
    inner: TcpListener,
    address: SocketAddr,
}

/// Why a port could not be bound.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Somebody listens there.
    #[error("{address} is in use by another process: stop that one (`ss -ltnp` names it) or choose another `listen`")]
    InUse {
        /// The configured address.
        address: SocketAddr,
    },
    /// The port needs a privilege.
    #[error(
        "{address} may not be bound by this user: take a port from 1024 up, or grant the binary CAP_NET_BIND_SERVICE"
    )]
    Denied {
        /// The configured address.
        address: SocketAddr,
    },
    /// No interface has the address.
    #[error("{address} is no address of this machine: use one that `ip address` lists, or 0.0.0.0 for all")]
    NotLocal {
        /// The configured address.
        address: SocketAddr,
    },
    /// Anything else.
    #[error("{address} could not be bound: {source}; check `listen`")]
    Other {
        /// The configured address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

impl Listener {
    /// Binds and listens. Port 0 takes a free one, see [`Listener::local_addr`]. Needs a runtime.
    ///
    /// # Errors
    /// Names the address and the way out.
    pub fn bind(address: SocketAddr) -> Result<Self, BindError> {
        let bound = || -> io::Result<Self> {
            let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
            // A restart must not wait for connections of the process before it.
            socket.set_reuseaddr(true)?;
            socket.bind(address)?;
            let inner = socket.listen(BACKLOG)?;
            let address = inner.local_addr()?;
            Ok(Self { inner, address })
        };
        bound().map_err(|source| match source.kind() {
            io::ErrorKind::AddrInUse => BindError::InUse { address },
            io::ErrorKind::PermissionDenied => BindError::Denied { address },
            io::ErrorKind::AddrNotAvailable => BindError::NotLocal { address },
            _ => BindError::Other { address, source },
        })
    }

    /// Where it listens, with the real port.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.address
    }

    pub(super) async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (stream, peer) = self.inner.accept().await?;
        // Answers are one small write: waiting for more to send would only add latency.
        stream.set_nodelay(true)?;
        Ok((stream, peer))
    }
}
