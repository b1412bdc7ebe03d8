use core::iter::FusedIterator;

use opentracker_types::InfoHash;

use crate::error::offset_in;
use crate::percent::{self, Decoded, Unfit};
use crate::{QueryError, QueryErrorKind};

/// Goes through the parameters of a query as pairs of name and value, both as they stand there,
/// not percent-decoded.
///
/// Parameters are separated by `&`; the value is what follows the first `=`, or empty without
/// one. Empty parameters are left out.
///
/// ```
/// use opentracker_http_wire::QueryPairs;
///
/// let mut pairs = QueryPairs::new(b"mode=tpbs&&format=txt&x");
/// assert_eq!(pairs.next(), Some((&b"mode"[..], &b"tpbs"[..])));
/// assert_eq!(pairs.next(), Some((&b"format"[..], &b"txt"[..])));
/// assert_eq!(pairs.next(), Some((&b"x"[..], &b""[..])));
/// assert_eq!(pairs.next(), None);
/// ```
#[derive(Debug, Clone)]
pub struct QueryPairs<'a> {
    rest: &'a [u8],
}

impl<'a> QueryPairs<'a> {
    /// Starts at the beginning of a query: the octets after the `?`.
    pub const fn new(query: &'a [u8]) -> Self {
        Self { rest: query }
    }
}

impl<'a> Iterator for QueryPairs<'a> {
    type Item = (&'a [u8], &'a [u8]);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        while !self.rest.is_empty() {
            let (parameter, rest) = split_at_octet(self.rest, b'&');
            self.rest = rest;
            if !parameter.is_empty() {
                return Some(split_at_octet(parameter, b'='));
            }
        }
        None
    }
}

impl FusedIterator for QueryPairs<'_> {}

/// Begins with the value of the parameter at the front of what is left of a query, if it has this
/// name.
#[inline]
pub(crate) fn value_of<'a>(name: &[u8], rest: &'a [u8]) -> Option<Decoded<'a>> {
    let behind_name = rest.strip_prefix(name)?;
    match *behind_name {
        [b'=', ref value @ ..] => Some(Decoded::new(value)),
        [] | [b'&', ..] => Some(Decoded::new(behind_name)),
        _ => None,
    }
}

/// Returns what follows the parameter that a query, or what is left of it, begins within.
#[inline]
pub(crate) fn behind_parameter(rest: &[u8]) -> &[u8] {
    split_at_octet(rest, b'&').1
}

/// Decodes the value of an `info_hash` in `query`.
#[inline]
pub(crate) fn decode_info_hash(
    query: &[u8],
    value: &mut Decoded<'_>,
) -> Result<InfoHash, QueryError> {
    let start = value.rest();
    percent::decode_exact(value)
        .map(InfoHash::new)
        .map_err(|unfit| {
            let kind = match unfit {
                Unfit::Escape => QueryErrorKind::InfoHashEscape,
                Unfit::Value => QueryErrorKind::InfoHashLength,
            };
            QueryError::new(kind, offset_in(query, start))
        })
}

/// Splits around the first `separator`; without one, everything is before it.
#[inline]
fn split_at_octet(octets: &[u8], separator: u8) -> (&[u8], &[u8]) {
    octets
        .iter()
        .position(|&octet| octet == separator)
        .and_then(|at| Some((octets.get(..at)?, octets.get(at + 1..)?)))
        // What is after everything is empty, but it has a place.
        .unwrap_or_else(|| octets.split_at(octets.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(query: &str) -> Vec<(&str, &str)> {
        QueryPairs::new(query.as_bytes())
            .map(|(name, value)| {
                let text = |octets| std::str::from_utf8(octets).unwrap();
                (text(name), text(value))
            })
            .collect()
    }

    #[test]
    fn odd_queries() {
        assert_eq!(pairs(""), []);
        assert_eq!(pairs("&&&"), []);
        assert_eq!(pairs("a"), [("a", "")]);
        assert_eq!(pairs("a="), [("a", "")]);
        assert_eq!(pairs("=b"), [("", "b")]);
        assert_eq!(pairs("="), [("", "")]);
        assert_eq!(pairs("a=b=c"), [("a", "b=c")]);
        assert_eq!(pairs("&a=1&&b=%26&"), [("a", "1"), ("b", "%26")]);
    }
}
