//! Compression of pages, for clients that accept it.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::header::{ACCEPT_ENCODING, HeaderMap};
use zstd::stream::write::Encoder as ZstdEncoder;

/// Pages of fewer octets fit into one packet anyway.
pub(crate) const MIN_OCTETS: usize = 1400;

/// As quick as gzip is at its quickest, and a good deal smaller.
const ZSTD_LEVEL: i32 = 1;

/// How a body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    Gzip,
    Zstd,
}

impl Coding {
    /// Its name in a header.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    /// Compresses a whole page.
    pub(crate) fn compress(self, page: &[u8]) -> Vec<u8> {
        match self {
            // It reserves for a page's length, and not for that of a stream.
            Self::Zstd => zstd::bulk::compress(page, ZSTD_LEVEL).expect("there is memory"),
            Self::Gzip => {
                let mut compressor = Compressor::new(self);
                let mut out = compressor.put(page);
                out.append(&mut compressor.finish());
                out
            }
        }
    }
}

/// Compresses a body piece by piece.
#[derive(Debug)]
pub(crate) enum Compressor {
    Gzip(GzEncoder<Vec<u8>>),
    Zstd(Zstd),
}

impl Compressor {
    pub(crate) fn new(coding: Coding) -> Self {
        match coding {
            Coding::Gzip => Self::Gzip(GzEncoder::new(Vec::new(), Compression::fast())),
            Coding::Zstd => Self::Zstd(Zstd::new()),
        }
    }

    /// Compresses a piece, and returns what is ready; there may be nothing.
    pub(crate) fn put(&mut self, piece: &[u8]) -> Vec<u8> {
        let (written, out) = match self {
            Self::Gzip(gzip) => (gzip.write_all(piece), gzip.get_mut()),
            Self::Zstd(Zstd(zstd)) => (zstd.write_all(piece), zstd.get_mut()),
        };
        written.expect("a Vec takes everything");
        std::mem::take(out)
    }

    /// Returns the rest.
    pub(crate) fn finish(self) -> Vec<u8> {
        let rest = match self {
            Self::Gzip(gzip) => gzip.finish(),
            Self::Zstd(Zstd(zstd)) => zstd.finish(),
        };
        rest.expect("a Vec takes everything")
    }
}

pub(crate) struct Zstd(ZstdEncoder<'static, Vec<u8>>);

impl Zstd {
    fn new() -> Self {
        Self(ZstdEncoder::new(Vec::new(), ZSTD_LEVEL).expect("there is memory"))
    }
}

impl std::fmt::Debug for Zstd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Zstd")
    }
}

/// What a client accepts (RFC 9110, section 12.5.3).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Accepted {
    gzip: f32,
    zstd: f32,
    identity: f32,
}

/// The weight of what a client has not spoken of but may be sent, if there is nothing better.
const UNSAID: f32 = 0.0001;

impl Accepted {
    pub(crate) fn of_headers(headers: &HeaderMap) -> Self {
        let (mut gzip, mut zstd, mut identity, mut star) = (None, None, None, None);
        for value in headers.get_all(ACCEPT_ENCODING) {
            for entry in value.to_str().unwrap_or_default().split(',') {
                let (name, weight) = weighted(entry);
                let place = match name.to_ascii_lowercase().as_str() {
                    "gzip" | "x-gzip" => &mut gzip,
                    "zstd" => &mut zstd,
                    "identity" => &mut identity,
                    "*" => &mut star,
                    _ => continue,
                };
                *place = Some(weight);
            }
        }
        Self {
            gzip: gzip.or(star).unwrap_or(0.0),
            // It is younger than many clients: who gets it has named it.
            zstd: zstd.unwrap_or(0.0),
            identity: match (identity, star) {
                (Some(weight), _) => weight,
                (None, Some(weight)) if weight <= 0.0 => 0.0,
                (None, _) => UNSAID,
            },
        }
    }

    /// Tells whether a body may be sent as it is.
    pub(crate) fn allows_identity(self) -> bool {
        self.identity > 0.0
    }

