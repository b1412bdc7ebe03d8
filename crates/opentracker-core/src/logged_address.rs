use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::busy_networks::BusyNetworks;

/// An address of a client as logs show it: that of its /24, or of its IPv6 /48, unless they may show
/// all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoggedAddress {
    ip: IpAddr,
    is_full: bool,
}

impl LoggedAddress {
    /// Makes it from an address and [`Settings::full_addresses`](crate::Settings::full_addresses).
    pub const fn new(ip: IpAddr, is_full: bool) -> Self {
        Self {
            ip: ip.to_canonical(),
            is_full,
        }
    }
}

impl fmt::Display for LoggedAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (v4, v6) = BusyNetworks::COARSE;
        let bits = if self.ip.is_ipv4() { v4 } else { v6 };
        match IpNet::new(self.ip, bits) {
            Ok(network) if !self.is_full => network.trunc().fmt(f),
            _ => self.ip.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shortened_unless_it_may_be_shown() {
        for (ip, short, full) in [
            ("192.0.2.77", "192.0.2.0/24", "192.0.2.77"),
            ("::ffff:192.0.2.77", "192.0.2.0/24", "192.0.2.77"),
            ("2001:db8:1:2::3", "2001:db8:1::/48", "2001:db8:1:2::3"),
        ] {
            let ip = ip.parse().unwrap();
            assert_eq!(LoggedAddress::new(ip, false).to_string(), short);
            assert_eq!(LoggedAddress::new(ip, true).to_string(), full);
        }
    }
}
