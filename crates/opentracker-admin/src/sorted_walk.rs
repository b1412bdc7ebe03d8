//! A walk over all torrents in the order of their info hashes, as bencode has its keys.

use std::cmp::Ordering;
use std::time::Instant;

use opentracker_core::{TorrentSummary, Tracker, Walk};
use opentracker_types::InfoHash;

/// Torrents of a round: 10 MB of them, twice at the most.
const ROUND: usize = 1 << 18;

/// After so many comparisons, some 50 µs, threads that answer announces get their turn: sorting a round
/// takes 20 ms.
const COMPARISONS: u32 = 4096;

/// Goes through all torrents in order, in rounds: each walks over all of them and keeps the first
/// that are still to come. So its memory is bounded, whoever chooses the info hashes.
///
/// It sees every torrent that is there from its beginning to its end, and each once.
#[derive(Debug)]
pub(crate) struct SortedWalk {
    round: usize,
    walk: Walk,
    /// The last torrent of the rounds before.
    after: Option<InfoHash>,
    kept: Vec<TorrentSummary>,
    /// From here on torrents are left to later rounds; `None`: none has been yet.
    until: Option<InfoHash>,
    is_over: bool,
}

impl SortedWalk {
    pub(crate) fn new() -> Self {
        Self::with_round(ROUND)
    }

    fn with_round(round: usize) -> Self {
        Self {
            round,
            walk: Walk::new(),
            after: None,
            kept: Vec::new(),
            until: None,
            is_over: false,
        }
    }

    /// Looks into the next part of the swarms. Returns how many torrents it looked at, or `None` at
    /// the end of the walk, and puts into `found` what comes next in the order, from back to front.
    pub(crate) fn step(
        &mut self,
        tracker: &Tracker,
        now: Instant,
        found: &mut Vec<TorrentSummary>,
    ) -> Option<usize> {
        if self.is_over {
            return None;
        }
        let Some(part) = self.walk.next_part(tracker, now) else {
            self.end_round(found);
            return Some(0);
        };
        let (after, until) = (self.after, self.until);
        let is_ahead = |torrent: &&TorrentSummary| {
            after.is_none_or(|after| torrent.info_hash > after)
                && until.is_none_or(|until| torrent.info_hash < until)
        };
        self.kept.extend(part.iter().filter(is_ahead));
        let seen = part.len();
        if self.kept.len() >= 2 * self.round {
            self.leave_rest();
        }
        Some(seen)
    }

    /// Leaves what is beyond the round to later ones.
    fn leave_rest(&mut self) {
        let (_, first_left, _) = self.kept.select_nth_unstable_by(self.round, by_hash());
        self.until = Some(first_left.info_hash);
        self.kept.truncate(self.round);
    }

    fn end_round(&mut self, found: &mut Vec<TorrentSummary>) {
        if self.kept.len() > self.round {
            self.leave_rest();
        }
        self.is_over = self.until.take().is_none();
        let mut by_hash = by_hash();
        self.kept.sort_unstable_by(|one, next| by_hash(next, one));
        self.after = self.kept.first().map(|torrent| torrent.info_hash);
        found.append(&mut self.kept);
        self.walk = Walk::new();
    }
}

/// Compares torrents for an order, and lets other threads have their turn between comparisons.
fn by_hash() -> impl FnMut(&TorrentSummary, &TorrentSummary) -> Ordering {
    let mut compared = 0;
    move |one, next| {
        compared += 1;
        if compared == COMPARISONS {
            compared = 0;
            std::thread::yield_now();
        }
        one.info_hash.cmp(&next.info_hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    #[test]
    fn torrents_come_in_order_in_any_number_of_rounds() {
        const TORRENTS: u32 = 3000;
        let now = Instant::now();
        let tracker = fixture::tracker(now);
        fixture::seed(&tracker, TORRENTS, now);
        let expected: Vec<_> = (0..TORRENTS).map(fixture::hash).collect();
        for round in [1_usize, 100, 1500, 2999, 3000, 3001, 1 << 18] {
            // A round of one walks over everything for each torrent; some show it.
            let expected = &expected[..if round == 1 { 20 } else { expected.len() }];
            let mut walk = SortedWalk::with_round(round);
            let (mut hashes, mut found) = (Vec::new(), Vec::new());
            while walk.step(&tracker, now, &mut found).is_some() && hashes.len() < expected.len() {
                assert!(found.len() <= round);
                while let Some(torrent) = found.pop() {
                    hashes.push(torrent.info_hash);
                }
            }
            assert_eq!(hashes, expected, "rounds of {round}");
        }
    }

    #[test]
    fn without_torrents_it_is_over() {
        let now = Instant::now();
        let tracker = fixture::tracker(now);
        let (mut walk, mut found) = (SortedWalk::new(), Vec::new());
        while walk.step(&tracker, now, &mut found).is_some() {}
        assert!(found.is_empty());
    }
}
