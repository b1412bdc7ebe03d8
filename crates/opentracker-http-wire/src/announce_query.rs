use alloc::vec::Vec;

use opentracker_types::{AnnounceRequest, Event, InfoHash, PeerId};

use crate::error::offset_in;
use crate::percent::{self, Decoded, Unfit};
use crate::query::{behind_parameter, decode_info_hash, value_of};
use crate::write::put_decimal;
use crate::{QueryError, QueryErrorKind};

/// What a client says in an announce (BEP 3, BEP 21, BEP 23).
///
/// | parameter | value |
/// |---|---|
/// | `info_hash` | required; 20 octets, percent-encoded |
/// | `port` | required; 1 to 65535 |
/// | `peer_id` | 20 octets, percent-encoded |
/// | `left` | octets to download, 0 to 2⁶⁴ − 1; anything else is a leecher |
/// | `uploaded`, `downloaded` | octets, 0 to 2⁶⁴ − 1 |
/// | `event` | `started`, `completed`, `stopped`, `paused`; anything else is none |
/// | `numwant` | 0 to 2³² − 1; anything else lets the tracker choose |
/// | `compact` | 0 = peers as a list of dictionaries |
/// | `no_peer_id` | 1 = that list without peer ids |
///
/// Other parameters, `ip`, `key`, `trackerid` and `supportcrypto` among them, are ignored. Names
/// are compared as they stand; values are percent-decoded, with `+` for itself. Of a parameter
/// that is given more than once the first counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct AnnounceQuery {
    /// What every front end knows of an announce. Its port is not 0 after decoding.
    pub announce: AnnounceRequest,
    /// Octets that the client says it has downloaded.
    pub downloaded: Option<u64>,
    /// Octets that the client says it has uploaded.
    pub uploaded: Option<u64>,
    /// Whether peers may come in compact form (BEP 23): unless the client says `compact=0`.
    pub compact: bool,
    /// Whether the client wants no peer ids in a list of dictionaries.
    pub no_peer_id: bool,
}

impl AnnounceQuery {
    /// Makes a query that says no more than the announce, and takes peers in compact form.
    pub const fn new(announce: AnnounceRequest) -> Self {
        Self {
            announce,
            downloaded: None,
            uploaded: None,
            compact: true,
            no_peer_id: false,
        }
    }

    /// Decodes a query: the octets after the `?` of the request target.
    ///
    /// # Errors
    ///
    /// Fails if `info_hash` or `port` is missing or wrong. Any other parameter that is wrong
    /// counts as absent: a client that cannot say how much is `left`, and says `-1` or nothing,
    /// is a leecher.
    pub fn decode(query: &[u8]) -> Result<Self, QueryError> {
        let values = Values::collect(query);
        let missing = |kind| QueryError::new(kind, query.len());
        let info_hash = values
            .info_hash
            .ok_or_else(|| missing(QueryErrorKind::MissingInfoHash))??;
        let port = values
            .port
            .ok_or_else(|| missing(QueryErrorKind::MissingPort))??;
        let number = |value: Option<Result<u64, Unfit>>| value?.ok();
        let mut announce = AnnounceRequest::new(info_hash, port);
        announce.peer_id = values.peer_id.and_then(Result::ok).map(PeerId::new);
        announce.left = number(values.left);
        announce.event = values.event.unwrap_or(Event::None);
        announce.num_want = number(values.numwant).and_then(|peers| peers.try_into().ok());
        Ok(Self {
            announce,
            downloaded: number(values.downloaded),
            uploaded: number(values.uploaded),
            compact: number(values.compact) != Some(0),
            no_peer_id: number(values.no_peer_id) == Some(1),
        })
    }

    /// Appends the query, without a `?` before it.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let announce = &self.announce;
        out.extend_from_slice(b"info_hash=");
        percent::encode(announce.info_hash.as_bytes(), out);
        if let Some(peer_id) = &announce.peer_id {
            out.extend_from_slice(b"&peer_id=");
            percent::encode(peer_id.as_bytes(), out);
        }
        put_parameter(out, b"&port=", Some(announce.port.into()));
        put_parameter(out, b"&uploaded=", self.uploaded);
        put_parameter(out, b"&downloaded=", self.downloaded);
        put_parameter(out, b"&left=", announce.left);
        put_parameter(out, b"&numwant=", announce.num_want.map(Into::into));
        put_parameter(out, b"&compact=", Some(self.compact.into()));
        put_parameter(out, b"&no_peer_id=", self.no_peer_id.then_some(1));
        if let Some(event) = event_name(announce.event) {
            out.extend_from_slice(b"&event=");
            out.extend_from_slice(event.as_bytes());
        }
    }
}

