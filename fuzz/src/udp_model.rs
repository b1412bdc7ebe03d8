//! What a tracker of one UDP listener has to answer, as simply as it can be said.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use opentracker_types::{AnnounceRequest, Event, InfoHash, PeerAddr, Scope, SwarmCounts};
use opentracker_udp_wire::{ConnectionId, Request};

/// The default rules, in minutes.
const PEER_TIMEOUT: u64 = 45;
const TORRENT_TIMEOUT: u64 = 24 * 60;
const INTERVAL: u64 = 30;
const NUMWANT_DEFAULT: u32 = 50;
const NUMWANT_MAX: u32 = 200;

/// Seconds for which an address that was told that its id is bad is not told again.
const TELL_INTERVAL: u64 = 30;

/// What is owed to a datagram.
#[derive(Debug)]
pub(crate) enum Owed {
    Nothing,
    Connect,
    Announce {
        counts: SwarmCounts,
        /// Of these, in compact form, as many as are wanted and fit.
        eligible: BTreeSet<Vec<u8>>,
        want: usize,
    },
    Scrape(Vec<SwarmCounts>),
    Error,
}

#[derive(Debug, Default)]
pub(crate) struct Model {
    /// Seconds since the start.
    pub(crate) now: u64,
    pub(crate) swarms: BTreeMap<InfoHash, Swarm>,
    told: BTreeMap<IpAddr, u64>,
}

#[derive(Debug, Default)]
pub(crate) struct Swarm {
    peers: BTreeMap<PeerAddr, Peer>,
    downloads: u64,
    last_announce: u64,
    prefixes: BTreeSet<Vec<u8>>,
    first_seen: Option<u64>,
    last_seen: u64,
}

#[derive(Debug)]
struct Peer {
    seeding: bool,
    completed: bool,
    announced: u64,
}

/// Which addresses and torrents are not served.
pub(crate) fn is_denied(ip: IpAddr) -> bool {
    matches!(ip.to_canonical(), IpAddr::V4(ip) if ip.octets()[..3] == [203, 0, 113])
}

pub(crate) const DENIED: InfoHash = InfoHash::new([7; 20]);

impl Model {
    /// Says what a datagram is owed from an address that has these ids, unless it is an announce to
    /// be served, which comes after all others of a batch.
    pub(crate) fn receive(
        &mut self,
        datagram: &[u8],
        source: SocketAddr,
        ids: &[ConnectionId],
    ) -> Result<Owed, AnnounceRequest> {
        let client = source.ip().to_canonical();
        let Ok(request) = Request::decode(datagram) else {
            return Ok(Owed::Nothing);
        };
        if source.port() == 0 {
            return Ok(Owed::Nothing);
        }
        match request {
            Request::Announce(announce) if ids.contains(&announce.connection) => {
                Err(announce.announce)
            }
            _ if Scope::of(client).is_none() || is_denied(client) => Ok(Owed::Nothing),
            Request::Connect(_) => Ok(Owed::Connect),
            Request::Scrape(scrape) if ids.contains(&scrape.connection()) => {
                let counts = scrape
                    .info_hashes()
                    .map(|info_hash| self.counts(&info_hash));
                Ok(Owed::Scrape(counts.collect()))
            }
            Request::Announce(_) | Request::Scrape(_) => Ok(self.refuse(client)),
        }
    }

    fn refuse(&mut self, client: IpAddr) -> Owed {
        let told = self.told.get(&client);
        if told.is_some_and(|told| self.now < told + TELL_INTERVAL) {
            return Owed::Nothing;
        }
        self.told.insert(client, self.now);
        Owed::Error
    }

