//! Which sockets share an address, and with whom.

use std::fmt;
use std::io;
use std::net::{SocketAddr, SocketAddrV4, TcpListener, UdpSocket};

use socket2::{Domain, Protocol, SockRef, Socket, Type};

use crate::options::{enable_packet_info, set_send_buffer};

/// Sockets that are to share an address, one for each thread that will serve it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listen {
    /// The address. With port 0 the system chooses a port, which all of them get.
    pub address: SocketAddr,
    /// Whether an IPv6 wildcard leaves IPv4 to others; see [`is_v6_only`].
    pub v6_only: bool,
    /// How many, at least one. The kernel spreads clients over them.
    pub sockets: usize,
}

/// What TCP listeners are given beyond their address. Connections inherit it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TcpOptions {
    /// Connections that may wait to be accepted, if the system grants so many.
    pub backlog: i32,
    /// Octets of a connection's send buffer, if not as the system chooses; see
    /// [`set_send_buffer`].
    pub send_buffer: Option<usize>,
}

/// Why an address cannot be served.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {transport} {address}{step}")]
pub struct BindError {
    /// The protocol.
    pub transport: Transport,
    /// The address.
    pub address: SocketAddr,
    /// The step that failed.
    pub step: BindStep,
    /// The error of the system.
    #[source]
    pub cause: io::Error,
}

impl BindError {
    /// Tells whether the system lacks the whole address family, as a kernel without IPv6 does.
    pub fn is_unsupported_family(&self) -> bool {
        self.cause.raw_os_error() == Some(libc::EAFNOSUPPORT)
    }
}

/// A protocol above IP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// UDP.
    Udp,
    /// TCP.
    Tcp,
}

/// A step of binding. The message of a [`BindError`] names it only where it is an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BindStep {
    /// To open a socket.
    Open,
    /// To set the option of this name.
    Option(&'static str),
    /// To bind it to the address, or to listen there.
    Bind,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
        })
    }
}

impl fmt::Display for BindStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open | Self::Bind => Ok(()),
            Self::Option(name) => write!(f, ": cannot set {name}"),
        }
    }
}

/// Tells whether a socket leaves IPv4 to another: an IPv6 wildcard address serves IPv4 too, unless
/// an IPv4 address with the same port is served on its own.
pub fn is_v6_only(address: SocketAddr, served: &[SocketAddr]) -> bool {
    served
        .iter()
        .any(|other| other.is_ipv4() && other.port() == address.port())
}

/// Binds UDP sockets to an address. Those of a wildcard address learn where a datagram was sent to.
///
/// An address that another process has is refused, also if it would share it.
///
/// # Errors
///
/// Fails with what the system refused.
pub fn bind_udp(listen: Listen) -> Result<Vec<UdpSocket>, BindError> {
    let sockets = bind_group(Transport::Udp, listen, |socket| {
        prepare_udp(socket, listen.address)
    })?;
    Ok(sockets.into_iter().map(UdpSocket::from).collect())
}

/// Gives a UDP socket that another process has bound to an address what [`bind_udp`] gives its own.
///
/// # Errors
///
/// Fails if it is not bound, or with what the system refused.
pub fn adopt_udp(socket: &UdpSocket, address: SocketAddr) -> Result<(), BindError> {
    let adopt = || {
        if address.port() == 0 {
            return Err((BindStep::Bind, io::Error::other("it has no address")));
        }
        let unblocked = socket.set_nonblocking(false);
        unblocked.map_err(|cause| (BindStep::Option("O_NONBLOCK"), cause))?;
        prepare_udp(&SockRef::from(socket), address)
    };
    adopt().map_err(|(step, cause)| BindError {
        transport: Transport::Udp,
        address,
        step,
        cause,
    })
}

/// Binds TCP listeners to an address. Clients can connect from then on. The listeners do not block;
/// what is accepted from them does, and sends small replies at once (`TCP_NODELAY`).
///
/// An address that another process has is refused, also if it would share it; what is left of the
/// connections of a process that has ended does not matter.
///
/// # Errors
///
/// Fails with what the system refused.
pub fn bind_tcp(listen: Listen, options: &TcpOptions) -> Result<Vec<TcpListener>, BindError> {
    let sockets = bind_group(Transport::Tcp, listen, |socket| {
        let cause = |cause| (BindStep::Option("SO_REUSEADDR"), cause);
        socket.set_reuse_address(true).map_err(cause)?;
        prepare_tcp(socket, options)
    })?;
    let listen_on = |socket: Socket| {
        socket.listen(options.backlog).map_err(|cause| BindError {
            transport: Transport::Tcp,
            address: listen.address,
            step: BindStep::Bind,
            cause,
        })?;
        Ok(TcpListener::from(socket))
    };
    sockets.into_iter().map(listen_on).collect()
}

