use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use opentracker_store::{Minute, Moment, Removed, Store, TorrentSummary, Totals};
use opentracker_types::{InfoHash, SwarmCounts};
use rand::CryptoRng;

use crate::busy_networks::BusyNetworks;
use crate::counters::CounterRegistry;
use crate::rate::{Limited, MAX_PREFIXES, Pace, Rate, RateTable};
use crate::refusals::{Refusals, RefusedAnnounce};
use crate::rules::Rules;
use crate::sampler::Samples;
use crate::sync::ArcSwap;
use crate::topic::{Subscription, Topic};
use crate::trace::{SwarmEvent, SwarmEventKind, Traced};

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
    refusals: Refusals,
    totals: Mutex<Option<(Instant, Totals)>>,
    /// Made when there is a rate for the first time.
    rate_table: OnceLock<RateTable>,
    rate_key: [u8; 16],
    events: Arc<Topic<SwarmEvent>>,
    requests: Arc<Topic<Traced>>,
    is_draining: AtomicBool,
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
            refusals: Refusals::default(),
            totals: Mutex::new(None),
            rate_table: OnceLock::new(),
            rate_key: draw(rng),
            events: Arc::default(),
            requests: Arc::default(),
            is_draining: AtomicBool::new(false),
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

    /// Lets somebody hear of what happens to torrents, of which he `wants` to.
    pub fn subscribe_to_events(
        &self,
        wants: impl Fn(&SwarmEvent) -> bool + Send + Sync + 'static,
    ) -> Subscription<SwarmEvent> {
        self.events.subscribe(wants)
    }

    /// Lets somebody see requests and what becomes of them, of which he `wants` to.
    pub fn subscribe_to_requests(
        &self,
        wants: impl Fn(&Traced) -> bool + Send + Sync + 'static,
    ) -> Subscription<Traced> {
        self.requests.subscribe(wants)
    }

    /// Tells those who want to hear of it what has happened to a torrent otherwise than by an
    /// announce.
    pub fn publish(&self, event: &SwarmEvent) {
        self.events.publish(event);
    }

    /// Says whether clients are to go elsewhere: what keeps connections closes them after the
    /// response at hand, and everything is served as before.
    pub fn set_draining(&self, is_draining: bool) {
        self.is_draining.store(is_draining, Ordering::Relaxed);
    }

    /// Tells whether clients are to go elsewhere.
    pub fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::Relaxed)
    }

    /// Returns the prefixes whose requests are not all served as they come, those first that are
    /// furthest over the rate, and at most so many of them. Looks into the whole table, a few
    /// milliseconds, and holds up nobody.
    pub fn limited(&self, most: usize, now: Instant) -> Vec<Limited> {
        let rules = self.rules.load();
        let (Some(rate), Some(table)) = (&rules.settings.rate, self.rate_table.get()) else {
            return Vec::new();
        };
        table.limited(rate, most, now.saturating_duration_since(self.start))
    }

    /// Forgets a torrent with its peers, until somebody announces it again; `None` if it is not
    /// there.
    pub fn remove(&self, info_hash: &InfoHash, now: Instant) -> Option<SwarmCounts> {
        let removed = self.store.remove(&self.store.key(info_hash))?;
        self.forget_totals();
        let gone = SwarmEvent::new(SwarmEventKind::Gone, *info_hash, now);
        self.events.publish(&gone);
        Some(removed)
    }

    pub(crate) fn events(&self) -> &Topic<SwarmEvent> {
        &self.events
    }

    pub(crate) fn requests(&self) -> &Topic<Traced> {
        &self.requests
    }

    /// Octets of memory that the swarms take.
    pub fn heap_octets(&self) -> u64 {
        self.store.heap_octets()
    }

    /// Octets of memory that the rates of all prefixes take; 0 while there is no rate.
    pub fn rate_octets(&self) -> u64 {
        self.rate_table.get().map_or(0, RateTable::heap_octets)
    }

    /// Takes examples of announces that were refused since this was called before, one of each reason.
    pub fn take_refused(&self) -> Vec<RefusedAnnounce> {
        self.refusals.take()
    }

    pub(crate) fn refusals(&self) -> &Refusals {
        &self.refusals
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

    fn publish_gone(&self, info_hash: &InfoHash, now: Instant) {
        if self.events.is_wanted() {
            let gone = SwarmEvent::new(SwarmEventKind::Gone, *info_hash, now);
            self.events.publish(&gone);
        }
    }

    fn forget_totals(&self) {
        *self.totals.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Removes the torrents that the present rules do not serve, from the counts, the memory and
    /// everything that walks over them. Takes a short lock for each part, and lets other threads
    /// have their turn in between; a thread that began an announce under the old rules undoes it.
    pub fn purge(&self, now: Instant) -> Removed {
        let rules = self.rules();
        let mut purged = Removed::default();
        if rules.lists.serve_all() {
            return purged;
        }
        for part in 0..self.store.parts() {
            let removed = self.store.retain(part, |info_hash| {
                let is_served = rules.lists.serves(info_hash);
                if !is_served {
                    self.publish_gone(info_hash, now);
                }
                is_served
            });
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
        let mut forget = |info_hash: &InfoHash| self.publish_gone(info_hash, now);
        while sweeper
            .step_with(&self.store, &moment, &mut keeps, &mut forget)
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
        let mut forget = |info_hash: &InfoHash| tracker.publish_gone(info_hash, now);
        let (sweeper, store) = (&mut self.0, &tracker.store);
        match &rules.lists.deny_networks {
            Some(networks) => {
                let mut keeps = |ip| !networks.contains(ip);
                sweeper.step_with(store, &moment, &mut keeps, &mut forget)
            }
            None => sweeper.step_with(store, &moment, &mut |_| true, &mut forget),
        }
    }
}

fn draw<const OCTETS: usize>(rng: &mut impl CryptoRng) -> [u8; OCTETS] {
    let mut drawn = [0; OCTETS];
    rng.fill_bytes(&mut drawn);
    drawn
}
