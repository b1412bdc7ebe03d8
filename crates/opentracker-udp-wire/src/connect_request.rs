use crate::wire::{ACTION_CONNECT, RequestHead, Writer};
use crate::{DecodeError, DecodeErrorKind, EncodeError, TransactionId};

/// Asks for a connection id (BEP 15 `connect`).
///
/// | octets | field |
/// |---|---|
/// | 0 8 | magic number, 0x0000041727101980 |
/// | 8 4 | action, 0 |
/// | 12 4 | transaction id |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectRequest {
    /// What the reply will repeat.
    pub transaction: TransactionId,
}

impl ConnectRequest {
    /// Octets of the packet.
    pub const WIRE_LEN: usize = RequestHead::WIRE_LEN;

    /// The magic number where other requests have their connection id.
    pub const MAGIC: u64 = 0x0417_2710_1980;

    /// Decodes the packet; octets after it are ignored.
    ///
    /// # Errors
    ///
    /// Fails on a packet shorter than [`WIRE_LEN`](Self::WIRE_LEN), on another action, and on
    /// another magic number.
    #[inline]
    pub fn decode(packet: &[u8]) -> Result<Self, DecodeError> {
        let (_, head) = RequestHead::decode_action(packet, ACTION_CONNECT)?;
        if u64::from(head.connection) != Self::MAGIC {
            return Err(DecodeError::new(DecodeErrorKind::BadMagic, 0).with(head.transaction));
        }
        Ok(Self {
            transaction: head.transaction,
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
            .put_u64(Self::MAGIC)
            .put_u32(ACTION_CONNECT)
            .put(self.transaction.as_bytes())
            .finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_encodes, assert_too_short_below};

    /// By hand from the table of BEP 15: magic, action 0, transaction 0x0badcafe.
    const GOLDEN: [u8; 16] = [
        0x00, 0x00, 0x04, 0x17, 0x27, 0x10, 0x19, 0x80, //
        0x00, 0x00, 0x00, 0x00, //
        0x0b, 0xad, 0xca, 0xfe,
    ];

    #[test]
    fn golden_both_ways() {
        let request = ConnectRequest {
            transaction: 0x0bad_cafe.into(),
        };
        assert_eq!(ConnectRequest::decode(&GOLDEN), Ok(request));
        assert_encodes(&GOLDEN, |buffer| request.encode(buffer));
    }

    #[test]
    fn truncation() {
        assert_too_short_below(ConnectRequest::WIRE_LEN, &GOLDEN, |packet| {
            ConnectRequest::decode(packet).err()
        });
    }

    #[test]
    fn longer_packets_are_taken() {
        let mut packet = GOLDEN.to_vec();
        packet.extend_from_slice(b"an extension");
        assert_eq!(
            ConnectRequest::decode(&packet),
            ConnectRequest::decode(&GOLDEN)
        );
    }

    #[test]
    fn magic_and_action_are_checked() {
        for octet in 0..8 {
            let mut packet = GOLDEN;
            packet[octet] ^= 1;
            let error = ConnectRequest::decode(&packet).unwrap_err();
            assert_eq!(error.kind(), DecodeErrorKind::BadMagic);
            assert_eq!(error.offset(), 0);
            assert_eq!(error.transaction(), Some(0x0bad_cafe.into()));
        }
        for octet in 8..12 {
            let mut packet = GOLDEN;
            packet[octet] ^= 1;
            let error = ConnectRequest::decode(&packet).unwrap_err();
            assert_eq!(error.kind(), DecodeErrorKind::UnknownAction);
            assert_eq!(error.offset(), 8);
            assert_eq!(error.transaction(), Some(0x0bad_cafe.into()));
        }
    }
}
