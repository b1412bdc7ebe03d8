//! A reader of bencode (BEP 3): borrowed, bounded, and content with hostile input.
//!
//! [`decode`] checks everything at once; what it returns can be walked without errors. Nesting is
//! bounded by [`MAX_DEPTH`] or by the caller, a length is believed only as far as the input reaches, and nothing
//! is allocated.
//!
//! The grammar is strict: no leading zeros, no `-0`, keys are strings. The order of the keys is
//! not looked at, since many a tracker gets it wrong.
//!
//! ```
//! use opentracker_http_wire::bencode::{self, Value};
//!
//! let value = bencode::decode(b"d8:intervali1800e5:peersl3:fooi-1eee")?;
//! let dictionary = value.as_dictionary().ok_or("a dictionary is expected")?;
//! assert_eq!(dictionary.get(b"interval"), Some(Value::Integer(1800)));
//! let peers = dictionary.get(b"peers").and_then(Value::as_list).ok_or("a list is expected")?;
//! assert!(peers.iter().eq([Value::String(b"foo"), Value::Integer(-1)]));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use alloc::string::ToString;
use core::fmt;
use core::iter::FusedIterator;

use crate::{DecodeError, DecodeErrorKind};

/// How deep lists and dictionaries may nest: one that holds only strings and integers is 1 deep.
pub const MAX_DEPTH: usize = 16;

/// Decodes one value that takes up the whole input.
///
/// # Errors
///
/// Fails if the input is not the bencode of exactly one value, or nests deeper than
/// [`MAX_DEPTH`].
pub fn decode(input: &[u8]) -> Result<Value<'_>, DecodeError> {
    decode_to_depth(input, MAX_DEPTH)
}

/// Decodes one value that takes up the whole input, as [`decode`] does, and that nests no deeper
/// than `max_depth`. Each level takes some hundred octets of the stack.
///
/// # Errors
///
/// Fails if the input is not the bencode of exactly one value, or nests deeper.
pub fn decode_to_depth(input: &[u8], max_depth: usize) -> Result<Value<'_>, DecodeError> {
    let mut reader = Reader::new(input);
    let value = reader.value(max_depth)?;
    if reader.rest.is_empty() {
        Ok(value)
    } else {
        Err(reader.error(DecodeErrorKind::Trailing))
    }
}

/// A value of bencode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    /// An integer; those beyond 64 bits are refused.
    Integer(i64),
    /// A string of any octets.
    String(&'a [u8]),
    /// A list of values.
    List(List<'a>),
    /// A dictionary from strings to values.
    Dictionary(Dictionary<'a>),
}

impl<'a> Value<'a> {
    /// Returns the integer, if it is one.
    pub const fn as_integer(self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(number),
            _ => None,
        }
    }

    /// Returns the string, if it is one.
    pub const fn as_string(self) -> Option<&'a [u8]> {
        match self {
            Self::String(octets) => Some(octets),
            _ => None,
        }
    }

    /// Returns the list, if it is one.
    pub const fn as_list(self) -> Option<List<'a>> {
        match self {
            Self::List(list) => Some(list),
            _ => None,
        }
    }

    /// Returns the dictionary, if it is one.
    pub const fn as_dictionary(self) -> Option<Dictionary<'a>> {
        match self {
            Self::Dictionary(dictionary) => Some(dictionary),
            _ => None,
        }
    }
}

/// A list that has been checked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct List<'a> {
    /// The values one after the other, without the frame.
    items: &'a [u8],
}

impl<'a> List<'a> {
    /// Goes through the values in order.
    pub const fn iter(self) -> ListIter<'a> {
        ListIter {
            reader: Reader::new(self.items),
        }
    }

    /// Returns the bencode of the values, without the `l` and `e` around them.
    pub(crate) const fn as_bytes(self) -> &'a [u8] {
        self.items
    }
}

impl<'a> IntoIterator for List<'a> {
    type Item = Value<'a>;
    type IntoIter = ListIter<'a>;

    fn into_iter(self) -> ListIter<'a> {
        self.iter()
    }
}

