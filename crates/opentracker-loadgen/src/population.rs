//! The torrents and peers of a run.
//!
//! Nothing of them is stored: a torrent and a peer follow from the seed and their number, so that
//! a run over a million torrents costs no memory, and a later run (or the allow list written
//! before) means the same ones.

use anyhow::{Result, ensure};
use opentracker_types::{InfoHash, PeerId};

use crate::args::PopulationArgs;
use crate::random::{Popularity, Random, mix};

/// The torrents and peers of a run.
#[derive(Debug, Clone)]
pub(crate) struct Population {
    seed: u64,
    torrents: u64,
    popularity: Popularity,
    peers: u64,
    addresses: u64,
    seeders: f64,
}

/// A peer of the population.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Peer {
    /// The number of its torrent.
    pub(crate) torrent: u64,
    /// The port that it announces; no other peer of the population has it at the same address.
    pub(crate) port: u16,
    /// Whether it has everything.
    pub(crate) is_seeder: bool,
}

impl Population {
    /// Makes a population of peers at so many addresses: a peer is at the address of its number
    /// modulo `addresses`.
    ///
    /// The number of peers is rounded up to a multiple of `groups`, so that each group of sockets
    /// or addresses has as many of them.
    ///
    /// # Errors
    ///
    /// There are not ports enough for so many peers.
    pub(crate) fn new(args: &PopulationArgs, addresses: u64, groups: u64) -> Result<Self> {
        let peers = args.peers.next_multiple_of(groups);
        ensure!(
            peers.div_ceil(addresses) <= PORTS,
            "{peers} peers need at least {} addresses, not {addresses}, since an address has {PORTS} \
             ports: see --sources and --source-net, or make it fewer --peers",
            peers.div_ceil(PORTS),
        );
        Ok(Self {
            seed: scatter(args.seed),
            torrents: args.torrents,
            popularity: Popularity::new(args.zipf, args.torrents),
            peers,
            addresses,
            seeders: args.seeders,
        })
    }

    /// Number of peers, a multiple of the groups.
    pub(crate) const fn peers(&self) -> u64 {
        self.peers
    }

    /// Number of torrents that have a peer.
    pub(crate) fn torrents_with_peers(&self) -> u64 {
        let torrents = usize::try_from(self.torrents).expect("the command line allows 32 bits");
        let mut has_peer = vec![false; torrents];
        for number in 0..self.peers {
            let torrent =
                usize::try_from(self.peer(number).torrent).expect("it is below the above");
            has_peer[torrent] = true;
        }
        has_peer.iter().map(|&has_peer| u64::from(has_peer)).sum()
    }

    /// The peer of a number below [`Self::peers`].
    pub(crate) fn peer(&self, number: u64) -> Peer {
        let mut random = Random::new(self.seed ^ mix(number));
        let port = 1 + number / self.addresses;
        Peer {
            torrent: self.popularity.draw(self.torrents, &mut random),
            port: u16::try_from(port).expect("checked when the population was made"),
            is_seeder: random.unit() < self.seeders,
        }
    }

    /// Draws a torrent as a client does that asks for one: by its popularity.
    pub(crate) fn draw_torrent(&self, random: &mut Random) -> u64 {
        self.popularity.draw(self.torrents, random)
    }

    /// The info hash of the torrent of a number.
    pub(crate) fn info_hash(&self, torrent: u64) -> InfoHash {
        info_hash(self.seed, torrent)
    }

    /// The info hash of the torrent of a number in any population of a seed.
    pub(crate) fn info_hash_of(seed: u64, torrent: u64) -> InfoHash {
        info_hash(scatter(seed), torrent)
    }

    /// The id that the peer of a number calls itself by.
    pub(crate) fn peer_id(&self, number: u64) -> PeerId {
        let mut octets = *b"-LG0100-............";
        fill(&mut octets[8..], !self.seed ^ mix(number));
        PeerId::new(octets)
    }
}

/// Ports that a peer can announce: all but 0.
const PORTS: u64 = 65_535;

/// Keeps the small seeds that people choose from starting with small states.
const fn scatter(seed: u64) -> u64 {
    mix(seed ^ 0x6c6f_6164_6765_6e21)
}

fn info_hash(scattered_seed: u64, torrent: u64) -> InfoHash {
    let mut octets = [0; InfoHash::LEN];
    fill(&mut octets, scattered_seed.wrapping_add(mix(torrent)));
    InfoHash::new(octets)
}

fn fill(octets: &mut [u8], seed: u64) {
    let mut random = Random::new(seed);
    for chunk in octets.chunks_mut(8) {
        chunk.copy_from_slice(&random.next().to_be_bytes()[..chunk.len()]);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn args(peers: u64, seed: u64) -> PopulationArgs {
        PopulationArgs {
            torrents: 100,
            peers,
            zipf: None,
            seeders: 0.25,
            seed,
        }
    }

    #[test]
    fn peers_are_unique_by_address_and_port() {
        let population = Population::new(&args(1_000, 1), 16, 48).unwrap();
        assert_eq!(population.peers(), 1_008);
        let peers: Vec<Peer> = (0..1_008).map(|number| population.peer(number)).collect();
        let unique: HashSet<(usize, u16)> = peers
            .iter()
            .enumerate()
            .map(|(number, peer)| (number % 16, peer.port))
            .collect();
        assert_eq!(unique.len(), peers.len());
        assert!(peers.iter().all(|peer| peer.torrent < 100));
        let seeders = peers.iter().filter(|peer| peer.is_seeder).count();
        assert!((200..300).contains(&seeders), "{seeders} of 1,008");
        let torrents: HashSet<u64> = peers.iter().map(|peer| peer.torrent).collect();
        assert_eq!(population.torrents_with_peers(), torrents.len() as u64);
    }

    #[test]
    fn the_whole_range_of_ports_is_usable_and_no_more() {
        let population = Population::new(&args(2 * PORTS, 1), 2, 2).unwrap();
        let ports = [0, population.peers() - 1].map(|number| population.peer(number).port);
        assert_eq!(ports, [1, 65_535]);
        let error = Population::new(&args(2 * PORTS + 1, 1), 2, 1).unwrap_err();
        assert!(
            error.to_string().contains("at least 3 addresses"),
            "{error}"
        );
    }

    #[test]
    fn the_same_seed_means_the_same_torrents_and_another_one_others() {
        let make = |seed| Population::new(&args(10, seed), 1, 1).unwrap();
        let hashes = |seed| -> HashSet<InfoHash> {
            let population = make(seed);
            (0..100)
                .map(|torrent| population.info_hash(torrent))
                .collect()
        };
        assert_eq!(hashes(1).len(), 100);
        assert_eq!(make(1).info_hash(99), Population::info_hash_of(1, 99));
        assert_eq!(hashes(1), hashes(1));
        assert!(hashes(1).is_disjoint(&hashes(2)));
        assert_eq!(make(3).peer(5), make(3).peer(5));
        assert_eq!(make(3).peer_id(5), make(3).peer_id(5));
        assert_ne!(make(3).peer_id(5), make(3).peer_id(6));
    }
}
