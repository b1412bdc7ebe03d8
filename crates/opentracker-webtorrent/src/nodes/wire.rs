//! Messages between nodes (section "Browsers" of `docs/livesync.md`).

use std::fmt;

use opentracker_livesync_wire::{Key, Keys};
use opentracker_types::{InfoHash, PeerId};
use serde_json::value::RawValue;

use crate::message::Offer;

/// The most octets of a message. Whatever browsers send fits: as JSON it is longer.
pub const MAX_NODE_MESSAGE_OCTETS: usize = crate::MAX_MESSAGE_OCTETS;

/// Octets of the time and the tag at the end of a message.
const SEAL_LEN: usize = 4 + 16;

const OF_LEECHER: u8 = 1;
const OF_SEEDER: u8 = 2;
const ANSWER: u8 = 3;

/// What a run of a tracker is called in messages about browsers: drawn at the start, and never 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(u64);

impl NodeId {
    /// Makes it of a random number.
    pub const fn new(number: u64) -> Self {
        Self(if number == 0 { 1 } else { number })
    }

    const fn or_all(number: u64) -> Option<Self> {
        if number == 0 {
            None
        } else {
            Some(Self(number))
        }
    }

    /// A number that is another for each node.
    pub(super) const fn number(self) -> u64 {
        self.0
    }
}

/// Sixteen hexadecimal digits.
impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// How many browsers of a swarm a node has; 255 stands for more as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Browsers {
    pub(crate) leechers: u8,
    pub(crate) seeders: u8,
}

/// A message of one node to another, or to all.
///
/// | offset | octets | field |
/// |---|---|---|
/// | 0 | 8 | id of the node that sent it |
/// | 8 | 8 | id of the node that it is for; 0: all |
/// | 16 | 1 | kind: 1 offers of a leecher, 2 offers of a seeder, 3 answer |
/// | 17 | 1 | leechers of the torrent that the sender has among its browsers, 255 at most |
/// | 18 | 1 | seeders, in the same way |
/// | 19 | 20 | info hash |
/// | 39 | 20 | peer id of the browser that offers or answers |
/// | 59 | | of offers: any number of descriptions; of an answer: 20 octets of the peer id that it is for, and one description |
///
/// A description is 20 octets of offer id, two of its length, and a JSON object.
#[derive(Debug)]
pub(crate) struct Message<'a> {
    pub(crate) from: NodeId,
    pub(crate) to: Option<NodeId>,
    pub(crate) browsers: Browsers,
    pub(crate) info_hash: InfoHash,
    pub(crate) peer_id: PeerId,
    pub(crate) body: Body<'a>,
}

#[derive(Debug)]
pub(crate) enum Body<'a> {
    /// Offers for peers that the receiver chooses; with none of them it says what the sender has.
    Offers {
        seeding: bool,
        offers: Vec<Offer<'a>>,
    },
    Answer {
        to: PeerId,
        offer: Offer<'a>,
    },
}

impl<'a> Message<'a> {
    /// Reads a message without its seal.
    pub(crate) fn decode(octets: &'a [u8]) -> Option<Self> {
        let mut rest = octets;
        let from = NodeId::or_all(u64::from_be_bytes(take(&mut rest)?))?;
        let to = NodeId::or_all(u64::from_be_bytes(take(&mut rest)?));
        let [kind, leechers, seeders] = take(&mut rest)?;
        let info_hash = InfoHash::new(take(&mut rest)?);
        let peer_id = PeerId::new(take(&mut rest)?);
        let body = match kind {
            OF_LEECHER | OF_SEEDER => {
                let mut offers = Vec::new();
                while !rest.is_empty() {
                    offers.push(take_offer(&mut rest)?);
                }
                let seeding = kind == OF_SEEDER;
                Body::Offers { seeding, offers }
            }
            ANSWER => Body::Answer {
                to: PeerId::new(take(&mut rest)?),
                offer: take_offer(&mut rest)?,
            },
            _ => return None,
        };
        rest.is_empty().then_some(Self {
            from,
            to,
            browsers: Browsers { leechers, seeders },
            info_hash,
            peer_id,
            body,
        })
    }

    /// Writes a message without its seal.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend(self.from.0.to_be_bytes());
        out.extend(self.to.map_or(0, |to| to.0).to_be_bytes());
        let kind = match self.body {
            Body::Offers { seeding: false, .. } => OF_LEECHER,
            Body::Offers { seeding: true, .. } => OF_SEEDER,
            Body::Answer { .. } => ANSWER,
        };
        out.extend([kind, self.browsers.leechers, self.browsers.seeders]);
        out.extend(self.info_hash.as_bytes());
        out.extend(self.peer_id.as_bytes());
        match &self.body {
            Body::Offers { offers, .. } => {
                for offer in offers {
                    put_offer(offer, &mut out);
                }
            }
            Body::Answer { to, offer } => {
                out.extend(to.as_bytes());
                put_offer(offer, &mut out);
            }
        }
        out
    }
}

fn take<const N: usize>(octets: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = octets.split_first_chunk()?;
    *octets = rest;
    Some(*taken)
}

fn take_offer<'a>(octets: &mut &'a [u8]) -> Option<Offer<'a>> {
    let id = take(octets)?;
    let length = u16::from_be_bytes(take(octets)?);
    let (text, rest) = octets.split_at_checked(length.into())?;
    *octets = rest;
    let text = str::from_utf8(text).ok()?;
    let description: &RawValue = serde_json::from_str(text).ok()?;
    // An object, without anything around it.
    let is_it = text.starts_with('{') && description.get().len() == text.len();
    is_it.then_some(Offer { id, description })
}

