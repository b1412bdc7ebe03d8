//! Random sequences of operations on the store and on a model made of `BTreeMap`s.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use opentracker_store::{
    Announce, Comparison, Family, Heard, Minute, Moment, PeerBuffers, PerKind, Picker, Presence,
    Removed, Store, Sweeper, Timing, Told,
};
use opentracker_types::{InfoHash, PeerAddr, SwarmCounts};
use proptest::prelude::*;

use crate::operations::{Op, any_op};

const PEER_TIMEOUT: u32 = 45;
const TORRENT_TIMEOUT: u32 = 120;
const RENEW_BOUNDARY: u32 = 10;
const INTERVAL: u32 = 25;

fn timing() -> Timing {
    let minutes = |number| Duration::from_secs(60 * u64::from(number));
    Timing::new(
        minutes(PEER_TIMEOUT),
        minutes(TORRENT_TIMEOUT),
        minutes(RENEW_BOUNDARY),
    )
    .with_interval(minutes(INTERVAL))
}

#[derive(Debug, Default)]
struct ModelTorrent {
    peers: BTreeMap<PeerAddr, ModelPeer>,
    downloads: u64,
    last_announce: u32,
    /// A sibling told of it.
    told: bool,
    prefixes: BTreeSet<Vec<u8>>,
    first_announce: Option<u32>,
    last_seen: u32,
}

impl ModelTorrent {
    /// Notes an announce of a peer that is there now.
    fn see(&mut self, peer: PeerAddr, now: u32) {
        self.prefixes.insert(prefix(peer));
        self.first_announce.get_or_insert(now);
        self.last_seen = now;
    }

    /// Notes an announce that a sibling told of.
    fn see_told(&mut self, peer: PeerAddr, announced: u32) {
        self.prefixes.insert(prefix(peer));
        self.first_announce.get_or_insert(announced);
        self.last_seen = self.last_seen.max(announced);
    }

    /// Whether its downloads are kept when its peers are gone.
    fn is_kept(&self) -> bool {
        let first = self.first_announce.unwrap_or(self.last_seen);
        let is_established =
            self.told || self.prefixes.len() > 1 || self.last_seen.saturating_sub(first) > INTERVAL;
        is_established && self.downloads > 0
    }
}

/// What counts as one customer's.
fn prefix(peer: PeerAddr) -> Vec<u8> {
    match peer.ip() {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets()[..7].to_vec(),
    }
}

#[derive(Debug)]
struct ModelPeer {
    seeding: bool,
    completed: bool,
    announced: u32,
    told: u32,
}

#[derive(Debug, Default)]
struct Model {
    torrents: BTreeMap<u8, ModelTorrent>,
    now: u32,
}

struct Expected {
    counts: SwarmCounts,
    was_known: bool,
    tell: bool,
    eligible: Vec<PeerAddr>,
}

impl Model {
    fn announce(
        &mut self,
        torrent: u8,
        peer: PeerAddr,
        presence: Presence,
        heard: bool,
    ) -> Expected {
        let now = self.now;
        let Presence::Here { seeding, completed } = presence else {
            return self.leave(torrent, peer, heard);
        };
        let entry = self.torrents.entry(torrent).or_default();
        entry.see(peer, now);
        let mut has_completed = seeding && completed;
        let was_known = entry.peers.contains_key(&peer);
        let tell = match entry.peers.get_mut(&peer) {
            None => {
                let told = now;
                entry.peers.insert(
                    peer,
                    ModelPeer {
                        seeding,
                        completed: has_completed,
                        announced: now,
                        told,
                    },
                );
                true
            }
            Some(known) => {
                has_completed &= !known.completed;
                let tell = has_completed
                    || known.seeding != seeding
                    || now - known.told > RENEW_BOUNDARY
                    || now - known.announced > PEER_TIMEOUT;
                known.seeding = seeding;
                known.completed |= has_completed;
                known.announced = now;
                if tell || heard {
                    known.told = now;
                }
                tell
            }
        };
        entry.downloads = entry.downloads.saturating_add(has_completed.into());
        entry.last_announce = now;
        let scope = peer.scope().unwrap();
        let eligible = entry
            .peers
            .iter()
            .filter(|(other, about)| {
                **other != peer
                    && !(seeding && about.seeding)
                    && other.scope().unwrap().is_visible_to(scope)
            })
            .map(|(other, _)| *other)
            .collect();
        Expected {
            counts: self.counts(torrent).unwrap(),
            was_known,
            tell: tell && !heard,
            eligible,
        }
    }

    /// A sibling tells of a peer that announced there so many minutes ago.
    fn hear(&mut self, torrent: u8, peer: PeerAddr, seeding: bool, age_minutes: u8) -> Heard {
        let age = u32::from(age_minutes);
        if age > PEER_TIMEOUT {
            return Heard::TimedOut;
        }
        let announced = self.now - age;
        let known = self.torrents.get(&torrent);
        let known = known.and_then(|known| known.peers.get(&peer));
        if known.is_some_and(|known| announced <= known.announced + 1) {
            return Heard::Known;
        }
        let has_completed = seeding || known.is_some_and(|known| known.completed);
        let entry = self.torrents.entry(torrent).or_default();
        entry.see_told(peer, announced);
        let about = ModelPeer {
            seeding,
            completed: has_completed,
            announced,
            told: announced,
        };
        entry.peers.insert(peer, about);
        Heard::Applied
    }

