//! The torrents and peers of a run.
//!
//! Nothing of them is stored: a torrent and a peer follow from the seed and their number, so that
//! a run over a million torrents costs no memory, and a later run (or the allow list written
//! before) means the same ones.

use anyhow::{Result, ensure};
use opentracker_types::{InfoHash, PeerId};
use rand::distr::{Distribution, Uniform};
use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng, RngExt, SeedableRng};
use rand_distr::Zipf;

use crate::args::PopulationArgs;

/// The torrents and peers of a run.
#[derive(Debug, Clone)]
pub(crate) struct Population {
    seeds: Seeds,
    popularity: Popularity,
    torrents: u64,
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
    /// What it calls itself by.
    pub(crate) id: PeerId,
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
            seeds: Seeds::new(args.seed),
            popularity: Popularity::new(args.torrents, args.zipf)?,
            torrents: args.torrents,
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
        let index = |number| usize::try_from(number).expect("the command line allows 32 bits");
        let mut has_peer = vec![false; index(self.torrents)];
        for number in 0..self.peers {
            has_peer[index(self.peer(number).torrent)] = true;
        }
        has_peer.iter().map(|&has_peer| u64::from(has_peer)).sum()
    }

    /// The peer of a number below [`Self::peers`].
    pub(crate) fn peer(&self, number: u64) -> Peer {
        let mut random = generator(self.seeds.peers, number);
        let port = 1 + number / self.addresses;
        let mut id = *b"-LG0100-............";
        random.fill_bytes(&mut id[8..]);
        Peer {
            torrent: self.draw_torrent(&mut random),
            port: u16::try_from(port).expect("checked when the population was made"),
            is_seeder: random.random_bool(self.seeders),
            id: PeerId::new(id),
        }
    }

    /// Draws a torrent as a client does that asks for one: by its popularity.
    pub(crate) fn draw_torrent(&self, random: &mut impl Rng) -> u64 {
        match &self.popularity {
            Popularity::Uniform(uniform) => uniform.sample(random),
            #[expect(clippy::cast_possible_truncation, reason = "a rank of at most 32 bits")]
            Popularity::Zipf(zipf) => zipf.sample(random) as u64 - 1,
        }
    }

    /// The info hash of the torrent of a number.
    pub(crate) fn info_hash(&self, torrent: u64) -> InfoHash {
        self.seeds.info_hash(torrent)
    }
}

/// The highest number of peers at an address: so many ports there are, all but 0.
const PORTS: u64 = 65_535;

/// Which torrent a peer belongs to.
#[derive(Debug, Clone)]
enum Popularity {
    /// Each torrent is as likely as any other.
    Uniform(Uniform<u64>),
    /// The torrent of rank r, from 1, is drawn with a probability proportional to r⁻ˢ.
    Zipf(Zipf<f64>),
}

impl Popularity {
    fn new(torrents: u64, exponent: Option<f64>) -> Result<Self> {
        Ok(match exponent {
            None => Self::Uniform(Uniform::new(0, torrents)?),
            Some(exponent) => Self::Zipf(Zipf::new(torrents as f64, exponent)?),
        })
    }
}

/// What everything of a population follows from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seeds {
    torrents: u64,
    peers: u64,
}

impl Seeds {
    /// Scatters the small seeds that people choose, so that two of them share nothing.
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        Self {
            torrents: random.next_u64(),
            peers: random.next_u64(),
        }
    }

    /// The info hash of the torrent of a number.
    pub(crate) fn info_hash(&self, torrent: u64) -> InfoHash {
        let mut octets = [0; InfoHash::LEN];
        generator(self.torrents, torrent).fill_bytes(&mut octets);
        InfoHash::new(octets)
    }
}

/// The generator of a number. Its algorithm is fixed, since an allow list outlives the program that
/// wrote it.
fn generator(seed: u64, number: u64) -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(seed ^ number)
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
        assert_eq!(make(1).info_hash(99), Seeds::new(1).info_hash(99));
        assert_eq!(hashes(1), hashes(1));
        assert!(hashes(1).is_disjoint(&hashes(2)));
        assert_eq!(make(3).peer(5), make(3).peer(5));
        assert_ne!(make(3).peer(5).id, make(3).peer(6).id);
    }

    #[test]
    fn torrents_are_as_popular_as_they_are_told_to_be() {
        for exponent in [0.5, 1.0, 1.2] {
            let args = PopulationArgs {
                torrents: 50,
                zipf: Some(exponent),
                ..args(100_000, 1)
            };
            let population = Population::new(&args, 2, 1).unwrap();
            let mut counts = [0_u32; 50];
            for number in 0..population.peers() {
                counts[usize::try_from(population.peer(number).torrent).unwrap()] += 1;
            }
            let weight = |rank: u32| f64::from(rank).powf(-exponent);
            let sum: f64 = (1..=50).map(weight).sum();
            for (rank, &count) in (1..).zip(&counts) {
                let expected = 100_000.0 * weight(rank) / sum;
                let distance = (f64::from(count) - expected).abs();
                assert!(
                    distance < 5.0 * expected.sqrt() + 1.0,
                    "s {exponent}, rank {rank}: {count}, not {expected}"
                );
            }
        }
    }
}
