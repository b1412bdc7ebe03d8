use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use opentracker_core::{Counters, Tracker};
use opentracker_livesync_wire::{KeyName, Keys, LiveRecord, Packet, PacketBuf, SealedPacket};
use opentracker_scrape_sync::{self as scrape_sync, ScrapeSync};
use opentracker_types::TrackerId;
use rand::rngs::StdRng;

use crate::applying::{apply_downloads, apply_peers};
use crate::clocks::{self, Clocks, MAX_CLOCK_DIFFERENCE_SECS};
use crate::identity::Identity;
use crate::members::Members;
use crate::relay::Relay;
use crate::roster::{Roster, SIBLING_LIFETIME};
use crate::sealer::Sealer;
use crate::telling::{Telling, Told};
use crate::{Class, Counter, Dialect, Kind, Kinds, Settings, Sibling, SiblingSeal, Status, View};

/// This run of the tracker as a member of its cluster: it applies what siblings tell to the
/// swarms, speaks scrape sync, and names and seals what all of its threads send.
#[derive(Debug)]
pub struct Instance {
    tracker: Arc<Tracker>,
    counters: Counters<Counter>,
    identity: Identity,
    machine: ScrapeSync,
    carriers: Kinds,
    /// Whether C nodes may be on the group, which scrape sync would confuse.
    dialect: Dialect,
    relay: Option<Relay>,
    /// Siblings that seal nothing.
    roster: Roster,
    /// Siblings that seal.
    members: Members,
    /// With a secret alone.
    sealer: Option<Sealer>,
    clocks: Clocks,
    telling: Telling,
    /// The latest time that was handed in.
    now: Instant,
    /// The same by the clock on the wall, in unix seconds modulo 2³².
    unix_secs: u32,
}

/// Where a packet came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source {
    /// The carrier that it came by.
    pub via: Kind,
    /// The address and port, if the carrier knows them.
    pub address: Option<SocketAddr>,
    /// Whether the address is one of this host's, so that a packet with our id is an echo.
    pub is_this_host: bool,
    /// Whether announces of it are taken without a seal, though the cluster has a secret.
    pub may_be_unsealed: bool,
}

impl Source {
    /// Makes a source on another host of the multicast group.
    pub const fn group(address: SocketAddr) -> Self {
        Self::new(Kind::Group, Some(address))
    }

    /// Makes a source on another host.
    pub const fn new(via: Kind, address: Option<SocketAddr>) -> Self {
        Self {
            via,
            address,
            is_this_host: false,
            may_be_unsealed: false,
        }
    }
}

/// What the driver has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Send this packet. One that cannot be sent at once, and finds no room to wait, is lost like any
    /// other.
    Send {
        /// The packet.
        packet: PacketBuf,
        /// How urgent it is.
        class: Class,
        /// The carriers that it goes by.
        to: Kinds,
    },
}

impl Instance {
    /// Makes an instance that starts `now`, calls itself `id`, and seals what it sends if there are
    /// keys. `rng` is for fresh ids and the first number, and should be seeded by the system's
    /// randomness.
    pub fn new(
        tracker: Arc<Tracker>,
        id: TrackerId,
        settings: &Settings,
        keys: Option<Arc<Keys>>,
        mut rng: StdRng,
        now: Instant,
    ) -> Self {
        Self {
            counters: tracker.counters().register(),
            tracker,
            machine: ScrapeSync::new(id, settings.scrape_sync, now),
            carriers: settings.carriers,
            dialect: settings.peer_sync.dialect,
            relay: settings.relays.then(|| Relay::new(settings)),
            roster: Roster::default(),
            members: Members::default(),
            sealer: keys.map(|keys| Sealer::new(keys, &mut rng)),
            clocks: Clocks::default(),
            telling: Telling::new(settings.peer_sync.max_octets),
            identity: Identity::new(id, rng),
            now,
            unix_secs: 0,
        }
    }

