//! WebTorrent peers of a bucket's torrents.

use std::net::IpAddr;

use opentracker_types::{InfoHash, PeerAddr, PeerId};

use super::{Bucket, Secrets, counts_of};
use crate::announce::Announced;
use crate::cell::{AnyCell, Report};
use crate::clock::Moment;
use crate::key::Key;
use crate::kind::PerKind;
use crate::picker::Picker;
use crate::swarm::Swarm;
use crate::torrent::Torrent;
use crate::usage::Room;
use crate::web::{WebEntered, WebPeer, WebSwarm};

impl Bucket {
    /// Enters or refreshes a peer, and lets it choose others.
    pub(crate) fn enter_web(
        &mut self,
        key: &Key,
        (peer, ip): (WebPeer, IpAddr),
        report: Report,
        (moment, room): (&Moment, Option<&Room>),
        secrets: &Secrets,
        select: impl FnOnce(&WebSwarm),
    ) -> Announced {
        let found = self.find(key);
        let info_hash = key.info_hash();
        let is_known = |web: Option<&WebSwarm>| web.is_some_and(|web| web.contains(&peer));
        if let Some(room) = room
            && let Some(full) =
                self.keeps_out(found, room, |bucket, _| is_known(bucket.web.get(info_hash)))
        {
            return Announced::refused(full);
        }
        let at = found.unwrap_or_else(|| self.insert_announced(key, moment, secrets));
        let torrent = self.torrents.get_mut(at);
        let has_other_prefix = |web: &WebSwarm| web.has_other_prefix(ip);
        if self.web.get(info_hash).is_some_and(has_other_prefix) {
            torrent.downloads.establish();
        }
        note_announce(torrent, ip, moment);
        torrent.downloads = torrent.downloads.with_web(true);
        let octets = self.web.heap_octets() + self.large_counts.heap_octets();
        let WebEntered {
            was_seeding,
            has_completed,
            renewed_after,
        } = self.web.with(info_hash, |web| {
            let entered = web.enter(peer, ip, report, moment);
            select(web);
            entered
        });
        if has_completed {
            self.large_counts.add_one(&mut torrent.downloads, info_hash);
        }
        let counts = counts_of(torrent, &self.large_counts, &self.web);
        let more = self.web.heap_octets() + self.large_counts.heap_octets();
        self.change.resize(octets, more);
        if let Some(seeding) = was_seeding {
            *web_of(&mut self.peers, seeding) -= 1;
        } else {
            self.change.peers += 1;
        }
        *web_of(&mut self.peers, report.seeding) += 1;
        Announced {
            counts,
            was_seeding,
            new_torrent: found.is_none(),
            torrent_gone: false,
            has_completed,
            // Nobody else can reach it.
            tell: false,
            renewed_after,
            refused: None,
        }
    }

    /// Removes a peer.
    pub(crate) fn leave_web(
        &mut self,
        key: &Key,
        peer: &WebPeer,
        moment: &Moment,
        secrets: &Secrets,
    ) -> Announced {
        let mut announced = Announced::gone();
        let Some(at) = self.find(key) else {
            return announced;
        };
        let octets = self.web.heap_octets();
        let torrent = self.torrents.get_mut(at);
        if torrent.downloads.has_web() {
            announced.was_seeding = self.web.with(key.info_hash(), |web| web.leave(peer));
        }
        let has_web = self.web.get(key.info_hash()).is_some();
        torrent.downloads = torrent.downloads.with_web(has_web);
        announced.counts = counts_of(torrent, &self.large_counts, &self.web);
        if let Some(seeding) = announced.was_seeding {
            if torrent.swarm.is_empty() {
                torrent.swarm = Swarm::empty(moment.now);
            }
            announced.torrent_gone = torrent.swarm.is_empty() && !torrent.downloads.are_kept();
            *web_of(&mut self.peers, seeding) -= 1;
            self.change.peers -= 1;
            self.change.resize(octets, self.web.heap_octets());
            if announced.torrent_gone {
                self.remove(at, &secrets.info_hashes);
            }
        }
        announced
    }

    /// Adds up to `want` peers of a torrent to `out`, for one that is none of them, and says how many
    /// there are.
    pub(crate) fn choose_web(
        &self,
        key: &Key,
        seeding: bool,
        want: usize,
        picker: &mut Picker,
        out: &mut Vec<WebPeer>,
    ) -> PerKind<u64> {
        let Some(web) = self.web.get(key.info_hash()) else {
            return PerKind::default();
        };
        web.select_for_stranger(seeding, want, picker, out);
        web.peers()
    }

    /// Adds the peers of a torrent that call themselves so to `out`.
    pub(crate) fn find_web(&self, key: &Key, peer_id: PeerId, out: &mut Vec<WebPeer>) {
        if let Some(web) = self.web.get(key.info_hash()) {
            out.extend(web.named(peer_id));
        }
    }

    /// Removes peers of the torrent at a position that timed out or that `keeps` refuses, looking at
    /// `budget` of them. Returns how many, and whether all have been looked at.
    pub(crate) fn sweep_web(
        &mut self,
        at: usize,
        moment: &Moment,
        keeps: &mut impl FnMut(IpAddr) -> bool,
        budget: &mut usize,
    ) -> (u64, bool) {
        let torrent = self.torrents.get_mut(at);
        if !torrent.downloads.has_web() {
            return (0, true);
        }
        let octets = self.web.heap_octets();
        let info_hash = &torrent.info_hash;
        let (before, after, is_through) = self.web.with(info_hash, |web| {
            let before = web.peers();
            let is_through = web.sweep(moment, keeps, budget);
            (before, web.peers(), is_through)
        });
        torrent.downloads = torrent.downloads.with_web(after.total() > 0);
        self.peers -= before;
        self.peers += after;
        let removed = before.total() - after.total();
        self.change.peers -= removed.cast_signed();
        self.change.resize(octets, self.web.heap_octets());
        (removed, is_through)
    }

    /// Whether a torrent is there for its WebTorrent peers alone, so that it is worth nothing without
    /// them.
    pub(crate) fn is_of_web_alone(torrent: &Torrent) -> bool {
        torrent.swarm.is_empty()
            && torrent.downloads.has_web()
            && !torrent.downloads.with_web(false).are_kept()
    }

    /// Forgets the peers of a torrent that is removed, and says how many there were.
    pub(super) fn forget_web(&mut self, info_hash: &InfoHash) -> PerKind<u64> {
        self.web.remove(info_hash)
    }
}

/// Establishes the torrent if an announce from there is reason to.
fn note_announce(torrent: &mut Torrent, ip: IpAddr, moment: &Moment) {
    // The port matters to nobody who asks whether prefixes are the same.
    match AnyCell::from(PeerAddr::new(ip, 1)) {
        AnyCell::V4(cell) => torrent.note_announce(&cell, moment),
        AnyCell::V6(cell) => torrent.note_announce(&cell, moment),
    }
    if torrent.swarm.is_empty() {
        torrent.swarm = Swarm::empty(moment.now);
    }
}

fn web_of(peers: &mut PerKind<u64>, seeding: bool) -> &mut u64 {
    if seeding {
        &mut peers.web_seeders
    } else {
        &mut peers.web_leechers
    }
}
