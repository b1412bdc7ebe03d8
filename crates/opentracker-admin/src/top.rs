//! The largest swarms: `mode=top10` and `mode=top100`.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use opentracker_core::{AccessLists, Tracker, Walk};
use opentracker_types::InfoHash;
use tokio::sync::Mutex;

use crate::pace::Pace;

/// Torrents in each list.
const MAX_TORRENTS: usize = 100;

/// How long a list is good for. Finding it looks at every torrent, some 100 ms for ten million,
/// so this bounds what a flood of questions costs.
const LIFETIME: Duration = Duration::from_secs(2);

/// Finds the largest swarms, at most once in [`LIFETIME`]: who asks in the meantime gets the same
/// lists, and who asks during the search waits for it.
#[derive(Debug, Default)]
pub(crate) struct TopCache(Mutex<Option<(Instant, Arc<Top>)>>);

/// The largest swarms.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Top {
    by_peers: Vec<Ranked>,
    by_seeds: Vec<Ranked>,
}

impl TopCache {
    /// Returns the lists. A walk yields after every step, so that announces go on.
    pub(crate) async fn get(&self, tracker: &Tracker) -> Arc<Top> {
        let mut cached = self.0.lock().await;
        if let Some((found, top)) = &*cached
            && found.elapsed() < LIFETIME
        {
            return Arc::clone(top);
        }
        let top = Arc::new(walk(tracker).await);
        *cached = Some((Instant::now(), Arc::clone(&top)));
        top
    }
}

impl Top {
    /// Returns the first torrents by peers.
    pub(crate) fn by_peers(&self, count: usize) -> Vec<InfoHash> {
        first(&self.by_peers, count)
    }

    /// Returns the first torrents by seeders.
    pub(crate) fn by_seeders(&self, count: usize) -> Vec<InfoHash> {
        first(&self.by_seeds, count)
    }

    /// Appends the first `count` of both lists: tab, count, tab, info hash. Torrents with the
    /// same count come in the order of their info hashes, and those with none are left out, as
    /// are those that are not served any more.
    pub(crate) fn put(&self, count: usize, served: &AccessLists, out: &mut Vec<u8>) {
        for (what, list) in [("peers", &self.by_peers), ("seeds", &self.by_seeds)] {
            let mut put = || {
                writeln!(out, "Top {count} torrents by {what}:")?;
                let list = list.iter();
                let is_served = |torrent: &&Ranked| served.serves(&torrent.info_hash.0);
                for torrent in list.filter(is_served).take(count) {
                    write!(out, "\t{}\t", torrent.count)?;
                    for octet in torrent.info_hash.0.as_bytes() {
                        write!(out, "{octet:02X}")?;
                    }
                    writeln!(out)?;
                }
                Ok::<_, std::io::Error>(())
            };
            put().expect("a Vec takes everything");
        }
    }
}

fn first(ranked: &[Ranked], count: usize) -> Vec<InfoHash> {
    let ranked = ranked.iter().take(count);
    ranked.map(|torrent| torrent.info_hash.0).collect()
}

async fn walk(tracker: &Tracker) -> Top {
    let (mut by_peers, mut by_seeds) = (Ranking::default(), Ranking::default());
    let mut pace = Pace::default();
    let mut walk = Walk::new();
    while let Some(part) = walk.next_part(tracker, Instant::now()) {
        for torrent in part {
            let counts = torrent.counts;
            let peers = counts.seeders.saturating_add(counts.leechers);
            by_peers.offer(peers, torrent.info_hash);
            by_seeds.offer(counts.seeders, torrent.info_hash);
        }
        let seen = part.len();
        pace.note(seen).await;
    }
    Top {
        by_peers: by_peers.rank(),
        by_seeds: by_seeds.rank(),
    }
}

/// A torrent in a list; the greater, the higher it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Ranked {
    count: u32,
    info_hash: Reverse<InfoHash>,
}

/// The highest torrents so far, the lowest of them on top.
#[derive(Debug, Default)]
struct Ranking(BinaryHeap<Reverse<Ranked>>);

impl Ranking {
    fn offer(&mut self, count: u32, info_hash: InfoHash) {
        if count == 0 {
            return;
        }
        let torrent = Ranked {
            count,
            info_hash: Reverse(info_hash),
        };
        if self.0.len() < MAX_TORRENTS {
            self.0.push(Reverse(torrent));
        } else if let Some(mut lowest) = self.0.peek_mut()
            && torrent > lowest.0
        {
            lowest.0 = torrent;
        }
    }

    fn rank(self) -> Vec<Ranked> {
        let torrents = self.0.into_sorted_vec();
        torrents
            .into_iter()
            .map(|Reverse(torrent)| torrent)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hash(number: u16) -> InfoHash {
        let mut octets = [0xab; 20];
        octets[18..].copy_from_slice(&number.to_be_bytes());
        InfoHash::new(octets)
    }

    fn rank(counts: &[u32]) -> Vec<Ranked> {
        let mut ranking = Ranking::default();
        for (number, &count) in counts.iter().enumerate() {
            ranking.offer(count, hash(u16::try_from(number).unwrap()));
        }
        ranking.rank()
    }

    proptest! {
        #[test]
        fn a_ranking_is_a_sorted_list(counts in prop::collection::vec(0_u32..50, 0..300)) {
            let mut sorted: Vec<_> = counts
                .iter()
                .enumerate()
                .filter(|&(_, &count)| count > 0)
                .map(|(number, &count)| (Reverse(count), number))
                .collect();
            sorted.sort_unstable();
            sorted.truncate(MAX_TORRENTS);
            let ranked: Vec<_> = rank(&counts)
                .iter()
                .map(|torrent| {
                    let octets = torrent.info_hash.0.as_bytes();
                    let number = u16::from_be_bytes([octets[18], octets[19]]);
                    (Reverse(torrent.count), usize::from(number))
                })
                .collect();
            prop_assert_eq!(ranked, sorted);
        }
    }

    #[test]
    fn the_text_is_that_of_the_c_program() {
        let top = Top {
            by_peers: rank(&[3, 9, 0, 3, 0, 0, 0, 0, 0, 7]),
            by_seeds: rank(&[0, 1]),
        };
        let mut text = Vec::new();
        let lists = AccessLists {
            deny: Some([hash(9)].into_iter().collect()),
            ..AccessLists::default()
        };
        top.put(2, &lists, &mut text);
        let head = "ABABABABABABABABABABABABABABABABABAB";
        assert_eq!(
            String::from_utf8(text).unwrap(),
            format!(
                "Top 2 torrents by peers:\n\t9\t{head}0001\n\t3\t{head}0000\n\
                 Top 2 torrents by seeds:\n\t1\t{head}0001\n"
            )
        );
    }
}
