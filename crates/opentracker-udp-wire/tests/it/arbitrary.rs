//! Strategies for packets.

use opentracker_types::{AnnounceRequest as Announce, Event, InfoHash, PeerId, SwarmCounts};
use opentracker_udp_wire::{
    AnnounceReply, AnnounceRequest, ConnectReply, ConnectRequest, ErrorReply, ScrapeRequest,
};
use proptest::collection::vec;
use proptest::prelude::*;

/// An announce request and its options, which the packet can say without loss.
pub(crate) fn announce_request() -> impl Strategy<Value = (AnnounceRequest<'static>, Vec<u8>)> {
    let event = prop_oneof![
        Just(Event::None),
        Just(Event::Completed),
        Just(Event::Started),
        Just(Event::Stopped),
    ];
    let num_want = prop_oneof![Just(None), (0..=0x7fff_ffff_u32).prop_map(Some)];
    let announce = (
        any::<[u8; 20]>(),
        any::<[u8; 20]>(),
        any::<u16>(),
        any::<u64>(),
        event,
        num_want,
    )
        .prop_map(|(info_hash, peer_id, port, left, event, num_want)| {
            let mut announce = Announce::new(InfoHash::new(info_hash), port)
                .with_peer_id(PeerId::new(peer_id))
                .with_left(left)
                .with_event(event);
            announce.num_want = num_want;
            announce
        });
    (
        any::<(u64, u32)>(),
        announce,
        any::<(u64, u64, [u8; 4], u32)>(),
        vec(any::<u8>(), 0..300),
    )
        .prop_map(
            |((connection, transaction), announce, (downloaded, uploaded, ip, key), options)| {
                let request = AnnounceRequest {
                    downloaded,
                    uploaded,
                    ip,
                    key,
                    ..AnnounceRequest::new(connection.into(), transaction.into(), announce)
                };
                (request, options)
            },
        )
}

pub(crate) fn connect_request() -> impl Strategy<Value = ConnectRequest> {
    any::<u32>().prop_map(|transaction| ConnectRequest {
        transaction: transaction.into(),
    })
}

pub(crate) fn connect_reply() -> impl Strategy<Value = ConnectReply> {
    any::<(u32, u64)>().prop_map(|(transaction, connection)| ConnectReply {
        transaction: transaction.into(),
        connection: connection.into(),
    })
}

/// An announce reply without its peers, and octets for them.
pub(crate) fn announce_reply() -> impl Strategy<Value = (AnnounceReply<'static>, Vec<u8>)> {
    (any::<[u32; 4]>(), vec(any::<u8>(), 0..600)).prop_map(
        |([transaction, interval_secs, leechers, seeders], peers)| {
            let reply = AnnounceReply {
                transaction: transaction.into(),
                interval_secs,
                leechers,
                seeders,
                peers: &[],
            };
            (reply, peers)
        },
    )
}

pub(crate) fn error_reply() -> impl Strategy<Value = (ErrorReply<'static>, Vec<u8>)> {
    (any::<u32>(), vec(any::<u8>(), 0..200)).prop_map(|(transaction, message)| {
        let reply = ErrorReply {
            transaction: transaction.into(),
            message: &[],
        };
        (reply, message)
    })
}

pub(crate) fn info_hashes() -> impl Strategy<Value = Vec<[u8; InfoHash::LEN]>> {
    vec(any::<[u8; 20]>(), 1..=ScrapeRequest::MAX_INFO_HASHES)
}

pub(crate) fn swarm_counts() -> impl Strategy<Value = SwarmCounts> {
    any::<[u32; 3]>().prop_map(|[seeders, leechers, downloads]| SwarmCounts {
        seeders,
        leechers,
        downloads: downloads.into(),
    })
}

/// Octets that often get past the head of some packet: a known action where requests or replies
/// have theirs, and the connect magic now and then.
pub(crate) fn plausible_packet() -> impl Strategy<Value = Vec<u8>> {
    let action = 0_u32..5;
    (vec(any::<u8>(), 0..1700), action, any::<[bool; 3]>()).prop_map(
        |(mut packet, action, [as_request, as_reply, with_magic])| {
            let mut overwrite = |at: usize, octets: &[u8]| {
                if let Some(area) = packet.get_mut(at..at + octets.len()) {
                    area.copy_from_slice(octets);
                }
            };
            if as_request {
                overwrite(8, &action.to_be_bytes());
            }
            if as_reply {
                overwrite(0, &action.to_be_bytes());
            }
            if with_magic {
                overwrite(0, &ConnectRequest::MAGIC.to_be_bytes());
            }
            packet
        },
    )
}
