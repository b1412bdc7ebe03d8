use nom::Parser;
use opentracker_types::{PeerAddr, SwarmCounts};

use crate::wire::{ACTION_ANNOUNCE, ReplyHead, Writer, be_u32, too_short};
use crate::{DecodeError, EncodeError, TransactionId};

/// Answers an announce (BEP 15 `announce`).
///
/// | octets | field |
/// |---|---|
/// | 0 4 | action, 1 |
/// | 4 4 | transaction id |
/// | 8 4 | interval in seconds |
/// | 12 4 | leechers |
/// | 16 4 | seeders |
/// | 20 6 n | to a client on IPv4: peers, each an address of 4 octets and a port of 2 |
/// | 20 18 n | to a client on IPv6: peers, each an address of 16 octets and a port of 2 |
///
/// Nothing in the packet says which of the two it is; the client knows from its socket. A tracker
/// writes the packet with [`begin`](Self::begin).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnnounceReply<'a> {
    /// What the request said.
    pub transaction: TransactionId,
    /// Seconds after which the client should announce again.
    pub interval_secs: u32,
    /// Peers of the swarm that have not everything.
    pub leechers: u32,
    /// Peers of the swarm that have everything.
    pub seeders: u32,
    /// The peers in compact form.
    pub peers: &'a [u8],
}

impl<'a> AnnounceReply<'a> {
    /// Octets of the fixed part, without peers.
    pub const WIRE_LEN: usize = 20;

    /// Begins to write the packet into a buffer that sets its limit: peers first, with
    /// [`AnnounceReplyBuilder::peers_area`], then the numbers, with
    /// [`AnnounceReplyBuilder::finish`].
    ///
    /// # Errors
    ///
    /// Fails if the buffer is smaller than [`WIRE_LEN`](Self::WIRE_LEN).
    #[inline]
    pub fn begin(buffer: &mut [u8]) -> Result<AnnounceReplyBuilder<'_>, EncodeError> {
        let available_octets = buffer.len();
        match buffer.split_first_chunk_mut() {
            Some((head, peers)) => Ok(AnnounceReplyBuilder { head, peers }),
            None => Err(EncodeError::BufferTooSmall {
                needed_octets: Self::WIRE_LEN,
                available_octets,
            }),
        }
    }

    /// Decodes the packet; everything after its fixed part is peers.
    ///
    /// # Errors
    ///
    /// Fails on a packet shorter than [`WIRE_LEN`](Self::WIRE_LEN) and on another action.
    #[inline]
    pub fn decode(packet: &'a [u8]) -> Result<Self, DecodeError> {
        let (body, transaction) = ReplyHead::decode_action(packet, ACTION_ANNOUNCE)?;
        let (peers, (interval_secs, leechers, seeders)) = (be_u32, be_u32, be_u32)
            .parse(body)
            .map_err(|_| too_short(packet).with(transaction))?;
        Ok(Self {
            transaction,
            interval_secs,
            leechers,
            seeders,
            peers,
        })
    }

    /// Writes the packet to the front of the buffer and returns its length in octets.
    ///
    /// # Errors
    ///
    /// Fails if the buffer is smaller than [`WIRE_LEN`](Self::WIRE_LEN) and the peers.
    #[inline]
    pub fn encode(&self, buffer: &mut [u8]) -> Result<usize, EncodeError> {
        let needed_octets = Self::WIRE_LEN.saturating_add(self.peers.len());
        Ok(Writer::with_room(buffer, needed_octets)?
            .put_u32(ACTION_ANNOUNCE)
            .put(self.transaction.as_bytes())
            .put_u32(self.interval_secs)
            .put_u32(self.leechers)
            .put_u32(self.seeders)
            .put_slice(self.peers)
            .finish())
    }

    /// Reads the peers of a reply that came over IPv4. A torn peer at the end is left out.
    pub fn peers_v4(&self) -> impl ExactSizeIterator<Item = PeerAddr> + Clone + use<'a> {
        let (peers, _) = self.peers.as_chunks();
        peers.iter().map(PeerAddr::from_compact_v4)
    }

    /// Reads the peers of a reply that came over IPv6. A torn peer at the end is left out.
    pub fn peers_v6(&self) -> impl ExactSizeIterator<Item = PeerAddr> + Clone + use<'a> {
        let (peers, _) = self.peers.as_chunks();
        peers.iter().map(PeerAddr::from_compact_v6)
    }
}

/// Writes an announce reply in place; see [`AnnounceReply::begin`].
#[derive(Debug)]
pub struct AnnounceReplyBuilder<'a> {
    head: &'a mut [u8; AnnounceReply::WIRE_LEN],
    peers: &'a mut [u8],
}

