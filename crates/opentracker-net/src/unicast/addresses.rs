//! What the list of peers stands for, without asking anybody.

use std::io;
use std::net::{IpAddr, SocketAddr};

use tracing::{info, warn};

use super::{MAX_ADDRESSES, Peer};

/// The list of peers, with the addresses that each of them had last.
#[derive(Debug)]
pub(super) struct Addresses {
    listen: SocketAddr,
    entries: Vec<Entry>,
    /// Whether it has been said that there are too many.
    is_cut: bool,
}

#[derive(Debug)]
struct Entry {
    peer: Peer,
    addresses: Vec<SocketAddr>,
    /// Whether it has been said that it has none that can be used.
    is_failing: bool,
}

impl Addresses {
    pub(super) fn new(listen: SocketAddr, peers: Vec<Peer>) -> Self {
        let entries = peers.into_iter().map(|peer| Entry {
            peer,
            addresses: Vec::new(),
            is_failing: false,
        });
        let mut addresses = Self {
            listen,
            entries: entries.collect(),
            is_cut: false,
        };
        for index in 0..addresses.entries.len() {
            if let Peer::Address(address) = addresses.entries[index].peer {
                addresses.set(index, Ok(vec![address]));
            }
        }
        addresses
    }

    /// Returns the names with their ports, each with its place in the list.
    pub(super) fn names(&self) -> impl Iterator<Item = (usize, String, u16)> {
        let entries = self.entries.iter().enumerate();
        entries.filter_map(|(index, entry)| match &entry.peer {
            Peer::Name(name, port) => Some((index, name.clone(), *port)),
            Peer::Address(_) => None,
        })
    }

    /// Notes what was found of an entry. If that is nothing of use, it keeps what it had.
    pub(super) fn set(&mut self, index: usize, found: io::Result<Vec<SocketAddr>>) {
        let listen = self.listen;
        let entry = &mut self.entries[index];
        let usable = found.and_then(|found| {
            let usable = usable(&found, listen);
            if usable.is_empty() {
                let reason = "it has no address that can be reached from where we listen";
                return Err(io::Error::other(reason));
            }
            Ok(usable)
        });
        match usable {
            Ok(addresses) => {
                if entry.is_failing {
                    info!(peer = %entry.peer, "peer of live sync has an address again");
                }
                entry.is_failing = false;
                entry.addresses = addresses;
            }
            Err(error) => {
                if !entry.is_failing {
                    let kept = entry.addresses.len();
                    warn!(peer = %entry.peer, %error, kept, "no address of a peer of live sync");
                }
                entry.is_failing = true;
            }
        }
    }

    /// Returns all addresses but our own, each once, and no more than [`MAX_ADDRESSES`].
    pub(super) fn list(&mut self, of_this_host: &[IpAddr]) -> Vec<SocketAddr> {
        let mut list: Vec<SocketAddr> = Vec::new();
        for &address in self.entries.iter().flat_map(|entry| &entry.addresses) {
            if self.is_own(address, of_this_host) || list.contains(&address) {
                continue;
            }
            if list.len() == MAX_ADDRESSES {
                if !self.is_cut {
                    warn!("live sync sends to {MAX_ADDRESSES} addresses, and its peers have more");
                }
                self.is_cut = true;
                return list;
            }
            list.push(address);
        }
        self.is_cut = false;
        list
    }

    /// Tells whether an address leads back to our socket.
    fn is_own(&self, address: SocketAddr, of_this_host: &[IpAddr]) -> bool {
        let ip = address.ip().to_canonical();
        let listen = self.listen.ip().to_canonical();
        let is_here = if listen.is_unspecified() {
            ip.is_loopback() || of_this_host.contains(&ip)
        } else {
            ip == listen
        };
        is_here && address.port() == self.listen.port()
    }
}

