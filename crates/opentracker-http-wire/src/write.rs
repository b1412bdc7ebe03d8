//! The pieces of bencode that replies are written with.

use alloc::vec::Vec;

/// Appends a number in decimal.
#[inline]
pub(crate) fn put_decimal(out: &mut Vec<u8>, number: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Appends a key, which stands there bencoded already, and an integer.
#[inline]
pub(crate) fn put_integer(out: &mut Vec<u8>, bencoded_key: &[u8], number: impl itoa::Integer) {
    out.extend_from_slice(bencoded_key);
    out.push(b'i');
    put_decimal(out, number);
    out.push(b'e');
}

/// Appends a key, which stands there bencoded already, and a string.
#[inline]
pub(crate) fn put_string(out: &mut Vec<u8>, bencoded_key: &[u8], octets: &[u8]) {
    out.extend_from_slice(bencoded_key);
    put_decimal(out, octets.len());
    out.push(b':');
    out.extend_from_slice(octets);
}
