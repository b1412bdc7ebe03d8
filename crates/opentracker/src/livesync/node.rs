//! One tracker's side of the cluster without its socket: packets and time in, packets out. The
//! loop of the running tracker drives it, and so does the simulated network of the tests.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use opentracker_core::{
    Applied, Counters, ToldDownloads, ToldPeer, TorrentSummary, Tracker, Walk as Torrents,
};
use opentracker_livesync_wire::{
    DecodeError, LiveRecord, Packet, ScrapeTell, ScrapeTellWriter, TellRecord,
};
use opentracker_scrape_sync::{Handled, Output, ScrapeSync, Settings};
use opentracker_types::{InfoHash, TrackerId};

use super::Counter;
use super::nodes::Tallies;

/// How long a count of the torrents is good. Counting looks into every part of the store, which
/// neither a flood of beacons nor the ticks of a tell must bring about.
const COUNT_LIFETIME: Duration = Duration::from_secs(1);

/// A tracker as a member of a cluster: it applies what siblings tell to the store and speaks
/// scrape sync (docs/livesync.md).
#[derive(Debug)]
pub struct Node {
    tracker: Arc<Tracker>,
    counters: Counters<Counter>,
    id: TrackerId,
    machine: ScrapeSync,
    /// Not where C nodes are in the cluster, which scrape sync would confuse.
    speaks_scrape_sync: bool,
    tallies: Tallies,
    counted_at: Option<Instant>,
    walk: Walk,
}

/// Where a tell of all torrents is at.
#[derive(Debug, Default)]
struct Walk {
    torrents: Torrents,
    /// Torrents of the part that are still to be told.
    rest: Vec<TellRecord>,
}

impl Node {
    /// Makes a node that starts `now`. Without `speaks_scrape_sync` it sends no packet of scrape
    /// sync, but understands them.
    pub fn new(
        tracker: Arc<Tracker>,
        id: TrackerId,
        settings: Settings,
        speaks_scrape_sync: bool,
        now: Instant,
    ) -> Self {
        Self {
            counters: tracker.counters().register(),
            tracker,
            id,
            machine: ScrapeSync::new(id, settings, now),
            speaks_scrape_sync,
            tallies: Tallies::default(),
            counted_at: None,
            walk: Walk::default(),
        }
    }

    /// Takes the payload of a datagram that came from a listed source.
    pub fn handle_packet(&mut self, datagram: &[u8], source: Option<SocketAddr>, now: Instant) {
        self.counters.count(Counter::LiveSyncReceived);
        let packet = match Packet::decode(datagram) {
            Ok(packet) => packet,
            Err(error) => return self.counters.count(counter_of(&error)),
        };
        let sender = packet.sender();
        if sender == self.id {
            return self.counters.count(Counter::LiveSyncDroppedOwn);
        }
        let tally = self.tallies.hear(sender, now);
        if !tally.is_within_rate(now) {
            tally.dropped += 1;
            return self.counters.count(Counter::LiveSyncDroppedRate);
        }
        let (applied, dropped) = match packet {
            Packet::SyncLive(live) => {
                self.machine.handle_live(sender, source, now);
                self.apply_live(live.records(), now)
            }
            Packet::SyncLive6(live) => {
                self.machine.handle_live(sender, source, now);
                self.apply_live(live.records(), now)
            }
            Packet::ScrapeTell(tell) => {
                if self.machine.handle_tell(sender, source, now) == Handled::Taken {
                    self.apply_tell(&tell, now)
                } else {
                    (0, 0)
                }
            }
            Packet::Beacon(beacon) if self.speaks_scrape_sync => {
                self.count_torrents(now);
                self.machine.handle_beacon(&beacon, source, now);
                (0, 0)
            }
            Packet::Inquire(inquire) if self.speaks_scrape_sync => {
                self.machine.handle_inquire(&inquire, source, now);
                (0, 0)
            }
            Packet::Beacon(_) | Packet::Inquire(_) => {
                self.machine.handle_live(sender, source, now);
                (0, 0)
            }
        };
        if let Some(tally) = self.tallies.of(sender) {
            tally.applied += applied;
            tally.dropped += dropped;
        }
    }

