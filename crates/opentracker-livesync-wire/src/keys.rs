use core::iter;

use hkdf::HkdfExtract;
use sha2::Sha256;

use crate::Key;

/// The keys of a cluster: the first seals packets and issues connection ids, all are accepted. So
/// a key can be changed node by node (section "Keys" of `docs/livesync.md`).
#[derive(Debug, Clone)]
pub struct Keys {
    first: Key,
    others: [Option<Key>; Self::MAX - 1],
}

impl Keys {
    /// How many keys there are at the most.
    pub const MAX: usize = 4;

    /// The least digits of a key: 256 bits.
    pub const MIN_DIGITS: usize = 64;

    /// Makes the one key of a cluster that is not about to change it.
    pub const fn new(key: Key) -> Self {
        Self {
            first: key,
            others: [const { None }; Self::MAX - 1],
        }
    }

    /// Reads the file of secrets: one key a line, in at least [`Self::MIN_DIGITS`] hexadecimal
    /// digits. What follows a `#` is a comment, and blank lines mean nothing.
    ///
    /// # Errors
    ///
    /// Fails if a line is anything else, and if there is no key or more than [`Self::MAX`].
    pub fn parse(text: &str) -> Result<Self, KeysError> {
        let mut secrets = (1..).zip(text.lines()).filter_map(|(line, text)| {
            let digits = text.split('#').next().unwrap_or_default().trim();
            (!digits.is_empty()).then_some((line, digits))
        });
        let (line, digits) = secrets.next().ok_or(KeysError::NoKey)?;
        let mut keys = Self::new(read_key(line, digits)?);
        let mut places = keys.others.iter_mut();
        for (line, digits) in secrets {
            let key = read_key(line, digits)?;
            *places.next().ok_or(KeysError::TooMany { line })? = Some(key);
        }
        Ok(keys)
    }

    /// Returns the key that seals, and that issues connection ids.
    pub const fn first(&self) -> &Key {
        &self.first
    }

    /// Returns all keys, the first one first.
    pub fn iter(&self) -> impl Iterator<Item = &Key> {
        iter::once(&self.first).chain(self.others.iter().flatten())
    }
}

/// Why a file of secrets cannot be used. No message has a digit of a key in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeysError {
    /// No line has a key.
    #[error("there is no key")]
    NoKey,
    /// There is a character that is no hexadecimal digit.
    #[error("line {line}: character {column} of the key is no hexadecimal digit")]
    NotADigit {
        /// The line, the first one being 1.
        line: usize,
        /// Where in the key the character stands, the first one being 1.
        column: usize,
    },
    /// Two digits are an octet, and one is left over.
    #[error("line {line}: the key has an odd number of digits, {digits}")]
    OddDigits {
        /// The line, the first one being 1.
        line: usize,
        /// How many digits the key has.
        digits: usize,
    },
    /// The key is too short to be one.
    #[error(
        "line {line}: the key has {digits} digits, and {} are the least",
        Keys::MIN_DIGITS
    )]
    TooShort {
        /// The line, the first one being 1.
        line: usize,
        /// How many digits the key has.
        digits: usize,
    },
    /// There are more keys than [`Keys::MAX`].
    #[error("line {line}: more than {} keys", Keys::MAX)]
    TooMany {
        /// The line of the first one too many, the first line being 1.
        line: usize,
    },
}

/// Reads one key, octet by octet, so that no copy of the secret is left behind.
fn read_key(line: usize, text: &str) -> Result<Key, KeysError> {
    let mut extract = HkdfExtract::<Sha256>::new(None);
    let mut upper = None;
    let mut digits = 0;
    for (column, character) in (1..).zip(text.chars()) {
        let digit = character
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
            .ok_or(KeysError::NotADigit { line, column })?;
        digits = column;
        match upper.take() {
            Some(upper) => extract.input_ikm(&[upper << 4 | digit]),
            None => upper = Some(digit),
        }
    }
    if digits < Keys::MIN_DIGITS {
        return Err(KeysError::TooShort { line, digits });
    }
    if upper.is_some() {
        return Err(KeysError::OddDigits { line, digits });
    }
    Ok(Key::from_extract(extract))
}

#[cfg(test)]
mod tests {
    use std::format;
    use std::string::{String, ToString};
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    const SECRET: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

    fn names(keys: &Keys) -> Vec<String> {
        keys.iter().map(|key| key.name().to_string()).collect()
    }

    fn error(text: &str) -> String {
        Keys::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn a_file_has_comments_and_blank_lines_and_keys_in_order() {
        let file = format!("# a cluster\r\n\r\n  {SECRET} # since May\r\n\t\n{SECRET}00\n#\n");
        let keys = Keys::parse(&file).unwrap();
        let second = Key::derive(&core::array::from_fn::<u8, 33, _>(|octet| {
            u8::try_from(octet % 32).unwrap()
        }));
        assert_eq!(names(&keys), ["3f83247a", &second.name().to_string()]);
        assert_eq!(keys.first().name().to_string(), "3f83247a");
    }

    #[test]
    fn four_keys_are_taken_and_five_are_not() {
        let four = format!("{SECRET}\n").repeat(4);
        assert_eq!(names(&Keys::parse(&four).unwrap()), ["3f83247a"; 4]);
        assert_eq!(
            error(&format!("{four}\n{SECRET}")),
            "line 6: more than 4 keys"
        );
    }

    #[test]
    fn what_is_no_key_is_named_by_its_line() {
        assert_eq!(error("\n# nothing\n"), "there is no key");
        assert_eq!(
            error(&SECRET[1..]),
            "line 1: the key has 63 digits, and 64 are the least"
        );
        assert_eq!(
            error(&format!("{SECRET}\n{SECRET}0")),
            "line 2: the key has an odd number of digits, 65"
        );
        for not_a_digit in ["g", "+", " ", "é"] {
            assert_eq!(
                error(&format!("#\n\n{SECRET}{not_a_digit}0")),
                "line 3: character 65 of the key is no hexadecimal digit"
            );
        }
    }

    proptest! {
        #[test]
        fn digits_are_read_as_the_octets_that_they_are(
            secret in prop::collection::vec(any::<u8>(), 32..100),
        ) {
            let digits: String = secret.iter().map(|octet| format!("{octet:02X}")).collect();
            let keys = Keys::parse(&digits).unwrap();
            prop_assert_eq!(keys.first().name(), Key::derive(&secret).name());
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in any::<String>()) {
            let _ = Keys::parse(&text);
        }
    }
}
