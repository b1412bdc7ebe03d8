//! A cluster in trouble: machines, clients, and the network between the machines, in virtual time.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use opentracker_livesync_wire::{LiveRecord, Packet, ScrapeTell, SyncLive6};
use opentracker_types::{AnnounceRequest, Event, InfoHash, PeerAddr};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

use crate::machine::{Machine, Times, WORKERS};
use crate::network::{Conditions, Network};

const SECOND: Duration = Duration::from_secs(1);

/// Torrents that have been completed, and whose peers have left: so a tracker that starts anew
/// hears of them by scrape sync alone.
const ARCHIVED: u16 = 60;

/// Torrents with peers, at most.
const LIVELY: u8 = 12;

/// A machine that never restarts, so that the archive is not lost.
pub(crate) const ESTABLISHED: usize = 0;

/// A client and where it announces.
#[derive(Debug)]
struct Client {
    torrent: InfoHash,
    peer: PeerAddr,
    home: usize,
    is_seeder: bool,
    is_alive: bool,
    next: Instant,
}

/// A cluster with its clients.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) times: Times,
    pub(crate) now: Instant,
    rng: StdRng,
    pub(crate) network: Network,
    machines: Vec<Slot>,
    clients: Vec<Client>,
    peers_made: u16,
    /// When something goes wrong next; `None` in good times, when no client comes, completes or
    /// goes either.
    trouble_at: Option<Instant>,
}

/// The place of a machine, where one follows the other.
#[derive(Debug)]
struct Slot {
    machine: Option<Machine>,
    /// When a machine that is down starts again.
    up_at: Option<Instant>,
    traffic: Traffic,
}

