use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The addresses that count as one customer's: an IPv4 address, or an IPv6 /56.
///
/// An IPv4-mapped IPv6 address counts as IPv4. As text it is a network: `192.0.2.7/32` or
/// `2001:db8:0:1200::/56`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Prefix(u64);

/// Above the 56 bits of an IPv6 prefix: which family it is.
const IPV4: u64 = 1 << 56;
const IPV6: u64 = 2 << 56;

impl Prefix {
    /// Returns the prefix that an address belongs to.
    #[inline]
    pub const fn of(ip: IpAddr) -> Self {
        Self(match ip.to_canonical() {
            IpAddr::V4(ip) => IPV4 | ip.to_bits() as u64,
            IpAddr::V6(ip) => IPV6 | (ip.to_bits() >> 72) as u64,
        })
    }

    /// Returns a number that no other prefix has; it is not 0.
    pub const fn number(self) -> u64 {
        self.0
    }

    /// Returns the prefix of a [`number`](Self::number); `None` if it is none.
    pub const fn from_number(number: u64) -> Option<Self> {
        match number >> 56 {
            1 if number & !IPV4 <= u32::MAX as u64 => Some(Self(number)),
            2 => Some(Self(number)),
            _ => None,
        }
    }

    /// Returns the first address.
    pub const fn first(self) -> IpAddr {
        match self.0 >> 56 {
            1 => IpAddr::V4(Ipv4Addr::from_bits((self.0 & 0xffff_ffff) as u32)),
            _ => IpAddr::V6(Ipv6Addr::from_bits((self.0 as u128 ^ IPV6 as u128) << 72)),
        }
    }
}

impl From<IpAddr> for Prefix {
    fn from(ip: IpAddr) -> Self {
        Self::of(ip)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = self.first();
        let bits = if first.is_ipv4() { 32 } else { 56 };
        write!(f, "{first}/{bits}")
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    fn prefix(ip: &str) -> Prefix {
        Prefix::of(ip.parse().unwrap())
    }

    #[test]
    fn one_customer_has_one_prefix() {
        for (ip, text) in [
            ("0.0.0.0", "0.0.0.0/32"),
            ("192.0.2.7", "192.0.2.7/32"),
            ("::ffff:192.0.2.7", "192.0.2.7/32"),
            ("::", "::/56"),
            ("2001:db8:0:12ff::1", "2001:db8:0:1200::/56"),
            ("2001:db8:0:1200:ffff::", "2001:db8:0:1200::/56"),
            ("ffff:ffff:ffff:ffff:ffff::", "ffff:ffff:ffff:ff00::/56"),
        ] {
            assert_eq!(prefix(ip).to_string(), text);
            assert_ne!(prefix(ip).number(), 0);
        }
        assert_ne!(prefix("2001:db8:0:1200::"), prefix("2001:db8:0:1300::"));
        assert_ne!(prefix("0.0.0.1"), prefix("::1:0:0:0:0"));
    }
}
