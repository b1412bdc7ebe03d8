use core::fmt;
use core::str::FromStr;

/// The flags of a peer as live sync carries them (docs/livesync.md, SYNC_LIVE) and as the store
/// keeps them.
///
/// As text it is the names of the flags with `|` between them, such as `seeding|completed`, or
/// `none`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(transparent)]
pub struct PeerFlags(u8);

const NONE: &str = "none";
const NAMED: [(PeerFlags, &str); 3] = [
    (PeerFlags::SEEDING, "seeding"),
    (PeerFlags::COMPLETED, "completed"),
    (PeerFlags::STOPPED, "stopped"),
];

impl PeerFlags {
    /// A plain leecher.
    pub const NONE: Self = Self(0);
    /// The peer has everything.
    pub const SEEDING: Self = Self(0x80);
    /// The peer has reported the end of its download.
    pub const COMPLETED: Self = Self(0x40);
    /// The peer goes away.
    pub const STOPPED: Self = Self(0x20);

    /// Keeps the three known bits of an octet and drops the rest.
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits & (Self::SEEDING.0 | Self::COMPLETED.0 | Self::STOPPED.0))
    }

    /// Returns the octet.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Tells whether all of `other` is set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Returns the union of both.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Goes through the names of the flags that are set, as the text has them.
    pub fn names(self) -> impl Iterator<Item = &'static str> + Clone {
        NAMED
            .into_iter()
            .filter_map(move |(flag, name)| self.contains(flag).then_some(name))
    }
}

impl From<u8> for PeerFlags {
    /// Does what [`PeerFlags::from_bits`] does.
    fn from(bits: u8) -> Self {
        Self::from_bits(bits)
    }
}

impl fmt::Display for PeerFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names = self.names();
        f.write_str(names.next().unwrap_or(NONE))?;
        names.try_for_each(|name| write!(f, "|{name}"))
    }
}

impl FromStr for PeerFlags {
    type Err = ParsePeerFlagsError;

    /// Parses the names of flags, in any order, with `|` between them, or `none`.
    fn from_str(text: &str) -> Result<Self, ParsePeerFlagsError> {
        if text == NONE {
            return Ok(Self::NONE);
        }
        let mut flags = Self::NONE;
        let mut at = 0;
        for word in text.split('|') {
            let (flag, _) = NAMED
                .into_iter()
                .find(|&(_, name)| name == word)
                .ok_or(ParsePeerFlagsError::Unknown { at })?;
            flags = flags.with(flag);
            at += word.len() + 1;
        }
        Ok(flags)
    }
}

impl fmt::LowerHex for PeerFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::LowerHex::fmt(&self.0, f)
    }
}

impl fmt::UpperHex for PeerFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::UpperHex::fmt(&self.0, f)
    }
}

impl fmt::Debug for PeerFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeerFlags({self})")
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for PeerFlags {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        crate::text::serialize(self, &self.0, serializer)
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for PeerFlags {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::text::deserialize::<Self, u8, D>(deserializer)
    }
}

/// Why a text is not the flags of a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParsePeerFlagsError {
    /// A word is not the name of a flag.
    #[error("not the name of a flag at octet {at}")]
    Unknown {
        /// Offset of the first such word, from 0.
        at: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_bits_are_dropped() {
        assert_eq!(PeerFlags::from_bits(0xff).bits(), 0xe0);
        assert!(PeerFlags::from_bits(0xc0).contains(PeerFlags::SEEDING.with(PeerFlags::COMPLETED)));
    }

    #[test]
    fn text_goes_both_ways() {
        for (bits, text) in [
            (0, "none"),
            (0x80, "seeding"),
            (0xc0, "seeding|completed"),
            (0xe0, "seeding|completed|stopped"),
            (0x20, "stopped"),
        ] {
            let flags = PeerFlags::from_bits(bits);
            assert_eq!(flags.to_string(), text);
            assert_eq!(text.parse(), Ok(flags));
        }
        assert_eq!("stopped|seeding".parse(), Ok(PeerFlags::from_bits(0xa0)));
        assert_eq!(format!("{:#04x}", PeerFlags::SEEDING), "0x80");
    }

    #[test]
    fn text_errors_say_where() {
        for (text, at) in [
            ("", 0),
            ("Seeding", 0),
            ("seeding|", 8),
            ("seeding|none", 8),
        ] {
            let error = ParsePeerFlagsError::Unknown { at };
            assert_eq!(text.parse::<PeerFlags>(), Err(error), "{text}");
        }
    }
}
