use core::net::{IpAddr, Ipv4Addr};

use opentracker_types::TrackerId;

use crate::packet::records_that_fit;
use crate::writer::record_writer;
use crate::{LiveRecord, PushError};

/// Announces of IPv4 peers, type 0 (docs/livesync.md, SYNC_LIVE).
///
/// The header, then records of 28 octets:
///
/// | offset | octets | field |
/// |---|---|---|
/// | 0x0008 | 20 | info hash |
/// | 0x001c | 4 | the peer's IPv4 address |
/// | 0x0020 | 2 | the peer's port |
/// | 0x0022 | 1 | flags: SEEDING 0x80, COMPLETED 0x40, STOPPED 0x20 |
/// | 0x0023 | 1 | age: 0 in live records, in told ones a [`PeerAge`](crate::PeerAge) |
///
/// There may be no record at all: an idle C node of 2010 sends such a packet now and then.
#[derive(Debug, Clone, Copy)]
pub struct SyncLive<'a> {
    sender: TrackerId,
    records: &'a [[u8; SyncLive::RECORD_LEN]],
}

impl<'a> SyncLive<'a> {
    /// The packet type in the header.
    pub const TYPE: u32 = 0;
    /// Octets of a record.
    pub const RECORD_LEN: usize = 28;
    /// Records of a full packet without a seal.
    pub const MAX_RECORDS: usize = records_that_fit(Self::RECORD_LEN);

    /// Returns the id of the tracker that sent the packet.
    pub const fn sender(&self) -> TrackerId {
        self.sender
    }

    /// Decodes the whole records one after the other.
    pub fn records(&self) -> impl ExactSizeIterator<Item = LiveRecord> + Clone + use<'a> {
        self.records
            .iter()
            .map(|octets| LiveRecord::read::<4, Ipv4Addr>(octets))
    }

    pub(crate) const fn decode_body(sender: TrackerId, body: &'a [u8]) -> Self {
        let (records, _part_of_a_record) = body.as_chunks();
        Self { sender, records }
    }
}

impl PartialEq for SyncLive<'_> {
    /// Compares what the packets say: unknown flag bits say nothing.
    fn eq(&self, other: &Self) -> bool {
        self.sender == other.sender && self.records().eq(other.records())
    }
}

impl Eq for SyncLive<'_> {}

record_writer! {
    /// Fills a [`SyncLive`] packet.
    SyncLiveWriter fills SyncLive
}

impl SyncLiveWriter {
    /// Appends a record.
    ///
    /// # Errors
    ///
    /// Fails, and leaves the packet as it is, when it is full or the peer has an IPv6 address.
    #[inline]
    pub fn push(&mut self, record: &LiveRecord) -> Result<(), PushError> {
        let IpAddr::V4(ip) = record.peer.ip() else {
            return Err(PushError::NotIpv4);
        };
        let octets: [u8; SyncLive::RECORD_LEN] = record.write(&ip.octets());
        self.append(&octets)
    }
}
