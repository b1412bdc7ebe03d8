use nom::Parser;
use nom::combinator::map;
use nom::number::complete::be_u32;
use opentracker_types::TrackerId;

use crate::octets::octets;
use crate::{Beacon, DecodeError, DecodeErrorKind, Inquire, ScrapeTell, SyncLive, SyncLive6};

/// Octets of the header that every packet begins with (docs/livesync.md, Header).
///
/// | offset | octets | field |
/// |---|---|---|
/// | 0x0000 | 4 | id of the tracker instance that sent it |
/// | 0x0004 | 4 | packet type |
pub const HEADER_LEN: usize = 8;

/// The most octets that a packet without a seal has on the wire, without UDP and IP headers.
///
/// An Ethernet frame carries 1500 octets; 20 of them are the IPv4 header, which leaves a
/// datagram of 1480 octets, and 8 of these are the UDP header (docs/livesync.md, Size). The
/// writers fill their packets up to this number unless `with_max_octets` gives them a smaller
/// one, so that something may follow the records.
pub const MAX_PACKET: usize = MAX_FRAME - IPV4_HEADER_LEN - UDP_HEADER_LEN;

/// Where the header has the packet type.
const TYPE_OFFSET: usize = 4;

const MAX_FRAME: usize = 1500;
const IPV4_HEADER_LEN: usize = 20;
const UDP_HEADER_LEN: usize = 8;

// These are the protocol's: a C node sends, and expects, just so many.
const _: () = assert!(SyncLive::MAX_RECORDS == 52);
const _: () = assert!(SyncLive6::MAX_RECORDS == 36);
const _: () = assert!(ScrapeTell::MAX_RECORDS == 45);

/// Returns how many records of `record_len` octets fit a packet without a seal.
pub(crate) const fn records_that_fit(record_len: usize) -> usize {
    (MAX_PACKET - HEADER_LEN) / record_len
}

/// A packet of live sync, borrowed from the datagram that it came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packet<'a> {
    /// Announces of IPv4 peers: type 0.
    SyncLive(SyncLive<'a>),
    /// Announces of IPv6 peers: type 1, told from a beacon by its length.
    SyncLive6(SyncLive6<'a>),
    /// A tracker says how many torrents it serves: type 1.
    Beacon(Beacon),
    /// A tracker asks another for all its torrents: type 2.
    Inquire(Inquire),
    /// A part of an answer to an inquiry: type 3.
    ScrapeTell(ScrapeTell<'a>),
}

impl<'a> Packet<'a> {
    /// Decodes the payload of a datagram.
    ///
    /// A trailing part of a record is ignored; the whole records before it count.
    ///
    /// # Errors
    ///
    /// Fails when the datagram is shorter than the header, names an unknown type, or has a length
    /// or a number of records that its type cannot have. What came from the network may be
    /// anything: count the error, do not shout about it.
    pub fn decode(datagram: &'a [u8]) -> Result<Self, DecodeError> {
        let Ok((body, (sender, packet_type))) = header(datagram) else {
            return Err(DecodeError::new(DecodeErrorKind::Header, datagram.len()));
        };
        match packet_type {
            SyncLive::TYPE => Ok(Self::SyncLive(SyncLive::decode_body(sender, body))),
            // BEACON and SYNC_LIVE6 share this type, and no length is both.
            Beacon::TYPE => match Beacon::decode_body(sender, body) {
                Some(beacon) => Ok(Self::Beacon(beacon)),
                None => SyncLive6::decode_body(sender, body).map(Self::SyncLive6),
            },
            Inquire::TYPE => Inquire::decode_body(sender, body).map(Self::Inquire),
            ScrapeTell::TYPE => ScrapeTell::decode_body(sender, body).map(Self::ScrapeTell),
            _ => Err(DecodeError::new(DecodeErrorKind::UnknownType, TYPE_OFFSET)),
        }
    }

    /// Returns the id of the tracker that sent the packet.
    pub const fn sender(&self) -> TrackerId {
        match self {
            Self::SyncLive(live) => live.sender(),
            Self::SyncLive6(live) => live.sender(),
            Self::Beacon(beacon) => beacon.sender,
            Self::Inquire(inquire) => inquire.sender,
            Self::ScrapeTell(tell) => tell.sender(),
        }
    }
}

fn header(datagram: &[u8]) -> nom::IResult<&[u8], (TrackerId, u32)> {
    (map(octets, TrackerId::new), be_u32).parse(datagram)
}
