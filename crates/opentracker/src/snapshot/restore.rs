//! What was there before the start.

use std::fmt;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use opentracker_core::{Restored, Tracker};
use opentracker_snapshot::Report;

use super::error::SnapshotError;
use super::place::Place;
use crate::unix_time;

/// Brings back what the snapshot has, and says so. Whatever is whole of a damaged one is taken, and
/// the file kept aside. Returns how old it is, if it is known and there is one.
pub(crate) fn restore(place: &Place, tracker: &Tracker) -> Result<Option<Duration>, SnapshotError> {
    let path = place.path().display();
    let begin = Instant::now();
    let Some(mut reader) = place.open_snapshot()? else {
        tracing::info!("no snapshot at {path} yet");
        return Ok(None);
    };
    let mut restored = Restored::default();
    let failure = loop {
        match reader.next_swarms() {
            Ok(Some(swarms)) => {
                let passed = passed_since(swarms.created());
                for part in swarms {
                    restored += tracker.restore(&part.torrent, part.peers(), passed, begin);
                }
            }
            Ok(None) => break None,
            Err(error) => break Some(error),
        }
    };
    let report = reader.report();
    let Restored {
        torrents, peers, ..
    } = restored;
    let age = Age(report.created);
    let took = begin.elapsed().as_secs_f64();
    tracing::info!(
        "restored {peers} peers of {torrents} torrents, {age}, in {took:.1} s from {path}"
    );
    say_what_was_left_out(&restored);
    if let Some(error) = &failure {
        tracing::warn!("the snapshot {path} cannot be read to its end: {error}");
    }
    if failure.is_some() || !report.is_whole() {
        say_what_is_lost(place, report);
    }
    Ok(report.created.map(passed_since))
}

/// Returns how long ago something was; in the future is now: the clock went back since.
fn passed_since(created: u64) -> Duration {
    unix_time::now().saturating_sub(Duration::from_secs(created))
}

fn say_what_was_left_out(restored: &Restored) {
    let &Restored {
        timed_out_torrents,
        timed_out_peers,
        not_served,
        impossible,
        no_room,
        ..
    } = restored;
    if timed_out_torrents + timed_out_peers + not_served + impossible + no_room > 0 {
        tracing::info!(
            timed_out_torrents,
            timed_out_peers,
            not_served,
            impossible,
            no_room,
            "left out of the snapshot"
        );
    }
}

fn say_what_is_lost(place: &Place, report: &Report) {
    let path = place.path().display();
    tracing::warn!("the snapshot {path} is damaged: {}", Lost(report));
    match place.keep_damaged() {
        Ok(kept) => tracing::warn!("it is kept as {}", kept.display()),
        Err(error) => tracing::warn!("it cannot be kept aside: {error}"),
    }
}

/// How old something is that was made then.
struct Age(Option<u64>);

impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(created) = self.0 else {
            return f.write_str("of unknown age");
        };
        if SystemTime::now() < UNIX_EPOCH + Duration::from_secs(created) {
            return f.write_str("made later than now, for the clock went back");
        }
        match passed_since(created).as_secs() {
            1 => f.write_str("1 second old"),
            seconds @ ..120 => write!(f, "{seconds} seconds old"),
            seconds => write!(f, "{} minutes old", seconds / 60),
        }
    }
}

/// What is missing of a damaged snapshot.
struct Lost<'a>(&'a Report);

impl fmt::Display for Lost<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report {
            lost_blocks,
            lost_octets,
            written,
            ..
        } = self.0;
        write!(f, "{lost_blocks} blocks and {lost_octets} octets are lost")?;
        if written.is_none() {
            f.write_str(", and its end is missing")?;
        }
        Ok(())
    }
}