    /// Takes what the clock on the wall says, in unix seconds: the time of seals. To be called before
    /// packets are handed in or out, several times a second.
    pub const fn handle_clock(&mut self, unix_secs: u64) {
        self.unix_secs = (unix_secs & 0xffff_ffff) as u32;
    }

    /// Takes that a snapshot was restored that is younger than the announce interval, so that there
    /// is no need to inquire for peers.
    pub const fn handle_restored(&mut self) {
        self.machine.handle_peers_known();
    }

    /// Replaces the keys of an instance that has some. Packets of the former ones are taken no longer
    /// unless they are among the new ones.
    pub fn set_keys(&mut self, keys: Arc<Keys>) {
        if let Some(sealer) = &mut self.sealer {
            sealer.set_keys(keys);
        }
    }

    /// Returns what this instance calls itself.
    pub const fn id(&self) -> TrackerId {
        self.identity.present()
    }

    /// Makes a packet that a [`Teller`](crate::Teller) has filled ready to be sent, in this order: it
    /// goes in our present name, and is sealed if there are keys.
    pub fn tell(&mut self, packet: PacketBuf) -> Output {
        self.send(packet, Class::Live, self.carriers)
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
        if let Some(relay) = &mut self.relay {
            relay.handle_timeout(now);
        }
        if self.machine_timeout().is_some_and(|due| due <= now) {
            self.machine
                .handle_torrents(self.tracker.totals(now).torrents);
            let standings = self.roster.standings().chain(self.members.standings());
            self.machine.handle_timeout(standings, now);
        }
    }

    /// Finishes the packets of what C nodes told a relay, for an instance that is about to stop.
    pub fn flush(&mut self) {
        if let Some(relay) = &mut self.relay {
            relay.flush();
        }
    }

