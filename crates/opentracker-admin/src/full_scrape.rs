//! The full scrape: the counts of all torrents, in pieces.

use std::sync::Arc;
use std::time::{Duration, Instant};

use opentracker_core::Tracker;
use opentracker_http_wire::{ScrapeReply, ScrapeReplyWriter};
use opentracker_types::{InfoHash, SwarmCounts};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::head::Persistence;
use crate::response::{Framing, Response, Status, TEXT};

/// Full scrapes that all threads together serve at a time.
const MAX_FULL_SCRAPES: usize = 4;

/// With so many octets a piece is sent.
const PIECE_OCTETS: usize = 32 * 1024;

/// After so many torrents, or so many parts of the store, others get their turn although there is
/// no piece yet: the access lists may serve none of them.
const STEP_TORRENTS: usize = 2048;
const STEP_PARTS: u16 = 64;

/// The places that full scrapes take, one each.
#[derive(Debug, Clone)]
pub(crate) struct Places(Arc<Semaphore>);

impl Default for Places {
    /// [`MAX_FULL_SCRAPES`] places.
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_FULL_SCRAPES)))
    }
}

impl Places {
    /// Takes a place, if there is one. It is free again when it is dropped.
    pub(crate) fn take(&self) -> Option<Place> {
        let permit = Arc::clone(&self.0).try_acquire_owned().ok()?;
        Some(Place { _permit: permit })
    }
}

/// A full scrape's place.
#[derive(Debug)]
pub(crate) struct Place {
    _permit: OwnedSemaphorePermit,
}

/// A full scrape under way.
///
/// It walks through the store part by part and holds the counts of one part; the entries come in
/// the order of the walk. Torrents that the access lists do not serve are left out.
#[derive(Debug)]
pub(crate) struct FullScrape {
    framing: Framing,
    min_interval: Duration,
    /// There once the response has begun.
    writer: Option<ScrapeReplyWriter>,
    persistence: Persistence,
    next_part: u16,
    /// What was found in the last part and is not written.
    found: Vec<(InfoHash, SwarmCounts)>,
    /// Octets of the body that were made since [`Self::take_octets`].
    octets: usize,
    _place: Place,
}

/// How far a full scrape has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// There is little to be sent; let others have their turn and go on.
    Walking,
    /// There is a piece to be sent before it goes on.
    Piece,
    /// The response is complete.
    Done,
}

impl FullScrape {
    /// Makes a full scrape that has not begun. `persistence` is of the connection; where the end
    /// of the body is the end of the connection, it has to be closed.
    pub(crate) fn new(
        place: Place,
        framing: Framing,
        persistence: Persistence,
        min_interval: Duration,
    ) -> Self {
        debug_assert!(framing == Framing::Chunked || persistence == Persistence::Closed);
        Self {
            framing,
            min_interval,
            writer: None,
            persistence,
            next_part: 0,
            found: Vec::new(),
            octets: 0,
            _place: place,
        }
    }

    /// Appends some of the response, from its head to its end. Less than an entry more than
    /// [`PIECE_OCTETS`] and the frame stand in `out` then, or what stood there before.
    pub(crate) fn step(&mut self, tracker: &Tracker, now: Instant, out: &mut Vec<u8>) -> Progress {
        if self.writer.is_none() {
            Response::new(Status::Ok, TEXT, self.persistence).put_head_of_stream(self.framing, out);
        }
        let framing = self.framing;
        let progress = framing.put_piece(out, |out| {
            let before = out.len();
            let progress = self.put_body(tracker, now, out);
            self.octets += out.len() - before;
            progress
        });
        if progress == Progress::Done {
            framing.put_end(out);
        }
        progress
    }

    /// Returns how many octets of the body were made since this was last asked.
    pub(crate) fn take_octets(&mut self) -> u64 {
        u64::try_from(std::mem::take(&mut self.octets)).expect("a usize has 64 bits at most")
    }

