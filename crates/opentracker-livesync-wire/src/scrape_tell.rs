use opentracker_types::{InfoHash, TrackerId};

use crate::octets::{put, take};
use crate::packet::records_that_fit;
use crate::writer::record_writer;
use crate::{DecodeError, DecodeErrorKind, HEADER_LEN, PushError};

/// A part of a tracker's answer to an inquiry, type 3 (docs/livesync.md, SCRAPE_TELL).
///
/// The header, then one or more records of 32 octets:
///
/// | offset | octets | field |
/// |---|---|---|
/// | 0x0008 | 20 | info hash |
/// | 0x001c | 4 | base offset: minutes since the torrent was last announced |
/// | 0x0020 | 8 | download count |
#[derive(Debug, Clone, Copy)]
pub struct ScrapeTell<'a> {
    sender: TrackerId,
    records: &'a [[u8; ScrapeTell::RECORD_LEN]],
}

impl<'a> ScrapeTell<'a> {
    /// The packet type in the header.
    pub const TYPE: u32 = 3;
    /// Octets of a record.
    pub const RECORD_LEN: usize = 32;
    /// Records of a full packet without a seal.
    pub const MAX_RECORDS: usize = records_that_fit(Self::RECORD_LEN);

    /// Returns the id of the tracker that sent the packet.
    pub const fn sender(&self) -> TrackerId {
        self.sender
    }

    /// Decodes the whole records one after the other; there is at least one.
    pub fn records(&self) -> impl ExactSizeIterator<Item = TellRecord> + Clone + use<'a> {
        self.records.iter().map(TellRecord::read)
    }

    pub(crate) const fn decode_body(
        sender: TrackerId,
        body: &'a [u8],
    ) -> Result<Self, DecodeError> {
        let (records, _part_of_a_record) = body.as_chunks();
        if records.is_empty() {
            return Err(DecodeError::new(DecodeErrorKind::NoRecord, HEADER_LEN));
        }
        Ok(Self { sender, records })
    }
}

impl PartialEq for ScrapeTell<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.sender == other.sender && self.records == other.records
    }
}

impl Eq for ScrapeTell<'_> {}

/// What a tracker tells of one torrent (docs/livesync.md, SCRAPE_TELL).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct TellRecord {
    /// The torrent.
    pub info_hash: InfoHash,
    /// Minutes since it was last announced.
    pub age_minutes: u32,
    /// How often its download was reported as completed. Any number may arrive: which ones can
    /// be true is the receiver's business.
    pub downloads: u64,
}

impl TellRecord {
    /// Makes a record.
    #[inline]
    pub const fn new(info_hash: InfoHash, age_minutes: u32, downloads: u64) -> Self {
        Self {
            info_hash,
            age_minutes,
            downloads,
        }
    }

    #[inline]
    fn read(octets: &[u8; ScrapeTell::RECORD_LEN]) -> Self {
        let rest = &mut octets.as_slice();
        Self {
            info_hash: InfoHash::new(take(rest)),
            age_minutes: u32::from_be_bytes(take(rest)),
            downloads: u64::from_be_bytes(take(rest)),
        }
    }

    #[inline]
    fn write(&self) -> [u8; ScrapeTell::RECORD_LEN] {
        let mut octets = [0; ScrapeTell::RECORD_LEN];
        let rest = &mut octets.as_mut_slice();
        put(rest, self.info_hash.as_bytes());
        put(rest, &self.age_minutes.to_be_bytes());
        put(rest, &self.downloads.to_be_bytes());
        octets
    }
}

record_writer! {
    /// Fills a [`ScrapeTell`] packet, which is one to send once there is a record in it.
    ScrapeTellWriter fills ScrapeTell
}

impl ScrapeTellWriter {
    /// Appends a record.
    ///
    /// # Errors
    ///
    /// Fails, and leaves the packet as it is, when it is full.
    #[inline]
    pub fn push(&mut self, record: &TellRecord) -> Result<(), PushError> {
        self.append(&record.write())
    }
}