/// Gives a TCP listener that another process has bound to an address what [`bind_tcp`] gives its
/// own. Its backlog stays what it was made with.
///
/// # Errors
///
/// Fails if it does not listen, or with what the system refused.
pub fn adopt_tcp(
    listener: &TcpListener,
    address: SocketAddr,
    options: &TcpOptions,
) -> Result<(), BindError> {
    let socket = SockRef::from(listener);
    let adopt = || match socket.is_listener() {
        Ok(true) => prepare_tcp(&socket, options),
        Ok(false) => Err((BindStep::Bind, io::Error::other("it does not listen"))),
        Err(cause) => Err((BindStep::Bind, cause)),
    };
    adopt().map_err(|(step, cause)| BindError {
        transport: Transport::Tcp,
        address,
        step,
        cause,
    })
}

/// Binds a socket that takes what is sent to an IPv4 multicast group, of which it is not a member
/// yet, and sends to groups over `ttl` hops, to this host as well if `loopback` says so.
///
/// Every member on this host binds the same address, and each gets its copy.
///
/// # Errors
///
/// Fails with what the system refused.
pub fn bind_multicast(
    group: SocketAddrV4,
    ttl: u8,
    loopback: bool,
) -> Result<UdpSocket, BindError> {
    let bind = || {
        let socket = open(Domain::IPV4, Transport::Udp)?;
        let at = |name| move |cause| (BindStep::Option(name), cause);
        socket.set_reuse_address(true).map_err(at("SO_REUSEADDR"))?;
        // What other programs have joined on other interfaces is not for us.
        socket
            .set_multicast_all_v4(false)
            .map_err(at("IP_MULTICAST_ALL"))?;
        socket
            .set_multicast_ttl_v4(ttl.into())
            .map_err(at("IP_MULTICAST_TTL"))?;
        socket
            .set_multicast_loop_v4(loopback)
            .map_err(at("IP_MULTICAST_LOOP"))?;
        // The group's address and not ours: so nothing arrives that was sent to us alone.
        bind(&socket, group.into())?;
        Ok(UdpSocket::from(socket))
    };
    bind().map_err(|(step, cause)| BindError {
        transport: Transport::Udp,
        address: group.into(),
        step,
        cause,
    })
}

fn bind_group(
    transport: Transport,
    listen: Listen,
    prepare: impl Fn(&Socket) -> Result<(), (BindStep, io::Error)>,
) -> Result<Vec<Socket>, BindError> {
    let prepared = |address: SocketAddr| {
        let socket = open(Domain::for_address(address), transport)?;
        if address.is_ipv6() {
            socket
                .set_only_v6(listen.v6_only)
                .map_err(|cause| (BindStep::Option("IPV6_V6ONLY"), cause))?;
        }
        prepare(&socket)?;
        Ok(socket)
    };
    let share = |socket: &Socket| {
        socket
            .set_reuse_port(true)
            .map_err(|cause| (BindStep::Option("SO_REUSEPORT"), cause))
    };
    let group = || {
        // Sockets that share a port also share it with another process of the same user, and with
        // port 0 the kernel may even choose one that is shared. So the first does not share until
        // it has the address for itself.
        let first = prepared(listen.address)?;
        bind(&first, listen.address)?;
        let mut sockets = vec![first];
        if listen.sockets > 1 {
            share(&sockets[0])?;
            let address = sockets[0]
                .local_addr()
                .map_err(|cause| (BindStep::Bind, cause))?;
            let address = address.as_socket().unwrap_or(listen.address);
            for _ in 1..listen.sockets {
                let next = prepared(address)?;
                share(&next)?;
                bind(&next, address)?;
                sockets.push(next);
            }
        }
        Ok(sockets)
    };
    group().map_err(|(step, cause)| BindError {
        transport,
        address: listen.address,
        step,
        cause,
    })
}

