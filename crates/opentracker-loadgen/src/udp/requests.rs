//! What is asked for next, and the datagram that asks for it.

use opentracker_types::{AnnounceRequest as Announce, Event, InfoHash};
use opentracker_udp_wire::{
    AnnounceRequest, ConnectRequest, ConnectionId, ScrapeRequest, TransactionId,
};
use rand::RngExt;
use rand::rngs::SmallRng;

use crate::mix::Mix;
use crate::population::Population;
use crate::tally::Kind;

/// A request to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Job {
    pub(super) kind: Kind,
    /// The number of the peer that makes it.
    pub(super) peer: u64,
    /// What an announce reports.
    pub(super) event: Event,
}

/// Decides what is asked for next.
#[derive(Debug)]
pub(super) enum Workload {
    /// Requests of all kinds in proportion, by peers drawn at random, without end.
    Mixed(Mixed),
    /// An announce by each peer, once.
    Fill(Fill),
}

impl Workload {
    /// The next request of a socket: `channel` counts the sockets of this thread, `number` those
    /// of all threads. `None` if there is nothing (more) to do.
    pub(super) fn next(
        &mut self,
        channel: usize,
        number: u64,
        random: &mut SmallRng,
    ) -> Option<Job> {
        match self {
            Self::Mixed(mixed) => Some(mixed.next(number, random)),
            Self::Fill(fill) => fill.next(channel),
        }
    }

    /// Takes note of a request that got no answer.
    pub(super) fn lost(&mut self, channel: usize, kind: Kind, peer: u64) {
        if let Self::Fill(fill) = self
            && kind == Kind::Announce
        {
            fill.cursors[channel].again.push(peer);
        }
    }

    /// Tells whether everything has been asked for.
    pub(super) fn is_exhausted(&self) -> bool {
        match self {
            Self::Mixed(_) => false,
            Self::Fill(fill) => fill.is_exhausted(),
        }
    }
}

/// Requests of all kinds in proportion.
#[derive(Debug)]
pub(super) struct Mixed {
    mix: Mix,
    shape: Shape,
    /// Requests that come from one source before the next source has its turn.
    train: usize,
    source: u64,
    left_of_train: usize,
}

impl Mixed {
    /// Draws from a mix; `train` requests in turn come from one source.
    pub(super) fn new(mix: Mix, shape: Shape, train: usize) -> Self {
        Self {
            mix,
            shape,
            train,
            source: 0,
            left_of_train: 0,
        }
    }

    fn next(&mut self, number: u64, random: &mut SmallRng) -> Job {
        if self.left_of_train == 0 {
            self.left_of_train = self.train;
            self.source = random.random_range(0..self.shape.sources_per_socket());
        }
        self.left_of_train -= 1;
        let (kind, event) = self.mix.draw(random);
        let rank = random.random_range(0..self.shape.peers_per_source);
        Job {
            kind,
            peer: self.shape.peer(number, self.source, rank),
            event,
        }
    }
}

/// How the peers of a population are numbered: by rank within their source, then by source within
/// its socket, then by socket.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) sockets: u64,
    pub(super) sources: u64,
    pub(super) peers_per_source: u64,
}

impl Shape {
    const fn sources_per_socket(&self) -> u64 {
        self.sources / self.sockets
    }

    const fn peer(&self, socket: u64, source: u64, rank: u64) -> u64 {
        (rank * self.sources_per_socket() + source) * self.sockets + socket
    }
}

/// An announce by each peer, source by source.
#[derive(Debug)]
pub(super) struct Fill {
    cursors: Vec<Cursor>,
    shape: Shape,
}

/// How far a socket is.
#[derive(Debug)]
struct Cursor {
    socket: u64,
    /// Announces that were made.
    next: u64,
    /// Peers whose announces got no answer.
    again: Vec<u64>,
}