/// The first value of each parameter that means something here; `None` without one.
#[derive(Default)]
struct Values {
    info_hash: Option<Result<InfoHash, QueryError>>,
    peer_id: Option<Result<[u8; PeerId::LEN], Unfit>>,
    port: Option<Result<u16, QueryError>>,
    uploaded: Option<Result<u64, Unfit>>,
    downloaded: Option<Result<u64, Unfit>>,
    left: Option<Result<u64, Unfit>>,
    event: Option<Event>,
    numwant: Option<Result<u64, Unfit>>,
    compact: Option<Result<u64, Unfit>>,
    no_peer_id: Option<Result<u64, Unfit>>,
}

impl Values {
    fn collect(query: &[u8]) -> Self {
        let mut values = Self::default();
        let mut rest = query;
        while !rest.is_empty() {
            rest = behind_parameter(values.take(query, rest));
        }
        values
    }

    /// Takes the value of the parameter at the front of what is left of a query, and returns what is
    /// left from somewhere in that parameter. Values are decoded where they are met: looking for their
    /// ends first takes a fifth longer.
    #[inline]
    fn take<'a>(&mut self, query: &[u8], rest: &'a [u8]) -> &'a [u8] {
        let value = |name| value_of(name, rest);
        if let Some(value) = value(b"info_hash") {
            first(&mut self.info_hash, value, |value| {
                decode_info_hash(query, value)
            })
        } else if let Some(value) = value(b"peer_id") {
            first(&mut self.peer_id, value, percent::decode_exact)
        } else if let Some(value) = value(b"port") {
            first(&mut self.port, value, |value| decode_port(query, value))
        } else if let Some(value) = value(b"uploaded") {
            first(&mut self.uploaded, value, percent::decode_number)
        } else if let Some(value) = value(b"downloaded") {
            first(&mut self.downloaded, value, percent::decode_number)
        } else if let Some(value) = value(b"left") {
            first(&mut self.left, value, percent::decode_number)
        } else if let Some(value) = value(b"event") {
            first(&mut self.event, value, decode_event)
        } else if let Some(value) = value(b"numwant") {
            first(&mut self.numwant, value, percent::decode_number)
        } else if let Some(value) = value(b"compact") {
            first(&mut self.compact, value, percent::decode_number)
        } else if let Some(value) = value(b"no_peer_id") {
            first(&mut self.no_peer_id, value, percent::decode_number)
        } else {
            rest
        }
    }
}

/// Decodes a value, unless there is one already, and returns what is left behind it.
#[inline]
fn first<'a, T>(
    place: &mut Option<T>,
    mut value: Decoded<'a>,
    decode: impl FnOnce(&mut Decoded<'a>) -> T,
) -> &'a [u8] {
    if place.is_none() {
        *place = Some(decode(&mut value));
    }
    value.rest()
}

#[inline]
fn decode_port(query: &[u8], value: &mut Decoded<'_>) -> Result<u16, QueryError> {
    let start = value.rest();
    let number = percent::decode_number(value).map_err(|unfit| match unfit {
        Unfit::Escape => QueryErrorKind::PortEscape,
        Unfit::Value => QueryErrorKind::BadPort,
    });
    number
        .and_then(|number| match u16::try_from(number) {
            Ok(0) | Err(_) => Err(QueryErrorKind::BadPort),
            Ok(port) => Ok(port),
        })
        .map_err(|kind| QueryError::new(kind, offset_in(query, start)))
}

fn decode_event(value: &mut Decoded<'_>) -> Event {
    const NAMED: [Event; 4] = [
        Event::Started,
        Event::Completed,
        Event::Stopped,
        Event::Paused,
    ];
    NAMED
        .into_iter()
        .find(|&event| event_name(event).is_some_and(|name| percent::decodes_to(value, name)))
        .unwrap_or(Event::None)
}

const fn event_name(event: Event) -> Option<&'static str> {
    match event {
        Event::None => None,
        Event::Started => Some("started"),
        Event::Completed => Some("completed"),
        Event::Stopped => Some("stopped"),
        Event::Paused => Some("paused"),
    }
}

fn put_parameter(out: &mut Vec<u8>, name: &[u8], number: Option<u64>) {
    if let Some(number) = number {
        out.extend_from_slice(name);
        put_decimal(out, number);
    }
}

#[cfg(test)]
mod tests {
    use opentracker_types::InfoHash;

    use super::*;

