//! The keys of replies, read with the type that they must have.

use crate::DecodeError;
use crate::bencode::{Dictionary, Value};

/// Reads a number of 32 bits, such as a count or a number of seconds; `None` without the key.
pub(crate) fn get_u32(
    dictionary: Dictionary<'_>,
    key: &'static str,
) -> Result<Option<u32>, DecodeError> {
    get(dictionary, key, |value| value.as_integer()?.try_into().ok())
}

/// Reads a number of 63 bits; `None` without the key.
pub(crate) fn get_u64(
    dictionary: Dictionary<'_>,
    key: &'static str,
) -> Result<Option<u64>, DecodeError> {
    get(dictionary, key, |value| value.as_integer()?.try_into().ok())
}

/// Reads a string; `None` without the key.
pub(crate) fn get_string<'a>(
    dictionary: Dictionary<'a>,
    key: &'static str,
) -> Result<Option<&'a [u8]>, DecodeError> {
    get(dictionary, key, Value::as_string)
}

/// Reads a dictionary; `None` without the key.
pub(crate) fn get_dictionary<'a>(
    dictionary: Dictionary<'a>,
    key: &'static str,
) -> Result<Option<Dictionary<'a>>, DecodeError> {
    get(dictionary, key, Value::as_dictionary)
}

fn get<'a, T>(
    dictionary: Dictionary<'a>,
    key: &'static str,
    read: impl FnOnce(Value<'a>) -> Option<T>,
) -> Result<Option<T>, DecodeError> {
    match dictionary.get(key.as_bytes()) {
        None => Ok(None),
        Some(value) => read(value).map(Some).ok_or(DecodeError::WrongValue(key)),
    }
}
