//! How much a store holds, and whether there is room for more.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::torrent::Torrent;

/// Octets that the allocator keeps for itself of a block, and of which its blocks are multiples
/// (glibc and musl on 64 bits).
const BLOCK_HEAD: usize = 8;
const BLOCK_UNIT: usize = 16;

/// Octets of memory that a block on the heap takes, the allocator's own included.
pub(crate) const fn allocated(octets: usize) -> usize {
    match octets {
        0 => 0,
        _ => (octets + BLOCK_HEAD).next_multiple_of(BLOCK_UNIT),
    }
}

/// Octets of memory that a block of torrents takes: to begin at a cache line it is given one more.
pub(crate) const fn allocated_aligned(octets: usize) -> usize {
    octets + align_of::<Torrent>()
}

/// The most that a store shall hold. At a bound what is known is still refreshed, and what is new
/// is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Torrents.
    pub torrents: u64,
    /// Peers.
    pub peers: u64,
    /// Peers of one torrent.
    pub peers_per_torrent: u64,
    /// Octets of memory.
    pub octets: u64,
}

impl Limits {
    /// No bounds.
    pub const NONE: Self = Self {
        torrents: u64::MAX,
        peers: u64::MAX,
        peers_per_torrent: u64::MAX,
        octets: u64::MAX,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::NONE
    }
}

/// The bound that kept a torrent or a peer out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// [`Limits::torrents`].
    Torrents,
    /// [`Limits::peers`].
    Peers,
    /// [`Limits::peers_per_torrent`].
    Swarm,
    /// [`Limits::octets`].
    Memory,
}

/// What there is in all parts of a store together. Only what comes or goes touches it, not the
/// announces of known peers.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    torrents: AtomicU64,
    peers: AtomicU64,
    octets: AtomicU64,
}

/// What came or went while a part was locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Change {
    pub(crate) torrents: i64,
    pub(crate) peers: i64,
    pub(crate) octets: i64,
}

/// How much room there is for more; what is negative is too much already.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    torrents: i64,
    peers: i64,
    octets: i64,
    pub(crate) peers_per_torrent: u64,
}

impl Usage {
    pub(crate) fn octets(&self) -> u64 {
        self.octets.load(Ordering::Relaxed)
    }

    pub(crate) fn add(&self, change: Change) {
        // What is negative wraps around, here as in the sum.
        let add = |sum: &AtomicU64, change: i64| {
            if change != 0 {
                sum.fetch_add(change.cast_unsigned(), Ordering::Relaxed);
            }
        };
        add(&self.torrents, change.torrents);
        add(&self.peers, change.peers);
        add(&self.octets, change.octets);
    }

    /// Returns how much room there is. Threads that ask at the same time may each fill it.
    pub(crate) fn room(&self, limits: &Limits) -> Room {
        let left = |sum: &AtomicU64, limit| {
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            limit - sum.load(Ordering::Relaxed).cast_signed()
        };
        Room {
            torrents: left(&self.torrents, limits.torrents),
            peers: left(&self.peers, limits.peers),
            octets: left(&self.octets, limits.octets),
            peers_per_torrent: limits.peers_per_torrent,
        }
    }
}

impl Room {
    /// Returns what keeps a new torrent out, after a change that is not added up yet.
    pub(crate) fn keeps_out_torrent(&self, change: &Change) -> Option<Full> {
        let is_full = change.torrents >= self.torrents;
        let full = is_full.then_some(Full::Torrents);
        full.or_else(|| self.keeps_out_peer(change))
    }

    /// Returns what keeps a new peer out of any swarm, after a change that is not added up yet.
    pub(crate) fn keeps_out_peer(&self, change: &Change) -> Option<Full> {
        if change.peers >= self.peers {
            Some(Full::Peers)
        } else {
            (change.octets >= self.octets).then_some(Full::Memory)
        }
    }
}

