//! Messages, as `bittorrent-tracker` and the browsers that use it word them: JSON objects.

use std::borrow::Cow;

use opentracker_core::AnnounceReply;
use opentracker_types::{AnnounceRequest, Event, InfoHash, PeerId, SwarmCounts};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::binary;

/// Any port does for the rules: a browser has none.
const NO_PORT: u16 = 1;

/// The most torrents of a scrape that are looked up; those behind them are left out.
pub(crate) const MAX_SCRAPED: usize = 100;

/// What a client asks for.
#[derive(Debug)]
pub(crate) enum Request<'a> {
    Announce {
        announce: AnnounceRequest,
        peer_id: PeerId,
        offers: Vec<Offer<'a>>,
    },
    Answer(Answer<'a>),
    Scrape(Vec<InfoHash>),
}

/// An offer of a connection, for a peer that the tracker chooses.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Offer<'a> {
    pub(crate) id: [u8; 20],
    /// The session description, a JSON object.
    pub(crate) description: &'a RawValue,
}

/// The answer to an offer, for who made it.
#[derive(Debug)]
pub(crate) struct Answer<'a> {
    pub(crate) info_hash: InfoHash,
    pub(crate) peer_id: PeerId,
    pub(crate) to: PeerId,
    pub(crate) offer: Offer<'a>,
}

/// What is wrong with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    Json,
    Action,
    InfoHash,
    Id,
    Description,
}

impl Fault {
    /// What the client is told.
    pub(crate) const fn message(self) -> &'static str {
        match self {
            Self::Json => "the message is not JSON of the expected form",
            Self::Action => "the action is neither announce nor scrape",
            Self::InfoHash => "info_hash is not a string of 20 octets",
            Self::Id => "an id is not a string of 20 octets",
            Self::Description => "an offer or answer is not an object",
        }
    }
}

/// A message that could not be understood, as far as it was.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Misunderstood {
    pub(crate) fault: Fault,
    pub(crate) action: Option<Action>,
    pub(crate) info_hash: Option<InfoHash>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Announce,
    Scrape,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    action: Option<Text<'a>>,
    #[serde(borrow)]
    info_hash: Option<&'a RawValue>,
    #[serde(borrow)]
    peer_id: Option<Text<'a>>,
    #[serde(borrow)]
    event: Option<Text<'a>>,
    #[serde(borrow)]
    left: Option<&'a RawValue>,
    #[serde(borrow)]
    numwant: Option<&'a RawValue>,
    #[serde(borrow)]
    offers: Option<Vec<RawOffer<'a>>>,
    #[serde(borrow)]
    answer: Option<&'a RawValue>,
    #[serde(borrow)]
    to_peer_id: Option<Text<'a>>,
    #[serde(borrow)]
    offer_id: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct RawOffer<'a> {
    #[serde(borrow)]
    offer: Option<&'a RawValue>,
    #[serde(borrow)]
    offer_id: Option<Text<'a>>,
}

/// A string, borrowed unless it has escapes; within an `Option`, serde would always copy it.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> Request<'a> {
    pub(crate) fn parse(text: &'a str) -> Result<Self, Misunderstood> {
        let misunderstood = |fault| Misunderstood {
            fault,
            action: None,
            info_hash: None,
        };
        let message: Message<'_> =
            serde_json::from_str(text).map_err(|_| misunderstood(Fault::Json))?;
        let action = match message.action.as_ref().map(|action| &*action.0) {
            Some("announce") => Action::Announce,
            Some("scrape") => Action::Scrape,
            _ => return Err(misunderstood(Fault::Action)),
        };
        let hashes = message.info_hash.and_then(info_hashes);
        let request = match action {
            Action::Announce => message.announce(hashes.as_deref()),
            Action::Scrape => hashes.clone().map(Self::Scrape).ok_or(Fault::InfoHash),
        };
        request.map_err(|fault| Misunderstood {
            action: Some(action),
            info_hash: hashes.and_then(|hashes| hashes.first().copied()),
            ..misunderstood(fault)
        })
    }
}

