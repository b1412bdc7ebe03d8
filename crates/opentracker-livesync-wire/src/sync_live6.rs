use core::net::{IpAddr, Ipv6Addr};

use opentracker_types::TrackerId;

use crate::packet::records_that_fit;
use crate::writer::record_writer;
use crate::{Beacon, DecodeError, DecodeErrorKind, HEADER_LEN, LiveRecord, PushError};

/// Announces of IPv6 peers, type 1 (docs/livesync.md, SYNC_LIVE6).
///
/// The header, then one or more records of 40 octets:
///
/// | offset | octets | field |
/// |---|---|---|
/// | 0x0008 | 20 | info hash |
/// | 0x001c | 16 | the peer's IPv6 address, or `::ffff:a.b.c.d` for an IPv4 peer |
/// | 0x002c | 2 | the peer's port |
/// | 0x002e | 1 | flags: SEEDING 0x80, COMPLETED 0x40, STOPPED 0x20 |
/// | 0x002f | 1 | age: 0 in live records, in told ones a [`PeerAge`](crate::PeerAge) |
///
/// The type is also that of [`Beacon`]. A beacon has exactly 16 octets and this packet at least
/// 48, so the length tells which it is.
#[derive(Debug, Clone, Copy)]
pub struct SyncLive6<'a> {
    sender: TrackerId,
    records: &'a [[u8; SyncLive6::RECORD_LEN]],
}

impl<'a> SyncLive6<'a> {
    /// The packet type in the header.
    pub const TYPE: u32 = 1;
    /// Octets of a record.
    pub const RECORD_LEN: usize = 40;
    /// Records of a full packet without a seal.
    pub const MAX_RECORDS: usize = records_that_fit(Self::RECORD_LEN);

    /// Returns the id of the tracker that sent the packet.
    pub const fn sender(&self) -> TrackerId {
        self.sender
    }

    /// Decodes the whole records one after the other; there is at least one.
    pub fn records(&self) -> impl ExactSizeIterator<Item = LiveRecord> + Clone + use<'a> {
        self.records
            .iter()
            .map(|octets| LiveRecord::read::<16, Ipv6Addr>(octets))
    }

    pub(crate) fn decode_body(sender: TrackerId, body: &'a [u8]) -> Result<Self, DecodeError> {
        let (records, _part_of_a_record) = body.as_chunks();
        if records.is_empty() {
            let octets = HEADER_LEN + body.len();
            return Err(DecodeError::new(
                DecodeErrorKind::Length,
                octets.min(Beacon::WIRE_LEN),
            ));
        }
        Ok(Self { sender, records })
    }
}

impl PartialEq for SyncLive6<'_> {
    /// Compares what the packets say: unknown flag bits say nothing.
    fn eq(&self, other: &Self) -> bool {
        self.sender == other.sender && self.records().eq(other.records())
    }
}

impl Eq for SyncLive6<'_> {}

record_writer! {
    /// Fills a [`SyncLive6`] packet, which is one to send once there is a record in it.
    SyncLive6Writer fills SyncLive6
}

impl SyncLive6Writer {
    /// Appends a record; an IPv4 peer goes in as `::ffff:a.b.c.d`.
    ///
    /// # Errors
    ///
    /// Fails, and leaves the packet as it is, when it is full.
    #[inline]
    pub fn push(&mut self, record: &LiveRecord) -> Result<(), PushError> {
        let ip = match record.peer.ip() {
            IpAddr::V4(ip) => ip.to_ipv6_mapped(),
            IpAddr::V6(ip) => ip,
        };
        let octets: [u8; SyncLive6::RECORD_LEN] = record.write(&ip.octets());
        self.append(&octets)
    }
}
