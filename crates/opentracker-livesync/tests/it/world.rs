//! A cluster: machines, clients, and the network between the machines, in virtual time.

mod trouble;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use opentracker_livesync::{Counter, Dialect};
use opentracker_types::{AnnounceRequest, Event, InfoHash, PeerAddr};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

use crate::layout::Layout;
use crate::machine::{Machine, Start, Times};
use crate::network::{Conditions, Datagram, Network};
use crate::traffic::{Traffic, check_for_c_node};
use crate::world::trouble::{KEYS, KeyChange};

const SECOND: Duration = Duration::from_secs(1);

/// Torrents that have been completed, and whose peers have left: so a tracker that starts anew
/// hears of them by scrape sync alone.
const ARCHIVED: u16 = 60;

/// Torrents with peers, at most.
const LIVELY: u8 = 12;

/// A machine that never restarts, so that the archive is not lost.
pub(crate) const ESTABLISHED: usize = 0;

/// What the clocks on the walls say when the world begins, in unix seconds.
const BEGAN_SECS: u64 = 1_764_080_000;

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
    began: Instant,
    rng: StdRng,
    pub(crate) layout: Layout,
    pub(crate) network: Network,
    machines: Vec<Slot>,
    clients: Vec<Client>,
    /// When the next of them comes.
    client_at: Option<Instant>,
    peers_made: u16,
    pub(crate) share_of_v6: f64,
    /// When something goes wrong next; `None` in good times, when no client comes, completes or
    /// goes either.
    trouble_at: Option<Instant>,
    key_change: Option<KeyChange>,
    /// Whether a clock was ever so wrong that its seals were not taken.
    had_wrong_clock: bool,
}

/// The place of a machine, where one follows the other.
#[derive(Debug)]
struct Slot {
    machine: Option<Machine>,
    /// When a machine that is down starts again.
    up_at: Option<Instant>,
    /// When one that is up has something to do.
    due_at: Instant,
    traffic: Traffic,
    /// How far the keys are changed here.
    step: usize,
    /// What the clock would say at the beginning if it were right, or nearly so.
    clock_secs: u64,
    /// Datagrams that came here cut, since the machine started.
    cut: u64,
}

impl World {
    /// Starts all machines at once, with an archive that all of them know, and some clients.
    pub(crate) fn new(seed: u64, layout: Layout, times: Times) -> Self {
        let mut world = Self::empty(seed, layout, times);
        world.fill_archive();
        let clients = world.rng.random_range(5..40);
        world.join(clients);
        world
    }

