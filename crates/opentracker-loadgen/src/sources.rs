//! The addresses that requests come from.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::{Result, ensure};
use ipnet::IpNet;
use socket2::SockRef;

use crate::args::SourceArgs;

/// The addresses that requests come from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sources {
    net: Option<IpNet>,
    count: u64,
    are_foreign: bool,
}

impl Sources {
    /// Takes the addresses of the command line for a target and so many sockets.
    ///
    /// Each socket has as many of them as any other: the number is rounded up for it. Without a
    /// network, each socket is a source, at the address that the system chooses.
    ///
    /// # Errors
    ///
    /// The network is of another family than the target, or too small.
    pub(crate) fn new(args: &SourceArgs, target: IpAddr, sockets: u64) -> Result<Self> {
        let net = args.source_net.or_else(|| match target {
            IpAddr::V4(ip) if ip.is_loopback() => Some(loopback()),
            _ => None,
        });
        let Some(net) = net else {
            return Ok(Self {
                net: None,
                count: sockets,
                are_foreign: false,
            });
        };
        ensure!(
            net.addr().is_ipv4() == target.is_ipv4(),
            "sources in {net} cannot reach {target}"
        );
        let sources = Self {
            net: Some(net),
            count: args.sources.next_multiple_of(sockets),
            are_foreign: args.source_net.is_some(),
        };
        ensure!(
            sources.count <= capacity(net),
            "{net} has fewer than {} addresses for sources",
            sources.count
        );
        Ok(sources)
    }

    /// Number of sources.
    pub(crate) const fn count(&self) -> u64 {
        self.count
    }

    /// Number of their addresses.
    pub(crate) const fn addresses(&self) -> u64 {
        if self.net.is_some() { self.count } else { 1 }
    }

    /// Tells whether the addresses need not be this host's own, but only be routed to it.
    pub(crate) const fn are_foreign(&self) -> bool {
        self.are_foreign
    }

    /// The address of a source; `None` if the system chooses it.
    pub(crate) fn address(&self, number: u64) -> Option<IpAddr> {
        nth(self.net?, number)
    }
}

/// Lets a socket send from any address of a network that is routed to this host.
///
/// # Errors
///
/// Fails when the system does.
pub(crate) fn free_bind(socket: SockRef<'_>, is_ipv6: bool) -> io::Result<()> {
    if is_ipv6 {
        socket.set_freebind_v6(true)
    } else {
        socket.set_freebind_v4(true)
    }
}

fn loopback() -> IpNet {
    IpNet::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)), 8).expect("8 bits of 32")
}

/// Number of addresses that [`nth`] takes from a network.
pub(crate) fn capacity(net: IpNet) -> u64 {
    let bits = u32::from(net.max_prefix_len() - net.prefix_len());
    let all = 1_u64.checked_shl(bits).unwrap_or(u64::MAX);
    match (bits, net) {
        (0, _) => 1,
        (_, IpNet::V4(_)) => all - 2,
        (_, IpNet::V6(_)) => all - 1,
    }
}

/// An address of a network, by its number below [`capacity`]. The first address, which may mean
/// the network itself, is left out, and the last of an IPv4 network, which may mean all of it.
pub(crate) fn nth(net: IpNet, number: u64) -> Option<IpAddr> {
    if number >= capacity(net) {
        return None;
    }
    if net.prefix_len() == net.max_prefix_len() {
        return Some(net.network());
    }
    Some(match net.network() {
        IpAddr::V4(ip) => {
            let offset = u32::try_from(number + 1).ok()?;
            IpAddr::V4(Ipv4Addr::from(u32::from(ip) + offset))
        }
        IpAddr::V6(ip) => {
            let offset = u128::from(number) + 1;
            IpAddr::V6(Ipv6Addr::from(u128::from(ip) + offset))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(count: u64, net: Option<&str>, target: &str, sockets: u64) -> Result<Sources> {
        let args = SourceArgs {
            sources: count,
            source_net: net.map(|net| net.parse().unwrap()),
        };
        Sources::new(&args, target.parse().unwrap(), sockets)
    }

    #[test]
    fn the_sources_of_a_loopback_target_are_loopback_addresses() {
        let sources = sources(5, None, "127.0.0.1", 2).unwrap();
        assert_eq!((sources.count(), sources.addresses()), (6, 6));
        assert_eq!(sources.address(0), Some([127, 0, 0, 1].into()));
        assert_eq!(sources.address(5), Some([127, 0, 0, 6].into()));
    }

    #[test]
    fn elsewhere_each_socket_is_a_source() {
        for target in ["10.0.0.1", "::1"] {
            let sources = sources(5, None, target, 3).unwrap();
            assert_eq!((sources.count(), sources.addresses()), (3, 1));
            assert_eq!(sources.address(0), None);
        }
    }

    #[test]
    fn a_network_must_be_large_enough_and_of_the_family() {
        let in_net = |count, net| sources(count, Some(net), "10.0.0.1", 1);
        assert!(in_net(2, "10.1.0.0/30").is_ok());
        assert!(in_net(3, "10.1.0.0/30").is_err());
        assert!(in_net(1, "10.1.0.7/32").is_ok());
        assert!(in_net(1, "fd00::/64").is_err());
        let sources = sources(1_000_000, Some("fd00::/64"), "fd00::1", 1).unwrap();
        assert_eq!(sources.address(0xfffe), Some("fd00::ffff".parse().unwrap()));
        assert_eq!(
            nth("::/0".parse().unwrap(), 0),
            Some("::1".parse().unwrap())
        );
        assert_eq!(
            nth("0.0.0.0/0".parse().unwrap(), 6),
            Some([0, 0, 0, 7].into())
        );
    }
}
