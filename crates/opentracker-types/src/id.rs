use core::fmt;
use core::str::FromStr;

use crate::text::{self, ParseHexError, ParsePeerIdError};

/// Defines a newtype of a fixed number of octets: everything but its text.
macro_rules! octets_newtype {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(transparent)]
        pub struct $name([u8; Self::LEN]);

        impl $name {
            /// How many octets it has.
            pub const LEN: usize = $len;

            /// Wraps the octets.
            #[inline]
            pub const fn new(octets: [u8; Self::LEN]) -> Self {
                Self(octets)
            }

            /// Returns the octets, as they stand on every wire.
            #[inline]
            pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
                &self.0
            }
        }

        impl From<[u8; $len]> for $name {
            fn from(octets: [u8; $len]) -> Self {
                Self(octets)
            }
        }

        impl AsRef<[u8]> for $name {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }

        impl fmt::LowerHex for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                text::write_lower_hex(f, &self.0)
            }
        }

        impl fmt::UpperHex for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                text::write_upper_hex(f, &self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        #[cfg(feature = "serde")]
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                text::serialize(self, &self.0, serializer)
            }
        }

        #[cfg(feature = "serde")]
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                text::deserialize::<Self, [u8; $len], D>(deserializer)
            }
        }
    };
}

/// Writes and parses a newtype of octets as hexadecimal digits.
macro_rules! hex_text {
    ($name:ident) => {
        impl fmt::Display for $name {
            /// Writes lower-case hexadecimal digits, two an octet.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                text::write_lower_hex(f, &self.0)
            }
        }

        impl FromStr for $name {
            type Err = ParseHexError;

            /// Parses exactly two hexadecimal digits an octet, of either case.
            fn from_str(text: &str) -> Result<Self, ParseHexError> {
                text::parse_hex(text).map(Self)
            }
        }
    };
}

octets_newtype! {
    /// Names a torrent: the SHA-1 of its info dictionary (BEP 3), 20 octets of any value.
    ///
    /// As text it is 40 hexadecimal digits.
    InfoHash, 20
}

octets_newtype! {
    /// Names a client program's run (BEP 3 `peer_id`), 20 octets of any value.
    ///
    /// The tracker never identifies a peer by it: a peer is an address and a port. As text it is
    /// percent-encoded.
    PeerId, 20
}

octets_newtype! {
    /// Names one run of a tracker in a live-sync cluster (docs/livesync.md, Header): four opaque
    /// octets, drawn at start.
    ///
    /// As text it is 8 hexadecimal digits.
    TrackerId, 4
}

octets_newtype! {
    /// Pairs a UDP reply with its request (BEP 15 `transaction_id`): four opaque octets that a
    /// client chooses and the tracker repeats.
    ///
    /// As text it is 8 hexadecimal digits, as a number big-endian.
    TransactionId, 4
}

octets_newtype! {
    /// Proves that a UDP client receives at the address that it sends from (BEP 15
    /// `connection_id`): eight octets that the tracker hands out and the client repeats.
    ///
    /// As text it is 16 hexadecimal digits, as a number big-endian.
    ConnectionId, 8
}

hex_text!(InfoHash);
hex_text!(TrackerId);
hex_text!(TransactionId);
hex_text!(ConnectionId);

impl InfoHash {
    /// Cuts the SHA-256 of a v2 info dictionary to the 20 octets that trackers see of it
    /// (BEP 52).
    pub const fn from_v2(hash: &[u8; 32]) -> Self {
        match hash.first_chunk() {
            Some(octets) => Self(*octets),
            None => unreachable!(),
        }
    }
}

impl fmt::Display for PeerId {
    /// Writes printable ASCII as it is, and everything else and `%` as `%xx`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        text::write_percent_encoded(f, &self.0)
    }
}

impl FromStr for PeerId {
    type Err = ParsePeerIdError;

    /// Parses 20 octets, each as it is or as `%xx`.
    fn from_str(text: &str) -> Result<Self, ParsePeerIdError> {
        text::parse_percent_encoded(text).map(Self)
    }
}

impl From<u32> for TransactionId {
    fn from(number: u32) -> Self {
        Self(number.to_be_bytes())
    }
}