impl fmt::Debug for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Goes through the values of a list; see [`List::iter`].
#[derive(Debug, Clone)]
pub struct ListIter<'a> {
    reader: Reader<'a>,
}

impl<'a> Iterator for ListIter<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        self.reader.checked_value()
    }
}

impl FusedIterator for ListIter<'_> {}

/// A dictionary that has been checked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Dictionary<'a> {
    /// Keys and values in turn, without the frame.
    entries: &'a [u8],
}

impl<'a> Dictionary<'a> {
    /// Looks up a key, from the front; of a repeated key the first counts.
    pub fn get(self, key: &[u8]) -> Option<Value<'a>> {
        self.locate(key).map(|(_, value)| value)
    }

    /// Looks up a key as [`get`](Self::get) does, and returns the entries from its value on, too.
    pub(crate) fn locate(self, key: &[u8]) -> Option<(&'a [u8], Value<'a>)> {
        let mut reader = Reader::new(self.entries);
        loop {
            let candidate = reader.checked_value()?.as_string()?;
            let at = reader.rest;
            let value = reader.checked_value()?;
            if candidate == key {
                return Some((at, value));
            }
        }
    }

    /// Returns the bencode of keys and values, without the `d` and `e` around them.
    pub const fn as_bytes(self) -> &'a [u8] {
        self.entries
    }

    /// Goes through keys and values in the order in which they stand there.
    pub const fn iter(self) -> DictionaryIter<'a> {
        DictionaryIter {
            reader: Reader::new(self.entries),
        }
    }
}

impl<'a> IntoIterator for Dictionary<'a> {
    type Item = (&'a [u8], Value<'a>);
    type IntoIter = DictionaryIter<'a>;

    fn into_iter(self) -> DictionaryIter<'a> {
        self.iter()
    }
}

impl fmt::Debug for Dictionary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries = self
            .iter()
            .map(|(key, value)| (key.escape_ascii().to_string(), value));
        f.debug_map().entries(entries).finish()
    }
}

/// Goes through the entries of a dictionary; see [`Dictionary::iter`].
#[derive(Debug, Clone)]
pub struct DictionaryIter<'a> {
    reader: Reader<'a>,
}

impl<'a> Iterator for DictionaryIter<'a> {
    type Item = (&'a [u8], Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let key = self.reader.checked_value()?.as_string()?;
        Some((key, self.reader.checked_value()?))
    }
}

impl FusedIterator for DictionaryIter<'_> {}