fn prepare_udp(socket: &Socket, address: SocketAddr) -> Result<(), (BindStep, io::Error)> {
    if address.ip().is_unspecified() {
        enable_packet_info(socket).map_err(|cause| (BindStep::Option("IP_PKTINFO"), cause))?;
    }
    Ok(())
}

fn prepare_tcp(socket: &Socket, options: &TcpOptions) -> Result<(), (BindStep, io::Error)> {
    let at = |name| move |cause| (BindStep::Option(name), cause);
    socket.set_tcp_nodelay(true).map_err(at("TCP_NODELAY"))?;
    socket.set_nonblocking(true).map_err(at("O_NONBLOCK"))?;
    if let Some(octets) = options.send_buffer {
        set_send_buffer(socket, octets).map_err(at("SO_SNDBUF"))?;
    }
    Ok(())
}

fn open(domain: Domain, transport: Transport) -> Result<Socket, (BindStep, io::Error)> {
    let (kind, protocol) = match transport {
        Transport::Udp => (Type::DGRAM, Protocol::UDP),
        Transport::Tcp => (Type::STREAM, Protocol::TCP),
    };
    Socket::new(domain, kind, Some(protocol)).map_err(|cause| (BindStep::Open, cause))
}

fn bind(socket: &Socket, address: SocketAddr) -> Result<(), (BindStep, io::Error)> {
    socket
        .bind(&address.into())
        .map_err(|cause| (BindStep::Bind, cause))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpStream};
    use std::time::{Duration, Instant};

    use super::*;

    const TCP: TcpOptions = TcpOptions {
        backlog: 64,
        send_buffer: None,
    };

    fn listen(address: impl Into<SocketAddr>, sockets: usize) -> Listen {
        Listen {
            address: address.into(),
            v6_only: false,
            sockets,
        }
    }

    fn loopback(sockets: usize) -> Listen {
        listen((Ipv4Addr::LOCALHOST, 0), sockets)
    }

    #[test]
    fn the_sockets_of_a_group_share_the_datagrams_of_one_port() {
        let group = bind_udp(loopback(3)).unwrap();
        let address = group[0].local_addr().unwrap();
        for socket in &group {
            assert_eq!(socket.local_addr().unwrap(), address);
            socket.set_nonblocking(true).unwrap();
        }
        // Clients are spread by a hash of their ports: that a socket of three gets none of 200 is
        // one case in 10³⁵.
        for _ in 0..200 {
            let client = UdpSocket::bind("127.0.0.1:0").unwrap();
            client.send_to(b"?", address).unwrap();
        }
        let counts: Vec<usize> = group
            .iter()
            .map(|socket| {
                (0..200)
                    .map_while(|_| socket.recv(&mut [0; 9]).ok())
                    .count()
            })
            .collect();
        assert_eq!(counts.iter().sum::<usize>(), 200);
        assert!(counts.iter().all(|&count| count > 0), "{counts:?}");
    }

    #[test]
    fn the_listeners_of_a_group_share_the_connections_of_one_port() {
        let group = bind_tcp(loopback(3), &TCP).unwrap();
        let address = group[0].local_addr().unwrap();
        let clients: Vec<_> = (0..60)
            .map(|_| TcpStream::connect(address).unwrap())
            .collect();
        let counts: Vec<usize> = group
            .iter()
            .map(|listener| (0..).map_while(|_: u8| listener.accept().ok()).count())
            .collect();
        assert_eq!(counts.iter().sum::<usize>(), clients.len());
        assert!(counts.iter().all(|&count| count > 0), "{counts:?}");
    }

    #[test]
    fn an_address_that_is_taken_is_refused_also_to_those_who_share() {
        for count in [1, 2] {
            let udp = bind_udp(loopback(count)).unwrap();
            let taken = udp[0].local_addr().unwrap();
            for other in [1, 2] {
                let error = bind_udp(listen(taken, other)).unwrap_err();
                assert_eq!(error.to_string(), format!("cannot listen on udp {taken}"));
                assert_eq!(error.step, BindStep::Bind);
                assert_eq!(error.cause.kind(), io::ErrorKind::AddrInUse);
            }
            let tcp = bind_tcp(loopback(count), &TCP).unwrap();
            let taken = tcp[0].local_addr().unwrap();
            for other in [1, 2] {
                let error = bind_tcp(listen(taken, other), &TCP).unwrap_err();
                assert_eq!(error.to_string(), format!("cannot listen on tcp {taken}"));
                assert_eq!(error.cause.kind(), io::ErrorKind::AddrInUse);
            }
        }
    }

    #[test]
    fn a_listener_can_come_back_while_old_connections_linger() {
        let listener = bind_tcp(loopback(1), &TCP).unwrap().remove(0);
        let address = listener.local_addr().unwrap();
        let mut client = TcpStream::connect(address).unwrap();
        let (server, _) = listener.accept().unwrap();
        // The side that closes first keeps the port for a minute.
        drop((server, listener));
        assert_eq!(client.read(&mut [0; 9]).unwrap(), 0);
        drop(client);
        bind_tcp(listen(address, 2), &TCP).unwrap();
    }

    #[test]
    fn an_ipv6_wildcard_leaves_ipv4_to_another_if_it_is_told_to() {
        let wildcard = |ip: IpAddr, port, v6_only| Listen {
            address: (ip, port).into(),
            v6_only,
            sockets: 2,
        };
        let (v4, v6) = (Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into());
        let group = bind_udp(wildcard(v4, 0, false)).unwrap();
        let port = group[0].local_addr().unwrap().port();
        assert!(bind_udp(wildcard(v6, port, false)).is_err());
        assert!(bind_udp(wildcard(v6, port, true)).is_ok());
    }

    #[test]
    fn ipv6_serves_ipv4_unless_that_is_served_on_its_own() {
        let served = ["0.0.0.0:1", "[::]:1", "[::]:2"].map(|text| text.parse().unwrap());
        assert!(is_v6_only(served[1], &served));
        assert!(!is_v6_only(served[2], &served));
    }

    #[test]
    fn connections_inherit_a_bounded_send_buffer() {
        let options = TcpOptions {
            send_buffer: Some(32 << 10),
            ..TCP
        };
        let listener = bind_tcp(loopback(1), &options).unwrap().remove(0);
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        assert!(server.nodelay().unwrap());
        let granted = SockRef::from(&server).send_buffer_size().unwrap();
        assert_eq!(granted, 2 * (32 << 10));
        server.set_nonblocking(true).unwrap();
        // The client never reads: what is written is in the two buffers of the kernel.
        let mut written = 0;
        while let Ok(octets) = server.write(&[0; 1024]) {
            written += octets;
        }
        let received = SockRef::from(&client).recv_buffer_size().unwrap();
        assert!(written <= granted + received, "{written} octets");
    }

    #[test]
    fn sockets_of_others_are_made_like_our_own() {
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_millis(1)))
            .unwrap();
        adopt_udp(&socket, socket.local_addr().unwrap()).unwrap();
        let begin = Instant::now();
        assert!(socket.recv(&mut [0; 9]).is_err());
        assert!(begin.elapsed() >= Duration::from_millis(1), "it waits");
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        adopt_tcp(&listener, address, &TCP).unwrap();
        let nobody = listener.accept().unwrap_err();
        assert_eq!(nobody.kind(), io::ErrorKind::WouldBlock);
        let _client = TcpStream::connect(address).unwrap();
        assert!(listener.accept().unwrap().0.nodelay().unwrap());
    }

    #[test]
    fn members_of_a_multicast_group_bind_the_same_address() {
        let any_port = SocketAddrV4::new(Ipv4Addr::new(239, 255, 69, 69), 0);
        let first = bind_multicast(any_port, 1, true).unwrap();
        let SocketAddr::V4(group) = first.local_addr().unwrap() else {
            panic!("an IPv4 socket");
        };
        let second = bind_multicast(group, 1, true).unwrap();
        assert_eq!(second.local_addr().unwrap(), group.into());
        assert_eq!(second.multicast_ttl_v4().unwrap(), 1);
    }

    #[test]
    fn an_option_that_is_refused_is_named() {
        let error = BindError {
            transport: Transport::Udp,
            address: ([0; 4], 6969).into(),
            step: BindStep::Option("IP_PKTINFO"),
            cause: io::Error::from_raw_os_error(libc::EAFNOSUPPORT),
        };
        let text = "cannot listen on udp 0.0.0.0:6969: cannot set IP_PKTINFO";
        assert_eq!(error.to_string(), text);
        assert!(error.is_unsupported_family());
    }
}
