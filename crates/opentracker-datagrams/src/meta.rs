//! What belongs to a datagram beside its octets, laid out as the kernel reads and writes it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use libc::c_int;

/// Octets of the longest socket address here, a `sockaddr_in6`.
pub(crate) const NAME_OCTETS: usize = 28;

const V4_NAME_OCTETS: usize = 16;

/// Room for packet information of either family (at most 40) and the length of a segment (24).
pub(crate) const CONTROL_OCTETS: usize = 64;

/// The other end of a datagram, and its control messages.
///
/// Both begin at a multiple of 8 octets: the kernel reads the lengths in control messages as words.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(8))]
pub(crate) struct Meta {
    pub(crate) control: [u8; CONTROL_OCTETS],
    /// ```text
    /// sockaddr_in   0 family   2 port   4 address   8 zero
    /// sockaddr_in6  0 family   2 port   4 flow      8 address   24 scope
    /// ```
    pub(crate) name: [u8; NAME_OCTETS],
    /// Octets of the name; none if a socket that was shut down gave a datagram from nobody.
    pub(crate) name_len: u32,
    pub(crate) control_len: usize,
    /// Octets of a datagram that was received.
    pub(crate) received: usize,
}

impl Meta {
    pub(crate) const EMPTY: Self = Self {
        control: [0; CONTROL_OCTETS],
        name: [0; NAME_OCTETS],
        name_len: 0,
        control_len: 0,
        received: 0,
    };

    /// Sends to `to`, from an address of this host or the one that the system chooses.
    pub(crate) fn new(to: SocketAddr, from: Option<IpAddr>) -> Self {
        let mut meta = Self::EMPTY;
        meta.set_address(to);
        match from {
            Some(IpAddr::V4(ip)) => {
                let mut info = [0; V4_INFO_OCTETS];
                info[4..8].copy_from_slice(&ip.octets());
                meta.push_control(libc::IPPROTO_IP, libc::IP_PKTINFO, &info);
            }
            Some(IpAddr::V6(ip)) => {
                let mut info = [0; V6_INFO_OCTETS];
                info[..16].copy_from_slice(&ip.octets());
                meta.push_control(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &info);
            }
            None => {}
        }
        meta
    }

    /// Returns the address, unless it is none of the internet's.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        let name = self.name.get(..usize::try_from(self.name_len).ok()?)?;
        let family = u16::from_ne_bytes(*name.first_chunk()?);
        let port = u16::from_be_bytes(*name.get(2..)?.first_chunk()?);
        match c_int::from(family) {
            libc::AF_INET => {
                let ip = Ipv4Addr::from(*name.get(4..)?.first_chunk::<4>()?);
                Some(SocketAddrV4::new(ip, port).into())
            }
            libc::AF_INET6 => {
                let ip = Ipv6Addr::from(*name.get(8..)?.first_chunk::<16>()?);
                Some(SocketAddrV6::new(ip, port, 0, 0).into())
            }
            _ => None,
        }
    }

    fn set_address(&mut self, address: SocketAddr) {
        let name = &mut self.name;
        name[2..4].copy_from_slice(&address.port().to_be_bytes());
        let (family, octets) = match address {
            SocketAddr::V4(address) => {
                name[4..8].copy_from_slice(&address.ip().octets());
                (V4_FAMILY, V4_NAME_OCTETS)
            }
            SocketAddr::V6(address) => {
                name[4..8].copy_from_slice(&address.flowinfo().to_ne_bytes());
                name[8..24].copy_from_slice(&address.ip().octets());
                name[24..].copy_from_slice(&address.scope_id().to_ne_bytes());
                (V6_FAMILY, NAME_OCTETS)
            }
        };
        name[..2].copy_from_slice(&family.to_ne_bytes());
        self.name_len = u32::try_from(octets).expect("at most 28");
    }

    /// Says that a train is to be taken apart into datagrams of so many octets.
    pub(crate) fn push_segment(&mut self, octets: usize) {
        let octets = u16::try_from(octets).expect("at most a datagram");
        self.push_control(libc::SOL_UDP, libc::UDP_SEGMENT, &octets.to_ne_bytes());
    }

    /// Turns received packet information into what makes the reply leave from the address that
    /// was asked. Anything else is taken away.
    pub(crate) fn turn_to_reply(&mut self) {
        if !self.turn_packet_info() {
            self.control_len = 0;
        }
    }

    fn turn_packet_info(&mut self) -> bool {
        let Some(message) = self.control.get_mut(..self.control_len) else {
            return false;
        };
        let Some((header, data)) = message.split_at_mut_checked(HEADER_OCTETS) else {
            return false;
        };
        let word = |at: usize| header[WORD + at..].first_chunk().copied();
        let (Some(level), Some(kind)) = (word(0), word(4)) else {
            return false;
        };
        match (c_int::from_ne_bytes(level), c_int::from_ne_bytes(kind)) {
            (libc::IPPROTO_IP, libc::IP_PKTINFO) if data.len() >= V4_INFO_OCTETS => {
                // The routing table chooses the interface, as for any other packet.
                data[..4].fill(0);
                true
            }
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) if data.len() >= V6_INFO_OCTETS => {
                // A link-local address means nothing without its interface.
                let is_link_local = data[..2] == [0xfe, 0x80];
                if !is_link_local {
                    data[16..V6_INFO_OCTETS].fill(0);
                }
                true
            }
            _ => false,
        }
    }

    /// Appends a control message: its length with the header in a word, level, type, data, and
    /// nothing up to the next word (cmsg(3)).
    fn push_control(&mut self, level: c_int, kind: c_int, data: &[u8]) {
        let len = HEADER_OCTETS + data.len();
        let end = self.control_len + len.next_multiple_of(WORD);
        let message = &mut self.control[self.control_len..end];
        message[..WORD].copy_from_slice(&len.to_ne_bytes());
        message[WORD..WORD + 4].copy_from_slice(&level.to_ne_bytes());
        message[WORD + 4..HEADER_OCTETS].copy_from_slice(&kind.to_ne_bytes());
        message[HEADER_OCTETS..len].copy_from_slice(data);
        self.control_len = end;
    }
}

