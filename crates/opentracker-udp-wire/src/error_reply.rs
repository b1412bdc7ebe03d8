use crate::wire::{ACTION_ERROR, ReplyHead, Writer};
use crate::{DecodeError, EncodeError, TransactionId};

/// Refuses a request (BEP 15 `error`).
///
/// | octets | field |
/// |---|---|
/// | 0 4 | action, 3 |
/// | 4 4 | transaction id |
/// | 8 | message, up to the end of the packet |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErrorReply<'a> {
    /// What the request said.
    pub transaction: TransactionId,
    /// For a person to read; ASCII by custom, any octets by rule.
    pub message: &'a [u8],
}

impl<'a> ErrorReply<'a> {
    /// Octets of the fixed part, without the message.
    pub const WIRE_LEN: usize = ReplyHead::WIRE_LEN;

    /// Decodes the packet; everything after its fixed part is the message.
    ///
    /// # Errors
    ///
    /// Fails on a packet shorter than [`WIRE_LEN`](Self::WIRE_LEN) and on another action.
    #[inline]
    pub fn decode(packet: &'a [u8]) -> Result<Self, DecodeError> {
        let (message, transaction) = ReplyHead::decode_action(packet, ACTION_ERROR)?;
        Ok(Self {
            transaction,
            message,
        })
    }

    /// Writes the packet to the front of the buffer and returns its length in octets.
    ///
    /// The buffer is the limit: a message that does not fit is cut, which may be in the middle of
    /// a character. Whoever must not answer with more than was asked passes a buffer as long as
    /// the request.
    ///
    /// # Errors
    ///
    /// Fails if the buffer is smaller than [`WIRE_LEN`](Self::WIRE_LEN).
    #[inline]
    pub fn encode(&self, buffer: &mut [u8]) -> Result<usize, EncodeError> {
        let room_octets = buffer.len().saturating_sub(Self::WIRE_LEN);
        let message = self.message.get(..room_octets).unwrap_or(self.message);
        Ok(Writer::with_room(buffer, Self::WIRE_LEN + message.len())?
            .put_u32(ACTION_ERROR)
            .put(self.transaction.as_bytes())
            .put_slice(message)
            .finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DecodeErrorKind;
    use crate::testing::assert_too_short_below;

    /// By hand from the table of BEP 15.
    const GOLDEN: &[u8] = b"\x00\x00\x00\x03\x0b\xad\xca\xfenot here";

    const REPLY: ErrorReply<'_> = ErrorReply {
        transaction: TransactionId::new([0x0b, 0xad, 0xca, 0xfe]),
        message: b"not here",
    };

    #[test]
    fn golden_both_ways() {
        assert_eq!(ErrorReply::decode(GOLDEN), Ok(REPLY));
        let mut buffer = [0xa5; 20];
        assert_eq!(REPLY.encode(&mut buffer), Ok(16));
        assert_eq!(buffer[..16], *GOLDEN);
        assert_eq!(buffer[16..], [0xa5; 4]);
    }

    #[test]
    fn the_message_is_cut_to_fit() {
        for len in 8..=16 {
            let mut buffer = [0xa5; 16];
            assert_eq!(REPLY.encode(&mut buffer[..len]), Ok(len));
            assert_eq!(buffer[..len], GOLDEN[..len]);
            assert!(buffer[len..].iter().all(|&octet| octet == 0xa5));
        }
        for len in 0..8 {
            assert_eq!(
                REPLY.encode(&mut [0; 8][..len]),
                Err(EncodeError::BufferTooSmall {
                    needed_octets: 8,
                    available_octets: len
                })
            );
        }
    }

    #[test]
    fn truncation() {
        assert_too_short_below(ErrorReply::WIRE_LEN, GOLDEN, |packet| {
            ErrorReply::decode(packet).err()
        });
    }

    #[test]
    fn action_is_checked() {
        let mut packet = GOLDEN.to_vec();
        packet[3] = 0;
        let error = ErrorReply::decode(&packet).unwrap_err();
        assert_eq!(error.kind(), DecodeErrorKind::UnknownAction);
    }
}