    /// Returns the coding that the client wants most, ours first where it does not care; `None`: it
    /// wants the body as it is, or nothing that there is.
    pub(crate) fn best(self) -> Option<Coding> {
        let best = self.zstd.max(self.gzip).max(self.identity);
        if best <= 0.0 {
            None
        } else if self.zstd == best {
            Some(Coding::Zstd)
        } else {
            (self.gzip == best).then_some(Coding::Gzip)
        }
    }
}

/// Splits an entry into the name of a coding and its weight, from 0 to 1.
fn weighted(entry: &str) -> (&str, f32) {
    let mut parts = entry.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default();
    let weight = parts
        .filter_map(|part| part.split_once('='))
        .find(|(parameter, _)| parameter.trim().eq_ignore_ascii_case("q"))
        .map_or(1.0, |(_, weight)| weight.trim().parse().unwrap_or(0.0));
    let is_weight = (0.0..=1.0).contains(&weight);
    (name, if is_weight { weight } else { 0.0 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::read::GzDecoder;
    use proptest::prelude::*;
    use std::io::Read;

    #[test]
    fn what_clients_accept() {
        let gzip = Some(Coding::Gzip);
        let zstd = Some(Coding::Zstd);
        for (value, expected, identity) in [
            ("gzip", gzip, true),
            ("GZIP", gzip, true),
            ("x-gzip", gzip, true),
            ("deflate, gzip;q=0.5, br", gzip, true),
            ("gzip; Q = 1.0", gzip, true),
            ("gzip;q=0", None, true),
            ("gzip;q=0.000, *", None, true),
            ("gzip;q=no", None, true),
            ("gzip;q=NaN", None, true),
            ("gzip;q=7", None, true),
            ("*", gzip, true),
            ("*;q=0", None, false),
            ("*;q=0, identity;q=0.1", None, true),
            ("gzip, deflate, br, zstd", zstd, true),
            ("zstd;q=0.5, gzip;q=0.6", gzip, true),
            ("zstd;q=0.6, gzip;q=0.5", zstd, true),
            ("br, ZSTD", zstd, true),
            ("zstd;q=0, *", gzip, true),
            ("identity", None, true),
            ("identity, gzip;q=0.9", None, true),
            ("identity;q=0.5, gzip", gzip, true),
            ("identity;q=0", None, false),
            ("identity;q=0, gzip;q=0.1", gzip, false),
            ("", None, true),
        ] {
            let headers = HeaderMap::from_iter([(ACCEPT_ENCODING, value.parse().unwrap())]);
            let accepted = Accepted::of_headers(&headers);
            assert_eq!(accepted.best(), expected, "{value}");
            assert_eq!(accepted.allows_identity(), identity, "{value}");
        }
        let accepted = Accepted::of_headers(&HeaderMap::new());
        assert_eq!(accepted.best(), None);
        assert!(accepted.allows_identity());
    }

    fn decoded(coding: Coding, compressed: &[u8]) -> Vec<u8> {
        let mut decoded = Vec::new();
        match coding {
            Coding::Gzip => GzDecoder::new(compressed).read_to_end(&mut decoded),
            Coding::Zstd => zstd::stream::read::Decoder::new(compressed)
                .unwrap()
                .read_to_end(&mut decoded),
        }
        .unwrap();
        decoded
    }

    proptest! {
        #[test]
        fn pieces_come_out_as_they_were(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..500), 0..20),
        ) {
            let whole = pieces.concat();
            for coding in [Coding::Gzip, Coding::Zstd] {
                let mut compressor = Compressor::new(coding);
                let mut compressed = Vec::new();
                for piece in &pieces {
                    compressed.append(&mut compressor.put(piece));
                }
                compressed.append(&mut compressor.finish());
                prop_assert_eq!(&decoded(coding, &compressed), &whole);
                prop_assert_eq!(&decoded(coding, &coding.compress(&whole)), &whole);
            }
        }
    }
}
