use core::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

/// The two ends of a connection, or of a flow of datagrams, between a client and a proxy. Both are of
/// one family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ends {
    /// Over IPv4.
    V4 {
        /// Where the client is.
        source: SocketAddrV4,
        /// Where the proxy was asked.
        destination: SocketAddrV4,
    },
    /// Over IPv6; without flow labels and scopes, which no header has.
    V6 {
        /// Where the client is.
        source: SocketAddrV6,
        /// Where the proxy was asked.
        destination: SocketAddrV6,
    },
}

impl Ends {
    pub(crate) const fn v4(ips: [Ipv4Addr; 2], [from, to]: [u16; 2]) -> Self {
        let [source, destination] = ips;
        Self::V4 {
            source: SocketAddrV4::new(source, from),
            destination: SocketAddrV4::new(destination, to),
        }
    }

    pub(crate) const fn v6(ips: [Ipv6Addr; 2], [from, to]: [u16; 2]) -> Self {
        let [source, destination] = ips;
        Self::V6 {
            source: SocketAddrV6::new(source, from, 0, 0),
            destination: SocketAddrV6::new(destination, to, 0, 0),
        }
    }

    /// Returns where the client is.
    pub const fn source(&self) -> SocketAddr {
        match *self {
            Self::V4 { source, .. } => SocketAddr::V4(source),
            Self::V6 { source, .. } => SocketAddr::V6(source),
        }
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use proptest::prelude::*;

    use super::*;

    pub(crate) fn ends() -> impl Strategy<Value = Ends> {
        prop_oneof![
            any::<([Ipv4Addr; 2], [u16; 2])>().prop_map(|(ips, ports)| Ends::v4(ips, ports)),
            any::<([Ipv6Addr; 2], [u16; 2])>().prop_map(|(ips, ports)| Ends::v6(ips, ports)),
        ]
    }
}