impl World {
    /// Starts all machines at once, with an archive that all of them know.
    pub(crate) fn new(seed: u64, machines: usize, times: Times) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let now = Instant::now();
        let slots = (0..machines).map(|_| Slot {
            machine: Some(Machine::start(&times, now, &mut rng)),
            up_at: None,
            traffic: Traffic::new(now),
        });
        let mut world = Self {
            machines: slots.collect(),
            network: Network::new(machines),
            clients: Vec::new(),
            peers_made: 0,
            trouble_at: None,
            now,
            rng,
            times,
        };
        world.fill_archive();
        for _ in 0..world.rng.random_range(5..40) {
            let client = world.client();
            world.clients.push(client);
        }
        world
    }

    /// Lets things go wrong.
    pub(crate) fn make_trouble(&mut self) {
        self.trouble_at = Some(self.now);
    }

    /// Ends all trouble: machines are up, the network is whole, and what it held back has arrived
    /// when this returns.
    pub(crate) fn heal(&mut self) {
        self.trouble_at = None;
        self.network.heal();
        for slot in &mut self.machines {
            slot.up_at = slot.up_at.map(|_| self.now);
        }
        self.run_for(Conditions::MOST_DELAY);
    }

    /// Replaces a machine by one that knows nothing.
    pub(crate) fn restart(&mut self, number: usize) {
        self.stop(number);
        self.machines[number].up_at = Some(self.now);
        self.run_for(Duration::ZERO);
    }

    /// Replaces a machine by one that knows nothing and has drawn the id of another.
    pub(crate) fn give_id(&mut self, number: usize, of: usize) {
        let id = self.machine(of).id();
        let machine = Machine::with_id(id, &self.times, self.now, &mut self.rng);
        self.machines[number].machine = Some(machine);
    }

    /// Goes on for a time.
    pub(crate) fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let next = self.next_at();
            if next > end {
                break;
            }
            self.now = self.now.max(next);
            self.step();
        }
        self.now = end;
    }

    pub(crate) fn machine(&self, number: usize) -> &Machine {
        self.machines[number].machine.as_ref().expect("it is up")
    }

    pub(crate) fn machines(&self) -> impl Iterator<Item = &Machine> {
        (0..self.machines.len()).map(|number| self.machine(number))
    }

    pub(crate) fn len(&self) -> usize {
        self.machines.len()
    }

    /// Returns all peers that are there, and whether each is a seeder.
    pub(crate) fn peers(&self) -> BTreeMap<(InfoHash, SocketAddr), bool> {
        let alive = self.clients.iter().filter(|client| client.is_alive);
        alive
            .map(|client| ((client.torrent, client.peer.into()), client.is_seeder))
            .collect()
    }

    /// Draws a number below another.
    pub(crate) fn draw(&mut self, below: usize) -> usize {
        self.rng.random_range(0..below)
    }

    /// Returns how many inquiries a machine, and those before it in its place, have sent.
    pub(crate) fn inquiries(&self) -> u64 {
        self.machines
            .iter()
            .map(|slot| slot.traffic.inquiries)
            .sum()
    }

    /// Returns how many counts all have told.
    pub(crate) fn tells(&self) -> u64 {
        self.machines.iter().map(|slot| slot.traffic.tells).sum()
    }

    /// Lets a new peer complete a torrent at a machine and go. Another one is there meanwhile: a
    /// torrent that a single prefix announced would not be kept.
    pub(crate) fn complete_at(&mut self, number: usize, torrent: InfoHash) {
        let guests = self.come(number, torrent);
        self.go(number, torrent, guests);
    }

    /// Lets all machines hear of torrents that were completed, and whose peers have left.
    fn fill_archive(&mut self) {
        let mut visits = Vec::new();
        for number in 0..ARCHIVED {
            for _ in 0..=number % 3 {
                let (home, torrent) = (self.draw(self.machines.len()), archived(number));
                visits.push((home, torrent, self.come(home, torrent)));
            }
        }
        // Nobody hears that one has left before it hears that there were two.
        self.run_for(self.times.peer_sync.max_delay + Conditions::HEALED.most_delay);
        for (home, torrent, guests) in visits {
            self.go(home, torrent, guests);
        }
    }

    /// Lets two new peers come to a machine, the first of which completes.
    pub(crate) fn come(&mut self, number: usize, torrent: InfoHash) -> [PeerAddr; 2] {
        let guests = [self.peer(), self.peer()];
        self.announce(number, torrent, guests[0], true, Event::Completed);
        self.announce(number, torrent, guests[1], false, Event::Started);
        guests
    }

    fn go(&mut self, number: usize, torrent: InfoHash, guests: [PeerAddr; 2]) {
        self.announce(number, torrent, guests[0], true, Event::Stopped);
        self.announce(number, torrent, guests[1], false, Event::Stopped);
    }

    fn next_at(&self) -> Instant {
        let machines = self.machines.iter().filter_map(|slot| match &slot.machine {
            Some(machine) => Some(machine.poll_timeout()),
            None => slot.up_at,
        });
        let clients = self.clients.iter().map(|client| client.next);
        machines
            .chain(clients)
            .chain(self.network.next_at())
            .chain(self.trouble_at)
            .min()
            .expect("there are machines")
    }

    fn step(&mut self) {
        while let Some(datagram) = self.network.receive(self.now) {
            if let Some(machine) = &mut self.machines[datagram.to].machine {
                machine.receive(&datagram.octets, datagram.from, datagram.to, self.now);
                self.transmit(datagram.to);
            }
        }
        if self.trouble_at.is_some_and(|at| at <= self.now) {
            self.trouble();
        }
        for number in 0..self.clients.len() {
            if self.clients[number].next <= self.now {
                self.turn(number);
            }
        }
        for number in 0..self.machines.len() {
            self.serve(number);
        }
    }

    /// Lets a machine do what is due, or start if that is.
    fn serve(&mut self, number: usize) {
        let slot = &mut self.machines[number];
        match &mut slot.machine {
            Some(machine) if machine.poll_timeout() <= self.now => {
                machine.handle_timeout(self.now);
                self.transmit(number);
            }
            None if slot.up_at.is_some_and(|at| at <= self.now) => {
                slot.machine = Some(Machine::start(&self.times, self.now, &mut self.rng));
                slot.up_at = None;
                slot.traffic.restart(self.now);
            }
            _ => {}
        }
    }

    fn transmit(&mut self, number: usize) {
        let slot = &mut self.machines[number];
        let Some(machine) = &mut slot.machine else {
            return;
        };
        for packet in machine.packets() {
            slot.traffic
                .count(packet.as_bytes(), machine, &self.times, self.now);
            self.network
                .send(number, packet.as_bytes(), self.now, &mut self.rng);
        }
    }

    fn trouble(&mut self) {
        self.trouble_at = Some(self.now + SECOND.mul_f64(self.rng.random_range(5.0..120.0)));
        match self.rng.random_range(0..4) {
            0 => self.network.part(&mut self.rng),
            1 => self.network.conditions = Conditions::bad(&mut self.rng),
            2 => {
                let number = self.draw(self.machines.len());
                if number != ESTABLISHED {
                    self.stop(number);
                    let down = SECOND.mul_f64(self.rng.random_range(0.0..180.0));
                    self.machines[number].up_at = Some(self.now + down);
                }
            }
            _ => {
                let home = self.draw(self.machines.len());
                let number = self.rng.random_range(0..ARCHIVED);
                self.complete_at(home, archived(number));
            }
        }
    }

    /// Stops a machine: properly, or as a loss of power would.
    fn stop(&mut self, number: usize) {
        if self.rng.random_bool(0.5)
            && let Some(machine) = &mut self.machines[number].machine
        {
            machine.stop(self.now);
            self.transmit(number);
        }
        self.machines[number].machine = None;
    }

    /// Makes a peer that never was, of a prefix of its own.
    fn peer(&mut self) -> PeerAddr {
        self.peers_made += 1;
        let [high, low] = self.peers_made.to_be_bytes();
        let ip: IpAddr = if self.rng.random_bool(0.3) {
            [0x2001, 0xdb8, self.peers_made, 0, 0, 0, 0, 1].into()
        } else {
            [198, 51, high, low].into()
        };
        PeerAddr::new(ip, 6881)
    }

    /// Makes a client that comes within an interval.
    fn client(&mut self) -> Client {
        let wait = self.times.settings.interval.mul_f64(self.rng.random());
        Client {
            torrent: lively(self.rng.random_range(0..LIVELY)),
            peer: self.peer(),
            home: self.draw(self.machines.len()),
            is_seeder: self.rng.random_bool(0.3),
            is_alive: true,
            next: self.now + wait,
        }
    }

    /// Lets a client do what it has come back for.
    fn turn(&mut self, number: usize) {
        let mut event = Event::None;
        if self.trouble_at.is_some() {
            let dice = self.rng.random_range(0..10);
            if !self.clients[number].is_alive {
                self.clients[number] = self.client();
                return;
            }
            let client = &mut self.clients[number];
            match dice {
                0 | 1 if !client.is_seeder => {
                    client.is_seeder = true;
                    event = Event::Completed;
                }
                2 => {
                    client.is_alive = false;
                    client.next = self.now + 60 * SECOND;
                    // Or it goes without a word.
                    if self.rng.random_bool(0.5) {
                        let Client {
                            home,
                            torrent,
                            peer,
                            is_seeder,
                            ..
                        } = *client;
                        self.announce(home, torrent, peer, is_seeder, Event::Stopped);
                    }
                    return;
                }
                _ => {}
            }
        }
        let client = &self.clients[number];
        let Client {
            home,
            torrent,
            peer,
            is_seeder,
            ..
        } = *client;
        let wait = if client.is_alive {
            self.announce(home, torrent, peer, is_seeder, event)
        } else {
            Some(self.times.settings.interval)
        };
        let wait = wait.unwrap_or_else(|| {
            // The tracker is down: the client tries another soon.
            let numbers: Vec<usize> = (0..self.machines.len()).collect();
            self.clients[number].home = *numbers.choose(&mut self.rng).unwrap();
            SECOND.mul_f64(self.rng.random_range(15.0..60.0))
        });
        self.clients[number].next = self.now + wait;
    }

    /// Announces at a machine; returns when to come back, or `None` if it is down.
    fn announce(
        &mut self,
        number: usize,
        torrent: InfoHash,
        peer: PeerAddr,
        is_seeder: bool,
        event: Event,
    ) -> Option<Duration> {
        let request = AnnounceRequest::new(torrent, peer.port())
            .with_left(u64::from(!is_seeder))
            .with_event(event);
        let machine = self.machines[number].machine.as_mut()?;
        let wait = machine.announce(&request, peer.ip(), self.now, &mut self.rng);
        self.transmit(number);
        Some(wait)
    }
}

