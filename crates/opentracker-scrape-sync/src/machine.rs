use std::net::SocketAddr;
use std::time::Instant;

use opentracker_livesync_wire::{Beacon, Inquire};
use opentracker_types::{InfoHash, TrackerId};

use crate::nodes::Nodes;
use crate::telling::{Portion, Telling};
use crate::{Claim, Node, Settings};

/// How many times one instance is inquired before it is given up. The need then ends; the next
/// beacon of an instance that we are behind of begins another.
pub const MAX_INQUIRIES: u8 = 3;

/// One instance's part in scrape sync.
///
/// A need to inquire (docs/livesync.md, Inquiry) has one target for as long as it lasts, and an
/// instance runs one tell at a time; so one need never has two tells running, whatever packets
/// are lost, late or doubled.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ScrapeSync {
    id: TrackerId,
    settings: Settings,
    torrents: u64,
    next_beacon: Instant,
    inquiry: Inquiry,
    telling: Telling,
    nodes: Nodes,
    pending: Pending,
}

/// What the driver has to do.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Output {
    /// Send this inquiry to the group.
    Inquire(Inquire),
    /// Send this beacon to the group.
    Beacon(Beacon),
    /// Begin a walk over all torrents. What to send of it and when follows, until
    /// [`ScrapeSync::handle_tell_end`].
    StartTell,
    /// Send the next packets of the walk.
    TellNext {
        /// How many at most.
        packets: u32,
    },
    /// Send what we know of these torrents, of which somebody told less than we know: all of
    /// them now, in as few packets as they fit.
    TellBack(Vec<InfoHash>),
}

/// What became of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Handled {
    /// It was taken; a tell is to be applied.
    Taken,
    /// It carries our own id, so it is our own, or of an instance that got the same id, and is
    /// ignored.
    Own,
    /// It is an inquiry of another instance than ours.
    NotAsked,
    /// It is an inquiry of ours during a tell of ours, which changes nothing.
    Telling,
}

/// Whether and whom we have to inquire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Inquiry {
    /// We know enough, or a tell is going on that will bring us there.
    NotNeeded,
    /// A beacon of an instance that we are behind of was heard; every other gets its time to
    /// beacon too.
    Waiting {
        /// When that beacon was heard.
        since: Instant,
        /// When to inquire.
        until: Instant,
    },
    /// An instance was inquired, and its tell not yet heard.
    Asked {
        /// Which one.
        target: TrackerId,
        /// How often.
        inquiries: u8,
        /// When to inquire again or give up.
        until: Instant,
    },
}

impl ScrapeSync {
    /// Makes the machine of an instance that starts `now`.
    pub fn new(id: TrackerId, settings: Settings, now: Instant) -> Self {
        let settings = settings.bounded();
        Self {
            id,
            settings,
            torrents: 0,
            next_beacon: now + settings.first_beacon_delay,
            inquiry: Inquiry::NotNeeded,
            telling: Telling::new(id, &settings),
            nodes: Nodes::default(),
            pending: Pending::default(),
        }
    }

    /// Takes how many torrents we serve now; to be called before the other calls, so that they
    /// compare and beacon the present number.
    pub const fn handle_torrents(&mut self, torrents: u64) {
        self.torrents = torrents;
    }

    /// Takes a beacon and, if the driver knows it, where it came from.
    pub fn handle_beacon(
        &mut self,
        beacon: &Beacon,
        source: Option<SocketAddr>,
        now: Instant,
    ) -> Handled {
        let Some(node) = self.hear(beacon.sender, source, now) else {
            return Handled::Own;
        };
        let torrents = beacon.torrents;
        node.claim = Some(Claim { torrents, at: now });
        if self.inquiry == Inquiry::NotNeeded && self.is_behind(torrents) {
            self.inquiry = Inquiry::Waiting {
                since: now,
                until: now + 2 * self.settings.beacon_interval,
            };
        }
        Handled::Taken
    }

    /// Takes an inquiry, and starts a tell if it asks us and none of ours runs.
    pub fn handle_inquire(
        &mut self,
        inquire: &Inquire,
        source: Option<SocketAddr>,
        now: Instant,
    ) -> Handled {
        if self.hear(inquire.sender, source, now).is_none() {
            return Handled::Own;
        }
        if inquire.target != self.id {
            return Handled::NotAsked;
        }
        if self.telling.is_running() {
            return Handled::Telling;
        }
        self.telling.start(now);
        self.pending.start_tell = true;
        self.pending.tell_next = true;
        Handled::Taken
    }

    /// Takes that a packet of a tell came, which ends a need to inquire: a scrape sync is going
    /// on. If the packet is [`Handled::Taken`], the driver applies its records and reports each
    /// to [`handle_record`](Self::handle_record).
    pub fn handle_tell(
        &mut self,
        sender: TrackerId,
        source: Option<SocketAddr>,
        now: Instant,
    ) -> Handled {
        let Some(node) = self.hear(sender, source, now) else {
            return Handled::Own;
        };
        node.given_up = 0;
        self.inquiry = Inquiry::NotNeeded;
        self.telling.hear(sender, now);
        Handled::Taken
    }

