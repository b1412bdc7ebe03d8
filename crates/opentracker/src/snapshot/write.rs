//! One snapshot, from the swarms to the disk.

use std::fs::File;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use opentracker_core::{SwarmWalk, Tracker};
use opentracker_snapshot::{Totals, Writer};

use super::place::Place;

/// The disk is given so many octets at a time: it never has to swallow a whole snapshot at the end,
/// and whoever waits for that sees that it moves on.
const SYNC_OCTETS: u64 = 8 << 20;

/// After so long clients have their turn.
const TURN: Duration = Duration::from_micros(100);

/// A snapshot that is in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SnapshotWritten {
    /// When it was begun, which is its age.
    pub created: SystemTime,
    /// How long it took.
    pub took: Duration,
    /// Octets of the file.
    pub octets: u64,
    /// Torrents in it.
    pub torrents: u64,
    /// Peers in it.
    pub peers: u64,
}

/// What is known of snapshots while they are written.
#[derive(Debug, Default)]
pub struct SnapshotStatus {
    octets: AtomicU64,
    /// Seconds between two snapshots; 0: there are none.
    interval_secs: AtomicU64,
    is_given_up: AtomicBool,
    latest: Mutex<Option<SnapshotWritten>>,
}

impl SnapshotStatus {
    /// Returns the number of octets that were written since the start: it grows while a snapshot
    /// moves on.
    pub fn octets(&self) -> u64 {
        self.octets.load(Ordering::Relaxed)
    }

    /// Returns the latest snapshot of this run.
    pub fn latest(&self) -> Option<SnapshotWritten> {
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the time between two snapshots; `None` if they are off.
    pub fn interval(&self) -> Option<Duration> {
        let secs = self.interval_secs.load(Ordering::Relaxed);
        (secs > 0).then(|| Duration::from_secs(secs))
    }

    pub(super) fn set_interval(&self, interval: Duration) {
        let secs = interval.as_secs();
        self.interval_secs.store(secs, Ordering::Relaxed);
    }

    /// Gives up the snapshot that is being written, if it is not the last one.
    pub(super) fn give_up(&self) {
        self.is_given_up.store(true, Ordering::Relaxed);
    }
}

/// What may happen to a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attempt {
    /// It is given up when the tracker stops.
    MayBeGivenUp,
    /// There will be no other.
    Last,
}

/// Writes all swarms as they are, beside announces; `None` if it was given up.
pub(super) fn write(
    place: &Place,
    tracker: &Tracker,
    status: &SnapshotStatus,
    attempt: Attempt,
) -> io::Result<Option<SnapshotWritten>> {
    let begin = Instant::now();
    let created = SystemTime::now();
    let since_1970 = created.duration_since(UNIX_EPOCH).unwrap_or_default();
    let file = place.create()?;
    let output = Output {
        file: &file.file,
        status,
        octets: 0,
        unsynced: 0,
    };
    let mut writer = Writer::new(output, since_1970.as_secs())?;
    let mut walk = SwarmWalk::new();
    let mut turn = begin;
    while let Some(swarms) = walk.step(tracker, Instant::now()) {
        for (torrent, peers) in swarms {
            writer.put(torrent, peers)?;
        }
        if attempt == Attempt::Last {
            continue;
        }
        if status.is_given_up.load(Ordering::Relaxed) {
            return Ok(None);
        }
        // Where cores are few, announces would wait until this thread has used up its time.
        if turn.elapsed() >= TURN {
            thread::yield_now();
            turn = Instant::now();
        }
    }
    let (
        output,
        Totals {
            torrents, peers, ..
        },
    ) = writer.finish()?;
    let octets = output.octets;
    file.take_place()?;
    let written = SnapshotWritten {
        created,
        took: begin.elapsed(),
        octets,
        torrents,
        peers,
    };
    *status.latest.lock().unwrap_or_else(PoisonError::into_inner) = Some(written);
    Ok(Some(written))
}

/// The file, and how far it is.
struct Output<'a> {
    file: &'a File,
    status: &'a SnapshotStatus,
    octets: u64,
    unsynced: u64,
}

impl Write for Output<'_> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let written = self.file.write(octets)?;
        let more = written as u64;
        self.octets += more;
        self.unsynced += more;
        self.status.octets.fetch_add(more, Ordering::Relaxed);
        if self.unsynced >= SYNC_OCTETS {
            self.file.sync_data()?;
            self.unsynced = 0;
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
