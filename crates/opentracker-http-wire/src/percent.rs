//! Percent-encoding (RFC 3986, section 2.1). `+` is a plus sign, never a space.

use alloc::vec::Vec;

/// A `%` without two hexadecimal digits after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

/// Goes through the octets that a value stands for. After an error it ends.
#[derive(Debug, Clone)]
pub(crate) struct Decoded<'a> {
    rest: &'a [u8],
}

impl<'a> Decoded<'a> {
    pub(crate) const fn new(value: &'a [u8]) -> Self {
        Self { rest: value }
    }
}

impl Iterator for Decoded<'_> {
    type Item = Result<u8, Malformed>;

    #[inline]
    fn next(&mut self) -> Option<Result<u8, Malformed>> {
        match *self.rest {
            [] => None,
            [b'%', high, low, ref rest @ ..] => {
                if let (Some(high), Some(low)) = (hex_value(high), hex_value(low)) {
                    self.rest = rest;
                    Some(Ok(high << 4 | low))
                } else {
                    self.rest = &[];
                    Some(Err(Malformed))
                }
            }
            [b'%', ..] => {
                self.rest = &[];
                Some(Err(Malformed))
            }
            [octet, ref rest @ ..] => {
                self.rest = rest;
                Some(Ok(octet))
            }
        }
    }
}

/// Why a value does not stand for the octets that it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// It has a malformed escape.
    Escape,
    /// It stands for something else.
    Value,
}

impl From<Malformed> for Unfit {
    fn from(Malformed: Malformed) -> Self {
        Self::Escape
    }
}

/// Decodes a value of exactly `N` octets.
#[inline]
pub(crate) fn decode_exact<const N: usize>(value: &[u8]) -> Result<[u8; N], Unfit> {
    let mut decoded = Decoded::new(value);
    let mut octets = [0; N];
    for octet in &mut octets {
        *octet = decoded.next().ok_or(Unfit::Value)??;
    }
    match decoded.next() {
        None => Ok(octets),
        Some(Err(Malformed)) => Err(Unfit::Escape),
        Some(Ok(_)) => Err(Unfit::Value),
    }
}

/// Decodes a decimal number: one digit or more, nothing else, at most `u64::MAX`.
#[inline]
pub(crate) fn decode_number(value: &[u8]) -> Result<u64, Unfit> {
    if value.is_empty() {
        return Err(Unfit::Value);
    }
    let mut number = 0_u64;
    for octet in Decoded::new(value) {
        let digit = octet?.wrapping_sub(b'0');
        if digit > 9 {
            return Err(Unfit::Value);
        }
        number = number
            .checked_mul(10)
            .and_then(|number| number.checked_add(digit.into()))
            .ok_or(Unfit::Value)?;
    }
    Ok(number)
}

/// Tells whether a value stands for `text`.
#[inline]
pub(crate) fn decodes_to(value: &[u8], text: &str) -> bool {
    Decoded::new(value).eq(text.bytes().map(Ok))
}

/// Appends the encoding of any octets: unreserved characters as they are, the rest as `%XX`.
pub(crate) fn encode(octets: &[u8], out: &mut Vec<u8>) {
    for &octet in octets {
        if octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.' | b'_' | b'~') {
            out.push(octet);
        } else {
            out.extend_from_slice(&[b'%', hex_digit(octet >> 4), hex_digit(octet & 0x0f)]);
        }
    }
}

#[inline]
const fn hex_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

const fn hex_digit(value: u8) -> u8 {
    match value {
        0..10 => b'0' + value,
        _ => b'A' + value - 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes() {
        assert_eq!(decode_exact(b"%00%fF%2b+%25"), Ok(*b"\x00\xff++%"));
        assert_eq!(decode_exact(b"%41B"), Ok(*b"AB"));
        for malformed in ["%", "%4", "%4g", "%zz", "%%41", "A%", "A%1"] {
            let value = malformed.as_bytes();
            assert_eq!(decode_exact::<1>(value), Err(Unfit::Escape), "{malformed}");
            assert_eq!(Decoded::new(value).last(), Some(Err(Malformed)));
        }
        assert_eq!(decode_exact::<2>(b""), Err(Unfit::Value));
        assert_eq!(decode_exact::<2>(b"A"), Err(Unfit::Value));
        assert_eq!(decode_exact::<2>(b"ABC"), Err(Unfit::Value));
    }

    #[test]
    fn numbers() {
        for (text, number) in [
            ("0", 0),
            ("007", 7),
            ("%36881", 6881),
            ("18446744073709551615", u64::MAX),
        ] {
            assert_eq!(decode_number(text.as_bytes()), Ok(number), "{text}");
        }
        for text in [
            "",
            "-1",
            "+1",
            "1 ",
            "0x1",
            "1e3",
            "18446744073709551616",
            "%20",
        ] {
            assert_eq!(decode_number(text.as_bytes()), Err(Unfit::Value), "{text}");
        }
        assert_eq!(decode_number(b"1%"), Err(Unfit::Escape));
    }

    #[test]
    fn every_octet_goes_both_ways() {
        let octets: [u8; 256] = std::array::from_fn(|at| u8::try_from(at).unwrap());
        let mut text = Vec::new();
        encode(&octets, &mut text);
        assert_eq!(decode_exact(&text), Ok(octets));
        assert!(text.iter().all(u8::is_ascii_graphic));
        assert!(!text.iter().any(|octet| b"&=+#?/ ".contains(octet)));
    }

    #[test]
    fn comparison() {
        assert!(decodes_to(b"stopped", "stopped"));
        assert!(decodes_to(b"s%74opped", "stopped"));
        assert!(decodes_to(b"", ""));
        for other in ["stop", "stopped1", "Stopped", "stoppe%", "stoppe%6"] {
            assert!(!decodes_to(other.as_bytes(), "stopped"), "{other}");
        }
    }
}