    /// The info hash is the example of the BitTorrent specification at wiki.theory.org; the rest
    /// is by hand from BEP 3, in the order that this crate writes.
    const GOLDEN: &[u8] = b"info_hash=%124Vx%9A%BC%DE%F1%23Eg%89%AB%CD%EF%124Vx%9A\
        &peer_id=-XX0001-ab%26d%20f%2B%00ijkl&port=6881&uploaded=0&downloaded=16384\
        &left=18446744073709551615&numwant=80&compact=1&event=started";

    /// The least that is an announce.
    const LEAST: &str = "info_hash=aaaaaaaaaaaaaaaaaaaa&port=1";

    fn golden() -> AnnounceQuery {
        let info_hash = "123456789abcdef123456789abcdef123456789a".parse().unwrap();
        let announce = AnnounceRequest::new(info_hash, 6881)
            .with_peer_id(PeerId::new(*b"-XX0001-ab&d f+\0ijkl"))
            .with_left(u64::MAX)
            .with_event(Event::Started)
            .with_num_want(80);
        AnnounceQuery {
            downloaded: Some(16384),
            uploaded: Some(0),
            ..AnnounceQuery::new(announce)
        }
    }

    fn decode(query: &str) -> Result<AnnounceQuery, QueryError> {
        AnnounceQuery::decode(query.as_bytes())
    }

    fn decode_with(parameter: &str) -> AnnounceQuery {
        decode(&format!("{LEAST}&{parameter}")).unwrap()
    }

    #[test]
    fn golden_both_ways() {
        assert_eq!(AnnounceQuery::decode(GOLDEN), Ok(golden()));
        let mut query = b"before?".to_vec();
        golden().encode(&mut query);
        assert_eq!(query, [b"before?", GOLDEN].concat());
    }

    #[test]
    fn the_least_announce() {
        let query = decode(LEAST).unwrap();
        let announce = AnnounceRequest::new(InfoHash::new([b'a'; 20]), 1);
        assert_eq!(query, AnnounceQuery::new(announce));
        assert!(!query.announce.is_seeder());
    }

    #[test]
    fn required_parameters() {
        use QueryErrorKind::{
            BadPort, InfoHashEscape, InfoHashLength, MissingInfoHash, MissingPort, PortEscape,
        };
        for (query, kind, offset) in [
            ("", MissingInfoHash, 0),
            ("port=1", MissingInfoHash, 6),
            ("INFO_HASH=aaaaaaaaaaaaaaaaaaaa&port=1", MissingInfoHash, 37),
            ("info_hash&port=1", InfoHashLength, 9),
            ("info_hash=aaaaaaaaaaaaaaaaaaa&port=1", InfoHashLength, 10),
            ("info_hash=aaaaaaaaaaaaaaaaaaaaa&port=1", InfoHashLength, 10),
            ("info_hash=aaaaaaaaaaaaaaaaaaa%&port=1", InfoHashEscape, 10),
            ("info_hash=aaaaaaaaaaaaaaaaaaa%4&port=1", InfoHashEscape, 10),
            (
                "port=1&info_hash=%zzaaaaaaaaaaaaaaaaaaa",
                InfoHashEscape,
                17,
            ),
            ("info_hash=aaaaaaaaaaaaaaaaaaaa", MissingPort, 30),
        ] {
            let error = QueryError::new(kind, offset);
            assert_eq!(decode(query), Err(error), "{query}");
        }
        for (port, kind) in [
            ("", BadPort),
            ("0", BadPort),
            ("65536", BadPort),
            ("18446744073709551617", BadPort),
            ("-1", BadPort),
            ("+1", BadPort),
            ("1 ", BadPort),
            ("http", BadPort),
            ("1%", PortEscape),
        ] {
            let query = format!("info_hash=aaaaaaaaaaaaaaaaaaaa&port={port}");
            assert_eq!(decode(&query), Err(QueryError::new(kind, 36)), "{port}");
        }
        for (port, number) in [
            ("1", 1),
            ("06881", 6881),
            ("%36881", 6881),
            ("65535", 65535),
        ] {
            let query = format!("info_hash=aaaaaaaaaaaaaaaaaaaa&port={port}");
            assert_eq!(decode(&query).unwrap().announce.port, number, "{port}");
        }
    }

    #[test]
    fn plus_is_a_plus() {
        let query =
            decode("info_hash=++++++++++++++++++++&peer_id=++++++++++%2B+++++++++&port=1").unwrap();
        assert_eq!(query.announce.info_hash, InfoHash::new([b'+'; 20]));
        assert_eq!(query.announce.peer_id, Some(PeerId::new([b'+'; 20])));
    }

