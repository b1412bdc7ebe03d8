//! `decode(encode(x)) == x`, and for octets that decode to `p`, `decode(encode(p)) == p`; every
//! reply is canonical bencode.

use std::collections::BTreeMap;

use opentracker_http_wire::{
    AnnounceQuery, AnnounceReply, Answer, Failure, Peers, ScrapeQuery, ScrapeReply,
};
use opentracker_types::{InfoHash, PeerAddr, SwarmCounts};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

use crate::arbitrary;
use crate::bencode::assert_canonical;

fn written(write: impl Fn(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out);
    out
}

/// A client's walk through compact peers, written out apart from the codec.
fn peers_of(v4: &[u8], v6: &[u8]) -> Vec<PeerAddr> {
    let v4 = v4.as_chunks().0.iter().map(|&[a, b, c, d, high, low]| {
        let port = u16::from(high) << 8 | u16::from(low);
        PeerAddr::new(std::net::Ipv4Addr::new(a, b, c, d).into(), port)
    });
    let v6 = v6.as_chunks::<18>().0.iter().map(|peer| {
        let bits = peer[..16]
            .iter()
            .fold(0_u128, |bits, &octet| bits << 8 | u128::from(octet));
        let port = u16::from(peer[16]) << 8 | u16::from(peer[17]);
        PeerAddr::new(std::net::Ipv6Addr::from_bits(bits).into(), port)
    });
    v4.chain(v6).collect()
}

fn scrape_reply(entries: &BTreeMap<InfoHash, SwarmCounts>, interval_secs: Option<u32>) -> Vec<u8> {
    written(|out| {
        let mut writer = ScrapeReply::begin(out);
        for (info_hash, &counts) in entries {
            writer.entry(out, info_hash, counts);
        }
        writer.end(out, interval_secs);
    })
}

