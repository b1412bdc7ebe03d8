use core::net::{Ipv4Addr, Ipv6Addr};

use crate::ends::Ends;
use crate::error::{DecodeError, DecodeErrorKind, EncodeError};

/// What the header begins with: octets that no other protocol does.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

/// The version, which shares an octet with the command.
const VERSION: u8 = 0x20;
const LOCAL: u8 = VERSION;
const PROXY: u8 = VERSION | 1;

/// Octets of two addresses and two ports.
const V4_OCTETS: usize = 12;
const V6_OCTETS: usize = 36;

/// The header of version 2 of the PROXY protocol, section 2.2 of its specification: octets before all
/// else on a connection, or before each datagram.
///
/// | octets | field |
/// |---|---|
/// | 0..12 | signature |
/// | 12 | version 2 in the high half, command in the low: 0 local, 1 proxy |
/// | 13 | family in the high half, transport in the low |
/// | 14..16 | octets that follow |
/// | 16..28 | IPv4: source, destination, source port, destination port |
/// | 16..52 | IPv6: the same |
/// | … | extensions (TLVs), which are skipped |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeaderV2 {
    /// Both ends of what the client uses. `None` if the proxy speaks for itself (the local command, as
    /// in its health checks), or does not know them, or is reached by no internet protocol.
    pub ends: Option<Ends>,
}

/// What a client uses to reach a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// A connection.
    Stream,
    /// Datagrams.
    Datagram,
}

impl HeaderV2 {
    /// Octets of the longest header without extensions.
    pub const MAX_PLAIN_WIRE_LEN: usize = Self::FIXED_OCTETS + V6_OCTETS;

    /// Octets of the longest header that is taken. Those of real proxies, with the names of
    /// certificates and of cloud endpoints in them, have some hundreds.
    pub const MAX_WIRE_LEN: usize = 4096;

    const FIXED_OCTETS: usize = 16;

    /// Decodes the header that octets begin with, and returns it with its length; `None` while it is
    /// not complete.
    ///
    /// # Errors
    ///
    /// Fails if no header comes, if it is longer than [`Self::MAX_WIRE_LEN`], or if it has values that
    /// the specification does not.
    pub fn decode(octets: &[u8]) -> Result<Option<(Self, usize)>, DecodeError> {
        let fault = |kind, offset| Err(DecodeError::new(kind, offset));
        let mut signature = octets.iter().zip(&SIGNATURE);
        if let Some(offset) = signature.position(|(octet, wanted)| octet != wanted) {
            return fault(DecodeErrorKind::NoHeader, offset);
        }
        let Some((&[.., command, family, high, low], rest)) =
            octets.split_first_chunk::<{ Self::FIXED_OCTETS }>()
        else {
            return Ok(None);
        };
        if ![LOCAL, PROXY].contains(&command) {
            return fault(DecodeErrorKind::BadCommand, 12);
        }
        let length = usize::from(u16::from_be_bytes([high, low]));
        let whole = Self::FIXED_OCTETS.saturating_add(length);
        if whole > Self::MAX_WIRE_LEN {
            return fault(DecodeErrorKind::TooLong, 14);
        }
        let Some(body) = rest.get(..length) else {
            return Ok(None);
        };
        let ends = match (command, family) {
            // What stands there has no meaning, the family included.
            (LOCAL, _) => None,
            // Unspecified, and Unix sockets.
            (_, 0x00 | 0x31 | 0x32) => None,
            (_, 0x11 | 0x12) => match body.first_chunk() {
                Some(ends) => Some(read_v4(ends)),
                None => return fault(DecodeErrorKind::TooShort, 14),
            },
            (_, 0x21 | 0x22) => match body.first_chunk() {
                Some(ends) => Some(read_v6(ends)),
                None => return fault(DecodeErrorKind::TooShort, 14),
            },
            _ => return fault(DecodeErrorKind::BadFamily, 13),
        };
        Ok(Some((Self { ends }, whole)))
    }

