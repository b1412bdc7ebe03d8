use alloc::vec::Vec;
use core::net::IpAddr;

use opentracker_types::SwarmCounts;

use crate::bencode::Value;
use crate::read::{Fields, missing};
use crate::write::{put_integer, put_string};
use crate::{Answer, DecodeError, Peers};

/// Answers an announce (BEP 3, BEP 7, BEP 23, BEP 24).
///
/// | key | value |
/// |---|---|
/// | `complete` | seeders |
/// | `downloaded` | completed downloads |
/// | `external ip` | the client's address, 4 or 16 octets; optional |
/// | `incomplete` | leechers |
/// | `interval` | seconds after which the client should announce again |
/// | `min interval` | seconds before which it must not; optional |
/// | `peers` | 6 octets a peer, or a list of dictionaries |
/// | `peers6` | 18 octets a peer; optional |
/// | `warning message` | string for a person to read; optional |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct AnnounceReply<'a> {
    /// The counts of the swarm; what a decoded reply does not say is 0.
    pub counts: SwarmCounts,
    /// Seconds after which the client should announce again.
    pub interval_secs: u32,
    /// Seconds before which the client must not announce again.
    pub min_interval_secs: Option<u32>,
    /// The address that the client was seen with (BEP 24); an IPv4-mapped one is written as IPv4.
    pub external_ip: Option<IpAddr>,
    /// The peers.
    pub peers: Peers<'a>,
    /// What a person at the client should know although the announce was taken.
    pub warning: Option<&'a [u8]>,
}

impl<'a> AnnounceReply<'a> {
    /// Makes a reply without any of the optional keys.
    pub const fn new(counts: SwarmCounts, interval_secs: u32, peers: Peers<'a>) -> Self {
        Self {
            counts,
            interval_secs,
            min_interval_secs: None,
            external_ip: None,
            peers,
            warning: None,
        }
    }

    /// Appends the reply, keys in ascending order.
    pub fn encode(&self, out: &mut Vec<u8>) {
        // The keys and numbers, and something to spare.
        const FRAME: usize = 192;
        out.reserve(FRAME + self.peers.max_octets() + self.warning.map_or(0, <[u8]>::len));

        put_integer(out, b"d8:complete", self.counts.seeders);
        put_integer(out, b"10:downloaded", self.counts.downloads);
        match self.external_ip.map(|ip| ip.to_canonical()) {
            None => {}
            Some(IpAddr::V4(ip)) => put_string(out, b"11:external ip", &ip.octets()),
            Some(IpAddr::V6(ip)) => put_string(out, b"11:external ip", &ip.octets()),
        }
        put_integer(out, b"10:incomplete", self.counts.leechers);
        put_integer(out, b"8:interval", self.interval_secs);
        if let Some(secs) = self.min_interval_secs {
            put_integer(out, b"12:min interval", secs);
        }
        self.peers.encode(out);
        if let Some(warning) = self.warning {
            put_string(out, b"15:warning message", warning);
        }
        out.push(b'e');
    }

