use opentracker_types::SwarmCounts;

use crate::wire::{ACTION_SCRAPE, ReplyHead, Writer};
use crate::{DecodeError, EncodeError, TransactionId};

/// Answers a scrape (BEP 15 `scrape`), one entry per info hash that was asked for, in that order.
///
/// | octets | field |
/// |---|---|
/// | 0 4 | action, 2 |
/// | 4 4 | transaction id |
/// | 8 12 n | entries, each: seeders 4, downloads 4, leechers 4 |
///
/// A tracker writes the packet with [`begin`](Self::begin).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScrapeReply<'a> {
    transaction: TransactionId,
    entries: &'a [[u8; ScrapeReply::ENTRY_LEN]],
}

impl<'a> ScrapeReply<'a> {
    /// Octets of the fixed part, without entries.
    pub const WIRE_LEN: usize = ReplyHead::WIRE_LEN;

    /// Octets of an entry.
    pub const ENTRY_LEN: usize = 12;

    /// Begins to write the packet into a buffer that sets its limit.
    ///
    /// # Errors
    ///
    /// Fails if the buffer is smaller than [`WIRE_LEN`](Self::WIRE_LEN).
    #[inline]
    pub fn begin(
        buffer: &mut [u8],
        transaction: TransactionId,
    ) -> Result<ScrapeReplyBuilder<'_>, EncodeError> {
        let available_octets = buffer.len();
        let Some((head, entries)) = buffer.split_first_chunk_mut::<{ ReplyHead::WIRE_LEN }>()
        else {
            return Err(EncodeError::BufferTooSmall {
                needed_octets: Self::WIRE_LEN,
                available_octets,
            });
        };
        let written = Writer::over(head)
            .put_u32(ACTION_SCRAPE)
            .put(transaction.as_bytes())
            .finish();
        let (vacant, _) = entries.as_chunks_mut();
        Ok(ScrapeReplyBuilder {
            vacant: vacant.iter_mut(),
            written,
        })
    }

    /// Returns what the request said.
    pub const fn transaction(&self) -> TransactionId {
        self.transaction
    }

    /// Goes through the entries in the order of the request's info hashes. There may be fewer
    /// than were asked for.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = SwarmCounts> + Clone + use<'a> {
        self.entries.iter().map(
            |&[s0, s1, s2, s3, d0, d1, d2, d3, l0, l1, l2, l3]| SwarmCounts {
                seeders: u32::from_be_bytes([s0, s1, s2, s3]),
                downloads: u32::from_be_bytes([d0, d1, d2, d3]).into(),
                leechers: u32::from_be_bytes([l0, l1, l2, l3]),
            },
        )
    }

    /// Decodes the packet; octets after the last whole entry are ignored.
    ///
    /// # Errors
    ///
    /// Fails on a packet shorter than [`WIRE_LEN`](Self::WIRE_LEN) and on another action.
    #[inline]
    pub fn decode(packet: &'a [u8]) -> Result<Self, DecodeError> {
        let (body, transaction) = ReplyHead::decode_action(packet, ACTION_SCRAPE)?;
        let (entries, _) = body.as_chunks();
        Ok(Self {
            transaction,
            entries,
        })
    }

    /// Writes the packet to the front of the buffer and returns its length in octets.
    ///
    /// # Errors
    ///
    /// Fails if the buffer is smaller than [`WIRE_LEN`](Self::WIRE_LEN) and
    /// [`ENTRY_LEN`](Self::ENTRY_LEN) an entry.
    #[inline]
    pub fn encode(&self, buffer: &mut [u8]) -> Result<usize, EncodeError> {
        let entries = self.entries.as_flattened();
        let needed_octets = Self::WIRE_LEN.saturating_add(entries.len());
        Ok(Writer::with_room(buffer, needed_octets)?
            .put_u32(ACTION_SCRAPE)
            .put(self.transaction.as_bytes())
            .put_slice(entries)
            .finish())
    }
}

