use opentracker_types::{AnnounceRequest, Event, PeerId};

use crate::percent::{self, Unfit};
use crate::query::decode_info_hash;
use crate::write::put_decimal;
use crate::{QueryError, QueryPairs};

/// What a client says in an announce (BEP 3, BEP 21, BEP 23).
///
/// | parameter | value |
/// |---|---|
/// | `info_hash` | required; 20 octets, percent-encoded |
/// | `port` | required; 1 to 65535 |
/// | `peer_id` | 20 octets, percent-encoded |
/// | `left` | octets to download, 0 to 2⁶⁴ − 1; absent = a leecher |
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
    /// Decodes a query: the octets after the `?` of the request target.
    ///
    /// # Errors
    ///
    /// Fails if `info_hash` or `port` is missing or wrong, or if there is a `left` that is no
    /// number. Any other parameter that is wrong counts as absent.
    pub fn decode(query: &[u8]) -> Result<Self, QueryError> {
        let values = Values::collect(query);

        let info_hash = values.info_hash.ok_or(QueryError::MissingInfoHash)?;
        let info_hash = decode_info_hash(info_hash)?;
        let port = values.port.ok_or(QueryError::MissingPort)?;
        let port = decode_port(port)?;
        let left = match values.left {
            Some(left) => Some(percent::decode_number(left).map_err(|_| QueryError::BadLeft)?),
            None => None,
        };

        let peer_id = values
            .peer_id
            .and_then(|peer_id| percent::decode_exact(peer_id).ok())
            .map(PeerId::new);
        let number = |value: Option<&[u8]>| percent::decode_number(value?).ok();
        Ok(Self {
            announce: AnnounceRequest {
                info_hash,
                peer_id,
                port,
                left,
                event: values.event.map_or(Event::None, decode_event),
                num_want: number(values.numwant).and_then(|peers| peers.try_into().ok()),
            },
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

/// The first value of each parameter that means something here, as it stands in the query.
#[derive(Default)]
struct Values<'a> {
    info_hash: Option<&'a [u8]>,
    peer_id: Option<&'a [u8]>,
    port: Option<&'a [u8]>,
    uploaded: Option<&'a [u8]>,
    downloaded: Option<&'a [u8]>,
    left: Option<&'a [u8]>,
    event: Option<&'a [u8]>,
    numwant: Option<&'a [u8]>,
    compact: Option<&'a [u8]>,
    no_peer_id: Option<&'a [u8]>,
}

impl<'a> Values<'a> {
    fn collect(query: &'a [u8]) -> Self {
        let mut values = Self::default();
        for (name, value) in QueryPairs::new(query) {
            let first = match name {
                b"info_hash" => &mut values.info_hash,
                b"peer_id" => &mut values.peer_id,
                b"port" => &mut values.port,
                b"uploaded" => &mut values.uploaded,
                b"downloaded" => &mut values.downloaded,
                b"left" => &mut values.left,
                b"event" => &mut values.event,
                b"numwant" => &mut values.numwant,
                b"compact" => &mut values.compact,
                b"no_peer_id" => &mut values.no_peer_id,
                _ => continue,
            };
            first.get_or_insert(value);
        }
        values
    }
}

fn decode_port(value: &[u8]) -> Result<u16, QueryError> {
    let number = percent::decode_number(value).map_err(|unfit| match unfit {
        Unfit::Escape => QueryError::PortEscape,
        Unfit::Value => QueryError::BadPort,
    })?;
    match u16::try_from(number) {
        Ok(0) | Err(_) => Err(QueryError::BadPort),
        Ok(port) => Ok(port),
    }
}

fn decode_event(value: &[u8]) -> Event {
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
        AnnounceQuery {
            announce: AnnounceRequest {
                info_hash: "123456789abcdef123456789abcdef123456789a".parse().unwrap(),
                peer_id: Some(PeerId::new(*b"-XX0001-ab&d f+\0ijkl")),
                port: 6881,
                left: Some(u64::MAX),
                event: Event::Started,
                num_want: Some(80),
            },
            downloaded: Some(16384),
            uploaded: Some(0),
            compact: true,
            no_peer_id: false,
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
        let expected = AnnounceQuery {
            announce: AnnounceRequest {
                info_hash: InfoHash::new([b'a'; 20]),
                peer_id: None,
                port: 1,
                left: None,
                event: Event::None,
                num_want: None,
            },
            downloaded: None,
            uploaded: None,
            compact: true,
            no_peer_id: false,
        };
        assert_eq!(query, expected);
        assert!(!query.announce.is_seeder());
    }

    #[test]
    fn required_parameters() {
        for (query, error) in [
            ("", QueryError::MissingInfoHash),
            ("port=1", QueryError::MissingInfoHash),
            (
                "INFO_HASH=aaaaaaaaaaaaaaaaaaaa&port=1",
                QueryError::MissingInfoHash,
            ),
            ("info_hash&port=1", QueryError::InfoHashLength),
            (
                "info_hash=aaaaaaaaaaaaaaaaaaa&port=1",
                QueryError::InfoHashLength,
            ),
            (
                "info_hash=aaaaaaaaaaaaaaaaaaaaa&port=1",
                QueryError::InfoHashLength,
            ),
            (
                "info_hash=aaaaaaaaaaaaaaaaaaa%&port=1",
                QueryError::InfoHashEscape,
            ),
            (
                "info_hash=aaaaaaaaaaaaaaaaaaa%4&port=1",
                QueryError::InfoHashEscape,
            ),
            (
                "info_hash=%zzaaaaaaaaaaaaaaaaaaa&port=1",
                QueryError::InfoHashEscape,
            ),
            ("info_hash=aaaaaaaaaaaaaaaaaaaa", QueryError::MissingPort),
            ("info_hash=aaaaaaaaaaaaaaaaaaaa&port=", QueryError::BadPort),
            ("info_hash=aaaaaaaaaaaaaaaaaaaa&port=0", QueryError::BadPort),
            (
                "info_hash=aaaaaaaaaaaaaaaaaaaa&port=65536",
                QueryError::BadPort,
            ),
            (
                "info_hash=aaaaaaaaaaaaaaaaaaaa&port=-1",
                QueryError::BadPort,
            ),
            (
                "info_hash=aaaaaaaaaaaaaaaaaaaa&port=+1",
                QueryError::BadPort,
            ),
            (
                "info_hash=aaaaaaaaaaaaaaaaaaaa&port=http",
                QueryError::BadPort,
            ),
            (
                "info_hash=aaaaaaaaaaaaaaaaaaaa&port=1%",
                QueryError::PortEscape,
            ),
        ] {
            assert_eq!(decode(query), Err(error), "{query}");
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
        for left in ["", "-1", "x", "18446744073709551616", "1%"] {
            let query = format!("{LEAST}&left={left}");
            assert_eq!(decode(&query), Err(QueryError::BadLeft), "{left}");
        }
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
            ("many", None),
        ] {
            let query = decode_with(&format!("numwant={text}"));
            assert_eq!(query.announce.num_want, num_want, "{text}");
        }
    }

    #[test]
    fn forms_of_the_reply() {
        for (text, compact) in [("0", false), ("1", true), ("", true), ("no", true)] {
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
            &port=1&port=2&left=3&left=x&event=&event=stopped";
        let announce = decode(twice).unwrap().announce;
        assert_eq!(announce.info_hash, InfoHash::new([b'a'; 20]));
        assert_eq!((announce.port, announce.left), (1, Some(3)));
        assert_eq!(announce.event, Event::None);
        assert_eq!(
            decode(&format!("info_hash=x&{LEAST}")),
            Err(QueryError::InfoHashLength)
        );
    }

    #[test]
    fn truncation() {
        for len in 0..=GOLDEN.len() {
            let query = &GOLDEN[..len];
            // The first digit of the port makes it an announce; `left` needs one once it is named.
            let has_port = query.windows(7).any(|octets| octets == b"&port=6");
            let needs_left = query.ends_with(b"&left") || query.ends_with(b"&left=");
            let decoded = AnnounceQuery::decode(query);
            assert_eq!(decoded.is_ok(), has_port && !needs_left, "{len} octets");
        }
    }
}
