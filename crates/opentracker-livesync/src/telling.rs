use std::time::Instant;

use opentracker_core::{SwarmWalk, TorrentSummary, Tracker};
use opentracker_livesync_wire::{
    HEADER_LEN, LiveRecord, LiveWriter, PacketBuf, PeerAge, ScrapeTell, ScrapeTellWriter, SyncLive,
    SyncLive6, TellRecord,
};
use opentracker_types::{InfoHash, PeerFlags, SavedPeer, SavedTorrent, Scope, TrackerId};

use crate::Counter;

/// Torrents that are copied out at once, and whose peers follow them. So few packets of a tell are
/// not full.
const MOST_COUNTS: usize = 10 * ScrapeTell::MAX_RECORDS;

/// Peers that are copied out at once, but for those of the last step of the walk.
const MOST_PEERS: usize = 4096;

/// Torrents and peers on their way into packets: all of them, by a walk, or the torrents that are
/// told back.
#[derive(Debug)]
pub(crate) struct Telling {
    /// The most octets of a packet.
    max_octets: usize,
    walk: SwarmWalk,
    is_walked: bool,
    /// The torrent of the walk's last step, as a large swarm comes in parts.
    last: Option<InfoHash>,
    /// What the walk has copied out and is still to be told: a part of the swarms at a time, so
    /// that no announce waits for a packet to be sent.
    counts: Vec<TellRecord>,
    v4: Vec<LiveRecord>,
    v6: Vec<LiveRecord>,
    /// How many packets of the walk may go now.
    due: u32,
    /// Torrents that are told back.
    back: Vec<InfoHash>,
}

/// A packet of a tell.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) packet: PacketBuf,
    pub(crate) records: u64,
    /// What counts its records.
    pub(crate) counter: Counter,
}

impl Telling {
    pub(crate) fn new(max_octets: usize) -> Self {
        Self {
            max_octets: max_octets.max(HEADER_LEN + SyncLive6::RECORD_LEN),
            walk: SwarmWalk::default(),
            is_walked: false,
            last: None,
            counts: Vec::new(),
            v4: Vec::new(),
            v6: Vec::new(),
            due: 0,
            back: Vec::new(),
        }
    }

    /// Begins a walk over all torrents and their peers, and returns how many packets it will have,
    /// about.
    pub(crate) fn start(&mut self, tracker: &Tracker, now: Instant) -> u64 {
        let back = std::mem::take(&mut self.back);
        *self = Self {
            back,
            ..Self::new(self.max_octets)
        };
        let totals = tracker.totals(now);
        let (torrents, peers) = (totals.torrents, totals.peers);
        let packets = |records: u64, in_one: usize| records.div_ceil(in_one as u64);
        let v4 = peers.v4_seeders + peers.v4_leechers;
        let v6 = peers.v6_seeders + peers.v6_leechers;
        let parts = packets(torrents, MOST_COUNTS) + packets(v4 + v6, MOST_PEERS);
        parts
            + packets(torrents, self.that_fit(ScrapeTell::RECORD_LEN))
            + packets(v4, self.that_fit(SyncLive::RECORD_LEN))
            + packets(v6, self.that_fit(SyncLive6::RECORD_LEN))
    }

    /// Lets packets of the walk go.
    pub(crate) const fn allow(&mut self, packets: u32) {
        self.due = packets;
    }

    /// Tells whether packets of the walk may go.
    pub(crate) const fn is_due(&self) -> bool {
        self.due > 0
    }

    /// Takes torrents to be told back.
    pub(crate) fn add_back(&mut self, info_hashes: Vec<InfoHash>) {
        self.back.extend(info_hashes);
    }

    /// Fills the next packet of the walk, unless there is nothing in it. The second is whether the
    /// walk is over.
    pub(crate) fn walk_on(
        &mut self,
        id: TrackerId,
        tracker: &Tracker,
        now: Instant,
    ) -> (Option<Told>, bool) {
        self.due = self.due.saturating_sub(1);
        let told = loop {
            self.copy(tracker, now);
            match self.fill(id, tracker) {
                // All that was copied out has been denied since.
                None if !self.is_over() => {}
                told => break told,
            }
        };
        let is_over = self.is_over();
        if is_over {
            self.due = 0;
        }
        (told, is_over)
    }

