//! The full scrape: the counts of all torrents, in pieces.

use std::sync::Arc;
use std::time::Instant;

use opentracker_core::{Counters, TorrentSummary, Tracker, Walk};
use opentracker_http_wire::{ScrapeReply, ScrapeReplyWriter};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::counters::Counter;

/// Full scrapes that are served at a time.
pub(crate) const MAX_FULL_SCRAPES: usize = 4;

/// With so many octets a piece is sent.
const PIECE_OCTETS: usize = 32 * 1024;

/// After so many torrents, or so many parts of the swarms, others get their turn although there is
/// no piece yet: the access lists may serve none of them.
const STEP_TORRENTS: usize = 2048;
const STEP_PARTS: usize = 64;

/// The slots that full scrapes take, one each.
#[derive(Debug)]
pub(crate) struct FullScrapeSlots(Arc<Semaphore>);

impl Default for FullScrapeSlots {
    /// [`MAX_FULL_SCRAPES`] slots.
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_FULL_SCRAPES)))
    }
}

impl FullScrapeSlots {
    /// Takes a slot, if there is one. It is free again when it is dropped.
    pub(crate) fn take(&self) -> Option<FullScrapeSlot> {
        let permit = Arc::clone(&self.0).try_acquire_owned().ok()?;
        Some(FullScrapeSlot { _permit: permit })
    }
}

/// A full scrape's slot.
#[derive(Debug)]
pub(crate) struct FullScrapeSlot {
    _permit: OwnedSemaphorePermit,
}

/// A full scrape under way.
///
/// It walks through the swarms part by part and holds the counts of one part; the entries come in
/// the order of the walk.
#[derive(Debug)]
pub(crate) struct FullScrape {
    tracker: Arc<Tracker>,
    counters: Arc<Counters<Counter>>,
    walk: Walk,
    /// What was found in the last part and is not written.
    found: Vec<TorrentSummary>,
    /// There once the reply has begun, until it ends.
    writer: Option<ScrapeReplyWriter>,
    _slot: FullScrapeSlot,
}

/// How far a full scrape has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// There is little to be sent; let others have their turn and go on.
    Walking,
    /// There is a piece to be sent before it goes on.
    Piece,
    /// The reply is complete.
    Done,
}

impl FullScrape {
    /// Makes a full scrape that has not begun.
    pub(crate) fn new(
        slot: FullScrapeSlot,
        tracker: Arc<Tracker>,
        counters: Arc<Counters<Counter>>,
    ) -> Self {
        Self {
            tracker,
            counters,
            walk: Walk::new(),
            found: Vec::new(),
            writer: None,
            _slot: slot,
        }
    }

    /// Appends some of the reply. Less than an entry more than [`PIECE_OCTETS`] and the end of the
    /// reply stand in `out` then, or what stood there before.
    pub(crate) fn step(&mut self, now: Instant, out: &mut Vec<u8>) -> Progress {
        let writer = self
            .writer
            .get_or_insert_with(|| ScrapeReply::begin_unsorted(out));
        let (mut torrents, mut parts) = (0, 0);
        loop {
            while let Some(torrent) = self.found.pop() {
                writer.entry(out, &torrent.info_hash, torrent.counts);
                if out.len() >= PIECE_OCTETS {
                    return Progress::Piece;
                }
            }
            if torrents >= STEP_TORRENTS || parts >= STEP_PARTS {
                return Progress::Walking;
            }
            let Some(part) = self.walk.next_part(&self.tracker, now) else {
                break;
            };
            self.found.extend_from_slice(part);
            torrents += part.len();
            parts += 1;
        }
        if let Some(writer) = self.writer.take() {
            let min_interval = self.tracker.rules().settings.min_interval.as_secs();
            writer.end(out, u32::try_from(min_interval).ok());
        }
        Progress::Done
    }

