//! What happens by the minute: timeouts are swept, a summary is logged, and the trends look whether
//! they need another value.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use opentracker_admin::Trends;
use opentracker_core::{Counter, Sweeper, Tracker};

use crate::memory::Memory;
use crate::proxies::Troubles;
use crate::refusals::Refused;
use crate::unix_time;

const PERIOD: Duration = Duration::from_secs(60);

/// Steps of a sweep, of about ten microseconds, after which clients have their turn.
const STEPS: u32 = 8;

/// The thread that keeps house. Dropping it stops the thread.
#[derive(Debug)]
pub(crate) struct Housekeeping {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Housekeeping {
    pub(crate) fn start(
        tracker: Arc<Tracker>,
        memory: Arc<Memory>,
        trends: Arc<Mutex<Trends>>,
    ) -> std::io::Result<Self> {
        let (stop, stopped) = channel();
        let thread = std::thread::Builder::new()
            .name("housekeeping".to_owned())
            .spawn(move || run(&tracker, &memory, &trends, &stopped))?;
        Ok(Self { stop, thread })
    }

    pub(crate) fn shutdown(self) {
        drop(self.stop);
        if self.thread.join().is_err() {
            tracing::error!("the housekeeping thread has panicked");
        }
    }
}

fn run(tracker: &Tracker, memory: &Memory, trends: &Mutex<Trends>, stopped: &Receiver<()>) {
    let mut sweeper = Sweeper::new();
    let mut summary = Summary::new(tracker);
    let mut due = Instant::now() + PERIOD;
    loop {
        let wait = due.saturating_duration_since(Instant::now());
        if stopped.recv_timeout(wait) != Err(RecvTimeoutError::Timeout) {
            return;
        }
        due += PERIOD;
        if sweep(tracker, &mut sweeper, stopped).is_none() {
            return;
        }
        memory.settle();
        summary.log(tracker);
        let mut trends = trends.lock().unwrap_or_else(PoisonError::into_inner);
        trends.look(tracker, Instant::now(), unix_time::now());
    }
}

/// Sweeps everything once; `None` if it was stopped.
fn sweep(tracker: &Tracker, sweeper: &mut Sweeper, stopped: &Receiver<()>) -> Option<()> {
    let begin = Instant::now();
    loop {
        let now = Instant::now();
        for _ in 0..STEPS {
            if let Some(swept) = sweeper.step(tracker, now) {
                let took = begin.elapsed();
                tracing::debug!(swept.peers, swept.torrents, ?took, "swept");
                return Some(());
            }
        }
        if stopped.try_recv() != Err(std::sync::mpsc::TryRecvError::Empty) {
            return None;
        }
        // Where cores are few, announces would wait until this thread has used up its time.
        std::thread::yield_now();
    }
}

/// The limits that are warned of while they refuse somebody.
const LIMITS: [(&str, Counter); 4] = [
    ("limits.max_torrents", Counter::RefusedTorrents),
    ("limits.max_peers", Counter::RefusedPeers),
    ("limits.max_peers_per_torrent", Counter::RefusedSwarm),
    ("limits.memory", Counter::RefusedMemory),
];

/// A line a minute, and others while proxies do something wrong or a limit is reached.
struct Summary {
    announces: u64,
    troubles: Troubles,
    refusals: Refused,
    /// Announces that each of the limits refused.
    refused: [u64; LIMITS.len()],
    since: Instant,
}

impl Summary {
    fn new(tracker: &Tracker) -> Self {
        Self {
            announces: announces(tracker),
            troubles: Troubles::count(tracker),
            refusals: Refused::count(tracker),
            refused: LIMITS.map(|(_, counter)| tracker.counters().sum(counter)),
            since: Instant::now(),
        }
    }

    fn log(&mut self, tracker: &Tracker) {
        let now = Self::new(tracker);
        let count = now.announces.wrapping_sub(self.announces);
        let seconds = now.since.duration_since(self.since).as_secs().max(1);
        let totals = tracker.totals(now.since);
        tracing::info!(
            announces_per_second = count / seconds,
            torrents = totals.torrents,
            peers = totals.peers.total(),
            seeders = totals.peers.seeders(),
            megabytes = tracker.heap_octets() / 1_000_000,
            "summary"
        );
        for line in now.refusals.since(&self.refusals, tracker) {
            tracing::info!("{line}");
        }
        for warning in now.troubles.since(&self.troubles, tracker) {
            tracing::warn!("{warning}");
        }
        for (limit, (now, before)) in LIMITS.iter().zip(now.refused.iter().zip(&self.refused)) {
            let refused = now.wrapping_sub(*before);
            if refused > 0 {
                tracing::warn!(
                    "{}: it is reached, {refused} announces were refused",
                    limit.0
                );
            }
        }
        *self = now;
    }
}

fn announces(tracker: &Tracker) -> u64 {
    let counters = tracker.counters();
    let udp = counters.sum_of(&opentracker_udp::Counter::ANNOUNCES);
    udp.wrapping_add(counters.sum_of(&opentracker_http::Counter::ANNOUNCES))
}
