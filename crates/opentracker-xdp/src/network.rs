//! What addresses and interfaces this host has.

use std::io;
use std::net::IpAddr;

use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;

use crate::calls;

/// The addresses and interfaces of this host, at one time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Network {
    /// Addresses, of whichever interface.
    pub addresses: Vec<Address>,
    /// Interfaces.
    pub links: Vec<Link>,
}

/// An address of this host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address {
    /// The address.
    pub ip: IpAddr,
    /// The interface that has it is a VLAN of another.
    pub is_of_vlan: bool,
}

/// An interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its name.
    pub name: String,
    /// Its number, which another interface of the same name does not have.
    pub index: u32,
    /// Its link-layer address.
    pub address: [u8; 6],
    /// It is up, and there is something at the other end.
    pub is_running: bool,
    pub(crate) is_loopback: bool,
    is_vlan: bool,
}

impl Network {
    /// Looks at what there is.
    ///
    /// # Errors
    ///
    /// Fails when the system does.
    pub fn look() -> io::Result<Self> {
        Self::default().look_again()
    }

    /// Looks again. What is known of an interface that was there is not asked for a second time.
    ///
    /// # Errors
    ///
    /// Fails when the system does.
    pub fn look_again(&self) -> io::Result<Self> {
        let mut links = Vec::new();
        let mut addresses = Vec::new();
        for found in getifaddrs()? {
            let Some(address) = found.address else {
                continue;
            };
            let name = found.interface_name;
            if let Some(v4) = address.as_sockaddr_in() {
                addresses.push((name, v4.ip().into()));
            } else if let Some(v6) = address.as_sockaddr_in6() {
                addresses.push((name, v6.ip().into()));
            } else if let Some(link) = address.as_link_addr() {
                let index = link.ifindex().try_into().unwrap_or(0);
                let known = self.links.iter().find(|known| known.index == index);
                links.push(Link {
                    is_vlan: known.map_or_else(|| calls::is_vlan(&name), |known| known.is_vlan),
                    name,
                    index,
                    address: link.addr().unwrap_or_default(),
                    is_running: found
                        .flags
                        .contains(InterfaceFlags::IFF_UP | InterfaceFlags::IFF_RUNNING),
                    is_loopback: found.flags.contains(InterfaceFlags::IFF_LOOPBACK),
                });
            }
        }
        let mut network = Self {
            addresses: Vec::new(),
            links,
        };
        let with_kind = |(name, ip): (String, IpAddr)| Address {
            ip,
            is_of_vlan: network.link(&name).is_some_and(|link| link.is_vlan),
        };
        network.addresses = addresses.into_iter().map(with_kind).collect();
        Ok(network)
    }

    /// Returns an interface by its name.
    pub fn link(&self, name: &str) -> Option<&Link> {
        self.links.iter().find(|link| link.name == name)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn loopback_is_there() {
        let network = Network::look().unwrap();
        let loopback = network.link("lo").unwrap();
        assert!(loopback.is_loopback);
        assert_eq!(loopback.address, [0; 6]);
        assert_eq!(network.link("no-such-link"), None);
        if loopback.is_running {
            let own = Address {
                ip: Ipv4Addr::LOCALHOST.into(),
                is_of_vlan: false,
            };
            assert!(network.addresses.contains(&own));
        }
    }
}