    fn put_body(&mut self, tracker: &Tracker, now: Instant, out: &mut Vec<u8>) -> Progress {
        let writer = self
            .writer
            .get_or_insert_with(|| ScrapeReply::begin_unsorted(out));
        let (lists, moment) = (tracker.lists(), tracker.moment(now));
        let store = tracker.store();
        let mut torrents = 0;
        let end_of_step = store.parts().min(self.next_part.saturating_add(STEP_PARTS));
        loop {
            while let Some((info_hash, counts)) = self.found.pop() {
                if lists.serves(&info_hash) {
                    writer.entry(out, &info_hash, counts);
                }
                if out.len() >= PIECE_OCTETS {
                    return Progress::Piece;
                }
            }
            if self.next_part == end_of_step || torrents >= STEP_TORRENTS {
                break;
            }
            // The part is locked meanwhile, so it is only copied.
            store.visit(self.next_part, &moment, |torrent| {
                self.found.push((torrent.info_hash, torrent.counts));
            });
            self.next_part += 1;
            torrents += self.found.len();
        }
        if self.next_part < store.parts() {
            return Progress::Walking;
        }
        if let Some(writer) = self.writer.take() {
            let secs = u32::try_from(self.min_interval.as_secs()).ok();
            writer.end(out, secs);
        }
        Progress::Done
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;
    use opentracker_core::{AccessLists, HashList, PeerBuffers};
    use opentracker_http_wire::Answer;
    use opentracker_types::{AnnounceRequest, Event};
    use std::collections::BTreeMap;
    use std::net::Ipv4Addr;

    const TORRENTS: u32 = 3000;

    fn hash(number: u32) -> InfoHash {
        let mut octets = [0xab; 20];
        octets[..4].copy_from_slice(&number.to_be_bytes());
        InfoHash::new(octets)
    }

    /// A tracker with a seeder in each torrent.
    fn tracker(now: Instant) -> Arc<Tracker> {
        let mut handler = fixture::handler(now);
        let worker = handler.worker();
        for number in 0..TORRENTS {
            let request = AnnounceRequest {
                info_hash: hash(number),
                peer_id: None,
                port: 1,
                left: Some(0),
                event: Event::None,
                num_want: Some(0),
            };
            let mut peers = PeerBuffers::both(&mut [], &mut []);
            let source = Ipv4Addr::new(192, 0, 2, 1).into();
            worker.announce(&request, source, now, &mut peers).unwrap();
        }
        Arc::clone(worker.tracker())
    }

    fn full_scrape() -> FullScrape {
        let place = Places::default().take().unwrap();
        let min_interval = Duration::from_secs(900);
        FullScrape::new(
            place,
            Framing::UntilClosed,
            Persistence::Closed,
            min_interval,
        )
    }

    /// Drives a full scrape to its end and returns the body, and how many pieces it came in.
    fn run(tracker: &Tracker, now: Instant) -> (Vec<u8>, usize) {
        let mut scrape = full_scrape();
        let (mut response, mut out, mut pieces, mut octets) = (Vec::new(), Vec::new(), 0, 0);
        loop {
            let progress = scrape.step(tracker, now, &mut out);
            octets += scrape.take_octets();
            assert!(out.len() < PIECE_OCTETS + ScrapeReplyWriter::MAX_ENTRY_LEN);
            if progress != Progress::Walking {
                pieces += 1;
                response.append(&mut out);
            }
            if progress == Progress::Done {
                break;
            }
        }
        let end_of_head = response.windows(4).position(|at| at == b"\r\n\r\n");
        let body = response.split_off(end_of_head.unwrap() + 4);
        assert_eq!(octets, u64::try_from(body.len()).unwrap());
        (body, pieces)
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
        let expected = (0..TORRENTS).map(|number| (hash(number), counts));
        assert_eq!(entries(&body), expected.collect());
        assert_eq!(pieces, body.len() / PIECE_OCTETS + 1);
    }

    #[test]
    fn torrents_that_are_not_served_are_left_out() {
        let now = Instant::now();
        let tracker = tracker(now);
        let list = |hashes: &str| Some(HashList::read(hashes.as_bytes(), 0).unwrap().0);
        tracker.set_lists(AccessLists {
            allow: list(&format!("{}\n{}\n", hash(7), hash(8))),
            deny: list(&hash(8).to_string()),
        });
        let (body, _) = run(&tracker, now);
        let hashes: Vec<_> = entries(&body).into_keys().collect();
        assert_eq!(hashes, [hash(7)]);
    }

    #[test]
    fn others_get_their_turn_while_nothing_is_found() {
        let now = Instant::now();
        let mut handler = fixture::handler(now);
        let tracker = handler.worker().tracker();
        let (mut scrape, mut out, mut steps) = (full_scrape(), Vec::new(), 1);
        while scrape.step(tracker, now, &mut out) == Progress::Walking {
            steps += 1;
        }
        assert_eq!(steps, tracker.store().parts() / STEP_PARTS);
        assert!(out.ends_with(b"\r\n\r\nd5:filesde5:flagsd20:min_request_intervali900eee"));
    }

    #[test]
    fn places_are_bounded_and_come_back() {
        let places = Places::default();
        let mut taken: Vec<_> = (0..MAX_FULL_SCRAPES).map(|_| places.take()).collect();
        assert!(taken.iter().all(Option::is_some));
        assert!(places.take().is_none());
        taken.pop();
        assert!(places.take().is_some());
    }
}