    fn leave(&mut self, torrent: u8, peer: PeerAddr, heard: bool) -> Expected {
        let mut counts = self.counts(torrent).unwrap_or_default();
        let mut was_known = false;
        if let Some(entry) = self.torrents.get_mut(&torrent) {
            was_known = entry.peers.remove(&peer).is_some();
            if was_known {
                entry.see(peer, self.now);
                if entry.peers.is_empty() {
                    entry.last_announce = self.now;
                }
                let is_worthless = entry.peers.is_empty() && !entry.is_kept();
                counts = self.counts(torrent).unwrap();
                if is_worthless {
                    self.torrents.remove(&torrent);
                }
            }
        }
        Expected {
            counts,
            was_known,
            tell: !heard,
            eligible: Vec::new(),
        }
    }

    fn downloads(&mut self, torrent: u8, idle: u32, downloads: u64) -> Comparison {
        match self.torrents.get_mut(&torrent) {
            None => {
                let entry = self.torrents.entry(torrent).or_default();
                entry.downloads = downloads;
                entry.last_announce = self.now.saturating_sub(idle);
                entry.told = true;
                Comparison::Created
            }
            Some(entry) if entry.downloads < downloads => {
                entry.downloads = downloads;
                entry.told = true;
                Comparison::Raised
            }
            Some(entry) if entry.downloads == downloads => Comparison::Equal,
            Some(_) => Comparison::OursIsLarger,
        }
    }

    fn sweep(&mut self) {
        let now = self.now;
        self.torrents.retain(|_, torrent| {
            let was_empty = torrent.peers.is_empty();
            let youngest = torrent.peers.values().map(|peer| peer.announced).max();
            torrent
                .peers
                .retain(|_, peer| now - peer.announced <= PEER_TIMEOUT);
            if !torrent.peers.is_empty() {
                return true;
            }
            if let Some(youngest) = youngest {
                torrent.last_announce = youngest;
            }
            now - torrent.last_announce <= TORRENT_TIMEOUT && (was_empty || torrent.is_kept())
        });
    }

    fn counts(&self, torrent: u8) -> Option<SwarmCounts> {
        let torrent = self.torrents.get(&torrent)?;
        let seeders = torrent.peers.values().filter(|peer| peer.seeding).count();
        Some(SwarmCounts {
            seeders: u32::try_from(seeders).unwrap(),
            leechers: u32::try_from(torrent.peers.len() - seeders).unwrap(),
            downloads: torrent.downloads,
        })
    }
}

