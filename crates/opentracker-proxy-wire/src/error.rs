use core::fmt;

/// Why octets are not the header that a decoder takes: what is wrong, and where.
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

    /// Returns the offset of the field at fault, in octets from the start of the header.
    pub const fn offset(&self) -> usize {
        self.offset
    }

    pub(crate) const fn new(kind: DecodeErrorKind, offset: usize) -> Self {
        Self { kind, offset }
    }
}

/// What is wrong with a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// The octets begin as no header does.
    NoHeader,
    /// The header is longer than this decoder takes.
    TooLong,
    /// The header ends before its addresses do, or the datagram before its header does.
    TooShort,
    /// Version 1: the line has other fields than it should have.
    BadLine,
    /// The version or the command is none that this decoder takes.
    BadCommand,
    /// The family of addresses is unknown.
    BadFamily,
}

impl fmt::Display for DecodeErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoHeader => "not the beginning of a header",
            Self::TooLong => "header too long",
            Self::TooShort => "header too short for its addresses",
            Self::BadLine => "not the fields of a header",
            Self::BadCommand => "unknown version or command",
            Self::BadFamily => "unknown address family",
        })
    }
}

/// Why a header could not be encoded. Nothing useful is in the buffer then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The buffer is smaller than the header.
    #[error("the buffer has {available_octets} octets, too few for the header")]
    BufferTooSmall {
        /// Octets that the buffer has.
        available_octets: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_say_what_and_where() {
        let error = DecodeError::new(DecodeErrorKind::BadFamily, 13);
        assert_eq!(error.to_string(), "unknown address family at octet 13");
        assert_eq!(error.offset(), 13);
    }
}
