use alloc::vec::Vec;
use core::fmt::{self, Write as _};
use core::net::IpAddr;

use opentracker_types::PeerAddr;

use crate::AnnounceQuery;
use crate::bencode::{List, Value};
use crate::write::{put_integer, put_string};

/// The peers of an announce reply, in one of their forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peers<'a> {
    /// Strings of octets: `peers` (BEP 23) and, where the swarm has IPv6 peers, `peers6` (BEP 7).
    Compact {
        /// 6 octets a peer: address and port.
        v4: &'a [u8],
        /// 18 octets a peer: address and port; `None` leaves out the key.
        v6: Option<&'a [u8]>,
    },
    /// One list of dictionaries with `ip` and `port` (BEP 3), to be written from compact peers.
    ToList {
        /// 6 octets a peer: address and port.
        v4: &'a [u8],
        /// 18 octets a peer: address and port.
        v6: &'a [u8],
    },
    /// One list of dictionaries as it was read (BEP 3).
    List(List<'a>),
}

impl<'a> Peers<'a> {
    /// Chooses the form that the query asks for. `v6` is `None` where the reply should have no
    /// `peers6`.
    pub fn of_query(query: &AnnounceQuery, v4: &'a [u8], v6: Option<&'a [u8]>) -> Self {
        if query.compact {
            Self::Compact { v4, v6 }
        } else {
            Self::ToList {
                v4,
                v6: v6.unwrap_or_default(),
            }
        }
    }

    /// Goes through the peers of all forms, those of IPv4 before those of IPv6 in a compact one.
    /// A torn peer at the end of a string is left out, and so is an entry of a list that has no
    /// IP address in its `ip` or no port.
    pub fn iter(self) -> impl Iterator<Item = PeerAddr> + Clone + use<'a> {
        let (v4, v6, list) = match self {
            Self::Compact { v4, v6 } => (v4, v6.unwrap_or_default(), None),
            Self::ToList { v4, v6 } => (v4, v6, None),
            Self::List(list) => ([].as_slice(), [].as_slice(), Some(list)),
        };
        let listed = list.into_iter().flatten().filter_map(listed_peer);
        compact_v4(v4).chain(compact_v6(v6)).chain(listed)
    }

    /// The most octets that the peers take in a reply, for reserving them.
    pub(crate) const fn max_octets(&self) -> usize {
        // The keys and their lengths.
        const FRAME: usize = 64;
        match self {
            Self::Compact { v4, v6: None } => FRAME + v4.len(),
            Self::Compact { v4, v6: Some(v6) } => FRAME + v4.len() + v6.len(),
            Self::ToList { v4, v6 } => {
                // d2:ip15:255.255.255.2554:porti65535ee, and 39 octets of address for IPv6.
                FRAME
                    + v4.len() / PeerAddr::COMPACT_V4_LEN * 37
                    + v6.len() / PeerAddr::COMPACT_V6_LEN * 61
            }
            Self::List(list) => FRAME + list.as_bytes().len(),
        }
    }

    /// Appends the keys `peers` and `peers6`.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        match *self {
            Self::Compact { v4, v6 } => {
                debug_assert_eq!(v4.len() % PeerAddr::COMPACT_V4_LEN, 0, "torn IPv4 peer");
                put_string(out, b"5:peers", v4);
                if let Some(v6) = v6 {
                    debug_assert_eq!(v6.len() % PeerAddr::COMPACT_V6_LEN, 0, "torn IPv6 peer");
                    put_string(out, b"6:peers6", v6);
                }
            }
            Self::ToList { v4, v6 } => {
                out.extend_from_slice(b"5:peersl");
                for peer in compact_v4(v4).chain(compact_v6(v6)) {
                    put_string(out, b"d2:ip", AddressText::new(peer.ip()).as_bytes());
                    put_integer(out, b"4:port", peer.port());
                    out.push(b'e');
                }
                out.push(b'e');
            }
            Self::List(list) => {
                out.extend_from_slice(b"5:peersl");
                out.extend_from_slice(list.as_bytes());
                out.push(b'e');
            }
        }
    }
}

fn compact_v4(octets: &[u8]) -> impl Iterator<Item = PeerAddr> + Clone + use<'_> {
    let (peers, _) = octets.as_chunks();
    peers.iter().map(PeerAddr::from_compact_v4)
}

fn compact_v6(octets: &[u8]) -> impl Iterator<Item = PeerAddr> + Clone + use<'_> {
    let (peers, _) = octets.as_chunks();
    peers.iter().map(PeerAddr::from_compact_v6)
}

fn listed_peer(value: Value<'_>) -> Option<PeerAddr> {
    let entry = value.as_dictionary()?;
    let ip = str::from_utf8(entry.get(b"ip")?.as_string()?).ok()?;
    let port = entry.get(b"port")?.as_integer()?;
    Some(PeerAddr::new(ip.parse().ok()?, port.try_into().ok()?))
}

/// An IP address as text, on the stack.
struct AddressText {
    octets: [u8; Self::MAX_LEN],
    len: usize,
}

impl AddressText {
    /// Eight groups of four digits and seven colons; the form with an IPv4 address at its end is
    /// 45 long, and never written, as such an address counts as IPv4 here.
    const MAX_LEN: usize = 45;

    fn new(ip: IpAddr) -> Self {
        let mut text = Self {
            octets: [0; Self::MAX_LEN],
            len: 0,
        };
        write!(text, "{ip}").expect("45 octets hold any IP address");
        text
    }

    fn as_bytes(&self) -> &[u8] {
        self.octets.get(..self.len).unwrap_or_default()
    }
}

impl fmt::Write for AddressText {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.len + text.len();
        self.octets
            .get_mut(self.len..end)
            .ok_or(fmt::Error)?
            .copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}
