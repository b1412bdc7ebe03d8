//! The keys of replies, read with the type that they must have.

use crate::bencode::{self, Dictionary, Value};
use crate::error::offset_in;
use crate::{DecodeError, DecodeErrorKind};

/// A dictionary of a reply, and the whole reply, so that errors can say where.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a> {
    body: &'a [u8],
    dictionary: Dictionary<'a>,
}

impl<'a> Fields<'a> {
    /// Takes a dictionary that was cut out of `body`.
    pub(crate) const fn new(body: &'a [u8], dictionary: Dictionary<'a>) -> Self {
        Self { body, dictionary }
    }

    /// Decodes a body that must be a dictionary.
    pub(crate) fn decode(body: &'a [u8]) -> Result<Self, DecodeError> {
        match bencode::decode(body)? {
            Value::Dictionary(dictionary) => Ok(Self::new(body, dictionary)),
            _ => Err(DecodeError::new(DecodeErrorKind::NotADictionary, 0)),
        }
    }

    /// Goes on with a dictionary within this one.
    pub(crate) const fn within(self, dictionary: Dictionary<'a>) -> Self {
        Self::new(self.body, dictionary)
    }

    /// Returns the dictionary.
    pub(crate) const fn dictionary(self) -> Dictionary<'a> {
        self.dictionary
    }

    /// Reads a number of 32 bits, such as a count or a number of seconds; `None` without the key.
    pub(crate) fn u32(self, key: &'static str) -> Result<Option<u32>, DecodeError> {
        self.get(key, |value| value.as_integer()?.try_into().ok())
    }

    /// Reads a number of 63 bits; `None` without the key.
    pub(crate) fn u64(self, key: &'static str) -> Result<Option<u64>, DecodeError> {
        self.get(key, |value| value.as_integer()?.try_into().ok())
    }

    /// Reads a string; `None` without the key.
    pub(crate) fn string(self, key: &'static str) -> Result<Option<&'a [u8]>, DecodeError> {
        self.get(key, Value::as_string)
    }

    /// Reads a dictionary; `None` without the key.
    pub(crate) fn fields(self, key: &'static str) -> Result<Option<Self>, DecodeError> {
        let dictionary = self.get(key, Value::as_dictionary)?;
        Ok(dictionary.map(|dictionary| self.within(dictionary)))
    }

    /// Reads what `read` makes of the value; `None` without the key.
    pub(crate) fn get<T>(
        self,
        key: &'static str,
        read: impl FnOnce(Value<'a>) -> Option<T>,
    ) -> Result<Option<T>, DecodeError> {
        match self.dictionary.locate(key.as_bytes()) {
            None => Ok(None),
            Some((at, value)) => match read(value) {
                Some(read) => Ok(Some(read)),
                None => Err(self.wrong_value(key, at)),
            },
        }
    }

    /// Returns the error of a wrong value of `key` that is at the front of `at`.
    pub(crate) fn wrong_value(self, key: &'static str, at: &[u8]) -> DecodeError {
        DecodeError::new(DecodeErrorKind::WrongValue, offset_in(self.body, at)).of_key(key)
    }
}

/// Returns the error of a reply without a key that it must have.
pub(crate) const fn missing(key: &'static str) -> DecodeError {
    DecodeError::new(DecodeErrorKind::MissingKey, 0).of_key(key)
}
