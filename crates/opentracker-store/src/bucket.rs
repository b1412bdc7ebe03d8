//! The torrents that share one bucket: dense blocks of entries and an index over them.

use std::cmp::Ordering;

use opentracker_types::{InfoHash, SavedPeer, SavedTorrent, SwarmCounts};

use crate::announce::{Announced, Comparison, Heard, Told};
use crate::arithmetic::saturating_u32;
use crate::blocks::Blocks;
use crate::cell::{AnyCell, PeerKeys, Report};
use crate::clock::{Minute, Moment};
use crate::downloads::{Downloads, LargeCounts};
use crate::index::Index;
use crate::key::{InfoHasher, Key};
use crate::kind::{Family, PerKind};
use crate::mix::Mix;
use crate::prefetch::{Place, Purpose};
use crate::requester::{Entered, Requester};
use crate::saved::Restored;
use crate::swarm::{Swarm, SwarmCell};
use crate::torrent::{Torrent, TorrentSummary};
use crate::usage::{Change, Full, Room};
use crate::web::WebSwarms;

mod web;

/// Peers that are prefetched ahead when many are entered.
const AHEAD: usize = 16;

/// What keys the hash functions of a store, drawn at random.
#[derive(Debug)]
pub(crate) struct Secrets {
    pub(crate) info_hashes: InfoHasher,
    pub(crate) peers: PeerKeys,
}

/// Torrents by info hash.
///
/// The index holds 4-octet positions instead of entries, so that its growth wastes little:
/// together with the entry about 70 octets a torrent, whatever the number.
#[derive(Debug, Default)]
pub(crate) struct Bucket {
    index: Index,
    torrents: Blocks,
    large_counts: LargeCounts,
    web: WebSwarms,
    pub(crate) peers: PerKind<u64>,
    /// What has come or gone since it was locked.
    pub(crate) change: Change,
}

impl Bucket {
    pub(crate) fn len(&self) -> usize {
        self.torrents.len()
    }

    pub(crate) fn get(&self, key: &Key) -> Option<&Torrent> {
        let at = self.find(key)?;
        Some(self.torrents.get(at))
    }

    pub(crate) fn torrent(&self, at: usize) -> &Torrent {
        self.torrents.get(at)
    }

    pub(crate) fn torrent_mut(&mut self, at: usize) -> &mut Torrent {
        self.torrents.get_mut(at)
    }

    pub(crate) fn torrents(&self) -> impl Iterator<Item = &Torrent> {
        self.torrents.iter()
    }

    /// Returns the place of what says where a torrent stands.
    pub(crate) fn place_in_index(&self, hash: u64) -> Place {
        self.index.place_of(hash)
    }

    /// Returns the place of what leads to the torrent at a position.
    pub(crate) fn place_of_block(&self, at: usize) -> Place {
        self.torrents.place_of_block(at)
    }

    /// Returns where the torrent stands that a hash most probably means, without a look at it:
    /// comparing the info hash would wait for memory.
    pub(crate) fn guess(&self, hash: u64) -> Option<usize> {
        self.index.find(hash, |_| true)
    }

    /// Returns the torrent at a position, if there is one.
    pub(crate) fn try_torrent(&self, at: usize) -> Option<&Torrent> {
        (at < self.len()).then(|| self.torrents.get(at))
    }

