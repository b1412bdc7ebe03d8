use alloc::vec::Vec;

use crate::DecodeError;
use crate::bencode::Value;
use crate::read::Fields;
use crate::write::{put_integer, put_string};

/// Refuses an announce or a scrape (BEP 3, BEP 31).
///
/// | key | value |
/// |---|---|
/// | `failure reason` | string for a person to read |
/// | `retry in` | minutes as an integer, or the string `never`; optional |
///
/// ```
/// use opentracker_http_wire::{Failure, RetryIn};
///
/// let mut body = Vec::new();
/// Failure::new("tracker is full").retry_in(RetryIn::Minutes(15)).encode(&mut body);
/// assert_eq!(body, b"d14:failure reason15:tracker is full8:retry ini15ee");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure<'a> {
    /// For a person to read; UTF-8 by custom, any octets by rule.
    pub reason: &'a [u8],
    /// When the client may try again, if the tracker says so.
    pub retry_in: Option<RetryIn>,
}

impl<'a> Failure<'a> {
    /// Makes a refusal that does not say when to try again.
    pub const fn new(reason: &'a str) -> Self {
        Self {
            reason: reason.as_bytes(),
            retry_in: None,
        }
    }

    /// Says when to try again.
    #[must_use]
    pub const fn retry_in(mut self, retry_in: RetryIn) -> Self {
        self.retry_in = Some(retry_in);
        self
    }

    /// Appends the reply.
    pub fn encode(&self, out: &mut Vec<u8>) {
        put_string(out, b"d14:failure reason", self.reason);
        match self.retry_in {
            None => {}
            Some(RetryIn::Minutes(minutes)) => put_integer(out, b"8:retry in", minutes),
            Some(RetryIn::Never) => put_string(out, b"8:retry in", NEVER),
        }
        out.push(b'e');
    }

    /// Reads a refusal out of a reply; `None` if the reply is something else. A `retry in` that
    /// is neither of its two forms counts as absent, since a refusal is one anyhow.
    fn of_reply(reply: Fields<'a>) -> Result<Option<Self>, DecodeError> {
        let Some(reason) = reply.string("failure reason")? else {
            return Ok(None);
        };
        let retry_in = reply
            .dictionary()
            .get(b"retry in")
            .and_then(|value| match value {
                Value::Integer(minutes) => Some(RetryIn::Minutes(minutes.try_into().ok()?)),
                Value::String(text) => (text == NEVER).then_some(RetryIn::Never),
                _ => None,
            });
        Ok(Some(Self { reason, retry_in }))
    }
}

/// When a client that was refused may try again (BEP 31).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryIn {
    /// After this many minutes.
    Minutes(u32),
    /// Not at all.
    Never,
}

/// What a tracker says: the reply that was asked for, or a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer<'a, T> {
    /// The reply.
    Reply(T),
    /// The refusal.
    Failure(Failure<'a>),
}

impl<'a, T> Answer<'a, T> {
    /// Decodes a body that is a refusal or what `decode_reply` makes of it.
    pub(crate) fn decode(
        body: &'a [u8],
        decode_reply: impl FnOnce(Fields<'a>) -> Result<T, DecodeError>,
    ) -> Result<Self, DecodeError> {
        let reply = Fields::decode(body)?;
        match Failure::of_reply(reply)? {
            Some(failure) => Ok(Self::Failure(failure)),
            None => decode_reply(reply).map(Self::Reply),
        }
    }
}

const NEVER: &[u8] = b"never";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DecodeErrorKind;

    fn decode(body: &[u8]) -> Result<Answer<'_, ()>, DecodeError> {
        Answer::decode(body, |_| Ok(()))
    }

    #[test]
    fn golden_both_ways() {
        // By hand from BEP 3 and the forms of `retry in` in BEP 31.
        let failure = Failure::new("no such torrent");
        for (failure, golden) in [
            (failure, b"d14:failure reason15:no such torrente".as_slice()),
            (
                failure.retry_in(RetryIn::Minutes(5)),
                b"d14:failure reason15:no such torrent8:retry ini5ee",
            ),
            (
                failure.retry_in(RetryIn::Never),
                b"d14:failure reason15:no such torrent8:retry in5:nevere",
            ),
        ] {
            let mut body = b"head".to_vec();
            failure.encode(&mut body);
            assert_eq!(body, [b"head", golden].concat());
            assert_eq!(decode(golden), Ok(Answer::Failure(failure)));
        }
    }

    #[test]
    fn odd_failures() {
        let failure = Failure::new("x");
        for body in [
            "d14:failure reason1:x8:retry in4:soone",
            "d14:failure reason1:x8:retry ini-1ee",
            "d8:intervali1e14:failure reason1:x8:retry inlee",
        ] {
            assert_eq!(
                decode(body.as_bytes()),
                Ok(Answer::Failure(failure)),
                "{body}"
            );
        }
        assert_eq!(decode(b"de"), Ok(Answer::Reply(())));
        let error = decode(b"d14:failure reasoni1ee").unwrap_err();
        assert_eq!(error.kind(), DecodeErrorKind::WrongValue);
        assert_eq!((error.key(), error.offset()), (Some("failure reason"), 18));
        let error = decode(b"le").unwrap_err();
        assert_eq!(error.kind(), DecodeErrorKind::NotADictionary);
        assert_eq!(
            decode(b"d").unwrap_err().kind(),
            DecodeErrorKind::Incomplete
        );
    }
}