    /// Counts what was given to the client, of which nothing follows if it is done.
    pub(crate) fn note_given(&self, octets: usize, is_done: bool) {
        let octets = u64::try_from(octets).expect("a usize has 64 bits at most");
        self.counters.add(Counter::FullScrapeOctets, octets);
        if is_done {
            self.counters.count(Counter::FullScrape);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;
    use opentracker_core::{AccessLists, HashList, Rules, Settings};
    use opentracker_http_wire::Answer;
    use opentracker_types::{InfoHash, SwarmCounts};
    use std::collections::BTreeMap;

    const TORRENTS: u32 = 3000;

    /// A tracker with a seeder in each torrent.
    fn tracker(now: Instant) -> Arc<Tracker> {
        let tracker = fixture::tracker(now);
        fixture::seed(&tracker, TORRENTS, now);
        tracker
    }

    fn full_scrape(tracker: &Arc<Tracker>) -> FullScrape {
        let slot = FullScrapeSlots::default().take().unwrap();
        let counters = tracker.counters().register();
        FullScrape::new(slot, Arc::clone(tracker), Arc::new(counters))
    }

    /// Drives a full scrape to its end and returns the body, and how many pieces it came in.
    fn run(tracker: &Arc<Tracker>, now: Instant) -> (Vec<u8>, usize) {
        let mut scrape = full_scrape(tracker);
        let (mut body, mut out, mut pieces) = (Vec::new(), Vec::new(), 0);
        loop {
            let progress = scrape.step(now, &mut out);
            assert!(out.len() < PIECE_OCTETS + ScrapeReplyWriter::MAX_ENTRY_LEN);
            if progress != Progress::Walking {
                pieces += 1;
                body.append(&mut out);
            }
            if progress == Progress::Done {
                return (body, pieces);
            }
        }
    }

    fn entries(body: &[u8]) -> BTreeMap<InfoHash, SwarmCounts> {
        let Ok(Answer::Reply(reply)) = ScrapeReply::decode(body) else {
            panic!("not a reply: {}", body.escape_ascii());
        };
        assert_eq!(reply.min_request_interval_secs(), Some(900));
        let entries: BTreeMap<_, _> = reply.entries().collect();
        assert_eq!(reply.entries().count(), entries.len(), "a torrent twice");
        entries
    }

    #[test]
    fn every_torrent_is_there_once_and_pieces_are_small() {
        let now = Instant::now();
        let (body, pieces) = run(&tracker(now), now);
        let counts = SwarmCounts {
            seeders: 1,
            ..SwarmCounts::default()
        };
        let expected = (0..TORRENTS).map(|number| (fixture::hash(number), counts));
        assert_eq!(entries(&body), expected.collect());
        assert_eq!(pieces, body.len() / PIECE_OCTETS + 1);
    }

    #[test]
    fn torrents_that_are_not_served_are_left_out() {
        let now = Instant::now();
        let tracker = tracker(now);
        let list = |hashes: &str| Some(HashList::read(hashes.as_bytes(), 0).unwrap().0);
        let hash = fixture::hash;
        let lists = AccessLists {
            allow: list(&format!("{}\n{}\n", hash(7), hash(8))),
            deny: list(&hash(8).to_string()),
            ..AccessLists::default()
        };
        tracker.set_rules(Rules::new(Settings::default(), lists));
        let (body, _) = run(&tracker, now);
        let hashes: Vec<_> = entries(&body).into_keys().collect();
        assert_eq!(hashes, [hash(7)]);
    }

    #[test]
    fn others_get_their_turn_while_nothing_is_found() {
        let now = Instant::now();
        let tracker = fixture::tracker(now);
        let parts = {
            let mut walk = Walk::new();
            std::iter::from_fn(|| walk.next_part(&tracker, now).map(<[_]>::len)).count()
        };
        let (mut scrape, mut out, mut steps) = (full_scrape(&tracker), Vec::new(), 0);
        while scrape.step(now, &mut out) == Progress::Walking {
            steps += 1;
        }
        assert_eq!(steps, parts / STEP_PARTS);
        assert_eq!(
            out,
            b"d5:filesde5:flagsd20:min_request_intervali900eee".as_slice()
        );
    }

    #[test]
    fn slots_are_bounded_and_come_back() {
        let slots = FullScrapeSlots::default();
        let mut taken: Vec<_> = (0..MAX_FULL_SCRAPES).map(|_| slots.take()).collect();
        assert!(taken.iter().all(Option::is_some));
        assert!(slots.take().is_none());
        taken.pop();
        assert!(slots.take().is_some());
    }
}