proptest! {
    #[test]
    fn announce_query(query in arbitrary::announce_query()) {
        let text = written(|out| query.encode(out));
        prop_assert_eq!(AnnounceQuery::decode(&text), Ok(query));
    }

    #[test]
    fn octets_that_are_an_announce_query(text in arbitrary::plausible_query()) {
        if let Ok(query) = AnnounceQuery::decode(&text) {
            let again = written(|out| query.encode(out));
            prop_assert_eq!(AnnounceQuery::decode(&again), Ok(query));
        }
    }

    #[test]
    fn scrape_query(info_hashes in vec(arbitrary::info_hash(), 0..80)) {
        let query = ScrapeQuery::new(info_hashes.iter().copied());
        let mut expected: Vec<_> = info_hashes.into_iter().take(64).collect();
        expected.sort_unstable();
        expected.dedup();
        prop_assert_eq!(query.info_hashes(), expected);
        let text = written(|out| query.encode(out));
        prop_assert_eq!(ScrapeQuery::decode(&text), Ok(query));
    }

    #[test]
    fn octets_that_are_a_scrape_query(text in arbitrary::plausible_query()) {
        if let Ok(query) = ScrapeQuery::decode(&text) {
            let again = written(|out| query.encode(out));
            prop_assert_eq!(ScrapeQuery::decode(&again), Ok(query));
        }
    }

    #[test]
    fn announce_reply(
        counts in arbitrary::swarm_counts(),
        interval_secs: u32,
        min_interval_secs: Option<u32>,
        external_ip in arbitrary::external_ip(),
        warning in option::of(vec(any::<u8>(), 0..40)),
        v4 in arbitrary::compact_peers(6),
        v6 in option::of(arbitrary::compact_peers(18)),
    ) {
        let compact_peers = Peers::Compact { v4: &v4, v6: v6.as_deref() };
        let mut reply = AnnounceReply::new(counts, interval_secs, compact_peers);
        reply.min_interval_secs = min_interval_secs;
        reply.external_ip = external_ip;
        reply.warning = warning.as_deref();
        let expected_peers = peers_of(&v4, v6.as_deref().unwrap_or_default());

        let compact = written(|out| reply.encode(out));
        assert_canonical(&compact);
        prop_assert_eq!(AnnounceReply::decode(&compact), Ok(Answer::Reply(reply)));
        prop_assert_eq!(reply.peers.iter().collect::<Vec<_>>(), &expected_peers[..]);

        reply.peers = Peers::ToList { v4: &v4, v6: v6.as_deref().unwrap_or_default() };
        let listed = written(|out| reply.encode(out));
        assert_canonical(&listed);
        prop_assert_eq!(reply.peers.iter().collect::<Vec<_>>(), &expected_peers[..]);
        let Ok(Answer::Reply(mut decoded)) = AnnounceReply::decode(&listed) else {
            panic!("not a reply: {}", listed.escape_ascii());
        };
        prop_assert_eq!(decoded.peers.iter().collect::<Vec<_>>(), expected_peers);
        prop_assert_eq!(written(|out| decoded.encode(out)), &listed[..]);
        decoded.peers = reply.peers;
        prop_assert_eq!(decoded, reply);
    }

    #[test]
    fn octets_that_are_an_announce_reply(body in arbitrary::plausible_bencode()) {
        match AnnounceReply::decode(&body) {
            // A torn string of peers would not be written again.
            Ok(Answer::Reply(reply)) if is_whole(reply.peers) => {
                let again = written(|out| reply.encode(out));
                prop_assert_eq!(AnnounceReply::decode(&again), Ok(Answer::Reply(reply)));
            }
            Ok(Answer::Failure(failure)) => {
                let again = written(|out| failure.encode(out));
                prop_assert_eq!(AnnounceReply::decode(&again), Ok(Answer::Failure(failure)));
            }
            _ => {}
        }
    }

    #[test]
    fn failure(reason in ".{0,40}", retry_in in arbitrary::retry_in()) {
        let mut failure = Failure::new(&reason);
        failure.retry_in = retry_in;
        let body = written(|out| failure.encode(out));
        assert_canonical(&body);
        prop_assert_eq!(AnnounceReply::decode(&body), Ok(Answer::Failure(failure)));
        prop_assert_eq!(ScrapeReply::decode(&body), Ok(Answer::Failure(failure)));
    }

    #[test]
    fn scrape_replies(
        entries in btree_map(arbitrary::info_hash(), arbitrary::swarm_counts(), 0..40),
        interval_secs: Option<u32>,
    ) {
        let body = scrape_reply(&entries, interval_secs);
        assert_canonical(&body);
        let Ok(Answer::Reply(reply)) = ScrapeReply::decode(&body) else {
            panic!("not a reply: {}", body.escape_ascii());
        };
        prop_assert_eq!(reply.min_request_interval_secs(), interval_secs);
        prop_assert_eq!(reply.entries().collect::<BTreeMap<_, _>>(), entries);
        prop_assert!(reply.entries().is_sorted_by_key(|(info_hash, _)| info_hash));
    }
}

fn is_whole(peers: Peers<'_>) -> bool {
    match peers {
        Peers::Compact { v4, v6 } => v4.len() % 6 == 0 && v6.unwrap_or_default().len() % 18 == 0,
        _ => true,
    }
}

/// Where the buffer is used again, it is neither moved nor grown.
#[test]
fn nothing_is_allocated_in_steady_state() {
    let v4 = [7; 300];
    let v6 = [8; 900];
    let peers = Peers::Compact {
        v4: &v4,
        v6: Some(&v6),
    };
    let mut reply = AnnounceReply::new(SwarmCounts::default(), 1800, peers);
    reply.min_interval_secs = Some(900);
    reply.external_ip = Some([192, 0, 2, 9].into());
    let mut body = Vec::new();
    reply.encode(&mut body);
    let (place, capacity) = (body.as_ptr(), body.capacity());
    for _ in 0..3 {
        body.clear();
        reply.encode(&mut body);
        assert_eq!((body.as_ptr(), body.capacity()), (place, capacity));
    }
}
