use std::cmp::Reverse;
use std::time::Instant;

use opentracker_livesync_wire::{Beacon, Inquire};
use opentracker_types::{InfoHash, TrackerId};

use crate::telling::{Portion, Telling};
use crate::{Claim, Settings, Standing};

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

    /// Takes a beacon of the instance that stands so.
    pub fn handle_beacon(&mut self, beacon: &Beacon, sender: &mut Standing, now: Instant) {
        let torrents = beacon.torrents;
        sender.claim = Some(Claim { torrents, at: now });
        if self.inquiry == Inquiry::NotNeeded && self.is_behind(torrents) {
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
            self.pending.start_tell = true;
            self.pending.tell_next = true;
        }
        starts
    }

    /// Takes that a packet of a tell came from the instance that stands so. That ends a need to
    /// inquire: a scrape sync is going on. The driver applies the records and reports each to
    /// [`handle_record`](Self::handle_record).
    pub fn handle_tell(&mut self, sender: TrackerId, standing: &mut Standing, now: Instant) {
        standing.given_up = 0;
        self.inquiry = Inquiry::NotNeeded;
        self.telling.hear(sender, now);
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
        if self.inquiry_at().is_some_and(|due| due <= now) {
            self.inquire(siblings, now);
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
    fn inquire<'a>(
        &mut self,
        siblings: impl Iterator<Item = (TrackerId, &'a mut Standing)>,
        now: Instant,
    ) {
        let next = match self.inquiry {
            Inquiry::NotNeeded => None,
            Inquiry::Waiting { since, .. } => self.best(siblings, since).map(|target| (target, 1)),
            Inquiry::Asked {
                target, inquiries, ..
            } => {
                let is_target = |(id, _): &(TrackerId, &mut Standing)| *id == target;
                let asked = siblings.filter(is_target).map(|(_, standing)| standing);
                self.ask_again(asked.collect(), inquiries)
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
    ) -> Option<TrackerId> {
        siblings
            .filter_map(|(id, standing)| Some((id, standing.given_up, standing.claim?)))
            .filter(|(_, _, claim)| claim.at >= since && self.is_behind(claim.torrents))
            .max_by_key(|&(id, given_up, claim)| (Reverse(given_up), claim.torrents, Reverse(id)))
            .map(|(id, ..)| id)
    }

    /// Returns which inquiry is next of an instance that was asked so often without a tell, or
    /// `None` to end the need: we have caught up (peer sync may have brought us there), or have
    /// asked often enough and give it up. One that is forgotten counts as it did when it was
    /// asked.
    fn ask_again(&self, asked: Vec<&mut Standing>, inquiries: u8) -> Option<u8> {
        let mut claims = asked.iter().map(|standing| standing.claim);
        let is_behind = |claim: Option<Claim>| claim.is_none_or(|c| self.is_behind(c.torrents));
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
