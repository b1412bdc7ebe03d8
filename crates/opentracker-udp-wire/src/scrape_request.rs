use opentracker_types::InfoHash;

use crate::wire::{ACTION_SCRAPE, RequestHead, Writer};
use crate::{ConnectionId, DecodeError, DecodeErrorKind, EncodeError, TransactionId};

/// Asks for the counts of swarms (BEP 15 `scrape`).
///
/// | octets | field |
/// |---|---|
/// | 0 8 | connection id |
/// | 8 4 | action, 2 |
/// | 12 4 | transaction id |
/// | 16 20 n | info hashes, 1 to 74 |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScrapeRequest<'a> {
    connection: ConnectionId,
    transaction: TransactionId,
    /// 1 to [`ScrapeRequest::MAX_INFO_HASHES`] of them.
    info_hashes: &'a [[u8; InfoHash::LEN]],
}

impl<'a> ScrapeRequest<'a> {
    /// Octets of the fixed part, without info hashes.
    pub const WIRE_LEN: usize = RequestHead::WIRE_LEN;

    /// The most info hashes of one packet; with more it would not fit an Ethernet frame.
    pub const MAX_INFO_HASHES: usize = 74;

    /// Makes a request for these info hashes; `None` if there are none of them, or more than
    /// [`MAX_INFO_HASHES`](Self::MAX_INFO_HASHES).
    pub const fn new(
        connection: ConnectionId,
        transaction: TransactionId,
        info_hashes: &'a [[u8; InfoHash::LEN]],
    ) -> Option<Self> {
        if info_hashes.is_empty() || info_hashes.len() > Self::MAX_INFO_HASHES {
            return None;
        }
        Some(Self {
            connection,
            transaction,
            info_hashes,
        })
    }

    /// Returns what the tracker gave out in its [`ConnectReply`](crate::ConnectReply).
    pub const fn connection(&self) -> ConnectionId {
        self.connection
    }

    /// Returns what the reply will repeat.
    pub const fn transaction(&self) -> TransactionId {
        self.transaction
    }

    /// Goes through the info hashes in order: at least one, at most
    /// [`MAX_INFO_HASHES`](Self::MAX_INFO_HASHES).
    pub fn info_hashes(&self) -> impl ExactSizeIterator<Item = InfoHash> + Clone + use<'a> {
        self.info_hashes.iter().map(|&octets| InfoHash::new(octets))
    }

    /// Decodes the packet. Of more than [`MAX_INFO_HASHES`](Self::MAX_INFO_HASHES) the first
    /// ones count; octets after the last whole info hash are ignored.
    ///
    /// # Errors
    ///
    /// Fails on a packet shorter than [`WIRE_LEN`](Self::WIRE_LEN), on another action, and on
    /// a packet without one whole info hash.
    #[inline]
    pub fn decode(packet: &'a [u8]) -> Result<Self, DecodeError> {
        let (body, head) = RequestHead::decode_action(packet, ACTION_SCRAPE)?;
        let (info_hashes, torn) = body.as_chunks();
        let info_hashes = info_hashes
            .get(..Self::MAX_INFO_HASHES)
            .unwrap_or(info_hashes);
        Self::new(head.connection, head.transaction, info_hashes).ok_or_else(|| {
            let kind = if torn.is_empty() {
                DecodeErrorKind::NoInfoHash
            } else {
                DecodeErrorKind::TornInfoHash
            };
            DecodeError::new(kind, Self::WIRE_LEN).with(head.transaction)
        })
    }

    /// Writes the packet to the front of the buffer and returns its length in octets.
    ///
    /// # Errors
    ///
    /// Fails if the buffer is smaller than [`WIRE_LEN`](Self::WIRE_LEN) and 20 octets an info
    /// hash.
    #[inline]
    pub fn encode(&self, buffer: &mut [u8]) -> Result<usize, EncodeError> {
        let info_hashes = self.info_hashes.as_flattened();
        Ok(
            Writer::with_room(buffer, Self::WIRE_LEN + info_hashes.len())?
                .put(self.connection.as_bytes())
                .put_u32(ACTION_SCRAPE)
                .put(self.transaction.as_bytes())
                .put_slice(info_hashes)
                .finish(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_encodes, assert_too_short_below};

    /// By hand from the table of BEP 15: two info hashes.
    const GOLDEN: &[u8] = b"\x01\x23\x45\x67\x89\xab\xcd\xef\
        \x00\x00\x00\x02\x0b\xad\xca\xfe\
        aaaaaaaaaaaaaaaaaaaa\
        bbbbbbbbbbbbbbbbbbbb";

    #[test]
    fn golden_both_ways() {
        let hashes = [[b'a'; 20], [b'b'; 20]];
        let request = ScrapeRequest::new(
            0x0123_4567_89ab_cdef.into(),
            0x0bad_cafe.into(),
            hashes.as_slice(),
        )
        .unwrap();
        assert_eq!(ScrapeRequest::decode(GOLDEN), Ok(request));
        assert_encodes(GOLDEN, |buffer| request.encode(buffer));
        assert_eq!(
            request.info_hashes().collect::<Vec<_>>(),
            hashes.map(InfoHash::new)
        );
    }

    #[test]
    fn truncation() {
        assert_too_short_below(
            ScrapeRequest::WIRE_LEN,
            &GOLDEN[..ScrapeRequest::WIRE_LEN - 1],
            |packet| ScrapeRequest::decode(packet).err(),
        );
        for len in 16..=GOLDEN.len() {
            let decoded = ScrapeRequest::decode(&GOLDEN[..len]);
            let kind = match len {
                16 => DecodeErrorKind::NoInfoHash,
                17..36 => DecodeErrorKind::TornInfoHash,
                _ => {
                    assert_eq!(decoded.unwrap().info_hashes().len(), (len - 16) / 20);
                    continue;
                }
            };
            let error = decoded.unwrap_err();
            assert_eq!(error.kind(), kind, "{len} octets");
            assert_eq!(error.offset(), 16);
            assert_eq!(error.transaction(), Some(0x0bad_cafe.into()));
        }
    }

    #[test]
    fn the_first_74_count() {
        for (hashes, counted) in [(73, 73), (74, 74), (75, 74), (200, 74)] {
            let mut packet = GOLDEN[..16].to_vec();
            for number in 0..hashes {
                packet.extend_from_slice(&[number; 20]);
            }
            let request = ScrapeRequest::decode(&packet).unwrap();
            let counted_hashes: Vec<_> = (0..counted).map(|n| InfoHash::new([n; 20])).collect();
            assert_eq!(request.info_hashes().collect::<Vec<_>>(), counted_hashes);
        }
    }

    #[test]
    fn none_and_too_many_cannot_be_made() {
        let hashes = [[0; 20]; 75];
        for (count, possible) in [(0, false), (1, true), (74, true), (75, false)] {
            let request = ScrapeRequest::new(1.into(), 2.into(), &hashes[..count]);
            assert_eq!(request.is_some(), possible, "{count}");
        }
    }

    #[test]
    fn action_is_checked() {
        let mut packet = GOLDEN.to_vec();
        packet[11] = 1;
        let error = ScrapeRequest::decode(&packet).unwrap_err();
        assert_eq!(error.kind(), DecodeErrorKind::UnknownAction);
    }
}