    #[test]
    fn octets_need_no_escape() {
        let mut query = b"port=1&info_hash=".to_vec();
        query.extend_from_slice(b"\x00\xff\n =?#\x80/\"\\<>{}|^`\x7f;");
        let info_hash = AnnounceQuery::decode(&query).unwrap().announce.info_hash;
        assert_eq!(info_hash.as_bytes(), b"\x00\xff\n =?#\x80/\"\\<>{}|^`\x7f;");
    }

    #[test]
    fn left() {
        assert_eq!(decode_with("left=0").announce.left, Some(0));
        assert!(decode_with("left=0").announce.is_seeder());
        let greatest = decode_with("left=18446744073709551615").announce.left;
        assert_eq!(greatest, Some(u64::MAX));
        // A client may not know it yet.
        for left in [
            "",
            "-1",
            "-0",
            "+0",
            "Infinity",
            "NaN",
            "3.0",
            "0.0",
            "x",
            "18446744073709551616",
            "0%",
            "0%20",
            " 0",
        ] {
            let announce = decode_with(&format!("left={left}")).announce;
            assert_eq!(announce.left, None, "{left}");
            assert!(!announce.is_seeder(), "{left}");
        }
        assert_eq!(decode_with("left").announce.left, None);
    }

    #[test]
    fn events() {
        for (text, event) in [
            ("started", Event::Started),
            ("completed", Event::Completed),
            ("stopped", Event::Stopped),
            ("%70aused", Event::Paused),
            ("", Event::None),
            ("empty", Event::None),
            ("Started", Event::None),
            ("started%", Event::None),
        ] {
            let query = decode_with(&format!("event={text}"));
            assert_eq!(query.announce.event, event, "{text}");
        }
    }

    #[test]
    fn num_want() {
        for (text, num_want) in [
            ("0", Some(0)),
            ("200", Some(200)),
            ("4294967295", Some(u32::MAX)),
            ("4294967296", None),
            ("-1", None),
            ("", None),
            ("-200", None),
            ("50.0", None),
            ("many", None),
        ] {
            let query = decode_with(&format!("numwant={text}"));
            assert_eq!(query.announce.num_want, num_want, "{text}");
        }
    }

    #[test]
    fn forms_of_the_reply() {
        for (text, compact) in [
            ("0", false),
            ("00", false),
            ("1", true),
            ("2", true),
            ("", true),
            ("-0", true),
            ("no", true),
        ] {
            let query = decode_with(&format!("compact={text}"));
            assert_eq!(query.compact, compact, "{text}");
        }
        for (text, no_peer_id) in [("0", false), ("1", true), ("", false)] {
            let query = decode_with(&format!("no_peer_id={text}"));
            assert_eq!(query.no_peer_id, no_peer_id, "{text}");
        }
    }

    #[test]
    fn wrong_optional_parameters_count_as_absent() {
        let least = decode(LEAST).unwrap();
        for parameter in [
            "peer_id=short",
            "peer_id=aaaaaaaaaaaaaaaaaaa%",
            "uploaded=-1",
            "left=-1",
            "downloaded=%",
            "numwant=%zz",
            "event=%",
            "compact=%",
            "no_peer_id=%",
            "ip=%",
            "ip=192.0.2.1",
            "key=%4",
            "trackerid=x",
            "supportcrypto=1",
            "info_hash=%",
            "port=0",
            "no such=parameter",
        ] {
            assert_eq!(decode_with(parameter), least, "{parameter}");
        }
    }

    #[test]
    fn the_first_of_a_name_counts() {
        let twice = "info_hash=aaaaaaaaaaaaaaaaaaaa&info_hash=bbbbbbbbbbbbbbbbbbbb\
            &port=1&port=2&left=3&left=0&event=&event=stopped";
        let announce = decode(twice).unwrap().announce;
        assert_eq!(announce.info_hash, InfoHash::new([b'a'; 20]));
        assert_eq!((announce.port, announce.left), (1, Some(3)));
        assert_eq!(announce.event, Event::None);
        assert_eq!(
            decode(&format!("info_hash=x&{LEAST}")),
            Err(QueryError::new(QueryErrorKind::InfoHashLength, 10))
        );
    }

    #[test]
    fn truncation() {
        for len in 0..=GOLDEN.len() {
            let query = &GOLDEN[..len];
            // The first digit of the port makes it an announce.
            let has_port = query.windows(7).any(|octets| octets == b"&port=6");
            match AnnounceQuery::decode(query) {
                Ok(_) => assert!(has_port, "{len} octets"),
                Err(error) => {
                    assert!(!has_port, "{len} octets: {error}");
                    assert!(error.offset() <= len);
                }
            }
        }
    }
}
