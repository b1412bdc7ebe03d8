//! A reader of bencode (BEP 3) that takes nothing but its one canonical form.

use std::collections::BTreeMap;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Bencode {
    Integer(i128),
    String(Vec<u8>),
    List(Vec<Self>),
    Dictionary(BTreeMap<Vec<u8>, Self>),
}

impl Bencode {
    /// Reads all of the octets as one value.
    pub(crate) fn read(octets: &[u8]) -> Result<Self, String> {
        let mut reader = Reader { octets, at: 0 };
        let value = reader.value()?;
        if reader.at == octets.len() {
            Ok(value)
        } else {
            Err(reader.error("something after the value"))
        }
    }

    /// Looks up a key of a dictionary.
    pub(crate) fn get(&self, key: impl AsRef<[u8]>) -> Option<&Self> {
        match self {
            Self::Dictionary(entries) => entries.get(key.as_ref()),
            _ => None,
        }
    }

    /// The keys of a dictionary, in order.
    pub(crate) fn keys(&self) -> Vec<&[u8]> {
        match self {
            Self::Dictionary(entries) => entries.keys().map(Vec::as_slice).collect(),
            other => panic!("no dictionary: {other:?}"),
        }
    }

    pub(crate) fn integer(&self) -> i128 {
        match self {
            Self::Integer(number) => *number,
            other => panic!("no integer: {other:?}"),
        }
    }

    pub(crate) fn string(&self) -> &[u8] {
        match self {
            Self::String(octets) => octets,
            other => panic!("no string: {other:?}"),
        }
    }

    pub(crate) fn list(&self) -> &[Self] {
        match self {
            Self::List(values) => values,
            other => panic!("no list: {other:?}"),
        }
    }
}

struct Reader<'a> {
    octets: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn value(&mut self) -> Result<Bencode, String> {
        match self.peek()? {
            b'i' => {
                self.at += 1;
                let digits = self.until(b'e')?;
                canonical(&digits)
                    .map(Bencode::Integer)
                    .ok_or_else(|| self.error("no canonical integer"))
            }
            b'l' => {
                self.at += 1;
                let mut values = Vec::new();
                while !self.is_end()? {
                    values.push(self.value()?);
                }
                Ok(Bencode::List(values))
            }
            b'd' => {
                self.at += 1;
                let mut entries: BTreeMap<Vec<u8>, Bencode> = BTreeMap::new();
                while !self.is_end()? {
                    let key = self.string()?;
                    if entries
                        .last_key_value()
                        .is_some_and(|(last, _)| *last >= key)
                    {
                        return Err(self.error("keys are not sorted"));
                    }
                    let value = self.value()?;
                    entries.insert(key, value);
                }
                Ok(Bencode::Dictionary(entries))
            }
            _ => self.string().map(Bencode::String),
        }
    }

    fn string(&mut self) -> Result<Vec<u8>, String> {
        let digits = self.until(b':')?;
        let length = canonical(&digits).and_then(|length| usize::try_from(length).ok());
        let length = length.ok_or_else(|| self.error("no canonical length"))?;
        let end = self.at.checked_add(length);
        let octets = end.and_then(|end| self.octets.get(self.at..end));
        let octets = octets.ok_or_else(|| self.error("a string that is cut short"))?;
        self.at += length;
        Ok(octets.to_vec())
    }

    fn is_end(&mut self) -> Result<bool, String> {
        let is_end = self.peek()? == b'e';
        self.at += usize::from(is_end);
        Ok(is_end)
    }

    fn until(&mut self, end: u8) -> Result<Vec<u8>, String> {
        let rest = &self.octets[self.at..];
        let length = rest.iter().position(|&octet| octet == end);
        let length = length.ok_or_else(|| self.error("an end that is missing"))?;
        self.at += length + 1;
        Ok(rest[..length].to_vec())
    }

    fn peek(&self) -> Result<u8, String> {
        let octet = self.octets.get(self.at).copied();
        octet.ok_or_else(|| self.error("an early end"))
    }

    fn error(&self, what: &str) -> String {
        let octets = self.octets.escape_ascii();
        format!("{what} at octet {}: {octets}", self.at)
    }
}

/// Reads an integer that is written as it must be: no leading zeros, no plus, no minus zero.
fn canonical(digits: &[u8]) -> Option<i128> {
    let text = str::from_utf8(digits).ok()?;
    let number: i128 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

#[test]
fn the_reader_takes_canonical_bencode_alone() {
    let read = Bencode::read(b"d1:ai-12e1:bl0:i0eee").unwrap();
    assert_eq!(read.get("a").unwrap().integer(), -12);
    assert_eq!(read.get("b").unwrap().list().len(), 2);
    for wrong in [
        "",
        "i1",
        "i01e",
        "i-0e",
        "i+1e",
        "ie",
        "02:ab",
        "3:ab",
        "-1:",
        "d1:bi1e1:ai1ee",
        "d1:ai1e1:ai2ee",
        "d1:ae",
        "di1ei1ee",
        "l",
        "i1ei2e",
        "99999999999999999999:",
        "x",
    ] {
        assert!(Bencode::read(wrong.as_bytes()).is_err(), "{wrong}");
    }
}