    /// Writes the header without extensions to the front of a buffer and returns its length. Without
    /// ends its command is local.
    ///
    /// # Errors
    ///
    /// Fails if the buffer is smaller; [`Self::MAX_PLAIN_WIRE_LEN`] octets are always enough.
    pub fn encode(&self, transport: Transport, buffer: &mut [u8]) -> Result<usize, EncodeError> {
        let transport = match transport {
            Transport::Stream => 1,
            Transport::Datagram => 2,
        };
        let mut body = [0; V6_OCTETS];
        let (command, family, length) = match self.ends {
            None => (LOCAL, 0, 0),
            Some(Ends::V4 {
                source,
                destination,
            }) => {
                let ips = [source.ip().octets(), destination.ip().octets()];
                let ports = [source.port(), destination.port()];
                put(&mut body, &ips, ports);
                (PROXY, 0x10 | transport, 12)
            }
            Some(Ends::V6 {
                source,
                destination,
            }) => {
                let ips = [source.ip().octets(), destination.ip().octets()];
                let ports = [source.port(), destination.port()];
                put(&mut body, &ips, ports);
                (PROXY, 0x20 | transport, 36)
            }
        };
        let available_octets = buffer.len();
        let whole = Self::FIXED_OCTETS.saturating_add(usize::from(length));
        let header = SIGNATURE.into_iter();
        let header = header.chain([command, family, 0, length]).chain(body);
        let room = buffer.get_mut(..whole);
        let room = room.ok_or(EncodeError::BufferTooSmall { available_octets })?;
        for (place, octet) in room.iter_mut().zip(header) {
            *place = octet;
        }
        Ok(whole)
    }
}

fn read_v4(ends: &[u8; V4_OCTETS]) -> Ends {
    let &[a, b, c, d, e, f, g, h, ref ports @ ..] = ends;
    let ips = [Ipv4Addr::new(a, b, c, d), Ipv4Addr::new(e, f, g, h)];
    Ends::v4(ips, read_ports(ports))
}

fn read_v6(ends: &[u8; V6_OCTETS]) -> Ends {
    let mut ips = [Ipv6Addr::UNSPECIFIED; 2];
    let (octets, _) = ends.as_chunks::<16>();
    for (ip, octets) in ips.iter_mut().zip(octets) {
        *ip = Ipv6Addr::from(*octets);
    }
    let &[.., a, b, c, d] = ends;
    Ends::v6(ips, read_ports(&[a, b, c, d]))
}

fn read_ports(&[a, b, c, d]: &[u8; 4]) -> [u16; 2] {
    [u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])]
}

