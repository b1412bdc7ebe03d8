use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use opentracker_core::{Counters, Tracker};
use opentracker_livesync_wire::Packet;
use opentracker_peer_sync::SharedId;
use opentracker_scrape_sync::{self as scrape_sync, ScrapeSync};
use rand::rngs::StdRng;

use crate::applying::{apply_downloads, apply_peers};
use crate::identity::Identity;
use crate::roster::Roster;
use crate::telling::{Telling, Told};
use crate::{Class, Counter, Settings, View};

/// This run of the tracker as a member of its cluster: it applies what siblings tell to the
/// swarms, and speaks scrape sync.
#[derive(Debug)]
pub struct Instance {
    tracker: Arc<Tracker>,
    counters: Counters<Counter>,
    identity: Identity,
    machine: ScrapeSync,
    /// Not where C nodes are in the cluster, which scrape sync would confuse.
    speaks_scrape_sync: bool,
    roster: Roster,
    telling: Telling,
    /// The latest time that was handed in.
    now: Instant,
}

/// Where a packet came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source {
    /// The address and port.
    pub address: SocketAddr,
    /// Whether the address is one of this host's, so that a packet with our id is an echo.
    pub is_this_host: bool,
}

impl Source {
    /// Makes a source on another host.
    pub const fn new(address: SocketAddr) -> Self {
        Self {
            address,
            is_this_host: false,
        }
    }
}

/// What the driver has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Send this packet to the cluster. One that cannot be sent at once is lost like any other.
    Send {
        /// The packet.
        packet: Vec<u8>,
        /// How urgent it is.
        class: Class,
    },
}

impl Instance {
    /// Makes an instance that starts `now` and goes by `id`, which the tellers of its workers
    /// share. `rng` is for fresh ids, and should be seeded by the system's randomness.
    pub fn new(
        tracker: Arc<Tracker>,
        id: SharedId,
        settings: &Settings,
        rng: StdRng,
        now: Instant,
    ) -> Self {
        Self {
            counters: tracker.counters().register(),
            tracker,
            machine: ScrapeSync::new(id.get(), settings.scrape_sync, now),
            identity: Identity::new(id, rng),
            speaks_scrape_sync: settings.peer_sync.dialect.has_scrape_sync(),
            roster: Roster::default(),
            telling: Telling::default(),
            now,
        }
    }

    /// Takes that a snapshot was restored that is younger than the announce interval, so that there
    /// is no need to inquire for peers.
    pub const fn handle_restored(&mut self) {
        self.machine.handle_peers_known();
    }

    /// Takes the payload of a datagram, from a source that packets are taken from.
    pub fn handle_packet(&mut self, datagram: &[u8], source: Source, now: Instant) {
        self.now = now;
        self.counters.count(Counter::Received);
        if let Err(reason) = self.take(datagram, source, now) {
            self.counters.count(reason);
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.now = now;
        if self.poll_timeout().is_some_and(|due| due <= now) {
            self.machine
                .handle_torrents(self.tracker.totals(now).torrents);
            self.machine.handle_timeout(self.roster.standings(), now);
        }
    }

    /// Returns what to do next, or `None` when all is done. To be called until then after every
    /// other call; a tell of all torrents comes in portions, each after a timeout.
    pub fn poll_output(&mut self) -> Option<Output> {
        // The torrents may be told of in an id that was drawn since the machine wanted it.
        let id = self.identity.present();
        loop {
            match self.machine.poll_output() {
                Some(scrape_sync::Output::Inquire(inquire)) => {
                    tracing::info!(target = %inquire.target, "inquiring the download counts and peers");
                    return Some(send(&inquire.encode(), Class::Live));
                }
                Some(scrape_sync::Output::Beacon(beacon)) => {
                    return Some(send(&beacon.encode(), Class::Live));
                }
                Some(scrape_sync::Output::StartTell) => {
                    let packets = self.telling.start(&self.tracker, self.now);
                    self.machine.handle_tell_size(packets);
                }
                Some(scrape_sync::Output::TellNext { packets }) => self.telling.allow(packets),
                Some(scrape_sync::Output::TellBack(torrents)) => self.telling.add_back(torrents),
                None if self.telling.is_due() => {
                    let (told, is_over) = self.telling.walk_on(id, &self.tracker, self.now);
                    if is_over {
                        self.machine.handle_tell_end(self.now);
                    }
                    if let Some(told) = told {
                        return Some(self.tell(&told));
                    }
                }
                None => {
                    let told = self.telling.go_back(id, &self.tracker, self.now)?;
                    return Some(self.tell(&told));
                }
            }
        }
    }

    /// Returns when to call [`handle_timeout`](Self::handle_timeout), if ever.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.speaks_scrape_sync
            .then(|| self.machine.poll_timeout())
            .flatten()
    }

