use std::fmt;
use std::str::FromStr;

/// Names a torrent: the SHA-1 of its info dictionary (BEP 3), 20 octets of any value.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct InfoHash([u8; Self::LEN]);

impl InfoHash {
    /// Octets of an info hash.
    pub const LEN: usize = 20;

    /// Wraps the octets.
    pub const fn new(octets: [u8; Self::LEN]) -> Self {
        Self(octets)
    }

    /// Returns the octets, as they stand on every wire.
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

impl From<[u8; 20]> for InfoHash {
    fn from(octets: [u8; 20]) -> Self {
        Self(octets)
    }
}

impl fmt::Display for InfoHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, &self.0)
    }
}

impl fmt::Debug for InfoHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InfoHash({self})")
    }
}

impl FromStr for InfoHash {
    type Err = ParseInfoHashError;

    /// Parses exactly 40 hexadecimal digits of either case.
    fn from_str(text: &str) -> Result<Self, ParseInfoHashError> {
        let digits = text.as_bytes();
        if digits.len() != 2 * Self::LEN {
            return Err(ParseInfoHashError::Length {
                octets: digits.len(),
            });
        }
        let mut octets = [0; Self::LEN];
        for (place, (octet, pair)) in octets.iter_mut().zip(digits.chunks_exact(2)).enumerate() {
            let high = hex_value(pair[0]).ok_or(ParseInfoHashError::Digit { at: 2 * place })?;
            let low = hex_value(pair[1]).ok_or(ParseInfoHashError::Digit { at: 2 * place + 1 })?;
            *octet = high << 4 | low;
        }
        Ok(Self(octets))
    }
}

/// Why a text is not an info hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseInfoHashError {
    /// The text has another length than 40 octets.
    #[error("an info hash has 40 hexadecimal digits, this has {octets} octets")]
    Length {
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

/// Names a client program's run (BEP 3 `peer_id`), 20 octets of any value.
///
/// The tracker never identifies a peer by it: a peer is an address and a port.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct PeerId([u8; Self::LEN]);

impl PeerId {
    /// Octets of a peer id.
    pub const LEN: usize = 20;

    /// Wraps the octets.
    pub const fn new(octets: [u8; Self::LEN]) -> Self {
        Self(octets)
    }

    /// Returns the octets.
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

impl fmt::Display for PeerId {
    /// Writes printable ASCII as it is and everything else as `%xx`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for &octet in &self.0 {
            if octet.is_ascii_graphic() && octet != b'%' {
                write!(f, "{}", char::from(octet))?;
            } else {
                write!(f, "%{octet:02x}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeerId({self})")
    }
}

/// Names one run of a tracker in a live-sync cluster: four opaque octets, drawn at start.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct TrackerId([u8; Self::LEN]);

impl TrackerId {
    /// Octets of a tracker id.
    pub const LEN: usize = 4;

    /// Wraps the octets.
    pub const fn new(octets: [u8; Self::LEN]) -> Self {
        Self(octets)
    }

    /// Returns the octets.
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

impl fmt::Display for TrackerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, &self.0)
    }
}

impl fmt::Debug for TrackerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TrackerId({self})")
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for InfoHash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for InfoHash {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct HexVisitor;
        impl serde::de::Visitor<'_> for HexVisitor {
            type Value = InfoHash;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an info hash of 40 hexadecimal digits")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<InfoHash, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(HexVisitor)
    }
}

fn write_hex(f: &mut fmt::Formatter<'_>, octets: &[u8]) -> fmt::Result {
    octets.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
}

const fn hex_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn info_hash_text_goes_both_ways() {
        let text = "00ff0123456789abcdef0123456789abcdef0123";
        let hash: InfoHash = text.parse().unwrap();
        assert_eq!(hash.as_bytes()[..3], [0x00, 0xff, 0x01]);
        assert_eq!(hash.to_string(), text);
        assert_eq!(text.to_uppercase().parse::<InfoHash>().unwrap(), hash);
    }

    #[test]
    fn info_hash_text_errors_say_where() {
        assert_eq!(
            "abc".parse::<InfoHash>(),
            Err(ParseInfoHashError::Length { octets: 3 })
        );
        let text = format!("{}x", "0".repeat(39));
        assert_eq!(
            text.parse::<InfoHash>(),
            Err(ParseInfoHashError::Digit { at: 39 })
        );
    }

    #[test]
    fn peer_id_display_is_printable() {
        let id = PeerId::new(*b"-TR3000-\0\xff%456789abc");
        assert_eq!(id.to_string(), "-TR3000-%00%ff%25456789abc");
    }
}
