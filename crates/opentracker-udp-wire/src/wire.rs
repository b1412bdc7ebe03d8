//! What the packets share: actions, heads, fields of fixed width.

use nom::Parser;

use crate::{ConnectionId, DecodeError, DecodeErrorKind, EncodeError, TransactionId};

pub(crate) const ACTION_CONNECT: u32 = 0;
pub(crate) const ACTION_ANNOUNCE: u32 = 1;
pub(crate) const ACTION_SCRAPE: u32 = 2;
pub(crate) const ACTION_ERROR: u32 = 3;

/// What a field parser returns. All of them fail for one reason alone, that octets are missing,
/// so the error is empty and costs nothing to carry.
pub(crate) type Parsed<'a, T> = nom::IResult<&'a [u8], T, ()>;

/// Takes `N` octets.
///
/// nom's own integer parsers go octet by octet; this is one length check and one load.
#[inline]
pub(crate) fn octets<const N: usize>(input: &[u8]) -> Parsed<'_, [u8; N]> {
    match input.split_first_chunk() {
        Some((head, rest)) => Ok((rest, *head)),
        None => Err(nom::Err::Error(())),
    }
}

#[inline]
pub(crate) fn be_u16(input: &[u8]) -> Parsed<'_, u16> {
    octets.map(u16::from_be_bytes).parse(input)
}

#[inline]
pub(crate) fn be_u32(input: &[u8]) -> Parsed<'_, u32> {
    octets.map(u32::from_be_bytes).parse(input)
}

#[inline]
pub(crate) fn be_i32(input: &[u8]) -> Parsed<'_, i32> {
    octets.map(i32::from_be_bytes).parse(input)
}

#[inline]
pub(crate) fn be_u64(input: &[u8]) -> Parsed<'_, u64> {
    octets.map(u64::from_be_bytes).parse(input)
}

#[inline]
pub(crate) fn transaction(input: &[u8]) -> Parsed<'_, TransactionId> {
    octets.map(TransactionId::new).parse(input)
}

/// The first 16 octets of every request.
///
/// | octets | field |
/// |---|---|
/// | 0 8 | connection id; in a connect request the magic number |
/// | 8 4 | action |
/// | 12 4 | transaction id |
#[derive(Clone, Copy)]
pub(crate) struct RequestHead {
    pub(crate) connection: ConnectionId,
    pub(crate) action: u32,
    pub(crate) transaction: TransactionId,
}

impl RequestHead {
    pub(crate) const WIRE_LEN: usize = 16;
    pub(crate) const ACTION_OFFSET: usize = 8;

    #[inline]
    pub(crate) fn decode(packet: &[u8]) -> Result<(&[u8], Self), DecodeError> {
        (octets.map(ConnectionId::new), be_u32, transaction)
            .map(|(connection, action, transaction)| Self {
                connection,
                action,
                transaction,
            })
            .parse(packet)
            .map_err(|_| too_short(packet))
    }

    /// Decodes the head of a request that must have `action`.
    #[inline]
    pub(crate) fn decode_action(packet: &[u8], action: u32) -> Result<(&[u8], Self), DecodeError> {
        let (body, head) = Self::decode(packet)?;
        if head.action != action {
            return Err(
                DecodeError::new(DecodeErrorKind::UnknownAction, Self::ACTION_OFFSET)
                    .with(head.transaction),
            );
        }
        Ok((body, head))
    }
}

/// The first 8 octets of every reply.
///
/// | octets | field |
/// |---|---|
/// | 0 4 | action |
/// | 4 4 | transaction id |
#[derive(Clone, Copy)]
pub(crate) struct ReplyHead {
    pub(crate) action: u32,
    pub(crate) transaction: TransactionId,
}

impl ReplyHead {
    pub(crate) const WIRE_LEN: usize = 8;

    #[inline]
    pub(crate) fn decode(packet: &[u8]) -> Result<(&[u8], Self), DecodeError> {
        (be_u32, transaction)
            .map(|(action, transaction)| Self {
                action,
                transaction,
            })
            .parse(packet)
            .map_err(|_| too_short(packet))
    }

    /// Decodes the head of a reply that must have `action`.
    #[inline]
    pub(crate) fn decode_action(
        packet: &[u8],
        action: u32,
    ) -> Result<(&[u8], TransactionId), DecodeError> {
        let (body, head) = Self::decode(packet)?;
        if head.action != action {
            return Err(DecodeError::new(DecodeErrorKind::UnknownAction, 0).with(head.transaction));
        }
        Ok((body, head.transaction))
    }
}

/// The error of a packet that ends too early.
#[cold]
pub(crate) fn too_short(packet: &[u8]) -> DecodeError {
    DecodeError::new(DecodeErrorKind::TooShort, packet.len())
}

/// Writes fields one after the other. What does not fit is left out, and no encoder lets that
/// happen: each asks for its room first.
pub(crate) struct Writer<'a> {
    rest: &'a mut [u8],
    written: usize,
}

impl<'a> Writer<'a> {
    /// Starts at the front of a buffer that must have room for `needed_octets`.
    #[inline]
    pub(crate) fn with_room(
        buffer: &'a mut [u8],
        needed_octets: usize,
    ) -> Result<Self, EncodeError> {
        let available_octets = buffer.len();
        match buffer.get_mut(..needed_octets) {
            Some(rest) => Ok(Self { rest, written: 0 }),
            None => Err(EncodeError::BufferTooSmall {
                needed_octets,
                available_octets,
            }),
        }
    }

    /// Starts at the front of an area of fixed length.
    #[inline]
    pub(crate) fn over<const N: usize>(area: &'a mut [u8; N]) -> Self {
        Self {
            rest: area,
            written: 0,
        }
    }

    #[inline]
    pub(crate) fn put<const N: usize>(self, octets: &[u8; N]) -> Self {
        match self.rest.split_first_chunk_mut() {
            Some((head, rest)) => {
                *head = *octets;
                Self {
                    rest,
                    written: self.written + N,
                }
            }
            None => {
                debug_assert!(false, "an encoder asked for too little room");
                Self {
                    rest: &mut [],
                    written: self.written,
                }
            }
        }
    }

    #[inline]
    pub(crate) fn put_u32(self, number: u32) -> Self {
        self.put(&number.to_be_bytes())
    }

    #[inline]
    pub(crate) fn put_u64(self, number: u64) -> Self {
        self.put(&number.to_be_bytes())
    }

    #[inline]
    pub(crate) fn put_slice(self, octets: &[u8]) -> Self {
        match self.rest.split_at_mut_checked(octets.len()) {
            Some((head, rest)) => {
                head.copy_from_slice(octets);
                Self {
                    rest,
                    written: self.written + octets.len(),
                }
            }
            None => {
                debug_assert!(false, "an encoder asked for too little room");
                Self {
                    rest: &mut [],
                    written: self.written,
                }
            }
        }
    }

    /// Returns how many octets were written.
    #[inline]
    pub(crate) fn finish(self) -> usize {
        self.written
    }
}
