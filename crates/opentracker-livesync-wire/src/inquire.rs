use nom::Parser;
use nom::combinator::{all_consuming, map};
use opentracker_types::TrackerId;

use crate::octets::{octets, put};
use crate::{DecodeError, DecodeErrorKind, HEADER_LEN};

/// A tracker asks another for all its torrents, type 2 (docs/livesync.md, INQUIRE).
///
/// Exactly 12 octets, the header among them:
///
/// | offset | octets | field |
/// |---|---|---|
/// | 0x0008 | 4 | id of the tracker that is asked |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Inquire {
    /// The tracker that asks.
    pub sender: TrackerId,
    /// The tracker that is asked.
    pub target: TrackerId,
}

impl Inquire {
    /// The packet type in the header.
    pub const TYPE: u32 = 2;
    /// Octets of the packet.
    pub const WIRE_LEN: usize = 12;

    /// Returns the packet.
    pub fn encode(&self) -> [u8; Self::WIRE_LEN] {
        let mut octets = [0; Self::WIRE_LEN];
        let rest = &mut octets.as_mut_slice();
        put(rest, self.sender.as_bytes());
        put(rest, &Self::TYPE.to_be_bytes());
        put(rest, self.target.as_bytes());
        octets
    }

    pub(crate) fn decode_body(sender: TrackerId, body: &[u8]) -> Result<Self, DecodeError> {
        let mut target = all_consuming(map(octets, TrackerId::new));
        match target.parse(body) {
            Ok((_, target)) => Ok(Self { sender, target }),
            Err(_) => {
                let octets = HEADER_LEN + body.len();
                Err(DecodeError::new(
                    DecodeErrorKind::Length,
                    octets.min(Self::WIRE_LEN),
                ))
            }
        }
    }
}
