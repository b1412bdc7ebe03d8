use std::fmt;

use crate::bencode::BencodeError;

/// Why a query is not an announce or a scrape. A tracker counts bad queries by it and puts its
/// [`message`](Self::message) into the `failure reason`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum QueryError {
    /// There is no `info_hash`.
    MissingInfoHash,
    /// `info_hash` has a `%` without two hexadecimal digits after it.
    InfoHashEscape,
    /// `info_hash` has not 20 octets after percent-decoding.
    InfoHashLength,
    /// There is no `port`.
    MissingPort,
    /// `port` has a `%` without two hexadecimal digits after it.
    PortEscape,
    /// `port` is not a decimal number from 1 to 65535.
    BadPort,
    /// `left` is there and is not a decimal number of 64 bits.
    BadLeft,
}

impl QueryError {
    /// Every error, in order of declaration.
    pub const ALL: [Self; 7] = [
        Self::MissingInfoHash,
        Self::InfoHashEscape,
        Self::InfoHashLength,
        Self::MissingPort,
        Self::PortEscape,
        Self::BadPort,
        Self::BadLeft,
    ];

    /// Returns the name of the parameter that is at fault.
    pub const fn parameter(self) -> &'static str {
        match self {
            Self::MissingInfoHash | Self::InfoHashEscape | Self::InfoHashLength => "info_hash",
            Self::MissingPort | Self::PortEscape | Self::BadPort => "port",
            Self::BadLeft => "left",
        }
    }

    /// Returns a name in snake case, fit for the label of a metric.
    pub const fn label(self) -> &'static str {
        match self {
            Self::MissingInfoHash => "missing_info_hash",
            Self::InfoHashEscape => "info_hash_escape",
            Self::InfoHashLength => "info_hash_length",
            Self::MissingPort => "missing_port",
            Self::PortEscape => "port_escape",
            Self::BadPort => "bad_port",
            Self::BadLeft => "bad_left",
        }
    }

    /// Returns a sentence that names the parameter and what would be right.
    pub const fn message(self) -> &'static str {
        match self {
            Self::MissingInfoHash => "info_hash is missing; it must be 20 octets, percent-encoded",
            Self::InfoHashEscape => {
                "info_hash has a malformed escape; % must be followed by two hexadecimal digits"
            }
            Self::InfoHashLength => "info_hash must be exactly 20 octets after percent-decoding",
            Self::MissingPort => "port is missing; it must be a decimal number from 1 to 65535",
            Self::PortEscape => {
                "port has a malformed escape; % must be followed by two hexadecimal digits"
            }
            Self::BadPort => "port must be a decimal number from 1 to 65535",
            Self::BadLeft => "left must be a decimal number from 0 to 18446744073709551615",
        }
    }
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl std::error::Error for QueryError {}

/// Why octets are not a reply of a tracker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The octets are not bencode.
    #[error(transparent)]
    Bencode(#[from] BencodeError),
    /// The octets are bencode of something else than a dictionary.
    #[error("not a dictionary")]
    NotADictionary,
    /// A key that must be there is not.
    #[error("no key {0:?}")]
    MissingKey(&'static str),
    /// What a key has is of the wrong type or out of range.
    #[error("wrong value of key {0:?}")]
    WrongValue(&'static str),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_name_the_parameter_and_start_in_lower_case() {
        for error in QueryError::ALL {
            assert!(error.message().starts_with(error.parameter()), "{error}");
            assert!(!error.message().ends_with('.'), "{error}");
        }
    }

    #[test]
    fn labels_are_distinct() {
        let mut labels = QueryError::ALL.map(QueryError::label);
        labels.sort_unstable();
        assert!(labels.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
