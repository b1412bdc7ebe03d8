use nom::Parser;
use nom::combinator::all_consuming;
use nom::number::complete::be_u64;
use opentracker_types::TrackerId;

use crate::octets::put;

/// A tracker says how many torrents it serves, type 1 (docs/livesync.md, BEACON).
///
/// Exactly 16 octets, the header among them:
///
/// | offset | octets | field |
/// |---|---|---|
/// | 0x0008 | 8 | number of torrents |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Beacon {
    /// The tracker that sends it.
    pub sender: TrackerId,
    /// How many torrents it serves.
    pub torrents: u64,
}

impl Beacon {
    /// The packet type in the header.
    pub const TYPE: u32 = 1;
    /// Octets of the packet.
    pub const WIRE_LEN: usize = 16;

    /// Returns the packet.
    pub fn encode(&self) -> [u8; Self::WIRE_LEN] {
        let mut octets = [0; Self::WIRE_LEN];
        let rest = &mut octets.as_mut_slice();
        put(rest, self.sender.as_bytes());
        put(rest, &Self::TYPE.to_be_bytes());
        put(rest, &self.torrents.to_be_bytes());
        octets
    }

    /// Decodes what follows the header, or returns `None` where the length is another.
    pub(crate) fn decode_body(sender: TrackerId, body: &[u8]) -> Option<Self> {
        let number: nom::IResult<&[u8], u64> = all_consuming(be_u64).parse(body);
        let (_, torrents) = number.ok()?;
        Some(Self { sender, torrents })
    }
}
