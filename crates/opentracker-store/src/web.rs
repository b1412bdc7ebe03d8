//! WebTorrent peers: browsers, which have no address but a connection to this tracker.
//!
//! They are few beside all others, so they have no place in the cache line of a torrent: a bucket
//! keeps them aside, and a bit beside the download count says that there are any.

use std::collections::BTreeMap;
use std::net::IpAddr;

use opentracker_types::{InfoHash, PeerId, Prefix, SwarmCounts};

use crate::arithmetic::saturating_u32;
use crate::cell::Report;
use crate::clock::Moment;
use crate::kind::PerKind;
use crate::picker::Picker;

/// The number of a connection with a browser, by which messages find it. Its owner says what it
/// means; no two connections that are open at a time have the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WebConnection(pub u64);

/// A WebTorrent peer of a swarm: what it calls itself, on its connection. Another connection may say
/// the same name, and is another peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct WebPeer {
    // First, so that the peers of one name lie together.
    /// What it calls itself.
    pub peer_id: PeerId,
    /// Where messages for it go.
    pub connection: WebConnection,
}

/// The WebTorrent peers of a bucket's torrents.
#[derive(Debug, Default)]
pub(crate) struct WebSwarms {
    swarms: BTreeMap<InfoHash, WebSwarm>,
    /// Peers of all of them.
    peers: usize,
}

/// The WebTorrent peers of one torrent.
#[derive(Debug, Default)]
pub(crate) struct WebSwarm {
    /// Apart, because a seeder is given leechers alone.
    leechers: Vec<Entry>,
    seeders: Vec<Entry>,
    /// Where each of them stands.
    places: BTreeMap<WebPeer, Place>,
    /// Where a sweep goes on, of the leechers and then the seeders.
    swept: usize,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    peer: WebPeer,
    ip: IpAddr,
    completed: bool,
    /// Minute of the last announce, modulo 256.
    age: u8,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    seeding: bool,
    index: u32,
}

/// What an announce did to a swarm.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WebEntered {
    pub(crate) was_seeding: Option<bool>,
    pub(crate) has_completed: bool,
    pub(crate) renewed_after: Option<u8>,
}

/// Octets on the heap for one peer, about: its entry, its place, and what is spare of both.
const PEER_OCTETS: usize = 2 * size_of::<Entry>() + 2 * size_of::<(WebPeer, Place)>();

impl WebSwarms {
    pub(crate) fn get(&self, info_hash: &InfoHash) -> Option<&WebSwarm> {
        self.swarms.get(info_hash)
    }

    /// Changes a swarm, which is made if it is not there and is gone when it is empty.
    pub(crate) fn with<T>(
        &mut self,
        info_hash: &InfoHash,
        change: impl FnOnce(&mut WebSwarm) -> T,
    ) -> T {
        let swarm = self.swarms.entry(*info_hash).or_default();
        let before = swarm.len();
        let changed = change(swarm);
        let after = swarm.len();
        if after == 0 {
            self.swarms.remove(info_hash);
        }
        self.peers = self.peers + after - before;
        changed
    }

    /// Forgets the peers of a torrent, and says how many there were.
    pub(crate) fn remove(&mut self, info_hash: &InfoHash) -> PerKind<u64> {
        let removed = self.swarms.remove(info_hash).unwrap_or_default();
        self.peers -= removed.len();
        removed.peers()
    }

    /// Octets on the heap, about.
    pub(crate) fn heap_octets(&self) -> usize {
        self.peers * PEER_OCTETS + self.swarms.len() * size_of::<(InfoHash, WebSwarm)>()
    }
}

impl WebSwarm {
    pub(crate) fn len(&self) -> usize {
        self.leechers.len() + self.seeders.len()
    }

    pub(crate) fn peers(&self) -> PerKind<u64> {
        PerKind {
            web_seeders: self.seeders.len() as u64,
            web_leechers: self.leechers.len() as u64,
            ..PerKind::default()
        }
    }

