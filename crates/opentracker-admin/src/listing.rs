//! Lists of all torrents, in pieces: the full scrape and its relatives among the C program's
//! statistics.

use std::io::Write;
use std::sync::Arc;
use std::time::Instant;

use opentracker_core::{Counters, TorrentSummary, Tracker, Walk};
use opentracker_http_wire::{ScrapeReply, ScrapeReplyWriter};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::counters::Counter;
use crate::pace::Pace;
use crate::sorted_walk::SortedWalk;

/// Lists of all torrents that are served at a time.
pub(crate) const MAX_LISTINGS: usize = 4;

/// With so many octets a piece is sent.
const PIECE_OCTETS: usize = 32 * 1024;

/// How a list is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// BEP 48, with `flags`.
    FullScrape,
    /// `format=ben`: BEP 48 without them.
    Bencode,
    /// `format=txt`: `HASH:SEEDERS:LEECHERS` a line.
    Text,
    /// `format=txtp`: the same with `:DOWNLOADS`.
    TextPlus,
    /// `format=bin`: the 20 octets of the info hash, and seeders and leechers in four each, big-endian.
    Binary,
    /// `format=url`: as `txt`, with the info hash as it stands in a URL.
    Url,
    /// `HASH:MINUTE:DOWNLOADS` a line, where MINUTE is when the torrent was last announced, in
    /// minutes since 1970.
    Statedump {
        /// When the tracker started, in minutes since 1970.
        started: u64,
    },
}

/// The slots that lists take, one each.
#[derive(Debug)]
pub(crate) struct ListingSlots(Arc<Semaphore>);

impl Default for ListingSlots {
    /// [`MAX_LISTINGS`] slots.
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_LISTINGS)))
    }
}

impl ListingSlots {
    /// Takes a slot, if there is one. It is free again when it is dropped.
    pub(crate) fn take(&self) -> Option<ListingSlot> {
        let permit = Arc::clone(&self.0).try_acquire_owned().ok()?;
        Some(ListingSlot { _permit: permit })
    }
}

/// A list's slot.
#[derive(Debug)]
pub(crate) struct ListingSlot {
    _permit: OwnedSemaphorePermit,
}

/// A list under way.
///
/// It walks through the swarms part by part. Text and binary lists hold the torrents of one part,
/// and have them in the order of the walk; bencode, whose keys are sorted, holds more of them
/// ([`SortedWalk`]).
#[derive(Debug)]
pub(crate) struct Listing {
    tracker: Arc<Tracker>,
    counters: Arc<Counters<Counter>>,
    format: Format,
    order: Order,
    /// What was found in the last part and is not written, the next at the end.
    found: Vec<TorrentSummary>,
    /// There once a list in bencode has begun, until it ends.
    bencode: Option<ScrapeReplyWriter>,
    _slot: ListingSlot,
}

#[derive(Debug)]
enum Order {
    Any(Walk),
    Sorted(SortedWalk),
}

/// How far a list has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// There is little to be sent; let others have their turn and go on.
    Walking,
    /// There is a piece to be sent before it goes on.
    Piece,
    /// The list is complete.
    Done,
}

impl Listing {
    /// Makes a list that has not begun.
    pub(crate) fn new(
        format: Format,
        slot: ListingSlot,
        tracker: Arc<Tracker>,
        counters: Arc<Counters<Counter>>,
    ) -> Self {
        let order = match format {
            Format::FullScrape | Format::Bencode => Order::Sorted(SortedWalk::new()),
            _ => Order::Any(Walk::new()),
        };
        Self {
            tracker,
            counters,
            format,
            order,
            found: Vec::new(),
            bencode: None,
            _slot: slot,
        }
    }