    /// Returns when to call [`Self::handle_timeout`], if ever.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.speaks_scrape_sync
            .then(|| self.machine.poll_timeout())
            .flatten()
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.poll_timeout().is_some_and(|due| due <= now) {
            self.count_torrents(now);
            self.machine.handle_timeout(now);
        }
    }

    /// Sends what is to be sent. A packet that `send` does not take, which it says by `false`, is
    /// lost like any other, and counted.
    pub fn poll_transmit(&mut self, now: Instant, mut send: impl FnMut(&[u8]) -> bool) {
        if !self.speaks_scrape_sync {
            return;
        }
        while let Some(output) = self.machine.poll_output() {
            match output {
                Output::Inquire(inquire) => {
                    tracing::info!(target = %inquire.target, "inquiring the download counts");
                    self.transmit(&inquire.encode(), &mut send);
                }
                Output::Beacon(beacon) => {
                    self.transmit(&beacon.encode(), &mut send);
                }
                Output::StartTell => self.walk = Walk::default(),
                Output::TellNext { packets } => self.tell_next(packets, now, &mut send),
                Output::TellBack(info_hashes) => self.tell_back(&info_hashes, now, &mut send),
            }
        }
    }

    /// Returns the state machine of scrape sync, to look at.
    pub fn scrape_sync(&self) -> &ScrapeSync {
        &self.machine
    }

    /// Applies announces of a sibling; returns how many were applied and how many dropped.
    fn apply_live(
        &mut self,
        records: impl Iterator<Item = LiveRecord> + Clone,
        now: Instant,
    ) -> (u64, u64) {
        let records =
            records.map(|record| ToldPeer::new(record.info_hash, record.peer, record.flags));
        let applied = self.tracker.apply_peers(records, now);
        self.count_applied(Counter::LiveSyncApplied, applied)
    }

    /// Applies download counts of a sibling; returns how many were applied and how many dropped.
    fn apply_tell(&mut self, tell: &ScrapeTell<'_>, now: Instant) -> (u64, u64) {
        let records = tell.records().map(|record| {
            ToldDownloads::new(record.info_hash, record.age_minutes, record.downloads)
        });
        let machine = &mut self.machine;
        let compare = |info_hash: &InfoHash, ours_is_larger| {
            machine.handle_record(*info_hash, ours_is_larger);
        };
        let applied = self.tracker.apply_downloads(records, now, compare);
        self.count_applied(Counter::LiveSyncDownloadsApplied, applied)
    }

    fn count_applied(&self, counter: Counter, applied: Applied) -> (u64, u64) {
        self.counters.add(counter, applied.applied);
        self.counters
            .add(Counter::LiveSyncDroppedAccess, applied.not_served);
        self.counters
            .add(Counter::LiveSyncDroppedImpossible, applied.impossible);
        (applied.applied, applied.not_served + applied.impossible)
    }

    /// Sends the next packets of a tell of all torrents.
    fn tell_next(&mut self, packets: u32, now: Instant, send: &mut impl FnMut(&[u8]) -> bool) {
        for _ in 0..packets {
            let mut writer = ScrapeTellWriter::new(self.id);
            let mut records = 0;
            while let Some(record) = self.walk.peek(&self.tracker, now) {
                if writer.push(&record).is_err() {
                    break;
                }
                self.walk.rest.pop();
                records += 1;
            }
            if records > 0 {
                self.transmit(writer.take().as_bytes(), send);
                self.counters.add(Counter::LiveSyncDownloadsTold, records);
            }
            if self.walk.peek(&self.tracker, now).is_none() {
                self.walk = Walk::default();
                self.machine.handle_tell_end();
                break;
            }
        }
    }

    /// Sends what is known of some torrents.
    fn tell_back(
        &mut self,
        info_hashes: &[InfoHash],
        now: Instant,
        send: &mut impl FnMut(&[u8]) -> bool,
    ) {
        for chunk in info_hashes.chunks(ScrapeTell::MAX_RECORDS) {
            let mut writer = ScrapeTellWriter::new(self.id);
            let mut records = 0;
            for info_hash in chunk {
                // It may be gone meanwhile.
                if let Some(summary) = self.tracker.summary(info_hash, now)
                    && writer.push(&tell_record(&summary)).is_ok()
                {
                    records += 1;
                }
            }
            if records > 0 {
                self.transmit(writer.take().as_bytes(), send);
                self.counters.add(Counter::LiveSyncDownloadsTold, records);
            }
        }
    }

    fn transmit(&self, packet: &[u8], send: &mut impl FnMut(&[u8]) -> bool) {
        self.counters.count(if send(packet) {
            Counter::LiveSyncSent
        } else {
            Counter::LiveSyncDroppedSend
        });
    }

    fn count_torrents(&mut self, now: Instant) {
        let is_good = |at| now.saturating_duration_since(at) < COUNT_LIFETIME;
        if self.counted_at.is_some_and(is_good) {
            return;
        }
        self.counted_at = Some(now);
        let torrents = self.tracker.totals(now).torrents;
        self.machine.handle_torrents(torrents);
    }
}

impl Walk {
    /// Returns the torrent that is next, or `None` at the end. One part of the store at a time is
    /// copied out, so that no announce waits for a packet to be sent.
    fn peek(&mut self, tracker: &Tracker, now: Instant) -> Option<TellRecord> {
        while self.rest.is_empty() {
            let part = self.torrents.next_part(tracker, now)?;
            self.rest.extend(part.iter().map(tell_record));
        }
        self.rest.last().copied()
    }
}

fn tell_record(summary: &TorrentSummary) -> TellRecord {
    TellRecord {
        info_hash: summary.info_hash,
        age_minutes: summary.idle_minutes,
        downloads: summary.counts.downloads,
    }
}

fn counter_of(error: &DecodeError) -> Counter {
    match error {
        DecodeError::Header { .. } => Counter::LiveSyncDroppedHeader,
        DecodeError::UnknownType { .. } => Counter::LiveSyncDroppedType,
        DecodeError::NoRecord { .. } => Counter::LiveSyncDroppedEmpty,
        _ => Counter::LiveSyncDroppedLength,
    }
}
