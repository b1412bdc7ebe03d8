use std::net::IpAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use opentracker_store::{Minute, Moment, Removed, Store, TorrentSummary, Totals};
use opentracker_types::InfoHash;
use rand::CryptoRng;

use crate::busy_networks::BusyNetworks;
use crate::counters::CounterRegistry;
use crate::rate::{MAX_PREFIXES, Pace, Rate, RateTable};
use crate::rules::Rules;
use crate::sampler::Samples;

/// How long totals are good for. Finding them looks into every part of the store, some hundred
/// microseconds, so this bounds what a flood of questions costs.
const TOTALS_LIFETIME: Duration = Duration::from_secs(1);

/// What all threads of a tracker share: the swarms, the rules, the counters.
#[derive(Debug)]
pub struct Tracker {
    store: Store,
    rules: Arc<ArcSwap<Rules>>,
    counters: CounterRegistry,
    samples: Samples,
    totals: Mutex<Option<(Instant, Totals)>>,
    /// Made when there is a rate for the first time.
    rate_table: OnceLock<RateTable>,
    rate_key: [u8; 16],
    start: Instant,
}

impl Tracker {
    /// Makes a tracker without torrents. `start` is the present, and `rng` is the system's
    /// randomness: it keys the hash functions.
    pub fn new(rules: Rules, start: Instant, rng: &mut impl CryptoRng) -> Self {
        Self::with_store(Store::new(draw(rng)), rules, start, rng)
    }

    /// Makes a tracker of fewer parts than [`Self::new`] does, for few torrents or for many
    /// trackers in one process: walks and sweeps go through `parts` steps.
    pub fn with_parts(parts: u16, rules: Rules, start: Instant, rng: &mut impl CryptoRng) -> Self {
        Self::with_store(Store::with_parts(draw(rng), parts), rules, start, rng)
    }

    fn with_store(store: Store, rules: Rules, start: Instant, rng: &mut impl CryptoRng) -> Self {
        Self {
            store,
            rules: Arc::new(ArcSwap::from_pointee(rules)),
            counters: CounterRegistry::default(),
            samples: Samples::default(),
            totals: Mutex::new(None),
            rate_table: OnceLock::new(),
            rate_key: draw(rng),
            start,
        }
    }

    /// Returns the counters of all threads.
    pub fn counters(&self) -> &CounterRegistry {
        &self.counters
    }

    /// Returns the networks that announce most, and those that announce too often: an estimate from
    /// a sample of the announces within about one interval.
    pub fn busy_networks(&self, now: Instant) -> BusyNetworks {
        let window = self.rules.load().settings.interval;
        self.samples.busy_networks(now, window)
    }

    /// Returns the present rules.
    pub fn rules(&self) -> Arc<Rules> {
        self.rules.load_full()
    }

    /// Replaces the rules; every thread sees them with its next request. Torrents that they do
    /// not serve any more are there until [`Self::purge`].
    pub fn set_rules(&self, rules: Rules) {
        self.rules.store(Arc::new(rules));
    }

    /// Returns when the tracker started.
    pub fn start(&self) -> Instant {
        self.start
    }

    /// Returns the counts of all swarms together, at most a second old.
    pub fn totals(&self, now: Instant) -> Totals {
        let mut cached = self.totals.lock().unwrap_or_else(PoisonError::into_inner);
        match *cached {
            Some((at, totals)) if now.saturating_duration_since(at) < TOTALS_LIFETIME => totals,
            _ => {
                let totals = self.store.totals();
                *cached = Some((now, totals));
                totals
            }
        }
    }

    /// Returns the counts of a torrent, or `None` if it is unknown or not served.
    pub fn summary(&self, info_hash: &InfoHash, now: Instant) -> Option<TorrentSummary> {
        let rules = self.rules.load();
        let moment = self.moment(now, &rules);
        rules
            .lists
            .serves(info_hash)
            .then(|| self.store.summary(&self.store.key(info_hash), &moment))?
    }

