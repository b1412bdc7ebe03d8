use std::time::Instant;

use opentracker_core::{Applied, Counters, ToldDownloads, ToldPeer, Tracker};
use opentracker_livesync_wire::{LiveRecord, ScrapeTell};
use opentracker_scrape_sync::ScrapeSync;

use crate::{Counter, Sibling};

/// Applies peers of a sibling, and lets the machine know if they are part of a tell.
pub(crate) fn apply_peers(
    tracker: &Tracker,
    counters: &Counters<Counter>,
    machine: Option<&mut ScrapeSync>,
    records: impl Iterator<Item = LiveRecord> + Clone,
    sibling: &mut Sibling,
    now: Instant,
) {
    let told = records.map(|record| {
        let told = ToldPeer::new(record.info_hash, record.peer, record.flags);
        record.age.map_or(told, |age| told.with_age(age.minutes()))
    });
    let applied = tracker.apply_peers(told, now);
    counters.add(Counter::AnnouncesApplied, applied.applied - applied.aged);
    counters.add(Counter::PeersApplied, applied.aged);
    counters.add(Counter::PeerKnown, applied.known);
    counters.add(Counter::PeerTimedOut, applied.timed_out);
    counters.add(Counter::PeerStopped, applied.stopped);
    counters.add(Counter::NotServed, applied.not_served);
    counters.add(Counter::NoRoom, applied.no_room);
    counters.add(Counter::ImpossibleAddress, applied.impossible);
    sibling.count(&applied);
    if let Some(machine) = machine.filter(|_| applied.has_aged()) {
        machine.handle_told_peers(sibling.id, &mut sibling.standing, now);
    }
}

/// Applies download counts of a sibling, and lets the machine know which of ours are larger.
pub(crate) fn apply_downloads(
    tracker: &Tracker,
    counters: &Counters<Counter>,
    mut machine: Option<&mut ScrapeSync>,
    tell: &ScrapeTell<'_>,
    now: Instant,
) -> Applied {
    let told = tell
        .records()
        .map(|record| ToldDownloads::new(record.info_hash, record.age_minutes, record.downloads));
    let applied = tracker.apply_downloads(told, now, |info_hash, ours_is_larger| {
        if let Some(machine) = &mut machine {
            machine.handle_record(*info_hash, ours_is_larger);
        }
    });
    counters.add(Counter::DownloadsApplied, applied.applied);
    counters.add(Counter::NotServed, applied.not_served);
    counters.add(Counter::NoRoom, applied.no_room);
    counters.add(Counter::ImpossibleCount, applied.impossible);
    applied
}
