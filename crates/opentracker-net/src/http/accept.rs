//! Accepting connections, as far as the libraries do not offer it safely.
#![expect(unsafe_code, reason = "each block buys system calls; see there")]

use std::io;
use std::net::TcpListener;
use std::os::fd::AsRawFd;
use std::time::Duration;

use socket2::Socket;
use tokio::io::unix::AsyncFd;

/// Makes the system hold a connection back until its first octets are there, or for about
/// `patience` (tcp(7), `TCP_DEFER_ACCEPT`).
///
/// A connection that is accepted can then be read from at once. For a connection that serves one
/// request this saves a third of the CPU time: it never waits, so it is never registered.
pub(super) fn defer(socket: &Socket, patience: Duration) -> io::Result<()> {
    let secs = libc::c_int::try_from(patience.as_secs()).unwrap_or(libc::c_int::MAX);
    let octets = libc::socklen_t::try_from(size_of_val(&secs)).expect("an integer is small");
    // SAFETY: the descriptor is open, and the option's value is an integer that outlives the call.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_DEFER_ACCEPT,
            (&raw const secs).cast(),
            octets,
        )
    };
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Registers a listener with the runtime of this thread.
///
/// The runtime's own listener would register each connection that it accepts, which most of them
/// do not need: two system calls a connection, a tenth of the CPU time.
pub(super) fn register(listener: TcpListener) -> io::Result<AsyncFd<TcpListener>> {
    // SAFETY: a listener keeps its descriptor open and never changes it, and nobody takes it out
    // of the `AsyncFd`, to which there are only shared references.
    unsafe { AsyncFd::register(listener) }.map_err(Into::into)
}