const WORD: usize = size_of::<usize>();

/// Octets of a `cmsghdr`.
const HEADER_OCTETS: usize = WORD + 8;

/// Octets of an `in_pktinfo`: interface, address to send from, address that was asked. The kernel
/// fills the second with the third where it received.
const V4_INFO_OCTETS: usize = 12;

/// Octets of an `in6_pktinfo`: address, interface.
const V6_INFO_OCTETS: usize = 20;

const V4_FAMILY: u16 = 2;
const V6_FAMILY: u16 = 10;

const _: () = {
    assert!(V4_FAMILY as c_int == libc::AF_INET && V6_FAMILY as c_int == libc::AF_INET6);
    assert!(size_of::<libc::sockaddr_in>() == V4_NAME_OCTETS);
    assert!(size_of::<libc::sockaddr_in6>() == NAME_OCTETS);
    assert!(size_of::<libc::in_pktinfo>() == V4_INFO_OCTETS);
    assert!(size_of::<libc::in6_pktinfo>() == V6_INFO_OCTETS);
    assert!(size_of::<libc::cmsghdr>() == HEADER_OCTETS);
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_survives_the_kernel_s_form() {
        for text in ["192.0.2.1:6969", "[2001:db8::1]:65535"] {
            let address = text.parse().unwrap();
            assert_eq!(Meta::new(address, None).address(), Some(address));
        }
        assert_eq!(Meta::EMPTY.address(), None);
    }

    #[test]
    fn a_scope_is_told_to_the_kernel() {
        let address = SocketAddrV6::new("fe80::1".parse().unwrap(), 1, 0x0102_0304, 7);
        let meta = Meta::new(address.into(), None);
        assert_eq!(meta.name[24..], 7_u32.to_ne_bytes());
        assert_eq!(meta.name[4..8], 0x0102_0304_u32.to_ne_bytes());
    }

    #[test]
    fn a_name_that_is_cut_or_of_another_family_is_no_address() {
        let mut meta = Meta::new("192.0.2.1:6969".parse().unwrap(), None);
        for len in [0, 1, 2, 3, 7, 29, u32::MAX] {
            meta.name_len = len;
            assert_eq!(meta.address(), None, "{len}");
        }
        meta.name_len = 16;
        meta.name[..2].copy_from_slice(&1_u16.to_ne_bytes());
        assert_eq!(meta.address(), None);
    }

    #[test]
    fn replies_leave_from_the_address_that_was_asked_over_any_interface() {
        let to = "192.0.2.1:1".parse().unwrap();
        for (from, interface) in [
            ("198.51.100.7", HEADER_OCTETS..HEADER_OCTETS + 4),
            ("2001:db8::7", HEADER_OCTETS + 16..HEADER_OCTETS + 20),
        ] {
            let sent = Meta::new(to, Some(from.parse().unwrap()));
            let mut received = sent;
            received.control[interface].copy_from_slice(&3_u32.to_ne_bytes());
            received.turn_to_reply();
            assert_eq!(received.control_len, sent.control_len);
            assert_eq!(received.control, sent.control);
        }
    }

    #[test]
    fn a_link_local_reply_keeps_its_interface() {
        let from = "fe80::7".parse().unwrap();
        let mut meta = Meta::new("[fe80::8]:1".parse().unwrap(), Some(from));
        let interface = HEADER_OCTETS + 16..HEADER_OCTETS + 20;
        meta.control[interface.clone()].copy_from_slice(&3_u32.to_ne_bytes());
        meta.turn_to_reply();
        assert_eq!(meta.control[interface], 3_u32.to_ne_bytes());
    }

    #[test]
    fn control_messages_that_are_cut_or_strange_are_not_sent_back() {
        let whole = Meta::new("[::1]:1".parse().unwrap(), Some([0; 16].into()));
        for len in [0, 1, 15, 16, 35, CONTROL_OCTETS + 1] {
            let mut meta = whole;
            meta.control_len = len;
            meta.turn_to_reply();
            assert_eq!(meta.control_len, 0, "{len}");
        }
        let mut meta = Meta::EMPTY;
        meta.push_segment(100);
        assert_eq!(meta.control_len, HEADER_OCTETS + WORD);
        meta.turn_to_reply();
        assert_eq!(meta.control_len, 0);
    }
}