fn put_offer(offer: &Offer<'_>, out: &mut Vec<u8>) {
    let text = offer.description.get();
    let length = u16::try_from(text.len()).expect("it was in a message of 64 KiB with more");
    out.extend(offer.id);
    out.extend(length.to_be_bytes());
    out.extend(text.as_bytes());
}

/// Ends a message in the time, in unix seconds modulo 2³², and the tag over everything before.
pub(super) fn seal(message: &mut Vec<u8>, unix_secs: u32, key: &Key) {
    message.extend(unix_secs.to_be_bytes());
    message.extend(key.webtorrent_tag(message));
}

/// Returns a message without its seal, and the time in that, if it fits one of the keys.
pub(super) fn open<'a>(octets: &'a [u8], keys: &Keys) -> Option<(&'a [u8], u32)> {
    if octets.len() > MAX_NODE_MESSAGE_OCTETS + SEAL_LEN {
        return None;
    }
    let (tagged, tag) = octets.split_last_chunk()?;
    let (message, time) = tagged.split_last_chunk()?;
    let is_ours = keys.iter().any(|key| key.verify_webtorrent(tagged, tag));
    is_ours.then_some((message, u32::from_be_bytes(*time)))
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    const DESCRIPTION: &str = r#"{"type":"offer","sdp":"v=0\r\n"}"#;

    fn offer(id: u8) -> Offer<'static> {
        Offer {
            id: [id; 20],
            description: serde_json::from_str(DESCRIPTION).unwrap(),
        }
    }

    fn message(body: Body<'_>) -> Message<'_> {
        Message {
            from: NodeId::new(0x0102_0304_0506_0708),
            to: NodeId::or_all(9),
            browsers: Browsers {
                leechers: 3,
                seeders: 255,
            },
            info_hash: InfoHash::new([0xaa; 20]),
            peer_id: PeerId::new([0xbb; 20]),
            body,
        }
    }

    #[test]
    fn an_answer_is_the_octets_of_the_table() {
        let to = PeerId::new([0xcc; 20]);
        let encoded = message(Body::Answer {
            to,
            offer: offer(7),
        })
        .encode();
        let mut expected = vec![1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0, 0, 0, 9, 3, 3, 255];
        for octet in [0xaa, 0xbb, 0xcc, 7] {
            expected.extend([octet; 20]);
        }
        expected.extend([0, 32]);
        expected.extend(DESCRIPTION.as_bytes());
        assert_eq!(encoded, expected);
        let decoded = Message::decode(&encoded).unwrap();
        assert_eq!(decoded.encode(), encoded);
        let Body::Answer { to: found, offer } = decoded.body else {
            panic!("an answer");
        };
        assert_eq!((found, offer.description.get()), (to, DESCRIPTION));
    }

    #[test]
    fn what_is_cut_or_changed_is_no_message() {
        let body = Body::Offers {
            seeding: true,
            offers: vec![offer(1), offer(2)],
        };
        let encoded = message(body).encode();
        let whole = [59, 59 + 22 + DESCRIPTION.len(), encoded.len()];
        for cut in 0..=encoded.len() {
            let is_whole = Message::decode(&encoded[..cut]).is_some();
            assert_eq!(is_whole, whole.contains(&cut), "{cut} octets");
        }
        for (at, octet) in [
            (16, 0),
            (16, 4),
            // Not an object, not JSON, not UTF-8.
            (59 + 22, b'['),
            (59 + 22, b' '),
            (59 + 24, b'"'),
            (59 + 25, 0xff),
        ] {
            let mut changed = encoded.clone();
            changed[at] = octet;
            assert!(Message::decode(&changed).is_none(), "{at} {octet}");
        }
        let mut of_nobody = encoded;
        of_nobody[..8].fill(0);
        assert!(Message::decode(&of_nobody).is_none());
    }

    #[test]
    fn a_seal_fits_its_keys_and_octets_alone() {
        let line = |digit: &str| digit.repeat(64);
        let keys = |text: &str| Keys::parse(text).unwrap();
        let mut sealed = b"message".to_vec();
        let old = keys(&line("1"));
        seal(&mut sealed, 77, old.first());
        let both = keys(&format!("{}\n{}", line("2"), line("1")));
        assert_eq!(open(&sealed, &both), Some((&b"message"[..], 77)));
        assert_eq!(open(&sealed, &keys(&line("2"))), None);
        for at in 0..sealed.len() {
            let mut forged = sealed.clone();
            forged[at] ^= 1;
            assert_eq!(open(&forged, &old), None, "octet {at}");
            assert_eq!(open(&sealed[..at], &old), None, "{at} octets");
        }
        let mut large = vec![0; MAX_NODE_MESSAGE_OCTETS + 1];
        seal(&mut large, 77, old.first());
        assert_eq!(open(&large, &old), None);
    }

    proptest! {
        #[test]
        fn what_is_decoded_encodes_to_the_same(octets in vec(any::<u8>(), 0..200), kind in 0_u8..5) {
            let mut octets = octets;
            if let Some(octet) = octets.get_mut(16) {
                *octet = kind;
            }
            if let Some(message) = Message::decode(&octets) {
                prop_assert_eq!(message.encode(), octets);
            }
        }
    }
}
