use std::time::Instant;

use opentracker_core::{Rules, TorrentSummary, Tracker, Walk};
use opentracker_livesync_wire::{HEADER_LEN, PacketBuf, ScrapeTell, ScrapeTellWriter, TellRecord};
use opentracker_types::{InfoHash, TrackerId};

/// Torrents on their way into packets: all of them, by a walk, or those that are told back.
#[derive(Debug)]
pub(crate) struct Telling {
    /// The most octets of a packet.
    max_octets: usize,
    walk: Walk,
    /// Torrents of the walk that are still to be told. One part of the swarms at a time is copied
    /// out, so that no announce waits for a packet to be sent.
    rest: Vec<TellRecord>,
    /// How many packets of the walk may go now.
    due: u32,
    /// Torrents that are told back.
    back: Vec<InfoHash>,
}

/// A packet of download counts.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) packet: PacketBuf,
    pub(crate) records: u64,
}

impl Telling {
    pub(crate) fn new(max_octets: usize) -> Self {
        Self {
            max_octets: max_octets.max(HEADER_LEN + ScrapeTell::RECORD_LEN),
            walk: Walk::default(),
            rest: Vec::new(),
            due: 0,
            back: Vec::new(),
        }
    }

    /// Begins a walk over all torrents.
    pub(crate) fn start(&mut self) {
        self.walk = Walk::new();
        self.rest.clear();
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
        let mut writer = ScrapeTellWriter::new(id).with_max_octets(self.max_octets);
        let rules = tracker.rules();
        while let Some(record) = self.peek(tracker, &rules, now) {
            if writer.push(&record).is_err() {
                break;
            }
            self.rest.pop();
        }
        let is_over = self.peek(tracker, &rules, now).is_none();
        if is_over {
            self.due = 0;
        }
        (told(writer), is_over)
    }

    /// Fills the next packet of what is told back, if there is one.
    pub(crate) fn go_back(
        &mut self,
        id: TrackerId,
        tracker: &Tracker,
        now: Instant,
    ) -> Option<Told> {
        while !self.back.is_empty() {
            let mut writer = ScrapeTellWriter::new(id).with_max_octets(self.max_octets);
            while !writer.is_full()
                && let Some(info_hash) = self.back.pop()
            {
                // It may be gone meanwhile.
                if let Some(torrent) = tracker.summary(&info_hash, now) {
                    writer.push(&record(&torrent)).expect("it is not full");
                }
            }
            if let Some(told) = told(writer) {
                return Some(told);
            }
        }
        None
    }

    /// Returns the torrent of the walk that is next, or `None` at its end. What was copied out
    /// may have been denied since.
    fn peek(&mut self, tracker: &Tracker, rules: &Rules, now: Instant) -> Option<TellRecord> {
        loop {
            match self.rest.last() {
                Some(record) if rules.lists.serves(&record.info_hash) => return Some(*record),
                Some(_) => drop(self.rest.pop()),
                None => {
                    let torrents = self.walk.next_part(tracker, now)?;
                    self.rest.extend(torrents.iter().map(record));
                }
            }
        }
    }
}

fn told(mut writer: ScrapeTellWriter) -> Option<Told> {
    let records = writer.len() as u64;
    (records > 0).then(|| Told {
        packet: writer.take(),
        records,
    })
}

const fn record(torrent: &TorrentSummary) -> TellRecord {
    TellRecord::new(
        torrent.info_hash,
        torrent.idle_minutes,
        torrent.counts.downloads,
    )
}
