//! System calls that std has not. With its modules, the only unsafe code of this crate.
#![expect(
    unsafe_code,
    reason = "std has no affinity, no signals and few socket options"
)]

mod datagrams;
mod poller;

use std::io;
use std::mem;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

use libc::{c_int, c_void};

pub(crate) use datagrams::{BATCH, DATAGRAM_OCTETS, Inbox, Origin, Outbox};
pub(crate) use poller::{Interest, Poller};

/// Octets of a socket's buffers, if the system grants them.
pub(crate) const BUFFER_OCTETS: c_int = 8 << 20;

/// Binds a datagram socket of the family of `peer` to a port of every local address, with large
/// buffers.
pub(crate) fn bind_wildcard(peer: SocketAddr) -> io::Result<UdpSocket> {
    let wildcard: SocketAddr = if peer.is_ipv6() {
        ([0; 16], 0).into()
    } else {
        ([0; 4], 0).into()
    };
    let socket = UdpSocket::bind(wildcard)?;
    set_buffers(&socket, BUFFER_OCTETS)?;
    Ok(socket)
}

/// Sets a socket's buffers beyond the system's limit if the process has the right to, else up to
/// it.
pub(crate) fn set_buffers(socket: &impl AsRawFd, octets: c_int) -> io::Result<()> {
    for (force, name) in [
        (libc::SO_RCVBUFFORCE, libc::SO_RCVBUF),
        (libc::SO_SNDBUFFORCE, libc::SO_SNDBUF),
    ] {
        set_option(socket, libc::SOL_SOCKET, force, octets)
            .or_else(|_| set_option(socket, libc::SOL_SOCKET, name, octets))?;
    }
    Ok(())
}

/// Tells whether a call is worth repeating later: nothing there yet, or a signal came between.
pub(crate) fn is_transient(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted | io::ErrorKind::TimedOut
    )
}

/// Lets a socket send from any address of a network that is routed to this host.
pub(crate) fn set_free_bind(socket: &impl AsRawFd, is_ipv6: bool) -> io::Result<()> {
    if is_ipv6 {
        set_option(socket, libc::IPPROTO_IPV6, libc::IPV6_FREEBIND, 1)
    } else {
        set_option(socket, libc::IPPROTO_IP, libc::IP_FREEBIND, 1)
    }
}

/// Puts the choice of a local port off until the remote address is known, so that a port serves
/// for as many connections as there are remote and local addresses.
pub(crate) fn set_late_port(socket: &impl AsRawFd) -> io::Result<()> {
    set_option(socket, libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT, 1)
}

/// Keeps the calling thread on one processor.
pub(crate) fn pin_to(core: usize) -> io::Result<()> {
    if core >= usize::try_from(libc::CPU_SETSIZE).expect("a constant of 1024") {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: all-zero octets are an empty set, the index was checked above, and the set lives
    // through the call.
    let result = unsafe {
        let mut set = mem::zeroed::<libc::cpu_set_t>();
        libc::CPU_SET(core, &mut set);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set)
    };
    check(result).map(|_| ())
}

/// Lets the calling thread sleep as exactly as the system can, not to the usual 50 µs.
pub(crate) fn sleep_exactly() {
    let slack: libc::c_ulong = 1;
    // SAFETY: the call takes a number and no pointer.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, slack) };
}

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Turns the first SIGINT into a flag; the second ends the process as usual.
pub(crate) fn catch_interrupt() -> &'static AtomicBool {
    extern "C" fn note(_: c_int) {
        INTERRUPTED.store(true, Ordering::Relaxed);
        // SAFETY: `signal` may be called in a handler, and takes no pointer to data.
        unsafe { libc::signal(libc::SIGINT, libc::SIG_DFL) };
    }
    let handler: extern "C" fn(c_int) = note;
    // SAFETY: the handler does nothing but what a signal handler may do.
    unsafe { libc::signal(libc::SIGINT, handler as libc::sighandler_t) };
    &INTERRUPTED
}

fn set_option(socket: &impl AsRawFd, level: c_int, name: c_int, value: c_int) -> io::Result<()> {
    // SAFETY: the value lives through the call and has the stated size.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            ptr::from_ref(&value).cast::<c_void>(),
            4,
        )
    };
    check(result).map(|_| ())
}

fn check(result: c_int) -> io::Result<c_int> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_processor_that_does_not_exist_is_refused() {
        assert!(pin_to(usize::MAX).is_err());
        assert!(pin_to(1023).is_err(), "more processors than expected");
    }
}
