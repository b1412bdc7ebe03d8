use core::fmt;
use core::net::{AddrParseError, IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::str::FromStr;

/// Where a peer accepts connections: an address and a port.
///
/// The address is canonical: an IPv4-mapped IPv6 address (`::ffff:a.b.c.d`) is held as IPv4, so
/// that a peer is the same on every path. Flow labels and scope ids are not part of it.
///
/// As text it is `192.0.2.7:6881` or `[2001:db8::7]:6881`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerAddr {
    ip: IpAddr,
    port: u16,
}

impl PeerAddr {
    /// Octets of an IPv4 peer in compact form (BEP 23).
    pub const COMPACT_V4_LEN: usize = 6;
    /// Octets of an IPv6 peer in compact form (BEP 7).
    pub const COMPACT_V6_LEN: usize = 18;

    /// Makes a peer address, unwrapping an IPv4-mapped IPv6 address.
    pub const fn new(ip: IpAddr, port: u16) -> Self {
        Self {
            ip: ip.to_canonical(),
            port,
        }
    }

    /// Reads an IPv4 peer in compact form (BEP 23): the address, then the port, both in network
    /// order.
    #[inline]
    pub const fn from_compact_v4(octets: &[u8; Self::COMPACT_V4_LEN]) -> Self {
        let [a, b, c, d, high, low] = *octets;
        let ip = Ipv4Addr::new(a, b, c, d);
        Self::new(IpAddr::V4(ip), u16::from_be_bytes([high, low]))
    }

    /// Reads an IPv6 peer in compact form (BEP 7): the address, then the port, both in network
    /// order. An IPv4-mapped address is unwrapped, as [`new`](Self::new) does.
    #[inline]
    pub const fn from_compact_v6(octets: &[u8; Self::COMPACT_V6_LEN]) -> Self {
        let [ref address @ .., high, low] = *octets;
        let ip = Ipv6Addr::from_octets(*address);
        Self::new(IpAddr::V6(ip), u16::from_be_bytes([high, low]))
    }

    /// Reads a peer in compact form of either family; `None` if it has other octets than 6 or 18.
    #[inline]
    pub fn from_compact(octets: &[u8]) -> Option<Self> {
        match octets.try_into() {
            Ok(v4) => Some(Self::from_compact_v4(v4)),
            Err(_) => Some(Self::from_compact_v6(octets.try_into().ok()?)),
        }
    }

    /// Returns the canonical IP address.
    pub const fn ip(&self) -> IpAddr {
        self.ip
    }

    /// Returns the port.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Tells whether this is an IPv4 peer.
    pub const fn is_ipv4(&self) -> bool {
        self.ip.is_ipv4()
    }

    /// Returns how far this address reaches, or `None` if no peer can be there: the address is
    /// unspecified (all of 0.0.0.0/8), multicast, broadcast or reserved (240.0.0.0/4), or the
    /// port is 0.
    pub const fn scope(&self) -> Option<Scope> {
        if self.port == 0 {
            return None;
        }
        Scope::of(self.ip)
    }
}

impl From<SocketAddr> for PeerAddr {
    fn from(address: SocketAddr) -> Self {
        Self::new(address.ip(), address.port())
    }
}

impl From<PeerAddr> for SocketAddr {
    fn from(peer: PeerAddr) -> Self {
        Self::new(peer.ip, peer.port)
    }
}

impl fmt::Display for PeerAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        SocketAddr::from(*self).fmt(f)
    }
}

impl fmt::Debug for PeerAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeerAddr({self})")
    }
}

impl FromStr for PeerAddr {
    type Err = AddrParseError;

    /// Parses an address and a port as [`SocketAddr`] does.
    fn from_str(text: &str) -> Result<Self, AddrParseError> {
        text.parse::<SocketAddr>().map(Self::from)
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for PeerAddr {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        SocketAddr::from(*self).serialize(serializer)
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for PeerAddr {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        SocketAddr::deserialize(deserializer).map(Self::from)
    }
}

/// How far an address reaches, and so who may be told of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// This host only: 127.0.0.0/8, `::1`.
    Loopback,
    /// This site only: RFC 1918, link-local (169.254.0.0/16, fe80::/10), shared carrier space
    /// (100.64.0.0/10), unique local (fc00::/7).
    Private,
    /// Everybody.
    Global,
}

impl Scope {
    /// Returns the scope of an address, or `None` for one that no peer can have.
    #[inline]
    pub const fn of(ip: IpAddr) -> Option<Self> {
        match ip.to_canonical() {
            IpAddr::V4(ip) => Self::of_v4(ip),
            IpAddr::V6(ip) => Self::of_v6(ip),
        }
    }

    /// Tells whether a peer of this scope may be handed to a requester of scope `requester`:
    /// global peers to everybody, loopback and private ones only to their like.
    pub const fn is_visible_to(self, requester: Self) -> bool {
        matches!(
            (self, requester),
            (Self::Global, _) | (Self::Private, Self::Private) | (Self::Loopback, Self::Loopback)
        )
    }