    /// Fills the next packet of what is told back, if there is one.
    pub(crate) fn go_back(
        &mut self,
        id: TrackerId,
        tracker: &Tracker,
        now: Instant,
    ) -> Option<Told> {
        let mut writer = ScrapeTellWriter::new(id).with_max_octets(self.max_octets);
        while !writer.is_full()
            && let Some(info_hash) = self.back.pop()
        {
            // It may be gone meanwhile.
            if let Some(torrent) = tracker.summary(&info_hash, now) {
                writer.push(&summed(&torrent)).expect("it is not full");
            }
        }
        told_counts(writer)
    }

    /// Returns how many records of a length a packet has room for.
    const fn that_fit(&self, record_len: usize) -> usize {
        (self.max_octets - HEADER_LEN) / record_len
    }

    fn is_over(&self) -> bool {
        self.is_walked && self.counts.is_empty() && self.v4.is_empty() && self.v6.is_empty()
    }

    /// Copies more torrents and peers out, if it takes more to fill a packet.
    fn copy(&mut self, tracker: &Tracker, now: Instant) {
        let is_enough = !self.counts.is_empty()
            || self.v4.len() >= self.that_fit(SyncLive::RECORD_LEN)
            || self.v6.len() >= self.that_fit(SyncLive6::RECORD_LEN);
        if is_enough {
            return;
        }
        let timeout = tracker.rules().settings.timing.peer_timeout_minutes();
        while !self.is_walked
            && self.counts.len() < MOST_COUNTS
            && self.v4.len() + self.v6.len() < MOST_PEERS
        {
            let Some(swarms) = self.walk.step(tracker, now) else {
                self.is_walked = true;
                return;
            };
            for (torrent, peers) in swarms {
                if self.last.replace(torrent.info_hash) != Some(torrent.info_hash) {
                    self.counts.push(saved(torrent));
                }
                let living = peers.iter().filter(|peer| peer.age_minutes <= timeout);
                for record in living.filter_map(|peer| aged(torrent, peer)) {
                    let is_v4 = record.peer.is_ipv4();
                    let records = if is_v4 { &mut self.v4 } else { &mut self.v6 };
                    records.push(record);
                }
            }
        }
    }

    /// Fills a packet: counts first, and then the peers of these torrents. Those that do not fill a
    /// packet wait for more, if there is more to come.
    fn fill(&mut self, id: TrackerId, tracker: &Tracker) -> Option<Told> {
        let rules = tracker.rules();
        if !self.counts.is_empty() {
            let mut writer = ScrapeTellWriter::new(id).with_max_octets(self.max_octets);
            while !writer.is_full()
                && let Some(record) = self.counts.pop()
            {
                if rules.lists.serves(&record.info_hash) {
                    writer.push(&record).expect("it is not full");
                }
            }
            return told_counts(writer);
        }
        let is_v4 = self.v4.len() >= self.that_fit(SyncLive::RECORD_LEN)
            || self.is_walked && !self.v4.is_empty();
        let (records, mut writer) = if is_v4 {
            (&mut self.v4, LiveWriter::sync_live(id))
        } else {
            (&mut self.v6, LiveWriter::sync_live6(id))
        };
        writer = writer.with_max_octets(self.max_octets);
        while !writer.is_full()
            && let Some(record) = records.pop()
        {
            if rules.lists.serves(&record.info_hash) {
                writer
                    .push(&record)
                    .expect("it is not full, and of this form");
            }
        }
        let len = writer.len() as u64;
        told(writer.take(), len, Counter::PeersTold)
    }
}

fn told_counts(mut writer: ScrapeTellWriter) -> Option<Told> {
    let records = writer.len() as u64;
    told(writer.take(), records, Counter::DownloadsTold)
}

fn told(packet: PacketBuf, records: u64, counter: Counter) -> Option<Told> {
    (records > 0).then_some(Told {
        packet,
        records,
        counter,
    })
}

const fn summed(torrent: &TorrentSummary) -> TellRecord {
    TellRecord::new(
        torrent.info_hash,
        torrent.idle_minutes,
        torrent.counts.downloads,
    )
}

const fn saved(torrent: &SavedTorrent) -> TellRecord {
    TellRecord::new(torrent.info_hash, torrent.idle_minutes, torrent.downloads)
}

/// Makes the record of a peer that another host can reach.
fn aged(torrent: &SavedTorrent, peer: &SavedPeer) -> Option<LiveRecord> {
    let age = PeerAge::from_minutes(peer.age_minutes.into()).ok()?;
    let flags = if peer.seeding {
        PeerFlags::SEEDING
    } else {
        PeerFlags::NONE
    };
    let is_reachable = peer.addr.scope() != Some(Scope::Loopback);
    is_reachable.then(|| LiveRecord::new(torrent.info_hash, peer.addr, flags).with_age(age))
}