    /// Returns the cluster as it looks from here. Whether the group is joined, the driver knows.
    pub fn view(&self, is_joined: bool, now: Instant) -> View {
        View {
            id: self.identity.present(),
            is_joined,
            siblings: self.roster.remembered(now),
        }
    }

    /// Returns whether and whom we have to inquire.
    pub const fn inquiry(&self) -> scrape_sync::Inquiry {
        self.machine.inquiry()
    }

    /// Takes a packet, or returns what counts it as dropped.
    fn take(&mut self, datagram: &[u8], source: Source, now: Instant) -> Result<(), Counter> {
        let packet = Packet::decode(datagram).map_err(|error| Counter::of(&error))?;
        let sender = packet.sender();
        if sender == self.identity.present() && !source.is_this_host {
            self.renew_id(source, now);
            return Err(Counter::IdClash);
        }
        if sender == self.identity.present() || self.identity.is_former(sender, now) {
            return Err(Counter::Own);
        }
        let sibling = self.roster.hear(sender, source.address, now)?;
        let speaks = self.speaks_scrape_sync;
        match packet {
            Packet::SyncLive(live) => {
                let machine = speaks.then_some(&mut self.machine);
                let (tracker, counters) = (&self.tracker, &self.counters);
                apply_peers(tracker, counters, machine, live.records(), sibling, now);
            }
            Packet::SyncLive6(live) => {
                let machine = speaks.then_some(&mut self.machine);
                let (tracker, counters) = (&self.tracker, &self.counters);
                apply_peers(tracker, counters, machine, live.records(), sibling, now);
            }
            Packet::ScrapeTell(tell) => {
                let mut machine = speaks.then_some(&mut self.machine);
                if let Some(machine) = &mut machine {
                    machine.handle_tell(sender, &mut sibling.standing, now);
                }
                let (tracker, counters) = (&self.tracker, &self.counters);
                sibling.count(&apply_downloads(tracker, counters, machine, &tell, now));
            }
            Packet::Beacon(beacon) if speaks => {
                self.machine
                    .handle_torrents(self.tracker.totals(now).torrents);
                self.machine
                    .handle_beacon(&beacon, &mut sibling.standing, now);
            }
            Packet::Inquire(inquire) if speaks => {
                self.machine.handle_inquire(&inquire, now);
            }
            Packet::Beacon(_) | Packet::Inquire(_) => {}
        }
        Ok(())
    }

    /// Draws a fresh id, because another instance has ours.
    fn renew_id(&mut self, source: Source, now: Instant) {
        let old = self.identity.present();
        if let Some(id) = self.identity.renew(|id| self.roster.has(id), now) {
            let ip = source.address.ip();
            tracing::warn!(%old, %id, %ip, "another instance has our id, so we have drawn one");
            self.machine.handle_id(id);
        }
    }

    fn tell(&self, told: &Told) -> Output {
        self.counters.add(told.counter, told.records);
        send(told.packet.as_bytes(), Class::Tell)
    }
}

fn send(packet: &[u8], class: Class) -> Output {
    Output::Send {
        packet: packet.to_vec(),
        class,
    }
}
