//! Forgets the swarms that are no longer served.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Instant;

use opentracker_core::Tracker;
use opentracker_store::{Announce, Presence};
use opentracker_types::PeerAddr;

/// What was forgotten because it is no longer served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Purged {
    /// Torrents.
    pub torrents: u64,
    /// Their peers.
    pub peers: u64,
}

/// Forgets every swarm that the lists do not serve. One part of the store is looked through at a
/// time, so that announces go on.
pub(crate) fn purge(core: &Tracker) -> Purged {
    let (store, lists) = (core.store(), core.lists());
    let moment = core.moment(Instant::now());
    let mut purged = Purged::default();
    for part in 0..store.parts() {
        let mut unserved = Vec::new();
        store.visit(part, &moment, |summary| {
            if !lists.serves(&summary.info_hash) {
                unserved.push(summary.info_hash);
            }
        });
        for info_hash in unserved {
            let mut peers = Vec::new();
            store.visit_peers(&info_hash, |octets, _| peers.extend(peer(octets)));
            purged.torrents += 1;
            purged.peers += peers.len() as u64;
            for peer in peers {
                let announce = Announce {
                    info_hash,
                    peer,
                    presence: Presence::Gone,
                };
                store.apply(&announce, &moment);
            }
        }
    }
    purged
}

/// Reads a peer in compact form.
fn peer(octets: &[u8]) -> Option<PeerAddr> {
    let (ip, port) = octets.split_last_chunk()?;
    let ip: IpAddr = match *ip {
        [a, b, c, d] => Ipv4Addr::new(a, b, c, d).into(),
        _ => Ipv6Addr::from(<[u8; 16]>::try_from(ip).ok()?).into(),
    };
    Some(PeerAddr::new(ip, u16::from_be_bytes(*port)))
}
