//! Bencoding (BEP 3), written for the tests alone: a test that read replies with the codec that
//! wrote them would not see a mistake in it.

use std::collections::BTreeMap;

/// How deep lists and dictionaries may lie in one another.
const MAX_DEPTH: usize = 32;

/// A bencoded value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// An integer.
    Integer(i64),
    /// A byte string.
    Bytes(Vec<u8>),
    /// A list.
    List(Vec<Self>),
    /// A dictionary.
    Dictionary(BTreeMap<Vec<u8>, Self>),
}

impl Value {
    /// Makes a byte string of a text.
    pub fn text(text: &str) -> Self {
        Self::Bytes(text.into())
    }

    /// Makes a dictionary.
    pub fn dictionary<const N: usize>(entries: [(&str, Self); N]) -> Self {
        Self::Dictionary(entries.map(|(key, value)| (key.into(), value)).into())
    }

    /// Reads one value that is all of `octets`; `None` if it breaks a rule of BEP 3, such as the
    /// order of keys or the form of integers.
    pub fn decode(octets: &[u8]) -> Option<Self> {
        let mut rest = octets;
        let value = decode_value(&mut rest, MAX_DEPTH)?;
        rest.is_empty().then_some(value)
    }

    /// Writes the value.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode_to(&mut out);
        out
    }

    /// Returns what stands under a key; `None` if this is no dictionary or lacks it.
    pub fn get(&self, key: impl AsRef<[u8]>) -> Option<&Self> {
        match self {
            Self::Dictionary(entries) => entries.get(key.as_ref()),
            _ => None,
        }
    }

    /// Returns the integer; `None` if this is none.
    pub fn as_integer(&self) -> Option<i64> {
        match *self {
            Self::Integer(value) => Some(value),
            _ => None,
        }
    }

    /// Returns the byte string; `None` if this is none.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Bytes(octets) => Some(octets),
            _ => None,
        }
    }

    fn encode_to(&self, out: &mut Vec<u8>) {
        match self {
            Self::Integer(value) => out.extend_from_slice(format!("i{value}e").as_bytes()),
            Self::Bytes(octets) => encode_bytes(octets, out),
            Self::List(values) => {
                out.push(b'l');
                for value in values {
                    value.encode_to(out);
                }
                out.push(b'e');
            }
            Self::Dictionary(entries) => {
                out.push(b'd');
                for (key, value) in entries {
                    encode_bytes(key, out);
                    value.encode_to(out);
                }
                out.push(b'e');
            }
        }
    }
}

fn encode_bytes(octets: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(format!("{}:", octets.len()).as_bytes());
    out.extend_from_slice(octets);
}

fn decode_value(rest: &mut &[u8], depth: usize) -> Option<Value> {
    let deeper = depth.checked_sub(1)?;
    match *rest.first()? {
        b'i' => {
            *rest = &rest[1..];
            decode_integer(rest, b'e').map(Value::Integer)
        }
        b'l' => {
            *rest = &rest[1..];
            let mut values = Vec::new();
            while !ends(rest)? {
                values.push(decode_value(rest, deeper)?);
            }
            Some(Value::List(values))
        }
        b'd' => {
            *rest = &rest[1..];
            let mut entries = BTreeMap::new();
            while !ends(rest)? {
                let key = decode_bytes(rest)?;
                if entries
                    .last_key_value()
                    .is_some_and(|(last, _)| *last >= key)
                {
                    return None;
                }
                entries.insert(key, decode_value(rest, deeper)?);
            }
            Some(Value::Dictionary(entries))
        }
        _ => decode_bytes(rest).map(Value::Bytes),
    }
}

/// Tells whether a list or dictionary ends here, and takes its end.
fn ends(rest: &mut &[u8]) -> Option<bool> {
    let end = *rest.first()? == b'e';
    if end {
        *rest = &rest[1..];
    }
    Some(end)
}

fn decode_bytes(rest: &mut &[u8]) -> Option<Vec<u8>> {
    let len = usize::try_from(decode_integer(rest, b':')?).ok()?;
    let (octets, after) = rest.split_at_checked(len)?;
    *rest = after;
    Some(octets.to_vec())
}

/// Takes an integer and the octet that ends it.
fn decode_integer(rest: &mut &[u8], end: u8) -> Option<i64> {
    let len = rest.iter().position(|&octet| octet == end)?;
    let digits = std::str::from_utf8(&rest[..len]).ok()?;
    let value: i64 = digits.parse().ok()?;
    // Only one form is right: no plus, no leading zeros, no minus zero.
    if value.to_string() != digits {
        return None;
    }
    *rest = &rest[len + 1..];
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_read_and_write_as_in_bep_3() {
        let golden = b"d3:bar4:spam3:fooi-42e4:listl0:i0eee";
        let value = Value::dictionary([
            ("foo", Value::Integer(-42)),
            ("bar", Value::text("spam")),
            (
                "list",
                Value::List(vec![Value::text(""), Value::Integer(0)]),
            ),
        ]);
        assert_eq!(value.encode(), golden);
        assert_eq!(Value::decode(golden), Some(value));
    }

    #[test]
    fn what_breaks_a_rule_does_not_decode() {
        for wrong in [
            "",
            "i",
            "ie",
            "i1",
            "i01e",
            "i-0e",
            "i+1e",
            "ixe",
            "4:spa",
            "-1:",
            "x",
            "l",
            "li1e",
            "d",
            "d1:a",
            "d1:ae",
            "di1ei2ee",
            "d1:bi1e1:ai2ee",
            "d1:ai1e1:ai2ee",
            "i1ei2e",
            "01:a",
        ] {
            assert_eq!(Value::decode(wrong.as_bytes()), None, "{wrong}");
        }
        let deep = "l".repeat(MAX_DEPTH + 1) + &"e".repeat(MAX_DEPTH + 1);
        assert_eq!(Value::decode(deep.as_bytes()), None);
    }

    #[test]
    fn a_dictionary_is_looked_into() {
        let value = Value::decode(b"d1:ai7e1:b2:\xff\x00e").expect("it is well-formed");
        assert_eq!(value.get("a").and_then(Value::as_integer), Some(7));
        assert_eq!(
            value.get("b").and_then(Value::as_bytes),
            Some(&[0xff, 0][..])
        );
        assert_eq!(value.get("c"), None);
        assert_eq!(value.get("a").and_then(|integer| integer.get("a")), None);
    }
}
