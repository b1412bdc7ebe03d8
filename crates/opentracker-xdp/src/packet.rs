//! Frames: what is around a datagram, and whether it is right.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::Range;

/// Between which two interfaces frames go that are made here: their link-layer addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// Ours.
    pub from: [u8; 6],
    /// The next hop's.
    pub to: [u8; 6],
    /// The tag of 802.1Q: priority and VLAN.
    pub tag: Option<u16>,
}

/// A datagram of UDP in a frame of Ethernet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// Octets of the link-layer header.
    pub(crate) link: usize,
    /// The tag of 802.1Q: priority and VLAN.
    pub tag: Option<u16>,
    /// Where it comes from.
    pub source: SocketAddr,
    /// Where it goes.
    pub destination: SocketAddr,
    /// Where in the frame its octets are.
    pub payload: Range<usize>,
}

/// The most octets before those of a datagram: Ethernet with a tag, IPv6, UDP.
pub(crate) const MAX_HEADERS: usize = TAGGED + IPV6 + UDP;

const ETHERNET: usize = 14;
const TAGGED: usize = 18;
const IPV4: usize = 20;
const IPV6: usize = 40;
const UDP: usize = 8;

const TYPE_TAG: [u8; 2] = [0x81, 0x00];
const TYPE_IPV4: [u8; 2] = [0x08, 0x00];
const TYPE_IPV6: [u8; 2] = [0x86, 0xdd];
const PROTOCOL_UDP: u8 = 17;

/// The hop limit of what leaves.
const HOPS: u8 = 64;

impl Packet {
    /// Reads a frame; `None` if a length or a checksum is wrong.
    ///
    /// A sender on the same host, and a card that does not have the frame cut, leave the checksum of UDP
    /// to whoever sends it over a wire: then there is the sum of the addresses alone, and that is right
    /// too.
    pub fn parse(frame: &[u8]) -> Option<Self> {
        let (link, tag) = match *frame.get(12..14)?.as_array()? {
            TYPE_TAG => (TAGGED, Some(number(frame, 14)?)),
            _ => (ETHERNET, None),
        };
        let kind: [u8; 2] = *frame.get(link - 2..link)?.as_array()?;
        let packet = frame.get(link..)?;
        let (source, destination, header, datagram) = match kind {
            TYPE_IPV4 => open_ipv4(packet)?,
            TYPE_IPV6 => open_ipv6(packet)?,
            _ => return None,
        };
        let octets = usize::from(number(datagram, 4)?);
        let datagram = datagram.get(..octets).filter(|_| octets >= UDP)?;
        let pseudo = pseudo_header(source, destination, octets);
        let is_right = match number(datagram, 6)? {
            0 => source.is_ipv4(),
            said => fold(add(pseudo, datagram)) == u16::MAX || said == u16::from_be(fold(pseudo)),
        };
        let start = link + header + UDP;
        is_right.then_some(Self {
            link,
            tag,
            source: SocketAddr::new(source, number(datagram, 0)?),
            destination: SocketAddr::new(destination, number(datagram, 2)?),
            payload: start..link + header + octets,
        })
    }
}

/// Source, destination, octets of the header, and what is behind it.
type Opened<'a> = (IpAddr, IpAddr, usize, &'a [u8]);

fn open_ipv4(packet: &[u8]) -> Option<Opened<'_>> {
    let (header, _) = packet.split_at_checked(IPV4)?;
    let octets = usize::from(number(header, 2)?);
    let is_right =
        header[0] == 0x45 && header[9] == PROTOCOL_UDP && fold(add(0, header)) == u16::MAX;
    let address = |start: usize| -> Option<IpAddr> {
        let octets: [u8; 4] = *header.get(start..start + 4)?.as_array()?;
        Some(Ipv4Addr::from(octets).into())
    };
    let datagram = packet.get(IPV4..octets).filter(|_| is_right)?;
    Some((address(12)?, address(16)?, IPV4, datagram))
}

fn open_ipv6(packet: &[u8]) -> Option<Opened<'_>> {
    let (header, rest) = packet.split_at_checked(IPV6)?;
    let octets = usize::from(number(header, 4)?);
    let is_right = header[0] >> 4 == 6 && header[6] == PROTOCOL_UDP;
    let address = |start: usize| -> Option<IpAddr> {
        let octets: [u8; 16] = *header.get(start..start + 16)?.as_array()?;
        Some(Ipv6Addr::from(octets).into())
    };
    let datagram = rest.get(..octets).filter(|_| is_right)?;
    Some((address(8)?, address(24)?, IPV6, datagram))
}

/// Octets before those of a datagram that goes between addresses of this family.
pub(crate) fn headers(link: usize, address: SocketAddr) -> usize {
    link + UDP + if address.is_ipv4() { IPV4 } else { IPV6 }
}

/// Writes the link-layer header of what answers a frame: the same but for the addresses, which change
/// places.
pub(crate) fn turn_link(request: &[u8], link: usize, reply: &mut [u8]) {
    reply[..6].copy_from_slice(&request[6..12]);
    reply[6..12].copy_from_slice(&request[..6]);
    reply[12..link].copy_from_slice(&request[12..link]);
}

