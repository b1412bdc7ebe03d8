//! What the unit tests of the packets share.

use crate::{DecodeError, DecodeErrorKind, EncodeError};

/// Asserts that `encode` writes exactly `golden` into a buffer of that length and into a longer
/// one, and that every shorter buffer is refused with the length that is needed.
pub(crate) fn assert_encodes(
    golden: &[u8],
    encode: impl Fn(&mut [u8]) -> Result<usize, EncodeError>,
) {
    for spare_octets in [0, 1, 100] {
        let mut buffer = vec![0xa5; golden.len() + spare_octets];
        assert_eq!(encode(&mut buffer), Ok(golden.len()));
        let (packet, spare) = buffer.split_at(golden.len());
        assert_eq!(packet, golden);
        assert!(spare.iter().all(|&octet| octet == 0xa5));
    }
    for available_octets in 0..golden.len() {
        assert_eq!(
            encode(&mut vec![0; available_octets]),
            Err(EncodeError::BufferTooSmall {
                needed_octets: golden.len(),
                available_octets
            })
        );
    }
}

/// Asserts that every truncation of `golden` below `least` octets is refused as too short, and
/// that no longer one is.
pub(crate) fn assert_too_short_below(
    least: usize,
    golden: &[u8],
    decode: impl Fn(&[u8]) -> Option<DecodeError>,
) {
    for len in 0..=golden.len() {
        let error = decode(&golden[..len]);
        if len < least {
            let error = error.expect("a truncated packet must be refused");
            assert_eq!(error.kind(), DecodeErrorKind::TooShort, "{len} octets");
            assert_eq!(error.offset(), len);
        } else {
            assert_eq!(error, None, "{len} octets");
        }
    }
}
