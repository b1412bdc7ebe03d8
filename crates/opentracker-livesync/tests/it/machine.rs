//! A tracker of the simulated cluster: everything real but the socket and the clock.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use opentracker_core::{
    AccessLists, PeerBuffers, Requester, Rules, Settings, SwarmWalk, Sweeper, Totals, Tracker,
    Walk, Worker,
};
use opentracker_livesync::{
    self as livesync, Counter, Dialect, Instance, Keys, Kind, Kinds, Output, Source, Teller,
    Transmit,
};
use opentracker_livesync_wire::PacketBuf;
use opentracker_peer_sync as peer_sync;
use opentracker_scrape_sync as scrape_sync;
use opentracker_types::{AnnounceRequest, InfoHash, TrackerId};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::layout::{Layout, Place};

const MINUTE: Duration = Duration::from_secs(60);

/// Parts of a store. Few, because thousands of stores are made, and swept by the minute.
const PARTS: u16 = 8;

/// Threads of a tracker that serve clients, each with an accumulator of its own.
pub(crate) const WORKERS: usize = 2;

/// The settings of all trackers of a cluster.
#[derive(Debug, Clone)]
pub(crate) struct Times {
    pub(crate) settings: Settings,
    /// As in the settings, which do not say it.
    pub(crate) peer_timeout: Duration,
    pub(crate) peer_sync: peer_sync::Settings,
    pub(crate) scrape_sync: scrape_sync::Settings,
}

/// Packets that workers have filled.
#[derive(Debug, Clone, Default)]
struct Outbox(Arc<Mutex<VecDeque<PacketBuf>>>);

impl Transmit for Outbox {
    fn transmit(&self, packet: PacketBuf) -> bool {
        self.0.lock().unwrap().push_back(packet);
        true
    }
}

/// A tracker that runs.
#[derive(Debug)]
pub(crate) struct Machine {
    tracker: Arc<Tracker>,
    workers: Vec<Worker>,
    instance: Instance,
    outbox: Outbox,
    sweeper: Sweeper,
    sweep_at: Instant,
    seals: bool,
    may_hear_unsealed: bool,
    /// When the world began, and what the clock on this host's wall said then.
    began: Instant,
    pub(crate) clock_secs: u64,
}

/// What a machine starts with.
#[derive(Debug)]
pub(crate) struct Start<'a> {
    pub(crate) place: &'a Place,
    pub(crate) times: &'a Times,
    pub(crate) dialect: Dialect,
    pub(crate) keys: Option<Arc<Keys>>,
    pub(crate) began: Instant,
    pub(crate) clock_secs: u64,
}

impl Start<'_> {
    /// Starts a tracker that knows nothing.
    pub(crate) fn machine(self, now: Instant, rng: &mut StdRng) -> Machine {
        let id = TrackerId::new(rng.next_u32().to_be_bytes());
        self.with_id(id, now, rng)
    }

    /// Starts a tracker that knows nothing and has drawn this id.
    pub(crate) fn with_id(self, id: TrackerId, now: Instant, rng: &mut StdRng) -> Machine {
        let times = self.times;
        let rules = Rules::new(times.settings.clone(), AccessLists::default());
        let tracker = Arc::new(Tracker::with_parts(PARTS, rules, now, rng));
        let outbox = Outbox::default();
        let settings = self.settings();
        let worker = |_| {
            let teller = Teller::new(settings.peer_sync, outbox.clone(), tracker.counters());
            Worker::new(Arc::clone(&tracker), rng.next_u64(), Some(Box::new(teller)))
        };
        let workers = (0..WORKERS).map(worker).collect();
        let ids = StdRng::seed_from_u64(rng.next_u64());
        let seals = self.keys.is_some();
        Machine {
            workers,
            instance: Instance::new(Arc::clone(&tracker), id, &settings, self.keys, ids, now),
            outbox,
            sweeper: Sweeper::new(),
            sweep_at: now + MINUTE,
            tracker,
            seals,
            may_hear_unsealed: seals && self.dialect != Dialect::Full,
            began: self.began,
            clock_secs: self.clock_secs,
        }
    }

    fn settings(&self) -> livesync::Settings {
        let mut settings = livesync::Settings::new(self.times.peer_sync, self.times.scrape_sync)
            .with_carriers(self.place.carriers);
        settings.peer_sync.dialect = self.dialect;
        if self.place.relays {
            settings = settings.relaying();
        }
        match self.keys {
            Some(_) => settings.sealed(),
            None => settings,
        }
    }
}

impl Machine {
    /// Starts a tracker on a LAN without a secret, that knows nothing.
    pub(crate) fn start(times: &Times, now: Instant, rng: &mut StdRng) -> Self {
        let start = Start {
            place: &Layout::lan(1).places[0],
            times,
            dialect: Dialect::Full,
            keys: None,
            began: now,
            clock_secs: 0,
        };
        start.machine(now, rng)
    }

    /// Returns what it calls itself.
    pub(crate) fn id(&self) -> TrackerId {
        self.instance.id()
    }

    pub(crate) const fn seals(&self) -> bool {
        self.seals
    }

    /// Takes the file of keys anew.
    pub(crate) fn set_keys(&mut self, keys: Arc<Keys>) {
        self.instance.set_keys(keys);
    }

