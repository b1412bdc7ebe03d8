use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use opentracker_livesync_wire::ScrapeTell;
use opentracker_types::{InfoHash, TrackerId};

use crate::Settings;

/// How many torrents wait to be told back at most. Beyond that a torrent of which we know better
/// is forgotten; the next tell that has it brings it up again.
pub const MAX_TELL_BACK: usize = 80 * ScrapeTell::MAX_RECORDS;

/// The tell that we send, the tells that we hear, and what we have to tell back.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Telling {
    id: TrackerId,
    beacon_interval: Duration,
    longest_quiet: Duration,
    tick: Duration,
    torrents_per_tick: usize,
    running: Option<Running>,
    heard_at: Option<Instant>,
    /// When a pause after our last tell is over.
    rests_until: Option<Instant>,
    known_better: BTreeSet<InfoHash>,
    has_yielded: bool,
}

/// A portion of a tell that is due.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Portion {
    /// The next packets of a tell of all torrents.
    Next,
    /// These torrents.
    Back(Vec<InfoHash>),
}

impl Telling {
    pub(crate) fn new(id: TrackerId, settings: &Settings) -> Self {
        let packets = usize::try_from(settings.packets_per_tick).unwrap_or(usize::MAX);
        Self {
            id,
            beacon_interval: settings.beacon_interval,
            longest_quiet: settings.longest_quiet(),
            tick: settings.tick,
            torrents_per_tick: packets.saturating_mul(ScrapeTell::MAX_RECORDS),
            running: None,
            heard_at: None,
            rests_until: None,
            known_better: BTreeSet::new(),
            has_yielded: false,
        }
    }

    pub(crate) const fn is_running(&self) -> bool {
        self.running.is_some()
    }

    pub(crate) const fn handle_id(&mut self, id: TrackerId) {
        self.id = id;
    }

    /// Starts a tell of all torrents, whose first portion is due at once, unless one of ours
    /// runs or has just ended. Returns whether it did.
    pub(crate) fn start(&mut self, now: Instant) -> bool {
        if self.is_running() || self.rests_until.is_some_and(|until| now < until) {
            return false;
        }
        self.running = Some(Running {
            scope: Scope::All,
            next_tick: now + self.tick,
        });
        // All torrents: so these are told as well.
        self.known_better.clear();
        true
    }

    /// Ends a tell of all torrents.
    pub(crate) fn end(&mut self, now: Instant) {
        if self.take_running(Scope::All) {
            self.rest(now);
        }
    }

    /// Notes a packet of somebody else's tell. A tell back gives way to it.
    pub(crate) fn hear(&mut self, sender: TrackerId, now: Instant) {
        self.heard_at = Some(now);
        if self.take_running(Scope::Back) {
            self.rest(now);
            // Both may be telling back, and both give way now. The lesser id goes on first.
            self.has_yielded = sender < self.id;
        }
    }

    /// Notes whether our download count of a torrent that was just told is the larger one.
    pub(crate) fn compare(&mut self, info_hash: InfoHash, ours_is_larger: bool) {
        if !ours_is_larger {
            self.known_better.remove(&info_hash);
        } else if self.known_better.len() < MAX_TELL_BACK {
            self.known_better.insert(info_hash);
        }
    }

    /// Returns from when on no tell disturbs a beacon, or `None` while our own runs.
    pub(crate) fn quiet_from(&self, at: Instant) -> Option<Instant> {
        if self.is_running() {
            return None;
        }
        let quiet = self
            .heard_at
            .map_or(at, |heard| heard + self.beacon_interval);
        Some(quiet.clamp(at, at + self.longest_quiet))
    }

    /// Returns when the next portion is due.
    pub(crate) fn due_at(&self) -> Option<Instant> {
        self.running
            .as_ref()
            .map(|running| running.next_tick)
            .or_else(|| self.back_at())
    }

    /// Returns a portion if one is due.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Option<Portion> {
        self.due_at().filter(|due| *due <= now)?;
        match &mut self.running {
            Some(running) if running.scope == Scope::All => {
                // A timer that is a little late does not make the tell slower.
                let on_time = running.next_tick + self.tick;
                running.next_tick = if on_time > now {
                    on_time
                } else {
                    now + self.tick
                };
                Some(Portion::Next)
            }
            _ => Some(Portion::Back(self.take_back(now))),
        }
    }

    /// Returns when to start telling back what we know better: one beacon interval after the last
    /// tell that was heard, so that none is interrupted, and our place within a second interval,
    /// so that of all that know better one is first and the others hear it; and not in a pause
    /// after a tell of ours.
    fn back_at(&self) -> Option<Instant> {
        if self.known_better.is_empty() {
            return None;
        }
        let yielded = u32::from(self.has_yielded);
        let place = f64::from(u32::from_be_bytes(*self.id.as_bytes())) / 2f64.powi(32);
        let wait = self.beacon_interval * (1 + yielded) + self.beacon_interval.mul_f64(place);
        Some(self.heard_at? + wait).max(self.rests_until)
    }

    fn take_back(&mut self, now: Instant) -> Vec<InfoHash> {
        self.has_yielded = false;
        let torrents = std::iter::from_fn(|| self.known_better.pop_first())
            .take(self.torrents_per_tick)
            .collect();
        if self.known_better.is_empty() {
            self.running = None;
            self.rest(now);
        } else {
            self.running = Some(Running {
                scope: Scope::Back,
                next_tick: now + self.tick,
            });
        }
        torrents
    }

    /// Ends a tell of this scope if one runs; returns whether one did.
    fn take_running(&mut self, scope: Scope) -> bool {
        let is_it = |running: &mut Running| running.scope == scope;
        self.running.take_if(is_it).is_some()
    }

    /// Begins the pause that lies between two tells of ours, so that nobody can buy one tell
    /// after the other with twelve octets each.
    fn rest(&mut self, now: Instant) {
        self.rests_until = Some(now + self.beacon_interval);
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Running {
    scope: Scope,
    next_tick: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Scope {
    /// All torrents, because somebody inquired.
    All,
    /// The torrents of which a tell said less than we know.
    Back,
}