    /// Enters or refreshes a peer, and lets it choose others.
    pub(crate) fn enter<C: SwarmCell>(
        &mut self,
        key: &Key,
        cell: C,
        report: Report,
        (moment, room): (&Moment, Option<&Room>),
        secrets: &Secrets,
        select: impl FnOnce(&Swarm, &Requester),
    ) -> Announced {
        let found = self.find(key);
        if let Some(room) = room
            && let Some(full) = self.keeps_out_cell(found, &cell, room, &secrets.peers)
        {
            return Announced::refused(full);
        }
        let at = found.unwrap_or_else(|| self.insert_announced(key, moment, secrets));
        let torrent = self.torrents.get_mut(at);
        torrent.note_announce(&cell, moment);
        let Entered {
            location,
            was_seeding,
            refreshed,
        } = torrent
            .swarm
            .enter(cell, report, moment, &secrets.peers, &mut self.change);
        if refreshed.has_completed {
            let large_counts = &mut self.large_counts;
            let octets = large_counts.heap_octets();
            large_counts.add_one(&mut torrent.downloads, &torrent.info_hash);
            self.change.resize(octets, large_counts.heap_octets());
        }
        let requester = Requester {
            scope: cell.scope(),
            seeding: report.seeding,
            family: C::FAMILY,
            location,
        };
        select(&torrent.swarm, &requester);
        let counts = counts_of(torrent, &self.large_counts, &self.web);
        self.count_peer(C::FAMILY, was_seeding, report.seeding);
        Announced {
            counts,
            was_seeding,
            new_torrent: found.is_none(),
            torrent_gone: false,
            has_completed: refreshed.has_completed,
            tell: refreshed.tell && !report.heard,
            renewed_after: refreshed.renewed_after,
            refused: None,
        }
    }

    /// Returns the bound that keeps a peer out, unless it is there already.
    #[cold]
    fn keeps_out_cell<C: SwarmCell>(
        &self,
        found: Option<usize>,
        cell: &C,
        room: &Room,
        keys: &PeerKeys,
    ) -> Option<Full> {
        self.keeps_out(found, room, |_, torrent| {
            torrent.swarm.age_of(cell, keys).is_some()
        })
    }

    fn keeps_out(
        &self,
        found: Option<usize>,
        room: &Room,
        is_known: impl FnOnce(&Self, &Torrent) -> bool,
    ) -> Option<Full> {
        let Some(at) = found else {
            return room.keeps_out_torrent(&self.change);
        };
        let torrent = self.torrents.get(at);
        let counts = self.counts(torrent);
        let peers = u64::from(counts.seeders) + u64::from(counts.leechers);
        let full = room.keeps_out_peer(&self.change);
        let full = full.or((peers >= room.peers_per_torrent).then_some(Full::Swarm))?;
        (!is_known(self, torrent)).then_some(full)
    }

    /// Removes a peer.
    pub(crate) fn leave<C: SwarmCell>(
        &mut self,
        key: &Key,
        cell: &C,
        heard: bool,
        moment: &Moment,
        secrets: &Secrets,
    ) -> Announced {
        let mut announced = Announced {
            // Another node may know the peer that we missed.
            tell: !heard,
            ..Announced::gone()
        };
        let Some(at) = self.find(key) else {
            return announced;
        };
        let torrent = self.torrents.get_mut(at);
        let octets = torrent.swarm.heap_octets();
        let was_seeding = torrent.swarm.leave(cell, moment, &secrets.peers);
        announced.counts = counts_of(torrent, &self.large_counts, &self.web);
        if let Some(seeding) = was_seeding {
            announced.was_seeding = was_seeding;
            torrent.note_announce(cell, moment);
            announced.torrent_gone = torrent.swarm.is_empty() && !torrent.downloads.are_kept();
            self.peers[(C::FAMILY, seeding)] -= 1;
            self.change.peers -= 1;
            self.change.resize(octets, torrent.swarm.heap_octets());
            if announced.torrent_gone {
                self.remove(at, &secrets.info_hashes);
            }
        }
        announced
    }

    /// Enters a peer that has not timed out as a sibling told of it, if that is newer.
    pub(crate) fn enter_told<C: SwarmCell>(
        &mut self,
        told: &Told,
        cell: C,
        (moment, room): (&Moment, Option<&Room>),
        secrets: &Secrets,
    ) -> Heard {
        let found = self.find(&told.key);
        let known = found.and_then(|at| self.torrents.get(at).swarm.age_of(&cell, &secrets.peers));
        // Each of the two is rounded to a minute.
        let is_newer = |age| moment.minutes_since(age) > told.age_minutes.saturating_add(1);
        if !known.is_none_or(is_newer) {
            return Heard::Known;
        }
        if let Some(room) = room
            && let Some(full) = self.keeps_out_cell(found, &cell, room, &secrets.peers)
        {
            return Heard::Refused(full);
        }
        // A seeder has reported long ago that it completed the download, and was counted then.
        let report = Report {
            seeding: told.seeding,
            completed: told.seeding,
            heard: true,
        };
        let then = moment.of_told(told.age_minutes);
        let at = found.unwrap_or_else(|| self.insert_announced(&told.key, &then, secrets));
        let torrent = self.torrents.get_mut(at);
        torrent.note_told(&cell, told.age_minutes, moment);
        let (swarm, change) = (&mut torrent.swarm, &mut self.change);
        let entered = swarm.enter(cell, report, &then, &secrets.peers, change);
        self.count_peer(C::FAMILY, entered.was_seeding, told.seeding);
        Heard::Applied
    }