fn put<const N: usize>(body: &mut [u8], ips: &[[u8; N]; 2], ports: [u16; 2]) {
    let ports = ports.into_iter().flat_map(u16::to_be_bytes);
    let octets = ips.as_flattened().iter().copied().chain(ports);
    for (place, octet) in body.iter_mut().zip(octets) {
        *place = octet;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ends::testing::ends;

    const V4: &[u8] =
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\xc0\xa8\x00\x01\xc0\xa8\x00\x0b\xdc\x04\x01\xbb";

    fn decode(octets: &[u8]) -> Result<Option<(HeaderV2, usize)>, DecodeErrorKind> {
        HeaderV2::decode(octets).map_err(|error| error.kind())
    }

    fn encoded(header: HeaderV2, transport: Transport) -> Vec<u8> {
        let mut buffer = [0; HeaderV2::MAX_PLAIN_WIRE_LEN];
        let octets = header.encode(transport, &mut buffer).unwrap();
        buffer[..octets].to_vec()
    }

    /// The octets of the specification's section 2.2, with the addresses of its section 2.1.
    #[test]
    fn golden() {
        let ips = ["192.168.0.1", "192.168.0.11"].map(|ip| ip.parse().unwrap());
        let ends = Some(Ends::v4(ips, [56324, 443]));
        let header = HeaderV2 { ends };
        assert_eq!(encoded(header, Transport::Stream), V4);
        assert_eq!(decode(V4), Ok(Some((header, 28))));

        let mut v6 = b"\r\n\r\n\0\r\nQUIT\n\x21\x22\x00\x24".to_vec();
        v6.extend(b"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01");
        v6.extend(b"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02");
        v6.extend(b"\x1a\xe1\x1b\x39");
        let ips = ["2001:db8::1", "2001:db8::2"].map(|ip| ip.parse().unwrap());
        let ends = Some(Ends::v6(ips, [6881, 6969]));
        assert_eq!(encoded(HeaderV2 { ends }, Transport::Datagram), v6);
        assert_eq!(decode(&v6), Ok(Some((HeaderV2 { ends }, 52))));

        let local = b"\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00";
        assert_eq!(encoded(HeaderV2 { ends: None }, Transport::Stream), local);
        assert_eq!(decode(local), Ok(Some((HeaderV2 { ends: None }, 16))));
    }

    /// A header with other values at some octets, followed by what its length says.
    fn changed(changes: &[(usize, u8)]) -> Vec<u8> {
        let mut octets = V4.to_vec();
        for &(at, octet) in changes {
            octets[at] = octet;
        }
        let length = u16::from_be_bytes([octets[14], octets[15]]);
        octets.resize(16 + usize::from(length), 7);
        octets
    }

    #[test]
    fn extensions_are_skipped() {
        let octets = changed(&[(15, 12 + 200)]);
        let (header, length) = decode(&octets).unwrap().unwrap();
        assert_eq!(
            header.ends.unwrap().source().to_string(),
            "192.168.0.1:56324"
        );
        assert_eq!(length, octets.len());
        assert_eq!(decode(&octets[..octets.len() - 1]), Ok(None));
    }

    #[test]
    fn who_has_no_internet_address_has_none() {
        for changes in [
            &[(12, 0x20)][..],
            &[(12, 0x20), (13, 0xff)],
            &[(13, 0x00)],
            &[(13, 0x31), (15, 216)],
            &[(13, 0x32), (15, 216)],
        ] {
            let octets = changed(changes);
            let header = HeaderV2 { ends: None };
            assert_eq!(decode(&octets), Ok(Some((header, octets.len()))));
        }
    }

    #[test]
    fn other_values_are_refused() {
        for (changes, kind) in [
            (&[(11, b'\r')][..], DecodeErrorKind::NoHeader),
            (&[(12, 0x11)], DecodeErrorKind::BadCommand),
            (&[(12, 0x22)], DecodeErrorKind::BadCommand),
            (&[(13, 0x10)], DecodeErrorKind::BadFamily),
            (&[(13, 0x41)], DecodeErrorKind::BadFamily),
            (&[(15, 11)], DecodeErrorKind::TooShort),
            (&[(13, 0x21)], DecodeErrorKind::TooShort),
            (&[(14, 0x0f), (15, 0xf1)], DecodeErrorKind::TooLong),
        ] {
            assert_eq!(decode(&changed(changes)), Err(kind), "{changes:?}");
        }
        let longest = changed(&[(14, 0x0f), (15, 0xf0)]);
        assert_eq!(longest.len(), HeaderV2::MAX_WIRE_LEN);
        assert!(decode(&longest).unwrap().is_some());
    }

    #[test]
    fn a_small_buffer_is_refused() {
        let header = HeaderV2 { ends: None };
        let error = header.encode(Transport::Stream, &mut [0; 15]).unwrap_err();
        let available_octets = 15;
        assert_eq!(error, EncodeError::BufferTooSmall { available_octets });
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(ends in prop::option::of(ends()), cut in 0..53_usize) {
            let header = HeaderV2 { ends };
            for transport in [Transport::Stream, Transport::Datagram] {
                let octets = encoded(header, transport);
                prop_assert_eq!(decode(&octets), Ok(Some((header, octets.len()))));
                let part = &octets[..cut.min(octets.len() - 1)];
                prop_assert_eq!(decode(part), Ok(None), "it is not whole");
            }
        }

        #[test]
        fn what_is_decoded_is_encoded(
            fixed in (0x1f..0x23_u8, any::<u8>(), 0..60_u8),
            body in prop::collection::vec(any::<u8>(), 0..70),
        ) {
            let (command, family, length) = fixed;
            let octets = [&SIGNATURE[..], &[command, family, 0, length], &body].concat();
            if let Ok(Some((header, _))) = decode(&octets) {
                let again = encoded(header, Transport::Stream);
                prop_assert_eq!(decode(&again), Ok(Some((header, again.len()))));
            }
        }
    }
}
