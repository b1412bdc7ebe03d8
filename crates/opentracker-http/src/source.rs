use std::net::{IpAddr, Ipv4Addr};

/// Who is at the other end of a connection, before any request on it has been looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The address that the socket says.
    Socket(IpAddr),
    /// The address that a trusted proxy has named in a PROXY header before the first request.
    Named(IpAddr),
    /// A program of this host, through a Unix socket, which has no address: a trusted proxy.
    Local,
}

impl Source {
    /// Returns the address, canonical; that of nobody for a program of this host.
    pub fn ip(self) -> IpAddr {
        match self {
            Self::Socket(ip) | Self::Named(ip) => ip.to_canonical(),
            Self::Local => Ipv4Addr::UNSPECIFIED.into(),
        }
    }
}

impl From<IpAddr> for Source {
    fn from(ip: IpAddr) -> Self {
        Self::Socket(ip)
    }
}