/// What a machine has sent, held against what it may send.
#[derive(Debug)]
struct Traffic {
    /// The interval between two beacons that is counted now.
    since: Instant,
    beacons: usize,
    inquired: usize,
    live: usize,
    live_records: usize,
    told: usize,
    /// Since the beginning of the world.
    inquiries: u64,
    tells: u64,
}

impl Traffic {
    fn new(now: Instant) -> Self {
        Self {
            since: now,
            beacons: 0,
            inquired: 0,
            live: 0,
            live_records: 0,
            told: 0,
            inquiries: 0,
            tells: 0,
        }
    }

    fn restart(&mut self, now: Instant) {
        *self = Self {
            inquiries: self.inquiries,
            tells: self.tells,
            ..Self::new(now)
        };
    }

    /// Counts a packet. In one beacon interval a machine sends one beacon, one inquiry, the packets
    /// that are full of announces and those whose time is over, and tells of each torrent once,
    /// however many inquire.
    fn count(&mut self, packet: &[u8], machine: &Machine, times: &Times, now: Instant) {
        let interval = times.scrape_sync.beacon_interval;
        if now >= self.since + interval {
            self.restart(now);
        }
        let told = self.told;
        match Packet::decode(packet).expect("a machine sends what can be read") {
            Packet::SyncLive(live) => self.count_peers(live.records()),
            Packet::SyncLive6(live) => self.count_peers(live.records()),
            Packet::Beacon(_) => self.beacons += 1,
            Packet::Inquire(_) => {
                self.inquired += 1;
                self.inquiries += 1;
            }
            Packet::ScrapeTell(tell) => {
                self.told += 1;
                self.tells += tell.records().len() as u64;
            }
        }
        if self.told > told {
            self.check_tell(machine, now);
        }
        assert!(self.beacons <= 1, "beacons in an interval");
        assert!(self.inquired <= 1, "inquiries in an interval");
        let delays = interval
            .as_millis()
            .div_ceil(times.peer_sync.max_delay.as_millis());
        let timed = 2 * WORKERS * (1 + usize::try_from(delays).unwrap());
        let full = self.live_records / SyncLive6::MAX_RECORDS;
        assert!(self.live <= timed + full, "announces: {self:?}");
    }
    fn count_peers(&mut self, records: impl ExactSizeIterator<Item = LiveRecord> + Clone) {
        if records.clone().any(|record| record.age.is_some()) {
            self.told += 1;
        } else {
            self.live += 1;
            self.live_records += records.len();
        }
    }

    fn check_tell(&self, machine: &Machine, now: Instant) {
        let torrents = machine.torrents(now).div_ceil(ScrapeTell::MAX_RECORDS);
        // Of each part that is copied out a packet may be left over, and in the end of peers of
        // either family.
        let parts = torrents.div_ceil(10) + 1;
        let peers = machine.peers(now).len().div_ceil(SyncLive6::MAX_RECORDS) + 1;
        assert!(self.told <= torrents + parts + peers, "tells: {self:?}");
    }
}

/// The info hash of a torrent of the archive.
pub(crate) fn archived(number: u16) -> InfoHash {
    let mut octets = [0; InfoHash::LEN];
    octets[..2].copy_from_slice(&number.to_be_bytes());
    InfoHash::new(octets)
}

/// Tells whether a torrent is one with peers.
pub(crate) fn is_lively(torrent: &InfoHash) -> bool {
    (0..LIVELY).any(|number| lively(number) == *torrent)
}

/// The info hash of a torrent with peers.
fn lively(number: u8) -> InfoHash {
    InfoHash::new([0xff - number; InfoHash::LEN])
}
