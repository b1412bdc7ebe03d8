//! Percent-encoding (RFC 3986, section 2.1). `+` is a plus sign, never a space.

use alloc::vec::Vec;

/// A `%` without two hexadecimal digits after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

/// Goes through the octets that a value stands for. It ends at an `&` or with the query, and goes no
/// further than to something malformed.
#[derive(Debug, Clone)]
pub(crate) struct Decoded<'a> {
    rest: &'a [u8],
}

impl<'a> Decoded<'a> {
    /// Begins with what stands at the front.
    pub(crate) const fn new(query: &'a [u8]) -> Self {
        Self { rest: query }
    }

    /// Returns the query from the first octet on that has not been gone through.
    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl Iterator for Decoded<'_> {
    type Item = Result<u8, Malformed>;

    #[inline]
    fn next(&mut self) -> Option<Result<u8, Malformed>> {
        let (octet, rest) = match *self.rest {
            [] | [b'&', ..] => return None,
            [b'%', ref escape @ ..] => {
                let [high, low, ref rest @ ..] = *escape else {
                    return Some(Err(Malformed));
                };
                let (high, low) = (hex_value(high), hex_value(low));
                if high | low > 0x0f {
                    return Some(Err(Malformed));
                }
                (high << 4 | low, rest)
            }
            [octet, ref rest @ ..] => (octet, rest),
        };
        self.rest = rest;
        Some(Ok(octet))
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
pub(crate) fn decode_exact<const N: usize>(value: &mut Decoded<'_>) -> Result<[u8; N], Unfit> {
    let mut octets = [0; N];
    for octet in &mut octets {
        *octet = value.next().ok_or(Unfit::Value)??;
    }
    match value.next() {
        None => Ok(octets),
        Some(Err(Malformed)) => Err(Unfit::Escape),
        Some(Ok(_)) => Err(Unfit::Value),
    }
}

/// Decodes a decimal number: one digit or more, nothing else, at most `u64::MAX`.
#[inline]
pub(crate) fn decode_number(value: &mut Decoded<'_>) -> Result<u64, Unfit> {
    let mut number = None;
    for octet in value {
        let digit = octet?.wrapping_sub(b'0');
        if digit > 9 {
            return Err(Unfit::Value);
        }
        let tens = number.unwrap_or(0_u64).checked_mul(10);
        let sum = tens.and_then(|tens| tens.checked_add(digit.into()));
        number = Some(sum.ok_or(Unfit::Value)?);
    }
    number.ok_or(Unfit::Value)
}

/// Tells whether a value stands for `text`.
#[inline]
pub(crate) fn decodes_to(value: &Decoded<'_>, text: &str) -> bool {
    value.clone().eq(text.bytes().map(Ok))
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

/// Returns the value of a hexadecimal digit, and of anything else more than any has.
#[inline]
fn hex_value(octet: u8) -> u8 {
    // From a table and without branches: no processor foresees whether digits or letters come.
    const VALUES: [u8; 256] = {
        let mut values = [0; 256];
        let mut octet: u8 = 0;
        let mut rest = values.as_mut_slice();
        while let Some((value, others)) = rest.split_first_mut() {
            *value = match octet {
                b'0'..=b'9' => octet - b'0',
                b'A'..=b'F' => octet - b'A' + 10,
                b'a'..=b'f' => octet - b'a' + 10,
                _ => u8::MAX,
            };
            octet = octet.wrapping_add(1);
            rest = others;
        }
        values
    };
    VALUES.get(usize::from(octet)).copied().unwrap_or(u8::MAX)
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

    fn exact<const N: usize>(value: &[u8]) -> Result<[u8; N], Unfit> {
        decode_exact(&mut Decoded::new(value))
    }

    fn number(text: &str) -> Result<u64, Unfit> {
        decode_number(&mut Decoded::new(text.as_bytes()))
    }

    #[test]
    fn escapes() {
        assert_eq!(exact(b"%00%fF%2b+%25"), Ok(*b"\x00\xff++%"));
        assert_eq!(exact(b"%41B"), Ok(*b"AB"));
        for malformed in ["%", "%4", "%4g", "%zz", "%%41", "A%", "A%1"] {
            let value = malformed.as_bytes();
            assert_eq!(exact::<1>(value), Err(Unfit::Escape), "{malformed}");
            let mut decoded = Decoded::new(value);
            assert_eq!(decoded.find(Result::is_err), Some(Err(Malformed)));
            assert_eq!(decoded.next(), Some(Err(Malformed)), "it goes no further");
            let next = format!("{malformed}&41");
            assert_eq!(exact::<1>(next.as_bytes()), Err(Unfit::Escape), "{next}");
        }
        assert_eq!(exact::<2>(b""), Err(Unfit::Value));
        assert_eq!(exact::<2>(b"A"), Err(Unfit::Value));
        assert_eq!(exact::<2>(b"ABC"), Err(Unfit::Value));
    }

    #[test]
    fn numbers() {
        for (text, expected) in [
            ("0", 0),
            ("007", 7),
            ("%36881", 6881),
            ("18446744073709551615", u64::MAX),
        ] {
            assert_eq!(number(text), Ok(expected), "{text}");
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
            assert_eq!(number(text), Err(Unfit::Value), "{text}");
        }
        assert_eq!(number("1%"), Err(Unfit::Escape));
    }

    #[test]
    fn a_value_ends_before_the_next() {
        let query = b"12&34";
        let mut value = Decoded::new(query);
        assert_eq!(decode_number(&mut value), Ok(12));
        assert_eq!(value.rest(), b"&34");
        let mut value = Decoded::new(query);
        assert_eq!(decode_exact(&mut value), Ok(*b"12"));
        assert_eq!(
            decode_exact::<3>(&mut Decoded::new(query)),
            Err(Unfit::Value)
        );
    }

    #[test]
    fn every_octet_goes_both_ways() {
        let octets: [u8; 256] = std::array::from_fn(|at| u8::try_from(at).unwrap());
        let mut text = Vec::new();
        encode(&octets, &mut text);
        assert_eq!(exact(&text), Ok(octets));
        assert!(text.iter().all(u8::is_ascii_graphic));
        assert!(!text.iter().any(|octet| b"&=+#?/ ".contains(octet)));
    }

    #[test]
    fn comparison() {
        let is_stopped = |text: &str| decodes_to(&Decoded::new(text.as_bytes()), "stopped");
        assert!(is_stopped("stopped"));
        assert!(is_stopped("s%74opped"));
        assert!(is_stopped("stopped&"));
        assert!(decodes_to(&Decoded::new(b""), ""));
        for other in ["stop", "stopped1", "Stopped", "stoppe%", "stoppe%6"] {
            assert!(!is_stopped(other), "{other}");
        }
    }
}
