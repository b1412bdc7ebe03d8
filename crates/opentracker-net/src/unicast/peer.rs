use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

/// Another instance, or several that have one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Peer {
    /// The address of one.
    Address(SocketAddr),
    /// A name with a port, which stands for all addresses of that name.
    Name(String, u16),
}

/// A text that is neither an address nor a name with a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a host with a port, as in node.example:9697, 192.0.2.1:9697 or [2001:db8::1]:9697")]
pub struct PeerError;

/// The most octets of a name (RFC 1035).
const MAX_NAME_OCTETS: usize = 255;

impl Peer {
    /// Tells whether it takes a resolver to find the addresses.
    pub const fn is_name(&self) -> bool {
        matches!(self, Self::Name(..))
    }
}

impl FromStr for Peer {
    type Err = PeerError;

    fn from_str(text: &str) -> Result<Self, PeerError> {
        let peer = match text.parse() {
            Ok(address) => Self::Address(address),
            Err(_) => {
                let (name, port) = text.rsplit_once(':').ok_or(PeerError)?;
                let is_plain = |octet: u8| octet.is_ascii_alphanumeric() || b"-._".contains(&octet);
                // Without a letter it is an address that is wrong.
                let is_name = name.bytes().all(is_plain)
                    && name.contains(char::is_alphabetic)
                    && name.len() <= MAX_NAME_OCTETS;
                if !is_name {
                    return Err(PeerError);
                }
                Self::Name(name.to_owned(), port.parse().map_err(|_| PeerError)?)
            }
        };
        (peer.port() != 0).then_some(peer).ok_or(PeerError)
    }
}

impl Peer {
    fn port(&self) -> u16 {
        match self {
            Self::Address(address) => address.port(),
            Self::Name(_, port) => *port,
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Name(name, port) => write!(f, "{name}:{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_names_are_told_apart() {
        for text in ["192.0.2.1:9697", "[2001:db8::1]:1"] {
            let peer: Peer = text.parse().unwrap();
            assert!(matches!(peer, Peer::Address(_)), "{text}");
            assert_eq!(peer.to_string(), text);
        }
        for text in [
            "node.example:9697",
            "opentracker-headless:1",
            "n1_2.:65535",
            "node-1:1",
        ] {
            let peer: Peer = text.parse().unwrap();
            assert!(matches!(peer, Peer::Name(..)), "{text}");
            assert_eq!(peer.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_host_with_a_port_is_refused() {
        let long = format!("{}:1", "a".repeat(256));
        for text in [
            "",
            ":1",
            "node",
            "node:",
            "node:0",
            "node:65536",
            "192.0.2.1",
            "192.0.2.1:0",
            "192.0.2.256:1",
            "2001:db8::1",
            "2001:db8::1:9697",
            "a b:1",
            "tls://node:1",
            &long,
        ] {
            assert_eq!(text.parse::<Peer>(), Err(PeerError), "{text}");
        }
    }
}
