use core::net::{IpAddr, Ipv6Addr, SocketAddr};

use crate::error::{DecodeError, DecodeErrorKind, EncodeError};

/// What the header begins with.
const MAGIC: [u8; 2] = [0x56, 0xec];

/// The header of Cloudflare's Simple Proxy Protocol, which stands before each datagram, and before
/// each reply as it stood before the request.
///
/// | octets | field |
/// |---|---|
/// | 0..2 | magic number 0x56ec |
/// | 2..18 | address of the client, an IPv4 address as IPv4-mapped IPv6 address |
/// | 18..34 | address of the proxy, likewise |
/// | 34..36 | port of the client |
/// | 36..38 | port of the proxy |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SimpleHeader {
    /// Where the client is; of IPv4 where its address is IPv4-mapped.
    pub client: SocketAddr,
    /// Where the proxy was asked, likewise.
    pub proxy: SocketAddr,
}

impl SimpleHeader {
    /// Octets of the header.
    pub const WIRE_LEN: usize = 38;

    /// Decodes the header that a datagram begins with.
    ///
    /// # Errors
    ///
    /// Fails if the datagram begins with no such header, or ends before it does.
    pub fn decode(octets: &[u8]) -> Result<Self, DecodeError> {
        let mut magic = octets.iter().zip(&MAGIC);
        if let Some(offset) = magic.position(|(octet, wanted)| octet != wanted) {
            return Err(DecodeError::new(DecodeErrorKind::NoHeader, offset));
        }
        let short = DecodeError::new(DecodeErrorKind::TooShort, octets.len());
        let header: &[u8; Self::WIRE_LEN] = octets.first_chunk().ok_or(short)?;
        let &[_, _, ref fields @ ..] = header;
        let (ips, ports) = fields.as_chunks::<16>();
        let (&[client, proxy], &[a, b, c, d]) = (ips, ports) else {
            return Err(short);
        };
        let end = |ip, port| SocketAddr::new(Ipv6Addr::from(ip).to_canonical(), port);
        Ok(Self {
            client: end(client, u16::from_be_bytes([a, b])),
            proxy: end(proxy, u16::from_be_bytes([c, d])),
        })
    }

    /// Writes the header to the front of a buffer and returns its length.
    ///
    /// # Errors
    ///
    /// Fails if the buffer is smaller than [`Self::WIRE_LEN`].
    pub fn encode(&self, buffer: &mut [u8]) -> Result<usize, EncodeError> {
        let available_octets = buffer.len();
        let room = buffer.get_mut(..Self::WIRE_LEN);
        let room = room.ok_or(EncodeError::BufferTooSmall { available_octets })?;
        let ips = [self.client, self.proxy].into_iter();
        let ips = ips.flat_map(|end| mapped(end.ip()).octets());
        let ports = [self.client, self.proxy].into_iter();
        let ports = ports.flat_map(|end| end.port().to_be_bytes());
        let octets = MAGIC.into_iter().chain(ips).chain(ports);
        for (place, octet) in room.iter_mut().zip(octets) {
            *place = octet;
        }
        Ok(Self::WIRE_LEN)
    }
}

fn mapped(ip: IpAddr) -> Ipv6Addr {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(header: SimpleHeader) -> [u8; SimpleHeader::WIRE_LEN] {
        let mut buffer = [0; SimpleHeader::WIRE_LEN];
        header.encode(&mut buffer).unwrap();
        buffer
    }

    /// After the table in the reference of Cloudflare Spectrum, "Simple Proxy Protocol Header".
    #[test]
    fn golden() {
        let mut octets = b"\x56\xec".to_vec();
        octets.extend(b"\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\x00\x02\x01");
        octets.extend(b"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02");
        octets.extend(b"\x1a\xe1\x1b\x39");
        let header = SimpleHeader {
            client: "192.0.2.1:6881".parse().unwrap(),
            proxy: "[2001:db8::2]:6969".parse().unwrap(),
        };
        assert_eq!(encoded(header), octets[..]);
        octets.extend(b"payload");
        assert_eq!(SimpleHeader::decode(&octets), Ok(header));
        for cut in 0..SimpleHeader::WIRE_LEN {
            let error = SimpleHeader::decode(&octets[..cut]).unwrap_err();
            assert_eq!(
                (error.kind(), error.offset()),
                (DecodeErrorKind::TooShort, cut)
            );
        }
        octets[1] = 0xed;
        let error = SimpleHeader::decode(&octets).unwrap_err();
        assert_eq!(
            (error.kind(), error.offset()),
            (DecodeErrorKind::NoHeader, 1)
        );
        let error = header.encode(&mut [0; 37]).unwrap_err();
        let available_octets = 37;
        assert_eq!(error, EncodeError::BufferTooSmall { available_octets });
    }

    proptest! {
        #[test]
        fn what_is_decoded_is_encoded(fields in any::<[[u8; 18]; 2]>()) {
            let octets = [&MAGIC, fields.as_flattened()].concat();
            let header = SimpleHeader::decode(&octets).unwrap();
            prop_assert_eq!(&encoded(header)[..], &octets[..]);
        }
    }
}