/// Writes a link-layer header, and returns its octets.
pub(crate) fn write_link(route: &Route, to: SocketAddr, frame: &mut [u8]) -> usize {
    frame[..6].copy_from_slice(&route.to);
    frame[6..12].copy_from_slice(&route.from);
    let mut link = ETHERNET;
    if let Some(tag) = route.tag {
        frame[12..14].copy_from_slice(&TYPE_TAG);
        frame[14..16].copy_from_slice(&tag.to_be_bytes());
        link = TAGGED;
    }
    let kind = if to.is_ipv4() { TYPE_IPV4 } else { TYPE_IPV6 };
    frame[link - 2..link].copy_from_slice(&kind);
    link
}

/// Writes the headers of IP and UDP around a datagram that is in its place, and that the frame ends
/// with.
///
/// IPv4 is not to be fragmented on its way, as what sockets send is not.
pub(crate) fn write(frame: &mut [u8], link: usize, from: SocketAddr, to: SocketAddr) {
    let (header, datagram) = frame[link..].split_at_mut(headers(0, to) - UDP);
    let octets = datagram.len();
    match (from.ip(), to.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let fixed = [0x45, 0, 0, 0, 0, 0, 0x40, 0, HOPS, PROTOCOL_UDP, 0, 0];
            header[..12].copy_from_slice(&fixed);
            put(header, 2, IPV4 + octets);
            header[12..16].copy_from_slice(&from.octets());
            header[16..].copy_from_slice(&to.octets());
            let sum = !fold(add(0, header));
            header[10..12].copy_from_slice(&sum.to_ne_bytes());
        }
        (from, to) => {
            header[..8].copy_from_slice(&[0x60, 0, 0, 0, 0, 0, PROTOCOL_UDP, HOPS]);
            put(header, 4, octets);
            header[8..24].copy_from_slice(&in_ipv6(from));
            header[24..].copy_from_slice(&in_ipv6(to));
        }
    }
    datagram[..2].copy_from_slice(&from.port().to_be_bytes());
    datagram[2..4].copy_from_slice(&to.port().to_be_bytes());
    put(datagram, 4, octets);
    datagram[6..8].fill(0);
    let pseudo = pseudo_header(from.ip(), to.ip(), octets);
    // A sum of zero would say that there is none.
    let sum = match !fold(add(pseudo, datagram)) {
        0 => u16::MAX,
        sum => sum,
    };
    datagram[6..8].copy_from_slice(&sum.to_ne_bytes());
}

fn in_ipv6(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

fn number(octets: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*octets.get(at..at + 2)?.as_array()?))
}

fn put(octets: &mut [u8], at: usize, number: usize) {
    let number = u16::try_from(number).expect("a frame is small");
    octets[at..at + 2].copy_from_slice(&number.to_be_bytes());
}

/// The sum of what the checksum of UDP has of the header before it.
fn pseudo_header(source: IpAddr, destination: IpAddr, octets: usize) -> u64 {
    let addresses = match (source, destination) {
        (IpAddr::V4(from), IpAddr::V4(to)) => add(add(0, &from.octets()), &to.octets()),
        (from, to) => add(add(0, &in_ipv6(from)), &in_ipv6(to)),
    };
    let [.., high, low] = octets.to_be_bytes();
    add(addresses, &[0, PROTOCOL_UDP, high, low])
}

/// Adds octets to a sum of words in the machine's own order, which the checksum of the Internet allows
/// (RFC 1071).
fn add(sum: u64, octets: &[u8]) -> u64 {
    let (words, rest) = octets.as_chunks();
    let mut last = [0; 4];
    last[..rest.len()].copy_from_slice(rest);
    let words = words.iter().chain([&last]);
    sum + words
        .map(|word| u64::from(u32::from_ne_bytes(*word)))
        .sum::<u64>()
}

