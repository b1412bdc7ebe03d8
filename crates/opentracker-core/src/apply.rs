//! What siblings in a cluster say: applied under the same rules as what clients say, and never
//! told onward.

use std::sync::Arc;
use std::time::Instant;

use opentracker_store::{Announce, Comparison, Heard, Moment, Presence, Told};
use opentracker_types::{InfoHash, PeerAddr, PeerFlags};

use crate::rules::Rules;
use crate::tracker::Tracker;

/// Download counts beyond what can be; a count that is larger was not counted.
pub const MAX_DOWNLOADS: u64 = 1 << 48;

/// A peer that a sibling told of (docs/livesync.md, Peer sync).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ToldPeer {
    /// The torrent.
    pub info_hash: InfoHash,
    /// The peer.
    pub peer: PeerAddr,
    /// What it is.
    pub flags: PeerFlags,
    /// Minutes since it announced, of a peer that the sibling told of because somebody inquired;
    /// `None`: it announced just now.
    pub age_minutes: Option<u8>,
}

impl ToldPeer {
    /// Makes a record of a peer that announced just now.
    pub const fn new(info_hash: InfoHash, peer: PeerAddr, flags: PeerFlags) -> Self {
        Self {
            info_hash,
            peer,
            flags,
            age_minutes: None,
        }
    }

    /// Makes it a record of a peer that announced so many minutes ago (docs/livesync.md, Peers
    /// follow the counts).
    #[must_use]
    pub const fn with_age(self, minutes: u8) -> Self {
        Self {
            age_minutes: Some(minutes),
            ..self
        }
    }
}

/// A torrent's download count that a sibling told (docs/livesync.md, Scrape sync).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ToldDownloads {
    /// The torrent.
    pub info_hash: InfoHash,
    /// Minutes since it was last announced there.
    pub idle_minutes: u32,
    /// How often its download was completed.
    pub downloads: u64,
}

impl ToldDownloads {
    /// Makes a record.
    pub const fn new(info_hash: InfoHash, idle_minutes: u32, downloads: u64) -> Self {
        Self {
            info_hash,
            idle_minutes,
            downloads,
        }
    }
}

/// What became of a sibling's records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Applied {
    /// Records that were applied.
    pub applied: u64,
    /// Records of torrents, or of peers in networks, that are not served here.
    pub not_served: u64,
    /// Records that cannot be: of an address that is no peer's, or with a count beyond
    /// [`MAX_DOWNLOADS`].
    pub impossible: u64,
    /// Records of new torrents or peers for which a limit leaves no room.
    pub no_room: u64,
    /// Of those that were applied, the ones with an age.
    pub aged: u64,
    /// Records with an age, of peers that are known of an announce as late.
    pub known: u64,
    /// Records with an age beyond the timeout of peers.
    pub timed_out: u64,
    /// Records with an age, of peers that go away, which only says who has just announced.
    pub stopped: u64,
}

impl Applied {
    /// Returns how many records were not applied for a reason that is worth a look.
    pub const fn dropped(&self) -> u64 {
        self.not_served + self.impossible + self.no_room + self.timed_out + self.stopped
    }

    /// Tells whether there were records with an age.
    pub const fn has_aged(&self) -> bool {
        self.aged + self.known + self.timed_out + self.stopped > 0
    }
}

impl Tracker {
    /// Applies peers that a sibling told of, of one packet: like announces that ask for no peers, or,
    /// those with an age, as if they had announced then.
    pub fn apply_peers(
        &self,
        records: impl Iterator<Item = ToldPeer> + Clone,
        now: Instant,
    ) -> Applied {
        let rules = self.shared_rules().load();
        let moment = self.moment(now, &rules);
        let store = self.store();
        let told = records.clone();
        store.prefetch_applied(
            records
                .clone()
                .map(|one| (store.key(&one.info_hash), one.peer)),
        );
        let mut applied = Applied::default();
        for record in records {
            if record.peer.scope().is_none() {
                applied.impossible += 1;
            } else if !rules.lists.serves_address(record.peer.ip())
                || !rules.lists.serves(&record.info_hash)
            {
                applied.not_served += 1;
            } else if let Some(age_minutes) = record.age_minutes {
                self.apply_aged(&record, age_minutes, &moment, &mut applied);
            } else {
                let announce = Announce {
                    key: store.key(&record.info_hash),
                    peer: record.peer,
                    presence: Presence::from(record.flags),
                };
                match store.apply(&announce, &moment).refused {
                    None => applied.applied += 1,
                    Some(_full) => applied.no_room += 1,
                }
            }
        }
        self.undo_if_purged(&rules, told.map(|record| record.info_hash));
        applied
    }

    fn apply_aged(
        &self,
        record: &ToldPeer,
        age_minutes: u8,
        moment: &Moment,
        applied: &mut Applied,
    ) {
        if record.flags.contains(PeerFlags::STOPPED) {
            applied.stopped += 1;
            return;
        }
        let told = Told {
            key: self.store().key(&record.info_hash),
            peer: record.peer,
            seeding: record.flags.contains(PeerFlags::SEEDING),
            age_minutes,
        };
        match self.store().apply_told(&told, moment) {
            Heard::Applied => {
                applied.applied += 1;
                applied.aged += 1;
            }
            Heard::Known => applied.known += 1,
            Heard::TimedOut => applied.timed_out += 1,
            Heard::Refused(_full) => applied.no_room += 1,
        }
    }

    /// Applies download counts that a sibling told, of one packet: a torrent that is not known is
    /// created, and the larger count stays. `compare` hears of each that was applied whether ours
    /// was the larger one, so that the sibling could learn from us.
    pub fn apply_downloads(
        &self,
        records: impl Iterator<Item = ToldDownloads> + Clone,
        now: Instant,
        mut compare: impl FnMut(&InfoHash, bool),
    ) -> Applied {
        let rules = self.shared_rules().load();
        let moment = self.moment(now, &rules);
        let store = self.store();
        let told = records.clone();
        store.prefetch_torrents(records.clone().map(|one| store.key(&one.info_hash)));
        let mut applied = Applied::default();
        for record in records {
            if record.downloads > MAX_DOWNLOADS {
                applied.impossible += 1;
            } else if !rules.lists.serves(&record.info_hash) {
                applied.not_served += 1;
            } else {
                let comparison = store.apply_downloads(
                    &store.key(&record.info_hash),
                    record.idle_minutes,
                    record.downloads,
                    &moment,
                );
                if let Comparison::Refused(_full) = comparison {
                    applied.no_room += 1;
                } else {
                    compare(&record.info_hash, comparison == Comparison::OursIsLarger);
                    applied.applied += 1;
                }
            }
        }
        self.undo_if_purged(&rules, told.map(|record| record.info_hash));
        applied
    }

    /// Removes what was applied under rules that have been replaced meanwhile, and that the present
    /// ones do not serve: their purge may have passed it before it was there.
    fn undo_if_purged(&self, rules: &Arc<Rules>, applied: impl Iterator<Item = InfoHash>) {
        let present = self.shared_rules().load();
        if Arc::ptr_eq(&present, rules) {
            return;
        }
        for info_hash in applied {
            if !present.lists.serves(&info_hash) {
                self.store().remove(&self.store().key(&info_hash));
            }
        }
    }
}