impl Fill {
    /// Announces the peers of the sockets with these numbers.
    pub(super) fn new(sockets: impl Iterator<Item = u64>, shape: Shape) -> Self {
        let cursor = |socket| Cursor {
            socket,
            next: 0,
            again: Vec::new(),
        };
        Self {
            cursors: sockets.map(cursor).collect(),
            shape,
        }
    }

    fn next(&mut self, channel: usize) -> Option<Job> {
        let all = self.peers_per_socket();
        let shape = self.shape;
        let cursor = &mut self.cursors[channel];
        let peer = cursor.again.pop().or_else(|| {
            let next = cursor.next;
            (next < all).then(|| {
                cursor.next += 1;
                let (source, rank) = (next / shape.peers_per_source, next % shape.peers_per_source);
                shape.peer(cursor.socket, source, rank)
            })
        })?;
        Some(Job {
            kind: Kind::Announce,
            peer,
            event: Event::Started,
        })
    }

    const fn peers_per_socket(&self) -> u64 {
        self.shape.sources_per_socket() * self.shape.peers_per_source
    }

    fn is_exhausted(&self) -> bool {
        let all = self.peers_per_socket();
        self.cursors
            .iter()
            .all(|cursor| cursor.again.is_empty() && cursor.next >= all)
    }
}

/// Writes requests into the buffers of datagrams.
#[derive(Debug)]
pub(super) struct Encoder {
    population: Population,
    num_want: Option<u32>,
    info_hashes: Vec<[u8; InfoHash::LEN]>,
}

impl Encoder {
    /// Announces that ask for `num_want` peers, and scrapes of so many info hashes.
    pub(super) fn new(population: Population, num_want: Option<u32>, scrape_hashes: usize) -> Self {
        Self {
            population,
            num_want,
            info_hashes: vec![[0; InfoHash::LEN]; scrape_hashes],
        }
    }

    /// Writes a request, and returns its length in octets.
    pub(super) fn encode(
        &mut self,
        job: Job,
        connection: ConnectionId,
        transaction: TransactionId,
        random: &mut SmallRng,
        buffer: &mut [u8],
    ) -> usize {
        let encoded = match job.kind {
            Kind::Connect => ConnectRequest { transaction }.encode(buffer),
            Kind::Announce => self.announce(job, connection, transaction).encode(buffer),
            Kind::Scrape => {
                for info_hash in &mut self.info_hashes {
                    let torrent = self.population.draw_torrent(random);
                    *info_hash = *self.population.info_hash(torrent).as_bytes();
                }
                ScrapeRequest::new(connection, transaction, &self.info_hashes)
                    .expect("the command line allows 1 to 74 info hashes")
                    .encode(buffer)
            }
        };
        encoded.expect("a datagram's buffer holds every request")
    }

    fn announce(
        &self,
        job: Job,
        connection: ConnectionId,
        transaction: TransactionId,
    ) -> AnnounceRequest<'static> {
        let peer = self.population.peer(job.peer);
        let mut announce = Announce::new(self.population.info_hash(peer.torrent), peer.port)
            .with_peer_id(peer.id)
            .with_left(if peer.is_seeder { 0 } else { LEFT_OCTETS })
            .with_event(job.event);
        announce.num_want = self.num_want;
        AnnounceRequest::new(connection, transaction, announce)
    }
}

/// What a leecher has left.
const LEFT_OCTETS: u64 = 1 << 30;

#[cfg(test)]
mod tests {
    use opentracker_udp_wire::Request;
    use rand::SeedableRng;

    use super::*;
    use crate::args::{MixArgs, PopulationArgs};

    fn population() -> Population {
        let args = PopulationArgs {
            torrents: 50,
            peers: 100,
            zipf: None,
            seeders: 0.5,
            seed: 1,
        };
        Population::new(&args, 4, 4).unwrap()
    }