    /// Calls `visit` with every peer of a torrent in compact form (6 or 18 octets) and whether it
    /// is a seeder. A part of the swarms is locked until it returns.
    pub fn visit_peers(&self, info_hash: &InfoHash, visit: impl FnMut(&[u8], bool)) {
        if self.rules.load().lists.serves(info_hash) {
            self.store.visit_peers(&self.store.key(info_hash), visit);
        }
    }

    /// Octets of memory that the swarms take.
    pub fn heap_octets(&self) -> u64 {
        self.store.heap_octets()
    }

    pub(crate) fn samples(&self) -> &Samples {
        &self.samples
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    pub(crate) fn shared_rules(&self) -> &Arc<ArcSwap<Rules>> {
        &self.rules
    }

    /// Returns how the store sees a time.
    pub(crate) fn moment(&self, now: Instant, rules: &Rules) -> Moment {
        let elapsed = now.saturating_duration_since(self.start);
        Moment::new(Minute::from_elapsed(elapsed), &rules.settings.timing)
            .with_limits(rules.settings.limits)
    }

    /// Takes a token for a request from an address.
    pub(crate) fn take_token(&self, ip: IpAddr, rate: &Rate, now: Instant) -> Pace {
        let table = self
            .rate_table
            .get_or_init(|| RateTable::new(MAX_PREFIXES, self.rate_key));
        table.take(ip, rate, now.saturating_duration_since(self.start))
    }

    fn forget_totals(&self) {
        *self.totals.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Removes the torrents that the present rules do not serve, from the counts, the memory and
    /// everything that walks over them. Takes a short lock for each part, and lets other threads
    /// have their turn in between; a thread that began an announce under the old rules undoes it.
    pub fn purge(&self) -> Removed {
        let rules = self.rules();
        let mut purged = Removed::default();
        if rules.lists.serve_all() {
            return purged;
        }
        for part in 0..self.store.parts() {
            let removed = self
                .store
                .retain(part, |info_hash| rules.lists.serves(info_hash));
            purged.torrents += removed.torrents;
            purged.peers += removed.peers;
            std::thread::yield_now();
        }
        self.forget_totals();
        purged
    }

    /// Removes the peers that are in networks that the present rules do not serve, and returns how
    /// many there were. It takes the small steps of a [`Sweeper`], whose next round finds what was
    /// announced under the old rules meanwhile.
    pub fn purge_networks(&self, now: Instant) -> u64 {
        let rules = self.rules();
        let Some(networks) = &rules.lists.deny_networks else {
            return 0;
        };
        let moment = self.moment(now, &rules);
        let mut sweeper = opentracker_store::Sweeper::new();
        let mut purged = 0;
        let mut keeps = |ip| {
            let is_denied = networks.contains(ip);
            purged += u64::from(is_denied);
            !is_denied
        };
        while sweeper
            .step_keeping(&self.store, &moment, &mut keeps)
            .is_none()
        {
            std::thread::yield_now();
        }
        self.forget_totals();
        purged
    }
}

/// Removes peers and torrents that timed out, and peers in networks that are not served, in steps
/// so small that no announce waits for them.
///
/// Drive it with [`Self::step`] until that says that the round is over, letting other threads have
/// their turn in between, and begin a round every minute.
#[derive(Debug, Default)]
pub struct Sweeper(opentracker_store::Sweeper);

impl Sweeper {
    /// Makes a sweeper that stands before its first round.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes one step of about ten microseconds. At the end of a round returns what the round
    /// removed, and the next call begins another.
    pub fn step(&mut self, tracker: &Tracker, now: Instant) -> Option<Removed> {
        let rules = tracker.rules.load();
        let moment = tracker.moment(now, &rules);
        match &rules.lists.deny_networks {
            Some(networks) => {
                let mut keeps = |ip| !networks.contains(ip);
                self.0.step_keeping(&tracker.store, &moment, &mut keeps)
            }
            None => self.0.step(&tracker.store, &moment),
        }
    }
}

fn draw<const OCTETS: usize>(rng: &mut impl CryptoRng) -> [u8; OCTETS] {
    let mut drawn = [0; OCTETS];
    rng.fill_bytes(&mut drawn);
    drawn
}
