use alloc::vec::Vec;

use opentracker_types::InfoHash;

use crate::query::{behind_parameter, decode_info_hash, value_of};
use crate::{QueryError, percent};

/// What a client asks for in a scrape (BEP 48): the parameter `info_hash`, any number of times.
/// Other parameters are ignored.
///
/// The info hashes are held in ascending order and each once, as the reply must list them. They
/// lie in the value itself, about 1.3 KiB, without an allocation.
///
/// ```
/// use opentracker_http_wire::ScrapeQuery;
///
/// let query = ScrapeQuery::decode(
///     b"info_hash=bbbbbbbbbbbbbbbbbbbb&info_hash=aaaaaaaaaaaaaaaaaaaa&info_hash=bbbbbbbbbbbbbbbbbbbb",
/// )?;
/// let first_octets = query.info_hashes().iter().map(|info_hash| info_hash.as_bytes()[0]);
/// assert!(first_octets.eq(*b"ab"));
/// # Ok::<(), opentracker_http_wire::QueryError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScrapeQuery {
    /// Those behind the ones that count are all zeros.
    info_hashes: [InfoHash; Self::MAX_INFO_HASHES],
    /// How many of them count, from the front.
    len: usize,
}

impl ScrapeQuery {
    /// The most info hashes of one query; of more, the first ones count.
    pub const MAX_INFO_HASHES: usize = 64;

    /// Makes a query for the first [`MAX_INFO_HASHES`](Self::MAX_INFO_HASHES) of these.
    pub fn new(info_hashes: impl IntoIterator<Item = InfoHash>) -> Self {
        let mut query = Self::empty();
        for info_hash in info_hashes.into_iter().take(Self::MAX_INFO_HASHES) {
            query.insert(info_hash);
        }
        query
    }

    /// Returns the info hashes in ascending order, each once. With none of them a client asks for
    /// all torrents there are.
    pub fn info_hashes(&self) -> &[InfoHash] {
        self.info_hashes.get(..self.len).unwrap_or_default()
    }

    /// Decodes a query: the octets after the `?` of the request target. What comes after the
    /// first [`MAX_INFO_HASHES`](Self::MAX_INFO_HASHES) `info_hash` parameters is not looked at.
    ///
    /// # Errors
    ///
    /// Fails if one of those `info_hash` is not 20 octets, properly percent-encoded.
    pub fn decode(query: &[u8]) -> Result<Self, QueryError> {
        let mut decoded = Self::empty();
        let mut rest = query;
        let mut taken = 0;
        while !rest.is_empty() && taken < Self::MAX_INFO_HASHES {
            if let Some(mut value) = value_of(b"info_hash", rest) {
                decoded.insert(decode_info_hash(query, &mut value)?);
                taken += 1;
                rest = value.rest();
            }
            rest = behind_parameter(rest);
        }
        Ok(decoded)
    }

    /// Appends the query, without a `?` before it.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut name = b"info_hash=".as_slice();
        for info_hash in self.info_hashes() {
            out.extend_from_slice(name);
            percent::encode(info_hash.as_bytes(), out);
            name = b"&info_hash=";
        }
    }

    const fn empty() -> Self {
        Self {
            info_hashes: [InfoHash::new([0; InfoHash::LEN]); Self::MAX_INFO_HASHES],
            len: 0,
        }
    }

    /// Puts an info hash in its place, unless it is there or all places are taken.
    fn insert(&mut self, info_hash: InfoHash) {
        let Err(at) = self.info_hashes().binary_search(&info_hash) else {
            return;
        };
        // The vacant place behind the last one moves to where this one belongs.
        if let Some(places) = self.info_hashes.get_mut(at..=self.len) {
            places.rotate_right(1);
            if let Some(place) = places.first_mut() {
                *place = info_hash;
                self.len += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::QueryErrorKind;

    fn numbered(number: u8) -> InfoHash {
        InfoHash::new([number; 20])
    }

    #[test]
    fn golden_both_ways() {
        // By hand from BEP 48, with the example info hash of the BitTorrent specification at
        // wiki.theory.org second.
        let text = b"info_hash=%00abcdefghijklmnopqr%FF\
            &info_hash=%124Vx%9A%BC%DE%F1%23Eg%89%AB%CD%EF%124Vx%9A";
        let hashes = [
            InfoHash::new(*b"\0abcdefghijklmnopqr\xff"),
            "123456789abcdef123456789abcdef123456789a".parse().unwrap(),
        ];
        let query = ScrapeQuery::decode(text).unwrap();
        assert_eq!(query.info_hashes(), hashes);
        assert_eq!(query, ScrapeQuery::new(hashes));
        let mut out = b"before?".to_vec();
        query.encode(&mut out);
        assert_eq!(out, [b"before?".as_slice(), text].concat());
    }

    #[test]
    fn none_is_not_an_error() {
        for text in ["", "x=y", "info_has=x", "&&"] {
            let query = ScrapeQuery::decode(text.as_bytes()).unwrap();
            assert!(query.info_hashes().is_empty(), "{text}");
        }
        let mut out = Vec::new();
        ScrapeQuery::new([]).encode(&mut out);
        assert!(out.is_empty());
    }

    #[test]
    fn sorted_and_each_once() {
        for numbers in [[1, 2, 3], [3, 2, 1], [2, 3, 1], [1, 3, 2]] {
            let query = ScrapeQuery::new(numbers.into_iter().chain(numbers).map(numbered));
            assert_eq!(query.info_hashes(), [1, 2, 3].map(numbered), "{numbers:?}");
        }
    }

    #[test]
    fn the_first_64_count() {
        let query = ScrapeQuery::new((0..=255).rev().map(numbered));
        let expected: Vec<_> = (192..=255).map(numbered).collect();
        assert_eq!(query.info_hashes(), expected);

        let mut text = Vec::new();
        query.encode(&mut text);
        text.extend_from_slice(b"&info_hash=%zz");
        assert_eq!(ScrapeQuery::decode(&text), Ok(query));

        // Repetitions take places too.
        let repeated = std::iter::repeat_n(7, 64).chain([1]).map(numbered);
        assert_eq!(ScrapeQuery::new(repeated).info_hashes(), [numbered(7)]);
    }

    #[test]
    fn malformed_info_hashes() {
        let good = "info_hash=aaaaaaaaaaaaaaaaaaaa";
        for (text, kind, offset) in [
            ("info_hash", QueryErrorKind::InfoHashLength, 40),
            ("info_hash&x", QueryErrorKind::InfoHashLength, 40),
            ("info_hash=short", QueryErrorKind::InfoHashLength, 41),
            ("info_hash=%4", QueryErrorKind::InfoHashEscape, 41),
            (
                "info_hash=aaaaaaaaaaaaaaaaaaaa%",
                QueryErrorKind::InfoHashEscape,
                41,
            ),
        ] {
            let query = format!("{good}&{text}");
            let error = ScrapeQuery::decode(query.as_bytes()).unwrap_err();
            assert_eq!((error.kind(), error.offset()), (kind, offset), "{text}");
        }
    }
}
