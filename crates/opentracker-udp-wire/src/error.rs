use core::fmt;

use crate::TransactionId;

/// Why octets are not the packet that a decoder takes: what is wrong, and where.
///
/// Where the packet got as far as its transaction id, [`transaction`](Self::transaction) has it,
/// so that a tracker may answer with an [`ErrorReply`](crate::ErrorReply).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{kind} at octet {offset}")]
pub struct DecodeError {
    kind: DecodeErrorKind,
    offset: usize,
    transaction: Option<TransactionId>,
}

impl DecodeError {
    /// Returns what is wrong.
    pub const fn kind(&self) -> DecodeErrorKind {
        self.kind
    }

    /// Returns the offset, in octets from the start of the packet, of the field at fault; for a
    /// packet that is too short, the offset at which it ends.
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// Returns a short word for the kind, fit to label a counter.
    pub const fn reason(&self) -> &'static str {
        self.kind.reason()
    }

    /// Returns the transaction id, if the packet has one.
    pub const fn transaction(&self) -> Option<TransactionId> {
        self.transaction
    }

    pub(crate) const fn new(kind: DecodeErrorKind, offset: usize) -> Self {
        Self {
            kind,
            offset,
            transaction: None,
        }
    }

    pub(crate) const fn with(mut self, transaction: TransactionId) -> Self {
        self.transaction = Some(transaction);
        self
    }
}

/// What is wrong with a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// The packet ends before its fixed part does.
    TooShort,
    /// A connect request does not carry the magic number of BEP 15.
    BadMagic,
    /// The action is none that this decoder takes.
    UnknownAction,
    /// A scrape request ends where its first info hash should begin.
    NoInfoHash,
    /// A scrape request ends within its first info hash.
    TornInfoHash,
}

impl DecodeErrorKind {
    /// Every kind, in order of declaration.
    pub const ALL: &'static [Self] = &[
        Self::TooShort,
        Self::BadMagic,
        Self::UnknownAction,
        Self::NoInfoHash,
        Self::TornInfoHash,
    ];

    /// Returns a short word for the kind, fit to label a counter.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::TooShort => "short",
            Self::BadMagic => "magic",
            Self::UnknownAction => "action",
            Self::NoInfoHash => "no_info_hash",
            Self::TornInfoHash => "torn_info_hash",
        }
    }
}

impl fmt::Display for DecodeErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooShort => "packet too short, it ends",
            Self::BadMagic => "not the magic number of a connect request",
            Self::UnknownAction => "unexpected action",
            Self::NoInfoHash => "no info hash to scrape",
            Self::TornInfoHash => "incomplete info hash",
        })
    }
}

/// Why a packet could not be encoded. Nothing useful is in the buffer then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The buffer is smaller than the packet.
    #[error("the packet needs {needed_octets} octets, the buffer has {available_octets}")]
    BufferTooSmall {
        /// Octets that the packet takes, at the least.
        needed_octets: usize,
        /// Octets that the buffer has.
        available_octets: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_say_what_and_where() {
        let error = DecodeError::new(DecodeErrorKind::TooShort, 97).with(5.into());
        assert_eq!(error.to_string(), "packet too short, it ends at octet 97");
        assert_eq!((error.reason(), error.offset()), ("short", 97));
        assert_eq!(error.transaction(), Some(5.into()));
        let error = DecodeError::new(DecodeErrorKind::BadMagic, 0);
        assert_eq!(
            error.to_string(),
            "not the magic number of a connect request at octet 0"
        );
    }

    #[test]
    fn reasons_are_distinct() {
        let kinds = DecodeErrorKind::ALL.iter();
        let mut reasons: Vec<_> = kinds.map(|kind| kind.reason()).collect();
        reasons.sort_unstable();
        assert!(reasons.is_sorted_by(|a, b| a < b), "{reasons:?}");
    }
}