    /// Starts all machines at once.
    pub(crate) fn empty(seed: u64, layout: Layout, times: Times) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let now = Instant::now();
        let most_skew = if rng.random_bool(0.9) { 30 } else { 250 };
        let slots = layout.places.iter().map(|_| Slot {
            machine: None,
            up_at: Some(now),
            due_at: now,
            traffic: Traffic::new(now),
            step: 0,
            clock_secs: BEGAN_SECS + rng.random_range(0..=most_skew),
            cut: 0,
        });
        let mut world = Self {
            machines: slots.collect(),
            network: Network::new(&layout),
            clients: Vec::new(),
            client_at: None,
            peers_made: 0,
            // Nodes of the C program of 2010 hear of IPv4 alone.
            share_of_v6: if layout.dialect == Dialect::CV4 {
                0.0
            } else {
                0.3
            },
            layout,
            trouble_at: None,
            key_change: None,
            had_wrong_clock: false,
            began: now,
            now,
            rng,
            times,
        };
        world.run_for(Duration::ZERO);
        world
    }

    /// Lets clients come, each within an interval.
    pub(crate) fn join(&mut self, clients: usize) {
        for _ in 0..clients {
            let client = self.client();
            self.clients.push(client);
        }
        self.note_clients();
    }

    /// Returns how long it takes at most until all have heard of an announce while nothing is lost.
    pub(crate) fn reach(&self) -> Duration {
        // What C nodes tell waits in a relay once more.
        let delays = 1 + u32::from(self.layout.has_c_nodes());
        delays * self.times.peer_sync.max_delay
            + self.layout.longest_way() * Conditions::HEALED.most_delay
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
        let start = start(
            &self.layout,
            &self.times,
            self.began,
            number,
            &self.machines[number],
        );
        let machine = start.with_id(id, self.now, &mut self.rng);
        self.machines[number].machine = Some(machine);
        self.transmit(number, None);
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

    /// Returns those that scrape sync goes to.
    pub(crate) fn speaking(&self) -> impl Iterator<Item = &Machine> {
        let numbers = 0..self.machines.len();
        let speaking = numbers.filter(|&number| self.layout.speaks(number));
        speaking.map(|number| self.machine(number))
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
        self.run_for(self.reach());
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

    /// Lets a new leecher come to a machine.
    pub(crate) fn arrive(&mut self, number: usize, torrent: InfoHash) {
        let guest = self.peer();
        self.announce(number, torrent, guest, false, Event::Started);
    }

    fn go(&mut self, number: usize, torrent: InfoHash, guests: [PeerAddr; 2]) {
        self.announce(number, torrent, guests[0], true, Event::Stopped);
        self.announce(number, torrent, guests[1], false, Event::Stopped);
    }

    fn next_at(&self) -> Instant {
        let machines = self.machines.iter().filter_map(Slot::next_at);
        machines
            .chain(self.client_at)
            .chain(self.network.next_at())
            .chain(self.trouble_at)
            .chain(self.key_change.as_ref().map(|next| next.at))
            .min()
            .expect("there are machines")
    }

    fn step(&mut self) {
        while let Some(datagram) = self.network.receive(self.now) {
            self.receive(&datagram);
        }
        if self.trouble_at.is_some_and(|at| at <= self.now) {
            self.trouble();
        }
        if self
            .key_change
            .as_ref()
            .is_some_and(|next| next.at <= self.now)
        {
            self.change_keys();
        }
        if self.client_at.is_some_and(|at| at <= self.now) {
            for number in 0..self.clients.len() {
                if self.clients[number].next <= self.now {
                    self.turn(number);
                }
            }
            self.note_clients();
        }
        for number in 0..self.machines.len() {
            if self.machines[number]
                .next_at()
                .is_some_and(|at| at <= self.now)
            {
                self.serve(number);
            }
        }
    }

    fn note_clients(&mut self) {
        self.client_at = self.clients.iter().map(|client| client.next).min();
    }

    fn receive(&mut self, datagram: &Datagram) {
        let to = datagram.to;
        if self.layout.places[to].is_c {
            check_for_c_node(datagram, self.layout.dialect);
        }
        let slot = &mut self.machines[to];
        if let Some(machine) = &mut slot.machine {
            slot.cut += u64::from(datagram.is_cut);
            machine.receive(&datagram.octets, datagram.via, datagram.from, to, self.now);
            self.transmit(to, Some(datagram));
        }
    }

    /// Lets a machine do what is due, or start.
    fn serve(&mut self, number: usize) {
        let slot = &mut self.machines[number];
        if let Some(machine) = &mut slot.machine {
            machine.handle_timeout(self.now);
        } else {
            let start = start(&self.layout, &self.times, self.began, number, slot);
            slot.machine = Some(start.machine(self.now, &mut self.rng));
            slot.up_at = None;
            slot.traffic.restart(self.now);
            slot.cut = 0;
        }
        self.transmit(number, None);
    }

    /// Sends what a machine has to send, when a datagram has come to it or something else happened.
    fn transmit(&mut self, number: usize, came: Option<&Datagram>) {
        let slot = &mut self.machines[number];
        let Some(machine) = &mut slot.machine else {
            return;
        };
        while let Some((packet, to)) = machine.poll_packet(self.now) {
            if packet.as_bytes().starts_with(machine.id().as_bytes()) {
                let place = &self.layout.places[number];
                slot.traffic
                    .count(&packet, machine, place, &self.times, self.now);
            } else {
                slot.traffic.pass(&packet, to, came);
            }
            self.network
                .send(number, packet.as_bytes(), to, self.now, &mut self.rng);
        }
        slot.due_at = machine.poll_timeout();
    }

    /// Stops a machine: properly, or as a loss of power would.
    fn stop(&mut self, number: usize) {
        self.check_drops(number);
        if self.rng.random_bool(0.5)
            && let Some(machine) = &mut self.machines[number].machine
        {
            machine.stop(self.now);
            self.transmit(number, None);
        }
        self.machines[number].machine = None;
    }

    /// Holds that a machine has refused no packet but those that the network has damaged, that a
    /// wrong clock has sealed, or that it had taken.
    pub(crate) fn check_drops(&self, number: usize) {
        let slot = &self.machines[number];
        let Some(machine) = &slot.machine else {
            return;
        };
        let cut = machine.dropped(Counter::Seal);
        assert!(cut <= slot.cut, "{cut} seals do not fit");
        let of_time = machine.dropped(Counter::Time);
        assert!(
            self.had_wrong_clock || of_time == 0,
            "{of_time} not in time"
        );
        for reason in [Counter::Behind, Counter::RosterFull, Counter::Rate] {
            assert_eq!(machine.dropped(reason), 0, "{reason:?}");
        }
    }

    /// Makes a peer that never was, of a prefix of its own.
    fn peer(&mut self) -> PeerAddr {
        self.peers_made += 1;
        let [high, low] = self.peers_made.to_be_bytes();
        let ip: IpAddr = if self.share_of_v6 > 0.0 && self.rng.random_bool(self.share_of_v6) {
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
        self.transmit(number, None);
        Some(wait)
    }
}

impl Slot {
    fn next_at(&self) -> Option<Instant> {
        match self.machine {
            Some(_) => Some(self.due_at),
            None => self.up_at,
        }
    }
}

/// Returns what a machine starts with.
fn start<'a>(
    layout: &'a Layout,
    times: &'a Times,
    began: Instant,
    number: usize,
    slot: &Slot,
) -> Start<'a> {
    let place = &layout.places[number];
    let seals = layout.has_secret && !place.is_c;
    Start {
        place,
        times,
        dialect: layout.dialect,
        keys: seals.then(|| Arc::clone(&KEYS[slot.step])),
        began,
        clock_secs: slot.clock_secs,
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