    /// Makes the download count the larger of ours and a sibling's, and creates the torrent if it
    /// is not known.
    pub(crate) fn apply_downloads(
        &mut self,
        key: &Key,
        announced: Minute,
        downloads: u64,
        room: Option<&Room>,
        secrets: &Secrets,
    ) -> Comparison {
        let info_hash = key.info_hash();
        let octets = self.large_counts.heap_octets();
        let comparison = if let Some(at) = self.find(key) {
            let torrent = self.torrents.get_mut(at);
            let ours = self.large_counts.get(torrent.downloads, info_hash);
            match ours.cmp(&downloads) {
                Ordering::Less => {
                    let raised = self.large_counts.put(downloads, info_hash);
                    torrent.downloads = raised.with_web(torrent.downloads.has_web());
                    Comparison::Raised
                }
                Ordering::Equal => Comparison::Equal,
                Ordering::Greater => Comparison::OursIsLarger,
            }
        } else if let Some(full) = room.and_then(|room| room.keeps_out_torrent(&self.change)) {
            Comparison::Refused(full)
        } else {
            let downloads = self.large_counts.put(downloads, info_hash);
            let torrent = Torrent::new(*info_hash, downloads, announced);
            self.insert(key, torrent, &secrets.info_hashes);
            Comparison::Created
        };
        self.change.resize(octets, self.large_counts.heap_octets());
        comparison
    }

    /// Enters a torrent and peers of it as they were some minutes ago.
    pub(crate) fn restore(
        &mut self,
        key: &Key,
        saved: &SavedTorrent,
        peers: impl Iterator<Item = SavedPeer> + Clone,
        passed_minutes: u32,
        (moment, room): (&Moment, Option<&Room>),
        secrets: &Secrets,
    ) -> Restored {
        let found = self.find(key);
        if found.is_none()
            && room.is_some_and(|room| room.keeps_out_torrent(&self.change).is_some())
        {
            return Restored {
                no_room: 1,
                ..Restored::default()
            };
        }
        let octets = self.large_counts.heap_octets();
        let known = found.map(|at| self.torrents.get(at).downloads);
        let large_counts = &mut self.large_counts;
        let downloads = large_counts.restore(known, saved, passed_minutes, moment);
        self.change.resize(octets, large_counts.heap_octets());
        let idle_minutes = saved.idle_minutes.saturating_add(passed_minutes);
        let at = found.unwrap_or_else(|| {
            let announced = moment.now.before(idle_minutes);
            let torrent = Torrent::new(*key.info_hash(), downloads, announced);
            self.insert(key, torrent, &secrets.info_hashes)
        });
        self.torrents.get_mut(at).downloads = downloads;
        let was_empty = peers.clone().next().is_none();
        let mut restored =
            self.restore_peers(at, saved, peers, passed_minutes, (moment, room), secrets);
        // As a sweep would have it.
        let is_worthless = self.torrents.get(at).swarm.is_empty()
            && (idle_minutes > moment.torrent_timeout || !was_empty && !downloads.are_kept());
        if found.is_none() && is_worthless {
            self.remove(at, &secrets.info_hashes);
            restored.timed_out_torrents = 1;
        } else if found.is_none() {
            restored.torrents = 1;
        }
        restored
    }

