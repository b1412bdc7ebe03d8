//! Strategies for queries, replies and hostile octets.

use std::net::IpAddr;

use opentracker_http_wire::{AnnounceQuery, RetryIn};
use opentracker_types::{AnnounceRequest, Event, InfoHash, PeerId, SwarmCounts};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

pub(crate) fn info_hash() -> impl Strategy<Value = InfoHash> {
    any::<[u8; 20]>().prop_map(InfoHash::new)
}

pub(crate) fn swarm_counts() -> impl Strategy<Value = SwarmCounts> {
    any::<[u32; 3]>().prop_map(|[seeders, leechers, downloads]| SwarmCounts {
        seeders,
        leechers,
        downloads: downloads.into(),
    })
}

pub(crate) fn announce_query() -> impl Strategy<Value = AnnounceQuery> {
    let event = prop_oneof![
        Just(Event::None),
        Just(Event::Started),
        Just(Event::Completed),
        Just(Event::Stopped),
        Just(Event::Paused),
    ];
    let announce = (
        info_hash(),
        option::of(any::<[u8; 20]>().prop_map(PeerId::new)),
        1..=u16::MAX,
        any::<Option<u64>>(),
        event,
        any::<Option<u32>>(),
    )
        .prop_map(|(info_hash, peer_id, port, left, event, num_want)| {
            let mut announce = AnnounceRequest::new(info_hash, port).with_event(event);
            announce.peer_id = peer_id;
            announce.left = left;
            announce.num_want = num_want;
            announce
        });
    (
        announce,
        any::<[Option<u64>; 2]>(),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(|(announce, [downloaded, uploaded], compact, no_peer_id)| {
            let mut query = AnnounceQuery::new(announce);
            query.downloaded = downloaded;
            query.uploaded = uploaded;
            query.compact = compact;
            query.no_peer_id = no_peer_id;
            query
        })
}

/// Octets that are often a query, or nearly: the right names with values good and bad.
pub(crate) fn plausible_query() -> impl Strategy<Value = Vec<u8>> {
    let name = prop_oneof![
        4 => Just(b"info_hash".to_vec()),
        4 => Just(b"port".to_vec()),
        1 => Just(b"left".to_vec()),
        1 => Just(b"peer_id".to_vec()),
        1 => Just(b"event".to_vec()),
        1 => Just(b"numwant".to_vec()),
        1 => Just(b"compact".to_vec()),
        1 => Just(b"no_peer_id".to_vec()),
        1 => Just(b"uploaded".to_vec()),
        1 => vec(any::<u8>(), 0..10),
    ];
    let value = prop_oneof![
        4 => Just(b"aaaaaaaaaaaaaaaaaaaa".to_vec()),
        2 => Just(b"aaaaaaaaaaaaaaaaaa%ffb".to_vec()),
        4 => Just(b"6881".to_vec()),
        1 => Just(b"stopped".to_vec()),
        1 => Just(b"0".to_vec()),
        1 => Just(b"%".to_vec()),
        1 => vec(any::<u8>(), 0..30),
    ];
    let least = option::of(Just(b"info_hash=bbbbbbbbbbbbbbbbbbbb&port=80".to_vec()));
    (least, vec((name, value), 0..80)).prop_map(|(least, pairs)| {
        let pairs = pairs
            .into_iter()
            .map(|(name, value)| [name, value].join(&b'='));
        least
            .into_iter()
            .chain(pairs)
            .collect::<Vec<_>>()
            .join(&b'&')
    })
}

/// Compact peers of `peer_octets` octets each.
pub(crate) fn compact_peers(peer_octets: usize) -> impl Strategy<Value = Vec<u8>> {
    (0_usize..60).prop_flat_map(move |peers| vec(any::<u8>(), peers * peer_octets))
}

/// An address as BEP 24 can carry it without loss: canonical.
pub(crate) fn external_ip() -> impl Strategy<Value = Option<IpAddr>> {
    option::of(any::<IpAddr>().prop_map(|ip| ip.to_canonical()))
}

pub(crate) fn retry_in() -> impl Strategy<Value = Option<RetryIn>> {
    prop_oneof![
        Just(None),
        Just(Some(RetryIn::Never)),
        any::<u32>().prop_map(|minutes| Some(RetryIn::Minutes(minutes))),
    ]
}

/// Octets that are often the bencode of a reply, or nearly.
pub(crate) fn plausible_bencode() -> impl Strategy<Value = Vec<u8>> {
    let key = prop_oneof![
        8 => Just("8:interval"),
        1 => Just("8:complete"),
        1 => Just("12:min interval"),
        1 => Just("11:external ip"),
        2 => Just("5:peers"),
        1 => Just("6:peers6"),
        1 => Just("15:warning message"),
        1 => Just("14:failure reason"),
        1 => Just("8:retry in"),
        2 => Just("5:files"),
        1 => Just("0:"),
    ];
    let value = prop_oneof![
        6 => any::<u32>().prop_map(|number| format!("i{number}e").into_bytes()),
        4 => Just(b"18:aaaaaaaaaaaaaaaaaa".to_vec()),
        1 => Just(b"4:\xc0\x00\x02\x07".to_vec()),
        1 => Just(b"ld2:ip9:192.0.2.74:porti80eee".to_vec()),
        1 => Just(b"d20:aaaaaaaaaaaaaaaaaaaad8:completei1eee".to_vec()),
        1 => Just(b"5:never".to_vec()),
        1 => Just(b"de".to_vec()),
        1 => any::<i64>().prop_map(|number| format!("i{number}e").into_bytes()),
    ];
    let dictionary = vec((key, value), 0..5).prop_map(|entries| {
        let entries = entries
            .into_iter()
            .flat_map(|(key, value)| [key.as_bytes(), &value].concat());
        [b'd'].into_iter().chain(entries).chain([b'e']).collect()
    });
    let piece = prop_oneof![
        Just(b"d".to_vec()),
        Just(b"l".to_vec()),
        Just(b"e".to_vec()),
        Just(b"0:".to_vec()),
        Just(b"1:x".to_vec()),
        Just(b"i-1e".to_vec()),
        any::<u8>().prop_map(|octet| vec![octet]),
    ];
    let pieces = vec(piece, 0..12).prop_map(|pieces| pieces.concat());
    prop_oneof![3 => dictionary, 1 => pieces]
}