impl<'a> Message<'a> {
    fn announce(self, hashes: Option<&[InfoHash]>) -> Result<Request<'a>, Fault> {
        let Some(&[info_hash]) = hashes else {
            return Err(Fault::InfoHash);
        };
        let peer_id = PeerId::new(id(self.peer_id.as_ref())?);
        if let Some(answer) = self.answer {
            return Ok(Request::Answer(Answer {
                info_hash,
                peer_id,
                to: PeerId::new(id(self.to_peer_id.as_ref())?),
                offer: offer(Some(answer), self.offer_id.as_ref())?,
            }));
        }
        let offers = self.offers.unwrap_or_default();
        let offers: Result<Vec<_>, _> = offers
            .iter()
            .map(|raw| offer(raw.offer, raw.offer_id.as_ref()))
            .collect();
        let mut announce = AnnounceRequest::new(info_hash, NO_PORT)
            .with_peer_id(peer_id)
            .with_event(self.event.as_ref().map_or(Event::None, event));
        announce.left = self.left.and_then(number);
        announce.num_want = self.numwant.and_then(number);
        Ok(Request::Announce {
            announce,
            peer_id,
            offers: offers?,
        })
    }
}

/// Reads an info hash, or a list of them, of which those beyond [`MAX_SCRAPED`] are left out.
fn info_hashes(raw: &RawValue) -> Option<Vec<InfoHash>> {
    let read = |text: &Text<'_>| binary::read(&text.0).map(InfoHash::new);
    if let Ok(text) = serde_json::from_str::<Text<'_>>(raw.get()) {
        return Some(vec![read(&text)?]);
    }
    let list: Vec<Text<'_>> = serde_json::from_str(raw.get()).ok()?;
    list.iter().take(MAX_SCRAPED).map(read).collect()
}

fn id(text: Option<&Text<'_>>) -> Result<[u8; 20], Fault> {
    text.and_then(|text| binary::read(&text.0)).ok_or(Fault::Id)
}

fn offer<'a>(
    description: Option<&'a RawValue>,
    offer_id: Option<&Text<'_>>,
) -> Result<Offer<'a>, Fault> {
    let is_object = |description: &&RawValue| description.get().starts_with('{');
    Ok(Offer {
        description: description.filter(is_object).ok_or(Fault::Description)?,
        id: id(offer_id)?,
    })
}

fn event(text: &Text<'_>) -> Event {
    match &*text.0 {
        "started" => Event::Started,
        "completed" => Event::Completed,
        "stopped" => Event::Stopped,
        "paused" => Event::Paused,
        _ => Event::None,
    }
}

/// Reads a number, which may stand in quotes. What a client does not know yet is `null`, and what is
/// no whole number says nothing either.
fn number<T: std::str::FromStr>(raw: &RawValue) -> Option<T> {
    raw.get().trim_matches('"').parse().ok()
}

/// Writes the reply to an announce.
pub(crate) fn put_announced(info_hash: &InfoHash, reply: &AnnounceReply, out: &mut Vec<u8>) {
    out.extend(b"{\"action\":\"announce\",\"interval\":");
    put_number(reply.interval_secs, out);
    out.push(b',');
    put_counts(&reply.counts, out);
    put_info_hash(info_hash, out);
    out.push(b'}');
}

/// Writes the reply to a scrape.
pub(crate) fn put_scraped<'a>(
    counts: impl Iterator<Item = &'a (InfoHash, SwarmCounts)>,
    out: &mut Vec<u8>,
) {
    out.extend(b"{\"action\":\"scrape\",\"files\":{");
    for (number, (info_hash, counts)) in counts.enumerate() {
        if number > 0 {
            out.push(b',');
        }
        binary::put(info_hash.as_bytes(), out);
        out.extend(b":{");
        put_counts(counts, out);
        out.push(b'}');
    }
    out.extend(b"}}");
}

/// Writes an offer for the peer that was chosen, or an answer for the peer that it is for.
pub(crate) fn put_relayed(
    kind: &str,
    (info_hash, from): (&InfoHash, &PeerId),
    offer: &Offer<'_>,
    out: &mut Vec<u8>,
) {
    out.extend(b"{\"action\":\"announce\",\"");
    out.extend(kind.as_bytes());
    out.extend(b"\":");
    out.extend(offer.description.get().as_bytes());
    out.extend(b",\"offer_id\":");
    binary::put(&offer.id, out);
    out.extend(b",\"peer_id\":");
    binary::put(from.as_bytes(), out);
    put_info_hash(info_hash, out);
    out.push(b'}');
}