    pub(crate) fn add_to(&self, counts: &mut SwarmCounts) {
        let add = |sum: &mut u32, more| *sum = sum.saturating_add(saturating_u32(more));
        add(&mut counts.seeders, self.seeders.len());
        add(&mut counts.leechers, self.leechers.len());
    }

    pub(crate) fn contains(&self, peer: &WebPeer) -> bool {
        self.places.contains_key(peer)
    }

    /// The peers that call themselves so.
    pub(crate) fn named(&self, peer_id: PeerId) -> impl Iterator<Item = WebPeer> {
        let bound = |number| WebPeer {
            peer_id,
            connection: WebConnection(number),
        };
        let named = self.places.range(bound(0)..=bound(u64::MAX));
        named.map(|(peer, _)| *peer)
    }

    /// Whether there are peers of another prefix than this one's, if all that are there have the
    /// same: one is looked at.
    pub(crate) fn has_other_prefix(&self, ip: IpAddr) -> bool {
        let one = self.leechers.first().or(self.seeders.first());
        one.is_some_and(|one| Prefix::of(one.ip) != Prefix::of(ip))
    }

    /// Enters or refreshes a peer.
    pub(crate) fn enter(
        &mut self,
        peer: WebPeer,
        ip: IpAddr,
        report: Report,
        moment: &Moment,
    ) -> WebEntered {
        let known = self.take(&peer);
        let had_completed = known.is_some_and(|(entry, _)| entry.completed);
        let has_completed = report.seeding && report.completed && !had_completed;
        let entry = Entry {
            peer,
            ip,
            completed: had_completed || has_completed,
            age: moment.age,
        };
        let list = self.list(report.seeding);
        let place = Place {
            seeding: report.seeding,
            index: saturating_u32(list.len()),
        };
        list.push(entry);
        self.places.insert(peer, place);
        WebEntered {
            was_seeding: known.map(|(_, seeding)| seeding),
            has_completed,
            renewed_after: known.map(|(entry, _)| moment.minutes_since(entry.age)),
        }
    }

    /// Removes a peer and says whether it was a seeder; `None`: it was not known.
    pub(crate) fn leave(&mut self, peer: &WebPeer) -> Option<bool> {
        self.take(peer).map(|(_, seeding)| seeding)
    }

    /// Chooses up to `want` others for a peer, uniformly and without replacement; leechers alone for
    /// a seeder. They are added to `out`.
    pub(crate) fn select(
        &self,
        peer: &WebPeer,
        seeding: bool,
        want: usize,
        picker: &mut Picker,
        out: &mut Vec<WebPeer>,
    ) {
        if seeding {
            return draw(&self.leechers, Some(peer), want, picker, out);
        }
        let leechers = self.leechers.len().saturating_sub(1);
        let of_leechers = picker.share(want, leechers, self.seeders.len());
        let of_seeders = (want - of_leechers).min(self.seeders.len());
        draw(&self.leechers, Some(peer), of_leechers, picker, out);
        draw(&self.seeders, Some(peer), of_seeders, picker, out);
    }

    /// Does the same for a peer that is not in the swarm.
    pub(crate) fn select_for_stranger(
        &self,
        seeding: bool,
        want: usize,
        picker: &mut Picker,
        out: &mut Vec<WebPeer>,
    ) {
        if seeding {
            return draw(&self.leechers, None, want, picker, out);
        }
        let of_leechers = picker.share(want, self.leechers.len(), self.seeders.len());
        draw(&self.leechers, None, of_leechers, picker, out);
        draw(&self.seeders, None, want - of_leechers, picker, out);
    }

    /// Removes peers that timed out or that `keeps` refuses, looking at `budget` of them at a time.
    /// Returns whether all have been looked at.
    pub(crate) fn sweep(
        &mut self,
        moment: &Moment,
        keeps: &mut impl FnMut(IpAddr) -> bool,
        budget: &mut usize,
    ) -> bool {
        while *budget > 0 && self.swept < self.len() {
            *budget -= 1;
            let of_seeders = self.swept.checked_sub(self.leechers.len());
            let entry = match of_seeders {
                Some(index) => self.seeders[index],
                None => self.leechers[self.swept],
            };
            if !moment.has_timed_out(entry.age) && keeps(entry.ip) {
                self.swept += 1;
            } else {
                // The last of its list takes its place, and is looked at next.
                self.take(&entry.peer);
            }
        }
        let is_through = self.swept >= self.len();
        if is_through {
            self.swept = 0;
        }
        is_through
    }