    /// Returns the scope of an IPv4 address, as [`Self::of`] does.
    #[inline]
    pub const fn of_v4(ip: Ipv4Addr) -> Option<Self> {
        match ip.octets() {
            [0 | 224..=255, ..] => None,
            [127, ..] => Some(Self::Loopback),
            [10, ..] | [192, 168, ..] | [169, 254, ..] => Some(Self::Private),
            [172, second, ..] if second & 0xf0 == 16 => Some(Self::Private),
            [100, second, ..] if second & 0xc0 == 64 => Some(Self::Private),
            _ => Some(Self::Global),
        }
    }

    /// Returns the scope of an IPv6 address that is not an IPv4-mapped one; see [`Self::of`].
    #[inline]
    pub const fn of_v6(ip: Ipv6Addr) -> Option<Self> {
        match ip.segments() {
            [0, 0, 0, 0, 0, 0, 0, 0] | [0xff00..=0xffff, ..] => None,
            [0, 0, 0, 0, 0, 0, 0, 1] => Some(Self::Loopback),
            [0xfe80..=0xfebf | 0xfc00..=0xfdff, ..] => Some(Self::Private),
            _ => Some(Self::Global),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mapped_addresses_are_ipv4() {
        let mapped = PeerAddr::new("::ffff:10.1.2.3".parse().unwrap(), 1);
        assert_eq!(mapped, PeerAddr::new("10.1.2.3".parse().unwrap(), 1));
        assert_eq!(mapped.scope(), Some(Scope::Private));
    }

    #[test]
    fn text_goes_both_ways() {
        for text in ["192.0.2.7:6881", "[2001:db8::7]:6881"] {
            assert_eq!(text.parse::<PeerAddr>().unwrap().to_string(), text);
        }
        let mapped: PeerAddr = "[::ffff:192.0.2.7]:6881".parse().unwrap();
        assert_eq!(mapped.to_string(), "192.0.2.7:6881");
        for text in [
            "",
            "192.0.2.7",
            "2001:db8::7:6881",
            "192.0.2.7:65536",
            "a.example:80",
        ] {
            assert!(text.parse::<PeerAddr>().is_err(), "{text}");
        }
    }

    #[test]
    fn compact_forms() {
        let read = PeerAddr::from_compact_v4(b"\xc0\x00\x02\x07\x1a\xe1");
        assert_eq!(read, PeerAddr::new("192.0.2.7".parse().unwrap(), 6881));
        let mut octets = *b"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07\x1a\xe1";
        let read = PeerAddr::from_compact_v6(&octets);
        assert_eq!(read, PeerAddr::new("2001:db8::7".parse().unwrap(), 6881));
        octets[..16].copy_from_slice(b"\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\x00\x02\x07");
        let read = PeerAddr::from_compact_v6(&octets);
        assert_eq!(read, PeerAddr::new("192.0.2.7".parse().unwrap(), 6881));
    }

    #[test]
    fn scopes() {
        for (text, scope) in [
            ("0.0.0.0", None),
            ("0.1.2.3", None),
            ("224.0.23.5", None),
            ("239.255.255.255", None),
            ("240.0.0.1", None),
            ("255.255.255.255", None),
            ("::", None),
            ("ff02::1", None),
            ("127.255.0.1", Some(Scope::Loopback)),
            ("::1", Some(Scope::Loopback)),
            ("10.0.0.1", Some(Scope::Private)),
            ("172.16.0.1", Some(Scope::Private)),
            ("172.31.255.255", Some(Scope::Private)),
            ("172.32.0.1", Some(Scope::Global)),
            ("192.168.1.1", Some(Scope::Private)),
            ("192.169.1.1", Some(Scope::Global)),
            ("169.254.9.9", Some(Scope::Private)),
            ("100.64.0.1", Some(Scope::Private)),
            ("100.128.0.1", Some(Scope::Global)),
            ("fe80::1", Some(Scope::Private)),
            ("fd00::1", Some(Scope::Private)),
            ("2001:db8::1", Some(Scope::Global)),
            ("198.51.100.1", Some(Scope::Global)),
        ] {
            assert_eq!(Scope::of(text.parse().unwrap()), scope, "{text}");
        }
        assert_eq!(PeerAddr::new("1.2.3.4".parse().unwrap(), 0).scope(), None);
    }

    #[test]
    fn only_the_like_see_local_peers() {
        use Scope::{Global, Loopback, Private};
        for requester in [Loopback, Private, Global] {
            assert!(Global.is_visible_to(requester));
            assert_eq!(Private.is_visible_to(requester), requester == Private);
            assert_eq!(Loopback.is_visible_to(requester), requester == Loopback);
        }
    }
}