    #[test]
    fn the_requests_of_a_train_come_from_one_source_of_the_socket() {
        let shape = Shape {
            sockets: 2,
            sources: 4,
            peers_per_source: 25,
        };
        let args = MixArgs {
            announce: 94,
            connect: 1,
            scrape: 5,
            scrape_hashes: 3,
            numwant: 30,
            stopped: 0.1,
        };
        let mixed = Mixed::new(Mix::new(&args, true).unwrap(), shape, 3);
        let mut workload = Workload::Mixed(mixed);
        let mut random = SmallRng::seed_from_u64(1);
        let peers: Vec<u64> = (0..300)
            .map(|_| workload.next(0, 1, &mut random).unwrap().peer)
            .collect();
        assert!(!workload.is_exhausted());
        assert!(peers.iter().all(|peer| peer % 2 == 1 && *peer < 100));
        let sources: Vec<u64> = peers.iter().map(|peer| peer % 4).collect();
        let is_one = |train: &[u64]| train.iter().all(|source| *source == train[0]);
        assert!(sources.chunks(3).all(is_one));
        assert!(sources.contains(&1) && sources.contains(&3));
    }

    #[test]
    fn a_fill_announces_each_peer_until_it_is_answered() {
        let shape = Shape {
            sockets: 3,
            sources: 6,
            peers_per_source: 2,
        };
        let mut workload = Workload::Fill(Fill::new([1, 2].into_iter(), shape));
        let mut random = SmallRng::seed_from_u64(1);
        let mut next = |workload: &mut Workload, channel| {
            workload.next(channel, 0, &mut random).map(|job| job.peer)
        };
        // Sources 1 and 4 are those of socket 1.
        assert_eq!(next(&mut workload, 0), Some(1));
        assert_eq!(next(&mut workload, 0), Some(7));
        workload.lost(0, Kind::Announce, 1);
        workload.lost(0, Kind::Connect, 0);
        for expected in [Some(1), Some(4), Some(10), None] {
            assert_eq!(next(&mut workload, 0), expected);
        }
        assert!(!workload.is_exhausted());
        for expected in [Some(2), Some(8), Some(5), Some(11), None] {
            assert_eq!(next(&mut workload, 1), expected);
        }
        assert!(workload.is_exhausted());
    }

    #[test]
    fn datagrams_say_what_the_population_says() {
        let population = population();
        let mut encoder = Encoder::new(population.clone(), Some(30), 3);
        let mut random = SmallRng::seed_from_u64(1);
        let mut buffer = [0; 2048];
        let mut encode = |kind| {
            let job = Job {
                kind,
                peer: 42,
                event: Event::Stopped,
            };
            let octets = encoder.encode(job, 7.into(), 9.into(), &mut random, &mut buffer);
            buffer[..octets].to_vec()
        };
        let datagram = encode(Kind::Announce);
        let Ok(Request::Announce(request)) = Request::decode(&datagram) else {
            panic!("{datagram:?}");
        };
        let peer = population.peer(42);
        assert_eq!(request.connection, 7.into());
        assert_eq!(request.transaction, 9.into());
        assert_eq!(request.announce.port, peer.port);
        assert_eq!(request.announce.is_seeder(), peer.is_seeder);
        assert_eq!(request.announce.event, Event::Stopped);
        assert_eq!(request.announce.num_want, Some(30));
        assert_eq!(
            request.announce.info_hash,
            population.info_hash(peer.torrent)
        );

        let datagram = encode(Kind::Scrape);
        let Ok(Request::Scrape(request)) = Request::decode(&datagram) else {
            panic!("{datagram:?}");
        };
        let known: Vec<InfoHash> = (0..50)
            .map(|torrent| population.info_hash(torrent))
            .collect();
        assert_eq!(request.info_hashes().len(), 3);
        assert!(request.info_hashes().all(|hash| known.contains(&hash)));

        let datagram = encode(Kind::Connect);
        assert!(matches!(
            Request::decode(&datagram),
            Ok(Request::Connect(_))
        ));
    }
}