fn fold(sum: u64) -> u16 {
    let sum = (sum & 0xffff_ffff) + (sum >> 32);
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    u16::try_from(sum).expect("it was folded")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ROUTE: Route = Route {
        from: [2, 0, 0, 0, 0, 1],
        to: [2, 0, 0, 0, 0, 2],
        tag: None,
    };

    fn frame(from: SocketAddr, to: SocketAddr, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![0; headers(ETHERNET, to) + payload.len()];
        let start = headers(ETHERNET, to);
        frame[start..].copy_from_slice(payload);
        let link = write_link(&ROUTE, to, &mut frame);
        write(&mut frame, link, from, to);
        frame
    }

    /// A datagram of a socket of Linux 6.18, read from a tun interface, behind an Ethernet header.
    #[test]
    fn a_frame_is_as_the_kernel_makes_it() {
        let mut of_kernel = [
            0x02, 0, 0, 0, 0, 0x02, 0x02, 0, 0, 0, 0, 0x01, 0x08, 0x00, // Ethernet
            0x45, 0, 0, 0x1f, 0x6a, 0x8d, 0x40, 0, 0x40, 0x11, 0xbb, 0x78, 0x0a, 0x63, 0, 1, 0x0a,
            0x63, 0, 2, // IPv4
            0x1b, 0x39, 0x03, 0xe8, 0, 0x0b, 0x07, 0x8c, b'a', b'b', b'c',
        ];
        let packet = Packet::parse(&of_kernel).unwrap();
        let mut ours = frame(packet.source, packet.destination, b"abc");
        // Nobody looks at the number of what is not to be fragmented, and it is in the sum.
        for frame in [&mut of_kernel[..], &mut ours] {
            frame[18..20].fill(0);
            frame[24..26].fill(0);
        }
        assert_eq!(ours, of_kernel);
    }

    #[test]
    fn a_sum_of_zero_is_sent_as_all_ones() {
        let (from, to) = (
            SocketAddr::from(([10, 0, 0, 1], 1)),
            ([10, 0, 0, 2], 2).into(),
        );
        let mut payload = [0; 2];
        let plain = frame(from, to, &payload);
        // What is left of the sum makes it zero.
        payload.copy_from_slice(&plain[40..42]);
        let full = frame(from, to, &payload);
        assert_eq!(full[40..42], [0xff, 0xff]);
        assert!(Packet::parse(&full).is_some());
    }

    #[test]
    fn a_sum_that_is_left_to_the_card_is_right_and_none_is_for_ipv4_alone() {
        for (from, to) in [("10.0.0.1:1", "10.0.0.2:2"), ("[fd00::1]:1", "[fd00::2]:2")] {
            let (from, to): (SocketAddr, SocketAddr) = (from.parse().unwrap(), to.parse().unwrap());
            let mut frame = frame(from, to, b"hello");
            let place = headers(ETHERNET, to) - 2;
            let partial = fold(pseudo_header(from.ip(), to.ip(), 13));
            frame[place..place + 2].copy_from_slice(&partial.to_ne_bytes());
            assert!(Packet::parse(&frame).is_some());
            frame[place..place + 2].fill(0);
            assert_eq!(Packet::parse(&frame).is_some(), to.is_ipv4());
        }
    }

    #[test]
    fn an_answer_goes_back_with_the_same_tag() {
        let (from, to) = (([10, 0, 0, 1], 1).into(), ([10, 0, 0, 2], 2).into());
        let route = Route {
            tag: Some(0x2007),
            ..ROUTE
        };
        let mut tagged = vec![0; headers(TAGGED, to) + 1];
        let link = write_link(&route, to, &mut tagged);
        write(&mut tagged, link, from, to);
        let packet = Packet::parse(&tagged).unwrap();
        assert_eq!(packet.link, TAGGED);
        assert_eq!(packet.payload.len(), 1);
        let mut reply = [0; TAGGED];
        turn_link(&tagged, packet.link, &mut reply);
        assert_eq!(reply[..6], ROUTE.from);
        assert_eq!(reply[6..12], ROUTE.to);
        assert_eq!(reply[12..], [0x81, 0, 0x20, 7, 0x08, 0]);
    }

    fn addresses() -> impl Strategy<Value = (SocketAddr, SocketAddr)> {
        let v4 = any::<((u32, u16), (u32, u16))>().prop_map(|(a, b)| {
            let address = |(ip, port): (u32, u16)| (Ipv4Addr::from(ip), port).into();
            (address(a), address(b))
        });
        let v6 = any::<((u128, u16), (u128, u16))>().prop_map(|(a, b)| {
            let address = |(ip, port): (u128, u16)| (Ipv6Addr::from(ip), port).into();
            (address(a), address(b))
        });
        v4.boxed().prop_union(v6.boxed())
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            (from, to) in addresses(),
            payload in prop::collection::vec(any::<u8>(), 0..1500),
            padding in 0_usize..50,
        ) {
            let mut frame = frame(from, to, &payload);
            let length = frame.len();
            frame.resize(length + padding, 0x55);
            let packet = Packet::parse(&frame).unwrap();
            prop_assert_eq!((packet.source, packet.destination), (from, to));
            prop_assert_eq!(&frame[packet.payload.clone()], &payload[..]);
            // One bit that is wrong shows, but in the link-layer header and what is behind the end.
            let bit = usize::from(from.port()) % (8 * (length - ETHERNET)) + 8 * ETHERNET;
            frame[bit / 8] ^= 1 << (bit % 8);
            // The sum is not over the header of IPv6, but its addresses. Its length may count what is
            // behind the datagram.
            let unsummed = to.is_ipv6() && matches!(bit / 8, 14..=19 | 21);
            if let Some(read) = Packet::parse(&frame) {
                // The sum may have become that of the addresses, or none.
                let sum = headers(ETHERNET, to) - 2..headers(ETHERNET, to);
                prop_assert!(unsummed || sum.contains(&(bit / 8)), "{read:?}");
            }
        }

        #[test]
        fn any_octets_are_read_or_not(octets in prop::collection::vec(any::<u8>(), 0..200)) {
            Packet::parse(&octets);
        }
    }
}