impl From<TransactionId> for u32 {
    fn from(id: TransactionId) -> Self {
        Self::from_be_bytes(id.0)
    }
}

impl From<u64> for ConnectionId {
    fn from(number: u64) -> Self {
        Self(number.to_be_bytes())
    }
}

impl From<ConnectionId> for u64 {
    fn from(id: ConnectionId) -> Self {
        Self::from_be_bytes(id.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_text_goes_both_ways() {
        let text = "00ff0123456789abcdef0123456789abcdef0123";
        let hash: InfoHash = text.parse().unwrap();
        assert_eq!(hash.as_bytes()[..3], [0x00, 0xff, 0x01]);
        assert_eq!(hash.to_string(), text);
        assert_eq!(format!("{hash:x} {hash:#x}"), format!("{text} 0x{text}"));
        assert_eq!(format!("{hash:X}"), text.to_uppercase());
        assert_eq!(text.to_uppercase().parse(), Ok(hash));
        assert_eq!(format!("{hash:?}"), format!("InfoHash({text})"));
        assert_eq!("0badf00d".parse(), Ok(TrackerId::new(*b"\x0b\xad\xf0\x0d")));
    }

    #[test]
    fn hexadecimal_text_errors_say_where() {
        for (text, octets) in [("", 0), ("abc", 3), ("0123456789abcdef", 16), ("ääääx", 9)] {
            let error = ParseHexError::Length { digits: 8, octets };
            assert_eq!(text.parse::<TrackerId>(), Err(error), "{text}");
        }
        for (text, at) in [
            ("x0000000", 0),
            ("0000000x", 7),
            ("+0000000", 0),
            ("00000 00", 5),
        ] {
            let error = ParseHexError::Digit { at };
            assert_eq!(text.parse::<TrackerId>(), Err(error), "{text}");
        }
        assert_eq!(
            "abc".parse::<InfoHash>().unwrap_err().to_string(),
            "40 hexadecimal digits are expected, this has 3 octets"
        );
    }

    #[test]
    fn the_first_20_octets_of_a_v2_hash_count() {
        let hash: [u8; 32] = core::array::from_fn(|at| u8::try_from(at).unwrap());
        assert_eq!(InfoHash::from_v2(&hash).as_bytes()[..], hash[..20]);
    }

    #[test]
    fn peer_id_text_goes_both_ways() {
        let id = PeerId::new(*b"-TR3000-\0\xff%456789abc");
        let text = "-TR3000-%00%ff%25456789abc";
        assert_eq!(id.to_string(), text);
        assert_eq!(text.parse(), Ok(id));
        assert_eq!("-TR3000-%00%FF%25456789abc".parse(), Ok(id));
        assert_eq!(
            format!("{id:x}"),
            "2d5452333030302d00ff25343536373839616263"
        );
    }

    #[test]
    fn peer_id_text_errors_say_where() {
        let length = |octets| Err(ParsePeerIdError::Length { octets });
        assert_eq!("".parse::<PeerId>(), length(0));
        assert_eq!("-TR3000-%00".parse::<PeerId>(), length(9));
        assert_eq!("-TR3000-%00%ff%25456789abcd".parse::<PeerId>(), length(21));
        for (text, at) in [("%", 0), ("-TR3000-%0", 8), ("-TR3000-%zz456789abcd", 8)] {
            let error = ParsePeerIdError::Escape { at };
            assert_eq!(text.parse::<PeerId>(), Err(error), "{text}");
        }
    }

    #[test]
    fn ids_of_udp_are_big_endian_numbers() {
        let transaction = TransactionId::new([0x01, 0x02, 0x03, 0x04]);
        assert_eq!(u32::from(transaction), 0x0102_0304);
        assert_eq!(TransactionId::from(0x0102_0304), transaction);
        assert_eq!("01020304".parse(), Ok(transaction));

        let connection = ConnectionId::new([0, 0, 4, 0x17, 0x27, 0x10, 0x19, 0x80]);
        assert_eq!(u64::from(connection), 0x0417_2710_1980);
        assert_eq!(ConnectionId::from(0x0417_2710_1980), connection);
        assert_eq!("0000041727101980".parse(), Ok(connection));
    }
}
