//! Cutting fixed runs of octets out of, and putting them into, fixed records.

use nom::error::{Error, ErrorKind};
use nom::{Err, IResult};

/// Parses the next `N` octets as an array.
pub(crate) fn octets<const N: usize>(input: &[u8]) -> IResult<&[u8], [u8; N]> {
    match input.split_first_chunk() {
        Some((head, rest)) => Ok((rest, *head)),
        None => Err(Err::Error(Error::new(input, ErrorKind::Eof))),
    }
}

/// Takes the first `N` octets off `rest`, which must have so many.
///
/// For the decoders of fixed records: there the length is a constant, and the check with its
/// message goes away when this is inlined.
#[inline]
pub(crate) fn take<const N: usize>(rest: &mut &[u8]) -> [u8; N] {
    let (head, tail) = rest
        .split_first_chunk()
        .expect("a record is as long as its fields together");
    *rest = tail;
    *head
}

/// Puts `field` at the front of `rest`, which must have room for it, and moves on behind it.
#[inline]
pub(crate) fn put<const N: usize>(rest: &mut &mut [u8], field: &[u8; N]) {
    let (head, tail) = core::mem::take(rest)
        .split_first_chunk_mut()
        .expect("a record is as long as its fields together");
    *head = *field;
    *rest = tail;
}
