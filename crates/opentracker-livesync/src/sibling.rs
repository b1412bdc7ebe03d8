use std::net::SocketAddr;
use std::time::{Duration, Instant};

use opentracker_core::Applied;
use opentracker_livesync_wire::KeyName;
use opentracker_scrape_sync::Standing;
use opentracker_types::TrackerId;

use crate::roster::SIBLING_LIFETIME;
use crate::{Kind, Source};

/// Who was heard so lately goes on: an instance beacons every minute.
const GOES_ON: Duration = Duration::from_secs(90);

/// Who was not heard for so long has fallen silent: a beacon or two may get lost.
const IS_SILENT: Duration = Duration::from_secs(200);

/// Another instance of the cluster, as far as its packets tell.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sibling {
    /// What it calls itself.
    pub id: TrackerId,
    /// Where its last packet came from, if the carrier knows that.
    pub address: Option<SocketAddr>,
    /// When its last packet came.
    pub heard_at: Instant,
    /// When its last packet came by each carrier, in the order of [`Kind::ALL`].
    pub heard_by: [Option<Instant>; Kind::ALL.len()],
    /// How much later than by the first carrier its packets come by each, if that was seen.
    pub lag_by: [Option<Duration>; Kind::ALL.len()],
    /// What its seals say, if it seals.
    pub seal: Option<SiblingSeal>,
    /// What scrape sync knows of it.
    pub standing: Standing,
    /// Packets of it that were taken.
    pub packets: u64,
    /// Packets of it that were beyond what it may send.
    pub dropped_packets: u64,
    /// Records of it that were applied.
    pub applied_records: u64,
    /// Records of it that were not applied.
    pub dropped_records: u64,
}

impl Sibling {
    pub(crate) fn new(id: TrackerId, now: Instant) -> Self {
        Self {
            id,
            address: None,
            heard_at: now,
            heard_by: [None; Kind::ALL.len()],
            lag_by: [None; Kind::ALL.len()],
            seal: None,
            standing: Standing::default(),
            packets: 0,
            dropped_packets: 0,
            applied_records: 0,
            dropped_records: 0,
        }
    }

    /// Returns the carriers that it was heard by within [`SIBLING_LIFETIME`].
    pub fn carriers(&self, now: Instant) -> impl Iterator<Item = Kind> {
        let is_heard = move |kind: &Kind| {
            let silent = self.silent_by(*kind, now);
            silent.is_some_and(|silent| silent < SIBLING_LIFETIME)
        };
        Kind::ALL.into_iter().filter(is_heard)
    }

    /// Tells whether it goes on by one carrier and has fallen silent on another that it was heard by:
    /// some of the cluster may hear it, and others not.
    pub fn is_split(&self, now: Instant) -> bool {
        let silent = |kind| self.silent_by(kind, now);
        let goes_on = |time: Duration| time < GOES_ON;
        self.carriers(now).filter_map(silent).any(goes_on)
            && self
                .carriers(now)
                .filter_map(silent)
                .any(|time| time > IS_SILENT)
    }

    fn silent_by(&self, kind: Kind, now: Instant) -> Option<Duration> {
        let heard_at = self.heard_by[kind as usize]?;
        Some(now.saturating_duration_since(heard_at))
    }

    /// Returns how many torrents it serves by its last beacon, if it has beaconed.
    pub fn claimed_torrents(&self) -> Option<u64> {
        self.standing.claim.map(|claim| claim.torrents)
    }

    /// Notes a packet that is taken.
    pub(crate) const fn hear(&mut self, source: Source, now: Instant) {
        self.address = source.address;
        self.note(source.via, now);
        self.heard_at = now;
        self.packets += 1;
    }

    /// Notes that a packet came by a carrier, be it a copy of one that had come before.
    pub(crate) const fn note(&mut self, via: Kind, now: Instant) {
        self.heard_by[via as usize] = Some(now);
    }

    /// Counts what became of records of it.
    pub(crate) const fn count(&mut self, records: &Applied) {
        self.applied_records += records.applied;
        self.dropped_records += records.dropped();
    }
}

/// What the seals of another instance say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SiblingSeal {
    /// The key that its last packet was sealed with.
    pub key: KeyName,
    /// How far its clock is ahead of ours, in seconds; what its packets were under way makes it less.
    pub clock_ahead_secs: i32,
}
