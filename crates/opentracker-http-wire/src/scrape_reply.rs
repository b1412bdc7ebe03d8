use alloc::vec::Vec;

use opentracker_types::{InfoHash, SwarmCounts};

use crate::bencode::{Dictionary, Value};
use crate::read::{Fields, missing};
use crate::write::{put_decimal, put_integer};
use crate::{Answer, DecodeError};

/// Answers a scrape (BEP 48).
///
/// | key | value |
/// |---|---|
/// | `files` | dictionary from info hashes, 20 octets each, to dictionaries of counts |
/// | `flags` | dictionary with `min_request_interval`, in seconds; optional |
///
/// The counts of a torrent are `complete` (seeders), `downloaded` (completed downloads) and
/// `incomplete` (leechers). A tracker writes the reply with [`begin`](Self::begin).
///
/// ```
/// use opentracker_http_wire::ScrapeReply;
/// use opentracker_http_wire::types::{InfoHash, SwarmCounts};
///
/// let mut body = Vec::new();
/// let mut reply = ScrapeReply::begin(&mut body);
/// let counts = SwarmCounts { seeders: 1, leechers: 2, downloads: 3 };
/// reply.entry(&mut body, &InfoHash::new([b'a'; 20]), counts);
/// // A long reply would be sent in pieces here: whatever is in `body` is final.
/// reply.end(&mut body, Some(900));
/// assert_eq!(
///     body,
///     b"d5:filesd20:aaaaaaaaaaaaaaaaaaaad8:completei1e10:downloadedi3e10:incompletei2eee\
///       5:flagsd20:min_request_intervali900eee"
/// );
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScrapeReply<'a> {
    /// Checked: info hashes and dictionaries of counts in turn.
    files: Dictionary<'a>,
    min_request_interval_secs: Option<u32>,
}

impl<'a> ScrapeReply<'a> {
    /// Begins to append a reply.
    pub fn begin(out: &mut Vec<u8>) -> ScrapeReplyWriter {
        out.extend_from_slice(b"d5:filesd");
        ScrapeReplyWriter { last: None }
    }

    /// Goes through the entries in the order in which they stand there. Counts that an entry does
    /// not have are 0.
    pub fn entries(self) -> impl Iterator<Item = (InfoHash, SwarmCounts)> + Clone + use<'a> {
        // They have been checked, so no error has to say where it is.
        let files = Fields::new(&[], self.files);
        self.files
            .iter()
            .filter_map(move |(key, counts)| entry(files, key, counts).ok())
    }

    /// Returns how many seconds the client should leave between scrapes, if the tracker says so.
    pub const fn min_request_interval_secs(&self) -> Option<u32> {
        self.min_request_interval_secs
    }

    /// Decodes a reply, or a refusal, to a scrape. Unknown keys are ignored.
    ///
    /// # Errors
    ///
    /// Fails if the body is not the bencode of a dictionary, if it has no `files`, if something
    /// there is not an info hash with counts, or if a number is negative or beyond 32 bits
    /// (`downloaded`: 63 bits).
    pub fn decode(body: &'a [u8]) -> Result<Answer<'a, Self>, DecodeError> {
        Answer::decode(body, Self::of_fields)
    }

    fn of_fields(reply: Fields<'a>) -> Result<Self, DecodeError> {
        let files = reply.fields("files")?.ok_or(missing("files"))?;
        for (key, counts) in files.dictionary() {
            entry(files, key, counts)?;
        }
        let min_request_interval_secs = match reply.fields("flags")? {
            Some(flags) => flags.u32("min_request_interval")?,
            None => None,
        };
        Ok(Self {
            files: files.dictionary(),
            min_request_interval_secs,
        })
    }
}