/// Returns those of a peer's addresses that get a copy, as the socket is to be given them. Of both
/// families that is the one of the socket, so that nobody gets two; one of IPv6 reaches IPv4 as well.
fn usable(found: &[SocketAddr], listen: SocketAddr) -> Vec<SocketAddr> {
    let (mut v4, mut v6) = (Vec::new(), Vec::new());
    for &address in found {
        match address.ip().to_canonical() {
            IpAddr::V4(ip) => v4.push((ip, address.port())),
            // As it is: a link-local one means nothing without its interface.
            IpAddr::V6(_) => v6.push(address),
        }
    }
    match listen {
        SocketAddr::V4(_) => v4.into_iter().map(SocketAddr::from).collect(),
        SocketAddr::V6(_) if v6.is_empty() => {
            let mapped = v4.into_iter().map(|(ip, port)| (ip.to_ipv6_mapped(), port));
            mapped.map(SocketAddr::from).collect()
        }
        SocketAddr::V6(_) => v6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(listen: &str, peers: &[&str]) -> Addresses {
        let peers = peers.iter().map(|peer| peer.parse().unwrap());
        Addresses::new(listen.parse().unwrap(), peers.collect())
    }

    fn found(texts: &[&str]) -> io::Result<Vec<SocketAddr>> {
        Ok(texts.iter().map(|text| text.parse().unwrap()).collect())
    }

    fn listed(addresses: &mut Addresses, of_this_host: &[&str]) -> Vec<String> {
        let of_this_host: Vec<_> = of_this_host.iter().map(|ip| ip.parse().unwrap()).collect();
        let list = addresses.list(&of_this_host);
        list.iter().map(SocketAddr::to_string).collect()
    }

    #[test]
    fn a_name_with_both_families_gets_one_copy() {
        let both = ["192.0.2.1:1", "[2001:db8::1]:1", "[2001:db8::2]:1"];
        for (listen, expected) in [("[::]:9697", &both[1..]), ("0.0.0.0:9697", &both[..1])] {
            let mut addresses = addresses(listen, &["node.example:1"]);
            addresses.set(0, found(&both));
            assert_eq!(listed(&mut addresses, &[]), expected);
        }
    }

    #[test]
    fn ipv4_is_reached_from_an_ipv6_socket() {
        let mut addresses = addresses("[::]:9697", &["192.0.2.1:1", "node.example:1"]);
        addresses.set(1, found(&["192.0.2.2:1"]));
        let expected = ["[::ffff:192.0.2.1]:1", "[::ffff:192.0.2.2]:1"];
        assert_eq!(listed(&mut addresses, &[]), expected);
    }

    #[test]
    fn ipv6_is_not_reached_from_an_ipv4_socket() {
        let mut addresses = addresses("0.0.0.0:9697", &["[2001:db8::1]:1", "192.0.2.1:1"]);
        assert_eq!(listed(&mut addresses, &[]), ["192.0.2.1:1"]);
        assert!(addresses.entries[0].is_failing);
    }

    #[test]
    fn a_failure_keeps_the_last_addresses() {
        let mut addresses = addresses("0.0.0.0:9697", &["node.example:1"]);
        assert_eq!(listed(&mut addresses, &[]), [""; 0]);
        addresses.set(0, found(&["192.0.2.1:1", "192.0.2.2:1"]));
        for nothing in [
            Err(io::ErrorKind::NotFound.into()),
            found(&[]),
            found(&["[::1]:1"]),
        ] {
            addresses.set(0, nothing);
            assert!(addresses.entries[0].is_failing);
            assert_eq!(listed(&mut addresses, &[]), ["192.0.2.1:1", "192.0.2.2:1"]);
        }
        addresses.set(0, found(&["192.0.2.3:1"]));
        assert!(!addresses.entries[0].is_failing);
        assert_eq!(listed(&mut addresses, &[]), ["192.0.2.3:1"]);
    }

    #[test]
    fn our_own_addresses_are_left_out() {
        let all = [
            "192.0.2.1:9697",
            "192.0.2.1:9698",
            "192.0.2.2:9697",
            "127.0.0.7:9697",
        ];
        for (listen, prefix, expected) in [
            ("0.0.0.0:9697", "", &all[1..3]),
            ("192.0.2.1:9697", "", &all[1..]),
            ("[::]:9697", "mapped", &all[1..3]),
        ] {
            let mut addresses = addresses(listen, &all);
            let list = addresses.list(&["192.0.2.1".parse().unwrap()]);
            let list = list.iter().map(|address| {
                assert_eq!(address.is_ipv6(), prefix == "mapped");
                SocketAddr::new(address.ip().to_canonical(), address.port()).to_string()
            });
            assert_eq!(list.collect::<Vec<_>>(), expected, "{listen}");
        }
    }

    #[test]
    fn an_address_counts_once_and_no_more_than_256_do() {
        let mut addresses = addresses("0.0.0.0:9697", &["a.example:1", "b.example:1"]);
        let many = || {
            (0..=255)
                .map(|last| SocketAddr::from(([192, 0, 2, last], 1)))
                .collect()
        };
        addresses.set(0, Ok(many()));
        addresses.set(1, Ok(many()));
        assert_eq!(addresses.list(&[]).len(), 256);
        assert!(!addresses.is_cut);
        addresses.set(1, found(&["192.0.3.1:1"]));
        assert_eq!(addresses.list(&[]).len(), 256);
        assert!(addresses.is_cut);
    }
}