    pub(crate) fn announce(&mut self, request: &AnnounceRequest, client: IpAddr) -> Owed {
        let peer = PeerAddr::new(client, request.port);
        if is_denied(client) {
            return Owed::Nothing;
        }
        let Some(scope) = peer.scope() else {
            return Owed::Error;
        };
        if request.info_hash == DENIED {
            return Owed::Error;
        }
        if request.event == Event::Stopped {
            return self.leave(&request.info_hash, peer);
        }
        let (seeding, now) = (request.is_seeder(), self.now / 60);
        let swarm = self.swarms.entry(request.info_hash).or_default();
        swarm.see(peer, now);
        swarm.last_announce = now;
        let mut has_completed = seeding && request.event == Event::Completed;
        let known = swarm.peers.get(&peer);
        let was_completed = known.is_some_and(|known| known.completed);
        has_completed &= !was_completed;
        swarm.downloads += u64::from(has_completed);
        let entered = Peer {
            seeding,
            completed: was_completed || has_completed,
            announced: now,
        };
        swarm.peers.insert(peer, entered);
        let want = request.num_want.unwrap_or(NUMWANT_DEFAULT).min(NUMWANT_MAX);
        // A list of all is long, and not asked for by most of a crowd.
        let looked_at = if want > 0 { usize::MAX } else { 0 };
        let eligible = swarm.peers.iter().take(looked_at).filter(|(other, about)| {
            **other != peer
                && other.is_ipv4() == peer.is_ipv4()
                && !(seeding && about.seeding)
                && other.scope().unwrap().is_visible_to(scope)
        });
        Owed::Announce {
            eligible: eligible.map(|(other, _)| compact(*other)).collect(),
            counts: swarm.counts(),
            want: usize::try_from(want).unwrap(),
        }
    }

    fn leave(&mut self, info_hash: &InfoHash, peer: PeerAddr) -> Owed {
        let mut counts = SwarmCounts::default();
        if let Some(swarm) = self.swarms.get_mut(info_hash) {
            if swarm.peers.remove(&peer).is_some() {
                swarm.see(peer, self.now / 60);
                swarm.last_announce = self.now / 60;
            }
            counts = swarm.counts();
            if swarm.peers.is_empty() && !swarm.is_kept() {
                self.swarms.remove(info_hash);
            }
        }
        Owed::Announce {
            counts,
            eligible: BTreeSet::new(),
            want: 0,
        }
    }

    pub(crate) fn sweep(&mut self) {
        let now = self.now / 60;
        self.swarms.retain(|_, swarm| {
            let was_empty = swarm.peers.is_empty();
            let youngest = swarm.peers.values().map(|peer| peer.announced).max();
            swarm
                .peers
                .retain(|_, peer| now - peer.announced <= PEER_TIMEOUT);
            if !swarm.peers.is_empty() {
                return true;
            }
            swarm.last_announce = youngest.unwrap_or(swarm.last_announce);
            now - swarm.last_announce <= TORRENT_TIMEOUT && (was_empty || swarm.is_kept())
        });
    }

    pub(crate) fn counts(&self, info_hash: &InfoHash) -> SwarmCounts {
        let swarm = self.swarms.get(info_hash);
        swarm.map(Swarm::counts).unwrap_or_default()
    }
}

impl Swarm {
    fn see(&mut self, peer: PeerAddr, now: u64) {
        self.prefixes.insert(prefix(peer));
        self.first_seen.get_or_insert(now);
        self.last_seen = now;
    }

    /// Whether its downloads are kept when its peers are gone.
    fn is_kept(&self) -> bool {
        let span = self.last_seen - self.first_seen.unwrap_or(self.last_seen);
        (self.prefixes.len() > 1 || span > INTERVAL) && self.downloads > 0
    }

    fn counts(&self) -> SwarmCounts {
        let seeders = self.peers.values().filter(|peer| peer.seeding).count();
        SwarmCounts {
            seeders: u32::try_from(seeders).unwrap(),
            leechers: u32::try_from(self.peers.len() - seeders).unwrap(),
            downloads: self.downloads,
        }
    }
}

/// What counts as one customer's.
fn prefix(peer: PeerAddr) -> Vec<u8> {
    match peer.ip() {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets()[..7].to_vec(),
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
