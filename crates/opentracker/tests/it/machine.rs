//! A tracker of the simulated cluster: everything real but the socket and the clock.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use opentracker::core::{AccessLists, PeerBuffers, Settings, Tracker, Worker};
use opentracker::livesync::{Node, Teller, Transmit};
use opentracker::peer_sync::{self, Accumulator};
use opentracker::scrape_sync;
use opentracker::store::{Store, Sweeper};
use opentracker::types::{AnnounceRequest, InfoHash, TrackerId};
use rand::Rng;
use rand::rngs::StdRng;

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

/// Packets that wait for the network.
#[derive(Debug, Clone, Default)]
struct Outbox(Arc<Mutex<Vec<Vec<u8>>>>);

impl Transmit for Outbox {
    fn transmit(&self, packet: &[u8]) -> bool {
        self.0.lock().unwrap().push(packet.to_vec());
        true
    }
}

/// A tracker that runs.
#[derive(Debug)]
pub(crate) struct Machine {
    tracker: Arc<Tracker>,
    workers: Vec<Worker>,
    node: Node,
    outbox: Outbox,
    sweeper: Sweeper,
    sweep_at: Instant,
}

impl Machine {
    /// Starts a tracker that knows nothing.
    pub(crate) fn start(times: &Times, now: Instant, rng: &mut StdRng) -> Self {
        let (mut store_seed, mut id) = ([0; 32], [0; TrackerId::LEN]);
        rng.fill_bytes(&mut store_seed);
        rng.fill_bytes(&mut id);
        let id = TrackerId::new(id);
        let tracker = Arc::new(Tracker::with_store(
            Store::with_parts(store_seed, PARTS),
            times.settings.clone(),
            AccessLists::default(),
            4 * MINUTE,
            now,
            rng,
        ));
        let outbox = Outbox::default();
        let worker = |_| {
            let teller = Teller::new(
                Accumulator::new(id, times.peer_sync),
                outbox.clone(),
                tracker.counters().register(),
            );
            tracker.worker(rng.next_u64(), Some(Box::new(teller)))
        };
        Self {
            workers: (0..WORKERS).map(worker).collect(),
            node: Node::new(Arc::clone(&tracker), id, times.scrape_sync, true, now),
            outbox,
            sweeper: Sweeper::new(),
            sweep_at: now + MINUTE,
            tracker,
        }
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
        let reply = self.workers[worker].announce(request, source, now, &mut peers);
        Duration::from_secs(u64::from(reply.unwrap().interval_secs))
    }

    /// Takes a datagram.
    pub(crate) fn receive(&mut self, octets: &[u8], from: usize, now: Instant) {
        let source = SocketAddr::from(([10, 0, 0, u8::try_from(from).unwrap()], 9696));
        self.node.handle_packet(octets, Some(source), now);
    }

    /// Returns when [`Self::handle_timeout`] wants to be called.
    pub(crate) fn poll_timeout(&self) -> Instant {
        self.workers
            .iter()
            .filter_map(Worker::poll_timeout)
            .chain(self.node.poll_timeout())
            .fold(self.sweep_at, Instant::min)
    }

    /// Does what is due.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        for worker in &mut self.workers {
            worker.handle_timeout(now);
        }
        self.node.handle_timeout(now);
        if self.sweep_at <= now {
            self.sweep_at += MINUTE;
            let moment = self.tracker.moment(now);
            while self.sweeper.step(self.tracker.store(), &moment).is_none() {}
        }
    }

    /// Stops as the program does, with what still waits.
    pub(crate) fn stop(&mut self, now: Instant) {
        for worker in &mut self.workers {
            worker.flush(now);
        }
    }

    /// Takes the packets that are to be sent.
    pub(crate) fn packets(&mut self, now: Instant) -> Vec<Vec<u8>> {
        let mut packets = std::mem::take(&mut *self.outbox.0.lock().unwrap());
        self.node.poll_transmit(now, |packet| {
            packets.push(packet.to_vec());
            true
        });
        packets
    }

    pub(crate) fn torrents(&self) -> usize {
        usize::try_from(self.tracker.store().totals().torrents).unwrap()
    }

    /// Returns the download count of each torrent.
    pub(crate) fn downloads(&self, now: Instant) -> BTreeMap<InfoHash, u64> {
        let (store, moment) = (self.tracker.store(), self.tracker.moment(now));
        let mut downloads = BTreeMap::new();
        for part in 0..store.parts() {
            store.visit(part, &moment, |summary| {
                downloads.insert(summary.info_hash, summary.counts.downloads);
            });
        }
        downloads
    }

    /// Returns all peers, and whether each is a seeder.
    pub(crate) fn peers(&self, now: Instant) -> BTreeMap<(InfoHash, SocketAddr), bool> {
        let store = self.tracker.store();
        let mut peers = BTreeMap::new();
        for info_hash in self.downloads(now).into_keys() {
            store.visit_peers(&store.key(&info_hash), |octets, is_seeder| {
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