/// Writes a scrape reply in place, entry by entry; see [`ScrapeReply::begin`].
#[derive(Debug)]
pub struct ScrapeReplyBuilder<'a> {
    vacant: core::slice::IterMut<'a, [u8; ScrapeReply::ENTRY_LEN]>,
    written: usize,
}

impl ScrapeReplyBuilder<'_> {
    /// Appends an entry. Returns `false`, and writes nothing, if the buffer has no room for it.
    #[inline]
    #[must_use = "a full reply must not be asked for more"]
    pub fn push(&mut self, counts: SwarmCounts) -> bool {
        let Some(entry) = self.vacant.next() else {
            return false;
        };
        self.written += Writer::over(entry)
            .put_u32(counts.seeders)
            // The field has 32 bits.
            .put_u32(u32::try_from(counts.downloads).unwrap_or(u32::MAX))
            .put_u32(counts.leechers)
            .finish();
        true
    }

    /// Returns the length of the packet in octets.
    #[inline]
    pub const fn finish(self) -> usize {
        self.written
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DecodeErrorKind;
    use crate::testing::{assert_encodes, assert_too_short_below};

    /// By hand from the table of BEP 15: (seeders, downloads, leechers) of (1, 2, 3) and of
    /// (0xffffffff, 0, 0x10000).
    const GOLDEN: &[u8] = b"\x00\x00\x00\x02\x0b\xad\xca\xfe\
        \x00\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00\x03\
        \xff\xff\xff\xff\x00\x00\x00\x00\x00\x01\x00\x00";

    const ENTRIES: [SwarmCounts; 2] = [
        SwarmCounts {
            seeders: 1,
            leechers: 3,
            downloads: 2,
        },
        SwarmCounts {
            seeders: u32::MAX,
            leechers: 65536,
            downloads: 0,
        },
    ];

    #[test]
    fn golden_both_ways() {
        let reply = ScrapeReply::decode(GOLDEN).unwrap();
        assert_eq!(reply.transaction(), 0x0bad_cafe.into());
        assert_eq!(reply.entries().collect::<Vec<_>>(), ENTRIES);
        assert_encodes(GOLDEN, |buffer| reply.encode(buffer));
    }

    #[test]
    fn built_in_place() {
        let mut buffer = [0xa5; 40];
        let mut builder = ScrapeReply::begin(&mut buffer, 0x0bad_cafe.into()).unwrap();
        for counts in ENTRIES {
            assert!(builder.push(counts));
        }
        // 40 octets are the head, two entries, and not quite a third.
        assert!(!builder.push(ENTRIES[0]));
        let octets = builder.finish();
        assert_eq!(buffer[..octets], *GOLDEN);
        assert_eq!(buffer[octets..], [0xa5; 8]);

        assert_eq!(
            ScrapeReply::begin(&mut [0; 7], 0.into()).unwrap_err(),
            EncodeError::BufferTooSmall {
                needed_octets: 8,
                available_octets: 7
            }
        );
        let empty = ScrapeReply::begin(&mut buffer[..8], 0.into()).unwrap();
        assert_eq!(empty.finish(), 8);
    }

    #[test]
    fn truncation() {
        assert_too_short_below(ScrapeReply::WIRE_LEN, GOLDEN, |packet| {
            ScrapeReply::decode(packet).err()
        });
        for len in 8..=GOLDEN.len() {
            let reply = ScrapeReply::decode(&GOLDEN[..len]).unwrap();
            assert_eq!(reply.entries().len(), (len - 8) / 12);
        }
    }

    #[test]
    fn action_is_checked() {
        let mut packet = GOLDEN.to_vec();
        packet[3] = 1;
        let error = ScrapeReply::decode(&packet).unwrap_err();
        assert_eq!(error.kind(), DecodeErrorKind::UnknownAction);
    }
}
