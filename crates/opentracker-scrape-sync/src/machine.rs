use std::cmp::Reverse;
use std::time::Instant;

use opentracker_livesync_wire::{Beacon, Inquire};
use opentracker_types::{InfoHash, TrackerId};

use crate::telling::{Portion, Telling};
use crate::{Claim, Settings, Standing};

/// How many times one instance is inquired before it is given up. The need then ends; the next
/// beacon of an instance that we are behind of begins another.
pub const MAX_INQUIRIES: u8 = 3;

/// How many needs in a row the tells of one instance end. If we are still behind of somebody after
/// each, its next ones end none until we are not: whoever tells and tells, and yet not what we
/// need, shall not keep us from inquiring another.
pub const MAX_NEEDS_ENDED: u8 = 3;

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
    /// Until when we are new, unless we know peers before; `None`: we do.
    new_until: Option<Instant>,
    next_beacon: Instant,
    inquiry: Inquiry,
    telling: Telling,
    /// How many packets a portion of the tell has that runs.
    packets_per_portion: u32,
    pending: Pending,
}

/// What the driver has to do.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Output {
    /// Send this inquiry to the group.
    Inquire(Inquire),
    /// Send this beacon to the group.
    Beacon(Beacon),
    /// Begin a walk over all torrents and their peers, and say with
    /// [`ScrapeSync::handle_tell_size`] how many packets it will have. What to send of it and when
    /// follows, until [`ScrapeSync::handle_tell_end`].
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
            new_until: Some(now + settings.first_beacon_delay),
            next_beacon: now + settings.first_beacon_delay,
            inquiry: Inquiry::NotNeeded,
            telling: Telling::new(id, &settings),
            packets_per_portion: settings.packets_per_tick,
            pending: Pending::default(),
        }
    }

    /// Takes how many torrents we serve now; to be called before the other calls, so that they
    /// compare and beacon the present number.
    pub const fn handle_torrents(&mut self, torrents: u64) {
        self.torrents = torrents;
    }

    /// Takes what we call ourselves from now on.
    pub const fn handle_id(&mut self, id: TrackerId) {
        self.id = id;
        self.telling.handle_id(id);
    }

    /// Takes that we know peers as of not long ago, as from a snapshot: we are not new.
    pub const fn handle_peers_known(&mut self) {
        self.new_until = None;
    }

    /// Takes a beacon of the instance that stands so.
    pub fn handle_beacon(&mut self, beacon: &Beacon, sender: &mut Standing, now: Instant) {
        let torrents = beacon.torrents;
        sender.claim = Some(Claim { torrents, at: now });
        if self.inquiry == Inquiry::NotNeeded && self.is_behind(torrents, now) {
            self.inquiry = Inquiry::Waiting {
                since: now,
                until: now + 2 * self.settings.beacon_interval,
            };
        }
    }

    /// Takes an inquiry, and starts a tell if it asks us, none of ours runs, and the last one of
    /// ours ended a beacon interval ago. Returns whether it did.
    pub fn handle_inquire(&mut self, inquire: &Inquire, now: Instant) -> bool {
        let starts = inquire.target == self.id && self.telling.start(now);
        if starts {
            self.packets_per_portion = self.settings.packets_per_tick;
            self.pending.start_tell = true;
            self.pending.tell_next = true;
        }
        starts
    }

    /// Takes how many packets the walk of [`Output::StartTell`] will have, about.
    pub fn handle_tell_size(&mut self, packets: u64) {
        self.packets_per_portion = self.settings.packets_per_portion(packets);
    }

    /// Takes that a packet of a tell came from the instance that stands so. That ends a need to
    /// inquire: a scrape sync is going on. It does not if the tells of that instance have ended
    /// [`MAX_NEEDS_ENDED`] in vain. The driver applies the records and reports each to
    /// [`handle_record`](Self::handle_record).
    pub fn handle_tell(&mut self, sender: TrackerId, standing: &mut Standing, now: Instant) {
        self.telling.hear(sender, now);
        if standing.needs_ended >= MAX_NEEDS_ENDED {
            return;
        }
        standing.given_up = 0;
        if self.inquiry != Inquiry::NotNeeded {
            standing.needs_ended += 1;
            self.inquiry = Inquiry::NotNeeded;
        }
    }

    /// Takes that a packet of a tell came that has peers, so that we are not new any more.
    pub fn handle_told_peers(&mut self, sender: TrackerId, standing: &mut Standing, now: Instant) {
        self.handle_peers_known();
        self.handle_tell(sender, standing, now);
    }

    /// Takes how a record of a tell compared: if our download count is the larger one, the
    /// torrent is told back in time.
    pub fn handle_record(&mut self, info_hash: InfoHash, ours_is_larger: bool) {
        self.telling.compare(info_hash, ours_is_larger);
    }

    /// Takes that the walk of [`Output::StartTell`] is at its end and all its packets are sent.
    pub fn handle_tell_end(&mut self, now: Instant) {
        self.telling.end(now);
        self.pending.start_tell = false;
        self.pending.tell_next = false;
    }

    /// Does what is due. `siblings` are the other instances that are known.
    pub fn handle_timeout<'a>(
        &mut self,
        siblings: impl Iterator<Item = (TrackerId, &'a mut Standing)>,
        now: Instant,
    ) {
        let is_due = |at: Option<Instant>| at.is_some_and(|due| due <= now);
        let (inquires, beacons) = (is_due(self.inquiry_at()), is_due(self.beacon_at()));
        if inquires || beacons {
            let mut siblings: Vec<_> = siblings.collect();
            self.trust_again(&mut siblings, now);
            if inquires {
                self.inquire(siblings.into_iter(), now);
            }
        }
        if beacons {
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
            let packets = self.packets_per_portion;
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

    /// Tells whether we are behind of an instance with so many torrents. While we are new we are
    /// behind of all that have any: live sync may bring us nearly all torrents, and few of the peers.
    fn is_behind(&self, theirs: u64, now: Instant) -> bool {
        let is_new = self.new_until.is_some_and(|until| now < until);
        let threshold = self.settings.inquire_threshold;
        is_new && theirs > 0 || threshold.is_behind(self.torrents, theirs)
    }

    /// Lets the tells of all end needs again, if we are behind of nobody that has beaconed since
    /// everybody had the time to.
    fn trust_again(&self, siblings: &mut [(TrackerId, &mut Standing)], now: Instant) {
        let lifetime = self.settings.longest_quiet() + 2 * self.settings.beacon_interval;
        let is_ahead = |claim: Claim| {
            now.saturating_duration_since(claim.at) < lifetime
                && self.is_behind(claim.torrents, now)
        };
        let mut claims = siblings.iter().filter_map(|(_, standing)| standing.claim);
        if !claims.any(is_ahead) {
            for (_, standing) in siblings {
                standing.needs_ended = 0;
            }
        }
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
    fn inquire<'a>(
        &mut self,
        siblings: impl Iterator<Item = (TrackerId, &'a mut Standing)>,
        now: Instant,
    ) {
        let next = match self.inquiry {
            Inquiry::NotNeeded => None,
            Inquiry::Waiting { since, .. } => {
                self.best(siblings, since, now).map(|target| (target, 1))
            }
            Inquiry::Asked {
                target, inquiries, ..
            } => {
                let is_target = |(id, _): &(TrackerId, &mut Standing)| *id == target;
                let asked = siblings.filter(is_target).map(|(_, standing)| standing);
                self.ask_again(asked.collect(), inquiries, now)
                    .map(|inquiries| (target, inquiries))
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

    /// Returns the instance to inquire: of those that have beaconed since `since`, and that we
    /// are behind of, the one with the most torrents.
    ///
    /// One that was given up comes after all that were given up less often, so that an instance
    /// that never answers cannot keep us from asking another. Between equals the least id wins,
    /// so that two instances that have heard the same beacons ask the same.
    fn best<'a>(
        &self,
        siblings: impl Iterator<Item = (TrackerId, &'a mut Standing)>,
        since: Instant,
        now: Instant,
    ) -> Option<TrackerId> {
        siblings
            .filter_map(|(id, standing)| Some((id, standing.given_up, standing.claim?)))
            .filter(|(_, _, claim)| claim.at >= since && self.is_behind(claim.torrents, now))
            .max_by_key(|&(id, given_up, claim)| (Reverse(given_up), claim.torrents, Reverse(id)))
            .map(|(id, ..)| id)
    }

    /// Returns which inquiry is next of an instance that was asked so often without a tell, or
    /// `None` to end the need: we have caught up (peer sync may have brought us there), or have
    /// asked often enough and give it up. One that is forgotten counts as it did when it was
    /// asked.
    fn ask_again(&self, asked: Vec<&mut Standing>, inquiries: u8, now: Instant) -> Option<u8> {
        let mut claims = asked.iter().map(|standing| standing.claim);
        let is_behind =
            |claim: Option<Claim>| claim.is_none_or(|c| self.is_behind(c.torrents, now));
        if !asked.is_empty() && !claims.any(is_behind) {
            return None;
        }
        if inquiries < MAX_INQUIRIES {
            return Some(inquiries + 1);
        }
        for standing in asked {
            standing.given_up = standing.given_up.saturating_add(1);
        }
        None
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