    /// Takes how a record of a tell compared: if our download count is the larger one, the
    /// torrent is told back in time.
    pub fn handle_record(&mut self, info_hash: InfoHash, ours_is_larger: bool) {
        self.telling.compare(info_hash, ours_is_larger);
    }

    /// Takes that a packet of peer sync came, which says that its sender is in the cluster.
    pub fn handle_live(
        &mut self,
        sender: TrackerId,
        source: Option<SocketAddr>,
        now: Instant,
    ) -> Handled {
        match self.hear(sender, source, now) {
            Some(_) => Handled::Taken,
            None => Handled::Own,
        }
    }

    /// Takes that the walk of [`Output::StartTell`] is at its end and all its packets are sent.
    pub fn handle_tell_end(&mut self) {
        self.telling.end();
        self.pending.start_tell = false;
        self.pending.tell_next = false;
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.inquiry_at().is_some_and(|due| due <= now) {
            self.inquire(now);
        }
        if self.beacon_at().is_some_and(|due| due <= now) {
            self.pending.beacon = true;
            self.next_beacon = now + self.settings.beacon_interval;
        }
        match self.telling.handle_timeout(now) {
            Some(Portion::Next) => self.pending.tell_next = true,
            Some(Portion::Back(torrents)) => self.pending.tell_back.extend(torrents),
            None => {}
        }
    }

    /// Returns what to do next, or `None` when all is done. To be called until then after every
    /// other call.
    pub fn poll_output(&mut self) -> Option<Output> {
        let pending = &mut self.pending;
        if let Some(target) = pending.inquire.take() {
            let sender = self.id;
            return Some(Output::Inquire(Inquire { sender, target }));
        }
        if std::mem::take(&mut pending.beacon) {
            return Some(Output::Beacon(Beacon {
                sender: self.id,
                torrents: self.torrents,
            }));
        }
        if std::mem::take(&mut pending.start_tell) {
            return Some(Output::StartTell);
        }
        if std::mem::take(&mut pending.tell_next) {
            let packets = self.settings.packets_per_tick;
            return Some(Output::TellNext { packets });
        }
        if !pending.tell_back.is_empty() {
            return Some(Output::TellBack(std::mem::take(&mut pending.tell_back)));
        }
        None
    }

    /// Returns when to call [`handle_timeout`](Self::handle_timeout), or `None` while nothing
    /// will be due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        [self.inquiry_at(), self.beacon_at(), self.telling.due_at()]
            .into_iter()
            .flatten()
            .min()
    }

    /// Returns whether and whom we have to inquire.
    pub const fn inquiry(&self) -> Inquiry {
        self.inquiry
    }

    /// Tells whether a tell of ours runs.
    pub const fn is_telling(&self) -> bool {
        self.telling.is_running()
    }

    /// Returns the other instances that are remembered, by id; at most
    /// [`MAX_NODES`](crate::MAX_NODES).
    pub fn nodes(&self) -> &[Node] {
        self.nodes.as_slice()
    }

    /// Notes who sent a packet, or returns `None` if it was ourselves.
    fn hear(
        &mut self,
        sender: TrackerId,
        source: Option<SocketAddr>,
        now: Instant,
    ) -> Option<&mut Node> {
        (sender != self.id).then(|| self.nodes.hear(sender, source, now))
    }

    fn is_behind(&self, theirs: u64) -> bool {
        self.settings
            .inquire_threshold
            .is_behind(self.torrents, theirs)
    }

    const fn inquiry_at(&self) -> Option<Instant> {
        match self.inquiry {
            Inquiry::NotNeeded => None,
            Inquiry::Waiting { until, .. } | Inquiry::Asked { until, .. } => Some(until),
        }
    }

    fn beacon_at(&self) -> Option<Instant> {
        self.telling.quiet_from(self.next_beacon)
    }

    /// Goes on where waiting is over: asks, asks again, or ends the need.
    fn inquire(&mut self, now: Instant) {
        let next = match self.inquiry {
            Inquiry::NotNeeded => None,
            Inquiry::Waiting { since, .. } => self
                .nodes
                .best(since, self.torrents, self.settings.inquire_threshold)
                .map(|target| (target, 1)),
            // Peer sync may have brought us there meanwhile.
            Inquiry::Asked { target, .. } if !self.is_behind_of(target) => None,
            Inquiry::Asked {
                target, inquiries, ..
            } if inquiries < MAX_INQUIRIES => Some((target, inquiries + 1)),
            Inquiry::Asked { target, .. } => {
                self.nodes.give_up(target);
                None
            }
        };
        self.pending.inquire = next.map(|(target, _)| target);
        self.inquiry = match next {
            Some((target, inquiries)) => Inquiry::Asked {
                target,
                inquiries,
                until: now + self.settings.beacon_interval,
            },
            None => Inquiry::NotNeeded,
        };
    }

    /// Tells whether we are behind of what an instance claimed. One that is forgotten counts as
    /// it did when it was asked.
    fn is_behind_of(&self, id: TrackerId) -> bool {
        self.nodes
            .claim(id)
            .is_none_or(|claim| self.is_behind(claim.torrents))
    }
}

/// What waits to be polled: each thing at most once, so there is no queue that could grow.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
struct Pending {
    inquire: Option<TrackerId>,
    beacon: bool,
    start_tell: bool,
    tell_next: bool,
    tell_back: Vec<InfoHash>,
}
