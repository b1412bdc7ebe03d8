//! Which sockets are bound to an address, and what it means when that fails.

use std::io;
use std::net::SocketAddr;

use socket2::{Domain, Protocol, Socket, Type};

/// An address to serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listen {
    /// The address; port 0 lets the system choose one.
    pub address: SocketAddr,
    /// Whether an IPv6 address serves IPv6 alone. `None`: unless an IPv4 address with the same
    /// port is served on its own.
    pub v6_only: Option<bool>,
    /// Nobody asked for just this address: where the system has none of its family it is left out.
    pub is_optional: bool,
}

impl Listen {
    /// Makes an address that has to be served.
    pub const fn new(address: SocketAddr) -> Self {
        Self {
            address,
            v6_only: None,
            is_optional: false,
        }
    }
}

impl From<SocketAddr> for Listen {
    fn from(address: SocketAddr) -> Self {
        Self::new(address)
    }
}

/// Why an address cannot be served.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {protocol} {address}")]
pub struct BindError {
    /// `udp` or `tcp`.
    pub protocol: &'static str,
    /// The address.
    pub address: SocketAddr,
    /// What the system said.
    #[source]
    pub cause: io::Error,
}

/// What differs between the sockets of the two protocols.
pub(crate) struct Kind {
    pub(crate) protocol: &'static str,
    pub(crate) kind: Type,
    /// Sets the options of a socket before it is bound.
    pub(crate) prepare: fn(&Socket) -> io::Result<()>,
}

/// Binds `count` sockets to each of the addresses, over which the kernel spreads the clients.
///
/// # Errors
///
/// The first address that cannot be bound; one that another process serves is not shared with it.
pub(crate) fn bind_all(
    kind: &Kind,
    listen: &[Listen],
    count: usize,
) -> Result<Vec<Group>, BindError> {
    let mut groups = Vec::new();
    for one in listen {
        let address = one.address;
        let is_v4_twin =
            |other: &Listen| other.address.is_ipv4() && other.address.port() == address.port();
        let v6_only = one.v6_only.unwrap_or_else(|| listen.iter().any(is_v4_twin));
        match bind_group(kind, address, v6_only, count) {
            Ok(group) => groups.push(group),
            Err(cause) if one.is_optional && lacks_family(&cause) => {
                tracing::warn!("{} {address} is left out: {cause}", kind.protocol);
            }
            Err(cause) => {
                return Err(BindError {
                    protocol: kind.protocol,
                    address,
                    cause,
                });
            }
        }
    }
    Ok(groups)
}

/// Sockets that share an address.
#[derive(Debug)]
pub(crate) struct Group {
    /// The address, with the port that the system chose.
    pub(crate) address: SocketAddr,
    pub(crate) sockets: Vec<Socket>,
}

fn bind_group(kind: &Kind, address: SocketAddr, v6_only: bool, count: usize) -> io::Result<Group> {
    if address.port() != 0 {
        // Sockets that share a port also share it with another process of the same user. One that
        // does not share finds out whether the address is free.
        bind(kind, address, v6_only, false)?;
    }
    let first = bind(kind, address, v6_only, true)?;
    let address = first
        .local_addr()?
        .as_socket()
        .expect("an internet socket has an internet address");
    let rest = (1..count).map(|_| bind(kind, address, v6_only, true));
    let sockets = std::iter::once(Ok(first)).chain(rest);
    Ok(Group {
        address,
        sockets: sockets.collect::<io::Result<_>>()?,
    })
}

fn bind(kind: &Kind, address: SocketAddr, v6_only: bool, shared: bool) -> io::Result<Socket> {
    let protocol = match kind.kind {
        Type::DGRAM => Protocol::UDP,
        _ => Protocol::TCP,
    };
    let socket = Socket::new(Domain::for_address(address), kind.kind, Some(protocol))?;
    if address.is_ipv6() {
        socket.set_only_v6(v6_only)?;
    }
    (kind.prepare)(&socket)?;
    socket.set_reuse_port(shared)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

/// Tells whether the system has no address of a family: it was built or started without it.
fn lacks_family(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EAFNOSUPPORT | libc::EADDRNOTAVAIL)
    )
}
