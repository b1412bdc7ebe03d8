//! The parameters of a request: each is known, is there once, and is what it has to be.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use opentracker_api::{Problem, Sort};
use opentracker_http_wire::QueryPairs;
use opentracker_types::InfoHash;

use super::problem::bad_parameter;

/// Characters of a note at most.
const MAX_NOTE: usize = 200;

/// The parameters of a query, of which a request takes only those that it names.
#[derive(Debug)]
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Reads a query whose parameters have to be among these.
    pub(super) fn read(query: &str, known: &[&str]) -> Result<Self, Problem> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for (name, value) in QueryPairs::new(query.as_bytes()) {
            let name = decode(name).ok_or_else(|| bad_parameter("", "its name is no text"))?;
            if !known.contains(&&*name) {
                let detail = match known {
                    [] => "there are no parameters here".to_owned(),
                    known => format!("it is not known here: there is {}", known.join(", ")),
                };
                return Err(bad_parameter(&name, &detail));
            }
            if pairs.iter().any(|(other, _)| *other == name) {
                return Err(bad_parameter(&name, "it is there twice"));
            }
            let value = decode(value).ok_or_else(|| bad_parameter(&name, "it is no text"))?;
            pairs.push((name.into_owned(), value.into_owned()));
        }
        Ok(Self(pairs))
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let mut pairs = self.0.iter();
        pairs.find_map(|(known, value)| (known == name).then_some(&**value))
    }

    pub(super) fn number(
        &self,
        name: &str,
        default: usize,
        bounds: RangeInclusive<usize>,
    ) -> Result<usize, Problem> {
        let Some(text) = self.text(name) else {
            return Ok(default);
        };
        let number = text.bytes().all(|octet| octet.is_ascii_digit());
        let number = number.then(|| text.parse().ok()).flatten();
        number
            .filter(|number| bounds.contains(number))
            .ok_or_else(|| {
                let (least, most) = (bounds.start(), bounds.end());
                bad_parameter(name, &format!("write a number from {least} to {most}"))
            })
    }

    pub(super) fn sort(&self) -> Result<Sort, Problem> {
        Ok(match self.text("sort") {
            None | Some("none") => Sort::None,
            Some("info_hash") => Sort::InfoHash,
            Some("peers") => Sort::Peers,
            Some("seeders") => Sort::Seeders,
            Some("leechers") => Sort::Leechers,
            Some("downloads") => Sort::Downloads,
            Some(_) => {
                let detail = "write none, info_hash, peers, seeders, leechers or downloads";
                return Err(bad_parameter("sort", detail));
            }
        })
    }

    pub(super) fn info_hash(&self, name: &str) -> Result<Option<InfoHash>, Problem> {
        self.text(name)
            .map(|text| info_hash(name, text))
            .transpose()
    }

    /// Reads the reason for a block: one line of text.
    pub(super) fn note(&self) -> Result<&str, Problem> {
        let note = self.text("note").unwrap_or_default();
        if note.chars().count() > MAX_NOTE || note.chars().any(char::is_control) {
            let detail = format!("write one line of at most {MAX_NOTE} characters");
            return Err(bad_parameter("note", &detail));
        }
        Ok(note)
    }
}

/// Reads an info hash.
pub(super) fn info_hash(name: &str, text: &str) -> Result<InfoHash, Problem> {
    let is_hash = text.len() == 40 && text.bytes().all(|octet| octet.is_ascii_hexdigit());
    let parsed = is_hash.then(|| text.parse().ok()).flatten();
    parsed.ok_or_else(|| bad_parameter(name, "write 40 hexadecimal digits"))
}

/// Undoes percent-encoding, if text comes of it.
fn decode(octets: &[u8]) -> Option<Cow<'_, str>> {
    if !octets.iter().any(|octet| b"%+".contains(octet)) {
        return str::from_utf8(octets).ok().map(Cow::Borrowed);
    }
    let mut decoded = Vec::with_capacity(octets.len());
    let mut rest = octets;
    while let [first, behind @ ..] = rest {
        rest = behind;
        match first {
            b'+' => decoded.push(b' '),
            b'%' => {
                let (digits, behind) = rest.split_at_checked(2)?;
                let digits = str::from_utf8(digits).ok()?;
                decoded.push(u8::from_str_radix(digits, 16).ok()?);
                rest = behind;
            }
            octet => decoded.push(*octet),
        }
    }
    String::from_utf8(decoded).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_known_single_and_within_their_bounds() {
        let read = |query| Parameters::read(query, &["limit", "note"]);
        let field = |query| read(query).unwrap_err().field;
        assert_eq!(field("limit=1&limt=2").as_deref(), Some("limt"));
        assert_eq!(field("limit=1&limit=1").as_deref(), Some("limit"));
        assert_eq!(field("note=%ff").as_deref(), Some("note"));
        assert_eq!(field("note=%f").as_deref(), Some("note"));
        let number = |query| read(query).unwrap().number("limit", 7, 1..=9);
        assert_eq!(number(""), Ok(7));
        assert_eq!(number("limit=9"), Ok(9));
        for wrong in [
            "limit=0", "limit=10", "limit=", "limit=x", "limit=+1", "limit=-1",
        ] {
            let problem = number(wrong).unwrap_err();
            assert_eq!(problem.detail, "write a number from 1 to 9", "{wrong}");
            assert_eq!(problem.field.as_deref(), Some("limit"));
        }
        let noted = read("note=a+b%20%C3%A4%2B").unwrap();
        assert_eq!(noted.note(), Ok("a b ä+"));
        assert!(read("note=a%0Ab").unwrap().note().is_err());
        assert!(
            read(&format!("note={}", "x".repeat(201)))
                .unwrap()
                .note()
                .is_err()
        );
    }

    #[test]
    fn an_info_hash_has_forty_digits() {
        let text = "ABababababababababababababababababababab";
        let read = info_hash("info_hash", text).unwrap();
        assert_eq!(read.to_string(), text.to_lowercase());
        for wrong in ["", "ab", &text[1..], &"ab".repeat(32), &"é".repeat(20)] {
            assert!(info_hash("info_hash", wrong).is_err(), "{wrong}");
        }
    }
}