fn compact(peer: PeerAddr) -> Vec<u8> {
    let mut octets = match peer.ip() {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    octets.extend(peer.port().to_be_bytes());
    octets
}

/// A store and its model, always given the same operations.
struct Pair {
    store: Store,
    model: Model,
    sweeper: Sweeper,
    picker: Picker,
    timing: Timing,
}

impl Pair {
    fn moment(&self) -> Moment {
        Moment::new(Minute::new(self.model.now), &self.timing)
    }

    fn sweep(&mut self) {
        self.model.sweep();
        let moment = self.moment();
        while self.sweeper.step(&self.store, &moment).is_none() {}
    }

    fn run(&mut self, op: &Op) {
        match *op {
            Op::Announce {
                torrent,
                peer,
                presence,
                want,
                heard,
            } => self.announce(torrent, peer, presence, want, heard),
            Op::Told {
                torrent,
                peer,
                seeding,
                age_minutes,
            } => {
                // The model's time begins at zero.
                let age_minutes = age_minutes.min(u8::try_from(self.model.now).unwrap_or(u8::MAX));
                let told = Told {
                    key: self.store.key(&hash(torrent)),
                    peer,
                    seeding,
                    age_minutes,
                };
                let heard = self.store.apply_told(&told, &self.moment());
                let expected = self.model.hear(torrent, peer, seeding, age_minutes);
                assert_eq!(heard, expected);
            }
            Op::Downloads {
                torrent,
                idle,
                downloads,
            } => {
                let told = self.store.apply_downloads(
                    &self.store.key(&hash(torrent)),
                    idle,
                    downloads,
                    &self.moment(),
                );
                assert_eq!(told, self.model.downloads(torrent, idle, downloads));
            }
            Op::Remove { torrent } => {
                let removed = self.store.remove(&self.store.key(&hash(torrent)));
                assert_eq!(removed, self.model.counts(torrent));
                self.model.torrents.remove(&torrent);
            }
            Op::Purge { torrents } => self.purge(torrents),
            Op::Pass { minutes } => {
                for _ in 0..minutes {
                    self.model.now += 1;
                    // The real sweeper comes by every minute; ages are one octet.
                    if self.model.now.is_multiple_of(30) {
                        self.sweep();
                    }
                }
            }
            Op::Sweep => self.sweep(),
        }
    }

    fn purge(&mut self, torrents: [u8; 2]) {
        let mut removed = Removed::default();
        for part in 0..self.store.parts() {
            let keep = |info_hash: &InfoHash| !torrents.contains(&info_hash.as_bytes()[0]);
            let part = self.store.retain(part, keep);
            removed.torrents += part.torrents;
            removed.peers += part.peers;
        }
        let mut expected = Removed::default();
        for torrent in torrents {
            if let Some(torrent) = self.model.torrents.remove(&torrent) {
                expected.torrents += 1;
                expected.peers += torrent.peers.len() as u64;
            }
        }
        assert_eq!(removed, expected);
    }

    fn announce(
        &mut self,
        torrent: u8,
        peer: PeerAddr,
        presence: Presence,
        want: usize,
        heard: bool,
    ) {
        let announce = Announce {
            key: self.store.key(&hash(torrent)),
            peer,
            presence,
        };
        let (mut v4, mut v6) = ([0; 20 * 6], [0; 20 * 18]);
        // All three ways of asking: one family, the other, both.
        let mut out = match want % 3 {
            0 => PeerBuffers::v4(&mut v4),
            1 => PeerBuffers::v6(&mut v6),
            _ => PeerBuffers::both(&mut v4, &mut v6),
        };
        let moment = self.moment();
        let announced = if heard {
            self.store.apply(&announce, &moment)
        } else {
            self.store
                .announce(&announce, &moment, want, &mut self.picker, &mut out)
        };
        let (v4_octets, v6_octets) = (out.v4_octets(), out.v6_octets());
        let expected = self.model.announce(torrent, peer, presence, heard);
        assert_eq!(announced.counts, expected.counts);
        assert_eq!(announced.was_seeding.is_some(), expected.was_known);
        assert_eq!(announced.tell, expected.tell);

        let mut given: Vec<Vec<u8>> = v4[..v4_octets].chunks(6).map(<[u8]>::to_vec).collect();
        given.extend(v6[..v6_octets].chunks(18).map(<[u8]>::to_vec));
        let eligible: Vec<Vec<u8>> = expected
            .eligible
            .iter()
            .filter(|peer| match want % 3 {
                0 => peer.is_ipv4(),
                1 => !peer.is_ipv4(),
                _ => true,
            })
            .map(|peer| compact(*peer))
            .collect();
        let owed = if heard { 0 } else { want.min(eligible.len()) };
        assert_eq!(given.len(), owed);
        for peer in &given {
            assert!(eligible.contains(peer), "{peer:?} is not eligible");
        }
        given.sort();
        given.dedup();
        assert_eq!(given.len(), owed, "a peer was handed out twice");
    }

    fn compare(&self) {
        let moment = self.moment();
        for torrent in 0..8 {
            assert_eq!(
                self.store.scrape(&self.store.key(&hash(torrent))),
                self.model.counts(torrent)
            );
        }
        let mut seen = Vec::new();
        for part in 0..self.store.parts() {
            self.store
                .visit(part, &moment, |summary| seen.push(summary));
        }
        assert_eq!(seen.len(), self.model.torrents.len());
        for summary in seen {
            let torrent = &self.model.torrents[&summary.info_hash.as_bytes()[0]];
            if torrent.peers.is_empty() {
                assert_eq!(summary.idle_minutes, self.model.now - torrent.last_announce);
            }
            let mut peers = Vec::new();
            self.store
                .visit_peers(&self.store.key(&summary.info_hash), |octets, seeding| {
                    peers.push((octets.to_vec(), seeding));
                });
            peers.sort();
            let mut expected: Vec<_> = torrent
                .peers
                .iter()
                .map(|(peer, about)| (compact(*peer), about.seeding))
                .collect();
            expected.sort();
            assert_eq!(peers, expected);
        }
        let mut peers = PerKind::default();
        for torrent in self.model.torrents.values() {
            for (peer, about) in &torrent.peers {
                let family = if peer.is_ipv4() {
                    Family::V4
                } else {
                    Family::V6
                };
                peers[(family, about.seeding)] += 1;
            }
        }
        assert_eq!(self.store.totals().peers, peers);
        assert_eq!(
            self.store.totals().torrents,
            self.model.torrents.len() as u64
        );
    }
}

fn hash(torrent: u8) -> InfoHash {
    InfoHash::new([torrent; 20])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn behaves_like_the_model(
        seed: [u8; 32],
        ops in prop::collection::vec(any_op(), 1..500),
    ) {
        let mut pair = Pair {
            store: Store::new(seed),
            model: Model::default(),
            sweeper: Sweeper::new(),
            picker: Picker::new(u64::from(seed[0])),
            timing: timing(),
        };
        for op in &ops {
            pair.run(op);
        }
        pair.compare();
        // Everything ends: after both timeouts nothing is left.
        pair.model.now += PEER_TIMEOUT + 1;
        pair.sweep();
        pair.compare();
        pair.model.now += 200 + TORRENT_TIMEOUT;
        pair.sweep();
        prop_assert_eq!(pair.store.totals().torrents, 0);
    }
}
