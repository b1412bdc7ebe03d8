//! Octets as text: hexadecimal digits and percent-encoding.

use core::fmt;

/// Why a text is not an id in hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseHexError {
    /// The text has another length.
    #[error("{digits} hexadecimal digits are expected, this has {octets} octets")]
    Length {
        /// How many digits are expected.
        digits: usize,
        /// Length of the text in octets.
        octets: usize,
    },
    /// An octet of the text is not a hexadecimal digit.
    #[error("not a hexadecimal digit at octet {at}")]
    Digit {
        /// Offset of the first such octet, from 0.
        at: usize,
    },
}

/// Why a text is not a peer id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParsePeerIdError {
    /// The text stands for another number of octets than 20.
    #[error("a peer id has 20 octets, this stands for {octets}")]
    Length {
        /// How many octets the text stands for.
        octets: usize,
    },
    /// A `%` has no two hexadecimal digits after it.
    #[error("% without two hexadecimal digits after it at octet {at}")]
    Escape {
        /// Offset of the first such `%`, from 0.
        at: usize,
    },
}

pub(crate) fn write_lower_hex(f: &mut fmt::Formatter<'_>, octets: &[u8]) -> fmt::Result {
    write_prefix(f)?;
    octets.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
}

pub(crate) fn write_upper_hex(f: &mut fmt::Formatter<'_>, octets: &[u8]) -> fmt::Result {
    write_prefix(f)?;
    octets.iter().try_for_each(|octet| write!(f, "{octet:02X}"))
}

/// Parses two hexadecimal digits an octet.
pub(crate) fn parse_hex<const N: usize>(text: &str) -> Result<[u8; N], ParseHexError> {
    let (pairs, rest) = text.as_bytes().as_chunks();
    let mut octets = [0; N];
    if pairs.len() != N || !rest.is_empty() {
        return Err(ParseHexError::Length {
            digits: 2 * N,
            octets: text.len(),
        });
    }
    for (place, (octet, pair)) in octets.iter_mut().zip(pairs).enumerate() {
        let [high, low] = pair.map(hex_value);
        let high = high.ok_or(ParseHexError::Digit { at: 2 * place })?;
        let low = low.ok_or(ParseHexError::Digit { at: 2 * place + 1 })?;
        *octet = high << 4 | low;
    }
    Ok(octets)
}

pub(crate) fn write_percent_encoded(f: &mut fmt::Formatter<'_>, octets: &[u8]) -> fmt::Result {
    octets.iter().try_for_each(|&octet| {
        if octet.is_ascii_graphic() && octet != b'%' {
            write!(f, "{}", char::from(octet))
        } else {
            write!(f, "%{octet:02x}")
        }
    })
}

/// Parses octets that stand for themselves and `%xx`.
pub(crate) fn parse_percent_encoded<const N: usize>(
    text: &str,
) -> Result<[u8; N], ParsePeerIdError> {
    let mut decoded = [0; N];
    let mut len = 0;
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let mut octet = *first;
        let at = text.len() - rest.len();
        rest = after;
        if octet == b'%' {
            let (digits, after) = rest
                .split_first_chunk()
                .ok_or(ParsePeerIdError::Escape { at })?;
            let [Some(high), Some(low)] = digits.map(hex_value) else {
                return Err(ParsePeerIdError::Escape { at });
            };
            octet = high << 4 | low;
            rest = after;
        }
        if let Some(place) = decoded.get_mut(len) {
            *place = octet;
        }
        len += 1;
    }
    if len != N {
        return Err(ParsePeerIdError::Length { octets: len });
    }
    Ok(decoded)
}

/// Serialises as text in a format for people, as octets in any other.
#[cfg(feature = "serde")]
pub(crate) fn serialize<S: serde::Serializer>(
    text: &impl fmt::Display,
    octets: &impl serde::Serialize,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    if serializer.is_human_readable() {
        serializer.collect_str(text)
    } else {
        octets.serialize(serializer)
    }
}

/// Reads what [`serialize`] writes.
#[cfg(feature = "serde")]
pub(crate) fn deserialize<'de, T, Octets, D>(deserializer: D) -> Result<T, D::Error>
where
    T: core::str::FromStr<Err: fmt::Display> + From<Octets>,
    Octets: serde::Deserialize<'de>,
    D: serde::Deserializer<'de>,
{
    struct Text<T>(core::marker::PhantomData<T>);

    impl<T: core::str::FromStr<Err: fmt::Display>> serde::de::Visitor<'_> for Text<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("text")
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
            text.parse().map_err(E::custom)
        }
    }

    if deserializer.is_human_readable() {
        deserializer.deserialize_str(Text(core::marker::PhantomData))
    } else {
        Octets::deserialize(deserializer).map(T::from)
    }
}

/// Writes what `{:#x}` asks for.
fn write_prefix(f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if f.alternate() {
        f.write_str("0x")
    } else {
        Ok(())
    }
}

const fn hex_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}