/// Appends a scrape reply piece by piece; see [`ScrapeReply::begin`].
///
/// Nothing is held back: the caller may take away what has been appended between any two calls,
/// and so stream a reply of any length through a small buffer.
#[derive(Debug)]
#[must_use = "a reply that is not ended is not a reply"]
pub struct ScrapeReplyWriter {
    /// The info hash of the last entry.
    last: Option<InfoHash>,
}

impl ScrapeReplyWriter {
    /// The most octets that one [`entry`](Self::entry) appends.
    pub const MAX_ENTRY_LEN: usize = 106;

    /// Appends an entry.
    ///
    /// Info hashes must come in ascending order, each once, for bencode has sorted keys.
    ///
    /// # Panics
    ///
    /// In builds with debug assertions, if they do not ascend and have to.
    #[inline]
    pub fn entry(&mut self, out: &mut Vec<u8>, info_hash: &InfoHash, counts: SwarmCounts) {
        debug_assert!(
            self.last.is_none_or(|last| last < *info_hash),
            "info hashes must ascend"
        );
        self.last = Some(*info_hash);
        out.reserve(Self::MAX_ENTRY_LEN);
        out.extend_from_slice(b"20:");
        out.extend_from_slice(info_hash.as_bytes());
        put_integer(out, b"d8:complete", counts.seeders);
        put_integer(out, b"10:downloaded", counts.downloads);
        put_integer(out, b"10:incomplete", counts.leechers);
        out.push(b'e');
    }

    /// Appends the end of the reply, with `flags` if there is a number of seconds that the client
    /// should leave between scrapes.
    pub fn end(self, out: &mut Vec<u8>, min_request_interval_secs: Option<u32>) {
        out.push(b'e');
        if let Some(secs) = min_request_interval_secs {
            out.extend_from_slice(b"5:flagsd20:min_request_intervali");
            put_decimal(out, secs);
            out.extend_from_slice(b"ee");
        }
        out.push(b'e');
    }
}