    /// Returns what to do next, or `None` when all is done. To be called until then after every
    /// other call; a tell of all torrents comes in portions, each after a timeout.
    pub fn poll_output(&mut self) -> Option<Output> {
        if let Some(relay) = &mut self.relay {
            if let Some(passed) = relay.poll_passing() {
                return Some(passed);
            }
            if let Some((packet, to)) = relay.poll_told() {
                return Some(self.send(packet, Class::Live, to));
            }
        }
        // Whatever name it is given here, it goes out in our present one.
        let id = self.identity.present();
        loop {
            match self.machine.poll_output() {
                Some(scrape_sync::Output::Inquire(inquire)) => {
                    tracing::info!(target = %inquire.target, "inquiring the download counts and peers");
                    return Some(self.say(PacketBuf::from(&inquire), Class::Live));
                }
                Some(scrape_sync::Output::Beacon(beacon)) => {
                    return Some(self.say(PacketBuf::from(&beacon), Class::Live));
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
                        return Some(self.tell_of(told));
                    }
                }
                None => {
                    let told = self.telling.go_back(id, &self.tracker, self.now)?;
                    return Some(self.tell_of(told));
                }
            }
        }
    }

    /// Returns when to call [`handle_timeout`](Self::handle_timeout), if ever.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let relay = self.relay.as_ref().and_then(Relay::poll_timeout);
        self.machine_timeout().into_iter().chain(relay).min()
    }

    /// Returns the cluster as it looks from here. How the carriers do, the driver knows.
    pub fn view(&self, carriers: Vec<(Kind, Status)>, now: Instant) -> View {
        let known = self.roster.siblings().chain(self.members.siblings());
        let is_remembered =
            |sibling: &&Sibling| now.saturating_duration_since(sibling.heard_at) < SIBLING_LIFETIME;
        let mut siblings: Vec<_> = known.filter(is_remembered).cloned().collect();
        siblings.sort_by_key(|sibling| (sibling.id, sibling.address));
        View {
            id: self.identity.present(),
            carriers,
            packets_by_key: self
                .sealer
                .as_ref()
                .map_or_else(Vec::new, |s| s.taken().to_vec()),
            siblings,
        }
    }

    /// Returns whether and whom we have to inquire.
    pub const fn inquiry(&self) -> scrape_sync::Inquiry {
        self.machine.inquiry()
    }

    /// Takes a packet, or returns what counts it as dropped.
    fn take(&mut self, datagram: &[u8], source: Source, now: Instant) -> Result<(), Counter> {
        let Some(sealer) = &self.sealer else {
            return self.take_open(datagram, source, now);
        };
        match sealer.open(datagram, |id| self.members.key_of(id)) {
            Some((sealed, key)) => self.take_sealed(datagram, &sealed, key, source, now),
            None if source.may_be_unsealed => self.take_unsealed(datagram, source, now),
            None => Err(Counter::Seal),
        }
    }

    /// Takes a packet in a cluster without a secret.
    fn take_open(&mut self, datagram: &[u8], source: Source, now: Instant) -> Result<(), Counter> {
        let packet = Packet::decode(datagram).map_err(|error| Counter::of(&error))?;
        let sender = packet.sender();
        if sender == self.identity.present() && !source.is_this_host {
            self.renew_id(source, now);
            return Err(Counter::IdClash);
        }
        if sender == self.identity.present() || self.identity.is_former(sender, now) {
            return Err(Counter::Own);
        }
        let speaks = self.speaks_by(source.via);
        let sibling = self.roster.hear(sender, source, now)?;
        let (tracker, counters) = (&self.tracker, &self.counters);
        let machine = speaks.then_some(&mut self.machine);
        apply(tracker, counters, machine, &packet, sibling, now);
        Ok(())
    }

    /// Takes a packet whose seal fits. Nothing but counts changes before all is known to be well.
    fn take_sealed(
        &mut self,
        datagram: &[u8],
        sealed: &SealedPacket<'_>,
        key: KeyName,
        source: Source,
        now: Instant,
    ) -> Result<(), Counter> {
        let (sender, number) = (sealed.sender(), sealed.stamp().number);
        let clock_ahead_secs = clocks::ahead(sealed.stamp().time, self.unix_secs);
        if clock_ahead_secs.unsigned_abs() > MAX_CLOCK_DIFFERENCE_SECS {
            // Of whom something in time was heard, it is a replay.
            if !self.members.has_heard(sender, now) {
                let others = self.members.siblings();
                self.clocks.compare(sender, clock_ahead_secs, others, now);
            }
            return Err(Counter::Time);
        }
        let is_present = sender == self.identity.present();
        if is_present || self.identity.is_former(sender, now) {
            if self
                .sealer
                .as_ref()
                .is_some_and(|sealer| sealer.has_given(number))
            {
                return Err(Counter::Own);
            }
            if is_present {
                self.renew_id(source, now);
            }
            return Err(Counter::IdClash);
        }
        self.members.check(sender, number, source.via, now)?;
        let packet = Packet::decode(sealed.packet()).map_err(|error| Counter::of(&error))?;
        let others = self.members.siblings();
        self.clocks.compare(sender, clock_ahead_secs, others, now);
        let seal = SiblingSeal {
            key,
            clock_ahead_secs,
        };
        if let Some(sealer) = &mut self.sealer {
            sealer.count(key);
        }
        if let Some(relay) = &mut self.relay {
            relay.pass(datagram, &packet, source.via);
        }
        let speaks = self.speaks_by(source.via);
        let sibling = self.members.hear(sender, number, seal, source, now);
        let (tracker, counters) = (&self.tracker, &self.counters);
        let machine = speaks.then_some(&mut self.machine);
        apply(tracker, counters, machine, &packet, sibling, now);
        Ok(())
    }

    /// Takes a packet of a C node in a cluster that seals. It says no more than who announced: what id
    /// it names means nothing.
    fn take_unsealed(
        &mut self,
        datagram: &[u8],
        source: Source,
        now: Instant,
    ) -> Result<(), Counter> {
        let packet = Packet::decode(datagram).map_err(|error| Counter::of(&error))?;
        if !matches!(packet, Packet::SyncLive(_) | Packet::SyncLive6(_)) {
            return Err(Counter::UnsealedType);
        }
        let sibling = self.roster.hear(packet.sender(), source, now)?;
        let (tracker, counters) = (&self.tracker, &self.counters);
        match packet {
            Packet::SyncLive(live) => {
                let records = without_age(counters, live.records());
                apply_peers(tracker, counters, None, records.clone(), sibling, now);
                self.pass_on(records, now);
            }
            Packet::SyncLive6(live) => {
                let records = without_age(counters, live.records());
                apply_peers(tracker, counters, None, records.clone(), sibling, now);
                self.pass_on(records, now);
            }
            _ => return Err(Counter::UnsealedType),
        }
        Ok(())
    }

    /// Tells what C nodes told, if this instance is a relay.
    fn pass_on(&mut self, records: impl Iterator<Item = LiveRecord>, now: Instant) {
        if let Some(relay) = &mut self.relay {
            records.for_each(|record| relay.tell(&record, now));
        }
    }

    /// Draws a fresh id, because another instance has ours.
    fn renew_id(&mut self, source: Source, now: Instant) {
        let old = self.identity.present();
        let is_taken = |id| self.roster.has(id) || self.members.has(id);
        if let Some(id) = self.identity.renew(is_taken, now) {
            tracing::warn!(%old, %id, source = ?source.address, "another instance has our id, so we have drawn one");
            self.machine.handle_id(id);
        }
    }

    fn tell_of(&mut self, told: Told) -> Output {
        self.counters.add(told.counter, told.records);
        self.say(told.packet, Class::Tell)
    }

    /// Says something of scrape sync, where it is spoken.
    fn say(&mut self, packet: PacketBuf, class: Class) -> Output {
        let to = match self.dialect.has_scrape_sync() {
            true => self.carriers,
            false => self.carriers.without(Kind::Group),
        };
        self.send(packet, class, to)
    }

    fn send(&mut self, mut packet: PacketBuf, class: Class, to: Kinds) -> Output {
        packet.set_sender(self.identity.present());
        if let Some(sealer) = &mut self.sealer {
            sealer.seal(&mut packet, self.unix_secs);
        }
        Output::Send { packet, class, to }
    }

    fn machine_timeout(&self) -> Option<Instant> {
        let speaks = |kind: &Kind| self.carriers.has(*kind) && self.speaks_by(*kind);
        Kind::ALL
            .iter()
            .any(speaks)
            .then(|| self.machine.poll_timeout())?
    }

    const fn speaks_by(&self, carrier: Kind) -> bool {
        !matches!(carrier, Kind::Group) || self.dialect.has_scrape_sync()
    }
}