/// Writes why a request is not served. The reason needs no escapes.
pub(crate) fn put_failure(
    reason: &str,
    action: Option<Action>,
    info_hash: Option<&InfoHash>,
    out: &mut Vec<u8>,
) {
    out.extend(b"{\"failure reason\":\"");
    out.extend(reason.as_bytes());
    out.push(b'"');
    match action {
        Some(Action::Announce) => out.extend(b",\"action\":\"announce\""),
        Some(Action::Scrape) => out.extend(b",\"action\":\"scrape\""),
        None => {}
    }
    if let Some(info_hash) = info_hash {
        put_info_hash(info_hash, out);
    }
    out.push(b'}');
}

fn put_info_hash(info_hash: &InfoHash, out: &mut Vec<u8>) {
    out.extend(b",\"info_hash\":");
    binary::put(info_hash.as_bytes(), out);
}

fn put_counts(counts: &SwarmCounts, out: &mut Vec<u8>) {
    out.extend(b"\"complete\":");
    put_number(counts.seeders, out);
    out.extend(b",\"incomplete\":");
    put_number(counts.leechers, out);
    out.extend(b",\"downloaded\":");
    put_number(counts.downloads, out);
}

fn put_number(number: impl itoa::Integer, out: &mut Vec<u8>) {
    out.extend(itoa::Buffer::new().format(number).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "\\u0000123456789abcdefghi\u{e9}";
    const OTHER: &str = "abcdefghijabcdefghij";

    fn parse(text: &str) -> Result<Request<'_>, Misunderstood> {
        Request::parse(text)
    }

    fn fault(text: &str) -> Fault {
        parse(text).unwrap_err().fault
    }

    #[test]
    fn an_announce_with_offers_is_read() {
        let text = format!(
            r#"{{"numwant":2,"uploaded":0,"downloaded":0,"left":null,"event":"started",
            "action":"announce","info_hash":"{HASH}","peer_id":"{OTHER}","offers":[
            {{"offer":{{"type":"offer","sdp":"v=0\r\n"}},"offer_id":"{HASH}"}}]}}"#
        );
        let Request::Announce {
            announce,
            peer_id,
            offers,
        } = parse(&text).unwrap()
        else {
            panic!("an announce");
        };
        assert_eq!(announce.info_hash.as_bytes()[0], 0);
        assert_eq!(announce.info_hash.as_bytes()[19], 0xe9);
        assert_eq!(peer_id.as_bytes(), OTHER.as_bytes());
        assert_eq!(announce.peer_id, Some(peer_id));
        assert_eq!((announce.left, announce.num_want), (None, Some(2)));
        assert_eq!(announce.event, Event::Started);
        assert_eq!(offers.len(), 1);
        let description = r#"{"type":"offer","sdp":"v=0\r\n"}"#;
        assert_eq!(offers[0].description.get(), description, "octet for octet");
    }

    #[test]
    fn numbers_and_events_are_taken_as_clients_send_them() {
        for (left, event, expected) in [
            ("0", "\"completed\"", (Some(0), Event::Completed)),
            ("\"0\"", "\"update\"", (Some(0), Event::None)),
            ("17", "null", (Some(17), Event::None)),
            ("1.5", "\"stopped\"", (None, Event::Stopped)),
            ("-1", "\"paused\"", (None, Event::Paused)),
            ("1e300", "\"\"", (None, Event::None)),
        ] {
            let text = format!(
                r#"{{"action":"announce","info_hash":"{OTHER}","peer_id":"{OTHER}","left":{left},"event":{event}}}"#
            );
            let Ok(Request::Announce { announce, .. }) = parse(&text) else {
                panic!("{text}");
            };
            assert_eq!((announce.left, announce.event), expected);
        }
    }

    #[test]
    fn an_answer_is_no_announce() {
        let text = format!(
            r#"{{"action":"announce","info_hash":"{HASH}","peer_id":"{OTHER}","to_peer_id":"{OTHER}",
            "answer":{{"type":"answer"}},"offer_id":"{OTHER}"}}"#
        );
        let Request::Answer(answer) = parse(&text).unwrap() else {
            panic!("an answer");
        };
        assert_eq!(answer.to.as_bytes(), OTHER.as_bytes());
        assert_eq!(answer.offer.description.get(), r#"{"type":"answer"}"#);
    }

    #[test]
    fn scrapes_are_of_one_or_several() {
        for (hashes, count) in [
            (format!("\"{HASH}\""), 1),
            (format!("[\"{HASH}\", \"{OTHER}\"]"), 2),
            (
                format!("[\"{OTHER}\"{}]", format!(",\"{OTHER}\"").repeat(500)),
                MAX_SCRAPED,
            ),
        ] {
            let text = format!(r#"{{"action":"scrape","info_hash":{hashes}}}"#);
            let Request::Scrape(hashes) = parse(&text).unwrap() else {
                panic!("a scrape");
            };
            assert_eq!(hashes.len(), count);
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        let announce =
            |rest: &str| format!(r#"{{"action":"announce","info_hash":"{OTHER}"{rest}}}"#);
        let id = format!(r#","peer_id":"{OTHER}""#);
        for (text, expected) in [
            ("[]".to_owned(), Fault::Json),
            ("{\"action\":5}".to_owned(), Fault::Json),
            ("{".to_owned(), Fault::Json),
            ("{}".to_owned(), Fault::Action),
            (r#"{"action":"connect"}"#.to_owned(), Fault::Action),
            (r#"{"action":"scrape"}"#.to_owned(), Fault::InfoHash),
            (
                r#"{"action":"scrape","info_hash":["x"]}"#.to_owned(),
                Fault::InfoHash,
            ),
            (
                r#"{"action":"announce","info_hash":"short"}"#.to_owned(),
                Fault::InfoHash,
            ),
            (announce(""), Fault::Id),
            (announce(r#","peer_id":"x""#), Fault::Id),
            (
                announce(&format!("{id},\"offers\":[{{}}]")),
                Fault::Description,
            ),
            (
                announce(&format!("{id},\"offers\":[{{\"offer\":{{}}}}]")),
                Fault::Id,
            ),
            (
                announce(&format!("{id},\"offers\":[{{\"offer\":\"x\"}}]")),
                Fault::Description,
            ),
            (announce(&format!("{id},\"answer\":{{}}")), Fault::Id),
            (announce(&format!("{id},\"offers\":7")), Fault::Json),
            (
                format!("{}1{}", "[".repeat(5000), "]".repeat(5000)),
                Fault::Json,
            ),
        ] {
            assert_eq!(fault(&text), expected, "{text}");
        }
        let known = parse(&announce("")).unwrap_err();
        assert_eq!(known.action, Some(Action::Announce));
        assert_eq!(known.info_hash.unwrap().as_bytes(), OTHER.as_bytes());
    }

    #[test]
    fn what_is_written_is_json() {
        let info_hash = InfoHash::new([0xff; 20]);
        let counts = SwarmCounts {
            seeders: 1,
            leechers: 2,
            downloads: 3,
        };
        let json = |out: &[u8]| serde_json::from_slice::<serde_json::Value>(out).unwrap();
        let mut out = Vec::new();
        put_scraped(
            [(info_hash, counts), (InfoHash::new([0; 20]), counts)].iter(),
            &mut out,
        );
        let hash = "\u{ff}".repeat(20);
        let file = &json(&out)["files"][&hash];
        assert_eq!(
            (&file["complete"], &file["incomplete"]),
            (&1.into(), &2.into())
        );
        out.clear();
        put_failure("no", Some(Action::Scrape), Some(&info_hash), &mut out);
        assert_eq!(json(&out)["failure reason"], "no");
        assert_eq!(json(&out)["info_hash"], hash.as_str());
        out.clear();
        put_failure("no", None, None, &mut out);
        assert_eq!(out, br#"{"failure reason":"no"}"#);
        out.clear();
        let description: &RawValue = serde_json::from_str(r#"{"sdp": "x"}"#).unwrap();
        let offer = Offer {
            id: [7; 20],
            description,
        };
        put_relayed(
            "offer",
            (&info_hash, &PeerId::new([b'p'; 20])),
            &offer,
            &mut out,
        );
        assert_eq!(json(&out)["offer"]["sdp"], "x");
        assert_eq!(json(&out)["peer_id"], "p".repeat(20));
        assert_eq!(json(&out)["offer_id"], "\u{7}".repeat(20));
    }
}
