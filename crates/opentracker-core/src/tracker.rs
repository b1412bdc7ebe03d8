use std::fmt::Debug;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, ArcSwapOption};
use opentracker_store::{Minute, Moment, Store, Timing};
use rand::CryptoRng;

use crate::access::AccessLists;
use crate::cluster::ClusterView;
use crate::connection_id::ConnectionIds;
use crate::counters::CounterRegistry;
use crate::worker::{Cluster, Worker};

/// The rules that may change while the tracker runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Middle of the interval that clients are asked to keep between announces.
    pub interval: Duration,
    /// The interval of each reply is uniform in `interval` ± this.
    pub jitter: Duration,
    /// The shortest interval that clients are asked to keep.
    pub min_interval: Duration,
    /// Peers handed to a client that does not say how many it wants.
    pub numwant_default: u32,
    /// The most peers handed out in one reply.
    pub numwant_max: u32,
    /// When peers and torrents time out.
    pub timing: Timing,
}

impl Default for Settings {
    /// 30 ± 3 minutes, 15 minutes at least, 50 and at most 200 peers.
    fn default() -> Self {
        const MINUTE: Duration = Duration::from_secs(60);
        Self {
            interval: 30 * MINUTE,
            jitter: 3 * MINUTE,
            min_interval: 15 * MINUTE,
            numwant_default: 50,
            numwant_max: 200,
            timing: Timing::default(),
        }
    }
}

/// What all threads of a tracker share.
#[derive(Debug)]
pub struct Tracker {
    store: Store,
    connection_ids: ConnectionIds,
    counters: CounterRegistry,
    settings: Arc<ArcSwap<Settings>>,
    lists: Arc<ArcSwap<AccessLists>>,
    cluster: ArcSwapOption<ClusterView>,
    start: Instant,
}

impl Tracker {
    /// Makes a tracker without torrents.
    ///
    /// `connection_id_lifetime` is how long a UDP connection id is good for at least, `start` is
    /// the present, and `rng` is the system's randomness: it keys the hash functions and the
    /// connection ids.
    pub fn new(
        settings: Settings,
        lists: AccessLists,
        connection_id_lifetime: Duration,
        start: Instant,
        rng: &mut impl CryptoRng,
    ) -> Self {
        let mut store_seed = [0; 32];
        rng.fill_bytes(&mut store_seed);
        let store = Store::new(store_seed);
        Self::with_store(store, settings, lists, connection_id_lifetime, start, rng)
    }

    /// Makes a tracker that keeps its torrents in this store; otherwise as [`Self::new`].
    pub fn with_store(
        store: Store,
        settings: Settings,
        lists: AccessLists,
        connection_id_lifetime: Duration,
        start: Instant,
        rng: &mut impl CryptoRng,
    ) -> Self {
        let mut connection_key = [0; 16];
        rng.fill_bytes(&mut connection_key);
        Self {
            store,
            connection_ids: ConnectionIds::new(connection_key, start, connection_id_lifetime),
            counters: CounterRegistry::default(),
            settings: Arc::new(ArcSwap::from_pointee(settings)),
            lists: Arc::new(ArcSwap::from_pointee(lists)),
            cluster: ArcSwapOption::empty(),
            start,
        }
    }

    /// Makes what one more thread needs to serve clients. `seed` is for choosing peers and should
    /// come from the system's randomness; `cluster` hears of announces, if there is one.
    pub fn worker(self: &Arc<Self>, seed: u64, cluster: Option<Box<dyn Cluster>>) -> Worker {
        Worker::new(Arc::clone(self), seed, cluster)
    }

    /// Returns the swarms.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Returns the issuer of UDP connection ids.
    pub fn connection_ids(&self) -> &ConnectionIds {
        &self.connection_ids
    }

    /// Returns the counters of all threads.
    pub fn counters(&self) -> &CounterRegistry {
        &self.counters
    }

    /// Returns the present rules.
    pub fn settings(&self) -> Arc<Settings> {
        self.settings.load_full()
    }

    /// Replaces the rules; every thread sees them with its next request.
    pub fn set_settings(&self, settings: Settings) {
        self.settings.store(Arc::new(settings));
    }

    /// Returns the present access lists.
    pub fn lists(&self) -> Arc<AccessLists> {
        self.lists.load_full()
    }

    /// Replaces both access lists at once; every thread sees them with its next request.
    pub fn set_lists(&self, lists: AccessLists) {
        self.lists.store(Arc::new(lists));
    }

    /// Returns who is in the cluster, or `None` without live sync. At most a second old.
    pub fn cluster(&self) -> Option<Arc<ClusterView>> {
        self.cluster.load_full()
    }

    /// Publishes who is in the cluster.
    pub fn set_cluster(&self, view: ClusterView) {
        self.cluster.store(Some(Arc::new(view)));
    }

    /// Returns when the tracker started.
    pub fn start(&self) -> Instant {
        self.start
    }

    /// Returns how the store sees a time.
    pub fn moment(&self, now: Instant) -> Moment {
        Moment::new(self.minute(now), &self.settings.load().timing)
    }

    pub(crate) fn minute(&self, now: Instant) -> Minute {
        Minute::from_elapsed(now.saturating_duration_since(self.start))
    }

    pub(crate) fn shared_settings(&self) -> Arc<ArcSwap<Settings>> {
        Arc::clone(&self.settings)
    }

    pub(crate) fn shared_lists(&self) -> Arc<ArcSwap<AccessLists>> {
        Arc::clone(&self.lists)
    }
}