    /// Enters the peers of a torrent that have not timed out.
    fn restore_peers(
        &mut self,
        at: usize,
        saved: &SavedTorrent,
        peers: impl Iterator<Item = SavedPeer> + Clone,
        passed_minutes: u32,
        (moment, room): (&Moment, Option<&Room>),
        secrets: &Secrets,
    ) -> Restored {
        let torrent = self.torrents.get_mut(at);
        let age_of = |peer: &SavedPeer| {
            let minutes = u32::from(peer.age_minutes).saturating_add(passed_minutes);
            moment.living_age(minutes)
        };
        let mix = Mix::of(peers.clone().filter(|peer| age_of(peer).is_some()));
        let swarm_peers = saved.swarm_peers as usize;
        let octets = torrent.swarm.heap_octets();
        torrent.swarm.reserve(&mix, swarm_peers, &secrets.peers);
        self.change.resize(octets, torrent.swarm.heap_octets());
        // A few peers ahead their memory is asked for, so that waits for it overlap.
        let keys = &secrets.peers;
        let mut upcoming = peers.clone().map(|peer| AnyCell::from(peer.addr));
        for cell in upcoming.by_ref().take(AHEAD) {
            torrent.swarm.prefetch_peer(&cell, Purpose::Enter, keys);
        }
        let mut restored = Restored::default();
        for peer in peers {
            if let Some(cell) = upcoming.next() {
                let swarm = &self.torrents.get(at).swarm;
                swarm.prefetch_peer(&cell, Purpose::Enter, keys);
            }
            let Some(age) = age_of(&peer) else {
                restored.timed_out_peers += 1;
                continue;
            };
            let moment = (moment, room);
            let back = match AnyCell::from(peer.addr) {
                AnyCell::V4(cell) => self.restore_peer(at, cell, &peer, age, moment, secrets),
                AnyCell::V6(cell) => self.restore_peer(at, cell, &peer, age, moment, secrets),
            };
            match back {
                Ok(is_new) => restored.peers += u64::from(is_new),
                Err(_full) => restored.no_room += 1,
            }
        }
        restored
    }

    /// Enters a peer as it was, unless it has announced since; tells whether it was not known, or
    /// which bound kept it out.
    fn restore_peer<C: SwarmCell>(
        &mut self,
        at: usize,
        cell: C,
        saved: &SavedPeer,
        age_minutes: u8,
        (moment, room): (&Moment, Option<&Room>),
        secrets: &Secrets,
    ) -> Result<bool, Full> {
        let keys = &secrets.peers;
        let known = self.torrents.get(at).swarm.age_of(&cell, keys);
        if known.is_some_and(|age| moment.minutes_since(age) <= age_minutes) {
            return Ok(false);
        }
        if let Some(room) = room
            && let Some(full) = self.keeps_out_cell(Some(at), &cell, room, keys)
        {
            return Err(full);
        }
        let report = Report {
            seeding: saved.seeding,
            completed: saved.completed,
            heard: true,
        };
        let moment = moment.of_restored(age_minutes);
        let swarm = &mut self.torrents.get_mut(at).swarm;
        let entered = swarm.enter(cell, report, &moment, keys, &mut self.change);
        self.count_peer(C::FAMILY, entered.was_seeding, saved.seeding);
        Ok(known.is_none())
    }

    /// Removes the torrents that `keep` refuses, and returns them and how many peers they had.
    pub(crate) fn retain(
        &mut self,
        mut keep: impl FnMut(&InfoHash) -> bool,
        hasher: &InfoHasher,
    ) -> (Vec<Torrent>, u64) {
        let peers = self.peers.total();
        let mut removed = Vec::new();
        let mut at = 0;
        while at < self.len() {
            if keep(&self.torrents.get(at).info_hash) {
                at += 1;
            } else {
                removed.push(self.remove(at, hasher));
            }
        }
        self.fit(hasher);
        (removed, peers - self.peers.total())
    }

    /// Removes the torrent at a position, and returns it; the last one takes its place.
    pub(crate) fn remove(&mut self, at: usize, hasher: &InfoHasher) -> Torrent {
        let torrents = &self.torrents;
        let hash_of = |at| hasher.hash(&torrents.get(at).info_hash);
        let octets = self.heap_octets();
        self.index.swap_remove(at, hash_of);
        let removed = self.torrents.swap_remove(at);
        self.large_counts
            .forget(removed.downloads, &removed.info_hash);
        let mut peers = removed.swarm.peers();
        if removed.downloads.has_web() {
            peers += self.forget_web(&removed.info_hash);
        }
        self.peers -= peers;
        self.change.torrents -= 1;
        self.change.peers -= peers.total().cast_signed();
        let octets = octets + removed.swarm.heap_octets();
        self.change.resize(octets, self.heap_octets());
        removed
    }

