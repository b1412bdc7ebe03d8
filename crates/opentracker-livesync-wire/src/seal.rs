use opentracker_types::TrackerId;

use crate::octets::take;
use crate::{HEADER_LEN, Key, PacketBuf, PushError};

/// Octets of a seal (docs/livesync.md, Seal).
///
/// | octets | field |
/// |---|---|
/// | 4 | time: unix seconds of the sender |
/// | 4 | sequence number |
/// | 16 | HMAC-SHA-256 over everything before it, cut to its first 128 bits |
pub const SEAL_LEN: usize = 24;

/// The most octets that a sealed packet has on the wire, its seal among them: it passes IPv6's least
/// MTU of 1280 octets with the headers of IPv6 and UDP.
pub const MAX_SEALED_PACKET: usize = 1280 - 40 - 8;

/// The most octets of a packet that a seal can follow.
pub const MAX_SEALABLE_PACKET: usize = MAX_SEALED_PACKET - SEAL_LEN;

// Readers that know no seal take it for a part of a record.
const _: () = assert!(SEAL_LEN < crate::SyncLive::RECORD_LEN);
const _: () = assert!(SEAL_LEN < crate::SyncLive6::RECORD_LEN);
const _: () = assert!(SEAL_LEN < crate::ScrapeTell::RECORD_LEN);

/// What a seal says beside its tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Stamp {
    /// When the packet was sealed, in unix seconds of the sender, modulo 2³².
    pub time: u32,
    /// One more with each packet of a sender, modulo 2³².
    pub number: u32,
}

/// A datagram that may be a packet and its seal: which it is shows [`fits`](Self::fits).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealedPacket<'a> {
    /// The packet and the stamp, which the tag is over.
    tagged: &'a [u8],
    packet: &'a [u8],
    sender: TrackerId,
    stamp: Stamp,
    tag: [u8; 16],
}

impl<'a> SealedPacket<'a> {
    /// Takes the last octets of a datagram for a seal; `None` if what is left is shorter than a
    /// header.
    pub fn split(datagram: &'a [u8]) -> Option<Self> {
        let (tagged, tag) = datagram.split_last_chunk()?;
        let (packet, stamp) = tagged.split_last_chunk::<8>()?;
        let (header, _) = packet.split_first_chunk::<HEADER_LEN>()?;
        let mut stamp = stamp.as_slice();
        let mut header = header.as_slice();
        Some(Self {
            tagged,
            packet,
            sender: TrackerId::new(take(&mut header)),
            stamp: Stamp {
                time: u32::from_be_bytes(take(&mut stamp)),
                number: u32::from_be_bytes(take(&mut stamp)),
            },
            tag: *tag,
        })
    }

    /// Tells whether a holder of the key has sealed it.
    pub fn fits(&self, key: &Key) -> bool {
        key.verify(self.tagged, &self.tag)
    }

    /// Returns the packet without its seal, for [`Packet::decode`](crate::Packet::decode).
    pub const fn packet(&self) -> &'a [u8] {
        self.packet
    }

    /// Returns whose packet it says to be.
    pub const fn sender(&self) -> TrackerId {
        self.sender
    }

    /// Returns the time and the number of its seal.
    pub const fn stamp(&self) -> Stamp {
        self.stamp
    }
}

impl PacketBuf {
    /// Ends the packet in a seal, after which nothing may change in it.
    ///
    /// # Errors
    ///
    /// [`PushError::Full`], and the packet stays as it is, where it has more than
    /// [`MAX_SEALABLE_PACKET`] octets.
    pub fn seal(&mut self, stamp: Stamp, key: &Key) -> Result<(), PushError> {
        if self.len() > MAX_SEALABLE_PACKET {
            return Err(PushError::Full);
        }
        self.push(&stamp.time.to_be_bytes(), MAX_SEALED_PACKET)?;
        self.push(&stamp.number.to_be_bytes(), MAX_SEALED_PACKET)?;
        let tag = key.tag(self.as_bytes());
        self.push(&tag, MAX_SEALED_PACKET)
    }
}