    /// Decodes a reply, or a refusal, to an announce. Unknown keys are ignored.
    ///
    /// # Errors
    ///
    /// Fails if the body is not the bencode of a dictionary, if it has no `interval`, or if what
    /// one of the keys has is of the wrong type or a number that is negative or beyond 32 bits
    /// (`downloaded`: 63 bits).
    pub fn decode(body: &'a [u8]) -> Result<Answer<'a, Self>, DecodeError> {
        Answer::decode(body, Self::of_fields)
    }

    fn of_fields(reply: Fields<'a>) -> Result<Self, DecodeError> {
        let count = |key| reply.u32(key).map(Option::unwrap_or_default);
        Ok(Self {
            counts: SwarmCounts {
                seeders: count("complete")?,
                leechers: count("incomplete")?,
                downloads: reply.u64("downloaded")?.unwrap_or_default(),
            },
            interval_secs: reply.u32("interval")?.ok_or(missing("interval"))?,
            min_interval_secs: reply.u32("min interval")?,
            external_ip: reply.get("external ip", external_ip)?,
            peers: peers(reply)?,
            warning: reply.string("warning message")?,
        })
    }
}

fn external_ip(value: Value<'_>) -> Option<IpAddr> {
    let octets = value.as_string()?;
    let v4 = || <[u8; 4]>::try_from(octets).map(IpAddr::from);
    let v6 = || <[u8; 16]>::try_from(octets).map(IpAddr::from);
    let ip = v4().or_else(|_| v6()).ok()?;
    Some(ip.to_canonical())
}

fn peers(reply: Fields<'_>) -> Result<Peers<'_>, DecodeError> {
    let peers = reply.get("peers", |value| match value {
        Value::List(list) => Some(Peers::List(list)),
        Value::String(v4) => Some(Peers::Compact { v4, v6: None }),
        _ => None,
    })?;
    match peers {
        Some(Peers::Compact { v4, .. }) => Ok(Peers::Compact {
            v4,
            v6: reply.string("peers6")?,
        }),
        Some(peers) => Ok(peers),
        // A tracker without IPv4 may leave it out.
        None => Ok(Peers::Compact {
            v4: &[],
            v6: reply.string("peers6")?,
        }),
    }
}

#[cfg(test)]
mod tests {
    use opentracker_types::PeerAddr;

    use super::*;
    use crate::DecodeErrorKind;

    /// 192.0.2.7:6881 and 198.51.100.1:80.
    const V4: &[u8] = b"\xc0\x00\x02\x07\x1a\xe1\xc6\x33\x64\x01\x00\x50";
    /// [2001:db8::7]:6881.
    const V6: &[u8] = b"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07\x1a\xe1";

    fn reply(peers: Peers<'_>) -> AnnounceReply<'_> {
        AnnounceReply {
            counts: SwarmCounts {
                seeders: 3,
                leechers: 5,
                downloads: 7,
            },
            interval_secs: 1800,
            min_interval_secs: Some(900),
            external_ip: None,
            peers,
            warning: None,
        }
    }

    fn encode(reply: &AnnounceReply<'_>) -> Vec<u8> {
        let mut body = Vec::new();
        reply.encode(&mut body);
        body
    }

    /// By hand from BEP 3, 7 and 23, keys sorted as BEP 3 asks.
    #[test]
    fn golden_both_ways() {
        let head = "d8:completei3e10:downloadedi7e";
        let middle = "10:incompletei5e8:intervali1800e";
        let with_both = [
            format!("{head}{middle}12:min intervali900e").as_bytes(),
            b"5:peers12:",
            V4,
            b"6:peers618:",
            V6,
            b"e",
        ]
        .concat();
        let both = reply(Peers::Compact {
            v4: V4,
            v6: Some(V6),
        });

        let with_none = format!("{head}{middle}12:min intervali900e5:peers0:e").into_bytes();
        let none = reply(Peers::Compact { v4: &[], v6: None });

        let with_ip = [
            format!("{head}11:external ip4:").as_bytes(),
            &[192, 0, 2, 9],
            format!("{middle}5:peers0:15:warning message3:hume").as_bytes(),
        ]
        .concat();
        let ip = AnnounceReply {
            min_interval_secs: None,
            external_ip: Some([192, 0, 2, 9].into()),
            warning: Some(b"hum"),
            ..none
        };

        for (reply, golden) in [(both, with_both), (none, with_none), (ip, with_ip)] {
            assert_eq!(
                encode(&reply).escape_ascii().to_string(),
                golden.escape_ascii().to_string()
            );
            assert_eq!(AnnounceReply::decode(&golden), Ok(Answer::Reply(reply)));
        }
    }

    #[test]
    fn lists_hold_both_families() {
        let written = encode(&reply(Peers::ToList { v4: V4, v6: V6 }));
        let list = "5:peersl\
            d2:ip9:192.0.2.74:porti6881ee\
            d2:ip12:198.51.100.14:porti80ee\
            d2:ip11:2001:db8::74:porti6881ee\
            ee";
        assert!(written.ends_with(list.as_bytes()));

        let Ok(Answer::Reply(decoded)) = AnnounceReply::decode(&written) else {
            panic!("this is a reply");
        };
        assert!(matches!(decoded.peers, Peers::List(_)));
        let compact = Peers::Compact {
            v4: V4,
            v6: Some(V6),
        };
        assert!(decoded.peers.iter().eq(compact.iter()));
        assert_eq!(encode(&decoded), written);

        let empty = encode(&reply(Peers::ToList { v4: &[], v6: &[] }));
        assert!(empty.ends_with(b"5:peerslee"));
    }

    #[test]
    fn the_widest_addresses_fit() {
        let v4 = [255; 6];
        let v6 = [255; 18];
        let peers = Peers::ToList { v4: &v4, v6: &v6 };
        let mut out = Vec::new();
        peers.encode(&mut out);
        assert!(out.len() <= peers.max_octets());
        assert_eq!(
            out,
            b"5:peersld2:ip15:255.255.255.2554:porti65535ee\
              d2:ip39:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff4:porti65535eee"
        );
    }

    #[test]
    fn external_addresses() {
        for (ip, octets) in [
            ("192.0.2.9", b"4:\xc0\x00\x02\x09".as_slice()),
            ("::ffff:192.0.2.9", b"4:\xc0\x00\x02\x09"),
            (
                "2001:db8::9",
                b"16:\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x09",
            ),
        ] {
            let ip: IpAddr = ip.parse().unwrap();
            let mut reply = reply(Peers::Compact { v4: &[], v6: None });
            reply.external_ip = Some(ip);
            let body = encode(&reply);
            let entry = [b"11:external ip", octets].concat();
            assert!(body.windows(entry.len()).any(|window| window == entry));
            let Ok(Answer::Reply(decoded)) = AnnounceReply::decode(&body) else {
                panic!("this is a reply");
            };
            assert_eq!(decoded.external_ip, Some(ip.to_canonical()));
        }
    }

    #[test]
    fn replies_of_others() {
        let peers = |body: &'static str| match AnnounceReply::decode(body.as_bytes()) {
            Ok(Answer::Reply(reply)) => reply.peers.iter().collect::<Vec<_>>(),
            other => panic!("{body}: {other:?}"),
        };
        assert_eq!(peers("d8:intervali60ee"), []);
        // Torn at the end, and entries that are no peer.
        assert_eq!(peers("d8:intervali60e5:peers5:AAAAAe"), []);
        assert_eq!(
            peers(
                "d8:intervali60e5:peersl\
                 d2:ip7:1.2.3.44:porti80e7:peer id1:xe\
                 d2:ip11:example.com4:porti80ee\
                 d2:ip7:1.2.3.44:porti65536ee\
                 d2:ip7:1.2.3.4e\
                 i1eee"
            ),
            [PeerAddr::new([1, 2, 3, 4].into(), 80)]
        );
    }

    #[test]
    fn wrong_replies() {
        use DecodeErrorKind::{MissingKey, WrongValue};
        for (body, kind, key, offset) in [
            ("de", MissingKey, "interval", 0),
            ("d8:interval2:60e", WrongValue, "interval", 11),
            ("d8:intervali-1ee", WrongValue, "interval", 11),
            ("d8:intervali4294967296ee", WrongValue, "interval", 11),
            ("d8:completelee", WrongValue, "complete", 11),
            (
                "d11:external ip3:abc8:intervali1ee",
                WrongValue,
                "external ip",
                15,
            ),
            ("d8:intervali1e5:peersi1ee", WrongValue, "peers", 21),
            (
                "d8:intervali1e5:peers0:6:peers6lee",
                WrongValue,
                "peers6",
                31,
            ),
        ] {
            let error = AnnounceReply::decode(body.as_bytes()).unwrap_err();
            assert_eq!(error.kind(), kind, "{body}");
            assert_eq!((error.key(), error.offset()), (Some(key), offset), "{body}");
        }
    }

    #[test]
    fn truncation() {
        let body = encode(&reply(Peers::ToList { v4: V4, v6: V6 }));
        for len in 0..body.len() {
            let error = AnnounceReply::decode(&body[..len]).unwrap_err();
            assert_eq!(error.kind(), DecodeErrorKind::Incomplete, "{len} octets");
            assert_eq!(error.offset(), len);
        }
    }
}
