//! Listeners, and accepting connections as far as the libraries do not offer it safely.
#![expect(unsafe_code, reason = "each block buys system calls; see there")]

use std::io;
use std::net::TcpListener;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixListener;

use opentracker_http::Source;
use tokio::io::unix::AsyncFd;

use super::socket::Socket;

/// What a thread accepts connections from.
#[derive(Debug)]
pub(super) struct Listener {
    pub(super) bound: Bound,
    /// Its place among the listeners of each thread, of the same address or path.
    pub(super) number: usize,
    /// Connections begin with a PROXY header.
    pub(super) proxy_protocol: bool,
    /// Clients speak TLS.
    pub(super) tls: bool,
}

/// A bound socket, which does not block.
#[derive(Debug)]
pub(super) enum Bound {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Listener {
    /// Accepts a connection, if one waits, and says who is at its other end.
    pub(super) fn accept(&self) -> io::Result<(Socket, Source)> {
        match &self.bound {
            Bound::Tcp(listener) => {
                let (stream, address) = listener.accept()?;
                Ok((Socket::Tcp(stream), Source::Socket(address.ip())))
            }
            Bound::Unix(listener) => {
                let (stream, _) = listener.accept()?;
                Ok((Socket::Unix(stream), Source::Local))
            }
        }
    }
}

impl AsRawFd for Listener {
    fn as_raw_fd(&self) -> RawFd {
        match &self.bound {
            Bound::Tcp(listener) => listener.as_raw_fd(),
            Bound::Unix(listener) => listener.as_raw_fd(),
        }
    }
}

/// Registers a listener with the runtime of this thread.
///
/// The runtime's own listener would register each connection that it accepts, which most of them
/// do not need: two system calls a connection, a tenth of the CPU time.
pub(super) fn register(listener: Listener) -> io::Result<AsyncFd<Listener>> {
    // SAFETY: a listener keeps its descriptor open and never changes it, and nobody takes it out
    // of the `AsyncFd`, to which there are only shared references.
    unsafe { AsyncFd::register(listener) }.map_err(Into::into)
}
