use core::fmt;
use core::iter::FusedIterator;

use nom::Parser;
use nom::bytes::take_while;
use nom::multi::length_data;

use crate::EncodeError;
use crate::wire::{Parsed, Writer, octets};

const END_OF_OPTIONS: u8 = 0;
const NOP: u8 = 1;
const URL_DATA: u8 = 2;

/// The options after the fixed part of an announce request (BEP 41), as they stand in the packet.
///
/// | octets | option |
/// |---|---|
/// | 0x00 | end of options; what follows has no meaning |
/// | 0x01 | no operation, for padding |
/// | 0x02 length data | URL data: a piece of path and query of the tracker's URL |
/// | other length data | an option that is not known here |
///
/// The length is one octet, so a long URL comes in several pieces, to be joined in order.
/// Options that are cut short end the list; nothing about them is an error.
///
/// ```
/// use opentracker_udp_wire::{AnnounceOption, AnnounceOptions};
///
/// let options = AnnounceOptions::new(b"\x01\x02\x05/dir?\x02\x03a=b\x00ignored");
/// let mut pieces = options.iter().map(|option| match option {
///     AnnounceOption::UrlData(piece) => piece,
///     other => panic!("no such option above: {other:?}"),
/// });
/// assert_eq!(pieces.next(), Some(&b"/dir?"[..]));
/// assert_eq!(pieces.next(), Some(&b"a=b"[..]));
/// assert_eq!(pieces.next(), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct AnnounceOptions<'a>(&'a [u8]);

impl<'a> AnnounceOptions<'a> {
    /// Wraps the octets after the fixed part of an announce request, whatever they are.
    pub const fn new(octets: &'a [u8]) -> Self {
        Self(octets)
    }

    /// Writes path and query of the tracker's URL as URL data to the front of the buffer, in
    /// pieces of up to 255 octets, and returns the options.
    ///
    /// # Errors
    ///
    /// Fails if the buffer has not 2 octets a piece and 1 an octet of `url_data`.
    pub fn from_url_data(url_data: &[u8], buffer: &'a mut [u8]) -> Result<Self, EncodeError> {
        let needed_octets = 2 * url_data.len().div_ceil(usize::from(u8::MAX)) + url_data.len();
        let mut writer = Writer::with_room(&mut *buffer, needed_octets)?;
        for piece in url_data.chunks(usize::from(u8::MAX)) {
            let len = u8::try_from(piece.len()).expect("a chunk has at most 255 octets");
            writer = writer.put(&[URL_DATA, len]).put_slice(piece);
        }
        let written = writer.finish();
        Ok(Self(buffer.get(..written).unwrap_or_default()))
    }

    /// Returns the octets as they stand in the packet.
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.0
    }

    /// Goes through the options in order, without the no-operations, up to the end of options or
    /// to the first one that is cut short.
    pub const fn iter(&self) -> AnnounceOptionIter<'a> {
        AnnounceOptionIter { rest: self.0 }
    }
}

impl<'a> IntoIterator for AnnounceOptions<'a> {
    type Item = AnnounceOption<'a>;
    type IntoIter = AnnounceOptionIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Debug for AnnounceOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// One option of an announce request (BEP 41).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AnnounceOption<'a> {
    /// A piece of path and query of the tracker's URL, 0 to 255 octets.
    UrlData(&'a [u8]),
    /// An option that is not known here.
    Unknown {
        /// Its type, 3 to 255.
        kind: u8,
        /// Its data, 0 to 255 octets.
        data: &'a [u8],
    },
}

/// Goes through the options of an announce request; see [`AnnounceOptions::iter`].
#[derive(Debug, Clone)]
pub struct AnnounceOptionIter<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for AnnounceOptionIter<'a> {
    type Item = AnnounceOption<'a>;

    fn next(&mut self) -> Option<AnnounceOption<'a>> {
        let (rest, option) = option(self.rest).unwrap_or_default();
        self.rest = rest;
        option
    }
}

impl FusedIterator for AnnounceOptionIter<'_> {}

/// Takes no-operations and then one option, or everything at the end of options.
fn option(input: &[u8]) -> Parsed<'_, Option<AnnounceOption<'_>>> {
    let (input, _) = take_while(|kind| kind == NOP).parse(input)?;
    let (input, [kind]) = octets(input)?;
    if kind == END_OF_OPTIONS {
        return Ok((&[], None));
    }
    let (rest, data) = length_data(octets.map(|[len]: [u8; 1]| len)).parse(input)?;
    let option = match kind {
        URL_DATA => AnnounceOption::UrlData(data),
        kind => AnnounceOption::Unknown { kind, data },
    };
    Ok((rest, Some(option)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(octets: &[u8]) -> Vec<AnnounceOption<'_>> {
        AnnounceOptions::new(octets).iter().collect()
    }

    #[test]
    fn no_options() {
        assert_eq!(read(b""), []);
        assert_eq!(read(b"\x01\x01\x01"), []);
        assert_eq!(read(b"\x00\x02\x01x"), []);
    }

    /// By hand from the rules of BEP 41: `/dir?a=b&c=d` in one piece, and in two around a
    /// no-operation; an unknown option is skipped by its length.
    #[test]
    fn url_data_pieces() {
        let whole = AnnounceOption::UrlData(b"/dir?a=b&c=d");
        assert_eq!(read(b"\x02\x0c/dir?a=b&c=d"), [whole]);
        assert_eq!(read(b"\x02\x0c/dir?a=b&c=d\x00"), [whole]);
        assert_eq!(
            read(b"\x02\x05/dir?\x01\x09\x02??\x02\x07a=b&c=d\x02\x00\x00"),
            [
                AnnounceOption::UrlData(b"/dir?"),
                AnnounceOption::Unknown {
                    kind: 9,
                    data: b"??"
                },
                AnnounceOption::UrlData(b"a=b&c=d"),
                AnnounceOption::UrlData(b""),
            ]
        );
    }

    #[test]
    fn options_cut_short_end_the_list() {
        let options = b"\x02\x05/dir?\x02\x07a=b&c=d";
        for len in 0..options.len() {
            let whole = if len < 7 { 0 } else { 1 };
            assert_eq!(read(&options[..len]).len(), whole, "{len} octets");
        }
    }

    #[test]
    fn long_urls_come_in_pieces() {
        for (len, pieces) in [(0, 0), (1, 1), (255, 1), (256, 2), (510, 2), (511, 3)] {
            let url_data: Vec<u8> = (b'a'..=b'z').cycle().take(len).collect();
            let mut buffer = vec![0; 2 * pieces + len];
            let options = AnnounceOptions::from_url_data(&url_data, &mut buffer).unwrap();
            let mut joined = Vec::new();
            assert_eq!(options.iter().count(), pieces);
            for option in options {
                match option {
                    AnnounceOption::UrlData(piece) => joined.extend_from_slice(piece),
                    other => panic!("{other:?} was never written"),
                }
            }
            assert_eq!(joined, url_data);
            if let Some(less) = (2 * pieces + len).checked_sub(1) {
                assert!(AnnounceOptions::from_url_data(&url_data, &mut vec![0; less]).is_err());
            }
        }
    }
}
