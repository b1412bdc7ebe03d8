//! Accepting connections, as far as the libraries do not offer it safely.
#![expect(unsafe_code, reason = "each block buys system calls; see there")]

use std::io;
use std::net::TcpListener;

use tokio::io::unix::AsyncFd;

/// Registers a listener with the runtime of this thread.
///
/// The runtime's own listener would register each connection that it accepts, which most of them
/// do not need: two system calls a connection, a tenth of the CPU time.
pub(super) fn register(listener: TcpListener) -> io::Result<AsyncFd<TcpListener>> {
    // SAFETY: a listener keeps its descriptor open and never changes it, and nobody takes it out
    // of the `AsyncFd`, to which there are only shared references.
    unsafe { AsyncFd::register(listener) }.map_err(Into::into)
}
