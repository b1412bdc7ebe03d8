//! Socket options that neither std nor socket2 has.
#![expect(unsafe_code, reason = "neither std nor socket2 has these options")]

use std::io;
use std::net::{Shutdown, UdpSocket};
use std::os::fd::{AsFd, AsRawFd};
use std::ptr;
use std::time::Duration;

use libc::{c_int, c_void};
use socket2::{Domain, SockRef};

/// Sets a socket's receive buffer, beyond the system's limit (`net.core.rmem_max`) if the process
/// has the right to, else up to it. Returns the octets that the system has granted.
///
/// # Errors
///
/// Fails when the system does; too little is no error.
pub fn set_receive_buffer(socket: &impl AsFd, octets: usize) -> io::Result<usize> {
    force(socket, libc::SO_RCVBUFFORCE, libc::SO_RCVBUF, octets)?;
    // Linux says twice what it grants, the other half being for its own bookkeeping.
    Ok(SockRef::from(socket).recv_buffer_size()? / 2)
}

/// Sets a socket's send buffer as [`set_receive_buffer`] does the other; the system's limit is
/// `net.core.wmem_max`.
///
/// It also ends what the system does on its own for TCP, which is to let the buffer of a connection
/// grow to megabytes: so it bounds what a client that never reads costs.
///
/// # Errors
///
/// Fails when the system does; too little is no error.
pub fn set_send_buffer(socket: &impl AsFd, octets: usize) -> io::Result<usize> {
    force(socket, libc::SO_SNDBUFFORCE, libc::SO_SNDBUF, octets)?;
    Ok(SockRef::from(socket).send_buffer_size()? / 2)
}

/// Asks the system to say which address each datagram was sent to (`IP_PKTINFO`), so that a reply
/// of a [`Batch`](crate::Batch) leaves from there. A socket that is bound to one address needs it
/// not.
///
/// # Errors
///
/// Fails when the system does.
pub fn enable_packet_info(socket: &impl AsFd) -> io::Result<()> {
    if SockRef::from(socket).domain()? == Domain::IPV6 {
        set_option(socket, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, 1)
    } else {
        set_option(socket, libc::IPPROTO_IP, libc::IP_PKTINFO, 1)
    }
}

/// Makes the system hold a connection back until its first octets are there, or for about
/// `patience` (tcp(7), `TCP_DEFER_ACCEPT`).
///
/// A connection that is accepted can then be read from at once. For a connection that serves one
/// request this saves a third of the CPU time: it never waits, so it is never registered with a
/// poller.
///
/// # Errors
///
/// Fails when the system does.
pub fn defer_accept(listener: &impl AsFd, patience: Duration) -> io::Result<()> {
    let secs = c_int::try_from(patience.as_secs()).unwrap_or(c_int::MAX);
    set_option(listener, libc::IPPROTO_TCP, libc::TCP_DEFER_ACCEPT, secs)
}

/// Puts the choice of a local TCP port off until the remote address is known (ip(7),
/// `IP_BIND_ADDRESS_NO_PORT`), so that a port serves for as many connections as there are local and
/// remote addresses. To be called before the socket is bound to port 0.
///
/// # Errors
///
/// Fails when the system does.
pub fn postpone_port(socket: &impl AsFd) -> io::Result<()> {
    set_option(socket, libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT, 1)
}

/// Ends a blocked [`Batch::receive`](crate::Batch::receive) on another thread, and all that follow.
pub fn shut_down(socket: &UdpSocket) {
    // An unconnected socket reports ENOTCONN, but its waiting readers are woken all the same.
    let _ = SockRef::from(socket).shutdown(Shutdown::Read);
}

fn force(socket: &impl AsFd, forced: c_int, granted: c_int, octets: usize) -> io::Result<()> {
    let octets = c_int::try_from(octets).unwrap_or(c_int::MAX);
    set_option(socket, libc::SOL_SOCKET, forced, octets)
        .or_else(|_| set_option(socket, libc::SOL_SOCKET, granted, octets))
}

fn set_option(socket: &impl AsFd, level: c_int, name: c_int, value: c_int) -> io::Result<()> {
    let octets = libc::socklen_t::try_from(size_of_val(&value)).expect("an integer is small");
    // SAFETY: the value lives through the call and has the stated size, and the descriptor is open
    // as long as it is borrowed.
    let result = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            level,
            name,
            ptr::from_ref(&value).cast::<c_void>(),
            octets,
        )
    };
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn what_is_granted_of_a_buffer_is_told() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        for octets in [100_000, 50_000] {
            // Every system grants so little (the default limit is 212,992).
            assert_eq!(set_receive_buffer(&socket, octets).unwrap(), octets);
            assert_eq!(set_send_buffer(&socket, octets).unwrap(), octets);
        }
        let most = set_receive_buffer(&socket, usize::MAX).unwrap();
        assert!(most >= 50_000, "{most}");
    }

    #[test]
    fn a_connection_is_held_back_until_its_first_octets() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        defer_accept(&listener, Duration::from_secs(5)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let nobody = listener.accept().unwrap_err();
        assert_eq!(nobody.kind(), io::ErrorKind::WouldBlock);
        client.write_all(b"?").unwrap();
        while listener.accept().is_err() {
            std::thread::yield_now();
        }
    }

    #[test]
    fn an_option_of_another_protocol_is_refused() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        assert!(defer_accept(&socket, Duration::from_secs(1)).is_err());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        defer_accept(&listener, Duration::MAX).unwrap();
        postpone_port(&listener).unwrap();
    }
}