/// Reads an entry of `files`; one that is wrong is said to be so where its key is.
fn entry<'a>(
    files: Fields<'a>,
    key: &[u8],
    counts: Value<'a>,
) -> Result<(InfoHash, SwarmCounts), DecodeError> {
    let (Ok(info_hash), Some(counts)) = (<[u8; 20]>::try_from(key), counts.as_dictionary()) else {
        return Err(files.wrong_value("files", key));
    };
    let counts = files.within(counts);
    let count = |key| counts.u32(key).map(Option::unwrap_or_default);
    let counts = SwarmCounts {
        seeders: count("complete")?,
        leechers: count("incomplete")?,
        downloads: counts.u64("downloaded")?.unwrap_or_default(),
    };
    Ok((info_hash.into(), counts))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DecodeErrorKind;

    /// By hand from BEP 48, keys sorted as BEP 3 asks.
    const GOLDEN: &[u8] = b"d5:filesd\
        20:aaaaaaaaaaaaaaaaaaaad8:completei1e10:downloadedi3e10:incompletei2ee\
        20:aaaaaaaaaaaaaaaaaaabd8:completei0e10:downloadedi4294967296e10:incompletei0ee\
        e5:flagsd20:min_request_intervali900eee";

    const ENTRIES: [(InfoHash, SwarmCounts); 2] = [
        (
            InfoHash::new(*b"aaaaaaaaaaaaaaaaaaaa"),
            SwarmCounts {
                seeders: 1,
                leechers: 2,
                downloads: 3,
            },
        ),
        (
            InfoHash::new(*b"aaaaaaaaaaaaaaaaaaab"),
            SwarmCounts {
                seeders: 0,
                leechers: 0,
                downloads: 0x1_0000_0000,
            },
        ),
    ];

    fn decode(body: &[u8]) -> ScrapeReply<'_> {
        match ScrapeReply::decode(body) {
            Ok(Answer::Reply(reply)) => reply,
            other => panic!("not a reply: {other:?}"),
        }
    }

    #[test]
    fn golden_both_ways() {
        // Streamed: each piece is taken away before the next.
        let mut body = Vec::new();
        let mut piece = Vec::new();
        let mut writer = ScrapeReply::begin(&mut piece);
        body.append(&mut piece);
        for (info_hash, counts) in ENTRIES {
            writer.entry(&mut piece, &info_hash, counts);
            body.append(&mut piece);
        }
        writer.end(&mut piece, Some(900));
        body.append(&mut piece);
        assert_eq!(
            body.escape_ascii().to_string(),
            GOLDEN.escape_ascii().to_string()
        );

        let reply = decode(GOLDEN);
        assert_eq!(reply.min_request_interval_secs(), Some(900));
        assert!(reply.entries().eq(ENTRIES));
    }

    #[test]
    fn nothing_known() {
        let mut body = Vec::new();
        ScrapeReply::begin(&mut body).end(&mut body, None);
        assert_eq!(body, b"d5:filesdee");
        let reply = decode(&body);
        assert_eq!(reply.entries().count(), 0);
        assert_eq!(reply.min_request_interval_secs(), None);
    }

    #[test]
    fn the_longest_entry() {
        let mut body = Vec::new();
        let mut writer = ScrapeReply::begin(&mut body);
        let before = body.len();
        let counts = SwarmCounts {
            seeders: u32::MAX,
            leechers: u32::MAX,
            // An integer of bencode has 63 bits in most decoders, in ours too.
            downloads: u64::MAX >> 1,
        };
        writer.entry(&mut body, &InfoHash::new([0xff; 20]), counts);
        assert_eq!(body.len() - before, ScrapeReplyWriter::MAX_ENTRY_LEN);
        writer.end(&mut body, None);
        assert!(
            decode(&body)
                .entries()
                .eq([(InfoHash::new([0xff; 20]), counts)])
        );
    }

    #[test]
    #[cfg(debug_assertions)]
    #[should_panic(expected = "info hashes must ascend")]
    fn order_is_the_callers() {
        let mut body = Vec::new();
        let mut writer = ScrapeReply::begin(&mut body);
        for (info_hash, counts) in ENTRIES.into_iter().rev() {
            writer.entry(&mut body, &info_hash, counts);
        }
    }

    #[test]
    fn wrong_replies() {
        use DecodeErrorKind::{MissingKey, WrongValue};
        for (body, kind, key, offset) in [
            ("de", MissingKey, "files", 0),
            ("d5:filesle1:xi1ee", WrongValue, "files", 8),
            ("d5:filesd1:xdeee", WrongValue, "files", 11),
            (
                "d5:filesd20:aaaaaaaaaaaaaaaaaaaai1eee",
                WrongValue,
                "files",
                12,
            ),
            (
                "d5:filesd20:aaaaaaaaaaaaaaaaaaaad8:completei-1eeee",
                WrongValue,
                "complete",
                43,
            ),
            ("d5:filesde5:flagsi1ee", WrongValue, "flags", 17),
            (
                "d5:filesde5:flagsd20:min_request_interval0:ee",
                WrongValue,
                "min_request_interval",
                41,
            ),
        ] {
            let error = ScrapeReply::decode(body.as_bytes()).unwrap_err();
            assert_eq!(error.kind(), kind, "{body}");
            assert_eq!((error.key(), error.offset()), (Some(key), offset), "{body}");
        }
    }

    #[test]
    fn entries_may_be_poor() {
        let reply = decode(b"d5:filesd20:aaaaaaaaaaaaaaaaaaaad4:name1:xeee");
        let counts = SwarmCounts::default();
        assert!(reply.entries().eq([(ENTRIES[0].0, counts)]));
    }

    #[test]
    fn truncation() {
        for len in 0..GOLDEN.len() {
            let error = ScrapeReply::decode(&GOLDEN[..len]).unwrap_err();
            assert_eq!(error.kind(), DecodeErrorKind::Incomplete, "{len} octets");
            assert_eq!(error.offset(), len);
        }
    }
}
