use core::fmt;

/// Why a query is not an announce or a scrape: what is wrong, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{kind}, at octet {offset}")]
pub struct QueryError {
    kind: QueryErrorKind,
    offset: usize,
}

impl QueryError {
    /// Returns what is wrong.
    pub const fn kind(&self) -> QueryErrorKind {
        self.kind
    }

    /// Returns the offset, in octets from the start of the query, of the value at fault; for a
    /// parameter that is missing, the offset at which the query ends.
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// Returns a short word for the kind, fit to label a counter.
    pub const fn reason(&self) -> &'static str {
        self.kind.reason()
    }

    /// Returns the name of the parameter that is at fault.
    pub const fn parameter(&self) -> &'static str {
        self.kind.parameter()
    }

    /// Returns a sentence that names the parameter and what would be right, fit for the `failure
    /// reason` of a reply.
    pub const fn message(&self) -> &'static str {
        self.kind.message()
    }

    pub(crate) const fn new(kind: QueryErrorKind, offset: usize) -> Self {
        Self { kind, offset }
    }
}

/// What is wrong with a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum QueryErrorKind {
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
}

impl QueryErrorKind {
    /// Every kind, in order of declaration.
    pub const ALL: &'static [Self] = &[
        Self::MissingInfoHash,
        Self::InfoHashEscape,
        Self::InfoHashLength,
        Self::MissingPort,
        Self::PortEscape,
        Self::BadPort,
    ];

    /// Returns a short word for the kind, fit to label a counter.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::MissingInfoHash => "missing_info_hash",
            Self::InfoHashEscape => "info_hash_escape",
            Self::InfoHashLength => "info_hash_length",
            Self::MissingPort => "missing_port",
            Self::PortEscape => "port_escape",
            Self::BadPort => "bad_port",
        }
    }

    /// Returns the name of the parameter that is at fault.
    pub const fn parameter(self) -> &'static str {
        match self {
            Self::MissingInfoHash | Self::InfoHashEscape | Self::InfoHashLength => "info_hash",
            Self::MissingPort | Self::PortEscape | Self::BadPort => "port",
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
        }
    }
}

impl fmt::Display for QueryErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

/// Why octets are not bencode, or not a reply of a tracker: what is wrong, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeError {
    kind: DecodeErrorKind,
    offset: usize,
    key: Option<&'static str>,
}

impl DecodeError {
    /// Returns what is wrong.
    pub const fn kind(&self) -> DecodeErrorKind {
        self.kind
    }

    /// Returns the offset, in octets from the start of the input, of the value at fault; for an
    /// input that is cut short, the offset at which it ends.
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// Returns a short word for the kind, fit to label a counter.
    pub const fn reason(&self) -> &'static str {
        self.kind.reason()
    }

    /// Returns the key of the reply that is missing or has a wrong value, if it is one of those.
    pub const fn key(&self) -> Option<&'static str> {
        self.key
    }

    pub(crate) const fn new(kind: DecodeErrorKind, offset: usize) -> Self {
        Self {
            kind,
            offset,
            key: None,
        }
    }

    pub(crate) const fn of_key(mut self, key: &'static str) -> Self {
        self.key = Some(key);
        self
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, offset, key } = self;
        match key {
            Some(key) => write!(f, "{kind} {key:?} at octet {offset}"),
            None => write!(f, "{kind} at octet {offset}"),
        }
    }
}

impl core::error::Error for DecodeError {}

/// What is wrong with an input that is not bencode, or not a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// The input ends within a value.
    Incomplete,
    /// No value begins like this.
    NotAValue,
    /// An integer or a length is malformed or too large.
    BadNumber,
    /// A key of a dictionary is not a string.
    BadKey,
    /// Lists and dictionaries nest deeper than [`MAX_DEPTH`](crate::bencode::MAX_DEPTH).
    TooDeep,
    /// Something follows the value.
    Trailing,
    /// The reply is something else than a dictionary.
    NotADictionary,
    /// A key that a reply must have is missing.
    MissingKey,
    /// The value of a key of a reply is of the wrong type or out of range.
    WrongValue,
}

impl DecodeErrorKind {
    /// Every kind, in order of declaration.
    pub const ALL: &'static [Self] = &[
        Self::Incomplete,
        Self::NotAValue,
        Self::BadNumber,
        Self::BadKey,
        Self::TooDeep,
        Self::Trailing,
        Self::NotADictionary,
        Self::MissingKey,
        Self::WrongValue,
    ];

    /// Returns a short word for the kind, fit to label a counter.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Incomplete => "incomplete",
            Self::NotAValue => "not_a_value",
            Self::BadNumber => "bad_number",
            Self::BadKey => "bad_key",
            Self::TooDeep => "too_deep",
            Self::Trailing => "trailing",
            Self::NotADictionary => "not_a_dictionary",
            Self::MissingKey => "missing_key",
            Self::WrongValue => "wrong_value",
        }
    }
}

impl fmt::Display for DecodeErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Incomplete => "the input ends too early,",
            Self::NotAValue => "not a bencoded value",
            Self::BadNumber => "malformed number",
            Self::BadKey => "key that is not a string",
            Self::TooDeep => "nested too deep",
            Self::Trailing => "more than one value",
            Self::NotADictionary => "not a dictionary",
            Self::MissingKey => "no key",
            Self::WrongValue => "wrong value of key",
        })
    }
}

/// Returns at which octet of `whole` begins `part`, which was cut out of it.
pub(crate) fn offset_in(whole: &[u8], part: &[u8]) -> usize {
    let offset = part.as_ptr().addr().saturating_sub(whole.as_ptr().addr());
    offset.min(whole.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_name_the_parameter_and_start_in_lower_case() {
        for kind in QueryErrorKind::ALL {
            assert!(kind.message().starts_with(kind.parameter()), "{kind}");
            assert!(!kind.message().ends_with('.'), "{kind}");
        }
    }

    #[test]
    fn errors_say_what_and_where() {
        let error = QueryError::new(QueryErrorKind::BadPort, 31);
        assert_eq!((error.reason(), error.parameter()), ("bad_port", "port"));
        assert_eq!(
            error.to_string(),
            "port must be a decimal number from 1 to 65535, at octet 31"
        );
        let error = DecodeError::new(DecodeErrorKind::Incomplete, 1);
        assert_eq!(error.to_string(), "the input ends too early, at octet 1");
        assert_eq!((error.reason(), error.key()), ("incomplete", None));
        let error = DecodeError::new(DecodeErrorKind::WrongValue, 11).of_key("interval");
        assert_eq!(
            error.to_string(),
            "wrong value of key \"interval\" at octet 11"
        );
        assert_eq!(error.key(), Some("interval"));
    }

    #[test]
    fn reasons_are_distinct() {
        let query = QueryErrorKind::ALL.iter().map(|kind| kind.reason());
        let decode = DecodeErrorKind::ALL.iter().map(|kind| kind.reason());
        let mut reasons: Vec<_> = query.chain(decode).collect();
        reasons.sort_unstable();
        assert!(reasons.is_sorted_by(|a, b| a < b), "{reasons:?}");
    }

    #[test]
    fn offsets_of_parts() {
        let whole = b"abcdef";
        assert_eq!(offset_in(whole, &whole[2..4]), 2);
        assert_eq!(offset_in(whole, &whole[6..]), 6);
    }
}