/// Lets a packet that is taken have its effect.
fn apply(
    tracker: &Tracker,
    counters: &Counters<Counter>,
    mut machine: Option<&mut ScrapeSync>,
    packet: &Packet<'_>,
    sibling: &mut Sibling,
    now: Instant,
) {
    match packet {
        Packet::SyncLive(live) => {
            apply_peers(tracker, counters, machine, live.records(), sibling, now);
        }
        Packet::SyncLive6(live) => {
            apply_peers(tracker, counters, machine, live.records(), sibling, now);
        }
        Packet::ScrapeTell(tell) => {
            if let Some(machine) = &mut machine {
                machine.handle_tell(sibling.id, &mut sibling.standing, now);
            }
            sibling.count(&apply_downloads(tracker, counters, machine, tell, now));
        }
        Packet::Beacon(beacon) => {
            if let Some(machine) = machine {
                machine.handle_torrents(tracker.totals(now).torrents);
                machine.handle_beacon(beacon, &mut sibling.standing, now);
            }
        }
        Packet::Inquire(inquire) => {
            if let Some(machine) = machine {
                machine.handle_inquire(inquire, now);
            }
        }
    }
}

/// Leaves out records with an age, which C nodes never send, and counts them.
fn without_age<T: Iterator<Item = LiveRecord> + Clone>(
    counters: &Counters<Counter>,
    records: T,
) -> impl Iterator<Item = LiveRecord> + Clone + use<T> {
    let aged = records.clone().filter(|record| record.age.is_some());
    counters.add(Counter::UnsealedAge, aged.count() as u64);
    records.filter(|record| record.age.is_none())
}
