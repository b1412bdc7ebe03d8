use core::net::SocketAddr;

use crate::ends::Ends;
use crate::error::{DecodeError, DecodeErrorKind};
use crate::simple::SimpleHeader;
use crate::v1::HeaderV1;
use crate::v2::HeaderV2;

/// What a header says, whichever it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Header {
    /// Octets of the header. What the client has sent follows.
    pub octets: usize,
    /// Where the client is; `None` if the proxy speaks for itself, or the client has no internet
    /// address.
    pub client: Option<SocketAddr>,
    /// Whether a reply has to begin with the same octets.
    pub is_echoed: bool,
}

impl Header {
    /// Decodes the header that a connection begins with, of version 1 or 2; `None` while it is not
    /// complete. It has [`HeaderV2::MAX_WIRE_LEN`] octets at the most.
    ///
    /// # Errors
    ///
    /// Fails if the connection begins with neither.
    pub fn of_stream(octets: &[u8]) -> Result<Option<Self>, DecodeError> {
        let decoded = match octets.first() {
            Some(b'P') => HeaderV1::decode(octets)?.map(|(header, length)| (header.ends, length)),
            _ => HeaderV2::decode(octets)?.map(|(header, length)| (header.ends, length)),
        };
        Ok(decoded.map(|(ends, length)| Self::new(ends, length)))
    }

    /// Decodes the header that a datagram begins with, of version 2 or of the Simple Proxy Protocol.
    ///
    /// # Errors
    ///
    /// Fails if the datagram begins with neither, or ends within it.
    pub fn of_datagram(octets: &[u8]) -> Result<Self, DecodeError> {
        if let Ok(header) = SimpleHeader::decode(octets) {
            return Ok(Self {
                octets: SimpleHeader::WIRE_LEN,
                client: Some(header.client),
                is_echoed: true,
            });
        }
        let short = DecodeError::new(DecodeErrorKind::TooShort, octets.len());
        let (header, length) = HeaderV2::decode(octets)?.ok_or(short)?;
        Ok(Self::new(header.ends, length))
    }

    fn new(ends: Option<Ends>, octets: usize) -> Self {
        Self {
            octets,
            client: ends.map(|ends| ends.source()),
            is_echoed: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::v2::Transport;

    fn ends() -> Option<Ends> {
        Some(Ends::v4([[192, 0, 2, 1].into(); 2], [1, 2]))
    }

    fn v1() -> Vec<u8> {
        let mut buffer = vec![0; HeaderV1::MAX_WIRE_LEN];
        let header = HeaderV1 { ends: ends() };
        let octets = header.encode(&mut buffer).unwrap();
        buffer.truncate(octets);
        buffer
    }

    fn v2(transport: Transport) -> Vec<u8> {
        let mut buffer = vec![0; HeaderV2::MAX_PLAIN_WIRE_LEN];
        let header = HeaderV2 { ends: ends() };
        let octets = header.encode(transport, &mut buffer).unwrap();
        buffer.truncate(octets);
        buffer
    }

    fn simple() -> Vec<u8> {
        let client = "192.0.2.1:1".parse().unwrap();
        let mut buffer = vec![0; SimpleHeader::WIRE_LEN];
        let header = SimpleHeader {
            client,
            proxy: client,
        };
        header.encode(&mut buffer).unwrap();
        buffer
    }

    #[test]
    fn each_header_is_told_from_the_others() {
        let client = Some("192.0.2.1:1".parse().unwrap());
        for octets in [v1(), v2(Transport::Stream)] {
            let header = Header::of_stream(&octets).unwrap().unwrap();
            assert_eq!((header.client, header.octets), (client, octets.len()));
            assert!(!header.is_echoed);
        }
        for (octets, is_echoed) in [(v2(Transport::Datagram), false), (simple(), true)] {
            let header = Header::of_datagram(&octets).unwrap();
            assert_eq!((header.client, header.octets), (client, octets.len()));
            assert_eq!(header.is_echoed, is_echoed);
        }
        assert!(Header::of_stream(&simple()).is_err());
        assert!(Header::of_datagram(&v1()).is_err());
    }

    #[test]
    fn a_datagram_has_all_of_its_header_or_none() {
        for octets in [v2(Transport::Datagram), simple()] {
            for cut in 0..octets.len() {
                let error = Header::of_datagram(&octets[..cut]).unwrap_err();
                let is_known = [DecodeErrorKind::TooShort, DecodeErrorKind::NoHeader];
                assert!(is_known.contains(&error.kind()), "{cut}: {error}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_octets_are_read(
            header in prop::sample::select(vec![v1(), v2(Transport::Stream), simple(), Vec::new()]),
            cut in any::<prop::sample::Index>(),
            more in prop::collection::vec(any::<u8>(), 0..60),
        ) {
            let octets = [&header[..cut.index(header.len() + 1)], &more].concat();
            if let Ok(Some(header)) = Header::of_stream(&octets) {
                prop_assert!(header.octets <= octets.len());
            }
            if let Ok(header) = Header::of_datagram(&octets) {
                prop_assert!(header.octets <= octets.len());
            }
        }
    }
}