    /// Appends some of the list. Less than an entry more than [`PIECE_OCTETS`] and the end of the
    /// list stand in `out` then, or what stood there before.
    pub(crate) fn step(&mut self, now: Instant, out: &mut Vec<u8>) -> Progress {
        // A thread that answers announces may wait for this processor.
        std::thread::yield_now();
        let mut pace = Pace::default();
        let mut is_far = false;
        loop {
            while let Some(torrent) = self.found.pop() {
                self.put(&torrent, now, out);
                if out.len() >= PIECE_OCTETS {
                    return Progress::Piece;
                }
            }
            if is_far {
                return Progress::Walking;
            }
            let Some(seen) = self.order.step(&self.tracker, now, &mut self.found) else {
                break;
            };
            is_far = pace.is_far(seen);
        }
        self.put_end(out);
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

    fn put(&mut self, torrent: &TorrentSummary, now: Instant, out: &mut Vec<u8>) {
        let TorrentSummary {
            info_hash: hash,
            counts,
            idle_minutes,
        } = torrent;
        let (seeders, leechers, downloads) = (counts.seeders, counts.leechers, counts.downloads);
        let put = match self.format {
            Format::FullScrape | Format::Bencode => {
                let writer = self.bencode.get_or_insert_with(|| ScrapeReply::begin(out));
                writer.entry(out, hash, *counts);
                Ok(())
            }
            Format::Text => {
                put_hex(hash.as_bytes(), out);
                writeln!(out, ":{seeders}:{leechers}")
            }
            Format::TextPlus => {
                put_hex(hash.as_bytes(), out);
                writeln!(out, ":{seeders}:{leechers}:{downloads}")
            }
            Format::Binary => {
                out.extend_from_slice(hash.as_bytes());
                out.extend_from_slice(&seeders.to_be_bytes());
                out.extend_from_slice(&leechers.to_be_bytes());
                Ok(())
            }
            Format::Url => {
                put_url_encoded(hash.as_bytes(), out);
                writeln!(out, ":{seeders}:{leechers}")
            }
            Format::Statedump { started } => {
                let elapsed = now.saturating_duration_since(self.tracker.start());
                let minute = started + elapsed.as_secs() / 60;
                let minute = minute.saturating_sub(u64::from(*idle_minutes));
                put_hex(hash.as_bytes(), out);
                writeln!(out, ":{minute}:{downloads}")
            }
        };
        put.expect("a Vec takes everything");
    }

    fn put_end(&mut self, out: &mut Vec<u8>) {
        let flags = match self.format {
            Format::FullScrape => {
                let min_interval = self.tracker.rules().settings.min_interval.as_secs();
                u32::try_from(min_interval).ok()
            }
            Format::Bencode => None,
            _ => return,
        };
        let writer = self.bencode.take();
        let writer = writer.unwrap_or_else(|| ScrapeReply::begin(out));
        writer.end(out, flags);
    }
}

impl Order {
    /// Looks into the next part of the swarms. Returns how many torrents it looked at, or `None` at
    /// the end, and puts into `found` what is to be written next, from back to front.
    fn step(
        &mut self,
        tracker: &Tracker,
        now: Instant,
        found: &mut Vec<TorrentSummary>,
    ) -> Option<usize> {
        match self {
            Self::Any(walk) => {
                let part = walk.next_part(tracker, now)?;
                found.extend_from_slice(part);
                Some(part.len())
            }
            Self::Sorted(walk) => walk.step(tracker, now, found),
        }
    }
}

/// Appends octets in capital hexadecimal digits. Formatting macros take ten times as long, which
/// is what a list takes.
fn put_hex(octets: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let digits = octets.iter().flat_map(|octet| [octet >> 4, octet & 15]);
    out.extend(digits.map(|digit| DIGITS[usize::from(digit)]));
}

/// Appends octets as the C program escapes them in a URL.
fn put_url_encoded(octets: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for &octet in octets {
        if octet.is_ascii_alphanumeric() || b"$-./=_~".contains(&octet) {
            out.push(octet);
        } else {
            let [high, low] = [octet >> 4, octet & 15].map(|digit| DIGITS[usize::from(digit)]);
            out.extend_from_slice(&[b'%', high, low]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;
    use crate::pace::STEP_PARTS;
    use opentracker_core::{AccessLists, HashList, Rules, Settings};
    use opentracker_http_wire::Answer;
    use opentracker_types::{InfoHash, SwarmCounts};
    use std::collections::BTreeSet;
    use std::time::Duration;

    const TORRENTS: u32 = 3000;

    /// A tracker with a seeder in each torrent.
    fn tracker(now: Instant) -> Arc<Tracker> {
        let tracker = fixture::tracker(now);
        fixture::seed(&tracker, TORRENTS, now);
        tracker
    }

    fn listing(format: Format, tracker: &Arc<Tracker>) -> Listing {
        let slot = ListingSlots::default().take().unwrap();
        let counters = tracker.counters().register();
        Listing::new(format, slot, Arc::clone(tracker), Arc::new(counters))
    }

    /// Drives a list to its end and returns the body, and how many pieces it came in.
    fn run(format: Format, tracker: &Arc<Tracker>, now: Instant) -> (Vec<u8>, usize) {
        let mut listing = listing(format, tracker);
        let (mut body, mut out, mut pieces) = (Vec::new(), Vec::new(), 0);
        loop {
            let progress = listing.step(now, &mut out);
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

    /// Reads a full scrape, or what is like it, whose entries are sorted.
    fn entries(body: &[u8], min_interval: Option<u32>) -> Vec<(InfoHash, SwarmCounts)> {
        let Ok(Answer::Reply(reply)) = ScrapeReply::decode(body) else {
            panic!("not a reply: {}", body.escape_ascii());
        };
        assert_eq!(reply.min_request_interval_secs(), min_interval);
        let entries: Vec<_> = reply.entries().collect();
        assert!(entries.is_sorted_by(|(one, _), (next, _)| one < next));
        entries
    }

    #[test]
    fn every_torrent_is_there_once_and_pieces_are_small() {
        let now = Instant::now();
        let tracker = tracker(now);
        let counts = SwarmCounts {
            seeders: 1,
            ..SwarmCounts::default()
        };
        let expected: Vec<_> = (0..TORRENTS)
            .map(|number| (fixture::hash(number), counts))
            .collect();
        for (format, min_interval) in [(Format::FullScrape, Some(900)), (Format::Bencode, None)] {
            let (body, pieces) = run(format, &tracker, now);
            assert_eq!(entries(&body, min_interval), expected);
            assert_eq!(pieces, body.len() / PIECE_OCTETS + 1);
        }
        for (format, rest) in [
            (Format::Text, ":1:0"),
            (Format::TextPlus, ":1:0:0"),
            (
                Format::Statedump {
                    started: 29_000_000,
                },
                ":29000000:0",
            ),
        ] {
            let (body, pieces) = run(format, &tracker, now);
            let lines: BTreeSet<_> = str::from_utf8(&body).unwrap().lines().collect();
            let expected: Vec<_> = expected
                .iter()
                .map(|(hash, _)| format!("{hash:X}{rest}"))
                .collect();
            assert!(lines.iter().eq(&expected), "{format:?}");
            assert_eq!(
                body.iter().filter(|&&octet| octet == b'\n').count(),
                lines.len()
            );
            assert_eq!(pieces, body.len() / PIECE_OCTETS + 1);
        }
        let (body, _) = run(Format::Binary, &tracker, now);
        assert_eq!(body.len(), expected.len() * 28);
    }

    #[test]
    fn entries_of_each_format() {
        let started = Instant::now();
        let tracker = fixture::tracker(started);
        fixture::seed(&tracker, 1, started + Duration::from_secs(130));
        let hash = "00000000ABABABABABABABABABABABABABABABAB";
        let raw = fixture::hash(0);
        for (format, expected) in [
            (Format::Text, format!("{hash}:1:0\n").into_bytes()),
            (Format::TextPlus, format!("{hash}:1:0:0\n").into_bytes()),
            (
                Format::Binary,
                [raw.as_bytes(), [0, 0, 0, 1, 0, 0, 0, 0].as_slice()].concat(),
            ),
            (
                Format::Url,
                format!("%00%00%00%00{}:1:0\n", "%ab".repeat(16)).into_bytes(),
            ),
            (
                Format::Bencode,
                [
                    b"d5:filesd20:".as_slice(),
                    raw.as_bytes(),
                    b"d8:completei1e10:downloadedi0e10:incompletei0eeee",
                ]
                .concat(),
            ),
            (
                Format::Statedump {
                    started: 29_000_000,
                },
                format!("{hash}:29000002:0\n").into_bytes(),
            ),
        ] {
            // The torrent was announced in minute 2.
            for minute in [3, 40] {
                let now = started + Duration::from_secs(minute * 60);
                let (body, _) = run(format, &tracker, now);
                assert_eq!(body, expected, "{}", body.escape_ascii());
            }
        }
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
        let (body, _) = run(Format::FullScrape, &tracker, now);
        let entries = entries(&body, Some(900));
        assert!(entries.iter().map(|(hash, _)| hash).eq(&[hash(7)]));
        let (body, _) = run(Format::Text, &tracker, now);
        assert_eq!(
            String::from_utf8(body).unwrap(),
            format!("{:X}:1:0\n", hash(7))
        );
    }

    #[test]
    fn others_get_their_turn_while_nothing_is_found() {
        let now = Instant::now();
        let tracker = fixture::tracker(now);
        let parts = {
            let mut walk = Walk::new();
            std::iter::from_fn(|| walk.next_part(&tracker, now).map(<[_]>::len)).count()
        };
        for (format, expected) in [
            (
                Format::FullScrape,
                "d5:filesde5:flagsd20:min_request_intervali900eee",
            ),
            (Format::Bencode, "d5:filesdee"),
            (Format::Text, ""),
        ] {
            let (mut listing, mut out, mut steps) = (listing(format, &tracker), Vec::new(), 0);
            while listing.step(now, &mut out) == Progress::Walking {
                steps += 1;
            }
            assert_eq!(steps, parts / STEP_PARTS);
            assert_eq!(out, expected.as_bytes());
        }
    }

    #[test]
    fn slots_are_bounded_and_come_back() {
        let slots = ListingSlots::default();
        let mut taken: Vec<_> = (0..MAX_LISTINGS).map(|_| slots.take()).collect();
        assert!(taken.iter().all(Option::is_some));
        assert!(slots.take().is_none());
        taken.pop();
        assert!(slots.take().is_some());
    }

    #[test]
    fn what_a_url_may_hold_is_not_escaped() {
        let mut out = Vec::new();
        put_url_encoded(b"aZ09$-./=_~ \x00\xff+%", &mut out);
        assert_eq!(out, b"aZ09$-./=_~%20%00%ff%2b%25");
    }
}
