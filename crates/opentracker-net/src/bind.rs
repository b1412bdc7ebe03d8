//! Which addresses are served, and how they get along.

use std::net::SocketAddr;

use opentracker_datagrams as datagrams;

/// An address to serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listen {
    /// The address; port 0 lets the system choose one.
    pub address: SocketAddr,
    /// Whether an IPv6 wildcard address leaves IPv4 to others. `None`: if an IPv4 address with the
    /// same port is served on its own.
    pub v6_only: Option<bool>,
    /// Whether a PROXY header comes before what clients send.
    pub proxy_protocol: bool,
    /// Whether clients of HTTP speak TLS; UDP has none.
    pub tls: bool,
}

impl Listen {
    /// Makes an address.
    pub const fn new(address: SocketAddr) -> Self {
        Self {
            address,
            v6_only: None,
            proxy_protocol: false,
            tls: false,
        }
    }

    /// Says whether an IPv6 wildcard address leaves IPv4 to others.
    #[must_use]
    pub const fn with_v6_only(mut self, v6_only: Option<bool>) -> Self {
        self.v6_only = v6_only;
        self
    }

    /// Says whether a PROXY header comes before what clients send.
    #[must_use]
    pub const fn with_proxy_protocol(mut self, proxy_protocol: bool) -> Self {
        self.proxy_protocol = proxy_protocol;
        self
    }

    /// Says whether clients speak TLS.
    #[must_use]
    pub const fn with_tls(mut self, tls: bool) -> Self {
        self.tls = tls;
        self
    }
}

impl From<SocketAddr> for Listen {
    fn from(address: SocketAddr) -> Self {
        Self::new(address)
    }
}

/// Returns what to bind for each of the addresses, `sockets` each.
pub(crate) fn groups(listen: &[Listen], sockets: usize) -> impl Iterator<Item = datagrams::Listen> {
    let served: Vec<_> = listen.iter().map(|one| one.address).collect();
    listen.iter().map(move |one| datagrams::Listen {
        address: one.address,
        v6_only: one
            .v6_only
            .unwrap_or_else(|| datagrams::is_v6_only(one.address, &served)),
        sockets,
    })
}

/// Returns the places of sockets that belong together, because they have the same address, group by
/// group.
pub(crate) fn by_address(addresses: &[SocketAddr]) -> Vec<(SocketAddr, Vec<usize>)> {
    let mut groups: Vec<(SocketAddr, Vec<usize>)> = Vec::new();
    for (place, &address) in addresses.iter().enumerate() {
        match groups.iter_mut().find(|(known, _)| *known == address) {
            Some((_, places)) => places.push(place),
            None => groups.push((address, vec![place])),
        }
    }
    groups
}
