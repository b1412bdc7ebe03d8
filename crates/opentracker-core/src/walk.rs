use std::time::Instant;

use opentracker_store::TorrentSummary;

use crate::tracker::Tracker;

/// A walk over all torrents that are served, part by part: for full scrapes, top lists and dumps.
///
/// It sees every torrent that is there from its beginning to its end, in no order. Each step locks
/// one part of the swarms for as long as it takes to copy it.
#[derive(Debug, Default)]
pub struct Walk {
    next_part: u16,
    found: Vec<TorrentSummary>,
}

impl Walk {
    /// Makes a walk that has not begun.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes a walk that leaves the parts before this one out.
    pub fn beginning_at(part: u16) -> Self {
        Self {
            next_part: part,
            ..Self::default()
        }
    }

    /// Returns the torrents of the next part, of which there may be none, or `None` at the end.
    pub fn next_part(&mut self, tracker: &Tracker, now: Instant) -> Option<&[TorrentSummary]> {
        let store = tracker.store();
        if self.next_part >= store.parts() {
            self.found = Vec::new();
            return None;
        }
        let rules = tracker.shared_rules().load();
        let moment = tracker.moment(now, &rules);
        self.found.clear();
        // The part is locked meanwhile, so it is only copied.
        store.visit(self.next_part, &moment, |torrent| self.found.push(torrent));
        self.next_part += 1;
        if !rules.lists.serve_all() {
            self.found
                .retain(|torrent| rules.lists.serves(&torrent.info_hash));
        }
        Some(&self.found)
    }
}