/// The input from a place on, and where that is.
#[derive(Debug, Clone)]
struct Reader<'a> {
    rest: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    const fn new(input: &'a [u8]) -> Self {
        Self {
            rest: input,
            offset: 0,
        }
    }

    const fn error(&self, kind: DecodeErrorKind) -> DecodeError {
        DecodeError::new(kind, self.offset)
    }

    /// Reads a value of an input that was checked before; `None` at its end.
    fn checked_value(&mut self) -> Option<Value<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        let value = self.value(usize::MAX);
        debug_assert!(value.is_ok(), "this input was checked");
        value.ok()
    }

    /// Reads a value in which lists and dictionaries nest at most `depth` deep.
    fn value(&mut self, depth: usize) -> Result<Value<'a>, DecodeError> {
        match self.rest.first() {
            None => Err(self.error(DecodeErrorKind::Incomplete)),
            Some(b'i') => {
                self.take(1)?;
                self.number_until(b'e').map(Value::Integer)
            }
            Some(b'0'..=b'9') => self.string().map(Value::String),
            Some(b'l') => {
                let items = self.container(depth, |reader, depth| {
                    reader.value(depth)?;
                    Ok(())
                })?;
                Ok(Value::List(List { items }))
            }
            Some(b'd') => {
                let entries = self.container(depth, |reader, depth| {
                    if !matches!(reader.rest.first(), None | Some(b'0'..=b'9')) {
                        return Err(reader.error(DecodeErrorKind::BadKey));
                    }
                    reader.string()?;
                    reader.value(depth)?;
                    Ok(())
                })?;
                Ok(Value::Dictionary(Dictionary { entries }))
            }
            Some(_) => Err(self.error(DecodeErrorKind::NotAValue)),
        }
    }

    /// Reads what is between the first octet of a list or dictionary and its `e`.
    fn container(
        &mut self,
        depth: usize,
        mut item: impl FnMut(&mut Self, usize) -> Result<(), DecodeError>,
    ) -> Result<&'a [u8], DecodeError> {
        let Some(depth) = depth.checked_sub(1) else {
            return Err(self.error(DecodeErrorKind::TooDeep));
        };
        self.take(1)?;
        let start = self.clone();
        while self.rest.first() != Some(&b'e') {
            item(self, depth)?;
        }
        let items = start.rest.get(..self.offset - start.offset);
        self.take(1)?;
        Ok(items.unwrap_or_default())
    }

    fn string(&mut self) -> Result<&'a [u8], DecodeError> {
        let start = self.clone();
        let octets = self.number_until(b':')?;
        let octets =
            usize::try_from(octets).map_err(|_| start.error(DecodeErrorKind::BadNumber))?;
        self.take(octets)
    }

    /// Reads a canonical decimal number and the octet that ends it.
    fn number_until(&mut self, end: u8) -> Result<i64, DecodeError> {
        let start = self.clone();
        let is_negative = self.rest.first() == Some(&b'-');
        if is_negative {
            self.take(1)?;
        }
        let leads_with_zero = self.rest.first() == Some(&b'0');
        let mut number = 0_i64;
        let mut digits = 0_usize;
        loop {
            let &[octet] = self.take(1)? else {
                return Err(start.error(DecodeErrorKind::BadNumber));
            };
            let digit = match octet {
                b'0'..=b'9' => i64::from(octet - b'0'),
                octet if octet == end => break,
                _ => return Err(start.error(DecodeErrorKind::BadNumber)),
            };
            // Downwards for a negative number, so that the least one has its turn.
            let digit = if is_negative { -digit } else { digit };
            number = number
                .checked_mul(10)
                .and_then(|number| number.checked_add(digit))
                .ok_or_else(|| start.error(DecodeErrorKind::BadNumber))?;
            digits += 1;
        }
        if digits == 0 || (leads_with_zero && (digits > 1 || is_negative)) {
            return Err(start.error(DecodeErrorKind::BadNumber));
        }
        Ok(number)
    }

    fn take(&mut self, octets: usize) -> Result<&'a [u8], DecodeError> {
        let Some((taken, rest)) = self.rest.split_at_checked(octets) else {
            // What is missing would stand where the input ends.
            self.offset += self.rest.len();
            return Err(self.error(DecodeErrorKind::Incomplete));
        };
        self.rest = rest;
        self.offset += octets;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode_text(text: &str) -> Result<Value<'_>, DecodeError> {
        decode(text.as_bytes())
    }

    #[test]
    fn integers() {
        for (text, number) in [
            ("i0e", 0),
            ("i42e", 42),
            ("i-42e", -42),
            ("i9223372036854775807e", i64::MAX),
            ("i-9223372036854775808e", i64::MIN),
        ] {
            assert_eq!(decode_text(text), Ok(Value::Integer(number)), "{text}");
        }
        for text in [
            "ie",
            "i-e",
            "i-0e",
            "i00e",
            "i03e",
            "i-03e",
            "i+1e",
            "i1.0e",
            "i 1e",
            "i1-e",
            "i9223372036854775808e",
            "i-9223372036854775809e",
        ] {
            let error = decode_text(text).unwrap_err();
            assert_eq!(error.kind(), DecodeErrorKind::BadNumber, "{text}");
            assert_eq!(error.offset(), 1, "{text}");
        }
    }

    #[test]
    fn strings() {
        assert_eq!(decode(b"0:"), Ok(Value::String(b"")));
        assert_eq!(decode(b"3:\x00e\xff"), Ok(Value::String(b"\x00e\xff")));
        for (text, kind, offset) in [
            ("3:ab", DecodeErrorKind::Incomplete, 4),
            ("3", DecodeErrorKind::Incomplete, 1),
            ("9223372036854775807:", DecodeErrorKind::Incomplete, 20),
            ("18446744073709551616:", DecodeErrorKind::BadNumber, 0),
            ("01:a", DecodeErrorKind::BadNumber, 0),
            ("1x:a", DecodeErrorKind::BadNumber, 0),
            ("-1:a", DecodeErrorKind::NotAValue, 0),
            ("1:ab", DecodeErrorKind::Trailing, 3),
        ] {
            let error = decode_text(text).unwrap_err();
            assert_eq!((error.kind(), error.offset()), (kind, offset), "{text}");
        }
    }

    #[test]
    fn containers() {
        let value = decode_text("d1:ai1e2:bbld0:0:ei-5ee1:cdee").unwrap();
        let dictionary = value.as_dictionary().unwrap();
        let keys: Vec<_> = dictionary.iter().map(|(key, _)| key).collect();
        assert_eq!(keys, [b"a".as_slice(), b"bb", b"c"]);
        assert_eq!(dictionary.get(b"a"), Some(Value::Integer(1)));
        assert_eq!(dictionary.get(b"b"), None);
        let list = dictionary.get(b"bb").unwrap().as_list().unwrap();
        let items: Vec<_> = list.iter().collect();
        assert_eq!(items.len(), 2);
        assert_eq!(
            items[0].as_dictionary().unwrap().get(b""),
            Some(Value::String(b""))
        );
        assert_eq!(items[1], Value::Integer(-5));
        assert_eq!(
            format!("{value:?}"),
            r#"Dictionary({"a": Integer(1), "bb": List([Dictionary({"": String([])}), Integer(-5)]), "c": Dictionary({})})"#
        );
    }

    #[test]
    fn the_first_of_a_repeated_key_counts() {
        let value = decode_text("d1:bi1e1:ai2e1:bi3ee").unwrap();
        assert_eq!(
            value.as_dictionary().unwrap().get(b"b"),
            Some(Value::Integer(1))
        );
    }

    #[test]
    fn errors_say_where() {
        for (text, kind, offset) in [
            ("", DecodeErrorKind::Incomplete, 0),
            ("x", DecodeErrorKind::NotAValue, 0),
            ("e", DecodeErrorKind::NotAValue, 0),
            ("l", DecodeErrorKind::Incomplete, 1),
            ("li1e", DecodeErrorKind::Incomplete, 4),
            ("li1exe", DecodeErrorKind::NotAValue, 4),
            ("d", DecodeErrorKind::Incomplete, 1),
            ("di1ei2ee", DecodeErrorKind::BadKey, 1),
            ("d1:ae", DecodeErrorKind::NotAValue, 4),
            ("d1:a", DecodeErrorKind::Incomplete, 4),
            ("i1ei2e", DecodeErrorKind::Trailing, 3),
            ("i1", DecodeErrorKind::Incomplete, 2),
        ] {
            let error = decode_text(text).unwrap_err();
            assert_eq!((error.kind(), error.offset()), (kind, offset), "{text}");
        }
        assert_eq!(
            decode_text("i01e").unwrap_err().to_string(),
            "malformed number at octet 1"
        );
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |depth| format!("{}{}", "l".repeat(depth), "e".repeat(depth));
        assert!(decode_text(&nested(MAX_DEPTH)).is_ok());
        for depth in [MAX_DEPTH + 1, 100_000] {
            let error = decode_text(&nested(depth)).unwrap_err();
            assert_eq!(error.kind(), DecodeErrorKind::TooDeep);
            assert_eq!(error.offset(), MAX_DEPTH);
        }
        let deep = nested(MAX_DEPTH + 1);
        let value = decode_to_depth(deep.as_bytes(), MAX_DEPTH + 1).unwrap();
        let mut depth = 0;
        let mut innermost = Some(value);
        while let Some(list) = innermost.and_then(Value::as_list) {
            depth += 1;
            innermost = list.iter().next();
        }
        assert_eq!(depth, MAX_DEPTH + 1, "it can be walked, too");
        let deep_dictionary = "d0:".repeat(100_000);
        let error = decode_text(&deep_dictionary).unwrap_err();
        assert_eq!(error.kind(), DecodeErrorKind::TooDeep);
    }
}