impl Change {
    /// Notes a block of memory that had so many octets and has another number now.
    pub(crate) fn resize(&mut self, before: usize, after: usize) {
        self.octets += (after as u64).wrapping_sub(before as u64).cast_signed();
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use opentracker_types::{InfoHash, PeerAddr, PeerId};
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    use super::*;
    use crate::announce::{Announce, Comparison, Presence, WebAnnounce};
    use crate::clock::{Minute, Moment, Timing};
    use crate::picker::Picker;
    use crate::saved::SwarmWalk;
    use crate::store::Store;
    use crate::sweep::Sweeper;
    use crate::web::{WebConnection, WebPeer};

    const HERE: Presence = Presence::Here {
        seeding: false,
        completed: false,
    };

    fn moment(minute: u32, limits: Limits) -> Moment {
        Moment::new(Minute::new(minute), &Timing::default()).with_limits(limits)
    }

    fn hash(number: u32) -> InfoHash {
        let mut octets = [3; 20];
        octets[..4].copy_from_slice(&number.to_be_bytes());
        InfoHash::new(octets)
    }

    fn peer(number: u32) -> PeerAddr {
        let [_, a, b, c] = number.to_be_bytes();
        match number % 3 {
            0 => PeerAddr::new(
                Ipv6Addr::from(u128::from(number) << 64 | 0x2001_0db8 << 96).into(),
                7,
            ),
            _ => PeerAddr::new(Ipv4Addr::new(198, a, b, c).into(), 7),
        }
    }

    fn announce(store: &Store, torrent: u32, peer: PeerAddr, presence: Presence) -> Announce {
        let key = store.key(&hash(torrent));
        Announce {
            key,
            peer,
            presence,
        }
    }

    /// What a walk over everything finds.
    fn walked(store: &Store) -> [u64; 3] {
        let mut sums = [0; 3];
        for bucket in store.buckets().iter() {
            assert_eq!(bucket.change, Change::default(), "nothing is left behind");
            sums[0] += bucket.len() as u64;
            sums[2] += bucket.heap_octets() as u64;
            sums[1] += bucket.peers.web_seeders + bucket.peers.web_leechers;
            for torrent in bucket.torrents() {
                sums[1] += torrent.swarm.peers().total();
                sums[2] += torrent.swarm.heap_octets() as u64;
            }
        }
        sums
    }

    fn counted(store: &Store) -> [u64; 3] {
        let usage = store.buckets().usage();
        [&usage.torrents, &usage.peers, &usage.octets].map(|sum| sum.load(Ordering::Relaxed))
    }

    #[test]
    fn what_comes_and_goes_adds_up() {
        let store = Store::with_parts([1; 32], 4);
        let mut rng = StdRng::seed_from_u64(5);
        let mut sweeper = Sweeper::new();
        let mut picker = Picker::new(5);
        for step in 0_u32..60_000 {
            let now = moment(10_000 + step / 200, Limits::NONE);
            // The first torrents have large swarms, and the last ones few peers or none.
            let torrents = rng.random_range(1..400);
            let torrent = rng.random_range(0..torrents);
            let peer = peer(rng.random_range(0..3000));
            let presence = match rng.random_range(0..8) {
                0..3 => Presence::Gone,
                3..6 => HERE,
                _ => Presence::Here {
                    seeding: true,
                    completed: true,
                },
            };
            store.apply(&announce(&store, torrent, peer, presence), &now);
            match rng.random_range(0..100) {
                0 => {
                    let downloads = rng.random::<u64>() >> rng.random_range(0..64);
                    store.apply_downloads(&store.key(&hash(torrent + 300)), 5, downloads, &now);
                }
                1 => drop(store.remove(&store.key(&hash(torrent)))),
                2..30 => drop(sweeper.step(&store, &now)),
                31..40 => {
                    let connection = WebConnection(rng.random_range(0..900));
                    let web = WebAnnounce {
                        key: store.key(&hash(torrent)),
                        peer: WebPeer {
                            peer_id: PeerId::new([7; 20]),
                            connection,
                        },
                        ip: peer.ip(),
                        presence,
                    };
                    store.announce_web(&web, &now, 3, &mut picker, &mut Vec::new());
                }
                30 if step % 16 == 0 => {
                    store.retain(rng.random_range(0..store.parts()), |hash| {
                        hash.as_bytes()[3] % 4 > 0
                    });
                }
                _ => {}
            }
            if step % 64 == 0 {
                assert_eq!(counted(&store), walked(&store), "step {step}");
            }
        }
        assert!(counted(&store).iter().all(|&sum| sum > 100));
        for part in 0..store.parts() {
            store.retain(part, |_| false);
        }
        assert_eq!(counted(&store)[..2], [0, 0]);
        assert_eq!(counted(&store), walked(&store));
    }

    #[test]
    fn at_a_bound_the_known_stay_and_the_new_are_refused() {
        let store = Store::with_parts([1; 32], 4);
        let refused = |torrent, number, limits| {
            let announce = announce(&store, torrent, peer(number), HERE);
            store.apply(&announce, &moment(1000, limits)).refused
        };
        let none = Limits::NONE;
        for torrent in 0..2 {
            for number in 0..60 {
                assert_eq!(refused(torrent, number, none), None);
            }
        }
        assert_eq!(refused(2, 0, none), None);
        let octets = store.heap_octets();
        for (limits, of_a_torrent, of_a_peer) in [
            (
                Limits {
                    torrents: 3,
                    ..none
                },
                Some(Full::Torrents),
                None,
            ),
            (
                Limits {
                    torrents: 5,
                    ..none
                },
                None,
                None,
            ),
            (
                Limits { peers: 121, ..none },
                Some(Full::Peers),
                Some(Full::Peers),
            ),
            (
                Limits { octets, ..none },
                Some(Full::Memory),
                Some(Full::Memory),
            ),
            (
                Limits {
                    peers_per_torrent: 60,
                    ..none
                },
                None,
                Some(Full::Swarm),
            ),
        ] {
            for number in [0, 1, 59] {
                assert_eq!(refused(0, number, limits), None, "known: {limits:?}");
            }
            let before = counted(&store);
            assert_eq!(refused(9, 0, limits), of_a_torrent, "{limits:?}");
            let told = store.apply_downloads(&store.key(&hash(8)), 0, 7, &moment(1000, limits));
            match of_a_torrent {
                Some(full) => assert_eq!(told, Comparison::Refused(full)),
                None => assert_eq!(told, Comparison::Created),
            }
            assert_eq!(refused(0, 60, limits), of_a_peer, "{limits:?}");
            if of_a_torrent.is_some() && of_a_peer.is_some() {
                assert_eq!(counted(&store), before, "nothing has changed: {limits:?}");
            }
            for torrent in [8, 9] {
                store.remove(&store.key(&hash(torrent)));
            }
            store.apply(
                &announce(&store, 0, peer(60), Presence::Gone),
                &moment(1000, none),
            );
        }
        let full = Limits { peers: 0, ..none };
        let gone = announce(&store, 0, peer(5), Presence::Gone);
        assert!(
            store
                .apply(&gone, &moment(1000, full))
                .was_seeding
                .is_some()
        );
    }

    #[test]
    fn what_is_restored_is_under_the_limits_too() {
        let saved = Store::with_parts([1; 32], 4);
        for number in 0..400 {
            let announce = announce(&saved, number % 7, peer(number), HERE);
            saved.apply(&announce, &moment(1000, Limits::NONE));
        }
        let none = Limits::NONE;
        for (limits, expected) in [
            (none, [7, 400]),
            (
                Limits {
                    torrents: 7,
                    peers: 400,
                    ..none
                },
                [7, 400],
            ),
            (Limits { peers: 100, ..none }, [7, 100]),
            (
                Limits {
                    peers_per_torrent: 5,
                    ..none
                },
                [7, 35],
            ),
        ] {
            let store = Store::with_parts([2; 32], 4);
            let now = moment(1000, limits);
            let mut walk = SwarmWalk::new();
            let mut no_room = 0;
            while let Some(swarms) = walk.step(&saved, &now) {
                for (torrent, peers) in swarms.iter() {
                    let key = store.key(&torrent.info_hash);
                    let peers = peers.iter().copied();
                    no_room += store.restore(&key, torrent, peers, 0, &now).no_room;
                }
            }
            let [torrents, peers, _] = counted(&store);
            assert!(
                torrents <= expected[0] && [peers] == expected[1..],
                "{limits:?}"
            );
            assert_eq!(no_room > 0, peers < 400, "{limits:?}");
            assert_eq!(counted(&store), walked(&store));
        }
    }
}
