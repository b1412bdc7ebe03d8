use core::fmt;

/// Why a datagram is not a live-sync packet: what is wrong, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{kind} at octet {offset}")]
pub struct DecodeError {
    kind: DecodeErrorKind,
    offset: usize,
}

impl DecodeError {
    /// Returns what is wrong.
    pub const fn kind(&self) -> DecodeErrorKind {
        self.kind
    }

    /// Returns the offset, in octets from the start of the packet, of the field at fault; for a
    /// packet of a wrong length, the offset at which it ends too early or should have ended.
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// Returns a short word for the kind, fit to label a counter.
    pub const fn reason(&self) -> &'static str {
        self.kind.reason()
    }

    pub(crate) const fn new(kind: DecodeErrorKind, offset: usize) -> Self {
        Self { kind, offset }
    }
}

/// What is wrong with a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// The packet ends within its header.
    Header,
    /// The header names a type that live sync has not.
    UnknownType,
    /// No packet of this type has this length.
    Length,
    /// The packet has no whole record where it must have one.
    NoRecord,
}

impl DecodeErrorKind {
    /// Every kind, in order of declaration.
    pub const ALL: &'static [Self] = &[
        Self::Header,
        Self::UnknownType,
        Self::Length,
        Self::NoRecord,
    ];

    /// Returns a short word for the kind, fit to label a counter.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::UnknownType => "type",
            Self::Length => "length",
            Self::NoRecord => "no_record",
        }
    }
}

impl fmt::Display for DecodeErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Header => "incomplete header, the packet ends",
            Self::UnknownType => "unknown packet type",
            Self::Length => "impossible length for this packet type, it goes wrong",
            Self::NoRecord => "no whole record",
        })
    }
}

/// Why a writer did not take a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PushError {
    /// One more record would make the packet longer than the writer may.
    #[error("the packet is full")]
    Full,
    /// A SYNC_LIVE record has no room for an IPv6 address.
    #[error("the peer is not an IPv4 peer")]
    NotIpv4,
}

#[cfg(test)]
mod tests {
    use std::string::ToString;
    use std::vec::Vec;

    use super::*;

    #[test]
    fn errors_say_what_and_where() {
        let error = DecodeError::new(DecodeErrorKind::Header, 7);
        assert_eq!(
            error.to_string(),
            "incomplete header, the packet ends at octet 7"
        );
        assert_eq!((error.reason(), error.offset()), ("header", 7));
    }

    #[test]
    fn reasons_are_distinct() {
        let kinds = DecodeErrorKind::ALL.iter();
        let mut reasons: Vec<_> = kinds.map(|kind| kind.reason()).collect();
        reasons.sort_unstable();
        assert!(reasons.is_sorted_by(|a, b| a < b), "{reasons:?}");
    }
}