    /// Takes a peer out, if it is there; the last of its list takes its place.
    fn take(&mut self, peer: &WebPeer) -> Option<(Entry, bool)> {
        let place = self.places.remove(peer)?;
        let index = place.index as usize;
        let list = self.list(place.seeding);
        let entry = list.swap_remove(index);
        if let Some(moved) = list.get(index).map(|entry| entry.peer) {
            self.places.insert(moved, place);
        }
        Some((entry, place.seeding))
    }

    fn list(&mut self, seeding: bool) -> &mut Vec<Entry> {
        if seeding {
            &mut self.seeders
        } else {
            &mut self.leechers
        }
    }
}

/// Draws up to `want` of the entries, which are few, but not that of `peer`, if it is one of them.
fn draw(
    entries: &[Entry],
    peer: Option<&WebPeer>,
    want: usize,
    picker: &mut Picker,
    out: &mut Vec<WebPeer>,
) {
    if entries.len() <= want.saturating_add(1) && want > 0 {
        let others = entries.iter().map(|entry| entry.peer);
        let from = out.len();
        out.extend(others.filter(|other| Some(other) != peer));
        while out.len() - from > want {
            let index = picker.below(saturating_u32(out.len() - from));
            out.swap_remove(from + index as usize);
        }
        return;
    }
    let from = out.len();
    while out.len() - from < want {
        let index = picker.below(saturating_u32(entries.len()));
        let drawn = entries[index as usize].peer;
        if Some(&drawn) != peer && !out[from..].contains(&drawn) {
            out.push(drawn);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::clock::{Minute, Timing};

    fn moment(minute: u32) -> Moment {
        Moment::new(Minute::new(minute), &Timing::default())
    }

    fn peer(number: u8) -> WebPeer {
        WebPeer {
            peer_id: PeerId::new([number; 20]),
            connection: WebConnection(u64::from(number) + 1000),
        }
    }

    fn ip(number: u8) -> IpAddr {
        Ipv4Addr::new(198, 51, 100, number).into()
    }

    const fn report(seeding: bool) -> Report {
        Report {
            seeding,
            completed: false,
            heard: false,
        }
    }

    /// Leechers 0 to `leechers`, and seeders from 100 on.
    fn swarm(leechers: u8, seeders: u8) -> WebSwarm {
        let mut swarm = WebSwarm::default();
        for number in 0..leechers {
            swarm.enter(peer(number), ip(number), report(false), &moment(500));
        }
        for number in 100..100 + seeders {
            swarm.enter(peer(number), ip(number), report(true), &moment(500));
        }
        swarm
    }

    fn check(swarm: &WebSwarm) {
        assert_eq!(swarm.places.len(), swarm.len());
        for (seeding, list) in [(false, &swarm.leechers), (true, &swarm.seeders)] {
            for (index, entry) in list.iter().enumerate() {
                let place = swarm.places[&entry.peer];
                assert_eq!((place.seeding, place.index as usize), (seeding, index));
            }
        }
    }

    #[test]
    fn each_of_the_others_is_chosen_as_often_and_nobody_twice() {
        let mut picker = Picker::new(7);
        for (leechers, seeders, want) in [(1, 0, 3), (4, 3, 3), (4, 3, 6), (60, 40, 10), (3, 40, 5)]
        {
            let swarm = swarm(leechers, seeders);
            let others = usize::from(leechers) + usize::from(seeders) - 1;
            let expected = want.min(others);
            let mut drawn = BTreeMap::<_, u32>::new();
            let rounds = 4000;
            for _ in 0..rounds {
                let mut out = Vec::new();
                swarm.select(&peer(0), false, want, &mut picker, &mut out);
                assert_eq!(out.len(), expected);
                out.sort_unstable();
                out.dedup();
                assert_eq!(out.len(), expected, "nobody twice");
                assert!(!out.contains(&peer(0)), "not itself");
                for peer in out {
                    *drawn.entry(peer).or_default() += 1;
                }
            }
            assert_eq!(drawn.len(), others);
            let mean = f64::from(rounds) * expected as f64 / others.max(1) as f64;
            for (peer, times) in drawn {
                let off = (f64::from(times) - mean).abs();
                assert!(off <= 6.0 * mean.sqrt(), "{peer:?}: {times} of {mean}");
            }
        }
    }

    #[test]
    fn a_seeder_is_given_leechers_alone() {
        let (swarm, mut picker) = (swarm(3, 50), Picker::new(1));
        let mut out = Vec::new();
        swarm.select(&peer(120), true, 10, &mut picker, &mut out);
        out.sort_unstable();
        assert_eq!(out, [peer(0), peer(1), peer(2)]);
        out.clear();
        swarm.select_for_stranger(true, 10, &mut picker, &mut out);
        out.sort_unstable();
        assert_eq!(out, [peer(0), peer(1), peer(2)]);
    }

    #[test]
    fn a_stranger_may_be_given_all() {
        let mut picker = Picker::new(3);
        for (leechers, seeders, want) in [(0, 0, 3), (1, 0, 1), (0, 1, 1), (2, 3, 9), (40, 40, 5)] {
            let swarm = swarm(leechers, seeders);
            let all = usize::from(leechers) + usize::from(seeders);
            let mut drawn = Vec::new();
            for _ in 0..200 {
                let before = drawn.len();
                swarm.select_for_stranger(false, want, &mut picker, &mut drawn);
                assert_eq!(drawn.len() - before, want.min(all));
            }
            drawn.sort_unstable();
            drawn.dedup();
            assert_eq!(drawn.len(), all, "each of them at some time");
        }
    }

    #[test]
    fn a_name_that_two_connections_say_is_two_peers() {
        let mut swarm = swarm(5, 5);
        let other = WebPeer {
            connection: WebConnection(3),
            ..peer(2)
        };
        let entered = swarm.enter(other, ip(9), report(true), &moment(500));
        assert_eq!(entered.was_seeding, None);
        let named: Vec<_> = swarm.named(peer(2).peer_id).collect();
        assert_eq!(named, [other, peer(2)]);
        assert_eq!(swarm.leave(&other), Some(true));
        assert_eq!(swarm.leave(&other), None);
        assert!(swarm.contains(&peer(2)));
        check(&swarm);
    }

    #[test]
    fn a_download_counts_once() {
        let mut swarm = swarm(2, 0);
        let completed = Report {
            seeding: true,
            completed: true,
            heard: false,
        };
        for (report, minute, was_seeding, counts) in [
            (completed, 502, false, true),
            (completed, 503, true, false),
            (report(false), 504, true, false),
            (completed, 505, false, false),
        ] {
            let entered = swarm.enter(peer(1), ip(1), report, &moment(minute));
            assert_eq!(entered.was_seeding, Some(was_seeding));
            assert_eq!(entered.has_completed, counts, "minute {minute}");
            check(&swarm);
        }
    }

    #[test]
    fn a_sweep_takes_its_budget_and_misses_nobody() {
        let mut swarm = swarm(60, 60);
        let late = moment(500 + u32::from(Timing::default().peer_timeout_minutes()));
        for number in (0..60).step_by(3) {
            swarm.enter(peer(number), ip(number), report(false), &late);
        }
        let later = moment(late.now.get() + 2);
        let mut steps = 0;
        loop {
            steps += 1;
            let mut budget = 16;
            if swarm.sweep(&later, &mut |ip| ip != self::ip(30), &mut budget) {
                break;
            }
            assert_eq!(budget, 0);
        }
        assert_eq!(steps, 8);
        let mut left: Vec<_> = swarm.leechers.iter().map(|entry| entry.peer).collect();
        left.sort_unstable();
        let kept = (0..60).step_by(3).filter(|number| *number != 30);
        assert_eq!(left, kept.map(peer).collect::<Vec<_>>());
        assert!(swarm.seeders.is_empty());
        check(&swarm);
    }
}
