use nom::Parser;

use crate::wire::{ACTION_CONNECT, ReplyHead, Writer, octets, too_short};
use crate::{ConnectionId, DecodeError, EncodeError, TransactionId};

/// Hands out a connection id (BEP 15 `connect`).
///
/// | octets | field |
/// |---|---|
/// | 0 4 | action, 0 |
/// | 4 4 | transaction id |
/// | 8 8 | connection id |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectReply {
    /// What the request said.
    pub transaction: TransactionId,
    /// What the client repeats in its announces and scrapes.
    pub connection: ConnectionId,
}

impl ConnectReply {
    /// Octets of the packet.
    pub const WIRE_LEN: usize = ReplyHead::WIRE_LEN + ConnectionId::LEN;

    /// Decodes the packet; octets after it are ignored.
    ///
    /// # Errors
    ///
    /// Fails on a packet shorter than [`WIRE_LEN`](Self::WIRE_LEN) and on another action.
    #[inline]
    pub fn decode(packet: &[u8]) -> Result<Self, DecodeError> {
        let (body, transaction) = ReplyHead::decode_action(packet, ACTION_CONNECT)?;
        let (_, connection) = octets
            .map(ConnectionId::new)
            .parse(body)
            .map_err(|_| too_short(packet).with(transaction))?;
        Ok(Self {
            transaction,
            connection,
        })
    }

    /// Writes the packet to the front of the buffer and returns its length in octets.
    ///
    /// # Errors
    ///
    /// Fails if the buffer is smaller than [`WIRE_LEN`](Self::WIRE_LEN).
    #[inline]
    pub fn encode(&self, buffer: &mut [u8]) -> Result<usize, EncodeError> {
        Ok(Writer::with_room(buffer, Self::WIRE_LEN)?
            .put_u32(ACTION_CONNECT)
            .put(self.transaction.as_bytes())
            .put(self.connection.as_bytes())
            .finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DecodeErrorKind;
    use crate::testing::{assert_encodes, assert_too_short_below};

    /// By hand from the table of BEP 15: action 0, transaction 0x0badcafe, connection id.
    const GOLDEN: [u8; 16] = [
        0x00, 0x00, 0x00, 0x00, //
        0x0b, 0xad, 0xca, 0xfe, //
        0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
    ];

    #[test]
    fn golden_both_ways() {
        let reply = ConnectReply {
            transaction: 0x0bad_cafe.into(),
            connection: 0x0123_4567_89ab_cdef.into(),
        };
        assert_eq!(ConnectReply::decode(&GOLDEN), Ok(reply));
        assert_encodes(&GOLDEN, |buffer| reply.encode(buffer));
    }

    #[test]
    fn truncation() {
        assert_too_short_below(ConnectReply::WIRE_LEN, &GOLDEN, |packet| {
            ConnectReply::decode(packet).err()
        });
    }

    #[test]
    fn action_is_checked() {
        let mut packet = GOLDEN;
        packet[3] = 1;
        let error = ConnectReply::decode(&packet).unwrap_err();
        assert_eq!(error.kind(), DecodeErrorKind::UnknownAction);
        assert_eq!(error.offset(), 0);
    }
}
