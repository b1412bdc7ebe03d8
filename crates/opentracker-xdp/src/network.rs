//! What addresses and interfaces this host has.

use std::io;
use std::net::IpAddr;

use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;

/// The addresses and interfaces of this host, at one time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Network {
    /// Addresses, of whichever interface.
    pub addresses: Vec<IpAddr>,
    /// Interfaces.
    pub links: Vec<Link>,
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
}

impl Network {
    /// Looks at what there is.
    ///
    /// # Errors
    ///
    /// Fails when the system does.
    pub fn look() -> io::Result<Self> {
        let mut network = Self::default();
        for found in getifaddrs()? {
            let Some(address) = found.address else {
                continue;
            };
            if let Some(v4) = address.as_sockaddr_in() {
                network.addresses.push(v4.ip().into());
            } else if let Some(v6) = address.as_sockaddr_in6() {
                network.addresses.push(v6.ip().into());
            } else if let Some(link) = address.as_link_addr() {
                network.links.push(Link {
                    name: found.interface_name,
                    index: link.ifindex().try_into().unwrap_or(0),
                    address: link.addr().unwrap_or_default(),
                    is_running: found
                        .flags
                        .contains(InterfaceFlags::IFF_UP | InterfaceFlags::IFF_RUNNING),
                    is_loopback: found.flags.contains(InterfaceFlags::IFF_LOOPBACK),
                });
            }
        }
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
            assert!(network.addresses.contains(&Ipv4Addr::LOCALHOST.into()));
        }
    }
}
