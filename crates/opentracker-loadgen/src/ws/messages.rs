//! Messages of browsers, written and read.

use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::frames::{TEXT, put};
use crate::args::WsArgs;
use crate::population::Population;

/// Writes messages.
#[derive(Debug, Clone)]
pub(super) struct Writer {
    population: Population,
    handshake: String,
    /// From `left` on, since nothing in it depends on the peer.
    offers: String,
    answer: String,
}

/// What a tracker says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said<'a> {
    /// The reply to an announce.
    Announced,
    /// The reply to one that is refused, with the reason.
    Refused(&'a str),
    /// An offer of another peer, by ids as they stand there, quotes included.
    Offer { peer: &'a str, id: &'a str },
    /// An answer to one of our offers.
    Answer,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, rename = "failure reason")]
    failure: Option<&'a RawValue>,
    #[serde(borrow)]
    offer: Option<&'a RawValue>,
    #[serde(borrow)]
    answer: Option<&'a RawValue>,
    #[serde(borrow)]
    offer_id: Option<&'a RawValue>,
    #[serde(borrow)]
    peer_id: Option<&'a RawValue>,
    #[serde(borrow)]
    interval: Option<&'a RawValue>,
}

impl Writer {
    /// Makes messages for a target of this name.
    pub(super) fn new(args: &WsArgs, host: &str, population: Population) -> Self {
        let sdp = "v=0 ".repeat(args.description as usize / 4);
        let mut offers = format!(",\"numwant\":{},\"offers\":[", args.offers);
        for number in 0..args.offers {
            let comma = if number == 0 { "" } else { "," };
            let offer = format!(r#"{{"type":"offer","sdp":"{sdp}"}}"#);
            offers += &format!(r#"{comma}{{"offer":{offer},"offer_id":"{number:020}"}}"#);
        }
        offers.push_str("]}");
        Self {
            population,
            handshake: format!(
                "GET {} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {}/{}\r\nUpgrade: websocket\r\n\
                 Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                 Sec-WebSocket-Key: b3BlbnRyYWNrZXItbG9hZA==\r\n\r\n",
                args.path,
                env!("CARGO_PKG_NAME"),
                env!("CARGO_PKG_VERSION"),
            ),
            offers,
            answer: format!(r#","answer":{{"type":"answer","sdp":"{sdp}"}},"offer_id":"#),
        }
    }

    /// Appends the request that opens a WebSocket.
    pub(super) fn handshake(&self, out: &mut Vec<u8>) {
        out.extend(self.handshake.as_bytes());
    }

    /// Appends an announce of the peer of a number.
    pub(super) fn announce(&self, number: u64, is_first: bool, out: &mut Vec<u8>) {
        let (mut message, is_seeder) = self.start(number);
        if is_first {
            message.push_str(r#","event":"started""#);
        }
        message.push_str(if is_seeder {
            r#","left":0"#
        } else {
            r#","left":1000"#
        });
        message.push_str(&self.offers);
        put(TEXT, message.as_bytes(), out);
    }

    /// Appends the answer to an offer.
    pub(super) fn answer(&self, number: u64, (peer, id): (&str, &str), out: &mut Vec<u8>) {
        let (mut message, _) = self.start(number);
        for part in [r#","to_peer_id":"#, peer, &self.answer, id, "}"] {
            message.push_str(part);
        }
        put(TEXT, message.as_bytes(), out);
    }

    /// What each message of a peer begins with, and whether the peer has everything.
    fn start(&self, number: u64) -> (String, bool) {
        let peer = self.population.peer(number);
        let info_hash = self.population.info_hash(peer.torrent);
        let mut message = String::from(r#"{"action":"announce","info_hash":"#);
        push_binary(&mut message, info_hash.as_bytes());
        message.push_str(r#","peer_id":"#);
        push_binary(&mut message, peer.id.as_bytes());
        (message, peer.is_seeder)
    }

    pub(super) const fn peers(&self) -> u64 {
        self.population.peers()
    }
}

/// Reads a message; `None` if it is none of a tracker.
pub(super) fn read(message: &[u8]) -> Option<Said<'_>> {
    let message: Message<'_> = serde_json::from_slice(message).ok()?;
    if let Some(reason) = message.failure {
        return Some(Said::Refused(reason.get().trim_matches('"')));
    }
    if message.offer.is_some() {
        return Some(Said::Offer {
            peer: message.peer_id?.get(),
            id: message.offer_id?.get(),
        });
    }
    if message.answer.is_some() {
        return Some(Said::Answer);
    }
    message.interval.map(|_| Said::Announced)
}

/// Appends octets as a string of JSON in which each is a character.
fn push_binary(text: &mut String, octets: &[u8]) {
    text.push('"');
    for &octet in octets {
        match char::from(octet) {
            sign @ ('"' | '\\') => text.extend(['\\', sign]),
            control @ '\0'..' ' => {
                write!(text, "\\u{:04x}", u32::from(control)).expect("a string takes all");
            }
            other => text.push(other),
        }
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_are_characters() {
        let mut text = String::new();
        push_binary(&mut text, b"a\"\\\x00\x7f\xff");
        assert_eq!(text, "\"a\\\"\\\\\\u0000\u{7f}\u{ff}\"");
        let read: String = serde_json::from_str(&text).unwrap();
        assert_eq!(read.chars().map(u32::from).max(), Some(0xff));
    }

    #[test]
    fn what_trackers_say_is_told_apart() {
        let offer = br#"{"offer":{"sdp":"x"},"offer_id":"1\u0000","peer_id":"p","info_hash":"h"}"#;
        for (message, said) in [
            (
                &br#"{"action":"announce","interval":120}"#[..],
                Said::Announced,
            ),
            (br#"{"failure reason":"no"}"#, Said::Refused("no")),
            (
                offer,
                Said::Offer {
                    peer: "\"p\"",
                    id: "\"1\\u0000\"",
                },
            ),
            (br#"{"answer":{},"offer_id":"1"}"#, Said::Answer),
        ] {
            assert_eq!(read(message), Some(said));
        }
        assert_eq!(read(b"{}"), None);
        assert_eq!(read(b"x"), None);
    }
}
