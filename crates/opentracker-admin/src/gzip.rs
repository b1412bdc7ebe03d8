//! Compression of pages, for clients that accept it.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::header::{ACCEPT_ENCODING, HeaderMap};

/// Pages of fewer octets fit into one packet anyway.
pub(crate) const MIN_OCTETS: usize = 1400;

/// Compresses a page piece by piece.
#[derive(Debug)]
pub(crate) struct Gzip(GzEncoder<Vec<u8>>);

impl Gzip {
    pub(crate) fn new() -> Self {
        Self(GzEncoder::new(Vec::new(), Compression::fast()))
    }

    /// Compresses a piece, and returns what is ready; there may be nothing.
    pub(crate) fn put(&mut self, piece: &[u8]) -> Vec<u8> {
        self.0.write_all(piece).expect("a Vec takes everything");
        std::mem::take(self.0.get_mut())
    }

    /// Returns the rest.
    pub(crate) fn finish(self) -> Vec<u8> {
        self.0.finish().expect("a Vec takes everything")
    }

    /// Compresses a whole page.
    pub(crate) fn whole(page: &[u8]) -> Vec<u8> {
        let mut gzip = Self::new();
        let mut out = gzip.put(page);
        out.append(&mut gzip.finish());
        out
    }
}

/// Tells whether a client wants pages compressed (RFC 9110, section 12.5.3).
pub(crate) fn is_accepted(headers: &HeaderMap) -> bool {
    let mut by_name = None;
    let mut by_star = None;
    for value in headers.get_all(ACCEPT_ENCODING) {
        for entry in value.to_str().unwrap_or_default().split(',') {
            let mut parts = entry.split(';').map(str::trim);
            let coding = parts.next().unwrap_or_default();
            let is_wanted = parts
                .filter_map(|part| part.split_once('='))
                .filter(|(name, _)| name.trim().eq_ignore_ascii_case("q"))
                .all(|(_, weight)| {
                    weight
                        .trim()
                        .parse::<f32>()
                        .is_ok_and(|weight| weight > 0.0)
                });
            if coding.eq_ignore_ascii_case("gzip") || coding.eq_ignore_ascii_case("x-gzip") {
                by_name = Some(is_wanted);
            } else if coding == "*" {
                by_star = Some(is_wanted);
            }
        }
    }
    by_name.or(by_star).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::read::GzDecoder;
    use proptest::prelude::*;
    use std::io::Read;

    #[test]
    fn what_clients_accept() {
        for (value, expected) in [
            ("gzip", true),
            ("GZIP", true),
            ("x-gzip", true),
            ("deflate, gzip;q=0.5, br", true),
            ("gzip; Q = 1.0", true),
            ("gzip;q=0", false),
            ("gzip;q=0.000, *", false),
            ("gzip;q=no", false),
            ("*", true),
            ("*;q=0", false),
            ("br, zstd", false),
            ("identity", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(ACCEPT_ENCODING, value.parse().unwrap())]);
            assert_eq!(is_accepted(&headers), expected, "{value}");
        }
        assert!(!is_accepted(&HeaderMap::new()));
    }

    proptest! {
        #[test]
        fn pieces_come_out_as_they_were(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..500), 0..20),
        ) {
            let mut gzip = Gzip::new();
            let mut compressed = Vec::new();
            for piece in &pieces {
                compressed.append(&mut gzip.put(piece));
            }
            compressed.append(&mut gzip.finish());
            let mut decoded = Vec::new();
            GzDecoder::new(&*compressed).read_to_end(&mut decoded).unwrap();
            prop_assert_eq!(&decoded, &pieces.concat());
            prop_assert_eq!(Gzip::whole(&decoded).len(), Gzip::whole(&pieces.concat()).len());
        }
    }
}