    /// Announces as a client; returns when it shall come back.
    pub(crate) fn announce(
        &mut self,
        request: &AnnounceRequest,
        source: IpAddr,
        now: Instant,
        rng: &mut StdRng,
    ) -> Duration {
        let (mut v4, mut v6) = ([0; 60], [0; 180]);
        let mut peers = PeerBuffers::both(&mut v4, &mut v6);
        let worker = usize::try_from(rng.next_u32()).unwrap() % WORKERS;
        let requester = Requester::new(source);
        let reply = self.workers[worker].announce(request, &requester, now, &mut peers);
        Duration::from_secs(u64::from(reply.unwrap().interval_secs))
    }

    /// Takes a datagram of the machine `from`, being the machine `to`.
    pub(crate) fn receive(
        &mut self,
        octets: &[u8],
        via: Kind,
        from: usize,
        to: usize,
        now: Instant,
    ) {
        let address = SocketAddr::from(([10, 0, 0, u8::try_from(from).unwrap()], 9696));
        let mut source = Source::new(via, (via != Kind::Nats).then_some(address));
        source.is_this_host = from == to;
        source.may_be_unsealed = self.may_hear_unsealed && via == Kind::Group;
        self.look_at_clock(now);
        self.instance.handle_packet(octets, source, now);
    }

    /// Returns when [`Self::handle_timeout`] wants to be called.
    pub(crate) fn poll_timeout(&self) -> Instant {
        self.workers
            .iter()
            .filter_map(Worker::poll_timeout)
            .chain(self.instance.poll_timeout())
            .fold(self.sweep_at, Instant::min)
    }

    /// Does what is due.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        for worker in &mut self.workers {
            worker.handle_timeout(now);
        }
        self.instance.handle_timeout(now);
        if self.sweep_at <= now {
            self.sweep_at += MINUTE;
            while self.sweeper.step(&self.tracker, now).is_none() {}
        }
    }

    /// Stops as the program does, with what still waits.
    pub(crate) fn stop(&mut self, now: Instant) {
        for worker in &mut self.workers {
            worker.flush(now);
        }
        self.instance.flush();
    }

    /// Takes a packet that is to be sent, and by which carriers.
    pub(crate) fn poll_packet(&mut self, now: Instant) -> Option<(PacketBuf, Kinds)> {
        self.look_at_clock(now);
        let filled = self.outbox.0.lock().unwrap().pop_front();
        let Output::Send { packet, to, .. } = match filled {
            Some(packet) => self.instance.tell(packet),
            None => self.instance.poll_output()?,
        };
        Some((packet, to))
    }

    /// Takes all packets that are to be sent.
    pub(crate) fn packets(&mut self, now: Instant) -> Vec<PacketBuf> {
        let packets = std::iter::from_fn(|| self.poll_packet(now));
        packets.map(|(packet, _)| packet).collect()
    }

    pub(crate) fn torrents(&self, now: Instant) -> usize {
        self.downloads(now).len()
    }

    pub(crate) fn totals(&self, now: Instant) -> Totals {
        self.tracker.totals(now)
    }

    pub(crate) fn dropped(&self, reason: Counter) -> u64 {
        self.tracker.counters().sum(reason)
    }

    fn look_at_clock(&mut self, now: Instant) {
        let secs = now.duration_since(self.began).as_secs();
        self.instance.handle_clock(self.clock_secs + secs);
    }

    /// Returns the download count of each torrent.
    pub(crate) fn downloads(&self, now: Instant) -> BTreeMap<InfoHash, u64> {
        let mut downloads = BTreeMap::new();
        let mut walk = Walk::new();
        while let Some(torrents) = walk.next_part(&self.tracker, now) {
            let torrents = torrents.iter();
            downloads.extend(torrents.map(|torrent| (torrent.info_hash, torrent.counts.downloads)));
        }
        downloads
    }

    /// Returns the minutes since each peer announced.
    pub(crate) fn ages(&self, now: Instant) -> BTreeMap<SocketAddr, u8> {
        let mut ages = BTreeMap::new();
        let mut walk = SwarmWalk::new();
        while let Some(swarms) = walk.step(&self.tracker, now) {
            let peers = swarms.flat_map(|(_, peers)| peers);
            ages.extend(peers.map(|peer| (peer.addr.into(), peer.age_minutes)));
        }
        ages
    }

    /// Returns all peers, and whether each is a seeder.
    pub(crate) fn peers(&self, now: Instant) -> BTreeMap<(InfoHash, SocketAddr), bool> {
        let mut peers = BTreeMap::new();
        for info_hash in self.downloads(now).into_keys() {
            self.tracker.visit_peers(&info_hash, |octets, is_seeder| {
                peers.insert((info_hash, address(octets)), is_seeder);
            });
        }
        peers
    }
}

/// Reads an address in compact form.
fn address(octets: &[u8]) -> SocketAddr {
    let (ip, port) = octets.split_at(octets.len() - 2);
    let ip: IpAddr = match <[u8; 4]>::try_from(ip) {
        Ok(ip) => Ipv4Addr::from(ip).into(),
        Err(_) => Ipv6Addr::from(<[u8; 16]>::try_from(ip).unwrap()).into(),
    };
    SocketAddr::new(ip, u16::from_be_bytes(port.try_into().unwrap()))
}
