//! Snapshots: the file in which the swarms outlast a restart.
//!
//! A thread of its own writes one every interval, when it is asked to, and at the end. It walks over
//! the swarms in small steps beside announces and streams them into a new file, which takes the old
//! one's place when the disk has it. What goes wrong costs that snapshot and nothing else.

mod error;
mod place;
mod restore;
mod trends;
mod write;

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use opentracker_admin::{Gauge, Trends};
use opentracker_core::{Counters, Tracker};

pub use error::{SnapshotError, SnapshotNowError};
pub(crate) use place::Place;
pub(crate) use trends::restore as restore_trends;
pub use write::{SnapshotStatus, SnapshotWritten};

use crate::gauges::unix_secs;
use trends::Kept;
use write::Attempt;

opentracker_core::counters! {
    /// What becomes of snapshots.
    pub enum SnapshotCounter {
        "opentracker_snapshots_total" snapshots "Snapshots, by what became of them." ["result"] {
            /// Snapshots that are in place.
            Written ["written"],
            /// Snapshots that could not be written.
            Failed ["failed"],
        }
        "opentracker_snapshot_written_bytes_total" bytes "Bytes of snapshots written, those that were given up included." [] {
            /// Octets of snapshots written, those that were given up included.
            Octets [],
        }
    }
}

/// Brings back what there was before, when this process has become who it will be, and makes sure
/// that a snapshot can be written. Returns how old it is what was brought back.
pub(crate) fn restore(place: &Place, tracker: &Tracker) -> Result<Option<Duration>, SnapshotError> {
    let age = restore::restore(place, tracker)?;
    if let Err(error) = place.remove_leftovers() {
        tracing::warn!("snapshot.path: cannot remove what was left there: {error}");
    }
    place.try_to_write()?;
    Ok(age)
}

/// Tries what a start would: whether a snapshot is there that can be read, and whether another can
/// be written.
pub(crate) fn check(place: &Place) -> Result<(), SnapshotError> {
    place.open_snapshot()?;
    place.try_to_write()
}

/// What the metrics show of snapshots.
pub(crate) fn gauges(status: &Arc<SnapshotStatus>) -> Vec<Gauge> {
    let gauge = |name, help, figure: fn(SnapshotWritten) -> f64| {
        let status = Arc::clone(status);
        Gauge::new(name, help, move || status.latest().map(figure))
    };
    let of_interval = Arc::clone(status);
    vec![
        Gauge::new(
            "opentracker_snapshot_interval_seconds",
            "Time between two snapshots, if they are on.",
            move || {
                of_interval
                    .interval()
                    .map(|interval| interval.as_secs_f64())
            },
        ),
        gauge(
            "opentracker_snapshot_last_success_timestamp_seconds",
            "When the latest snapshot of this run was begun, in seconds since the unix epoch.",
            |latest| unix_secs(latest.created),
        ),
        gauge(
            "opentracker_snapshot_duration_seconds",
            "How long the latest snapshot took.",
            |latest| latest.took.as_secs_f64(),
        ),
        gauge(
            "opentracker_snapshot_size_bytes",
            "Bytes of the latest snapshot.",
            |latest| latest.octets as f64,
        ),
    ]
}

/// What the thread is told, besides that it shall end.
enum Order {
    /// Write one now, and say what came of it.
    Now(Sender<Result<SnapshotWritten, SnapshotNowError>>),
    /// From now on write one every so often.
    Every(Duration),
}

/// The thread that writes snapshots.
#[derive(Debug)]
pub(crate) struct Snapshots {
    orders: Sender<Order>,
    status: Arc<SnapshotStatus>,
    thread: JoinHandle<()>,
}

impl Snapshots {
    pub(crate) fn start(
        place: Place,
        tracker: Arc<Tracker>,
        trends: Arc<Mutex<Trends>>,
        interval: Duration,
        status: Arc<SnapshotStatus>,
    ) -> io::Result<Self> {
        let (orders, inbox) = channel();
        status.set_interval(interval);
        let writer = Writing {
            counters: tracker.counters().register(),
            trends: Kept::new(&place, trends),
            place,
            tracker,
            status: Arc::clone(&status),
            complaint: None,
        };
        let thread = std::thread::Builder::new()
            .name("snapshot".to_owned())
            .spawn(move || writer.run(interval, &inbox))?;
        Ok(Self {
            orders,
            status,
            thread,
        })
    }

    pub(crate) fn set_interval(&self, interval: Duration) {
        self.status.set_interval(interval);
        // A thread that ends does not need to know.
        self.orders.send(Order::Every(interval)).ok();
    }

    /// Has a snapshot written; the answer comes when that is done.
    pub(crate) fn order(&self) -> Receiver<Result<SnapshotWritten, SnapshotNowError>> {
        let (answer, answered) = channel();
        // A thread that ends drops it, and that is an answer too.
        self.orders.send(Order::Now(answer)).ok();
        answered
    }

    /// Writes the last one, of all that there is now, and ends the thread.
    pub(crate) fn shutdown(self) {
        // One that is under way does not have what came since it began.
        self.status.give_up();
        drop(self.orders);
        if self.thread.join().is_err() {
            tracing::error!("the thread that writes snapshots has panicked");
        }
    }
}

struct Writing {
    place: Place,
    tracker: Arc<Tracker>,
    counters: Counters<SnapshotCounter>,
    status: Arc<SnapshotStatus>,
    trends: Kept,
    /// What has been said to be wrong, until it works again.
    complaint: Option<io::ErrorKind>,
}

impl Writing {
    fn run(mut self, mut interval: Duration, inbox: &Receiver<Order>) {
        let mut begin = Instant::now();
        loop {
            let wait = (begin + interval).saturating_duration_since(Instant::now());
            let answer = match inbox.recv_timeout(wait) {
                Ok(Order::Every(changed)) => {
                    interval = changed;
                    continue;
                }
                Ok(Order::Now(answer)) => Some(answer),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            begin = Instant::now();
            let result = self.write(Attempt::MayBeGivenUp);
            if let Some(answer) = answer {
                // Whoever has asked may be gone.
                answer.send(result).ok();
            }
        }
        if let Ok(written) = self.write(Attempt::Last) {
            let SnapshotWritten {
                peers, torrents, ..
            } = written;
            let path = self.place.path().display();
            tracing::info!("kept {peers} peers of {torrents} torrents in {path}");
        }
    }

    fn write(&mut self, attempt: Attempt) -> Result<SnapshotWritten, SnapshotNowError> {
        let before = self.status.octets();
        let written = write::write(&self.place, &self.tracker, &self.status, attempt);
        let octets = self.status.octets() - before;
        self.counters.add(SnapshotCounter::Octets, octets);
        let path = self.place.path().display();
        match written {
            Ok(Some(written)) => {
                self.trends.write();
                self.counters.count(SnapshotCounter::Written);
                if self.complaint.take().is_some() {
                    tracing::info!("snapshot: {path} is written again");
                }
                tracing::debug!(?written, "snapshot");
                Ok(written)
            }
            Ok(None) => Err(SnapshotNowError::Stopping),
            Err(error) => {
                self.counters.count(SnapshotCounter::Failed);
                if self.complaint.replace(error.kind()) != Some(error.kind()) {
                    tracing::error!("snapshot: cannot write {path}: {error}");
                }
                Err(SnapshotNowError::Failed(error))
            }
        }
    }
}