impl AnnounceReplyBuilder<'_> {
    /// Returns where the peers go in compact form, without gaps: everything of the buffer after
    /// the fixed part.
    #[inline]
    pub const fn peers_area(&mut self) -> &mut [u8] {
        self.peers
    }

    /// Writes the fixed part and returns the length of the packet in octets.
    ///
    /// `peers_octets` is how much of the peers' area was used; it is taken for the whole area if
    /// it is more.
    #[inline]
    pub fn finish(
        self,
        transaction: TransactionId,
        interval_secs: u32,
        counts: SwarmCounts,
        peers_octets: usize,
    ) -> usize {
        debug_assert!(peers_octets <= self.peers.len(), "peers beyond their area");
        Writer::over(self.head)
            .put_u32(ACTION_ANNOUNCE)
            .put(transaction.as_bytes())
            .put_u32(interval_secs)
            .put_u32(counts.leechers)
            .put_u32(counts.seeders)
            .finish()
            + peers_octets.min(self.peers.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DecodeErrorKind;
    use crate::testing::{assert_encodes, assert_too_short_below};

    /// By hand from the table of BEP 15: interval 1800, 5 leechers, 3 seeders, two IPv4 peers.
    const GOLDEN_V4: &[u8] = b"\x00\x00\x00\x01\x0b\xad\xca\xfe\
        \x00\x00\x07\x08\x00\x00\x00\x05\x00\x00\x00\x03\
        \xc0\x00\x02\x07\x1a\xe1\
        \xc6\x33\x64\x01\x00\x50";

    /// By hand from the table of BEP 15 for IPv6: the same numbers, one IPv6 peer.
    const GOLDEN_V6: &[u8] = b"\x00\x00\x00\x01\x0b\xad\xca\xfe\
        \x00\x00\x07\x08\x00\x00\x00\x05\x00\x00\x00\x03\
        \x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x07\x1a\xe1";

    const COUNTS: SwarmCounts = SwarmCounts {
        seeders: 3,
        leechers: 5,
        downloads: 0,
    };

    fn reply(peers: &[u8]) -> AnnounceReply<'_> {
        AnnounceReply {
            transaction: 0x0bad_cafe.into(),
            interval_secs: 1800,
            leechers: 5,
            seeders: 3,
            peers,
        }
    }

    fn peers(texts: &[&str]) -> Vec<PeerAddr> {
        texts
            .iter()
            .map(|text| text.parse::<std::net::SocketAddr>().unwrap().into())
            .collect()
    }

    #[test]
    fn golden_both_ways() {
        for golden in [GOLDEN_V4, GOLDEN_V6, &GOLDEN_V4[..20]] {
            let expected = reply(&golden[20..]);
            assert_eq!(AnnounceReply::decode(golden), Ok(expected));
            assert_encodes(golden, |buffer| expected.encode(buffer));
        }
    }

    #[test]
    fn built_in_place() {
        for golden in [GOLDEN_V4, GOLDEN_V6, &GOLDEN_V4[..20]] {
            let mut buffer = [0xa5; 100];
            let mut builder = AnnounceReply::begin(&mut buffer).unwrap();
            assert_eq!(builder.peers_area().len(), 80);
            let compact = &golden[20..];
            builder.peers_area()[..compact.len()].copy_from_slice(compact);
            let octets = builder.finish(0x0bad_cafe.into(), 1800, COUNTS, compact.len());
            assert_eq!(buffer[..octets], *golden);
        }
        assert_eq!(
            AnnounceReply::begin(&mut [0; 19]).unwrap_err(),
            EncodeError::BufferTooSmall {
                needed_octets: 20,
                available_octets: 19
            }
        );
    }

    #[test]
    fn peers_of_both_families() {
        let decoded = AnnounceReply::decode(GOLDEN_V4).unwrap();
        assert_eq!(
            decoded.peers_v4().collect::<Vec<_>>(),
            peers(&["192.0.2.7:6881", "198.51.100.1:80"])
        );
        let decoded = AnnounceReply::decode(GOLDEN_V6).unwrap();
        assert_eq!(
            decoded.peers_v6().collect::<Vec<_>>(),
            peers(&["[2001:db8::7]:6881"])
        );
    }

    #[test]
    fn truncation() {
        for golden in [GOLDEN_V4, GOLDEN_V6] {
            assert_too_short_below(AnnounceReply::WIRE_LEN, golden, |packet| {
                AnnounceReply::decode(packet).err()
            });
        }
        for len in 20..GOLDEN_V4.len() {
            let decoded = AnnounceReply::decode(&GOLDEN_V4[..len]).unwrap();
            assert_eq!(decoded.peers_v4().len(), (len - 20) / 6);
            assert_eq!(decoded.peers_v6().len(), 0);
        }
    }

    #[test]
    fn action_is_checked() {
        let mut packet = GOLDEN_V4.to_vec();
        packet[3] = 3;
        let error = AnnounceReply::decode(&packet).unwrap_err();
        assert_eq!(error.kind(), DecodeErrorKind::UnknownAction);
        assert_eq!(error.transaction(), Some(0x0bad_cafe.into()));
    }
}