    pub(crate) fn counts(&self, torrent: &Torrent) -> SwarmCounts {
        counts_of(torrent, &self.large_counts, &self.web)
    }

    pub(crate) fn summary(&self, torrent: &Torrent, moment: &Moment) -> TorrentSummary {
        TorrentSummary {
            info_hash: torrent.info_hash,
            counts: self.counts(torrent),
            idle_minutes: torrent.swarm.idle_minutes(moment),
        }
    }

    pub(crate) fn saved(&self, torrent: &Torrent, moment: &Moment) -> SavedTorrent {
        SavedTorrent {
            info_hash: torrent.info_hash,
            downloads: self.large_counts.get(torrent.downloads, &torrent.info_hash),
            idle_minutes: torrent.swarm.idle_minutes(moment),
            unestablished_minutes: torrent.downloads.unestablished_minutes(moment),
            swarm_peers: saturating_u32(torrent.swarm.len()),
        }
    }

    /// Gives memory back that is not needed.
    pub(crate) fn fit(&mut self, hasher: &InfoHasher) {
        let octets = self.torrents.heap_octets() + self.index.heap_octets();
        self.torrents.fit();
        let torrents = &self.torrents;
        self.index
            .fit(|at| hasher.hash(&torrents.get(at).info_hash));
        let less = self.torrents.heap_octets() + self.index.heap_octets();
        self.change.resize(octets, less);
    }

    /// Octets on the heap, without those of the swarms.
    pub(crate) fn heap_octets(&self) -> usize {
        let torrents = self.torrents.heap_octets() + self.index.heap_octets();
        torrents + self.large_counts.heap_octets() + self.web.heap_octets()
    }

    #[inline]
    pub(crate) fn find(&self, key: &Key) -> Option<usize> {
        let is_it = |at| self.torrents.get(at).info_hash == *key.info_hash();
        self.index.find(key.hash(), is_it)
    }

    /// Counts a peer that was entered: whether it was a seeder before, if it was known, and is now.
    fn count_peer(&mut self, family: Family, was_seeding: Option<bool>, is_seeding: bool) {
        if was_seeding != Some(is_seeding) {
            match was_seeding {
                Some(seeding) => self.peers[(family, seeding)] -= 1,
                None => self.change.peers += 1,
            }
            self.peers[(family, is_seeding)] += 1;
        }
    }

    /// Adds a torrent that is announced for the first time.
    fn insert_announced(&mut self, key: &Key, moment: &Moment, secrets: &Secrets) -> usize {
        let downloads = Downloads::first_announced(moment.now);
        let torrent = Torrent::new(*key.info_hash(), downloads, moment.now);
        self.insert(key, torrent, &secrets.info_hashes)
    }

    /// Adds a torrent that is not there yet and returns where it stands.
    fn insert(&mut self, key: &Key, torrent: Torrent, hasher: &InfoHasher) -> usize {
        let at = self.torrents.len();
        let octets = self.torrents.heap_octets() + self.index.heap_octets();
        self.torrents.push(torrent);
        let torrents = &self.torrents;
        let hash_of = |at| hasher.hash(&torrents.get(at).info_hash);
        self.index.push(key.hash(), hash_of);
        self.change.torrents += 1;
        let more = self.torrents.heap_octets() + self.index.heap_octets();
        self.change.resize(octets, more);
        at
    }
}

#[inline]
fn counts_of(torrent: &Torrent, large_counts: &LargeCounts, web: &WebSwarms) -> SwarmCounts {
    let (seeders, leechers) = torrent.swarm.counts();
    let mut counts = SwarmCounts {
        seeders: saturating_u32(seeders),
        leechers: saturating_u32(leechers),
        downloads: large_counts.get(torrent.downloads, &torrent.info_hash),
    };
    if torrent.downloads.has_web()
        && let Some(web) = web.get(&torrent.info_hash)
    {
        web.add_to(&mut counts);
    }
    counts
}
